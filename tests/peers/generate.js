// What an app's developers do with our schema: generate types and documents, compile, and run. The
// test reads what it prints. Arguments: the schema, the page whose operations it takes, a folder.
const { copyFileSync, readFileSync, symlinkSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const { codegen } = require("@graphql-codegen/core");
const typescript = require("@graphql-codegen/typescript");
const operations = require("@graphql-codegen/typescript-operations");
const typedDocuments = require("@graphql-codegen/typed-document-node");
const { buildSchema, parse, printSchema } = require("graphql");
const ts = require("typescript");

const [schemaFile, page, folder] = process.argv.slice(2);
const CHECKED = ["client.ts", "wrong.ts"];

async function generate() {
  const schema = buildSchema(readFileSync(schemaFile, "utf8"));
  const blocks = readFileSync(page, "utf8").matchAll(/```graphql\n([\s\S]*?)```/g);
  const documents = [...blocks].map(([, text], at) => ({
    location: `${page}#${at}`,
    document: parse(text),
  }));
  const written = await codegen({
    filename: "api.ts",
    schema: parse(printSchema(schema)),
    documents,
    config: {
      // An enum or a union that grows must not break a compiled app.
      futureProofEnums: true,
      futureProofUnions: true,
      enumsAsTypes: true,
      nonOptionalTypename: true,
      useTypeImports: true,
    },
    plugins: [{ typescript: {} }, { operations: {} }, { typedDocuments: {} }],
    pluginMap: { typescript, operations, typedDocuments },
  });
  writeFileSync(join(folder, "api.ts"), written);
  return documents.flatMap(({ document }) => document.definitions.map(({ name }) => name.value));
}

function compile() {
  symlinkSync(join(__dirname, "node_modules"), join(folder, "node_modules"));
  for (const name of CHECKED) copyFileSync(join(__dirname, name), join(folder, name));
  const program = ts.createProgram(CHECKED.map((name) => join(folder, name)), {
    strict: true,
    skipLibCheck: true,
    module: ts.ModuleKind.Node16,
    moduleResolution: ts.ModuleResolutionKind.Node16,
    target: ts.ScriptTarget.ES2022,
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.esnext.disposable.d.ts"],
    types: [],
    outDir: folder,
  });
  program.emit();
  return ts.getPreEmitDiagnostics(program).map((found) => ({
    file: found.file ? found.file.fileName.split("/").pop() : "",
    message: ts.flattenDiagnosticMessageText(found.messageText, " "),
  }));
}

generate().then((names) => {
  process.stdout.write(JSON.stringify({ operations: names, complaints: compile() }));
});
