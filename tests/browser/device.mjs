// One browser context with the demo page in it: a device of the user. Presses the page's buttons and reads what the
// page shows; knows the page's test ids, and no route of the server.

import assert from "node:assert/strict";

const ANSWER_LIMIT_MS = 10_000;

export class Device {
  /** What the browser complained about, apart from refused requests, which the tests provoke. */
  complaints = [];

  static async open(browser, url, options = {}) {
    const device = new Device();
    device.context = await browser.newContext(options);
    device.page = await device.context.newPage();
    device.page.setDefaultTimeout(ANSWER_LIMIT_MS);
    device.page.on("pageerror", (error) => device.complaints.push(`page error: ${error.message}`));
    device.page.on("console", (message) => {
      const expected = /^Failed to load resource: .* status of 40[01]/.test(message.text());
      if (["error", "warning"].includes(message.type()) && !expected) device.complaints.push(`console: ${message.text()}`);
    });
    await device.page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => console.error(`CSP ${event.violatedDirective}: ${event.blockedURI}`));
    });
    const reply = await device.page.goto(url);
    assert.equal(reply.status(), 200);
    device.policy = reply.headers()["content-security-policy"] ?? "";
    return device;
  }

  /** Presses a button and returns the answer that it caused: `{action, status, said, body}`. */
  async press(testId, action = testId) {
    return this.#answerTo(action, () => this.page.getByTestId(testId).click());
  }

  /** The same for a key pressed where the focus is. */
  async byKey(key, action) {
    return this.#answerTo(action, () => this.page.keyboard.press(key));
  }

  async signIn() {
    const answer = await this.press("login");
    assert.equal(answer.status, 200, answer.body);
  }

  async callProtected() {
    return (await this.press("me")).status;
  }

  async refresh() {
    return (await this.press("refresh")).status;
  }

  async logOut(scope) {
    const answer = await this.press(`logout-${scope}`, "logout");
    assert.ok(answer.status >= 200 && answer.status < 300, answer.body);
  }

  /** Sends the spent refresh token of this generation again. */
  async respend(generation) {
    const label = await this.page.locator("#spent option", { hasText: `generation ${generation},` }).getAttribute("value");
    await this.page.getByTestId("spent").selectOption(label);
    return this.press("respend", "refresh");
  }

  async sessionId() {
    return this.page.evaluate(() => document.querySelector("#access-claims").textContent.match(/[0-9a-f-]{36}(?=the session)/)[0]);
  }

  text(testId) {
    return this.page.getByTestId(testId).innerText();
  }

  close() {
    return this.context.close();
  }

  #asked() {
    return this.page.evaluate(() => Math.max(0, ...Array.from(document.querySelectorAll("[data-testid=entry]"), (entry) => Number(entry.dataset.n))));
  }

  async #answerTo(action, ask) {
    const asked = await this.#asked();
    await ask();
    const entry = this.page.locator(`[data-testid=entry][data-n="${asked + 1}"]`);
    await entry.waitFor({ state: "attached" });
    assert.equal(await entry.getAttribute("data-action"), action);
    return {
      action,
      status: Number(await entry.getAttribute("data-status")),
      said: await entry.locator(".said").textContent(),
      body: await entry.locator("pre").textContent(),
    };
  }
}
