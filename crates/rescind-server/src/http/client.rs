//! How an application proves itself at the token, revocation and introspection endpoints: HTTP Basic or
//! `client_secret` in the body, never both (RFC 6749 §2.3). A public client only names itself, or not even that.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use http::header::AUTHORIZATION;
use rescind::id::ClientId;
use zeroize::Zeroizing;

use super::body::Form;
use super::error::{Answer, Failure, TriedHeader};
use crate::config::Clients;

/// The application that a request comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Client {
    /// It did not say.
    Unnamed,
    /// It named itself, and has no secret to prove it with.
    Public(ClientId),
    /// It proved itself.
    Proven(ClientId),
}

impl Client {
    /// Finds out.
    ///
    /// # Errors
    /// 400 for two methods or a malformed header, 401 `invalid_client` where the proof is wrong, missing or of a kind that
    /// is not known here.
    pub(crate) fn of(headers: &HeaderMap, form: &Form, clients: &Clients) -> Answer<Self> {
        let named = form.get("client_id");
        let body = form.get("client_secret");
        let (id, secret, tried) = match basic(headers)? {
            Some(_) if body.is_some() => {
                return Err(Failure::invalid_request("the client proved itself in two ways; use one"));
            }
            Some((id, _)) if named.is_some_and(|named| named != id) => {
                return Err(Failure::invalid_request("client_id is not the client of the Authorization header"));
            }
            Some((id, secret)) => (id, Some(secret), TriedHeader::Basic),
            None => match named {
                Some(id) => (id.to_owned(), body.map(|secret| Zeroizing::new(secret.to_owned())), TriedHeader::No),
                None if body.is_some() => return Err(Failure::invalid_request("client_secret came without client_id")),
                None => return Ok(Self::Unnamed),
            },
        };
        let failed = || Failure::invalid_client(tried);
        match (clients.find(&id), secret) {
            (Some(client), Some(secret)) if client.proves(&secret) => Ok(Self::Proven(client.id.clone())),
            (Some(client), None) if !client.confidential() => Ok(Self::Public(client.id.clone())),
            (None, None) => ClientId::new(&id)
                .map(Self::Public)
                .map_err(|error| Failure::invalid_request(format!("client_id {error}"))),
            _ => Err(failed()),
        }
    }

    /// Its name, where it gave one.
    pub(crate) fn id(&self) -> Option<&ClientId> {
        match self {
            Self::Unnamed => None,
            Self::Public(id) | Self::Proven(id) => Some(id),
        }
    }
}

/// RFC 6749 §2.3.1: both halves are form-encoded inside the Basic credentials.
fn basic(headers: &HeaderMap) -> Answer<Option<(String, Zeroizing<String>)>> {
    let malformed = || Failure::invalid_request("the Authorization header is not HTTP Basic with client_id and secret");
    let mut values = headers.get_all(AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(Failure::invalid_request("the Authorization header came twice"));
    }
    let value = value.to_str().map_err(|_| malformed())?;
    let (scheme, credentials) = value.split_once(' ').unwrap_or((value, ""));
    if scheme.eq_ignore_ascii_case("bearer") {
        // A caller's own token, which many clients send with every request, is no proof of a client.
        return Ok(None);
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        // RFC 6749 §5.2: an unsupported method is a failed one. Passed over, the client would count as one without a name.
        return Err(Failure::invalid_client(TriedHeader::Basic));
    }
    let decoded = Zeroizing::new(STANDARD.decode(credentials.trim()).map_err(|_| malformed())?);
    let text = std::str::from_utf8(&decoded).map_err(|_| malformed())?;
    let (id, secret) = text.split_once(':').ok_or_else(malformed)?;
    Ok(Some((form_decoded(id).ok_or_else(malformed)?, Zeroizing::new(form_decoded(secret).ok_or_else(malformed)?))))
}

fn form_decoded(text: &str) -> Option<String> {
    if text.contains(['&', '=']) {
        // Not form-encoded, although it should be: many clients send a secret as it is.
        return Some(text.to_owned());
    }
    let pairs: Vec<(String, String)> = serde_urlencoded::from_str(&format!("v={text}")).ok()?;
    pairs.into_iter().next().map(|(_, value)| value)
}
