// What the card of a session in cookies does: it asks the server's public routes, as any page of this site could, and
// says what the answer means. It never sees a token. Logging out is a plain form, and needs no script.

const $ = (id) => document.getElementById(id);

async function ask(method, path, form) {
  try {
    const reply = await fetch(path, { method, body: form, headers: { Accept: "application/json" }, cache: "no-store" });
    return { status: reply.status, body: await reply.json() };
  } catch {
    return { status: 0, body: {} };
  }
}

function say({ status }, good, over) {
  const said = $("session-said");
  said.hidden = false;
  said.dataset.status = status;
  said.className = `message ${status === 200 ? "good" : status === 0 || status >= 429 ? "warn" : "bad"}`;
  said.textContent = status === 200 ? good : status === 0 || status >= 429 ? "The server cannot be sure at the moment; try again. That says nothing about the session." : over;
}

$("session-me").addEventListener("click", async () => {
  const answer = await ask("GET", "/me");
  const until = new Date((answer.body.exp ?? 0) * 1000).toLocaleTimeString();
  say(answer, `Accepted: this is ${answer.body.sub}, in session ${answer.body.sid}. The access token is good until ${until}.`, "Refused: the access token is over, or its session was ended. Refresh, or sign in again.");
});

$("session-refresh").addEventListener("click", async () => {
  const answer = await ask("POST", "/oauth/token", new URLSearchParams({ grant_type: "refresh_token" }));
  say(answer, "Rotated: the browser has a new pair of tokens.", "Refused: the session is over. Sign in again.");
});
