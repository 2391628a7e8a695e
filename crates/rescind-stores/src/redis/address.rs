//! Where Redis is: one server, a Sentinel group, or a Cluster. Owns the URL's forms; connects to nothing. What is shown of
//! a URL has no user and no password in it.

use redis::{ConnectionAddr, ConnectionInfo, IntoConnectionInfo};

/// What a URL says.
#[derive(Clone)]
pub(super) struct Address {
    pub(super) kind: Kind,
    pub(super) nodes: Vec<ConnectionInfo>,
    /// The nodes as messages name them.
    pub(super) place: String,
    pub(super) prefix: String,
    /// How many replicas must have a write before it is acknowledged.
    pub(super) replicas: u32,
    /// A PEM file with the authorities that the servers' certificates are checked against.
    pub(super) authorities: Option<String>,
}

/// How the nodes hang together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Kind {
    Single,
    /// The nodes are Sentinels; they know where the master of this name is.
    Sentinel {
        master: String,
        /// What the Sentinels themselves want to know.
        user: Option<String>,
        password: Option<String>,
    },
    Cluster,
}

const FORMS: &str = "a Redis URL is redis://[user:password@]host[:port][/db], redis+sentinel://host:port,…/master-name or \
    redis+cluster://host:port,…; rediss for redis means TLS; options are ?prefix=, &replicas=, &ca=";

impl Address {
    /// Reads a URL; the error says what is wrong with it, without its password.
    pub(super) fn parse(url: &str) -> Result<Self, String> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| FORMS.to_owned())?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let (base, group) = scheme.split_once('+').unwrap_or((scheme, ""));
        let base = match base {
            "redis" | "valkey" => "redis",
            "rediss" | "valkeys" => "rediss",
            _ => return Err(FORMS.to_owned()),
        };
        let options = Options::parse(query)?;
        let (kind, db) = match group {
            "" if hosts.contains(',') => {
                return Err(
                    "several hosts are a Sentinel group (redis+sentinel://) or a cluster (redis+cluster://)".to_owned()
                );
            }
            "" => (Kind::Single, path),
            "sentinel" if path.is_empty() => {
                return Err(
                    "a Sentinel URL names its master: redis+sentinel://host:port,host:port/master-name".to_owned()
                );
            }
            "sentinel" => {
                let (user, password) = (options.sentinel_user.clone(), options.sentinel_password.clone());
                (Kind::Sentinel { master: path.to_owned(), user, password }, options.db.as_str())
            }
            "cluster" if !path.is_empty() => {
                return Err("a cluster has no database number and no master name".to_owned());
            }
            "cluster" => (Kind::Cluster, ""),
            _ => return Err(FORMS.to_owned()),
        };
        let user = if user.is_empty() { String::new() } else { format!("{user}@") };
        let nodes = hosts.split(',').map(|host| format!("{base}://{user}{host}/{db}").into_connection_info());
        // The crate's own error may repeat the text that it could not read, and so a password.
        let nodes: Vec<_> = nodes.collect::<Result<_, _>>().map_err(|_| FORMS.to_owned())?;
        let place = nodes.iter().map(|node| place(node.addr())).collect::<Vec<_>>().join(",");
        Ok(Self {
            kind,
            nodes,
            place,
            prefix: options.prefix,
            replicas: options.replicas,
            authorities: options.authorities,
        })
    }
}

struct Options {
    prefix: String,
    replicas: u32,
    authorities: Option<String>,
    db: String,
    sentinel_user: Option<String>,
    sentinel_password: Option<String>,
}

impl Options {
    fn parse(query: &str) -> Result<Self, String> {
        let mut options = Self {
            prefix: "rescind".to_owned(),
            replicas: 0,
            authorities: None,
            db: String::new(),
            sentinel_user: None,
            sentinel_password: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = || decoded(value).ok_or_else(|| format!("the option {name} has a % that begins no byte"));
            match name {
                "prefix" => options.prefix = value()?,
                "replicas" => {
                    options.replicas =
                        value()?.parse().map_err(|_| "replicas is a number: how many must have a write".to_owned())?;
                }
                "ca" => options.authorities = Some(value()?),
                "db" => options.db = value()?,
                "sentinel-user" => options.sentinel_user = Some(value()?),
                "sentinel-password" => options.sentinel_password = Some(value()?),
                // Its name is not repeated: behind a `?` in a password that is not written as %3F, it is a part of that.
                _ => return Err(format!("an option is unknown (a ? in a password is written as %3F); {FORMS}")),
            }
        }
        Ok(options)
    }
}

/// Undoes percent-encoding.
fn decoded(text: &str) -> Option<String> {
    let mut bytes = text.bytes();
    let mut out = Vec::new();
    while let Some(byte) = bytes.next() {
        if byte == b'%' {
            let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
            out.push(u8::try_from(digit()? << 4 | digit()?).ok()?);
        } else {
            out.push(byte);
        }
    }
    String::from_utf8(out).ok()
}

fn place(addr: &ConnectionAddr) -> String {
    match addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, .. } => format!("{host}:{port}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read() {
        let address = Address::parse("redis://u:p%40ss@db.example:7000/3?prefix=a&replicas=2").unwrap();
        assert_eq!((address.kind, address.place.as_str()), (Kind::Single, "db.example:7000"));
        assert_eq!((address.prefix.as_str(), address.replicas), ("a", 2));
        assert_eq!(address.nodes[0].redis_settings().password(), Some("p@ss"));
        assert_eq!(address.nodes[0].redis_settings().db(), 3);
        let address = Address::parse("rediss+sentinel://:x@a:1,b:2/main?sentinel-password=y").unwrap();
        assert!(
            matches!(&address.kind, Kind::Sentinel { master, password: Some(y), .. } if master == "main" && y == "y")
        );
        assert_eq!(address.place, "a:1,b:2");
        assert!(matches!(address.nodes[1].addr(), ConnectionAddr::TcpTls { .. }));
        let address = Address::parse("redis+cluster://a:1,b:2,c").unwrap();
        assert_eq!((address.kind, address.place.as_str()), (Kind::Cluster, "a:1,b:2,c:6379"));
    }

    #[test]
    fn what_is_no_address_is_refused_without_its_password() {
        for url in [
            "postgres://u:secret@a",
            "redis:secret",
            "redis://u:secret@a,b",
            "redis+sentinel://u:secret@a:1",
            "redis+cluster://u:secret@a/0",
            "redis://u:secret@a:port",
            "redis://u:secret@a?x=secret",
            "redis+x://secret@a",
            "redis://u:secret@a?replicas=secret",
            "redis://u:secret@a?prefix=%secret",
            "redis://u:secret@a?prefix=%+1",
            "redis://u:secret@a?prefix=%1",
            "redis://u:not?secret@a",
            "redis://u:not?secret=%@a",
            "redis://u:not?a&secret@a",
        ] {
            let error = Address::parse(url).err().unwrap_or_else(|| panic!("{url} is read"));
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
