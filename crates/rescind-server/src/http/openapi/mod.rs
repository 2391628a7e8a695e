//! `GET /openapi.json`: each listener's routes as a document of `OpenAPI` 3.1. A route is mounted together with its
//! description, so neither is without the other; what a layer answers is said where the layer is put on. Owns what all
//! routes have in common; knows none of them.

pub(crate) mod admin_shapes;
pub(crate) mod answers;
pub(crate) mod shapes;

use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use axum::routing::Router;
use bytes::Bytes;
use http::header::{CACHE_CONTROL, CONTENT_TYPE};
use serde_json::{Map, Value, json};
use tracing::error;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{Components, InfoBuilder, LicenseBuilder, OpenApi, RefOr};
use utoipa::{IntoResponses, openapi};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;

/// What the description of a header begins with that is not in every such answer. One that begins with a word in
/// backquotes always has this value.
const SOMETIMES: &str = "Where ";

/// A route says in one word how its answer may be kept, and the document in full.
const KEPT: [(&str, &str); 2] =
    [("`no-store`", answers::NO_STORE.1), ("`no-cache`", "`no-cache`: ask again each time.")];

/// A document, as it is given out.
#[derive(Clone)]
struct Written(Bytes);

/// This listener's routes, as this document describes them.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "openapi",
    tag = "description",
    responses((status = 200, description = "The document.", body = Object, content_type = "application/json"))
)]
async fn read(Extension(Written(text)): Extension<Written>) -> Response {
    ([(CONTENT_TYPE, "application/json"), (CACHE_CONTROL, "no-cache")], text).into_response()
}

/// The routes with their document beside them, at `/openapi.json`.
pub(crate) fn with_document(
    title: &str,
    described: OpenApiRouter<App>,
    layers: impl FnOnce(&mut OpenApi),
) -> Router<App> {
    let (router, mut document) = described.split_for_parts();
    says_how_it_is_kept(&mut document);
    let (own, own_document) = OpenApiRouter::<App>::new().routes(routes!(read)).split_for_parts();
    document.merge(own_document);
    document.info = info(title);
    also_answers::<answers::Head>(&mut document);
    layers(&mut document);
    securities(document.components.get_or_insert_default());
    router.merge(own.layer(Extension(Written(written(&document)))))
}

/// Says of every route that it may answer like this, too. What a route says itself stands.
pub(crate) fn also_answers<A: IntoResponses>(document: &mut OpenApi) {
    for operation in operations(document) {
        for (status, answer) in A::responses() {
            operation.responses.responses.entry(status).or_insert(answer);
        }
    }
}

/// Says of every route that says nothing of it itself that one of these proves the caller.
pub(crate) fn asks_for(document: &mut OpenApi, schemes: &[&str]) {
    for operation in operations(document) {
        operation
            .security
            .get_or_insert_with(|| schemes.iter().map(|scheme| SecurityRequirement::new(*scheme, [""; 0])).collect());
    }
}

/// Says of every success with a body that no cache keeps it, where its route does not say otherwise.
fn says_how_it_is_kept(document: &mut OpenApi) {
    let answers = operations(document).flat_map(|operation| &mut operation.responses.responses);
    for (status, answer) in answers {
        let RefOr::T(answer) = answer else { continue };
        if status.starts_with('2') && !answer.content.is_empty() {
            let (name, what) = answers::NO_STORE;
            answer.headers.entry(name.to_owned()).or_insert_with(|| answers::header(what));
        }
        let said = answer.headers.get_mut(CACHE_CONTROL.as_str()).and_then(|header| header.description.as_mut());
        let Some(said) = said else { continue };
        if let Some((_, in_full)) = KEPT.iter().find(|(word, _)| word == said) {
            *said = (*in_full).to_owned();
        }
    }
}

fn operations(document: &mut OpenApi) -> impl Iterator<Item = &mut Operation> {
    document.paths.paths.values_mut().flat_map(|item| {
        [&mut item.get, &mut item.post, &mut item.delete, &mut item.patch].into_iter().filter_map(Option::as_mut)
    })
}

fn info(title: &str) -> openapi::Info {
    InfoBuilder::new()
        .title(title)
        .version(env!("CARGO_PKG_VERSION"))
        .description(Some(
            "Tokens that are issued, checked and taken back. 401 says that a token is bad and nothing else; 503 says \
             nothing about any token, and nothing was done.",
        ))
        .license(Some(LicenseBuilder::new().name(env!("CARGO_PKG_LICENSE")).build()))
        .build()
}

/// How a caller is known, under the names that routes use.
fn securities(components: &mut Components) {
    let bearer = |what: &str| HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(what)).build();
    let basic = HttpBuilder::new().scheme(HttpAuthScheme::Basic);
    let basic = basic.description(Some("A confidential client's id and secret (RFC 6749 §2.3.1).")).build();
    let cookie = ApiKey::Cookie(ApiKeyValue::with_description(
        rescind_axum::cookies::ACCESS,
        "The access token in a browser's cookie; to change something the request must come from this site.",
    ));
    for (name, scheme) in [
        ("accessToken", SecurityScheme::Http(bearer("An access token (RFC 6750 §2.1)."))),
        ("accessCookie", SecurityScheme::ApiKey(cookie)),
        ("client", SecurityScheme::Http(basic)),
        ("adminToken", SecurityScheme::Http(bearer("The admin token, from the data directory."))),
        ("feedToken", SecurityScheme::Http(bearer("The feed token, from the data directory: it reads the log."))),
    ] {
        components.add_security_scheme(name, scheme);
    }
}

/// The document's text. `OpenAPI` 3.1 §4.8.21: whether a header is in every such answer.
fn written(document: &OpenApi) -> Bytes {
    let text = serde_json::to_value(document).map(|mut document| {
        for header in headers(&mut document) {
            let what = header.get("description").and_then(Value::as_str).unwrap_or_default();
            let always = !what.starts_with(SOMETIMES);
            let value = what.strip_prefix('`').and_then(|what| what.split_once('`')).map(|(value, _)| json!(value));
            header.insert("required".to_owned(), Value::Bool(always));
            let schema = header.get_mut("schema").and_then(Value::as_object_mut);
            if let (Some(schema), Some(value)) = (schema, value) {
                schema.insert("const".to_owned(), value);
            }
        }
        document.to_string()
    });
    // Texts under fixed names, so this cannot fail.
    text.inspect_err(|error| error!(%error, "the OpenAPI document cannot be written")).unwrap_or_default().into()
}

/// The descriptions of all headers of answers.
fn headers(document: &mut Value) -> impl Iterator<Item = &mut Map<String, Value>> {
    let methods = members(document.get_mut("paths")).flat_map(|item| members(Some(item)));
    let answers = methods.flat_map(|operation| members(operation.get_mut("responses")));
    answers.flat_map(|answer| members(answer.get_mut("headers"))).filter_map(Value::as_object_mut)
}

fn members(value: Option<&mut Value>) -> impl Iterator<Item = &mut Value> {
    value.and_then(Value::as_object_mut).into_iter().flat_map(Map::values_mut)
}
