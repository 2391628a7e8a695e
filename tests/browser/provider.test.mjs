// Signing in at a provider, in a real browser, with a real provider: what the person sees and what the cookies are worth
// afterwards. The provider stands under another site than the server, so cookies go where they would in the field.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, logSkip, missingBrowser } from "./browser.mjs";
import { missingProvider, startProvider } from "./provider.mjs";
import { startServer } from "./server.mjs";
import { Visitor } from "./visitor.mjs";

/** Trying again and again ends here. The keys of a provider are asked for at most once in ten seconds. */
const PATIENCE_MS = 40_000;

const missing = (await missingBrowser()) ?? (await missingProvider());
const skip = missing && !process.env.CI ? missing : false;
let provider;
let server;
let browser;

/** A server that knows this provider, and the provider knows it. */
async function serverFor(idp, flags) {
  const started = await startServer({
    flags,
    settings: {
      RESCIND_OIDC_NAME: "acme",
      RESCIND_OIDC_ISSUER: idp.issuer,
      RESCIND_OIDC_CLIENT_ID: idp.clientId,
      RESCIND_OIDC_CLIENT_SECRET: idp.clientSecret,
      RESCIND_OIDC_ALLOW: "@example.com",
    },
  });
  idp.register({ callback: `${started.url}/login/acme/callback`, logout: `${started.url}/login/acme/logout` });
  return started;
}

before(async () => {
  if (skip) return;
  if (missing) throw new Error(missing);
  provider = await startProvider();
  server = await serverFor(provider);
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await provider?.stop();
});

/** A test that gets a function to open browsers of people; they are closed, and asked for complaints, at the end. */
async function scene(name, play) {
  if (skip) await logSkip(name, skip);
  test(name, { skip, timeout: 90_000 }, async () => {
    const visitors = [];
    const open = async (url = server.url) => {
      visitors.push(await Visitor.open(browser, url));
      return visitors.at(-1);
    };
    try {
      await play(open);
      assert.deepEqual(visitors.flatMap((visitor) => visitor.complaints), [], "the browser complained");
    } catch (error) {
      console.error(`--- the server's log ---\n${server.log().slice(-4_000)}\n--- the provider's ---\n${JSON.stringify(provider.events)}`);
      throw error;
    } finally {
      await Promise.all(visitors.map((visitor) => visitor.close()));
    }
  });
}

await scene("whoever signs in at the provider lands signed in, and a logout kills both tokens", async (open) => {
  const alice = await open();
  assert.equal((await alice.signInAs("alice")).status, 200);
  assert.equal(alice.page.url(), `${server.url}/`, "no code and no state stay in the address");
  assert.equal(await alice.who(), "alice@example.com");
  assert.equal(await alice.press("me"), 200);
  assert.equal(await alice.press("refresh"), 200);
  assert.equal(await alice.press("me"), 200);
  const tokens = await alice.cookies();
  assert.equal(tokens.length, 2);
  for (const { httpOnly, secure, sameSite, path } of tokens) assert.deepEqual({ httpOnly, secure, sameSite, path }, { httpOnly: true, secure: true, sameSite: "Strict", path: "/" });
  await alice.logOut();
  assert.deepEqual(await alice.cookies(), []);
  await alice.putBack(tokens);
  assert.equal(await alice.press("me"), 401);
  assert.equal(await alice.press("refresh"), 400);
});

await scene("the account is issuer and subject, and its e-mail only tells the operator who it is", async (open) => {
  const bob = await open();
  await bob.signInAs("bob");
  const { users } = await server.admin("GET", "/users");
  const user = users.find(({ subject }) => subject === `${provider.issuer}|bob`);
  assert.deepEqual(user.account, { issuer: provider.issuer, subject: "bob", email: "bob@example.com", email_verified: true });
  const claims = await bob.page.evaluate(async () => (await fetch("/me")).json());
  assert.equal(claims.sub, `${provider.issuer}|bob`);
});

for (const [account, why] of [["eve", "whose domain is not on the list"], ["mallory", "whose address is not verified"]]) {
  await scene(`a person ${why} gets a clear page and no session`, async (open) => {
    const visitor = await open();
    const landing = await visitor.signInAs(account);
    assert.equal(landing.status, 403);
    assert.match(landing.said, /may not sign in here/);
    assert.deepEqual(await visitor.cookies(), []);
    const { users } = await server.admin("GET", "/users");
    assert.ok(!users.some(({ subject }) => subject.endsWith(`|${account}`)), "nothing is left of it");
  });
}

await scene("an account that an operator has added comes in whatever the list says, until it is disabled", async (open) => {
  await server.admin("POST", "/users", { issuer: provider.issuer, subject: "eve" });
  const eve = await open();
  assert.equal((await eve.signInAs("eve")).status, 200);
  const tokens = await eve.cookies();
  const { ended_by: endedBy } = await server.admin("PATCH", `/users/${encodeURIComponent(`${provider.issuer}|eve`)}`, { disabled: true });
  assert.ok(endedBy > 0);
  assert.equal(await eve.press("me"), 401);
  assert.equal(await eve.press("refresh"), 400);
  await eve.goToProvider();
  await eve.page.getByTestId("message").waitFor();
  assert.match(await eve.page.getByTestId("message").innerText(), /may not sign in here/);
  await eve.putBack(tokens);
  assert.equal(await eve.press("me"), 401);
});

await scene("a sign-in that was cancelled at the provider says so, in our words", async (open) => {
  const alice = await open();
  await alice.goToProvider();
  const landing = await alice.landing(alice.page, () => alice.page.getByTestId("cancel").click());
  assert.equal(landing.status, 403);
  assert.match(landing.said, /cancelled/);
  assert.ok(!(await alice.page.content()).includes("the person said no"), "the provider's text is not shown");
  assert.deepEqual(await alice.cookies(), []);
  assert.equal((await alice.signInAs("alice")).status, 200, "and it can be begun again");
});

await scene("two tabs that sign in at once do not disturb each other", async (open) => {
  const alice = await open();
  const second = await alice.newTab();
  await alice.goToProvider();
  await alice.goToProvider(second);
  assert.equal((await alice.landing(second, () => alice.proveAs("alice", second))).status, 200);
  assert.equal((await alice.landing(alice.page, () => alice.typeAccount("alice"))).status, 200);
  assert.equal(await alice.press("me"), 200);
  assert.equal(await alice.press("me", second), 200, "both tabs have the newer cookies");
  assert.deepEqual((await alice.context.cookies(server.url)).map(({ name }) => name).sort(), ["__Host-rescind_access", "__Host-rescind_refresh"], "nothing of the sign-ins is left");
});

await scene("whoever signs in over an old session leaves it behind", async (open) => {
  const alice = await open();
  await alice.signInAs("alice");
  const former = await alice.cookies();
  const page = alice.page;
  const landing = await alice.landing(page, () => alice.goToProvider());
  assert.equal(landing.status, 200, "the provider knows her and asks nothing");
  assert.equal(await alice.press("me"), 200);
  await alice.putBack(former);
  assert.equal(await alice.press("me"), 401);
  assert.equal(await alice.press("refresh"), 400);
});

await scene("a callback's address that is opened again, or in another browser, is refused", async (open) => {
  const [alice, thief] = [await open(), await open()];
  const { url } = await alice.signInAs("alice");
  const again = await alice.landing(alice.page, () => alice.page.goto(url));
  assert.equal(again.status, 400);
  assert.match(again.said, /begin it again/);
  const elsewhere = await thief.landing(thief.page, () => thief.page.goto(url));
  assert.equal(elsewhere.status, 400);
  assert.deepEqual(await thief.cookies(), []);
  await alice.page.goto(server.url);
  assert.equal(await alice.press("me"), 200, "the session is as it was");
});

await scene("a callback that comes to another browser than its sign-in began in is refused unused", async (open) => {
  const [alice, mallory] = [await open(), await open()];
  await mallory.goToProvider();
  const held = provider.holdNextCallback();
  await mallory.proveAs("mallory");
  const link = await held;
  const landing = await alice.landing(alice.page, () => alice.page.goto(link));
  assert.equal(landing.status, 400);
  assert.deepEqual(await alice.cookies(), [], "nobody is signed in as somebody else by a link");
});

await scene("another site cannot begin a sign-in by itself", async (open) => {
  const alice = await open();
  await alice.page.goto(`${provider.issuer}/session/end`);
  await alice.page.evaluate((url) => { location.href = url; }, `${server.url}/login/acme`);
  await alice.page.waitForURL(`${server.url}/login`);
  await alice.page.getByTestId("provider-acme").waitFor();
});

await scene("the provider's logout ends the session at once, put back by hand or not", async (open) => {
  const alice = await open();
  await alice.signInAs("alice");
  const tokens = await alice.cookies();
  assert.equal(await alice.press("me"), 200);
  await alice.logOutAtProvider(provider.issuer);
  assert.equal(provider.events.at(-1).event, "backchannel.success");
  assert.equal(await alice.press("me"), 401);
  assert.equal(await alice.press("refresh"), 400);
  await alice.putBack(tokens);
  assert.equal(await alice.press("me"), 401);
  assert.equal(await alice.press("refresh"), 400);
  const { revocations } = await server.admin("GET", "/revocations?after=0");
  assert.equal(revocations.at(-1).actor, "provider");
});

await scene("of two sessions of one person the provider's logout ends the one that it names", async (open) => {
  const [laptop, phone] = [await open(), await open()];
  await laptop.signInAs("alice");
  await phone.signInAs("alice");
  await laptop.logOutAtProvider(provider.issuer);
  assert.equal(await laptop.press("me"), 401);
  assert.equal(await laptop.press("refresh"), 400);
  assert.equal(await phone.press("me"), 200);
  assert.equal(await phone.press("refresh"), 200);
});

await scene("new keys at the provider are found, within the time between two looks at them", async (open) => {
  await (await open()).signInAs("alice");
  provider.rotateKeys();
  const deadline = Date.now() + PATIENCE_MS;
  let landing;
  do {
    landing = await (await open()).signInAs("alice");
  } while (landing.status !== 200 && Date.now() < deadline);
  assert.equal(landing.status, 200, landing.said);
});

await scene("a provider that is down while the person comes back is told, and the next try works", async (open) => {
  const alice = await open();
  await alice.goToProvider();
  provider.goDownBehindNextCode();
  const landing = await alice.landing(alice.page, () => alice.proveAs("alice"));
  assert.ok([502, 503].includes(landing.status), `${landing.status}`);
  assert.match(landing.said, /try again/i);
  assert.deepEqual(await alice.cookies(), []);
  provider.comeBack();
  assert.equal((await alice.landing(alice.page, () => alice.goToProvider())).status, 200);
  assert.equal(await alice.press("me"), 200);
});

await scene("a server that starts while its provider is down serves, and finds it later", async (open) => {
  const idp = await startProvider();
  idp.goDown();
  const late = await serverFor(idp);
  try {
    const alice = await open(late.url);
    const down = await alice.page.goto(`${late.url}/login/acme`);
    assert.ok([502, 503].includes(down.status()), `${down.status()}`);
    assert.ok(Number(down.headers()["retry-after"]) > 0);
    assert.match(await alice.page.getByTestId("message").innerText(), /try again/i);
    idp.comeBack();
    const deadline = Date.now() + PATIENCE_MS;
    let reply;
    do {
      reply = await alice.page.goto(`${late.url}/login/acme`);
    } while (reply.status() !== 200 && Date.now() < deadline);
    assert.equal((await alice.landing(alice.page, () => alice.proveAs("alice"))).status, 200);
  } finally {
    await late.stop();
    await idp.stop();
  }
});

await scene("without --dev the home page is where a person lands, on a small phone too", async (open) => {
  const idp = await startProvider();
  const plain = await serverFor(idp, []);
  try {
    const alice = await open(plain.url);
    await alice.page.setViewportSize({ width: 360, height: 740 });
    const tooWide = () => alice.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
    await alice.page.goto(`${plain.url}/login`);
    assert.equal(await tooWide(), 0);
    await alice.page.goto(plain.url);
    await alice.page.getByTestId("provider-acme").click();
    assert.equal((await alice.landing(alice.page, () => alice.proveAs("alice"))).status, 200);
    assert.equal(await alice.who(), "alice@example.com");
    assert.equal(await alice.press("me"), 200);
    assert.equal(await tooWide(), 0);
    await alice.logOut();
    assert.equal(await alice.page.getByTestId("provider-acme").count(), 1);
  } finally {
    await plain.stop();
    await idp.stop();
  }
});
