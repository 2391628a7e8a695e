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
use http::Uri;
use rescind::log::Text;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::error::Failure;
use super::openapi::{self, answers};
use crate::app::App;

/// Who acted, as the log says it: the admin token is one, and does not tell people apart.
const ACTOR: &str = "admin-api";
/// A reason has to be given to the log; this one stands for none.
const NO_REASON: &str = "unspecified";

/// The admin listener's routes.
pub(crate) fn router(app: App) -> Router {
    let v1 = OpenApiRouter::new()
        .routes(routes!(sessions::open, sessions::list))
        .routes(routes!(sessions::show))
        .routes(routes!(revocations::revoke, revocations::list))
        .routes(routes!(revocations::lift))
        .routes(routes!(users::list, users::add))
        .routes(routes!(users::change))
        .routes(routes!(keys::list))
        .routes(routes!(keys::rotate))
        .routes(routes!(keys::revoke))
        .routes(routes!(inspect::inspect))
        .merge(about());
    guarded(v1, app)
}

/// The routes of a node that follows another: it changes nothing, and says where that is done.
pub(crate) fn relay(app: App) -> Router {
    guarded(about(), app)
}

fn about() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(nodes::list)).routes(routes!(stats::show))
}

fn guarded(v1: OpenApiRouter<App>, app: App) -> Router {
    let log = OpenApiRouter::new().routes(routes!(feed::read)).routes(routes!(snapshot::read));
    let (log, mut of_log) = OpenApiRouter::new().nest("/admin/v1", log).split_for_parts();
    openapi::asks_for(&mut of_log, &["adminToken", "feedToken"]);
    let log = log
        .method_not_allowed_fallback(super::no_such_method)
        .layer(from_fn_with_state(app.clone(), auth::require_reader));
    let rest = OpenApiRouter::with_openapi(of_log).nest("/admin/v1", v1).routes(routes!(stats::metrics));
    let guard = |document: &mut OpenApi| {
        openapi::asks_for(document, &["adminToken"]);
        openapi::also_answers::<answers::NoAdmin>(document);
    };
    openapi::with_document("Rescind, admin API", rest, guard)
        .fallback(unknown)
        .method_not_allowed_fallback(super::no_such_method)
        .layer(from_fn_with_state(app.clone(), auth::require))
        .merge(log)
        .with_state(app)
}

async fn unknown(State(app): State<App>, uri: Uri) -> Failure {
    let path: String = uri.path().chars().take(128).collect();
    if let Some(upstream) = &app.config.follow {
        return Failure::not_found(format!("this node only follows {upstream} and has no {path}; ask there"));
    }
    Failure::not_found(format!(
        "the admin API has no {path}; its routes are under /admin/v1, and /metrics; /openapi.json describes them"
    ))
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
