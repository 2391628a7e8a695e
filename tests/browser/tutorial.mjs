// Starts, kills and ends the example `tutorial` for the browser tests. It knows its settings and its command line, nothing
// of its routes.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { end } from "./server.mjs";

const START_LIMIT_MS = 30_000;
/** What the example reads: an operator's must not reach it. */
const SETTINGS = /^(RESCIND_|GOOGLE_CLIENT_|OIDC_ISSUER$|FRONTEND_URL$|TUTORIAL_USERS$)/;

/** @returns {Promise<Tutorial>} `$RESCIND_TUTORIAL_BIN` on a free loopback port, with a data folder of its own */
export async function startTutorial(provider) {
  const tutorial = new Tutorial(provider, await mkdtemp(join(tmpdir(), "rescind-tutorial-")));
  try {
    await tutorial.start("127.0.0.1:0");
    return tutorial;
  } catch (error) {
    await tutorial.stop();
    throw error;
  }
}

class Tutorial {
  #provider;
  #scratch;
  #child;
  #log = "";

  constructor(provider, scratch) {
    this.#provider = provider;
    this.#scratch = scratch;
  }

  /** Resolves when it listens. */
  async start(address) {
    const binary = process.env.RESCIND_TUTORIAL_BIN;
    if (!binary) throw new Error("RESCIND_TUTORIAL_BIN is not set: give it the path of the built example `tutorial`");
    const inherited = Object.entries(process.env).filter(([name]) => !SETTINGS.test(name));
    const { issuer, clientId, clientSecret } = this.#provider;
    const env = { ...Object.fromEntries(inherited), OIDC_ISSUER: issuer, GOOGLE_CLIENT_ID: clientId, GOOGLE_CLIENT_SECRET: clientSecret };
    const args = ["--listen", address, "--data", join(this.#scratch, "data")];
    const child = spawn(resolve(binary), args, { cwd: this.#scratch, env, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stderr.on("data", (bytes) => { this.#log += bytes; });
    this.url = await new Promise((done, failed) => {
      const late = setTimeout(() => failed(new Error(`the example did not listen within ${START_LIMIT_MS} ms:\n${this.#log}`)), START_LIMIT_MS);
      child.once("error", failed);
      child.once("exit", (code) => failed(new Error(`the example ended with ${code} before it listened:\n${this.#log}`)));
      createInterface(child.stdout).on("line", (line) => {
        const url = /^listening on (http:\/\/\S+)$/.exec(line)?.[1];
        if (url) done(url);
      });
      child.once("close", () => clearTimeout(late));
    });
  }

  /** Ends it as a power cut does, and starts it again on the same folder and the same port: one origin to a browser. */
  async crash() {
    const gone = new Promise((done) => this.#child.once("exit", done));
    this.#child.kill("SIGKILL");
    await gone;
    await this.start(new URL(this.url).host);
  }

  log() {
    return this.#log;
  }

  async stop() {
    if (this.#child) await end(this.#child);
    await rm(this.#scratch, { recursive: true, force: true });
  }
}
