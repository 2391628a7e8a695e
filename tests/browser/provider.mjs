// A real OpenID provider for the tests: npm `oidc-provider` on a free loopback port, with accounts, tiny pages of its
// own, and what a test does to it: other keys, an outage, a look at its back-channel logouts. It stands under the name
// `localhost`, which to a browser is another site than the server's 127.0.0.1, as a provider's always is.
// It knows nothing of Rescind but the URLs that it is given.

import { generateKeyPairSync, randomBytes } from "node:crypto";
import { createServer } from "node:http";
import { ProviderStorage } from "./provider-storage.mjs";

/** Who has an account: `sub` is the key, as what signs in is typed as `sub`. */
export const ACCOUNTS = {
  alice: { email: "alice@example.com", email_verified: true, name: "Alice" },
  bob: { email: "bob@example.com", email_verified: true, name: "Bob" },
  mallory: { email: "mallory@example.com", email_verified: false, name: "Mallory" },
  eve: { email: "eve@elsewhere.example", email_verified: true, name: "Eve" },
};

/** @returns {Promise<string | null>} why there can be no provider here, or null */
export async function missingProvider() {
  try {
    await import("oidc-provider");
    return null;
  } catch {
    return "oidc-provider is not installed; run `npm ci` in tests/browser";
  }
}

/** @returns {Promise<TestProvider>} when it listens */
export async function startProvider() {
  const { default: Provider } = await import("oidc-provider");
  const provider = new TestProvider(Provider);
  await provider.listen();
  return provider;
}

class TestProvider {
  clientId = "rescind-under-test";
  clientSecret = randomBytes(24).toString("base64url");
  /** What the provider's own log would hold: `{event, error?, sid?}`. */
  events = [];
  #make;
  #storage = new ProviderStorage();
  #cookieKeys = [randomBytes(24).toString("base64url")];
  #http = createServer((request, response) => this.#answer(request, response));
  #oidc;
  #down = false;
  #callback;
  #atCallback;

  constructor(make) {
    this.#make = make;
  }

  async listen() {
    await new Promise((done, failed) => this.#http.once("error", failed).listen(0, "127.0.0.1", done));
    this.issuer = `http://localhost:${this.#http.address().port}`;
    this.rotateKeys();
  }

  /** Registers the one client. May come after the client was started: its port is known only then. */
  register({ callback, logout }) {
    this.#callback = callback;
    this.#storage.setClient(this.clientId, {
      client_id: this.clientId,
      client_secret: this.clientSecret,
      redirect_uris: [callback],
      backchannel_logout_uri: logout,
      backchannel_logout_session_required: true,
    });
  }

  /** New signing keys, and none of the old. Sessions and grants stay. */
  rotateKeys() {
    const key = (use, type, options) => ({ ...generateKeyPairSync(type, options).privateKey.export({ format: "jwk" }), use, kid: randomBytes(8).toString("hex") });
    const jwks = { keys: [key("sig", "rsa", { modulusLength: 2048 })] };
    this.#oidc = new this.#make(this.issuer, this.#configuration(jwks));
    for (const event of ["backchannel.success", "backchannel.error", "server_error", "grant.error", "authorization.error"]) {
      this.#oidc.on(event, (_, ...rest) => {
        const error = rest.find((one) => one instanceof Error);
        this.events.push({ event, error: error && `${error.message} ${error.error_description ?? ""}`, sid: rest.at(-1) });
      });
    }
  }

  /** From now on every request breaks off. */
  goDown() {
    this.#down = true;
  }

  comeBack() {
    this.#down = false;
  }

  /** Goes down as soon as the next browser is on its way back to the client. */
  goDownBehindNextCode() {
    this.#atCallback = () => this.goDown();
  }

  /** Keeps the next browser from going back to the client. @returns {Promise<string>} the address that it would go to */
  holdNextCallback() {
    return new Promise((done) => {
      this.#atCallback = (to, response) => {
        response.setHeader("location", `${this.issuer}/held`);
        done(to);
      };
    });
  }

  async stop() {
    const closed = new Promise((done) => this.#http.close(done));
    this.#http.closeAllConnections();
    await closed;
  }

  async #answer(request, response) {
    if (this.#down) return void request.socket.destroy();
    this.#watch(response);
    const path = new URL(request.url, this.issuer).pathname;
    const page = /^\/interaction\/[^/]+(\/(login|consent|cancel))?$/.exec(path);
    if (!page) return void this.#oidc.callback()(request, response);
    try {
      await this.#interact(page[2] ?? "show", request, response);
    } catch (error) {
      response.writeHead(500, { "content-type": "text/plain" }).end(String(error));
    }
  }

  /** What a test has asked for happens once, when a browser is about to be sent back. */
  #watch(response) {
    const end = response.end.bind(response);
    response.end = (...rest) => {
      const to = response.getHeader("location");
      if (this.#atCallback && to?.startsWith(this.#callback)) {
        const act = this.#atCallback;
        this.#atCallback = undefined;
        act(to, response);
      }
      return end(...rest);
    };
  }

  /** The pages between: who are you, and may the client know it. */
  async #interact(step, request, response) {
    const oidc = this.#oidc;
    const details = await oidc.interactionDetails(request, response);
    if (step === "show") return showInteraction(response, details);
    if (request.method !== "POST") return void response.writeHead(405).end();
    const form = await readForm(request);
    const finish = (result) => oidc.interactionFinished(request, response, result, { mergeWithLastSubmission: step !== "login" });
    if (step === "cancel") return finish({ error: "access_denied", error_description: "<b>the person said no</b>" });
    if (step === "login") {
      const accountId = form.get("login");
      if (!Object.hasOwn(ACCOUNTS, accountId)) return void response.writeHead(400).end("no such account");
      return finish({ login: { accountId } });
    }
    const grant = new oidc.Grant({ accountId: details.session.accountId, clientId: details.params.client_id });
    grant.addOIDCScope(details.params.scope);
    return finish({ consent: { grantId: await grant.save() } });
  }

  #configuration(jwks) {
    return {
      adapter: (name) => this.#storage.adapter(name),
      jwks,
      cookies: { keys: this.#cookieKeys },
      pkce: { required: () => true },
      // Its guard, the dispatcher, sends no logout token to a loopback address, and there is where its client is.
      fetch: (url, { dispatcher: _, ...options }) => fetch(url, options),
      // The e-mail stands at the userinfo endpoint, as the specification has it, and not in the ID token, as with Google.
      conformIdTokenClaims: true,
      claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
      features: {
        devInteractions: { enabled: false },
        backchannelLogout: { enabled: true },
        rpInitiatedLogout: { enabled: true, logoutSource, postLogoutSuccessSource },
      },
      findAccount: (_, sub) => (Object.hasOwn(ACCOUNTS, sub) ? { accountId: sub, claims: () => ({ sub, ...ACCOUNTS[sub] }) } : undefined),
      ttl: { AccessToken: 300, AuthorizationCode: 60, Grant: 3600, IdToken: 300, Interaction: 3600, Session: 3600 },
      renderError: (ctx, out) => { ctx.type = "html"; ctx.body = page("Provider error", `<pre data-testid="provider-error">${escape(JSON.stringify(out))}</pre>`); },
    };
  }
}

// ---- Its pages. Plain forms: what stands on them is of no interest but to the test that presses their buttons.

function showInteraction(response, { uid, prompt, params }) {
  const cancel = `<form method="post" action="/interaction/${uid}/cancel"><button data-testid="cancel">Cancel</button></form>`;
  const step = prompt.name === "login"
    ? `<form method="post" action="/interaction/${uid}/login"><input name="login" data-testid="account" autofocus required><button data-testid="sign-in">Sign in</button></form>`
    : `<form method="post" action="/interaction/${uid}/consent"><button data-testid="allow">Allow</button></form>`;
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(page(`The provider: ${prompt.name}`, `<p>${escape(params.client_id)} asks for ${escape(params.scope)}.</p>${step}${cancel}`));
}

function logoutSource(ctx, form) {
  ctx.body = page("Sign out at the provider?", `${form}<button form="op.logoutForm" name="logout" value="yes" data-testid="provider-logout">Sign out</button>`);
}

function postLogoutSuccessSource(ctx) {
  ctx.body = page("Signed out at the provider", `<p data-testid="provider-signed-out">Signed out.</p>`);
}

const page = (title, body) => `<!doctype html><html lang="en"><meta charset="utf-8"><title>${title}</title><link rel="icon" href="data:,"><h1>${title}</h1>${body}</html>`;

const escape = (text) => String(text).replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);

async function readForm(request) {
  const parts = [];
  for await (const part of request) parts.push(part);
  return new URLSearchParams(Buffer.concat(parts).toString());
}
