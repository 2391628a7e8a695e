//! Why a sign-in did not come about, and what is answered. Owns status and text of each; a provider's own words are
//! never among them.

use std::fmt;
use std::time::Duration;

use axum_core::body::Body;
use axum_core::response::Response;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, SET_COOKIE};
use http::{HeaderMap, HeaderValue, StatusCode};
use rescind::provider_token::Refused;
use rescind::{BoxError, Error, Invalid};

use super::fault::ProviderFault;
use super::remembered::COOL_DOWN;

/// What is wrong with a sign-in.
#[derive(Debug)]
#[non_exhaustive]
pub enum SignInFault {
    /// No provider has this name.
    UnknownProvider,
    /// The place to return to is no path on this origin.
    BadReturnTo,
    /// The user did not ask for it: another site's link did, or a picture, a frame or a script.
    NotByNavigation,
    /// The callback has no single state, or neither a code nor an error, or both.
    BadCallback,
    /// This browser began no such sign-in: the state is another browser's, tampered with, or its cookie is gone.
    ForeignState,
    /// The sign-in was begun too long ago.
    Expired,
    /// The callback was used before, here or on another node.
    Replayed,
    /// The callback is another provider's than the one that the sign-in began at.
    WrongProvider,
    /// The response names another issuer than the one that the sign-in began at (RFC 9207 §2.4).
    WrongResponseIssuer,
    /// The response names no issuer, and the provider promises to name it.
    MissingResponseIssuer,
    /// The user, or the provider for them, declined.
    Denied,
    /// The provider reports a failure of its own.
    ProviderFailed,
    /// The provider refuses the request: the registration there does not fit.
    ProviderRefused,
    /// The provider does not take the code.
    CodeRefused,
    /// The ID token is refused.
    IdToken(Refused),
    /// The userinfo endpoint speaks of somebody else.
    WrongUserinfo,
    /// The provider does not answer, or not as it must.
    Provider(ProviderFault),
    /// Whoever it is may not come in.
    NotAdmitted,
    /// Whether they may come in could not be found out.
    Admission(BoxError),
    /// The provider ended the session there while the sign-in was under way.
    EndedByProvider,
    /// Rescind's own answer.
    Rescind(Error),
}

impl SignInFault {
    /// A stable word for logs, metrics and tests.
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::UnknownProvider => "unknown_provider",
            Self::BadReturnTo => "bad_return_to",
            Self::NotByNavigation => "not_by_navigation",
            Self::BadCallback => "bad_callback",
            Self::ForeignState => "foreign_state",
            Self::Expired => "sign_in_expired",
            Self::Replayed => "replayed",
            Self::WrongProvider => "wrong_provider",
            Self::WrongResponseIssuer => "wrong_response_issuer",
            Self::MissingResponseIssuer => "missing_response_issuer",
            Self::Denied => "denied",
            Self::ProviderFailed => "provider_failed",
            Self::ProviderRefused => "provider_refused",
            Self::CodeRefused => "code_refused",
            Self::IdToken(_) => "id_token",
            Self::WrongUserinfo => "wrong_userinfo",
            Self::Provider(fault) => fault.reason(),
            Self::NotAdmitted => "not_admitted",
            Self::Admission(_) => "admission_failed",
            Self::EndedByProvider => "ended_by_provider",
            Self::Rescind(Error::Invalid(Invalid::Unwelcome)) => "unwelcome",
            Self::Rescind(Error::Invalid(_)) => "bad_session",
            Self::Rescind(Error::Internal(_)) => "internal",
            Self::Rescind(_) => "store_failed",
        }
    }

    /// Whether the same request may succeed later.
    pub(super) fn status_is_unavailable(&self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    const fn status(&self) -> StatusCode {
        match self {
            Self::UnknownProvider => StatusCode::NOT_FOUND,
            Self::Denied | Self::NotAdmitted | Self::Rescind(Error::Invalid(Invalid::Unwelcome)) => {
                StatusCode::FORBIDDEN
            }
            Self::ProviderRefused => StatusCode::BAD_GATEWAY,
            Self::Provider(fault) => fault.status(),
            Self::Rescind(Error::Internal(_) | Error::Invalid(_)) => StatusCode::INTERNAL_SERVER_ERROR,
            Self::ProviderFailed | Self::Admission(_) | Self::Rescind(_) => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::BAD_REQUEST,
        }
    }

    /// The error code on the wire and the text for whoever reads it.
    const fn public(&self) -> (&'static str, &'static str) {
        match self {
            Self::UnknownProvider => ("not_found", "there is no sign-in with a provider of this name"),
            Self::BadReturnTo => ("invalid_request", "the place to return to must be a path on this site"),
            Self::NotByNavigation => ("invalid_request", "a sign-in begins on a page of this site"),
            Self::Denied => ("access_denied", "the sign-in was cancelled at the provider"),
            Self::NotAdmitted | Self::Rescind(Error::Invalid(Invalid::Unwelcome)) => {
                ("access_denied", "this account may not sign in here")
            }
            Self::ProviderRefused => ("server_error", "the provider does not accept this service; tell its operator"),
            Self::Provider(fault) => match fault.status() {
                StatusCode::BAD_GATEWAY => {
                    ("server_error", "the provider does not answer as it must; tell the operator")
                }
                _ => ("temporarily_unavailable", "the provider does not answer; try again in a moment"),
            },
            Self::ProviderFailed => ("temporarily_unavailable", "the provider has a problem; try again in a moment"),
            Self::Rescind(Error::Internal(_) | Error::Invalid(_)) => ("server_error", "the sign-in failed here"),
            Self::Admission(_) | Self::Rescind(_) => {
                ("temporarily_unavailable", "the sign-in cannot be completed at the moment; try again")
            }
            _ => ("invalid_request", "this sign-in cannot be completed; begin it again"),
        }
    }
}

impl fmt::Display for SignInFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IdToken(refused) => write!(f, "{} {refused}", self.reason()),
            Self::Provider(fault) => fault.fmt(f),
            Self::Admission(error) => write!(f, "{}: {error}", self.reason()),
            Self::Rescind(error) => write!(f, "{}: {error}", self.reason()),
            _ => f.write_str(self.reason()),
        }
    }
}

/// A sign-in that did not come about. No session was opened.
#[derive(Debug)]
pub struct SignInError {
    fault: SignInFault,
    clear_cookie: Option<HeaderValue>,
}

impl SignInError {
    pub(super) fn clearing(self, clear_cookie: Option<HeaderValue>) -> Self {
        Self { clear_cookie, ..self }
    }

    /// What is wrong.
    pub const fn fault(&self) -> &SignInFault {
        &self.fault
    }

    /// A stable word for logs, metrics and tests.
    pub const fn reason(&self) -> &'static str {
        self.fault.reason()
    }

    /// The status of the answer.
    pub const fn status(&self) -> StatusCode {
        self.fault.status()
    }

    /// What whoever signs in may learn.
    pub const fn public(&self) -> &'static str {
        self.fault.public().1
    }

    /// When to try again, where that may help without anything being changed.
    pub fn retry_after(&self) -> Option<Duration> {
        (self.status() == StatusCode::SERVICE_UNAVAILABLE).then_some(match self.fault {
            SignInFault::Provider(_) => COOL_DOWN,
            _ => Duration::from_secs(1),
        })
    }

    /// The cookie that takes a spent sign-in away; [`respond`](Self::respond) sets it.
    pub const fn clear_cookie(&self) -> Option<&HeaderValue> {
        self.clear_cookie.as_ref()
    }

    /// The answer: a page for who asks for one, JSON for everybody else.
    pub fn respond(&self, asked: &HeaderMap) -> Response {
        let (code, text) = self.fault.public();
        let accept = asked.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
        // The texts are ours: nothing in them needs to be escaped, in HTML or in JSON.
        let (media_type, body) = if accept.contains("text/html") {
            let page = format!(
                "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Sign-in</title>\n\
                 <main><h1>The sign-in did not succeed</h1><p>{text}.</p><p><small>{}</small></p></main></html>\n",
                self.reason()
            );
            ("text/html; charset=utf-8", page)
        } else {
            ("application/json", format!("{{\"error\":\"{code}\",\"error_description\":\"{text}\"}}"))
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(after) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
        }
        if let Some(cookie) = &self.clear_cookie {
            headers.append(SET_COOKIE, cookie.clone());
        }
        response
    }
}

impl From<SignInFault> for SignInError {
    fn from(fault: SignInFault) -> Self {
        Self { fault, clear_cookie: None }
    }
}

impl From<ProviderFault> for SignInFault {
    fn from(fault: ProviderFault) -> Self {
        Self::Provider(fault)
    }
}

impl From<Error> for SignInFault {
    fn from(error: Error) -> Self {
        Self::Rescind(error)
    }
}

impl From<rescind::store::StoreError> for SignInFault {
    fn from(error: rescind::store::StoreError) -> Self {
        Self::Rescind(error.into())
    }
}

impl From<rescind::random::RandomFailed> for SignInFault {
    fn from(error: rescind::random::RandomFailed) -> Self {
        Self::Rescind(error.into())
    }
}

impl From<rescind::keys::KeyError> for SignInFault {
    fn from(error: rescind::keys::KeyError) -> Self {
        Self::Rescind(Error::Internal(error.into()))
    }
}

impl fmt::Display for SignInError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the sign-in did not come about: {}", self.fault)
    }
}

impl std::error::Error for SignInError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match &self.fault {
            SignInFault::IdToken(refused) => Some(refused),
            SignInFault::Provider(fault) => Some(fault),
            SignInFault::Admission(error) => Some(&**error),
            SignInFault::Rescind(error) => Some(error),
            _ => None,
        }
    }
}
