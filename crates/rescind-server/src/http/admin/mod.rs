//! The admin listener: what an operator, a trusted backend and a follower may do. Owns which routes there are, and that
//! none of them, not even an unknown one, says anything without a token: the admin token, or for the log the feed token. Each file owns its own routes.

mod auth;
mod feed;
mod inspect;
mod keys;
mod nodes;
mod query;
mod revocations;
mod sessions;
mod snapshot;
mod stats;
mod tail;
mod users;

pub(crate) use self::feed::Feed;

use axum::Router;
use axum::extract::State;
use axum::middleware::from_fn_with_state;
use axum::routing::{delete, get, patch, post};
use http::Uri;
use rescind::log::Text;

use super::error::Failure;
use crate::app::App;

/// Who acted, as the log says it: the admin token is one, and does not tell people apart.
const ACTOR: &str = "admin-api";
/// A reason has to be given to the log; this one stands for none.
const NO_REASON: &str = "unspecified";

/// The admin listener's routes.
pub(crate) fn router(app: App) -> Router {
    let v1 = Router::new()
        .route("/sessions", post(sessions::open).get(sessions::list))
        .route("/sessions/{sid}", get(sessions::show))
        .route("/revocations", post(revocations::revoke).get(revocations::list))
        .route("/revocations/{seq}", delete(revocations::lift))
        .route("/users", get(users::list).post(users::add))
        .route("/users/{sub}", patch(users::change))
        .route("/keys", get(keys::list))
        .route("/keys/rotate", post(keys::rotate))
        .route("/keys/{kid}", delete(keys::revoke))
        .route("/nodes", get(nodes::list))
        .route("/stats", get(stats::show))
        .route("/inspect", post(inspect::inspect));
    guarded(v1, app)
}

/// The routes of a node that follows another: it changes nothing, and says where that is done.
pub(crate) fn relay(app: App) -> Router {
    let v1 = Router::new().route("/nodes", get(nodes::list)).route("/stats", get(stats::show));
    guarded(v1, app)
}

fn guarded(v1: Router<App>, app: App) -> Router {
    let log = Router::new()
        .route("/feed", get(feed::read))
        .route("/snapshot", get(snapshot::read))
        .method_not_allowed_fallback(super::no_such_method)
        .layer(from_fn_with_state(app.clone(), auth::require_reader));
    Router::new()
        .nest("/admin/v1", v1)
        .route("/metrics", get(stats::metrics))
        .fallback(unknown)
        .method_not_allowed_fallback(super::no_such_method)
        .layer(from_fn_with_state(app.clone(), auth::require))
        .merge(Router::new().nest("/admin/v1", log))
        .with_state(app)
}

async fn unknown(State(app): State<App>, uri: Uri) -> Failure {
    let path: String = uri.path().chars().take(128).collect();
    if let Some(upstream) = &app.config.follow {
        return Failure::not_found(format!("this node only follows {upstream} and has no {path}; ask there"));
    }
    Failure::not_found(format!("the admin API has no {path}; its routes are under /admin/v1, and /metrics"))
}

/// Who acted.
fn actor() -> Result<Text, Failure> {
    text("actor", ACTOR)
}

/// A reason as the log takes it.
fn reason(given: Option<&str>) -> Result<Text, Failure> {
    text("reason", given.unwrap_or(NO_REASON))
}

fn text(name: &str, given: &str) -> Result<Text, Failure> {
    Text::new(given).map_err(|error| Failure::invalid_request(format!("{name} {error}")))
}
