//! Asking a provider over HTTP. Owns the limits: no redirect followed, no cookie, no proxy of the environment, a bound on
//! time, bytes and requests at once, and addresses within reach. Knows nothing of what it fetches.

use std::error::Error as _;
use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, HeaderMap};
use http::{HeaderValue, StatusCode};
use reqwest::{Client, RequestBuilder, Response};
use tokio::sync::Semaphore;
use url::{Host, Url};

use super::address::{ForbiddenAddress, GuardedResolver, Reach};
use super::fault::ProviderFault;

/// Longest answer that is read. Key sets and metadata have some kilobytes.
const BODY_MAX: usize = 1 << 20;
const CONNECT: Duration = Duration::from_secs(3);
/// So many requests to one provider at once: a slow one must not gather what all of them need.
const AT_ONCE: usize = 64;

/// Asks one provider.
#[derive(Debug)]
pub(super) struct Fetcher {
    client: Client,
    reach: Reach,
    timeout: Duration,
    places: Semaphore,
}

/// What a provider answered: JSON, whatever the status.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Vec<u8>,
}

impl Fetcher {
    /// Makes a client whose requests take at most `timeout` each.
    pub(super) fn new(reach: Reach, timeout: Duration) -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .dns_resolver(GuardedResolver(reach))
            .connect_timeout(CONNECT.min(timeout))
            .user_agent(concat!("rescind/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Self { client, reach, timeout, places: Semaphore::new(AT_ONCE) })
    }

    /// Asks for a JSON document; `authorization` where the endpoint wants one.
    pub(super) async fn get(&self, url: &Url, authorization: Option<HeaderValue>) -> Result<Vec<u8>, ProviderFault> {
        let answer = self.send(url, self.client.get(url.clone()), authorization).await?;
        match answer.status {
            StatusCode::OK => Ok(answer.body),
            status => Err(ProviderFault::Status(status.as_u16())),
        }
    }

    /// Posts a form.
    pub(super) async fn post(
        &self,
        url: &Url,
        form: String,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, ProviderFault> {
        let request = self.client.post(url.clone()).body(form);
        let request = request.header(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        self.send(url, request, authorization).await
    }

    async fn send(
        &self,
        url: &Url,
        request: RequestBuilder,
        authorization: Option<HeaderValue>,
    ) -> Result<Answer, ProviderFault> {
        // An address in the URL itself is not resolved, so no resolver sees it.
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => Some(address.into()),
            Some(Host::Ipv6(address)) => Some(address.into()),
            Some(Host::Domain(_)) | None => None,
        };
        if literal.is_some_and(|address| !self.reach.allows(address)) {
            return Err(ProviderFault::ForbiddenAddress);
        }
        let _place = self.places.try_acquire().map_err(|_| ProviderFault::Busy)?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(mut authorization) = authorization {
            authorization.set_sensitive(true);
            headers.insert(http::header::AUTHORIZATION, authorization);
        }
        let asked = async { read(request.headers(headers).send().await.map_err(|error| fault(&error))?).await };
        tokio::time::timeout(self.timeout, asked).await.unwrap_or(Err(ProviderFault::Slow))
    }
}

async fn read(mut response: Response) -> Result<Answer, ProviderFault> {
    let status = response.status();
    if status.is_redirection() {
        return Err(ProviderFault::Redirected);
    }
    if response.content_length().is_some_and(|length| length > BODY_MAX as u64) {
        return Err(ProviderFault::TooLong);
    }
    if !is_json(response.headers()) {
        // A broken gateway speaks HTML, and its status says more than that.
        return Err(if status.is_success() { ProviderFault::NotJson } else { ProviderFault::Status(status.as_u16()) });
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| fault(&error))? {
        if body.len() + chunk.len() > BODY_MAX {
            return Err(ProviderFault::TooLong);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Answer { status, body })
}

/// `application/json`, or `application/` with the suffix `+json` (RFC 6839 §3.1).
fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let media_type = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    media_type.strip_prefix("application/").is_some_and(|subtype| subtype == "json" || subtype.ends_with("+json"))
}

/// What the client's error means. Its text has the URL, which is not for everybody; the word is enough.
fn fault(error: &reqwest::Error) -> ProviderFault {
    if error.is_timeout() {
        return ProviderFault::Slow;
    }
    let mut cause = error.source();
    while let Some(error) = cause {
        if error.is::<ForbiddenAddress>() {
            return ProviderFault::ForbiddenAddress;
        }
        cause = error.source();
    }
    ProviderFault::Unreachable
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// A listener on loopback that counts who comes.
    async fn counting() -> (u16, Arc<AtomicUsize>) {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (port, came) = (listener.local_addr().unwrap().port(), Arc::new(AtomicUsize::new(0)));
        let count = Arc::clone(&came);
        tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        (port, came)
    }

    // holds: 53
    #[tokio::test]
    async fn a_public_provider_never_reaches_loopback_by_address_or_by_name() {
        let (port, came) = counting().await;
        let fetcher = Fetcher::new(Reach::Public, Duration::from_secs(5)).unwrap();
        for host in ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"] {
            let url = Url::parse(&format!("http://{host}:{port}/")).unwrap();
            assert_eq!(fetcher.get(&url, None).await.err(), Some(ProviderFault::ForbiddenAddress), "{host}");
        }
        assert_eq!(came.load(Ordering::SeqCst), 0, "nobody was connected to");
    }

    #[test]
    fn json_is_told_by_its_media_type() {
        let told = |value: &str| is_json(&HeaderMap::from_iter([(CONTENT_TYPE, value.parse().unwrap())]));
        assert!(
            told("application/json") && told("Application/JSON; charset=utf-8") && told("application/jwk-set+json")
        );
        assert!(!told("text/html") && !told("text/json") && !told("application/jsonp") && !told("application/jwt"));
        assert!(!is_json(&HeaderMap::new()));
    }
}
