// The demo page's only script. It signs in, keeps the tokens in memory, asks the server's public routes and says
// in plain words what each answer means. It must not know more than any outside client could know, writes to no
// storage of the browser, and shows server text through textContent only.

const LOG_LENGTH = 60;

/** The tokens in use, and the pair that was in use before. Both are gone with the page. */
let pair = null;
let other = null;
let clockAhead = 0; // server's clock minus ours, in ms
let asked = 0; // answers so far
let queue = Promise.resolve();

const $ = (id) => document.getElementById(id);
const serverNow = () => Date.now() + clockAhead;

function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

// ---- Reading tokens. Reading is not verifying: only the server can say whether a token is good.

function bytesOf(base64url) {
  const text = atob(base64url.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}

function readAccess(token) {
  const [header, claims] = token.split(".").slice(0, 2).map((part) => JSON.parse(new TextDecoder().decode(bytesOf(part))));
  return { header, claims };
}

/** Version (1 byte), key id (4), session (16), generation (8, big endian), MAC (16). */
function readRefresh(token) {
  const hex = Array.from(bytesOf(token.replace(/^rrt_/, "")), (byte) => byte.toString(16).padStart(2, "0")).join("");
  const [, version, key, sid, generation, mac] = /^(..)(.{8})(.{32})(.{16})(.*)$/.exec(hex);
  return { version, key, sid: sid.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-"), generation, mac, count: BigInt(`0x${generation}`) };
}

function pairFrom(body, before) {
  const now = serverNow();
  const made = {
    access: body.access_token, refresh: body.refresh_token, sid: body.session_id, ...readAccess(body.access_token),
    read: readRefresh(body.refresh_token), refreshUntil: now + body.refresh_expires_in * 1000,
    refreshLife: body.refresh_expires_in, spent: before?.spent ?? [], endedBy: null, name: before?.name ?? $("username").value,
  };
  if (before && before.refresh !== made.refresh) made.spent = [{ token: before.refresh, count: before.read.count, at: now }, ...before.spent];
  return made;
}

// ---- Asking the server.

/**
 * Sends one request and writes the answer into the log. `learn` takes the answer in, before it is explained, and
 * returns what the explanation needs; `quiet` leaves the status line to the answer before.
 */
async function ask(action, method, path, { bearer, json, form, shown, learn, quiet = false } = {}) {
  const headers = { Accept: "application/json" };
  if (bearer) headers.Authorization = `Bearer ${bearer}`;
  if (json) headers["Content-Type"] = "application/json";
  const body = json ? JSON.stringify(json) : form;
  let answer = { status: 0, name: "no answer", ok: false, json: null, header: () => null };
  try {
    // The cookies of the sign-in page stay out: this page shows bearer tokens only.
    const reply = await fetch(path, { method, headers, body, cache: "no-store", credentials: "omit" });
    const text = await reply.text();
    const date = Date.parse(reply.headers.get("date") ?? "");
    if (date) clockAhead = date + 500 - Date.now();
    answer = { status: reply.status, name: reply.statusText, ok: reply.ok, text, json: /^[[{]/.test(text) ? JSON.parse(text) : null, header: (name) => reply.headers.get(name) };
  } catch (error) {
    answer.text = String(error);
  }
  answer.said = explain(action, answer, learn(answer));
  const sent = [bearer && `Authorization: Bearer ${shorten(bearer)}`, shown ?? (json && JSON.stringify(json))].filter(Boolean).join("  ·  ");
  writeEntry({ action, method, path, sent, answer });
  if (!quiet) say(answer.said, toneOf(answer));
  render();
  return answer;
}

const shorten = (token) => (token.length > 24 ? `${token.slice(0, 12)}…${token.slice(-6)}` : token);
const toneOf = ({ ok, status }) => (ok ? "good" : status >= 500 || status === 429 || status === 0 ? "warn" : "bad");

// ---- What an answer means, in one or two plain sentences.

function explain(action, answer, context) {
  const wait = answer.header("retry-after");
  if (answer.status === 0) return "No answer. Is the server still running? The tokens are as good or bad as before: keep them.";
  if (answer.status === 429) return `Too many tries: the server wants a pause${wait ? ` of ${wait} s` : ""}. Nothing was changed.`;
  if (answer.status >= 500) return `The server cannot be sure now, so it decides nothing${wait ? `; try again in ${wait} s` : ""}. That says nothing about the token: keep it.`;
  return MEANING[action](answer, context);
}

const DEAD = {
  session: "its session was logged out", others: "its session was logged out from another device",
  all: "its user was logged out everywhere", device: "its session was ended from the list of devices",
  reuse: "a spent refresh token was used again and that ended the session", elsewhere: "its session was ended from another device",
};

const MEANING = {
  login(answer, { made }) {
    if (answer.status === 401) return "Not signed in: the name or the password is wrong. For an unknown name the answer is the same, and takes as long.";
    if (!made) return "Not signed in: the server did not take the request.";
    return `Signed in: a new session, with an access token for ${span(answer.json.expires_in)} and a refresh token to get the next one. The token remembers position ${made.claims.seq ?? "?"} of the revocation log; whatever is revoked later has a higher one.`;
  },
  me(answer, { used }) {
    if (answer.status === 200) return "Accepted: the signature is good, the time is not up, and nothing in the revocation log covers this token. The log is in the server's memory, so no database was asked.";
    const left = used.claims.exp * 1000 - serverNow();
    if (left <= 0) return "Refused: this access token's time is up. Refresh to get a new one.";
    return `Refused: ${DEAD[used.endedBy ?? "elsewhere"]}. The signature is still good and ${span(left / 1000)} were left, so a check without a revocation log would have let it in.`;
  },
  refresh(answer, { used, sent, made }) {
    if (answer.status === 200 && sent === used.refresh) return `Rotated: generation ${used.read.count} is spent, ${made.read.count} takes its place, and there is a new access token. The session and its log position stay the same.`;
    if (answer.status === 200) return "A retry: the spent token came back within its grace, as after a lost reply. The server gave the identical successor again, not a second one, and a new access token.";
    if (used.endedBy && used.endedBy !== "reuse") return `Refused: ${DEAD[used.endedBy]}. That covers the refresh token too, so no new tokens come out of it.`;
    if (sent === used.refresh) return `Refused: ${DEAD[used.endedBy ?? "elsewhere"]}, or it has expired. No refresh brings it back: sign in again.`;
    return `Refused: a spent token came back later than its grace, or after its successor was used. Somebody else may hold a copy, so the server ends this session; other devices go on.`;
  },
  logout(answer, { scope }) {
    if (!answer.ok) return "Not logged out: the server did not take this token as proof of whose session it is.";
    if (scope === "all") return "Logged out everywhere: one entry in the log covers every session of this user, however many. All their tokens are dead from this answer on.";
    if (scope === "others") return "The other devices are logged out: their tokens are dead from this answer on. This device's tokens go on working.";
    return "Logged out here: one entry in the log covers this session, so its access token and its refresh token are dead from this answer on. Put the old tokens back and try them.";
  },
  list(answer, { used }) {
    if (answer.status === 200) return `These are the sessions of this user: ${sessionsIn(answer.json).length}. A session stands here as long as its time is not up and nothing in the log covers it.`;
    return `Refused: ${DEAD[used.endedBy ?? "elsewhere"]}, so these tokens may not see the list.`;
  },
  end(answer, { current }) {
    if (answer.status === 404) return "There is no such session of this user. Somebody else's would get the same answer.";
    if (!answer.ok) return "Not ended: the server did not accept this access token.";
    return current ? "This device's own session is ended, as by a logout here." : "That device is logged out: its access token and its refresh token are dead from this answer on.";
  },
};

function span(seconds) {
  const s = Math.max(0, Math.floor(seconds));
  if (s >= 172800) return `${Math.floor(s / 86400)} days`;
  if (s >= 7200) return `${Math.floor(s / 3600)} h`;
  return s >= 60 ? `${Math.floor(s / 60)} min ${String(s % 60).padStart(2, "0")} s` : `${s} s`;
}

// ---- What the buttons do. One at a time, in the order of the clicks.

function signIn() {
  const [username, password] = [$("username").value, $("password").value];
  const learn = (answer) => {
    if (!answer.ok || !answer.json?.access_token) return {};
    if (pair) other = pair;
    pair = pairFrom(answer.json);
    showDevices(null);
    return { made: pair };
  };
  return ask("login", "POST", "/login", { json: { username, password }, shown: `{"username":"${username}","password":"…"}`, learn });
}

/** A refusal of a token whose time is not up says that somebody ended the session. */
function learnRefusal(used, answer) {
  const before = { ...used };
  if (answer.status === 401 && used.claims.exp * 1000 > serverNow()) used.endedBy ??= "elsewhere";
  return { used: before };
}

function callProtected() {
  const used = pair;
  return ask("me", "GET", "/me", { bearer: used.access, learn: (answer) => learnRefusal(used, answer) });
}

function refreshWith(sent) {
  const used = pair;
  const learn = (answer) => {
    if (answer.ok && answer.json?.access_token) pair = pairFrom(answer.json, used);
    const context = { used: { ...used }, sent, made: pair };
    if (answer.json?.error === "invalid_grant") used.endedBy ??= sent === used.refresh ? "elsewhere" : "reuse";
    return context;
  };
  const form = (token) => new URLSearchParams({ grant_type: "refresh_token", refresh_token: token });
  return ask("refresh", "POST", "/oauth/token", { form: form(sent), shown: decodeURIComponent(form(shorten(sent))), learn });
}

async function logOut(scope) {
  const used = pair;
  const listed = $("devices").childElementCount > 0;
  const learn = (answer) => {
    if (answer.ok && other && scope !== "session") other.endedBy ??= scope;
    if (answer.ok && scope !== "others") endPair(used, scope);
    return { scope };
  };
  const answer = await ask("logout", "POST", "/logout", { bearer: used.access, json: { scope }, learn });
  if (answer.ok && scope === "others" && listed) await listDevices(true);
}

/** An honest app forgets its tokens now. This page puts them aside, as a thief would. */
function endPair(ended, how) {
  ended.endedBy ??= how;
  [pair, other] = [other?.endedBy ? null : other, ended];
  showDevices(null);
}

function swapPairs() {
  [pair, other] = [other, pair];
  showDevices(null);
  say(pair.endedBy ? "The old tokens are back in use. Call the protected route, or refresh, and see what the server says." : "The newer tokens are in use again.", "");
  render();
}

function listDevices(quiet = false) {
  const used = pair;
  const learn = (answer) => {
    if (answer.ok) showDevices(sessionsIn(answer.json));
    return learnRefusal(used, answer);
  };
  return ask("list", "GET", "/sessions", { bearer: used.access, learn, quiet });
}

async function endDevice(sid) {
  const used = pair;
  const current = sid === used.sid;
  const learn = (answer) => {
    if (answer.ok && current) endPair(used, "device");
    if (answer.ok && other?.sid === sid) other.endedBy ??= "device";
    return { current };
  };
  const answer = await ask("end", "DELETE", `/sessions/${encodeURIComponent(sid)}`, { bearer: used.access, learn });
  if (answer.ok && !current) await listDevices(true);
}

const sessionsIn = (body) => (Array.isArray(body) ? body : body?.sessions ?? []);

// ---- Showing it.

function say(text, tone) {
  $("answer").textContent = text;
  $("answer").className = `message ${tone}`;
}

function writeEntry({ action, method, path, sent, answer }) {
  asked += 1;
  const entry = element("li", "entry");
  Object.assign(entry.dataset, { testid: "entry", n: asked, action, status: answer.status });
  const head = element("p", "spread");
  const route = element("span");
  route.append(element("span", `chip ${toneOf(answer)}`, `${answer.status || "–"} ${answer.name}`.trim()), " ", element("span", "route", `${method} ${path}`));
  head.append(route, element("time", "when", new Date().toLocaleTimeString()));
  entry.append(head, element("p", "said", answer.said));
  if (sent) entry.append(wire("sent", sent));
  for (const name of ["WWW-Authenticate", "Retry-After"].filter(answer.header)) entry.append(wire(name, answer.header(name)));
  entry.append(element("pre", "", answer.json ? JSON.stringify(answer.json, brief, 2) : answer.text || "(no body)"));
  $("log").prepend(entry);
  while ($("log").childElementCount > LOG_LENGTH) $("log").lastElementChild.remove();
}

/** Tokens are shown whole under "The tokens"; in the log their two ends are enough to tell them apart. */
const brief = (_, value) => (typeof value === "string" && value.length > 200 ? `${shorten(value)} (${value.length} characters)` : value);

function wire(name, value) {
  const line = element("p", "wire");
  line.append(element("b", "", `${name}: `), value);
  return line;
}

function render() {
  const focused = document.activeElement; // whoever uses the keyboard must not be thrown back to the top
  const ended = Boolean(pair?.endedBy);
  $("who").textContent = pair ? (ended ? `Old tokens of ${pair.name}` : `Signed in as ${pair.name}`) : "Signed out";
  $("who").className = `chip ${pair ? (ended ? "bad" : "good") : ""}`;
  $("login").hidden = Boolean(pair) && !ended;
  $("signin-done").hidden = !$("login").hidden;
  $("signin-done").textContent = pair ? `As ${pair.name}, in session ${pair.sid}` : "";
  $("other-pair").hidden = !other;
  if (other) {
    $("other-text").textContent = other.endedBy ? "An honest app has forgotten the old tokens by now. This page kept a copy, as a thief would. " : "The newer tokens are put aside. ";
    $("swap").textContent = other.endedBy ? "Put the old tokens back" : "Take the newer tokens again";
  }
  for (const group of document.querySelectorAll("[data-needs]")) group.disabled = !pair || (group.dataset.needs === "spent" && !pair.spent.length);
  if (focused?.matches(":disabled, [hidden] *")) (pair ? $("me") : $("swap")).focus({ preventScroll: true });
  renderTokens();
  tick();
}

function renderTokens() {
  $("no-tokens").hidden = Boolean(pair);
  $("tokens").hidden = !pair;
  $("tokens").classList.toggle("ended", Boolean(pair?.endedBy));
  const spent = (pair?.spent ?? []).map((old) => new Option("", old.token));
  $("spent").replaceChildren(...(spent.length ? spent : [new Option("none yet: refresh first", "")]));
  if (!pair) return;
  const parts = pair.access.split(".");
  $("access-text").replaceChildren(...parts.flatMap((part, i) => [...(i ? ["."] : []), element("span", `part-${i}`, part)]));
  facts("access-header", pair.header);
  facts("access-claims", pair.claims);
  $("refresh-text").textContent = pair.refresh;
  $("generation").textContent = `generation ${pair.read.count}`;
  for (const part of ["version", "key", "sid", "generation", "mac"]) $(`bytes-${part}`).textContent = pair.read[part];
}

const ABOUT = {
  alg: "how it is signed", kid: "which key signed it", typ: "an access token, nothing else (RFC 9068)",
  iss: "who issued it", sub: "whose it is: logging out everywhere covers this", aud: "whom it is for", client_id: "the app it was given to",
  iat: "issued", exp: "accepted until", nbf: "accepted from", auth_time: "signed in", jti: "this one token",
  sid: "the session: a logout here covers this", seq: "position in the revocation log: what is revoked later covers it", scope: "what it allows",
};

function facts(id, members) {
  const cells = Object.entries(members).flatMap(([name, value]) => {
    const cell = element("dd");
    const isTime = ["iat", "exp", "nbf", "auth_time"].includes(name) && Number.isFinite(value);
    cell.append(element("code", "", typeof value === "string" ? value : JSON.stringify(value)));
    const meaning = [ABOUT[name], isTime ? new Date(value * 1000).toLocaleString() : ""].filter(Boolean).join(" ");
    if (meaning) cell.append(element("small", "", meaning));
    return [element("dt", "", name), cell];
  });
  $(id).replaceChildren(...cells);
}

/** `null` forgets the list. */
function showDevices(sessions) {
  $("no-devices").hidden = Boolean(sessions?.length);
  $("no-devices").textContent = sessions ? "No session is left." : "Not asked yet.";
  $("devices").replaceChildren(...(sessions ?? []).map(deviceRow));
}

function deviceRow(session) {
  const row = element("li", "device");
  Object.assign(row.dataset, { testid: "device", sid: session.session_id, current: session.current ?? session.session_id === pair?.sid });
  const current = row.dataset.current === "true";
  const about = element("div");
  const name = Object.assign(element("p", "name", deviceName(session.device)), { title: session.device ?? "" });
  if (current) name.append(" ", element("span", "chip good", "this device"));
  if (session.state && session.state !== "live") name.append(" ", element("span", "chip bad", session.state));
  const used = moment(session.last_used_at ?? session.rotated_at);
  about.append(name, element("p", "about", [`signed in ${moment(session.opened_at)}`, used && `refreshed ${used}`, session.client_id].filter(Boolean).join(" · ")));
  about.append(element("p", "about", session.session_id));
  row.append(about);
  if (!session.state || session.state === "live") {
    const end = Object.assign(element("button", "small danger", current ? "Log out" : "End it"), { type: "button" });
    end.dataset.testid = "end-device";
    end.setAttribute("aria-label", `End the session ${session.session_id}`);
    end.addEventListener("click", () => enqueue(() => endDevice(session.session_id)));
    row.append(end);
  }
  return row;
}

/** A browser's long name for itself, in two words; any other name as it is. */
function deviceName(device) {
  const browser = /(Edg|Firefox|Chrome|Safari)\//.exec(device)?.[1];
  const system = /Android|iPhone|iPad|Windows|Mac OS|Linux/.exec(device)?.[0];
  return browser && system ? `${browser} on ${system}` : device || "Unnamed device";
}

/** A time as text or as a number of seconds or milliseconds, told in local time. */
function moment(value) {
  if (value == null) return "";
  const at = new Date(typeof value === "number" ? (value < 1e11 ? value * 1000 : value) : value);
  return Number.isNaN(at.getTime()) ? String(value) : at.toLocaleString();
}

function tick() {
  if (!pair) return;
  const { iat, exp } = pair.claims;
  left("access", exp * 1000, (exp - iat) * 1000);
  left("refresh", pair.refreshUntil, pair.refreshLife * 1000);
  pair.spent.forEach((old, i) => { $("spent").options[i].textContent = `generation ${old.count}, spent ${span((serverNow() - old.at) / 1000)} ago`; });
}

function left(which, until, life) {
  const ms = Math.max(0, until - serverNow());
  const time = ms ? `${span(ms / 1000)} left` : "time is up";
  $(`${which}-left`).textContent = pair.endedBy ? `revoked, ${time}` : time;
  Object.assign($(`${which}-bar`), { max: life, value: ms });
}

// ---- Wiring.

function enqueue(action) {
  queue = queue.then(action).catch((error) => say(`The page itself failed: ${error}`, "warn"));
}

/** A click that comes when the click before has taken the tokens away does nothing. */
const on = (id, action) => $(id).addEventListener("click", () => enqueue(() => (pair || id === "swap") && action()));

$("login").addEventListener("submit", (event) => {
  event.preventDefault();
  enqueue(signIn);
});
on("me", callProtected);
on("refresh", () => refreshWith(pair.refresh));
on("respend", () => refreshWith($("spent").value));
for (const scope of ["session", "others", "all"]) on(`logout-${scope}`, () => logOut(scope));
on("swap", swapPairs);
on("list", () => listDevices());
on("access-copy", () => navigator.clipboard.writeText(pair.access).then(() => say("The access token is copied.", "")));
on("refresh-copy", () => navigator.clipboard.writeText(pair.refresh).then(() => say("The refresh token is copied.", "")));
for (const details of document.querySelectorAll("details[data-wide]")) details.open = matchMedia("(min-width: 60rem)").matches;
setInterval(tick, 1000);
render();
