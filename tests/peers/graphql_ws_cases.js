// Every case of graphql-transport-ws, through npm `graphql-ws` where it lets us, else through `ws`.
const { createClient, GRAPHQL_TRANSPORT_WS_PROTOCOL } = require("graphql-ws");
const WebSocket = require("ws");

const { url, token, session } = JSON.parse(process.argv[2]);
const FOLLOW =
  "subscription($id: ID!) { sessionUpdated(sessionId: $id) { ... on SessionUpdate { reason } } }";
const ME = "{ viewer { id } }";
const subscribe = (id, payload) => ({ id, type: "subscribe", payload });
const follow = (id) => subscribe(id, { query: FOLLOW, variables: { id: session } });
const WAIT_MS = 8000;

function client(options = {}) {
  return createClient({
    url,
    webSocketImpl: WebSocket,
    retryAttempts: 0,
    connectionParams: { Authorization: `Bearer ${token}` },
    ...options,
  });
}

// Everything that an operation brings: its results, and how it ended.
function run(served, payload, until = () => false) {
  return new Promise((resolve) => {
    const results = [];
    const stop = served.subscribe(payload, {
      next: (result) => {
        results.push(result);
        if (until(result)) stop();
      },
      error: (error) => resolve({ results, error }),
      complete: () => resolve({ results }),
    });
  });
}

// A socket without manners of its own: what comes is queued, and its end is kept.
class Raw {
  constructor(protocol = GRAPHQL_TRANSPORT_WS_PROTOCOL) {
    this.socket = new WebSocket(url, protocol);
    this.messages = [];
    this.waiting = [];
    this.closed = new Promise((resolve) => this.socket.on("close", (code) => resolve(code)));
    this.socket.on("error", () => {});
    this.socket.on("message", (data) => {
      const message = JSON.parse(data);
      const next = this.waiting.shift();
      if (next) next(message);
      else this.messages.push(message);
    });
    this.opened = new Promise((resolve) => this.socket.on("open", resolve));
  }
  send(message) {
    this.socket.send(typeof message === "string" ? message : JSON.stringify(message));
  }
  next() {
    if (this.messages.length) return Promise.resolve(this.messages.shift());
    return new Promise((resolve) => this.waiting.push(resolve));
  }
  async in() {
    await this.opened;
    this.send({ type: "connection_init", payload: { Authorization: `Bearer ${token}` } });
    await this.next();
    return this;
  }
}

async function closesWith(...messages) {
  const raw = await new Raw().in();
  messages.forEach((message) => raw.send(message));
  return raw.closed;
}

async function refused(payload) {
  const served = client({ lazy: false });
  const { results, error } = await run(served, payload);
  const after = await run(served, { query: "{ __typename }" });
  await served.dispose();
  return [results.length, Array.isArray(error), after.results[0]?.data?.__typename];
}

const cases = {
  "a query, then complete": async () => {
    const { results, error } = await run(client(), { query: ME });
    return [results.length, typeof results[0].data.viewer.id, error];
  },
  "a mutation": async () => {
    const query = 'mutation { bindPlate(input: { plate: "" }) { __typename } }';
    return (await run(client(), { query })).results[0].data.bindPlate.__typename;
  },
  "a subscription that the client ends": async () => {
    const { results, error } = await run(client(), { query: FOLLOW, variables: { id: session } }, () => true);
    return [results[0].data.sessionUpdated.reason, error];
  },
  "two operations on one socket": async () => {
    const served = client({ lazy: false });
    const both = await Promise.all([run(served, { query: ME }), run(served, { query: ME })]);
    await served.dispose();
    return both.map(({ results }) => results.length);
  },
  "an error of a field comes as a result": async () => {
    const { results, error } = await run(client(), { query: '{ node(id: "x") { id } }' });
    return [results[0].data.node, error];
  },
  "a syntax error ends one operation": () => refused({ query: "{" }),
  "an invalid document ends one operation": () => refused({ query: "{ nothing }" }),
  "an unknown operation ends one operation": () =>
    refused({ query: "query A { __typename }", operationName: "B" }),
  "variables that do not fit end one operation": () =>
    refused({ query: FOLLOW, variables: { id: null } }),
  "a pong carries its ping's payload": async () => {
    const raw = await new Raw().in();
    raw.send({ type: "ping", payload: { a: 1 } });
    const pong = await raw.next();
    raw.socket.terminate();
    return pong;
  },
  "the client's keep-alive is answered": () =>
    new Promise((resolve) => {
      const served = client({ lazy: false, keepAlive: 10 });
      served.on("pong", (received) => {
        if (received) resolve("pong");
        served.terminate();
      });
    }),
  "nobody without a token": async () => {
    const { error } = await run(client({ connectionParams: {} }), { query: ME });
    return error.code;
  },
  "no other protocol": () => new Raw("graphql-ws").closed,
  "nothing before the greeting": async () => {
    const raw = new Raw();
    await raw.opened;
    raw.send(subscribe("1", { query: ME }));
    return raw.closed;
  },
  "no second greeting": () => closesWith({ type: "connection_init" }),
  "no greeting with a wrong payload": async () => {
    const raw = new Raw();
    await raw.opened;
    raw.send({ type: "connection_init", payload: "x" });
    return raw.closed;
  },
  "no id twice": () => closesWith(follow("1"), follow("1")),
  "an id may be used again after complete": async () => {
    const raw = await new Raw().in();
    raw.send(follow("1"));
    await raw.next();
    raw.send({ id: "1", type: "complete" });
    raw.send(follow("1"));
    const { type } = await raw.next();
    raw.socket.terminate();
    return type;
  },
  "complete for nothing changes nothing": async () => {
    const raw = await new Raw().in();
    raw.send({ id: "x", type: "complete" });
    raw.send(subscribe("1", { query: "{ __typename }" }));
    const told = [(await raw.next()).type, (await raw.next()).type];
    raw.socket.terminate();
    return told;
  },
  "no JSON": () => closesWith("{"),
  "no object": () => closesWith("[]"),
  "no known type": () => closesWith({ type: "nonsense" }),
  "no id": () => closesWith({ type: "subscribe", payload: { query: ME } }),
  "no text as query": () => closesWith(subscribe("1", { query: 1 })),
  "no object as variables": () => closesWith(subscribe("1", { query: ME, variables: "x" })),
  "no binary frame": async () => {
    const raw = await new Raw().in();
    raw.socket.send(Buffer.from('{"type":"ping"}'));
    return raw.closed;
  },
  "the last operation closes the client's socket": () =>
    new Promise((resolve) => {
      const served = client();
      served.on("closed", (event) => resolve(event.code));
      run(served, { query: "{ __typename }" });
    }),
};

async function main() {
  const told = {};
  for (const [name, tell] of Object.entries(cases)) {
    const late = new Promise((resolve) => setTimeout(resolve, WAIT_MS, "no answer").unref());
    told[name] = await Promise.race([tell(), late]).catch((error) => String(error));
  }
  process.stdout.write(JSON.stringify(told), () => process.exit());
}

main();
