//! Three opinions of generated and mutated tokens: ours, that of `jsonwebtoken`, and that of `jose` for Node, whose every
//! part is somebody else's. We are never laxer: what we accept, both accept. Where we are stricter is counted by reason.
#![cfg(test)]

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use rescind::access_token::Unverified;
use rescind::keys::Algorithm;
use rescind_hostile::dice::{Dice, Stream};
use rescind_hostile::forge::{Forged, access_token};
use rescind_hostile::ground::{AUDIENCE, ISSUER, NOW, expectations, key, ring};
use serde_json::{Value, json};

/// So many tokens are judged at once: each opinion is asked for all of them.
const ROUND: usize = 4_000;

#[test]
fn what_we_accept_two_others_accept() {
    let Some(node) = Node::found() else { return rescind::testing::skip("node or its package jose is missing") };
    let rounds = if std::env::var_os("RESCIND_LONG").is_some() { 500 } else { 1 };
    let seed = std::env::var("RESCIND_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(1);
    println!("seed {seed}: RESCIND_SEED={seed} repeats this run");
    let (mut stream, theirs, mut counts) = (Stream::new(seed), Theirs::new(), Counts::default());
    for _ in 0..rounds {
        let tokens: Vec<Forged> = (0..ROUND).map(|n| token(&mut stream, n)).collect();
        let josed = node.judges(&tokens);
        assert_eq!(josed.len(), tokens.len(), "an answer for each token");
        for (token, jose) in tokens.iter().zip(josed) {
            counts.add(token, &theirs, &jose);
        }
    }
    println!("{counts}");
    assert_eq!(counts.laxer, Vec::<String>::new());
    // Otherwise nothing was tested.
    assert!(counts.good > 0 && counts.accepted > counts.good && counts.stricter.len() > 5, "{counts}");
}

/// A built token; every third one with a few bytes changed besides.
fn token(stream: &mut Stream, n: usize) -> Forged {
    let length = usize::try_from(stream.word() % 24).unwrap();
    let bytes = stream.bytes(length);
    // Of every sixteenth nothing is chosen but the key: twins of the odd ones, which pass.
    let bytes = if n.is_multiple_of(16) { &bytes[..bytes.len().min(1)] } else { &bytes[..] };
    let mut forged = access_token(&mut Dice::new(bytes));
    if n % 3 == 2 {
        forged.oddities.push("mutated");
        forged.text = mutated(stream, &forged.text);
    }
    forged
}

/// One to three characters replaced, left out or doubled.
fn mutated(stream: &mut Stream, text: &str) -> String {
    let mut text: Vec<char> = text.chars().collect();
    for _ in 0..=stream.word() % 3 {
        let below = |stream: &mut Stream, end: usize| usize::try_from(stream.word()).unwrap() % end.max(1);
        let at = below(stream, text.len());
        let letters: Vec<char> = "AQgwZz09-_=+/. \n\u{e9}".chars().collect();
        match below(stream, 4) {
            0 => drop(text.remove(at)),
            1 => text.insert(at, text[at]),
            2 => text.insert(at, letters[below(stream, letters.len())]),
            _ => text[at] = letters[below(stream, letters.len())],
        }
    }
    text.into_iter().collect()
}

#[derive(Debug, Default)]
struct Counts {
    good: usize,
    accepted: usize,
    refused_by_all: usize,
    /// By our reason: how often `jsonwebtoken` and `jose` accepted what we refused.
    stricter: BTreeMap<&'static str, [usize; 2]>,
    laxer: Vec<String>,
}

impl Counts {
    fn add(&mut self, token: &Forged, theirs: &Theirs, jose: &str) {
        let ours = Unverified::parse(&token.text).and_then(|token| token.verify(expectations(), ring(), NOW));
        let opinions = [theirs.accept(&token.text), jose == "ok"];
        match ours {
            Ok(_) => {
                self.accepted += 1;
                self.good += usize::from(token.oddities.is_empty());
                if opinions != [true, true] {
                    let [first, second] = opinions;
                    let who = format!("jsonwebtoken accepts: {first}, jose accepts: {second} ({jose})");
                    self.laxer.push(format!("{:?}: {who}: {}", token.oddities, token.text));
                }
            }
            Err(_) if opinions == [false, false] => self.refused_by_all += 1,
            Err(rejection) => {
                let count = self.stricter.entry(rejection.reason()).or_default();
                for (count, accepts) in count.iter_mut().zip(opinions) {
                    *count += usize::from(accepts);
                }
            }
        }
        if token.oddities.is_empty() && ours.is_err() {
            self.laxer.push(format!("a good token is refused: {:?} {}", ours.err(), token.text));
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { good, accepted, refused_by_all, stricter, laxer } = self;
        writeln!(f, "{accepted} accepted by all, {good} of them with nothing odd; {refused_by_all} refused by all")?;
        for (reason, [first, second]) in stricter {
            writeln!(f, "  {reason}: we refused what jsonwebtoken accepted ({first}), what jose accepted ({second})")?;
        }
        write!(f, "{} that we accepted and another did not", laxer.len())
    }
}

/// Our keys as JWK, the symmetric one among them: what is never published must be told to those who verify.
fn jwks() -> Vec<Value> {
    let set: Value = serde_json::from_str(&ring().jwks()).unwrap();
    let mut keys = set["keys"].as_array().unwrap().clone();
    for ours in ring().keys().iter().filter(|it| it.algorithm() == Algorithm::Hs256) {
        let current = key(Algorithm::Hs256);
        // The other one signs nothing here; whoever names it names a key that did not sign.
        let secret = if ours.id() == current.id() { current.export_secret().unwrap().to_vec() } else { vec![1; 32] };
        let k = URL_SAFE_NO_PAD.encode(secret);
        keys.push(json!({ "kty": "oct", "alg": "HS256", "kid": ours.id().as_str(), "k": k }));
    }
    keys
}

/// The opinion of `jsonwebtoken`.
struct Theirs(JwkSet);

impl Theirs {
    fn new() -> Self {
        Self(serde_json::from_value(json!({ "keys": jwks() })).unwrap())
    }

    fn accept(&self, text: &str) -> bool {
        let Ok(header) = decode_header(text) else { return false };
        let Some(jwk) = header.kid.as_deref().and_then(|kid| self.0.find(kid)) else { return false };
        let algorithm = jwk.common.key_algorithm.and_then(|name| name.to_string().parse().ok()).unwrap();
        let mut rules = Validation::new(algorithm);
        rules.set_audience(&[AUDIENCE]);
        rules.set_issuer(&[ISSUER]);
        // It asks the machine for the time, and the present is fixed here; `jose` is told it, and judges the times.
        rules.validate_exp = false;
        decode::<Value>(text, &DecodingKey::from_jwk(jwk).unwrap(), &rules).is_ok()
    }
}

/// The opinion of `jose`, in a process of Node's.
struct Node(PathBuf);

impl Node {
    fn found() -> Option<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../browser");
        let there = folder.join("node_modules/jose").is_dir();
        let node = Command::new("node").arg("--version").stdout(Stdio::null()).status().is_ok_and(|it| it.success());
        (there && node).then(|| Self(folder.join("other_opinion.mjs")))
    }

    fn judges(&self, tokens: &[Forged]) -> Vec<String> {
        let mut node = Command::new("node").arg(&self.0).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (mut asked, told) = (node.stdin.take().unwrap(), node.stdout.take().unwrap());
        // Its one tolerance is for all times; ours is for those that are ahead.
        let skew = expectations().skew().as_secs();
        let rules =
            json!({ "issuer": ISSUER, "audience": AUDIENCE, "now": NOW.as_secs(), "skew": skew, "keys": jwks() });
        let lines: Vec<String> = tokens.iter().map(|token| Value::from(token.text.as_str()).to_string()).collect();
        // From a thread of its own: whoever writes all before reading waits for a reader that waits.
        let writer = std::thread::spawn(move || {
            writeln!(asked, "{rules}").unwrap();
            for line in &lines {
                writeln!(asked, "{line}").unwrap();
            }
        });
        let answers = BufReader::new(told).lines().map(Result::unwrap).collect();
        writer.join().unwrap();
        assert!(node.wait().unwrap().success(), "node failed, see above");
        answers
    }
}
