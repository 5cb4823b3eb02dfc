// Plays runs of the conformance suite in one process, one after the other: its modules take half a second to load.
//
// `node runs.mjs ENTRY` reads a run a line from stdin, {"arguments": [...], "environment": {...}, "output": PATH}, and
// writes {"code": N} when the suite's program ends with that code. What the program prints goes to PATH.

import { appendFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

class Exit extends Error {}

const entry = pathToFileURL(process.argv[2]).href;
const [node, script] = process.argv;
const write = process.stdout.write.bind(process.stdout);
let end = () => {};
let output = "";

for (const stream of [process.stdout, process.stderr]) {
  stream.write = (text) => {
    if (output) appendFileSync(output, text);
    return true;
  };
}

// The program ends by `process.exit`, which does not return; the first call counts.
process.exit = (code) => {
  end(Number(code ?? 0));
  throw new Exit();
};

function fail(error) {
  if (error instanceof Exit) return;
  console.error(error);
  end(1);
}
process.on("unhandledRejection", fail);
process.on("uncaughtException", fail);

let number = 0;
for await (const line of createInterface({ input: process.stdin })) {
  const run = JSON.parse(line);
  output = run.output;
  process.argv = [node, script, ...run.arguments];
  Object.assign(process.env, run.environment);
  const code = await new Promise((resolve) => {
    end = resolve;
    // With another query it is another module, which is run again; those it imports are not.
    import(`${entry}?run=${++number}`).catch(fail);
  });
  write(`${JSON.stringify({ code })}\n`);
}
