//! Makes tokens: the claims of a real one, altered, under any header, signed by whatever key the attacker is said to have.
//! Owns the raw material of forgeries; knows no request.

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom as AwsRandom;
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{
    RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512, RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512,
};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use rescind::keys::SigningKey;
use serde_json::Value;

use crate::keys::Keys;

/// A token that is still to be signed: its members in order, each value as JSON text.
pub(crate) struct Draft<'a> {
    keys: &'a Keys,
    header: Vec<(String, String)>,
    claims: Vec<(String, String)>,
    /// Whole texts, in place of the members.
    whole: [Option<Vec<u8>>; 2],
    encoding: [Encoding; 2],
    signer: Signer<'a>,
    signature: Option<String>,
    alphabet: Alphabet,
}

/// What the signature's base64url must show.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Alphabet {
    Any,
    /// A character that standard base64 writes otherwise.
    Telling,
}

/// How a part's text becomes bytes.
#[derive(Clone, Copy)]
enum Encoding {
    Utf8,
    Bom,
    Utf16Le,
    Utf16Be,
    Latin1,
    /// As it is, not even in base64url (RFC 7797 §5.2): without dots and blanks, which a request would part it at.
    Plain,
}

enum Signer<'a> {
    Key(&'a SigningKey),
    /// An RSA key, by an algorithm that is not its own.
    Rsa(&'a SigningKey, String),
    /// A secret of the attacker's.
    Hmac(Vec<u8>, hmac::Algorithm),
}

impl<'a> Draft<'a> {
    /// What the server itself would issue: these claims, under the current key.
    pub(crate) fn of(keys: &'a Keys, access: &str) -> Self {
        let payload = URL_SAFE_NO_PAD.decode(access.split('.').nth(1).unwrap()).unwrap();
        let claims: Value = serde_json::from_slice(&payload).unwrap();
        let claims =
            claims.as_object().unwrap().iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        let mut draft = Self {
            keys,
            header: Vec::new(),
            claims,
            whole: [None, None],
            encoding: [Encoding::Utf8; 2],
            signer: Signer::Key(keys.named("current")),
            signature: None,
            alphabet: Alphabet::Any,
        };
        draft.signed_by("current");
        draft
    }

    /// One word of a recipe, such as `alg=none`.
    pub(crate) fn set(&mut self, name: &str, value: &str) {
        let text = Value::from(value).to_string();
        match name {
            "key" => self.signed_by(value),
            "as" => self.signed_as(value),
            "hmac" => self.signed_with_public_key(value),
            "alg" | "kid" | "typ" => put(&mut self.header, name, &text),
            "header" => self.whole[0] = Some(value.into()),
            "payload" => self.whole[1] = Some(value.into()),
            "encode.header" => self.encoding[0] = Encoding::named(value),
            "encode.payload" => self.encoding[1] = Encoding::named(value),
            "sig" => self.signature = Some(value.to_owned()),
            "alphabet" => {
                assert_eq!(value, "telling");
                self.alphabet = Alphabet::Telling;
            }
            "first-header" => self.header.insert(0, (String::new(), value.to_owned())),
            "last-header" => self.header.push((String::new(), value.to_owned())),
            "first-claims" => self.claims.insert(0, (String::new(), value.to_owned())),
            "last-claims" => self.claims.push((String::new(), value.to_owned())),
            _ => match name.split_once('.') {
                Some(("header", member)) => put(&mut self.header, member, value),
                Some(("claims", member)) => put(&mut self.claims, member, &moment(value)),
                _ => panic!("a token has no {name}"),
            },
        }
    }

    /// The token.
    pub(crate) fn text(mut self) -> String {
        for attempt in 0.. {
            let text = self.signed();
            let (_, signature) = text.rsplit_once('.').unwrap();
            if self.alphabet == Alphabet::Any || signature.contains(['-', '_']) {
                return text;
            }
            put(&mut self.claims, "attempt", &attempt.to_string());
        }
        unreachable!("one signature in fifteen does not show it")
    }

    fn signed(&self) -> String {
        let part = |at: usize, members: &[(String, String)]| {
            let whole = self.whole[at].clone().unwrap_or_else(|| object(members).into_bytes());
            let bytes = self.encoding[at].encode(&whole);
            match self.encoding[at] {
                Encoding::Plain => String::from_utf8(bytes).unwrap(),
                _ => URL_SAFE_NO_PAD.encode(bytes),
            }
        };
        let text = format!("{}.{}", part(0, &self.header), part(1, &self.claims));
        let signature =
            self.signature.clone().unwrap_or_else(|| URL_SAFE_NO_PAD.encode(self.signer.sign(text.as_bytes())));
        format!("{text}.{signature}")
    }

    fn signed_by(&mut self, name: &str) {
        let key = self.keys.named(name);
        self.signer = Signer::Key(key);
        for (member, value) in [("alg", key.algorithm().name()), ("typ", "at+jwt"), ("kid", key.id().as_str())] {
            put(&mut self.header, member, &Value::from(value).to_string());
        }
    }

    fn signed_as(&mut self, algorithm: &str) {
        let Signer::Key(key) = self.signer else { panic!("as= comes behind key=") };
        self.signer = Signer::Rsa(key, algorithm.to_owned());
        put(&mut self.header, "alg", &Value::from(algorithm).to_string());
    }

    /// `FORM:KEY`, such as `pem:RS256`: the form of the public key that a careless verifier would take for a secret.
    fn signed_with_public_key(&mut self, form: &str) {
        let (form, name) = form.split_once(':').unwrap();
        self.signed_by(name);
        let (form, hash) = form.split_once('/').unwrap_or((form, "HS256"));
        let algorithm = match hash {
            "HS256" => hmac::HMAC_SHA256,
            "HS384" => hmac::HMAC_SHA384,
            "HS512" => hmac::HMAC_SHA512,
            _ => panic!("no hash of {hash}"),
        };
        put(&mut self.header, "alg", &Value::from(hash).to_string());
        let secret = self.public_key(form, name);
        self.signer = Signer::Hmac(secret, algorithm);
    }

    fn public_key(&self, form: &str, name: &str) -> Vec<u8> {
        let kid = self.keys.named(name).id().as_str().to_owned();
        let jwk = || self.keys.jwk(name);
        let der = || spki(&jwk());
        let pem = |der: &[u8], end: &str| {
            let text = STANDARD.encode(der);
            let lines: Vec<_> = text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
            format!("-----BEGIN PUBLIC KEY-----{end}{}{end}-----END PUBLIC KEY-----{end}", lines.join(end))
        };
        match form {
            "empty" => Vec::new(),
            "kid" => kid.into_bytes(),
            "der" => der(),
            "pem" => pem(&der(), "\n").into_bytes(),
            "pem-crlf" => pem(&der(), "\r\n").into_bytes(),
            "pem-bare" => pem(&der(), "\n").trim_end().as_bytes().to_vec(),
            "pem-blank" => format!(" \n{}", pem(&der(), "\n")).into_bytes(),
            "der-base64" => STANDARD.encode(der()).into_bytes(),
            "jwk" => jwk().to_string().into_bytes(),
            "jwks" => self.keys.jwks().into_bytes(),
            "raw" => ["x", "n"].iter().find_map(|part| member(&jwk(), part)).unwrap(),
            _ => panic!("no form {form} of a public key"),
        }
    }
}

impl Signer<'_> {
    fn sign(&self, message: &[u8]) -> Vec<u8> {
        match self {
            Self::Key(key) => {
                let mut signature = Vec::new();
                key.sign(message, &mut signature).unwrap();
                signature
            }
            Self::Rsa(key, algorithm) => {
                let padding: &dyn aws_lc_rs::signature::RsaEncoding = match algorithm.as_str() {
                    "RS256" => &RSA_PKCS1_SHA256,
                    "RS384" => &RSA_PKCS1_SHA384,
                    "RS512" => &RSA_PKCS1_SHA512,
                    "PS256" => &RSA_PSS_SHA256,
                    "PS384" => &RSA_PSS_SHA384,
                    "PS512" => &RSA_PSS_SHA512,
                    _ => panic!("no RSA by {algorithm}"),
                };
                let pair = RsaKeyPair::from_pkcs8(&key.export_secret().unwrap()).unwrap();
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(padding, &AwsRandom::new(), message, &mut signature).unwrap();
                signature
            }
            Self::Hmac(secret, algorithm) => hmac::sign(&hmac::Key::new(*algorithm, secret), message).as_ref().to_vec(),
        }
    }
}

impl Encoding {
    fn named(name: &str) -> Self {
        match name {
            "bom" => Self::Bom,
            "utf-16le" => Self::Utf16Le,
            "utf-16be" => Self::Utf16Be,
            "latin-1" => Self::Latin1,
            "plain" => Self::Plain,
            _ => panic!("no encoding {name}"),
        }
    }

    fn encode(self, bytes: &[u8]) -> Vec<u8> {
        let units = || std::str::from_utf8(bytes).unwrap().encode_utf16();
        match self {
            Self::Utf8 => bytes.to_vec(),
            Self::Bom => [b"\xef\xbb\xbf", bytes].concat(),
            Self::Utf16Le => [0xfeff].into_iter().chain(units()).flat_map(u16::to_le_bytes).collect(),
            Self::Utf16Be => [0xfeff].into_iter().chain(units()).flat_map(u16::to_be_bytes).collect(),
            Self::Latin1 => std::str::from_utf8(bytes).unwrap().chars().map(|it| u8::try_from(it).unwrap()).collect(),
            Self::Plain => std::str::from_utf8(bytes).unwrap().replace('.', "\\u002e").replace(' ', "\\u0020").into(),
        }
    }
}

/// Sets a member, or takes it out where the value is empty.
fn put(members: &mut Vec<(String, String)>, name: &str, value: &str) {
    let at = members.iter().position(|(other, _)| other == name);
    match (at, value.is_empty()) {
        (Some(at), true) => drop(members.remove(at)),
        (Some(at), false) => value.clone_into(&mut members[at].1),
        (None, true) => panic!("{name} is not there to be taken out"),
        (None, false) => members.push((name.to_owned(), value.to_owned())),
    }
}

fn object(members: &[(String, String)]) -> String {
    let written = |(name, value): &(String, String)| {
        if name.is_empty() { value.clone() } else { format!("{}:{value}", Value::from(name.as_str())) }
    };
    format!("{{{}}}", members.iter().map(written).collect::<Vec<_>>().join(","))
}

/// `now+60` and `now-60`, in seconds; anything else as it stands.
fn moment(value: &str) -> String {
    let Some(offset) = value.strip_prefix("now").and_then(|rest| rest.parse::<i64>().ok()) else {
        return value.to_owned();
    };
    let now = crate::support::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    (i64::try_from(now).unwrap() + offset).to_string()
}

fn member(jwk: &Value, name: &str) -> Option<Vec<u8>> {
    jwk[name].as_str().map(|text| URL_SAFE_NO_PAD.decode(text).unwrap())
}

/// `SubjectPublicKeyInfo` (RFC 5280 §4.1.2.7) of a JWK.
fn spki(jwk: &Value) -> Vec<u8> {
    let part = |name| member(jwk, name).unwrap();
    let (algorithm, key): (&[u8], Vec<u8>) = match jwk["kty"].as_str().unwrap() {
        "OKP" => (b"\x06\x03\x2b\x65\x70", part("x")),
        "EC" => (
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07",
            [vec![4], part("x"), part("y")].concat(),
        ),
        _ => (
            b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00",
            der(0x30, &[integer(&part("n")), integer(&part("e"))].concat()),
        ),
    };
    let bits = [&[0], key.as_slice()].concat();
    der(0x30, &[der(0x30, algorithm), der(0x03, &bits)].concat())
}

/// A DER integer of these big-endian bytes.
pub(crate) fn integer(bytes: &[u8]) -> Vec<u8> {
    let first = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len().saturating_sub(1));
    let bytes = &bytes[first..];
    let sign: &[u8] = if bytes.first().is_some_and(|byte| *byte >= 0x80) { &[0] } else { &[] };
    der(0x02, &[sign, bytes].concat())
}

/// A DER value.
pub(crate) fn der(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let head = match u8::try_from(length) {
        Ok(short) if short < 0x80 => vec![tag, short],
        Ok(long) => vec![tag, 0x81, long],
        Err(_) => [&[tag, 0x82], u16::try_from(length).unwrap().to_be_bytes().as_slice()].concat(),
    };
    [head.as_slice(), content].concat()
}
