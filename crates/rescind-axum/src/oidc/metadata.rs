//! A provider's metadata (OpenID Connect Discovery §3, §4): fetched, held against the issuer that was configured, and cut
//! down to what a sign-in needs. Owns which endpoints may be asked; asks none but its own.

use std::sync::Arc;

use async_trait::async_trait;
use rescind::keys::Algorithm;
use serde::Deserialize;
use url::{Host, Url};

use super::address::Reach;
use super::fault::ProviderFault;
use super::fetch::Fetcher;
use super::remembered::Source;

/// What a sign-in needs to know of a provider.
#[derive(Debug, Clone)]
pub(super) struct Metadata {
    pub(super) authorization: Url,
    pub(super) token: Url,
    pub(super) keys: Url,
    pub(super) userinfo: Option<Url>,
    pub(super) algorithms: Vec<Algorithm>,
    pub(super) proof: ClientProof,
    pub(super) response_issuer: ResponseIssuer,
}

/// How a confidential client proves itself at the token endpoint (RFC 6749 §2.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ClientProof {
    Basic,
    Post,
}

/// Whether every response names its issuer (RFC 9207 §3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ResponseIssuer {
    Promised,
    NotPromised,
}

/// The document, as far as it is read.
#[derive(Deserialize)]
struct Document {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    userinfo_endpoint: Option<String>,
    #[serde(default)]
    id_token_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
}

impl Metadata {
    /// Reads a document that was found at `issuer`.
    pub(super) fn read(body: &[u8], issuer: &Issuer) -> Result<Self, ProviderFault> {
        // RFC 8259 §8.1: UTF-8, also in the members that are passed over, into which the reader does not look.
        let text = std::str::from_utf8(body).map_err(|_| ProviderFault::NotJson)?;
        let document: Document = serde_json::from_str(text).map_err(|_| ProviderFault::NotJson)?;
        // OpenID Connect Discovery §4.3: identical, or nothing of it may be used.
        if document.issuer != issuer.text {
            return Err(ProviderFault::OtherIssuer);
        }
        let algorithms = if document.id_token_signing_alg_values_supported.is_empty() {
            vec![Algorithm::Rs256]
        } else {
            let names = document.id_token_signing_alg_values_supported.iter();
            names.filter_map(|name| Algorithm::from_name(name)).filter(|algorithm| !algorithm.is_symmetric()).collect()
        };
        if algorithms.is_empty() {
            return Err(ProviderFault::NoAlgorithm);
        }
        let methods = &document.token_endpoint_auth_methods_supported;
        let offers = |method: &str| methods.iter().any(|offered| offered == method);
        Ok(Self {
            authorization: issuer.endpoint(&document.authorization_endpoint)?,
            token: issuer.endpoint(&document.token_endpoint)?,
            keys: issuer.endpoint(&document.jwks_uri)?,
            userinfo: document.userinfo_endpoint.map(|url| issuer.endpoint(&url)).transpose()?,
            algorithms,
            // The default where it says nothing is Basic.
            proof: if offers("client_secret_post") && !offers("client_secret_basic") {
                ClientProof::Post
            } else {
                ClientProof::Basic
            },
            response_issuer: if document.authorization_response_iss_parameter_supported {
                ResponseIssuer::Promised
            } else {
                ResponseIssuer::NotPromised
            },
        })
    }

    /// Google's, which have not changed for years.
    pub(super) fn of_google() -> Option<Self> {
        Some(Self {
            authorization: Url::parse("https://accounts.google.com/o/oauth2/v2/auth").ok()?,
            token: Url::parse("https://oauth2.googleapis.com/token").ok()?,
            keys: Url::parse("https://www.googleapis.com/oauth2/v3/certs").ok()?,
            userinfo: Url::parse("https://openidconnect.googleapis.com/v1/userinfo").ok(),
            algorithms: vec![Algorithm::Rs256],
            proof: ClientProof::Basic,
            response_issuer: ResponseIssuer::NotPromised,
        })
    }
}

/// An issuer's name that was looked at: a URL that may be asked.
#[derive(Debug, Clone)]
pub(super) struct Issuer {
    pub(super) text: String,
    url: Url,
}

impl Issuer {
    /// OpenID Connect Discovery §3: https, no query, no fragment. `http` is taken on loopback, for development.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let url = Url::parse(text).ok()?;
        let plain = text.len() <= 255
            && text.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'|' | b'"' | b'\\' | b'?' | b'#'));
        let fits = plain && has_no_credentials(&url) && (url.scheme() == "https" || is_plain_loopback(&url));
        fits.then(|| Self { text: text.to_owned(), url })
    }

    /// How far its endpoints may lie where nobody says otherwise: its own URL says whether it lives in the house.
    pub(super) fn reach(&self) -> Reach {
        let in_the_house = match self.url.host() {
            Some(Host::Domain(name)) => is_localhost(name),
            Some(Host::Ipv4(address)) => !Reach::Public.allows(address.into()),
            Some(Host::Ipv6(address)) => !Reach::Public.allows(address.into()),
            None => false,
        };
        if in_the_house { Reach::Private } else { Reach::Public }
    }

    /// Where its metadata are. OpenID Connect Discovery §4: behind the issuer, without a "/" at its end.
    fn discovery(&self) -> Result<Url, ProviderFault> {
        let text = format!("{}/.well-known/openid-configuration", self.text.trim_end_matches('/'));
        Url::parse(&text).map_err(|_| ProviderFault::BadEndpoint)
    }

    /// An endpoint: https, or on loopback as plain as the issuer itself.
    fn endpoint(&self, text: &str) -> Result<Url, ProviderFault> {
        let url = Url::parse(text).map_err(|_| ProviderFault::BadEndpoint)?;
        let as_plain = is_plain_loopback(&self.url) && is_plain_loopback(&url);
        let fits = (url.scheme() == "https" || as_plain) && has_no_credentials(&url) && url.fragment().is_none();
        if fits { Ok(url) } else { Err(ProviderFault::BadEndpoint) }
    }
}

fn has_no_credentials(url: &Url) -> bool {
    url.username().is_empty() && url.password().is_none() && url.has_host()
}

pub(super) fn is_plain_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Domain(name)) => is_localhost(name),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
}

/// RFC 6761 §6.3.
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

/// Fetches the metadata of one provider.
pub(super) struct Discovery {
    pub(super) provider: String,
    pub(super) issuer: Issuer,
    pub(super) fetcher: Arc<Fetcher>,
    pub(super) preset: Option<Metadata>,
}

#[async_trait]
impl Source for Discovery {
    type Document = Metadata;

    async fn fetch(&self) -> Result<Metadata, ProviderFault> {
        let asked = async { Metadata::read(&self.fetcher.get(&self.issuer.discovery()?, None).await?, &self.issuer) };
        let fetched = asked.await;
        if let Err(fault) = &fetched {
            tracing::warn!(provider = self.provider, reason = %fault, "the provider's metadata cannot be had");
        }
        fetched
    }

    fn preset(&self) -> Option<Metadata> {
        self.preset.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(issuer: &str, changed: &[(&str, serde_json::Value)]) -> Result<Metadata, ProviderFault> {
        let mut document = serde_json::json!({
            "issuer": "https://idp.example/a/", "authorization_endpoint": "https://idp.example/auth?tenant=a",
            "token_endpoint": "https://idp.example/token", "jwks_uri": "https://keys.example/jwks",
        });
        for (name, value) in changed {
            document[*name] = value.clone();
        }
        Metadata::read(document.to_string().as_bytes(), &Issuer::parse(issuer).unwrap())
    }

    #[test]
    fn the_issuer_is_compared_as_it_stands() {
        assert!(read("https://idp.example/a/", &[]).is_ok());
        for other in
            ["https://idp.example/a", "https://idp.example/A/", "https://IDP.example/a/", "https://idp.example:443/a/"]
        {
            assert_eq!(read(other, &[]).err(), Some(ProviderFault::OtherIssuer), "{other}");
        }
    }

    #[test]
    fn a_document_that_is_no_utf8_is_no_json_wherever_the_fault_is() {
        let document = r#"{"issuer":"https://idp.example","authorization_endpoint":"https://idp.example/a",
            "token_endpoint":"https://idp.example/t","jwks_uri":"https://idp.example/k","claims_supported":["?"]}"#;
        let issuer = Issuer::parse("https://idp.example").unwrap();
        assert!(Metadata::read(document.as_bytes(), &issuer).is_ok());
        let broken: Vec<u8> = document.bytes().map(|byte| if byte == b'?' { 0xff } else { byte }).collect();
        assert_eq!(Metadata::read(&broken, &issuer).err(), Some(ProviderFault::NotJson));
    }

    #[test]
    fn an_endpoint_is_https_and_carries_nothing() {
        for name in ["authorization_endpoint", "token_endpoint", "jwks_uri", "userinfo_endpoint"] {
            for url in [
                "http://idp.example/x",
                "http://127.0.0.1/x",
                "file:///etc/passwd",
                "https://a:b@idp.example/x",
                "/x",
                "https://idp.example/x#y",
            ] {
                let fault = read("https://idp.example/a/", &[(name, url.into())]).err();
                assert_eq!(fault, Some(ProviderFault::BadEndpoint), "{name} {url}");
            }
        }
    }

    #[test]
    fn symmetric_algorithms_and_none_are_no_algorithms() {
        let names = "id_token_signing_alg_values_supported";
        let found = read("https://idp.example/a/", &[(names, serde_json::json!(["none", "HS256", "ES256", "RS512"]))]);
        assert_eq!(found.unwrap().algorithms, [Algorithm::Es256]);
        let none = read("https://idp.example/a/", &[(names, serde_json::json!(["none", "HS256"]))]);
        assert_eq!(none.err(), Some(ProviderFault::NoAlgorithm));
    }

    #[test]
    fn an_issuer_is_a_url_that_may_be_asked() {
        for good in
            ["https://idp.example", "https://idp.example/realms/a", "http://127.0.0.1:3000", "http://localhost:1/x"]
        {
            assert!(Issuer::parse(good).is_some(), "{good}");
        }
        for bad in [
            "http://idp.example",
            "idp.example",
            "https://idp.example?x",
            "https://idp.example#x",
            "https://u@idp.example",
            "https://idp.example/a|b",
            "ftp://idp.example",
            "",
        ] {
            assert!(Issuer::parse(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn only_a_url_in_the_house_reaches_into_the_house() {
        for private in ["http://localhost:3000", "http://127.0.0.1", "https://10.0.0.1", "https://[fd00::1]"] {
            assert_eq!(Issuer::parse(private).unwrap().reach(), Reach::Private, "{private}");
        }
        for public in ["https://idp.example", "https://8.8.8.8", "https://localhost.example"] {
            assert_eq!(Issuer::parse(public).unwrap().reach(), Reach::Public, "{public}");
        }
    }
}
