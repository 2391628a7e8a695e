//! What flask-jwt-extended 4.7.1 says when it refuses a request, said for the refusals of Rescind; where it passes on what
//! PyJWT says, PyJWT's words. Owns no decision: the token is refused already, and only the text is looked for.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::refresh_token::looks_like_refresh_token;
use rescind::rejection::{Claim, Rejection};
use rescind::{Error, Rescind};
use rescind_axum::{Missing, Refusal, Reshape, TokensIn, access_token};
use serde_json::{Value, json};
use tower::{Layer, ServiceExt};

/// What a handler answers.
pub(crate) type Answer = Result<Json<Value>, Fault>;

/// Why a handler did not do what it was asked.
pub(crate) enum Fault {
    /// The token is refused; what is said to that, `as_flask` knows.
    Refused(Refusal),
    /// Anything else, with its text.
    Said(StatusCode, String),
}

impl<R: Into<Refusal>> From<R> for Fault {
    fn from(refusal: R) -> Self {
        Self::Refused(refusal.into())
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        match self {
            Self::Refused(refusal) => refusal.into_response(),
            Self::Said(status, text) => (status, msg(&text)).into_response(),
        }
    }
}

/// The body of every error, and of whatever has nothing else to say.
pub(crate) fn msg(text: &str) -> Json<Value> {
    Json(json!({ "msg": text }))
}

/// The token of a request to a route that takes refresh tokens.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<&str, Fault> {
    let (token, _) = access_token(headers, TokensIn::Header)??;
    Ok(token)
}

/// Stands around all routes: puts the `Authorization` header into one form, and gives refusals its words. These depend on
/// the token, so the layer is made for each request.
pub(crate) async fn as_flask(State(rescind): State<Rescind>, mut request: Request, next: Next) -> Response {
    one_bearer(request.headers_mut());
    let token = bearer(request.headers()).map(str::to_owned).unwrap_or_default();
    let reshape = move |refusal: &Refusal, answer: Response| {
        let (status, text) = words(&rescind, &token, refusal);
        let mut reshaped = (status, msg(&text)).into_response();
        for name in [RETRY_AFTER, WWW_AUTHENTICATE] {
            // A challenge belongs to a 401 alone.
            let fits = name != WWW_AUTHENTICATE || status == StatusCode::UNAUTHORIZED;
            if let Some(value) = answer.headers().get(&name).filter(|_| fits) {
                reshaped.headers_mut().insert(name, value.clone());
            }
        }
        reshaped
    };
    let Ok(mut response) = Reshape::new(reshape).layer(next).oneshot(request).await;
    // RFC 6749 §5.1: no cache keeps a token.
    response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // RFC 9110 §15.5.2: every 401 has a challenge, which the old one's lacks.
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"rescind\"");
        response.headers_mut().entry(WWW_AUTHENTICATE).or_insert(challenge);
    }
    response
}

/// The old one reads a list, with commas around it, and takes the one part that says `Bearer`.
fn one_bearer(headers: &mut HeaderMap) {
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let (Some(Ok(value)), None) = (values.next().map(HeaderValue::to_str), values.next()) else { return };
    let words = |part: &str| part.split_whitespace().collect::<Vec<_>>().join(" ");
    let parts: Vec<_> = value.split(',').map(words).filter(|part| !part.is_empty()).collect();
    let is_bearer = |part: &&String| part.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case("bearer"));
    let bearers: Vec<_> = parts.iter().filter(is_bearer).collect();
    let one = match bearers.as_slice() {
        _ if parts.is_empty() => None,
        [one] => HeaderValue::from_str(one).ok(),
        _ => Some(HeaderValue::from_static("other")),
    };
    match one {
        Some(one) => drop(headers.insert(AUTHORIZATION, one)),
        None => drop(headers.remove(AUTHORIZATION)),
    }
}

fn words(rescind: &Rescind, token: &str, refusal: &Refusal) -> (StatusCode, String) {
    let (status, text) = match refusal {
        Refusal::Missing(Missing::OtherScheme) => (
            StatusCode::UNAUTHORIZED,
            "Missing 'Bearer' type in 'Authorization' header. Expected 'Authorization: Bearer <JWT>'",
        ),
        Refusal::Missing(_) => (StatusCode::UNAUTHORIZED, "Missing Authorization Header"),
        Refusal::Malformed(_) => {
            (StatusCode::UNPROCESSABLE_ENTITY, "Bad Authorization header. Expected 'Authorization: Bearer <JWT>'")
        }
        Refusal::OtherClaims => (StatusCode::BAD_REQUEST, "User claims verification failed"),
        Refusal::Rejected(rejection) => return rejected(rescind, token, *rejection),
        // Two at once un-revoke the same token, or one of them revokes it.
        Refusal::Unavailable { source: Error::Conflict { .. }, .. } => {
            (StatusCode::CONFLICT, "Token was changed meanwhile")
        }
        // The old one has no word for it: its callback fails, with 500, or lets the token pass.
        _ => (StatusCode::SERVICE_UNAVAILABLE, "Not known at the moment, try again; this says nothing about the token"),
    };
    (status, text.to_owned())
}

fn rejected(rescind: &Rescind, token: &str, rejection: Rejection) -> (StatusCode, String) {
    let unauthorized = |text: &str| (StatusCode::UNAUTHORIZED, text.to_owned());
    let unprocessable = |text: &str| (StatusCode::UNPROCESSABLE_ENTITY, text.to_owned());
    match rejection {
        Rejection::Expired | Rejection::SessionIdle | Rejection::SessionExpired => unauthorized("Token has expired"),
        Rejection::Revoked(_) | Rejection::KeyRevoked | Rejection::Reused | Rejection::SessionUnknown => {
            unauthorized("Token has been revoked")
        }
        Rejection::NotFresh => unauthorized("Fresh token required"),
        Rejection::SubjectUnwelcome => unauthorized("Error loading the user"),
        Rejection::AlsoCheck => (StatusCode::BAD_REQUEST, "User claims verification failed".to_owned()),
        // Where a refresh token belongs: an access token, or nothing that is any good.
        Rejection::NotRefreshToken => match rescind.verify(token) {
            Ok(_) => unprocessable("Only refresh tokens are allowed"),
            Err(Rejection::NotAccessToken) if looks_like_refresh_token(token) => unprocessable("Not enough segments"),
            Err(rejection) => rejected(rescind, token, rejection),
        },
        other => unprocessable(&undecodable(token, other)),
    }
}

/// What PyJWT says to a token that it cannot decode.
fn undecodable(token: &str, rejection: Rejection) -> String {
    match rejection {
        Rejection::NotAccessToken if looks_like_refresh_token(token) => {
            "Only non-refresh tokens are allowed".to_owned()
        }
        Rejection::WrongPartCount if token.split('.').count() < 3 => "Not enough segments".to_owned(),
        // More dots are a part of the payload to it.
        Rejection::WrongPartCount => "Invalid payload padding".to_owned(),
        Rejection::BadEncoding => bad_encoding(token),
        Rejection::BadJson | Rejection::DuplicateMember => "Invalid header string: must be a json object".to_owned(),
        Rejection::MissingClaim(Claim::Sub) => "Missing claim: sub".to_owned(),
        Rejection::MissingClaim(claim) => format!("Token is missing the \"{}\" claim", claim.name()),
        Rejection::BadClaim(Claim::Sub) => "Subject must be a string".to_owned(),
        Rejection::BadClaim(claim) => format!("Invalid claim: {}", claim.name()),
        Rejection::WrongAudience => "Audience doesn't match".to_owned(),
        Rejection::WrongIssuer => "Invalid issuer".to_owned(),
        Rejection::NotYetValid => "The token is not yet valid (nbf)".to_owned(),
        Rejection::IssuedInFuture => "The token is not yet valid (iat)".to_owned(),
        Rejection::TooLong | Rejection::LifetimeTooLong => format!("Token is refused: {rejection}"),
        Rejection::WrongAlgorithm | Rejection::NotAccessToken | Rejection::UnknownKey if !says_hs256(token) => {
            "The specified alg value is not allowed".to_owned()
        }
        _ => "Signature verification failed".to_owned(),
    }
}

/// The first part that is no base64url.
fn bad_encoding(token: &str) -> String {
    let mut parts = ["header", "payload", "crypto"].into_iter().zip(token.split('.'));
    let bad = parts.find(|(_, part)| URL_SAFE_NO_PAD.decode(part).is_err());
    format!("Invalid {} padding", bad.map_or("crypto", |(name, _)| name))
}

/// The algorithm that the token claims, which nothing but the text depends on.
fn says_hs256(token: &str) -> bool {
    let header = token.split('.').next().and_then(|part| URL_SAFE_NO_PAD.decode(part).ok());
    let header: Option<Value> = header.and_then(|json| serde_json::from_slice(&json).ok());
    header.is_some_and(|header| header.get("alg").is_some_and(|alg| alg == "HS256"))
}
