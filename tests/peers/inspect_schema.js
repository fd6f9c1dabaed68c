// What npm `@graphql-inspector/core`, which nobody here wrote, finds between schemas. Argument: a
// file with a JSON list of [before, after]; the test reads what it prints.
const { readFileSync } = require("node:fs");
const { diff } = require("@graphql-inspector/core");
const { buildSchema } = require("graphql");

async function breaking([before, after]) {
  const changes = await diff(buildSchema(before), buildSchema(after));
  return changes
    .filter(({ criticality }) => criticality.level === "BREAKING")
    .map(({ path }) => path)
    .sort();
}

Promise.all(JSON.parse(readFileSync(process.argv[2], "utf8")).map(breaking)).then((found) => {
  process.stdout.write(JSON.stringify(found));
});
