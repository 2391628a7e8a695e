//! What other programs must know of this server: its keys (RFC 7517) and its endpoints (RFC 8414).

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Value, json};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::config::Clients;
use crate::http::openapi::shapes;

const WELL_KNOWN: &str = "/.well-known/oauth-authorization-server";

/// The public halves of the keys that are in use. A reader asks again each time: a revoked key leaves at once.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    operation_id = "jwks",
    tag = "description",
    security(()),
    responses(
        (status = 200, description = "The keys that sign, will sign, or signed what is still good.", body = shapes::JwkSetJson, content_type = "application/json", headers(("cache-control" = String, description = "`no-cache`")))
    )
)]
pub(super) async fn jwks(State(app): State<App>) -> Response {
    let keys = app.rescind.jwks();
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], keys.as_bytes().to_vec()).into_response()
}

/// The endpoints.
#[utoipa::path(
    get,
    path = "/.well-known/oauth-authorization-server",
    operation_id = "metadata",
    tag = "description",
    security(()),
    responses(
        (status = 200, description = "The endpoints.", body = shapes::MetadataJson, headers(("cache-control" = String, description = "`no-cache`")))
    )
)]
pub(super) async fn server(State(app): State<App>) -> Response {
    ([(CACHE_CONTROL, "no-cache")], Json(document(app.rescind.issuer(), &app.config.clients))).into_response()
}

/// RFC 8414 §3.1: an issuer with a path has its metadata between host and path, without a closing slash.
pub(super) fn path_of(issuer: &str) -> Option<String> {
    let uri: http::Uri = issuer.parse().ok()?;
    let path = uri.path().trim_end_matches('/');
    let plain = path.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
    (!path.is_empty() && plain).then(|| format!("{WELL_KNOWN}{path}"))
}

/// The endpoints at another path, with the same description.
pub(super) fn at(path: &str) -> OpenApiRouter<App> {
    let (schemas, mut described, handler) = routes!(server);
    described.paths = described
        .paths
        .into_values()
        .map(|mut item| {
            if let Some(operation) = &mut item.get {
                operation.operation_id = Some("metadata_of_issuer_with_path".to_owned());
            }
            (path.to_owned(), item)
        })
        .collect();
    OpenApiRouter::new().routes((schemas, described, handler))
}

/// RFC 8414 §3.2: a claim without elements is left out, so there is no `response_types_supported`.
fn document(issuer: &str, clients: &Clients) -> Value {
    let base = issuer.trim_end_matches('/');
    let proofs = if clients.any_confidential() {
        vec!["none", "client_secret_basic", "client_secret_post"]
    } else {
        vec!["none"]
    };
    // RFC 8414 §2: methods of clients, or types of access tokens; the admin token is a bearer token.
    let callers: Vec<_> = proofs.iter().skip(1).copied().chain(["Bearer"]).collect();
    json!({
        "issuer": issuer,
        "token_endpoint": format!("{base}/oauth/token"),
        "token_endpoint_auth_methods_supported": proofs,
        "revocation_endpoint": format!("{base}/oauth/revoke"),
        "revocation_endpoint_auth_methods_supported": proofs,
        "introspection_endpoint": format!("{base}/oauth/introspect"),
        "introspection_endpoint_auth_methods_supported": callers,
        "jwks_uri": format!("{base}/.well-known/jwks.json"),
        "grant_types_supported": ["refresh_token"],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // holds: 68
    #[test]
    fn metadata_of_an_issuer_with_a_path_stands_between_host_and_path() {
        assert_eq!(path_of("https://id.example"), None);
        assert_eq!(path_of("https://id.example/"), None);
        assert_eq!(path_of("https://id.example/a/"), Some(format!("{WELL_KNOWN}/a")));
        assert_eq!(path_of("https://id.example/{x}"), None);
    }

    // holds: 69
    #[test]
    fn no_claim_of_the_metadata_is_empty() {
        let document = document("https://id.example", &Clients::default());
        for (name, value) in document.as_object().unwrap() {
            assert!(value.as_array().is_none_or(|list| !list.is_empty()), "{name}");
        }
        assert_eq!(document["issuer"], "https://id.example");
    }
}
