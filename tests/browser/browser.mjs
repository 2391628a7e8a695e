// Headless Chromium for the tests, and the one place that decides what a missing browser means:
// a failure in CI, elsewhere a skip that is named.

import { access, appendFile, constants } from "node:fs/promises";

const CHROMIUM = "/usr/bin/chromium";
const ARGS = [
  "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** @returns {Promise<string | null>} why there can be no browser here, or null */
export async function missingBrowser() {
  try {
    await import("playwright-core");
  } catch {
    return "playwright-core is not installed; run `npm ci` in tests/browser";
  }
  try {
    await access(CHROMIUM, constants.X_OK);
  } catch {
    return `${CHROMIUM} is not there; install Debian's package chromium`;
  }
  return null;
}

/** Each launch has a new user-data directory, made and removed by playwright. */
export async function launchBrowser() {
  const { chromium } = await import("playwright-core");
  return chromium.launch({ executablePath: CHROMIUM, args: ARGS, headless: true });
}

/** Tells the summary of `./test` about a skip, where it asked for that. */
export async function logSkip(name, reason) {
  if (process.env.RESCIND_SKIP_LOG) await appendFile(process.env.RESCIND_SKIP_LOG, `SKIPPED ${name}: ${reason}\n`);
}
