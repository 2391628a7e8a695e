//! Bodies of the public listener that are not written from a type of the server's own: what a form takes, and the answers
//! of the library and of `json!`. The documents alone use them; tests compare them with what is really answered.
#![expect(dead_code, reason = "shapes are described and never made")]

use std::collections::HashMap;

use serde::Deserialize;
use utoipa::ToSchema;

/// A pair of tokens (RFC 6749 §5.1).
#[derive(ToSchema)]
pub(crate) struct TokenPairJson {
    access_token: String,
    token_type: TokenType,
    /// **Units:** seconds.
    expires_in: u64,
    refresh_token: String,
    /// **Units:** seconds.
    refresh_expires_in: u64,
    session_id: String,
    #[schema(required = false, nullable = false)]
    scope: Option<String>,
}

/// How the token is presented.
#[derive(ToSchema)]
pub(crate) enum TokenType {
    Bearer,
}

/// A pair of tokens; without the two where they are in the browser's cookies.
#[derive(ToSchema)]
pub(crate) struct RefreshedJson {
    #[schema(required = false, nullable = false)]
    access_token: Option<String>,
    token_type: TokenType,
    /// **Units:** seconds.
    expires_in: u64,
    #[schema(required = false, nullable = false)]
    refresh_token: Option<String>,
    /// **Units:** seconds.
    refresh_expires_in: u64,
    session_id: String,
    #[schema(required = false, nullable = false)]
    scope: Option<String>,
}

/// A sign-in by form, which is answered with cookies.
#[derive(ToSchema)]
pub(crate) struct SignInForm {
    #[schema(min_length = 1)]
    username: String,
    #[schema(min_length = 1)]
    password: String,
}

/// The one grant that there is.
#[derive(ToSchema)]
pub(crate) enum GrantType {
    #[schema(rename = "refresh_token")]
    RefreshToken,
}

/// RFC 6749 §6. The refresh token may be in the browser's cookie instead.
#[derive(ToSchema)]
pub(crate) struct GrantForm {
    grant_type: GrantType,
    #[schema(required = false, nullable = false)]
    refresh_token: Option<String>,
    #[schema(required = false, nullable = false)]
    client_id: Option<String>,
    #[schema(required = false, nullable = false)]
    client_secret: Option<String>,
    #[schema(required = false, nullable = false)]
    scope: Option<String>,
}

/// RFC 7009 §2.1, RFC 7662 §2.1.
#[derive(ToSchema)]
pub(crate) struct TokenForm {
    #[schema(min_length = 1)]
    token: String,
    /// Not needed: the two kinds look different.
    #[schema(required = false, nullable = false)]
    token_type_hint: Option<String>,
    #[schema(required = false, nullable = false)]
    client_id: Option<String>,
    #[schema(required = false, nullable = false)]
    client_secret: Option<String>,
}

/// OpenID Connect Back-Channel Logout 1.0 §2.5.
#[derive(ToSchema)]
pub(crate) struct LogoutTokenForm {
    #[schema(min_length = 1)]
    logout_token: String,
}

/// RFC 7662 §2.2. Of what is not good `active` alone; an access token has its own claims besides.
#[derive(ToSchema)]
pub(crate) struct IntrospectionJson {
    active: bool,
    #[schema(required = false, nullable = false)]
    token_type: Option<TokenType>,
    #[schema(required = false, nullable = false)]
    iss: Option<String>,
    #[schema(required = false, nullable = false)]
    sub: Option<String>,
    #[schema(required = false, nullable = false)]
    aud: Option<String>,
    #[schema(required = false, nullable = false)]
    client_id: Option<String>,
    #[schema(required = false, nullable = false)]
    iat: Option<u64>,
    #[schema(required = false, nullable = false)]
    exp: Option<u64>,
    #[schema(required = false, nullable = false)]
    jti: Option<String>,
    #[schema(required = false, nullable = false)]
    sid: Option<String>,
    #[schema(required = false, nullable = false)]
    seq: Option<u64>,
    #[schema(required = false, nullable = false)]
    auth_time: Option<u64>,
    #[schema(required = false, nullable = false)]
    nbf: Option<u64>,
    #[schema(required = false, nullable = false)]
    scope: Option<String>,
}

/// The claims of an access token (RFC 9068 §2.2), and the application's own.
#[derive(ToSchema)]
pub(crate) struct ClaimsJson {
    iss: String,
    sub: String,
    aud: String,
    client_id: String,
    iat: u64,
    exp: u64,
    jti: String,
    sid: String,
    /// How many entries the log had.
    seq: u64,
    auth_time: u64,
    #[schema(required = false, nullable = false)]
    nbf: Option<u64>,
    #[schema(required = false, nullable = false)]
    scope: Option<String>,
}

/// Which of the user's sessions end.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum LogoutScope {
    Session,
    Others,
    All,
}

/// May be left out whole.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogoutRequest {
    /// `session` where nothing is said.
    scope: Option<LogoutScope>,
    /// Where no token comes in the header or a cookie.
    refresh_token: Option<String>,
}

/// The same as a form.
#[derive(ToSchema)]
pub(crate) struct LogoutForm {
    /// RFC 6749 §3.1: an empty one counts as left out.
    #[schema(required = false, nullable = false, pattern = "^(session|others|all)?$")]
    scope: Option<String>,
    #[schema(required = false, nullable = false)]
    refresh_token: Option<String>,
}

/// What a log-out did.
#[derive(ToSchema)]
pub(crate) struct LoggedOutJson {
    /// How many sessions it ended.
    ended: u64,
    scope: LogoutScope,
    /// The newest position that it wrote; null where there was nothing to end.
    #[schema(required = true)]
    seq: Option<u64>,
}

/// One of the caller's sessions. **Units:** seconds since the epoch.
#[derive(ToSchema)]
pub(crate) struct OwnSessionJson {
    session_id: String,
    client_id: String,
    #[schema(required = true)]
    device: Option<String>,
    opened_at: u64,
    last_used_at: u64,
    expires_at: u64,
    /// Whether it is the one that asks.
    current: bool,
}

/// The caller's live sessions, newest first.
#[derive(ToSchema)]
pub(crate) struct OwnSessionsJson {
    sessions: Vec<OwnSessionJson>,
}

/// The end of one session.
#[derive(ToSchema)]
pub(crate) struct EndedJson {
    /// 0 where it was over already.
    ended: u64,
    #[schema(required = true)]
    seq: Option<u64>,
    session_id: String,
}

/// RFC 7517 §5.
#[derive(ToSchema)]
pub(crate) struct JwkSetJson {
    keys: Vec<JwkJson>,
}

/// A public key: `crv` and `x` of OKP, these and `y` of EC, `n` and `e` of RSA.
#[derive(ToSchema)]
pub(crate) struct JwkJson {
    kid: String,
    kty: String,
    alg: String,
    r#use: KeyUse,
    #[schema(required = false, nullable = false)]
    crv: Option<String>,
    #[schema(required = false, nullable = false)]
    x: Option<String>,
    #[schema(required = false, nullable = false)]
    y: Option<String>,
    #[schema(required = false, nullable = false)]
    n: Option<String>,
    #[schema(required = false, nullable = false)]
    e: Option<String>,
}

/// What the key is for.
#[derive(ToSchema)]
pub(crate) enum KeyUse {
    #[schema(rename = "sig")]
    Sig,
}

/// RFC 8414 §2.
#[derive(ToSchema)]
pub(crate) struct MetadataJson {
    issuer: String,
    token_endpoint: String,
    token_endpoint_auth_methods_supported: Vec<String>,
    revocation_endpoint: String,
    revocation_endpoint_auth_methods_supported: Vec<String>,
    introspection_endpoint: String,
    introspection_endpoint_auth_methods_supported: Vec<String>,
    jwks_uri: String,
    grant_types_supported: Vec<GrantType>,
}

/// The process runs.
#[derive(ToSchema)]
pub(crate) struct LiveJson {
    live: bool,
}

/// One part of what makes it ready.
#[derive(ToSchema)]
pub(crate) struct PartJson {
    ok: bool,
    text: String,
}

/// Whether requests can be served whole.
#[derive(ToSchema)]
pub(crate) struct ReadyJson {
    ready: bool,
    /// Where `verbose` was asked for.
    #[schema(required = false, nullable = false)]
    parts: Option<HashMap<String, PartJson>>,
}
