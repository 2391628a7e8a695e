//! What a token costs: the bare primitive, our whole check and issue, and `jsonwebtoken` in the same run.
//! Targets: check at most the primitive and 2 µs, HS256 whole at most 1.3 µs, issue at most the signature and 2 µs.
#![expect(clippy::unwrap_used, reason = "a bench fails loudly")]

#[path = "../tests/access_token/common/mod.rs"]
mod common;

use std::hint::black_box;
use std::time::Duration;

use common::{AUDIENCE, ISSUER, NOW, expectations, session, spec};
use criterion::{Criterion, criterion_group, criterion_main};
use jsonwebtoken::{Header, Validation};
use rescind::access_token::{Unverified, issue};
use rescind::keys::{Algorithm, KeyRing, SigningKey};
use rescind::random::SystemRandom;

fn tokens(c: &mut Criterion) {
    let ring = KeyRing::new(&Algorithm::EVERY, &SystemRandom).unwrap();
    let (expected, session) = (expectations(), session());
    for algorithm in Algorithm::EVERY {
        let key: &SigningKey = ring.current_for(algorithm).unwrap();
        let verifying = key.verifying_key().unwrap();
        let text = issue(key, &spec(&session)).unwrap();
        let (signed, _) = text.rsplit_once('.').unwrap();
        let mut signature = Vec::new();
        key.sign(signed.as_bytes(), &mut signature).unwrap();

        let mut group = c.benchmark_group(algorithm.name());
        group.bench_function("verify/bare", |b| {
            b.iter(|| assert!(verifying.verifies(black_box(signed.as_bytes()), &signature)));
        });
        group.bench_function("verify/whole", |b| {
            b.iter(|| Unverified::parse(black_box(&text)).unwrap().verify(&expected, &ring, NOW).unwrap());
        });
        group.bench_function("sign/bare", |b| {
            b.iter(|| key.sign(black_box(signed.as_bytes()), &mut signature).unwrap());
        });
        group.bench_function("sign/issue", |b| b.iter(|| issue(key, black_box(&spec(&session))).unwrap()));

        let (encoding, decoding) = common::their_keys(&ring, key);
        let mut validation = Validation::new(common::their_name(algorithm));
        validation.set_audience(&[AUDIENCE]);
        validation.set_issuer(&[ISSUER]);
        group.bench_function("verify/jsonwebtoken", |b| {
            b.iter(|| jsonwebtoken::decode::<serde_json::Value>(black_box(&text), &decoding, &validation).unwrap());
        });
        let mut header = Header::new(common::their_name(algorithm));
        header.kid = Some(key.id().as_str().to_owned());
        let claims: serde_json::Value = jsonwebtoken::decode(&text, &decoding, &validation).unwrap().claims;
        group.bench_function("sign/jsonwebtoken", |b| {
            b.iter(|| jsonwebtoken::encode(&header, black_box(&claims), &encoding).unwrap());
        });
        group.finish();
    }
}

criterion_group! {
    name = benches;
    config = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(900))
        .sample_size(30);
    targets = tokens
}
criterion_main!(benches);
