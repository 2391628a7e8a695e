//! The command line's side of the admin API: finds the server and its admin token, sends one request, and turns every
//! way in which that can go wrong into a [`Failure`]. Knows no single route.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::{Method, Response, Url};
use serde_json::Value;

use super::failure::{Failure, Refusal};
use super::output::{Format, Out};
use crate::admin_address;
use crate::config::DATA_DIR;
use crate::data_dir::AdminToken;

/// Where the server is and how it knows the operator.
#[derive(Debug, clap::Args)]
pub(crate) struct Connection {
    /// The server's admin listener [default: as the data directory says, else 127.0.0.1:7001]
    #[arg(long, env = "RESCIND_SERVER", value_name = "URL", help_heading = "Server")]
    server: Option<String>,
    /// The file that holds the admin token [default: admin-token in the data directory]
    #[arg(long, env = "RESCIND_ADMIN_TOKEN_FILE", value_name = "FILE", help_heading = "Server")]
    admin_token_file: Option<PathBuf>,
    /// The server's data directory [default: ./rescind-data]
    #[arg(long, env = "RESCIND_DATA", value_name = "DIR", help_heading = "Server")]
    data: Option<PathBuf>,
    /// Print JSON, one object a line for lists
    #[arg(long)]
    json: bool,
    /// The admin listener that the server's configuration names, where that was read.
    #[arg(skip)]
    configured: Option<SocketAddr>,
}

/// The listener that `rescind serve` has where nothing is said.
const DEFAULT_SERVER: &str = "http://127.0.0.1:7001";
/// `?wait=everywhere` takes at most the staleness bound; this is for a machine that hangs.
const PATIENCE: Duration = Duration::from_mins(1);

impl Connection {
    /// Standard output in the format that was asked for.
    pub(crate) fn out(&self) -> Out {
        Out::new(if self.json { Format::Json } else { Format::Human })
    }

    /// The data directory that was named.
    pub(crate) fn data(&self) -> Option<&Path> {
        self.data.as_deref()
    }

    /// Fills in what the server's own configuration says and nobody has said otherwise.
    pub(crate) fn or(mut self, data: &Path, admin_listen: SocketAddr) -> Self {
        self.data.get_or_insert(data.to_owned());
        self.configured = Some(admin_listen);
        self
    }

    fn data_or_default(&self) -> &Path {
        self.data.as_deref().unwrap_or(Path::new(DATA_DIR))
    }

    /// Where the server is, and the client for it.
    ///
    /// # Errors
    /// A URL that is none, or a token file that cannot be read.
    pub(crate) fn client(&self) -> Result<Client, Failure> {
        let base = self.base()?;
        let file = self.admin_token_file.clone().unwrap_or_else(|| self.data_or_default().join("admin-token"));
        let token = read_token(&file)?;
        // A proxy from the environment would be handed the admin token; a redirect could name any host.
        let http = reqwest::Client::builder()
            .no_proxy()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|error| Failure::Input(format!("cannot make an HTTP client: {error}")))?;
        Ok(Client { base, token, from: file, http })
    }

    fn base(&self) -> Result<Url, Failure> {
        if let Some(named) = &self.server {
            return parse_server(named);
        }
        // One that listens everywhere is reached here by the loopback address.
        let found = admin_address::find(self.data_or_default()).or(self.configured).map(reachable);
        parse_server(&found.map_or_else(|| DEFAULT_SERVER.to_owned(), |address| address.to_string()))
    }
}

fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => (Ipv4Addr::LOCALHOST, address.port()).into(),
        IpAddr::V6(ip) if ip.is_unspecified() => (Ipv6Addr::LOCALHOST, address.port()).into(),
        _ => address,
    }
}

/// Reads the URL of an admin listener.
fn parse_server(text: &str) -> Result<Url, Failure> {
    let wrong = |why: &str| Err(Failure::Usage(format!("--server {text}: {why}, such as {DEFAULT_SERVER}")));
    let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
    let Ok(url) = Url::parse(&with_scheme) else {
        return wrong("not a URL; give the admin listener's");
    };
    match url.scheme() {
        "http" => {}
        "https" => {
            return wrong(
                "the admin API speaks plain http, on a loopback address or through a tunnel \
                 (ssh -L 7001:127.0.0.1:7001 host); give an http URL",
            );
        }
        _ => return wrong("not an http URL"),
    }
    if url.path() != "/" || url.query().is_some() || !url.username().is_empty() || url.password().is_some() {
        return wrong("has more than scheme, host and port");
    }
    Ok(url)
}

fn read_token(file: &Path) -> Result<AdminToken, Failure> {
    AdminToken::load(file).map_err(|error| {
        Failure::Input(format!(
            "no admin token: {error}. The server makes it at first start; name its data directory with --data DIR, or the \
             file with --admin-token-file FILE"
        ))
    })
}

/// Speaks with one server.
#[derive(Clone)]
pub(crate) struct Client {
    base: Url,
    token: AdminToken,
    from: PathBuf,
    http: reqwest::Client,
}

impl Client {
    /// The server's URL.
    pub(crate) fn base(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// Reads.
    pub(crate) async fn get(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        match self.send(Method::GET, path, query, None).await {
            // A listing is always there: whoever has none is another listener.
            Err(Failure::Refused(refusal)) if refusal.error == "not_found" && path.len() == 1 => {
                Err(Failure::Foreign { url: self.base().to_owned(), status: 404 })
            }
            answer => answer,
        }
    }

    /// Makes something, or asks with a body.
    pub(crate) async fn post(&self, path: &[&str], query: &[(&str, &str)], body: &Value) -> Result<Value, Failure> {
        self.send(Method::POST, path, query, Some(body)).await
    }

    /// Changes something.
    pub(crate) async fn patch(&self, path: &[&str], body: &Value) -> Result<Value, Failure> {
        self.send(Method::PATCH, path, &[], Some(body)).await
    }

    /// Takes something away.
    pub(crate) async fn delete(&self, path: &[&str], query: &[(&str, &str)]) -> Result<Value, Failure> {
        self.send(Method::DELETE, path, query, None).await
    }

    /// Each member of `path` is one segment, whatever characters it has: a user's name may contain a slash.
    fn url(&self, path: &[&str], query: &[(&str, &str)]) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend(["admin", "v1"]).extend(path);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    async fn send(
        &self,
        method: Method,
        path: &[&str],
        query: &[(&str, &str)],
        body: Option<&Value>,
    ) -> Result<Value, Failure> {
        let mut request = self.http.request(method, self.url(path, query)).bearer_auth(self.token.expose());
        if let Some(body) = body {
            request = request.json(body);
        }
        match request.send().await {
            Ok(answer) => self.read(answer).await,
            Err(error) => Err(Failure::Unreachable { url: self.base().to_owned(), why: root_cause(&error) }),
        }
    }

    async fn read(&self, answer: Response) -> Result<Value, Failure> {
        let status = answer.status();
        let retry_after = answer.headers().get("retry-after").and_then(|text| text.to_str().ok()).map(str::to_owned);
        if status.as_u16() == 401 {
            return Err(Failure::Unauthorized { url: self.base().to_owned(), from: self.from.display().to_string() });
        }
        let foreign = || Failure::Foreign { url: self.base().to_owned(), status: status.as_u16() };
        let text = answer
            .text()
            .await
            .map_err(|error| Failure::Unreachable { url: self.base().to_owned(), why: root_cause(&error) })?;
        let body: Value = serde_json::from_str(&text).map_err(|_| foreign())?;
        if status.is_success() {
            return Ok(body);
        }
        let member = |name: &str| body.get(name).and_then(Value::as_str).map(str::to_owned);
        let Some(error) = member("error") else { return Err(foreign()) };
        let description = member("error_description").unwrap_or_default();
        Err(Failure::Refused(Refusal { error, description, retry_after }))
    }
}

/// What lies at the bottom of an HTTP client's error: "connection refused", not "error sending request".
fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "no answer in time".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// Reads an answer in the shape that the admin API promises.
pub(crate) fn shape<T: serde::de::DeserializeOwned>(client: &Client, value: &Value) -> Result<T, Failure> {
    T::deserialize(value).map_err(|_| Failure::Foreign { url: client.base().to_owned(), status: 200 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_plain_http_url_of_scheme_host_and_port() {
        for good in ["http://127.0.0.1:7001", "127.0.0.1:7001", "http://[::1]:7001/", "localhost:7001"] {
            assert!(parse_server(good).is_ok(), "{good}");
        }
        for bad in ["https://x", "ftp://x", "http://x/admin", "http://a:b@x", "http://x?y", "http://", "a b"] {
            assert!(parse_server(bad).is_err(), "{bad}");
        }
    }
}
