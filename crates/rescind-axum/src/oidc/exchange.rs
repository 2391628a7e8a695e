//! The code for tokens (RFC 6749 §4.1.3, RFC 7636 §4.5), and the claims that an ID token leaves to the userinfo endpoint
//! (OpenID Connect Core §5.3). Owns both requests and what their answers must have; verifies no ID token.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::{HeaderValue, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use url::{Url, form_urlencoded};
use zeroize::Zeroizing;

use super::error::SignInFault;
use super::fault::ProviderFault;
use super::fetch::Answer;
use super::metadata::{ClientProof, Metadata};
use super::provider::Provider;
use super::providers::Known;
use super::transaction::Transaction;

/// What a code was exchanged for, as far as it is used.
#[derive(Deserialize)]
pub(super) struct Tokens {
    pub(super) id_token: Zeroizing<String>,
    pub(super) access_token: Zeroizing<String>,
    token_type: String,
}

#[derive(Deserialize)]
struct TokenError {
    error: String,
}

/// Exchanges a code, at the endpoint of the provider that the sign-in began at.
pub(super) async fn exchange(
    known: &Known,
    metadata: &Metadata,
    transaction: &Transaction,
    code: &str,
) -> Result<Tokens, SignInFault> {
    let (form, authorization) = request(&known.provider, metadata.proof, transaction, code)?;
    let Answer { status, body } = known.fetcher.post(&metadata.token, form, authorization).await?;
    let body = Zeroizing::new(body);
    if status != StatusCode::OK {
        return Err(refusal(status, &body));
    }
    let tokens: Tokens = serde_json::from_slice(&body).map_err(|_| ProviderFault::BadTokenAnswer)?;
    // RFC 6749 §7.1, OpenID Connect Core §3.1.3.3.
    if tokens.token_type.eq_ignore_ascii_case("bearer") {
        Ok(tokens)
    } else {
        Err(ProviderFault::BadTokenAnswer.into())
    }
}

/// The form, and the header where the client proves itself there.
fn request(
    provider: &Provider,
    proof: ClientProof,
    transaction: &Transaction,
    code: &str,
) -> Result<(String, Option<HeaderValue>), SignInFault> {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "authorization_code")
        .append_pair("code", code)
        .append_pair("redirect_uri", &transaction.redirect_uri)
        .append_pair("code_verifier", &transaction.verifier);
    let authorization = match (&provider.secret, proof) {
        (Some(_), ClientProof::Basic) => Some(basic(provider)?),
        (Some(secret), ClientProof::Post) => {
            form.append_pair("client_id", &provider.client_id).append_pair("client_secret", secret.reveal());
            None
        }
        (None, _) => {
            form.append_pair("client_id", &provider.client_id);
            None
        }
    };
    Ok((form.finish(), authorization))
}

/// RFC 6749 §5.2.
fn refusal(status: StatusCode, body: &[u8]) -> SignInFault {
    let error = serde_json::from_slice(body).map_or_else(|_| String::new(), |TokenError { error }| error);
    match error.as_str() {
        "invalid_grant" => SignInFault::CodeRefused,
        "invalid_client" | "unauthorized_client" => ProviderFault::ClientRefused.into(),
        _ => ProviderFault::Status(status.as_u16()).into(),
    }
}

/// RFC 6749 §2.3.1: both are form-encoded before they are joined.
fn basic(provider: &Provider) -> Result<HeaderValue, SignInFault> {
    let encode = |text: &str| Zeroizing::new(form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>());
    let secret = provider.secret.as_ref().map_or_else(Zeroizing::default, |secret| encode(secret.reveal()));
    let pair = Zeroizing::new(format!("{}:{}", *encode(&provider.client_id), *secret));
    header(&format!("Basic {}", STANDARD.encode(pair.as_bytes())))
}

/// Adds the claims of the userinfo endpoint that the ID token lacks, where something that was asked for is not in it.
pub(super) async fn complete_claims(
    known: &Known,
    endpoint: Option<&Url>,
    access_token: &str,
    subject: &str,
    claims: &mut Map<String, Value>,
) -> Result<(), SignInFault> {
    let asked = |scope: &str| known.provider.scopes.split(' ').any(|word| word == scope);
    let lacks = |claim: &str| !claims.contains_key(claim);
    let complete = !(asked("email") && lacks("email") || asked("profile") && lacks("name"));
    let Some(endpoint) = endpoint.filter(|_| !complete) else { return Ok(()) };
    let body = known.fetcher.get(endpoint, Some(header(&format!("Bearer {access_token}"))?)).await?;
    let found: Map<String, Value> = serde_json::from_slice(&body).map_err(|_| ProviderFault::NotJson)?;
    // OpenID Connect Core §5.3.2: "MUST be verified to exactly match", or its claims must not be used.
    if found.get("sub").and_then(Value::as_str) != Some(subject) {
        return Err(SignInFault::WrongUserinfo);
    }
    // An address and whether it is verified belong together: never one of each.
    let signed_email = claims.contains_key("email");
    if !signed_email && found.contains_key("email") {
        claims.remove("email_verified");
    }
    for (name, value) in found {
        if !(signed_email && name == "email_verified") {
            claims.entry(name).or_insert(value);
        }
    }
    Ok(())
}

fn header(text: &str) -> Result<HeaderValue, SignInFault> {
    HeaderValue::try_from(text).map_err(|_| ProviderFault::BadTokenAnswer.into())
}
