// Starts and ends the real server for the browser tests. It knows the command line, the health routes and how
// the admin API is asked; nothing of tokens or pages.

import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;

/**
 * Starts `$RESCIND_BIN serve` on free loopback ports with a data directory of its own.
 * @param {{flags?: string[], settings?: Record<string, string>}} [options] flags, and `RESCIND_…` of its environment
 * @returns {Promise<{url: string, admin: Function, log: () => string, stop: () => Promise<void>}>} when `/readyz` says 200
 */
export async function startServer({ flags = ["--dev"], settings = {} } = {}) {
  const binary = process.env.RESCIND_BIN;
  if (!binary) throw new Error("RESCIND_BIN is not set: give it the path of a built `rescind`");
  const scratch = await mkdtemp(join(tmpdir(), "rescind-browser-"));
  const args = ["serve", ...flags, "--data", join(scratch, "data"), "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
  const child = spawn(resolve(binary), args, { cwd: scratch, env: { ...cleanEnvironment(), ...settings }, stdio: ["ignore", "pipe", "pipe"] });
  const told = { out: "", err: "", failed: null };
  child.on("error", (error) => { told.failed = error; });
  child.stdout.on("data", (bytes) => { told.out += bytes; });
  child.stderr.on("data", (bytes) => { told.err += bytes; });
  const stop = async () => {
    await end(child);
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    const url = await untilReady(child, told);
    const token = (await readFile(join(scratch, "data", "admin-token"), "utf8")).trim();
    const adminUrl = /^admin (http:\S+)$/m.exec(told.out)[1];
    return { url, admin: (method, path, body) => askAdmin(`${adminUrl}/admin/v1${path}`, token, method, body), log: () => told.err, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Asks the admin API, as an operator does; fails where it refuses. */
async function askAdmin(url, token, method, body) {
  const headers = { Authorization: `Bearer ${token}`, "Content-Type": "application/json" };
  const reply = await fetch(url, { method, headers, body: body && JSON.stringify(body) });
  const answer = await reply.json();
  if (!reply.ok) throw new Error(`${method} ${url}: ${reply.status} ${JSON.stringify(answer)}`);
  return answer;
}

/** An operator's settings must not reach the server under test. */
function cleanEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("RESCIND_")));
}

async function untilReady(child, told) {
  const deadline = Date.now() + START_LIMIT_MS;
  let url;
  while (Date.now() < deadline) {
    if (told.failed) throw new Error(`the server could not be started: ${told.failed.message}`);
    if (child.exitCode !== null) throw new Error(`the server ended with ${child.exitCode} before it was ready:\n${told.out}\n${told.err}`);
    url ??= publicUrl(told.out);
    if (url && (await ready(url))) return url;
    await pause(25);
  }
  throw new Error(`the server was not ready within ${START_LIMIT_MS} ms (URL: ${url ?? "not printed"}):\n${told.out}\n${told.err}`);
}

/** The first whole line with a loopback URL that is not the admin listener's. */
function publicUrl(out) {
  const lines = out.split("\n").slice(0, -1).filter((line) => !/admin/i.test(line));
  return lines.map((line) => /http:\/\/127\.0\.0\.1:\d+/.exec(line)?.[0]).find(Boolean);
}

async function ready(url) {
  try {
    const reply = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(2_000) });
    await reply.arrayBuffer();
    return reply.status === 200;
  } catch {
    return false;
  }
}

/** Ends this one process: asked first, then made to. */
export async function end(child) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
  await gone;
  clearTimeout(late);
}
