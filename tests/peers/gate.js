// A gate that speaks the wire through ocpp-rpc, which nobody here wrote; the test reads what it prints.
const { randomBytes } = require("node:crypto");
const { readFileSync, readdirSync } = require("node:fs");
const { join } = require("node:path");
const { RPCClient, createValidator } = require("ocpp-rpc");

const VERSION = "sesame.gate.v1";
const { url, lane, certificate, authority, schemas } = JSON.parse(process.argv[2]);

function tell(event, detail) {
  process.stdout.write(JSON.stringify({ event, ...detail }) + "\n");
}

function uuid7() {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = bytes.toString("hex");
  return [8, 12, 16, 20, 32].map((end, at, ends) => hex.slice(ends[at - 1] ?? 0, end)).join("-");
}

// The library checks every call and answer with the schemas of docs/gate-wire, under its own names.
function published() {
  const names = readdirSync(schemas).filter((name) => /\.(call|result)\.json$/.test(name));
  return names.map((name) => {
    const { $schema, ...schema } = JSON.parse(readFileSync(join(schemas, name), "utf8"));
    const [action, kind] = name.split(".");
    return { ...schema, $id: `urn:${action}.${kind === "call" ? "req" : "conf"}` };
  });
}

const pem = readFileSync(certificate);
const client = new RPCClient({
  endpoint: url,
  identity: lane,
  protocols: ["sesame.gate.v9", VERSION],
  strictMode: [VERSION],
  strictModeValidators: [createValidator(VERSION, published())],
  callTimeoutMs: 10000,
  reconnect: false,
  wsOpts: { cert: pem, key: pem, ca: readFileSync(authority), perMessageDeflate: false },
});
client.on("strictValidationFailure", ({ error }) => tell("invalid", { error: String(error) }));

let seq = 0;
const car = uuid7();
const now = () => new Date().toISOString();

async function event(action, fields) {
  seq += 1;
  return client.call(action, { event_id: uuid7(), seq, presentation_id: car, ...fields });
}

async function barrier(kind, command_id) {
  const fields = { command_id, kind, occurred_at: now(), operator: null, reason: null };
  return event("BarrierEvent", fields);
}

async function refused(action, fields) {
  try {
    await event(action, fields);
  } catch (error) {
    tell("refused", { message: error.message, details: error.details });
  }
}

async function main() {
  const ordered = new Promise((resolve) => {
    client.handle("OpenBarrier", ({ params }) => {
      resolve(params);
      const { command_id } = params;
      return { command_id, status: "accepted", reason: null, repeated: false };
    });
  });
  client.handle("Display", ({ params }) => {
    tell("display", { lines: params.lines });
    return {};
  });
  client.handle("PolicyAvailable", () => ({}));
  await client.connect();
  tell("connected", { protocol: client.protocol });
  const hello = { agent_version: "ocpp-rpc", lane_id: lane, presentation: null, next_seq: 1 };
  const greeting = await client.call("Hello", hello);
  tell("greeted", { epoch: greeting.session_epoch, last_seq: greeting.last_seq });
  const beat = await client.call("Heartbeat", { sent_at: now() });
  tell("beat", { fields: Object.keys(beat).sort() });
  await event("Presentation", { state: "occupied", occurred_at: now() });
  const read = { plate: "京A88731", confidence: 0.97, captured_at: now(), source: "camera" };
  tell("acknowledged", await event("Observation", read));
  const order = await ordered;
  tell("order", { for_car: order.presentation_id === car, epoch: order.session_epoch });
  await barrier("opened", order.command_id);
  await event("Presentation", { state: "cleared", occurred_at: now() });
  tell("acknowledged", await barrier("passed", order.command_id));
  seq += 1;
  await refused("Presentation", { state: "occupied", occurred_at: now() });
  await client.close({ code: 1000 });
}

main().then(
  () => process.exit(0),
  (error) => {
    tell("failed", { error: String(error), details: error.details });
    process.exit(1);
  },
);
