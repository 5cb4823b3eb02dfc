// One turn of an agent of the OpenAI Agents SDK: `node openai_agents_turn.mjs PROMPT COMMAND [ARGUMENT ...]`.
// Where the model is and what key it takes stand in OPENAI_BASE_URL and OPENAI_API_KEY.
import { Agent, MCPServerStdio, run } from "@openai/agents";

const [prompt, command, ...args] = process.argv.slice(2);
const server = new MCPServerStdio({ command, args, name: "example" });
await server.connect();
try {
  const answer = await run(new Agent({ name: "Assistant", model: "stand-in", mcpServers: [server] }), prompt);
  console.log(answer.finalOutput);
} finally {
  await server.close();
}
