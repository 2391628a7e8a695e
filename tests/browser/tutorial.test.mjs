// The tutorial's steps in a real browser, with a real provider: what its page does, and what a token that was put back by
// hand is worth.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launchBrowser, logSkip, missingBrowser } from "./browser.mjs";
import { startProvider } from "./provider.mjs";
import { startTutorial } from "./tutorial.mjs";
import { Visitor } from "./visitor.mjs";

const missing = await missingBrowser();
const skip = missing && !process.env.CI ? missing : false;
let provider;
let tutorial;
let browser;

before(async () => {
  if (skip) return;
  if (missing) throw new Error(missing);
  provider = await startProvider();
  tutorial = await startTutorial(provider);
  provider.register({ callback: `${tutorial.url}/token` });
  browser = await launchBrowser();
});

after(async () => {
  await browser?.close();
  await tutorial?.stop();
  await provider?.stop();
});

/** A browser in front of the tutorial's page. */
class Reader extends Visitor {
  async logIn(account) {
    await this.page.goto(tutorial.url);
    await this.page.getByRole("link", { name: "Log In" }).click();
    return this.answer(() => this.proveAs(account));
  }

  /** What the page shows of the next answer that `act` leads to: its status. */
  async answer(act) {
    await act();
    const shown = this.page.locator("#answer[data-status]");
    await shown.waitFor();
    return Number(await shown.getAttribute("data-status"));
  }

  press(name) {
    return this.answer(async () => {
      await this.page.locator("#answer").evaluate((shown) => { delete shown.dataset.status; });
      await this.page.getByRole("button", { name, exact: true }).click();
    });
  }

  /** All that is kept in localStorage. */
  kept() {
    return this.page.evaluate(() => ({ ...localStorage }));
  }

  putBack(tokens) {
    return this.page.evaluate((tokens) => { for (const [name, token] of Object.entries(tokens)) localStorage.setItem(name, token); }, tokens);
  }
}

/** A test that gets a function to open browsers; they are closed, and asked for complaints, at the end. */
async function scene(name, play) {
  if (skip) await logSkip(name, skip);
  test(name, { skip, timeout: 90_000 }, async () => {
    const readers = [];
    const open = async () => {
      readers.push(await Reader.open(browser, tutorial.url));
      return readers.at(-1);
    };
    try {
      await play(open);
      assert.deepEqual(readers.flatMap((reader) => reader.complaints), [], "the browser complained");
    } catch (error) {
      console.error(`--- the example's log ---\n${tutorial.log().slice(-4_000)}\n--- the provider's ---\n${JSON.stringify(provider.events)}`);
      throw error;
    } finally {
      await Promise.all(readers.map((reader) => reader.close()));
    }
  });
}

await scene("after the logout neither token is worth anything, put back by hand or not", async (open) => {
  const alice = await open();
  assert.equal(await alice.logIn("alice"), 200);
  assert.equal(alice.page.url(), `${tutorial.url}/token`, "no code and no state stay in the address");
  assert.equal(await alice.press("Protected"), 200);
  assert.match(await alice.page.locator("#answer").innerText(), /protected api_app endpoint/);
  const first = await alice.kept();
  assert.deepEqual(Object.keys(first).sort(), ["jwt", "refresh"]);
  assert.equal(await alice.press("Refresh"), 200);
  const second = await alice.kept();
  assert.notEqual(second.jwt, first.jwt);
  assert.equal(second.refresh, first.refresh);
  assert.equal(await alice.press("Protected"), 200);
  assert.equal(await alice.press("Logout"), 200);
  assert.deepEqual(await alice.kept(), {}, "both are gone from the page, too");
  assert.equal(await alice.press("Protected"), 401);
  for (const tokens of [first, second]) {
    await alice.putBack(tokens);
    assert.equal(await alice.press("Protected"), 401);
    assert.equal(await alice.press("Refresh"), 401);
  }
});

await scene("a logout outlives a power cut, and so does whoever is signed in", async (open) => {
  const [alice, bob] = [await open(), await open()];
  await alice.logIn("alice");
  await bob.logIn("bob");
  const tokens = await alice.kept();
  assert.equal(await alice.press("Logout"), 200);
  await tutorial.crash();
  await alice.putBack(tokens);
  assert.equal(await alice.press("Protected"), 401);
  assert.equal(await alice.press("Refresh"), 401);
  assert.equal(await bob.press("Protected"), 200);
  assert.equal(await bob.press("Refresh"), 200);
});

await scene("a sign-in that was cancelled at the provider keeps nothing, and can be begun again", async (open) => {
  const alice = await open();
  await alice.page.goto(`${tutorial.url}/auth/login`);
  assert.equal(await alice.answer(() => alice.page.getByTestId("cancel").click()), 401);
  assert.deepEqual(await alice.kept(), {});
  assert.ok(!(await alice.page.content()).includes("the person said no"), "the provider's text is not shown");
  assert.equal(await alice.logIn("alice"), 200);
});

await scene("the address that the provider sent a browser to is good once, and for no other browser", async (open) => {
  const [alice, thief] = [await open(), await open()];
  const called = alice.page.waitForRequest((request) => new URL(request.url()).pathname === "/auth/token");
  assert.equal(await alice.logIn("alice"), 200);
  const page = (await called).url().replace("/auth/token", "/token");
  const tokens = await alice.kept();
  assert.equal(await alice.answer(() => alice.page.goto(page)), 401);
  assert.deepEqual(await alice.kept(), tokens, "what she had is as it was");
  assert.equal(await thief.answer(() => thief.page.goto(page)), 401);
  assert.deepEqual(await thief.kept(), {});
});

await scene("a sign-in that the service could not finish is finished when the page is loaded again", async (open) => {
  const alice = await open();
  await alice.page.route("**/auth/token?*", (route) => route.fulfill({ status: 503, json: { detail: "later" } }), { times: 1 });
  assert.equal(await alice.logIn("alice"), 503);
  assert.deepEqual(await alice.kept(), {});
  assert.equal(await alice.answer(() => alice.page.reload()), 200);
  assert.equal(alice.page.url(), `${tutorial.url}/token`);
  assert.equal(await alice.press("Protected"), 200);
});

await scene("a logout that the service cannot take keeps the tokens for another try", async (open) => {
  const alice = await open();
  await alice.logIn("alice");
  const tokens = await alice.kept();
  await alice.page.route("**/logout", (route) => route.fulfill({ status: 503, json: { detail: "later" } }), { times: 1 });
  assert.equal(await alice.press("Logout"), 503);
  assert.deepEqual(await alice.kept(), tokens);
  assert.equal(await alice.press("Logout"), 200);
  assert.deepEqual(await alice.kept(), {});
});

await scene("the page runs under a policy that lets nothing inline run", async (open) => {
  const alice = await open();
  const reply = await alice.page.goto(`${tutorial.url}/token`);
  const policy = reply.headers()["content-security-policy"];
  assert.match(policy, /default-src 'none'.*script-src 'self'/);
  assert.doesNotMatch(policy, /unsafe/);
  await alice.page.route("**/token", async (route) => {
    const reply = await route.fetch();
    await route.fulfill({ response: reply, body: (await reply.text()).replace("</body>", "<script>window.ran = true</script></body>") });
  });
  await alice.page.goto(`${tutorial.url}/token`);
  assert.equal(await alice.page.evaluate(() => window.ran ?? false), false, "a script that was smuggled in");
  assert.match(alice.complaints.splice(0).join(), /inline script/, "and it is the policy that stopped it");
});
