// The demo page in a real browser against the real server: what a reader of the page would do, and that the tokens
// of exactly the right devices are dead afterwards.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, logSkip, missingBrowser } from "./browser.mjs";
import { Device } from "./device.mjs";
import { startServer } from "./server.mjs";

const missing = await missingBrowser();
const skip = missing && !process.env.CI ? missing : false;
let server;
let browser;

before(async () => {
  if (skip) return;
  if (missing) throw new Error(missing);
  server = await startServer();
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A test that gets a function to open devices; they are closed, and asked for complaints, at the end. */
async function scene(name, play) {
  if (skip) await logSkip(name, skip);
  test(name, { skip, timeout: 60_000 }, async () => {
    const devices = [];
    const open = async (options) => {
      devices.push(await Device.open(browser, server.url, options));
      return devices.at(-1);
    };
    try {
      await play(open);
      assert.deepEqual(devices.flatMap((device) => device.complaints), [], "the browser complained");
    } finally {
      await Promise.all(devices.map((device) => device.close()));
    }
  });
}

await scene("the whole round on the page: logout here kills both tokens", async (open) => {
  const device = await open();
  await device.signIn();
  assert.match(await device.text("who"), /Signed in as demo/);
  assert.equal(await device.callProtected(), 200);
  assert.equal(await device.refresh(), 200);
  assert.equal(await device.callProtected(), 200);
  await device.logOut("session");
  assert.match(await device.text("who"), /Signed out/);
  await device.page.getByTestId("swap").click();
  const refused = await device.press("me");
  assert.equal(refused.status, 401);
  assert.match(refused.said, /its session was logged out/);
  assert.equal(await device.refresh(), 400);
  assert.match(await device.text("answer"), /^Refused/);
});

await scene("logging out everywhere in one browser kills the other's tokens", async (open) => {
  const [here, there] = [await open(), await open()];
  await here.signIn();
  await there.signIn();
  assert.equal(await there.callProtected(), 200);
  await here.logOut("all");
  assert.equal(await there.callProtected(), 401);
  assert.equal(await there.refresh(), 400);
  await here.signIn();
  assert.equal(await here.callProtected(), 200, "a sign-in right after must live");
});

await scene("logging out the others leaves this device signed in", async (open) => {
  const [here, there] = [await open(), await open()];
  await here.signIn();
  await there.signIn();
  await here.logOut("others");
  assert.equal(await there.callProtected(), 401);
  assert.equal(await there.refresh(), 400);
  assert.equal(await here.callProtected(), 200);
  assert.equal(await here.refresh(), 200);
});

await scene("one device can be ended from the list, and only that one dies", async (open) => {
  const [here, there] = [await open(), await open()];
  await here.signIn();
  await there.signIn();
  const target = await there.sessionId();
  assert.equal((await here.press("list")).status, 200);
  const row = here.page.locator(`[data-testid=device][data-sid="${target}"]`);
  assert.equal(await row.count(), 1);
  assert.equal(await here.page.locator("[data-testid=device][data-current=true]").count(), 1);
  await row.getByTestId("end-device").click();
  const live = row.getByTestId("end-device");
  await live.waitFor({ state: "detached" });
  assert.equal(await there.callProtected(), 401);
  assert.equal(await there.refresh(), 400);
  assert.equal(await here.callProtected(), 200);
});

await scene("a spent refresh token is a retry at first and ends the session later", async (open) => {
  const [device, bystander] = [await open(), await open()];
  await bystander.signIn();
  await device.signIn();
  const first = Number(/\d+/.exec(await device.text("generation")));
  assert.equal(await device.refresh(), 200);
  const successor = await device.text("refresh-text");
  assert.equal((await device.respend(first)).status, 200);
  assert.equal(await device.text("refresh-text"), successor, "a retry must return the identical token");
  assert.equal(await device.refresh(), 200);
  assert.equal((await device.respend(first)).status, 400);
  assert.equal(await device.callProtected(), 401);
  assert.equal(await bystander.callProtected(), 200);
});

await scene("a wrong password is told, and signs nobody in", async (open) => {
  const device = await open();
  await device.page.getByTestId("password").fill("not the password");
  const answer = await device.press("login");
  assert.ok([400, 401].includes(answer.status), answer.body);
  assert.match(await device.text("who"), /Signed out/);
  assert.ok(!(await device.page.content()).includes("not the password"), "the page must not show the password");
});

await scene("both tokens are shown decoded with their time left", async (open) => {
  const device = await open();
  await device.signIn();
  const claims = await device.text("access-claims");
  for (const name of ["iss", "sub", "aud", "client_id", "iat", "exp", "jti", "sid", "seq"]) assert.match(claims, new RegExp(`^${name}$`, "m"));
  assert.match(await device.text("access-left"), /min .* left/);
  assert.match(await device.text("refresh-left"), /left/);
  assert.match(await device.text("refresh-text"), /^rrt_/);
  assert.ok((await device.text("refresh-parts")).includes(await device.sessionId()), "the sid in the bytes is the claim's");
});

await scene("the keyboard alone leads through the round", async (open) => {
  const device = await open();
  const focused = () => device.page.evaluate(() => document.activeElement.dataset.testid);
  await device.page.getByTestId("password").focus();
  await device.byKey("Enter", "login");
  assert.equal(await focused(), "me", "the sign-in button is gone, so the focus goes on");
  assert.equal((await device.byKey("Enter", "me")).status, 200);
  await device.page.getByTestId("logout-session").focus();
  await device.byKey("Enter", "logout");
  assert.equal(await focused(), "swap");
  await device.page.keyboard.press("Enter");
  await device.page.getByTestId("me").focus();
  assert.equal((await device.byKey("Enter", "me")).status, 401);
});

await scene("a phone of 360 pixels needs no sideways scrolling", async (open) => {
  const device = await open({ viewport: { width: 360, height: 740 }, hasTouch: true, isMobile: true });
  const tooWide = () => device.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.equal(await tooWide(), 0);
  await device.signIn();
  await device.press("list");
  for (const summary of await device.page.locator("summary").all()) await summary.click();
  await device.page.getByTestId("access-claims").waitFor();
  await device.press("me");
  assert.equal(await tooWide(), 0);
});

await scene("the page runs under a strict content security policy", async (open) => {
  const device = await open();
  assert.match(device.policy, /default-src 'none'/);
  assert.doesNotMatch(device.policy, /unsafe/);
  await device.signIn();
  await device.press("list");
  await device.logOut("session");
});

await scene("tokens are kept in no storage, and a reload forgets them", async (open) => {
  const device = await open();
  await device.signIn();
  assert.equal(await device.refresh(), 200);
  const stored = await device.page.evaluate(async () => ({
    local: { ...localStorage }, session: { ...sessionStorage }, cookie: document.cookie,
    databases: (await indexedDB.databases()).length, caches: (await caches.keys()).length,
  }));
  assert.deepEqual(stored, { local: {}, session: {}, cookie: "", databases: 0, caches: 0 });
  assert.deepEqual(await device.context.cookies(), []);
  await device.page.reload();
  assert.match(await device.text("who"), /Signed out/);
});
