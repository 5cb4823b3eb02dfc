// The reference client of the 1.x line as a program uses it: lists, signs in where that is all there is, calls `echo`.
// `node mcp_client_1.mjs COMMAND [ARGUMENT ...]`
import { Client } from "@modelcontextprotocol/sdk/client/index.js";
import { StdioClientTransport } from "@modelcontextprotocol/sdk/client/stdio.js";

const [command, ...args] = process.argv.slice(2);
const client = new Client({ name: "mcp-typescript", version: "1.0.0" });
await client.connect(new StdioClientTransport({ command, args }));
let called = false;
for (let attempt = 0; attempt < 2 && !called; attempt++) {
  const names = (await client.listTools()).tools.map((tool) => tool.name);
  console.log("tools:", JSON.stringify(names));
  called = names.includes("echo");
  if (called) console.log(await client.callTool({ name: "echo", arguments: { said: "hello" } }));
  else if (names.includes("sign_in")) console.log(await client.callTool({ name: "sign_in", arguments: {} }));
}
await client.close();
process.exitCode = called ? 0 : 1;
