// Starts and ends the real server for the browser tests. It knows the command line and the two health routes,
// nothing of tokens or pages.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";

const START_LIMIT_MS = 30_000;
const STOP_LIMIT_MS = 10_000;

/**
 * Starts `$RESCIND_BIN serve --dev` on free loopback ports with a data directory of its own.
 * @returns {Promise<{url: string, stop: () => Promise<void>}>} when `/readyz` says 200
 */
export async function startServer() {
  const binary = process.env.RESCIND_BIN;
  if (!binary) throw new Error("RESCIND_BIN is not set: give it the path of a built `rescind`");
  const scratch = await mkdtemp(join(tmpdir(), "rescind-browser-"));
  const args = ["serve", "--dev", "--data", join(scratch, "data"), "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"];
  const child = spawn(resolve(binary), args, { cwd: scratch, env: cleanEnvironment(), stdio: ["ignore", "pipe", "pipe"] });
  const told = { out: "", err: "", failed: null };
  child.on("error", (error) => { told.failed = error; });
  child.stdout.on("data", (bytes) => { told.out += bytes; });
  child.stderr.on("data", (bytes) => { told.err += bytes; });
  const stop = async () => {
    await end(child);
    await rm(scratch, { recursive: true, force: true });
  };
  try {
    return { url: await untilReady(child, told), stop };
  } catch (error) {
    await stop();
    throw error;
  }
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
async function end(child) {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once("exit", resolve));
  child.kill("SIGTERM");
  const late = setTimeout(() => child.kill("SIGKILL"), STOP_LIMIT_MS);
  await gone;
  clearTimeout(late);
}
