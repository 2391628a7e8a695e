//! The whole of a service: sign in, refresh, log out here and everywhere, and a protected route. The program that
//! `rescind_axum` shows first, with a command line in place of its fixed names; a test holds the two together.
//!
//! ```sh
//! cargo run --release -p rescind-axum --example minimal
//! curl --json '{"username":"demo","password":"demo"}' http://127.0.0.1:8080/login
//! curl -H "authorization: Bearer $ACCESS" http://127.0.0.1:8080/protected
//! curl --json "{\"refresh_token\":\"$REFRESH\"}" http://127.0.0.1:8080/refresh
//! curl -H "authorization: Bearer $ACCESS" --json '{"scope":"all"}' http://127.0.0.1:8080/logout
//! ```

#[path = "../common/mod.rs"]
mod common;

use axum::{Json, Router, extract::State, routing::get, routing::post};
use rescind::{OpenSession, Rescind, id::ClientId, id::Subject};
use rescind_axum::{Live, Refusal, Tokens};

#[tokio::main]
async fn main() -> common::Outcome {
    let common::Stage { listener, store, root, .. } = common::stage("minimal", 8080).await?;
    let builder = Rescind::builder("https://id.example", "https://api.example").store(store);
    let rescind = builder.root_secret(root).build().await?;
    let app = Router::new().route("/login", post(login)).route("/protected", get(protected));
    let app = app.merge(rescind_axum::routes(&rescind)).with_state(rescind.clone());
    common::serve(listener, app, rescind).await
}

async fn login(State(rescind): State<Rescind>, Json(user): Json<serde_json::Value>) -> Result<Tokens, Refusal> {
    let known = user == serde_json::json!({ "username": "demo", "password": "demo" }); // your own check of who it is
    let subject = Subject::new(known.then_some("demo").ok_or(Refusal::WrongCredentials)?)?;
    Ok(Tokens(rescind.open_session(OpenSession::new(subject, ClientId::new("web")?)).await?))
}

async fn protected(token: Live) -> String {
    format!("hello {}", token.subject())
}
