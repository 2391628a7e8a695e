//! A service on a store of its own: sign-in, refresh, logout and a protected route over `JournalStore`, a file of JSON
//! lines. The store is the one that the documentation of `rescind::store::Store` shows; nothing else here knows of it.
//!
//! ```text
//! cargo run --release -p rescind-axum --example own_store
//! curl -X POST localhost:7010/login -H 'Content-Type: application/json' -d '{"username":"demo","password":"demo"}'
//! curl localhost:7010/me -H "Authorization: Bearer $ACCESS"
//! curl -X POST localhost:7010/logout -H "Authorization: Bearer $ACCESS"
//! tail -n 3 own_store-data/rescind.jsonl   # the session, and the cut-off that ended it
//! ```
//!
//! Before a store of yours holds anybody's sessions, run the conformance suite on it, as
//! `crates/rescind/tests/store_own.rs` does on this one.

#[path = "../common/mod.rs"]
mod common;
#[path = "../../../rescind/examples/own_store/journal.rs"]
#[expect(unreachable_pub, reason = "it is shown as a crate of its own would have it")]
mod journal;

use axum::extract::State;
use axum::routing::{get, post};
use axum::{Json, Router};
use rescind::id::{ClientId, Subject};
use rescind::{OpenSession, Rescind};
use rescind_axum::{Live, Refusal, Tokens};
use serde::Deserialize;
use serde_json::json;

use self::common::Outcome;
use self::journal::JournalStore;

#[tokio::main]
async fn main() -> Outcome {
    // The one line that names the store. `--store` still takes the others.
    let own = async |data: &std::path::Path| Ok(JournalStore::open(data.join("rescind.jsonl"))?);
    let stage = common::stage_on("own_store", 7010, own).await?;
    let rescind = Rescind::builder("http://localhost:7010", "own_store")
        .store(stage.store)
        .root_secret(stage.root)
        .high_water(stage.data.join("high-water"))
        .build()
        .await?;
    let app = Router::new()
        .route("/login", post(login))
        .route("/me", get(async |token: Live| Json(json!({ "subject": token.subject(), "session": token.sid() }))))
        .merge(rescind_axum::routes(&rescind)) // POST /refresh, POST /logout, GET /sessions, DELETE /sessions/{sid}
        .with_state(rescind.clone());
    common::serve(stage.listener, app, rescind).await
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

async fn login(State(rescind): State<Rescind>, Json(who): Json<Credentials>) -> Result<Tokens, Refusal> {
    if (who.username.as_str(), who.password.as_str()) != ("demo", "demo") {
        return Err(Refusal::WrongCredentials);
    }
    let session = OpenSession::new(Subject::new(who.username)?, ClientId::new("web")?);
    Ok(Tokens(rescind.open_session(session).await?))
}
