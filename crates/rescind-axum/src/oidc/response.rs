//! What a provider's page sends back by way of the browser (RFC 6749 §4.1.2, RFC 9207 §2): read strictly. Owns which
//! errors are whose; the provider's own words are dropped here.

use url::form_urlencoded;

use super::error::SignInFault;

/// Longest query that is read. **Units:** bytes.
const QUERY_MAX: usize = 8192;

/// A response of an authorization endpoint.
pub(super) struct AuthorizationResponse {
    pub(super) state: String,
    pub(super) issuer: Option<String>,
    pub(super) outcome: Result<String, SignInFault>,
}

impl AuthorizationResponse {
    /// Reads a query.
    pub(super) fn read(query: &str) -> Result<Self, SignInFault> {
        if query.len() > QUERY_MAX {
            return Err(SignInFault::BadCallback);
        }
        let [mut code, mut state, mut issuer, mut error] = [const { None }; 4];
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let place = match &*name {
                "code" => &mut code,
                "state" => &mut state,
                "iss" => &mut issuer,
                "error" => &mut error,
                _ => continue,
            };
            // RFC 6749 §3.1: no parameter more than once.
            if place.replace(value.into_owned()).is_some() {
                return Err(SignInFault::BadCallback);
            }
        }
        let state = state.ok_or(SignInFault::BadCallback)?;
        let outcome = match (code, error) {
            (Some(code), None) if !code.is_empty() => Ok(code),
            (None, Some(error)) => Err(meaning(&error)),
            _ => return Err(SignInFault::BadCallback),
        };
        Ok(Self { state, issuer, outcome })
    }
}

/// RFC 6749 §4.1.2.1, OpenID Connect Core §3.1.2.6.
fn meaning(error: &str) -> SignInFault {
    match error {
        "access_denied"
        | "login_required"
        | "consent_required"
        | "interaction_required"
        | "account_selection_required" => SignInFault::Denied,
        "server_error" | "temporarily_unavailable" => SignInFault::ProviderFailed,
        _ => SignInFault::ProviderRefused,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> &'static str {
        match AuthorizationResponse::read(query) {
            Err(fault) => fault.reason(),
            Ok(response) => response.outcome.map_or_else(|fault| fault.reason(), |_| "code"),
        }
    }

    #[test]
    fn a_response_has_a_state_and_either_a_code_or_an_error() {
        for (query, expected) in [
            ("code=a&state=b", "code"),
            ("code=a&state=b&iss=https%3A%2F%2Fidp.example&session_state=x", "code"),
            ("error=access_denied&state=b&error_description=%3Cscript%3E", "denied"),
            ("error=temporarily_unavailable&state=b", "provider_failed"),
            ("error=unauthorized_client&state=b", "provider_refused"),
            ("error=%3Cscript%3E&state=b", "provider_refused"),
            ("code=a", "bad_callback"),
            ("state=b", "bad_callback"),
            ("code=&state=b", "bad_callback"),
            ("code=a&error=x&state=b", "bad_callback"),
            ("code=a&code=a&state=b", "bad_callback"),
            ("code=a&state=b&state=c", "bad_callback"),
            ("code=a&state=b&iss=x&iss=x", "bad_callback"),
            ("", "bad_callback"),
        ] {
            assert_eq!(read(query), expected, "{query}");
        }
        assert_eq!(read(&format!("state=b&code={}", "x".repeat(8192))), "bad_callback");
    }
}
