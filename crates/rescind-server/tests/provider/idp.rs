//! A provider that does everything right: discovery, one ES256 key, codes under PKCE, logout tokens. Who signs in is the
//! test's word, and no page stands between. Owns its key and the codes; knows of Rescind what a client registers.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::support::now;

pub(crate) const CLIENT: &str = "rescind-at-acme";
pub(crate) const SECRET: &str = "the-clients-secret-at-acme";

/// A running provider; it ends with the process.
#[derive(Clone)]
pub(crate) struct Idp(Arc<Inner>);

struct Inner {
    address: SocketAddr,
    key: EcdsaKeyPair,
    codes: Mutex<HashMap<String, Code>>,
}

/// What stands behind a code.
struct Code {
    claims: Value,
    challenge: String,
}

impl Idp {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
        let idp = Self(Arc::new(Inner { address: listener.local_addr().unwrap(), key, codes: Mutex::default() }));
        let served = idp.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let idp = served.clone();
                thread::spawn(move || idp.answer(stream));
            }
        });
        idp
    }

    pub(crate) fn issuer(&self) -> String {
        format!("http://{}", self.0.address)
    }

    /// Signs somebody in who was sent here, and returns the path and query that the browser is sent back to.
    pub(crate) fn approve(&self, location: &str, who: &Value) -> String {
        let now = seconds();
        let mut claims = json!({
            "iss": self.issuer(), "aud": CLIENT, "iat": now, "exp": now + 300, "nonce": parameter(location, "nonce"),
        });
        claims.as_object_mut().unwrap().extend(who.as_object().unwrap().clone());
        let challenge = parameter(location, "code_challenge");
        let code = format!("code-{}", URL_SAFE_NO_PAD.encode(digest(&SHA256, challenge.as_bytes())));
        self.0.codes.lock().unwrap().insert(code.clone(), Code { claims, challenge });
        let (_, path) = parameter(location, "redirect_uri")
            .split_once("//")
            .map(|(_, rest)| rest.split_at(rest.find('/').unwrap()))
            .map(|(host, path)| (host.to_owned(), path.to_owned()))
            .unwrap();
        format!("{path}?code={code}&state={}", parameter(location, "state"))
    }

    /// A logout token; `what` names the session, the subject, or both.
    pub(crate) fn logout_token(&self, jti: &str, what: &Value) -> String {
        let now = seconds();
        let mut claims = json!({
            "iss": self.issuer(), "aud": CLIENT, "iat": now, "exp": now + 120, "jti": jti,
            "events": { "http://schemas.openid.net/event/backchannel-logout": {} },
        });
        claims.as_object_mut().unwrap().extend(what.as_object().unwrap().clone());
        self.signed("logout+jwt", &claims)
    }

    fn signed(&self, typ: &str, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let header = json!({ "alg": "ES256", "typ": typ, "kid": "acme-1" });
        let text = format!("{}.{}", part(&header), part(claims));
        let signature = self.0.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    fn answer(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            if line == "\r\n" {
                break;
            }
            head.push(line.trim_end().to_owned());
        }
        let header = |name: &str| {
            let mut lines = head.iter().filter_map(|line| line.split_once(": "));
            lines.find(|(key, _)| key.eq_ignore_ascii_case(name)).map_or("", |(_, value)| value)
        };
        let mut body = vec![0; header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut body).unwrap();
        let path = head[0].split(' ').nth(1).unwrap();
        let (status, answer) = match path {
            "/.well-known/openid-configuration" => ("200 OK", self.metadata()),
            "/keys" => ("200 OK", self.keys()),
            "/token" => self.exchange(header("authorization"), &String::from_utf8(body).unwrap()),
            _ => ("404 Not Found", json!({})),
        };
        let answer = answer.to_string();
        let length = answer.len();
        let head = format!(
            "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
        );
        let _ = stream.write_all(format!("{head}{answer}").as_bytes());
    }

    fn metadata(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/keys"),
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "code_challenge_methods_supported": ["S256"],
        })
    }

    fn keys(&self) -> Value {
        // SEC 1 §2.3.3: 4, then x and y.
        let point = self.0.key.public_key().as_ref();
        let coordinate = |bytes: &[u8]| URL_SAFE_NO_PAD.encode(bytes);
        let (x, y) = (coordinate(&point[1..33]), coordinate(&point[33..65]));
        json!({ "keys": [{ "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": "acme-1", "x": x, "y": y }] })
    }

    fn exchange(&self, authorization: &str, form: &str) -> (&'static str, Value) {
        let url = format!("?{form}");
        let known = self.0.codes.lock().unwrap().remove(&parameter(&url, "code"));
        let basic = format!("Basic {}", STANDARD.encode(format!("{CLIENT}:{SECRET}")));
        let Some(code) = known else { return ("400 Bad Request", json!({ "error": "invalid_grant" })) };
        let proof = URL_SAFE_NO_PAD.encode(digest(&SHA256, parameter(&url, "code_verifier").as_bytes()));
        if authorization != basic || proof != code.challenge {
            return ("400 Bad Request", json!({ "error": "invalid_client" }));
        }
        let id_token = self.signed("JWT", &code.claims);
        (
            "200 OK",
            json!({ "access_token": "acmes-own", "token_type": "Bearer", "expires_in": 300, "id_token": id_token }),
        )
    }
}

/// The one parameter of a URL with this name, decoded as far as is needed here.
pub(crate) fn parameter(url: &str, name: &str) -> String {
    let (_, query) = url.split_once('?').unwrap();
    let pairs = query.split('&').filter_map(|pair| pair.split_once('='));
    let values: Vec<_> = pairs.filter(|(key, _)| *key == name).map(|(_, value)| value).collect();
    let [value] = values[..] else { panic!("{name} of {url}") };
    value.replace("%3A", ":").replace("%2F", "/").replace('+', " ")
}

fn seconds() -> u64 {
    now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()
}
