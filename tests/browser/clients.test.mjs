// OAuth clients of others against the real server: openid-client and oauth4webapi find its endpoints and keys by its
// metadata, refresh, revoke, introspect and check our access tokens by their own rules, and understand its refusals.

import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";

import * as oauth from "oauth4webapi";
import * as client from "openid-client";

import { startServer } from "./server.mjs";

const SECRET = "a-secret-of-some-forty-characters-or-more";
const AUDIENCE = "https://api.example";
// The server under test is on loopback.
const insecure = { [oauth.allowInsecureRequests]: true };

let scratch, server;

before(async () => {
  scratch = await mkdtemp(join(tmpdir(), "rescind-clients-"));
  const [secret, config] = [join(scratch, "secret"), join(scratch, "rescind.toml")];
  await writeFile(secret, SECRET, { mode: 0o600 });
  await writeFile(config, `[[clients]]\nid = 'backend'\nclass = 'browser'\nsecret_file = '${secret}'\n`);
  server = await startServer({ flags: ["--dev", "--config", config, "--audience", AUDIENCE] });
});

after(async () => {
  await server?.stop();
  await rm(scratch, { recursive: true, force: true });
});

const open = (clientId) => server.admin("POST", "/sessions", { subject: "alice", client_id: clientId });

/** openid-client, which has found the server by its metadata. */
const discovered = (clientId, proof) =>
  client.discovery(new URL(server.url), clientId, undefined, proof, { algorithm: "oauth2", execute: [client.allowInsecureRequests] });

/** The server's metadata as oauth4webapi has checked them. */
async function metadata() {
  const issuer = new URL(server.url);
  const answer = await oauth.discoveryRequest(issuer, { algorithm: "oauth2", ...insecure });
  return oauth.processDiscoveryResponse(issuer, answer);
}

/** What oauth4webapi says of a request with this token, as a resource server. */
async function validated(token, audience = AUDIENCE) {
  const request = new Request("https://api.example/me", { headers: { authorization: `Bearer ${token}` } });
  return oauth.validateJwtAccessToken(await metadata(), request, audience, insecure);
}

// holds: 67, 68
test("openid-client finds the endpoints by the metadata", async () => {
  const found = (await discovered("app", client.None())).serverMetadata();
  assert.equal(found.issuer, server.url);
  for (const endpoint of ["token_endpoint", "revocation_endpoint", "introspection_endpoint", "jwks_uri"]) {
    assert.ok(found[endpoint].startsWith(server.url), endpoint);
  }
});

// holds: 10, 30
test("openid-client refreshes as a public client, and understands a refused grant", async () => {
  const config = await discovered("app", client.None());
  const first = await open("app");
  const second = await client.refreshTokenGrant(config, first.refresh_token);
  assert.equal(second.token_type, "bearer");
  assert.ok(second.expiresIn() > 0);
  assert.notEqual(second.refresh_token, first.refresh_token);
  const third = await client.refreshTokenGrant(config, second.refresh_token);
  const understood = (error) => error instanceof client.ResponseBodyError && error.error === "invalid_grant" && error.status === 400;
  // A spent token of two generations before ends the session.
  await assert.rejects(client.refreshTokenGrant(config, first.refresh_token), understood);
  await assert.rejects(client.refreshTokenGrant(config, third.refresh_token), understood);
  await client.tokenRevocation(config, third.refresh_token);
});

// holds: 6, 37
test("openid-client introspects as a confidential client, and sees a revoked token as inactive", async () => {
  const config = await discovered("backend", client.ClientSecretBasic(SECRET));
  const { access_token, refresh_token } = await open("backend");
  const active = await client.tokenIntrospection(config, access_token);
  assert.deepEqual([active.active, active.sub, active.client_id], [true, "alice", "backend"]);
  assert.equal((await client.tokenIntrospection(config, refresh_token)).active, true);
  await client.tokenRevocation(config, refresh_token);
  for (const token of [access_token, refresh_token]) assert.deepEqual(await client.tokenIntrospection(config, token), { active: false });
  await assert.rejects(client.refreshTokenGrant(config, refresh_token), { error: "invalid_grant" });
});

// holds: 3
test("a wrong secret is an error that both clients understand, in the header and in the body", async () => {
  const { refresh_token } = await open("backend");
  const by = (proof) => discovered("backend", proof("wrong")).then((config) => client.refreshTokenGrant(config, refresh_token));
  await assert.rejects(by(client.ClientSecretPost), { error: "invalid_client", status: 401 });
  await assert.rejects(by(client.ClientSecretBasic), (error) => error instanceof client.WWWAuthenticateChallengeError && error.cause[0].scheme === "basic");
  const as = await metadata();
  const answer = await oauth.introspectionRequest(as, { client_id: "backend" }, oauth.ClientSecretBasic("wrong"), "x", insecure);
  await assert.rejects(oauth.processIntrospectionResponse(as, { client_id: "backend" }, answer), oauth.WWWAuthenticateChallengeError);
  const config = await discovered("backend", client.ClientSecretBasic(SECRET));
  assert.ok((await client.refreshTokenGrant(config, refresh_token)).access_token, "and nothing was spent");
});

// holds: 54, 56
test("oauth4webapi takes our access token for one of RFC 9068, and no other", async () => {
  const { access_token, refresh_token } = await open("app");
  const claims = await validated(access_token);
  assert.deepEqual([claims.iss, claims.sub, claims.client_id, claims.aud], [server.url, "alice", "app", AUDIENCE]);
  await assert.rejects(validated(access_token, "https://other.example"));
  const [header, payload, signature] = access_token.split(".");
  const turned = signature[5] === "A" ? "B" : "A";
  await assert.rejects(validated([header, payload, signature.slice(0, 5) + turned + signature.slice(6)].join(".")));
  await assert.rejects(validated(refresh_token));
});

// holds: 70, 72
test("oauth4webapi finds the next key after a rotation, and none of a key that was revoked", async () => {
  const old = (await open("app")).access_token;
  await server.admin("POST", "/keys/rotate");
  const young = (await open("app")).access_token;
  const kid = (token) => JSON.parse(Buffer.from(token.split(".")[0], "base64url")).kid;
  assert.notEqual(kid(old), kid(young));
  for (const token of [old, young]) assert.equal((await validated(token)).sub, "alice");
  await server.admin("DELETE", `/keys/${kid(old)}`);
  await assert.rejects(validated(old));
  assert.equal((await validated(young)).sub, "alice");
});

// holds: 30, 35
test("oauth4webapi revokes, twice and what is no token, and is answered alike", async () => {
  const [as, app] = [await metadata(), { client_id: "app" }];
  const { access_token, refresh_token } = await open("app");
  for (const token of [refresh_token, refresh_token, access_token, "no token"]) {
    const answer = await oauth.revocationRequest(as, app, oauth.None(), token, insecure);
    assert.equal(await oauth.processRevocationResponse(answer), undefined);
  }
  const me = await fetch(`${server.url}/me`, { headers: { authorization: `Bearer ${access_token}` } });
  assert.equal(me.status, 401);
  const answer = await oauth.refreshTokenGrantRequest(as, app, oauth.None(), refresh_token, insecure);
  await assert.rejects(oauth.processRefreshTokenResponse(as, app, answer), { error: "invalid_grant" });
});
