// npm `oidc-provider` as an authorization server for tests: `node oidc_provider.mjs <node_modules> <settings>`.
//
// It listens on 127.0.0.1, says its port in one JSON line on stdout and ends with its stdin. Everything is in
// memory: a restart forgets clients, grants and tokens, and signs with another key. Whoever opens /auth or /device is
// signed in there and has consented, so a browser only follows redirects, or confirms a code.
//
// Beside what the package serves:
//   GET  /test/journal   what happened: requests with their status, and what the package has to say of them
//   POST /test/settings  changes settings from now on; those marked * count only at the start
//   POST /test/reset     begins the journal anew and takes back what was changed

import { generateKeyPairSync, randomBytes } from "node:crypto";
import http from "node:http";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, given] = process.argv.slice(2);

// The package talks on stdout, which is for the port alone.
console.info = console.log = console.error;

const require = createRequire(path.join(path.resolve(modules), "counterpart.js"));
const { Provider, errors, interactionPolicy } = await import(pathToFileURL(require.resolve("oidc-provider")));

const settings = {
  port: 0, // *
  resources: [], // resource indicators (RFC 8707) for which access tokens are given out
  scope: "mcp:use mcp:admin", // what such a token may hold
  listed: true, // * whether the provider knows these scopes itself; else clients cannot register for them
  refreshOnlyOffline: false, // whether only offline_access, asked for with prompt=consent, gets a refresh token
  openidOnly: true, // whether only OpenID Connect Discovery finds the metadata, as with older versions
  accessTokenLifetime: 3600, // seconds
  refreshTokenLifetime: 86400,
  deviceCodeLifetime: 600,
  deviceSays: {}, // what the answer with a device code says in place of what the package does, such as its interval
  pushed: "refused", // * pushed authorization requests: "refused", "offered" or "required"
  clients: [], // * registered beforehand
  ...JSON.parse(given ?? "{}"),
};
const atStart = { ...settings };
const journal = [];

const listener = http.createServer();
await new Promise((listening) => listener.listen(settings.port, "127.0.0.1", listening));
const { port } = listener.address();
const issuer = `http://127.0.0.1:${port}`;

const { privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
const key = { ...privateKey.export({ format: "jwk" }), kid: randomBytes(8).toString("hex"), use: "sig", alg: "RS256" };

const policy = interactionPolicy.base();
// It would ask native clients for consent every time (RFC 8252 8.6): nobody is there to click.
policy.get("consent").checks.remove("native_client_prompt");
policy.get("consent").checks.remove("consent_prompt");

const resourceServer = (indicator) => {
  // Byte for byte: a trailing slash more or less is another resource.
  if (!settings.resources.includes(indicator)) throw new errors.InvalidTarget();
  return {
    scope: settings.scope,
    audience: indicator,
    accessTokenTTL: settings.accessTokenLifetime,
    accessTokenFormat: "jwt",
    jwt: { sign: { alg: "RS256" } },
  };
};

const consented = async (ctx) => {
  const grant = new ctx.oidc.provider.Grant({
    accountId: ctx.oidc.session.accountId,
    clientId: ctx.oidc.client.clientId,
  });
  grant.addOIDCScope(`openid offline_access ${settings.scope}`);
  for (const indicator of Object.keys(ctx.oidc.resourceServers)) grant.addResourceScope(indicator, settings.scope);
  await grant.save();
  return grant;
};

const provider = new Provider(issuer, {
  clients: settings.clients,
  scopes: ["openid", "offline_access", ...(settings.listed ? settings.scope.split(" ") : [])],
  jwks: { keys: [key] },
  interactions: { policy },
  loadExistingGrant: consented,
  findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
  pkce: { required: () => true },
  rotateRefreshToken: true,
  expiresWithSession: () => false,
  issueRefreshToken: (_ctx, client, source) =>
    client.grantTypeAllowed("refresh_token") &&
    (!settings.refreshOnlyOffline || source.scopes.has("offline_access")),
  features: {
    devInteractions: { enabled: false },
    deviceFlow: { enabled: true },
    pushedAuthorizationRequests: {
      enabled: settings.pushed !== "refused",
      requirePushedAuthorizationRequests: settings.pushed === "required",
    },
    registration: { enabled: true },
    resourceIndicators: { enabled: true, getResourceServerInfo: (_ctx, indicator) => resourceServer(indicator) },
    revocation: { enabled: true },
  },
  ttl: {
    RefreshToken: () => settings.refreshTokenLifetime,
    AccessToken: () => settings.accessTokenLifetime,
    DeviceCode: () => settings.deviceCodeLifetime,
    Grant: 86400,
    IdToken: 3600,
    Interaction: 600,
    Session: 86400,
  },
});

const told = (name) => (...args) => {
  const error = args.find((arg) => arg instanceof Error);
  journal.push({ event: name, detail: error?.error_detail ?? error?.message ?? null });
};
for (const name of ["grant.revoked", "refresh_token.consumed", "registration_create.success", "server_error"]) {
  provider.on(name, told(name));
}
for (const name of ["grant.error", "authorization.error", "registration_create.error"]) provider.on(name, told(name));

const OAUTH_METADATA = "/.well-known/oauth-authorization-server";
const NOTED = ["client_id", "grant_type", "redirect_uri", "resource", "scope", "code_challenge_method", "prompt"];

provider.use(async (ctx, next) => {
  if (["/auth", "/device"].includes(ctx.path) && !ctx.get("cookie")) {
    const session = new provider.Session();
    session.loginAccount({ accountId: "somebody" });
    await session.save(86400);
    ctx.req.headers.cookie = `${provider.cookieName("session")}=${session.id}`;
  }
  const entry = { event: "request", method: ctx.method, path: ctx.path, status: null };
  journal.push(entry);
  if (!(settings.openidOnly && ctx.path === OAUTH_METADATA)) await next();
  if (ctx.path === "/device/auth" && ctx.status === 200) Object.assign(ctx.body, settings.deviceSays);
  const parameters = ctx.oidc?.params ?? {};
  entry.status = ctx.status;
  entry.authorization = ctx.get("authorization").split(" ")[0] || null;
  entry.secret_in_form = parameters.client_secret !== undefined;
  entry.error = ctx.body?.error ?? null;
  entry.client = ctx.oidc?.client?.clientId ?? null;
  for (const name of NOTED) if (parameters[name] !== undefined) entry[name] = parameters[name];
});

const serve = provider.callback();

const read = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return JSON.parse(Buffer.concat(chunks).toString());
};

listener.on("request", async (request, response) => {
  if (request.url === "/test/journal") {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(journal));
  } else if (request.url === "/test/settings" && request.method === "POST") {
    Object.assign(settings, await read(request));
    response.writeHead(204).end();
  } else if (request.url === "/test/reset" && request.method === "POST") {
    journal.length = 0;
    Object.assign(settings, atStart);
    response.writeHead(204).end();
  } else {
    serve(request, response);
  }
});

process.stdin.on("end", () => process.exit(0)).resume();
process.stdout.write(`${JSON.stringify({ port })}\n`);
