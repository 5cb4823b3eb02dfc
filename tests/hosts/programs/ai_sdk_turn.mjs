// Two turns with the AI SDK: `node ai_sdk_turn.mjs MODEL-URL PROMPT COMMAND [ARGUMENT ...]`.
import { createMCPClient } from "@ai-sdk/mcp";
import { StdioMCPTransport } from "@ai-sdk/mcp/mcp-stdio";
import { createOpenAI } from "@ai-sdk/openai";
import { generateText, isStepCount } from "ai";

const [baseURL, prompt, command, ...args] = process.argv.slice(2);
const client = await createMCPClient({ transport: new StdioMCPTransport({ command, args }) });
try {
  const model = createOpenAI({ baseURL, apiKey: "stand-in" }).chat("stand-in");
  const messages = [];
  for (let turn = 0; turn < 2; turn++) {
    messages.push({ role: "user", content: prompt });
    const tools = await client.tools();
    const answer = await generateText({ model, tools, stopWhen: isStepCount(10), messages });
    messages.push(...answer.response.messages);
    console.log(answer.text);
  }
} finally {
  await client.close();
}
