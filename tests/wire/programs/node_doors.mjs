// Node's HTTP server at each door of a site: `node node_doors.mjs SITE.json [the file of Express]`.
// The paths are those of tests/wire/paths.py.
import { createHash } from "node:crypto";
import { appendFileSync, readFileSync } from "node:fs";
import http from "node:http";
import http2 from "node:http2";
import https from "node:https";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";

const site = JSON.parse(readFileSync(process.argv[2], "utf8"));
const PIECE = 64 * 1024;

function sized(count) {
  return Buffer.from('"' + "0123456789abcdef".repeat(count / 16 + 1).slice(0, count - 2) + '"');
}

function mcp(message) {
  const answer = { jsonrpc: "2.0", id: message.id };
  const params = message.params;
  if (message.method === "initialize") {
    const about = { name: "wire", version: "1" };
    answer.result = { protocolVersion: params.protocolVersion, capabilities: { tools: {} }, serverInfo: about };
  } else if (message.method === "tools/list") {
    answer.result = { tools: [{ name: "say", inputSchema: { type: "object" } }] };
  } else if (message.method === "tools/call") {
    answer.result = { content: [{ type: "text", text: JSON.stringify(params.arguments) }] };
  } else {
    answer.error = { code: -32601, message: "Method not found" };
  }
  return Buffer.from(JSON.stringify(answer));
}

function respond(response, status, body, headers = {}) {
  response.writeHead(status, { "Content-Type": "application/json", "Content-Length": body.length, ...headers });
  response.end(body);
}

async function answer(request, response, body) {
  const url = new URL(request.url, "http://localhost");
  appendFileSync(site.ran, url.search.slice(1) + "\n");
  const [, kind, ...rest] = url.pathname.split("/");
  if (kind === "mcp") {
    const message = request.method === "POST" ? JSON.parse(body) : {};
    if (request.method !== "POST") respond(response, 405, Buffer.alloc(0));
    else if (message.id === undefined) respond(response, 202, Buffer.alloc(0));
    else respond(response, 200, mcp(message));
  } else if (kind === "length") {
    const sha256 = createHash("sha256").update(body).digest("hex");
    respond(response, 200, Buffer.from(JSON.stringify({ length: body.length, sha256 })));
  } else if (kind === "sized") {
    respond(response, 200, sized(Number(rest[0])));
  } else if (kind === "chunked") {
    const whole = sized(Number(rest[0]));
    response.writeHead(200, { "Content-Type": "application/json" });
    for (let start = 0; start < whole.length; start += PIECE) response.write(whole.subarray(start, start + PIECE));
    response.end();
  } else if (kind === "events") {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    for (let number = 0; number < Number(rest[0]) && !response.destroyed; number++) {
      if (number) await sleep(Number(rest[1]));
      response.write(`data: {"n": ${number}}\n\n`);
    }
    response.end();
  } else if (rest[0] === "within") {
    response.writeHead(200, { "Content-Type": "application/json", "Content-Length": 1000 });
    response.write(sized(1000).subarray(0, 100), () => response.socket.end());
  } else if (rest[0] === "stream") {
    response.writeHead(200, { "Content-Type": "text/event-stream" });
    response.write('data: {"n": 0}\n\n');
    response.write('data: {"n": 1}\n\n', () => response.socket.end());
  }
}

function guard(door, request, response) {
  if (door !== "guarded" || request.headers.authorization) return true;
  respond(response, 401, Buffer.from("<h1>401</h1>"), { "Content-Type": "text/html", "WWW-Authenticate": "Bearer" });
  return false;
}

function bare(door) {
  return async (request, response) => {
    if (!guard(door, request, response)) return;
    const parts = [];
    for await (const part of request) parts.push(part);
    await answer(request, response, Buffer.concat(parts));
  };
}

const express = process.argv[3] && (await import(pathToFileURL(process.argv[3]))).default;

function underExpress(door) {
  const app = express();
  app.use((request, response, next) => guard(door, request, response) && next());
  app.use(express.raw({ type: () => true, limit: door === "small" ? "64kb" : "64mb" }));
  app.use((request, response) => answer(request, response, Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)));
  return app;
}

for (const [door, port] of Object.entries(site.ports)) {
  const listener = express ? underExpress(door) : bare(door);
  const secure = { cert: readFileSync(site.certificate), key: readFileSync(site.key) };
  const servers = {
    tls: () => https.createServer(secure, listener),
    "h2-only": () => http2.createSecureServer(secure, listener),
    "h2-only-plain": () => http2.createServer(listener),
  };
  const server = (servers[door] ?? (() => http.createServer(listener)))();
  if (door === "announced") server.keepAliveTimeout = 1000;
  server.listen(port, "127.0.0.1");
}
