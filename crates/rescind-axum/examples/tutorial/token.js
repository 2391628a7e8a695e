// The tutorial's page: fetches the two tokens, keeps them in localStorage under `jwt` and `refresh` as the tutorial does,
// and calls the routes with them. Any script on this origin could read them there; Rescind's cookies are out of reach of
// scripts, and the better way for a page of your own.

const byId = (id) => document.getElementById(id);

/** Calls a route and shows what it said; `{}` where nothing came back. */
async function call(method, path, { token, body } = {}) {
  const headers = token === undefined || token === null ? {} : { Authorization: `Bearer ${token}` };
  let status = 0;
  let answer = {};
  try {
    const reply = await fetch(path, { method, headers, body });
    status = reply.status;
    answer = await reply.json();
  } catch (error) {
    answer = { detail: status === 0 ? "the service cannot be reached" : String(error) };
  }
  // Tokens are not shown: a screen is seen by others.
  const shown = Object.entries(answer).filter(([name]) => !name.endsWith("_token"));
  byId("answer").textContent = `${method} ${path.split("?")[0]}: ${status} ${JSON.stringify(Object.fromEntries(shown))}`;
  byId("answer").dataset.status = status;
  return { status, answer };
}

function show() {
  byId("who").textContent = localStorage.getItem("jwt") === null ? "Signed out." : "Signed in.";
}

/** The provider has sent the browser here with a code: it is good for two tokens, once. */
async function fetchTokens() {
  const query = location.search;
  if (query === "") return;
  const { status, answer } = await call("GET", `/auth/token${query}`);
  // The code is spent and need not stay in the address bar and the history; but after a fault the page may be loaded again.
  if (status !== 0 && status !== 503) history.replaceState(null, "", location.pathname);
  if (status === 200 && answer.result === true) {
    localStorage.setItem("jwt", answer.access_token);
    localStorage.setItem("refresh", answer.refresh_token);
  }
  show();
}

byId("protected").addEventListener("click", () => call("GET", "/api/protected", { token: localStorage.getItem("jwt") }));

byId("logout").addEventListener("click", async () => {
  const { status } = await call("POST", "/logout", { token: localStorage.getItem("jwt") });
  // 401: the token was worth nothing already. 503: it may still live, so it is kept for another try.
  if (status === 200 || status === 401) {
    localStorage.removeItem("jwt");
    localStorage.removeItem("refresh");
  }
  show();
});

byId("refresh").addEventListener("click", async () => {
  const body = JSON.stringify({ grant_type: "refresh_token", refresh_token: localStorage.getItem("refresh") });
  const { status, answer } = await call("POST", "/auth/refresh", { token: localStorage.getItem("jwt"), body });
  if (status === 200 && answer.result === true) localStorage.setItem("jwt", answer.access_token);
  show();
});

show();
fetchTokens();
