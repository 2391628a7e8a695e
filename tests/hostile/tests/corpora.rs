//! Every input that was worth keeping, given to its target again: without a fuzzer, on every run.
#![cfg(test)]

use std::collections::BTreeSet;
use std::path::PathBuf;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use rescind::access_token::Unverified;
use rescind::keys::{Algorithm, KeyRing};
use rescind::random::SystemRandom;
use rescind_hostile::dice::Dice;
use rescind_hostile::targets::TARGETS;
use rescind_hostile::{forge, ground};

fn corpora() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus")
}

#[test]
fn each_kept_input_still_keeps_the_promises_of_its_target() {
    if std::env::var_os("RESCIND_BLESS").is_some() {
        bless();
    }
    let mut broken = Vec::new();
    for (name, run) in TARGETS {
        let mut inputs: Vec<_> =
            std::fs::read_dir(corpora().join(name)).unwrap().map(|it| it.unwrap().path()).collect();
        inputs.sort();
        assert!(!inputs.is_empty(), "{name} has no corpus");
        for input in inputs {
            let bytes = std::fs::read(&input).unwrap();
            if std::panic::catch_unwind(|| run(&bytes)).is_err() {
                broken.push(input);
            }
        }
    }
    assert_eq!(broken, Vec::<PathBuf>::new(), "what broke which promise stands above");
}

/// Writes the keys, where there are none, and the inputs that only these keys make good.
fn bless() {
    if !ground::keys_file().exists() {
        let ring = KeyRing::new(&Algorithm::EVERY, &SystemRandom).unwrap();
        std::fs::write(ground::keys_file(), ring.to_document(&ground::root(), &SystemRandom).unwrap()).unwrap();
    }
    let write =
        |target: &str, name: &str, bytes: &[u8]| std::fs::write(corpora().join(target).join(name), bytes).unwrap();
    let key = ground::key(Algorithm::EdDSA);
    let token = forge::access_token(&mut Dice::new(&[])).text;
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let plain = format!(r#"{{"alg":"EdDSA","typ":"at+jwt","kid":"{}"}}"#, key.id());
    let other = format!(r#"{{ "kid" : "{}", "typ" : "APPLICATION/AT+JWT", "x5t" : "x", "alg" : "EdDSA" }}"#, key.id());
    for (name, header) in [("good", plain), ("good-header-order", other)] {
        write("access_token_header", name, header.as_bytes());
        write("access_token", name, ground::sign(key, &header, &payload).as_bytes());
    }
}

/// Whoever replaces the keys makes every other input a token of nobody's.
#[test]
fn what_the_corpora_call_good_is_good() {
    let inputs = |target: &str| -> Vec<Vec<u8>> {
        let paths = std::fs::read_dir(corpora().join(target)).unwrap().map(|it| it.unwrap().path());
        let good = paths.filter(|path| path.file_name().unwrap().to_string_lossy().starts_with("good"));
        good.map(|path| std::fs::read(path).unwrap()).collect()
    };
    let (tokens, rings) = (inputs("access_token"), inputs("key_ring"));
    assert!(!tokens.is_empty() && !rings.is_empty());
    for token in tokens {
        let parsed = Unverified::parse(std::str::from_utf8(&token).unwrap()).unwrap();
        parsed.verify(ground::expectations(), ground::ring(), ground::NOW).unwrap();
    }
    for ring in rings {
        KeyRing::from_document(&ring, &ground::root()).unwrap();
    }
}

#[test]
fn each_target_has_an_entry_for_the_fuzzer_and_each_corpus_a_target() {
    let fuzz = corpora().join("..");
    let names = |folder: &str| -> BTreeSet<String> {
        let entries = std::fs::read_dir(fuzz.join(folder)).unwrap();
        let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
        entries.map(|entry| name(entry.unwrap().path())).collect()
    };
    let targets: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest = std::fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for name in &targets {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is missing in fuzz/Cargo.toml");
    }
}

#[test]
fn the_fuzzer_is_built_from_the_same_versions_as_the_rest() {
    let root = corpora().join("../..");
    let packages = |file: PathBuf| -> BTreeSet<(String, String)> {
        let lock: toml::Table = std::fs::read_to_string(file).unwrap().parse().unwrap();
        let text = |package: &toml::Value, name: &str| package[name].as_str().unwrap().to_owned();
        lock["package"].as_array().unwrap().iter().map(|it| (text(it, "name"), text(it, "version"))).collect()
    };
    let (ours, theirs) = (packages(root.join("Cargo.lock")), packages(root.join("fuzz/Cargo.lock")));
    let only_the_fuzzer_s = ["arbitrary", "libfuzzer-sys", "rescind-fuzz"];
    let other: Vec<_> =
        theirs.difference(&ours).filter(|(name, _)| !only_the_fuzzer_s.contains(&name.as_str())).collect();
    assert!(other.is_empty(), "copy Cargo.lock to fuzz/Cargo.lock and run `cargo metadata` there: {other:?}");
}
