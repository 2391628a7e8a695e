//! Whether a request with a cookie comes from this site: `Sec-Fetch-Site` first, else `Origin` against `Host` and the
//! trusted origins. The rules are tower-http's; owns nothing but asking it without a service behind.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::task::{Context, Poll};

use http::HeaderMap;
use http::header::{HOST, ORIGIN, UPGRADE};
use http::{HeaderName, Method, Request, Response, Uri};
use tower_http::csrf::{CsrfLayer, ProtectionError};
use tower_layer::Layer;
use tower_service::Service;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// An origin that no browser would send.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{0}; an origin is scheme, host and port as a browser sends them, such as https://app.example.com")]
pub struct InvalidOrigin(tower_http::csrf::ConfigError);

/// Where a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Site {
    Own,
    Foreign,
}

/// Who is trusted to change something by a cookie.
#[derive(Clone, Debug)]
pub(crate) struct Csrf(CsrfLayer<fn(ProtectionError) -> Response<Site>>);

impl Csrf {
    /// This site alone.
    pub(crate) fn new() -> Self {
        Self(CsrfLayer::new().with_rejection_response(foreign as fn(ProtectionError) -> Response<Site>))
    }

    /// And this origin.
    pub(crate) fn trust(self, origin: &str) -> Result<Self, InvalidOrigin> {
        self.0.add_trusted_origin(origin).map(Self).map_err(InvalidOrigin)
    }

    /// Where the request comes from, as far as it matters for what it does.
    pub(crate) async fn site(&self, method: &Method, uri: &Uri, headers: &HeaderMap) -> Site {
        // RFC 6455 §10.2: a socket is opened by a GET of anybody's page, which can then read and write.
        if matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS) && !headers.contains_key(UPGRADE) {
            return Site::Own;
        }
        let mut probe = Request::new(());
        *probe.method_mut() = Method::POST;
        probe.uri_mut().clone_from(uri);
        for name in [SEC_FETCH_SITE, ORIGIN, HOST] {
            if let Some(value) = headers.get(&name) {
                probe.headers_mut().insert(name, value.clone());
            }
        }
        match self.0.layer(Own).call(probe).await {
            Ok(response) => response.into_body(),
            Err(never) => match never {},
        }
    }
}

fn foreign(_: ProtectionError) -> Response<Site> {
    Response::new(Site::Foreign)
}

/// Stands where a service would: whatever reaches it comes from this site.
#[derive(Clone)]
struct Own;

impl Service<Request<()>> for Own {
    type Response = Response<Site>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Request<()>) -> Self::Future {
        ready(Ok(Response::new(Site::Own)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn site(csrf: &Csrf, method: Method, headers: &[(&str, &str)]) -> Site {
        let headers = headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
        csrf.site(&method, &Uri::from_static("/x"), &headers).await
    }

    #[tokio::test]
    async fn another_site_changes_nothing_and_reads_what_it_could_read_anyway() {
        let csrf = Csrf::new().trust("https://app.example").unwrap();
        for (headers, expected) in [
            (&[("sec-fetch-site", "same-origin")][..], Site::Own),
            (&[("sec-fetch-site", "none")], Site::Own),
            (&[("sec-fetch-site", "same-site")], Site::Foreign),
            (&[("sec-fetch-site", "cross-site")], Site::Foreign),
            (&[("sec-fetch-site", "cross-site"), ("origin", "https://app.example")], Site::Own),
            (&[("origin", "https://api.example"), ("host", "api.example")], Site::Own),
            (&[("origin", "https://evil.example"), ("host", "api.example")], Site::Foreign),
            (&[("origin", "null"), ("host", "api.example")], Site::Foreign),
            (&[("host", "api.example")], Site::Own),
        ] {
            for method in ["POST", "PUT", "PATCH", "DELETE", "TRACE", "CONNECT", "REPORT"] {
                assert_eq!(site(&csrf, method.parse().unwrap(), headers).await, expected, "{method} {headers:?}");
            }
            for method in [Method::GET, Method::HEAD, Method::OPTIONS] {
                assert_eq!(site(&csrf, method.clone(), headers).await, Site::Own);
                let socket = [headers, &[("upgrade", "websocket")]].concat();
                assert_eq!(site(&csrf, method, &socket).await, expected, "{headers:?}");
            }
        }
        assert!(Csrf::new().trust("app.example").is_err());
    }
}
