// An app on two clients that nobody here wrote, with what `generate.js` made of our schema. It
// prints one JSON object a line; the code of the text message comes in on the standard input.
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache } from "@apollo/client";
import { PersistedQueryLink } from "@apollo/client/link/persisted-queries";
import { GraphQLWsLink } from "@apollo/client/link/subscriptions";
import { Client, cacheExchange, fetchExchange } from "@urql/core";
import { createClient } from "graphql-ws";
import {
  AskForCodeDocument,
  FollowDocument,
  OwedDocument,
  ParkedDocument,
  PayNowDocument,
  SignInDocument,
} from "./api.js";

declare const require: (name: string) => any;
declare const process: any;

const [host, phone, parkedToken, session, fake] = process.argv.slice(2) as string[];
const url = `http://${host}/graphql`;

function tell(step: string, found: unknown): void {
  process.stdout.write(JSON.stringify({ step, found }) + "\n");
}

async function readLine(): Promise<string> {
  for await (const line of require("node:readline").createInterface({ input: process.stdin })) {
    return line;
  }
  throw new Error("no code came");
}

function urql(token?: string): Client {
  return new Client({
    url,
    exchanges: [cacheExchange, fetchExchange],
    preferGetMethod: false,
    fetchOptions: { headers: token ? { authorization: `Bearer ${token}` } : {} },
  });
}

async function signIn(): Promise<string> {
  const asked = await urql().mutation(AskForCodeDocument, { phone }).toPromise();
  const sent = asked.data?.requestSignInCode;
  if (sent?.__typename !== "SignInCodeSent") throw new Error(JSON.stringify(sent));
  tell("code", null);
  const given = { request: sent.requestId, phone, code: await readLine() };
  const answer = (await urql().mutation(SignInDocument, given).toPromise()).data?.signIn;
  if (answer?.__typename !== "SignedIn") throw new Error(JSON.stringify(answer));
  return answer.accessToken;
}

async function withUrql(token: string): Promise<void> {
  const nobody = await urql().query(ParkedDocument, {}).toPromise();
  tell("urql error", nobody.error?.graphQLErrors.map((one) => one.extensions.code));
  const parked = await urql(token).query(ParkedDocument, {}).toPromise();
  tell("urql query", parked.data?.viewer?.activeSessions.map((one) => one.bill.due?.amountMinor));
  const refused = await urql(token).mutation(PayNowDocument, { session: fake }).toPromise();
  const pay = refused.data?.prepay;
  // Narrowed by its name, as an app does it.
  tell("urql refusal", pay?.__typename === "Refused" ? pay.code : pay);
}

async function withApollo(token: string): Promise<void> {
  const sha256 = (text: string): string =>
    require("node:crypto").createHash("sha256").update(text).digest("hex");
  const headers = { authorization: `Bearer ${token}` };
  let sent: string[] = [];
  const counted: typeof fetch = (to, options) => {
    sent.push(JSON.parse(String(options?.body)).query ? "text" : "hash");
    return fetch(to, options);
  };
  const http = ApolloLink.from([
    new PersistedQueryLink({ sha256 }),
    new HttpLink({ uri: url, headers, fetch: counted }),
  ]);
  const client = new ApolloClient({ link: http, cache: new InMemoryCache() });
  for (const fetchPolicy of ["network-only", "network-only"] as const) {
    const { data } = await client.query({ query: OwedDocument, fetchPolicy });
    tell("apollo query", data?.viewer?.owed);
  }
  tell("apollo sent", sent);
  // The answer got lost, the app asks again: it is charged once, and told the same.
  const variables = { session, key: require("node:crypto").randomUUID() };
  for (const _ of [1, 2]) {
    const { data } = await client.mutate({ mutation: PayNowDocument, variables });
    const paid = data?.prepay;
    tell("apollo mutation", paid?.__typename === "Prepaid" ? [paid.status, paid.amount] : paid);
  }
  await follow(token);
  client.stop();
}

async function follow(token: string): Promise<void> {
  const socket = createClient({
    url: url.replace("http", "ws"),
    webSocketImpl: require("ws"),
    connectionParams: { Authorization: `Bearer ${token}` },
  });
  const client = new ApolloClient({ link: new GraphQLWsLink(socket), cache: new InMemoryCache() });
  const first = await new Promise((resolve, reject) => {
    const watched = client
      .subscribe({ query: FollowDocument, variables: { session, after: null } })
      .subscribe({
        next: ({ data }) => {
          resolve(data?.sessionUpdated);
          watched.unsubscribe();
        },
        error: reject,
      });
  });
  tell("apollo subscription", first);
  await socket.dispose();
  client.stop();
}

async function main(): Promise<void> {
  const token = await signIn();
  const fresh = await urql(token).query(ParkedDocument, {}).toPromise();
  tell("signed in", fresh.data?.viewer?.activeSessions);
  await withUrql(parkedToken);
  await withApollo(parkedToken);
}

main().then(
  () => process.exit(0),
  (error: unknown) => {
    process.stderr.write(String(error instanceof Error ? error.stack : error));
    process.exit(1);
  },
);
