// One browser of a person who signs in at a provider: a context with its own cookies, at the provider and at the server.
// Presses what stands on the pages of both and reads what they show; knows their test ids, and no token.

const ANSWER_LIMIT_MS = 10_000;

export class Visitor {
  /** What the browser complained about, apart from refused requests, which the tests provoke. */
  complaints = [];

  static async open(browser, url, options = {}) {
    const visitor = new this();
    visitor.url = url;
    visitor.context = await browser.newContext(options);
    visitor.page = await visitor.newTab();
    return visitor;
  }

  async newTab() {
    const page = await this.context.newPage();
    page.setDefaultTimeout(ANSWER_LIMIT_MS);
    page.on("pageerror", (error) => this.complaints.push(`page error: ${error.message}`));
    page.on("console", (message) => {
      const expected = /^Failed to load resource: /.test(message.text());
      if (["error", "warning"].includes(message.type()) && !expected) this.complaints.push(`console: ${message.text()}`);
    });
    return page;
  }

  /** From the server's sign-in page to the provider's pages. */
  async goToProvider(page = this.page) {
    await page.goto(`${this.url}/login`);
    await page.getByTestId("provider-acme").click();
  }

  /** Says at the provider who one is, and that the server may know it. */
  async proveAs(account, page = this.page) {
    await this.typeAccount(account, page);
    await page.getByTestId("allow").click();
  }

  /** The same where the browser's session at the provider has said already that the server may know it. */
  async typeAccount(account, page = this.page) {
    await page.getByTestId("account").fill(account);
    await page.getByTestId("sign-in").click();
  }

  /** The whole way, until the server's own page is there again: its status, and what it says. */
  async signInAs(account, page = this.page) {
    await this.goToProvider(page);
    return this.landing(page, () => this.proveAs(account, page));
  }

  /** What the callback answered, when `act` leads to it. */
  async landing(page, act) {
    const called = page.waitForResponse((reply) => new URL(reply.url()).pathname === "/login/acme/callback");
    const [reply] = await Promise.all([called, act()]);
    if (reply.status() === 200) await page.getByTestId("session").waitFor();
    return { status: reply.status(), url: reply.url(), said: reply.status() === 200 ? "" : await page.getByTestId("message").innerText() };
  }

  who(page = this.page) {
    return page.getByTestId("session-who").innerText();
  }

  /** The server's answer to a button of the session's card: its status. */
  async press(button, page = this.page) {
    const said = page.getByTestId("session-said");
    await said.evaluate((line) => { delete line.dataset.status; });
    await page.getByTestId(`session-${button}`).click();
    await page.locator("[data-testid=session-said][data-status]").waitFor();
    return Number(await said.getAttribute("data-status"));
  }

  async logOut() {
    await this.page.getByTestId("session-logout").click();
    await this.page.getByTestId("session").waitFor({ state: "detached" });
  }

  async logOutAtProvider(issuer) {
    const page = await this.newTab();
    await page.goto(`${issuer}/session/end`);
    await page.getByTestId("provider-logout").click();
    await page.getByTestId("provider-signed-out").waitFor();
    await page.close();
  }

  /** The cookies of a session here, to be put back by hand later. */
  async cookies() {
    return (await this.context.cookies(this.url)).filter(({ name }) => /^__Host-rescind_(access|refresh)$/.test(name));
  }

  async putBack(cookies) {
    await this.context.addCookies(cookies);
    await this.page.goto(this.url);
  }

  close() {
    return this.context.close();
  }
}
