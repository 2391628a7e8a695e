//! The root secret's file and text, and what is derived from it.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;

use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Salt};
use rescind::keys::{Algorithm, KeyError, RootSecret, RootSecretError, SigningKey};
use rescind::random::{Random, RandomFailed, SystemRandom};

#[test]
fn the_first_start_makes_a_private_file_and_the_second_reads_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let made = RootSecret::load_or_create(&path).unwrap();
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.starts_with("rescind-root-v1:") && text.ends_with('\n') && text.len() == 81, "{text}");
    let read = RootSecret::load_or_create(&path).unwrap();
    assert_eq!(read.fingerprint(), made.fingerprint());
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1, "no draft is left");
}

#[test]
fn processes_that_start_at_once_get_one_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    let all: Vec<String> = std::thread::scope(|scope| {
        let start = || RootSecret::load_or_create(&path).unwrap().fingerprint();
        let threads: Vec<_> = (0..16).map(|_| scope.spawn(start)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(all.iter().all(|fingerprint| *fingerprint == all[0]));
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
}

#[test]
fn a_file_that_is_not_as_it_should_be_is_refused_and_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    RootSecret::load_or_create(&path).unwrap();
    let good = fs::read_to_string(&path).unwrap();
    let hex = good.trim_start_matches("rescind-root-v1:");
    let cut = &good[..good.len() - 2];
    for content in ["", cut, &good[..16], hex, &good.replace('v', "w"), &format!("{good}{good}"), "rescind-root-v1:zz"]
    {
        fs::write(&path, content).unwrap();
        let error = RootSecret::load_or_create(&path).unwrap_err();
        assert!(matches!(error, RootSecretError::File { .. }), "{content:?}: {error}");
        assert!(error.to_string().contains("root.key"), "{error}");
        assert_eq!(fs::read_to_string(&path).unwrap(), content);
    }
    fs::write(&path, [0xff; 81]).unwrap();
    assert!(matches!(RootSecret::load_or_create(&path), Err(RootSecretError::File { .. })));
    fs::write(&path, &good).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
        fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
        let error = RootSecret::load_or_create(&path).unwrap_err();
        assert!(matches!(error, RootSecretError::Permissions { mode: seen, .. } if seen == mode), "{error}");
        assert!(error.to_string().contains("chmod 600"), "{error}");
    }
    assert!(matches!(
        RootSecret::load_or_create(directory.path()),
        Err(RootSecretError::NotAFile { .. } | RootSecretError::Read { .. })
    ));
    let nowhere = directory.path().join("missing/root.key");
    let error = RootSecret::load_or_create(&nowhere).unwrap_err();
    assert!(matches!(error, RootSecretError::Create { .. }), "{error}");
}

#[test]
fn without_randomness_nothing_is_made() {
    struct Dry;
    impl Random for Dry {
        fn fill(&self, _: &mut [u8]) -> Result<(), RandomFailed> {
            Err(RandomFailed)
        }
    }
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("root.key");
    assert!(matches!(RootSecret::load_or_create_with(&path, &Dry), Err(RootSecretError::Random(_))));
    assert!(!path.exists());
}

#[test]
fn the_text_is_read_in_three_forms() {
    let hex = "00".repeat(31) + "fF";
    let base64 = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAP8";
    let mut bytes = [0; 32];
    bytes[31] = 0xff;
    let expected = RootSecret::from_bytes(bytes).fingerprint();
    for text in [&hex, &format!(" {hex}\n"), &format!("rescind-root-v1:{hex}"), base64, &format!("{base64}=")] {
        assert_eq!(RootSecret::from_text(text).unwrap().fingerprint(), expected, "{text}");
    }
    for text in ["", "password", &hex[1..], &hex.replace("fF", "fg"), &hex.replace("fF", "+f"), "AAAA"] {
        assert!(matches!(RootSecret::from_text(text), Err(RootSecretError::Text)), "{text}");
    }
}

struct Bytes32;

impl KeyType for Bytes32 {
    fn len(&self) -> usize {
        32
    }
}

#[test]
fn derivation_is_hkdf_and_each_purpose_has_its_own_key() {
    let root = RootSecret::from_bytes([9; 32]);
    let hkdf = |info: &[&[u8]]| {
        let mut key = [0; 32];
        let prk = Salt::new(HKDF_SHA256, b"rescind root v1").extract(&[9; 32]);
        prk.expand(info, Bytes32).unwrap().fill(&mut key).unwrap();
        key
    };
    assert_eq!(root.cookie_key().as_bytes(), &hkdf(&[b"cookie"]));
    assert_eq!(root.sealing_key().as_bytes(), &hkdf(&[b"key sealing"]));
    assert_eq!(root.refresh_mac_key(7).as_bytes(), &hkdf(&[b"refresh mac ", &[0, 0, 0, 7]]));
    assert_ne!(root.refresh_mac_key(1).as_bytes(), root.refresh_mac_key(2).as_bytes());
}

#[test]
fn nothing_secret_is_printed() {
    let root = RootSecret::from_bytes([0xab; 32]);
    let id = rescind::id::KeyId::new("k").unwrap();
    let key = SigningKey::import(Algorithm::Hs256, id, b"0123456789abcdef0123456789abcdef").unwrap();
    let shown = format!("{root:?} {:?} {key:?} {:?}", root.cookie_key(), key.verifying_key().unwrap());
    assert!(!shown.contains("abab") && !shown.contains("171") && !shown.contains("0123"), "{shown}");
}

// holds: 57
#[test]
fn weak_or_wrong_private_keys_are_refused() {
    let id = || rescind::id::KeyId::new("k").unwrap();
    let import = |algorithm, bytes: &[u8]| SigningKey::import(algorithm, id(), bytes).err();
    assert_eq!(import(Algorithm::Hs256, &[1; 31]), Some(KeyError::SecretTooShort));
    assert_eq!(import(Algorithm::Hs256, b""), Some(KeyError::SecretTooShort));
    for algorithm in Algorithm::EVERY {
        let key = SigningKey::generate(algorithm, id(), &SystemRandom).unwrap();
        let private = key.export_secret().unwrap();
        assert_eq!(import(algorithm, &private), None, "{algorithm}");
        for other in [Algorithm::EdDSA, Algorithm::Es256] {
            if other != algorithm {
                assert_eq!(import(other, &private), Some(KeyError::Malformed(other)), "{algorithm} as {other}");
            }
        }
        if !algorithm.is_symmetric() {
            assert_eq!(import(algorithm, &private[..20]), Some(KeyError::Malformed(algorithm)));
        }
    }
    let long = rescind::id::KeyId::new("k".repeat(129)).unwrap();
    assert_eq!(SigningKey::generate(Algorithm::EdDSA, long, &SystemRandom).err(), Some(KeyError::Kid));
}
