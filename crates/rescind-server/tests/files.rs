//! Files and settings that cannot be used: a message that names the file and the remedy, exit code 1 (2 for settings),
//! and nothing overwritten.
#![expect(clippy::unwrap_used, reason = "tests fail loudly, their helpers too")]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use support::{Server, home, serve_to_the_end};

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// A data directory that a server has used.
fn used() -> std::sync::Arc<tempfile::TempDir> {
    let server = Server::dev(&[]);
    let home = std::sync::Arc::clone(&server.home);
    let (status, log) = server.stop();
    assert_eq!(status.code(), Some(0), "{log}");
    home
}

#[test]
fn the_data_directory_is_made_for_its_owner_alone() {
    let home = used();
    let data = home.path().join("data");
    assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
    for file in ["root.key", "admin-token", "high-water"] {
        assert_eq!(data.join(file).metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file}");
    }
}

#[test]
fn a_secret_that_others_can_read_is_refused() {
    for file in ["root.key", "admin-token"] {
        let home = used();
        let path = home.path().join("data").join(file);
        let before = fs::read(&path).unwrap();
        mode(&path, 0o644);
        let (code, _, err) = serve_to_the_end(home.path(), &["--dev"]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(file) && err.contains("chmod 600"), "{err}");
        assert_eq!(fs::read(&path).unwrap(), before);
    }
}

#[test]
fn a_truncated_file_is_refused_and_left_as_it_is() {
    for file in ["root.key", "admin-token", "high-water", "rescind.db"] {
        let home = used();
        let path = home.path().join("data").join(file);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[..whole.len() / 3]).unwrap();
        let cut = fs::read(&path).unwrap();
        let (code, _, err) = serve_to_the_end(home.path(), &["--dev"]);
        assert_eq!(code, Some(1), "{file}: {err}");
        assert!(err.contains(file), "{err}");
        assert_eq!(fs::read(&path).unwrap(), cut, "{file}");
    }
}

#[test]
fn a_directory_in_place_of_a_file_is_refused() {
    for file in ["root.key", "admin-token", "rescind.db"] {
        let home = home();
        fs::create_dir_all(home.path().join("data").join(file)).unwrap();
        mode(&home.path().join("data"), 0o700);
        let (code, _, err) = serve_to_the_end(home.path(), &["--dev"]);
        assert_eq!(code, Some(1), "{file}: {err}");
        assert!(err.contains(file), "{err}");
    }
}

#[test]
fn a_data_directory_that_others_write_to_or_that_is_a_file_is_refused() {
    let home = used();
    mode(&home.path().join("data"), 0o777);
    let (code, _, err) = serve_to_the_end(home.path(), &["--dev"]);
    assert_eq!(code, Some(1));
    assert!(err.contains("chmod 700"), "{err}");
    let home = support::home();
    fs::write(home.path().join("data"), "x").unwrap();
    let (code, _, err) = serve_to_the_end(home.path(), &["--dev"]);
    assert_eq!((code, err.contains("--data")), (Some(1), true), "{err}");
}

#[test]
fn another_root_secret_than_the_stores_is_refused() {
    let (home, other) = (used(), used());
    let path = |home: &Path| home.join("data/root.key");
    fs::copy(path(other.path()), path(home.path())).unwrap();
    let (code, _, err) = serve_to_the_end(home.path(), &["--dev"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("root"), "{err}");
}

#[test]
fn a_missing_root_secret_is_not_replaced_where_the_store_has_keys() {
    let home = used();
    let data = home.path().join("data");
    let (root, token) = (data.join("root.key"), data.join("admin-token"));
    fs::rename(&root, home.path().join("kept")).unwrap();
    fs::remove_file(&token).unwrap();
    let (code, _, err) = serve_to_the_end(home.path(), &["--dev"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(
        err.contains("data/root.key: is missing") && err.contains("put it back") && err.contains("--data"),
        "{err}"
    );
    assert!(!root.exists() && !token.exists(), "nothing was made");
    fs::rename(home.path().join("kept"), &root).unwrap();
    assert_eq!(Server::dev_in(&home, &[]).get("/livez", None).status, 200);
}

#[test]
fn a_wrong_root_secret_in_the_environment_names_what_the_help_names() {
    let rescind = |argument: &str| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_rescind"));
        let output = command.args(["serve", argument]).env("RESCIND_ROOT_SECRET", "hunter2").output().unwrap();
        let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    let home = home();
    let (help, err) = (rescind("--help"), rescind(&format!("--data={}", home.path().join("data").display())));
    for form in ["64 hexadecimal digits", "rescind-root-v1:", "base64 of 32 bytes"] {
        assert!(help.contains(form) && err.contains(form), "{form}: {help}\n{err}");
    }
    assert!(err.contains("RESCIND_ROOT_SECRET") && err.contains("unset it") && !err.contains("hunter2"), "{err}");
}

#[test]
fn a_database_of_a_newer_version_is_refused() {
    let home = used();
    let path = home.path().join("data/rescind.db");
    let mut bytes = fs::read(&path).unwrap();
    // https://www.sqlite.org/fileformat.html §1.3: the user version, four bytes from byte 60.
    bytes[60..64].copy_from_slice(&9999_u32.to_be_bytes());
    fs::write(&path, &bytes).unwrap();
    let (code, _, err) = serve_to_the_end(home.path(), &["--dev"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("rescind.db") && err.contains("newer"), "{err}");
    assert_eq!(fs::read(&path).unwrap(), bytes);
}

#[test]
fn a_second_process_on_the_same_data_is_refused() {
    let server = Server::dev(&[]);
    let (code, _, err) = serve_to_the_end(server.home.path(), &["--dev"]);
    assert_eq!(code, Some(1), "{err}");
    assert!(err.contains("rescind.db"), "{err}");
    assert_eq!(server.get("/livez", None).status, 200);
}

#[test]
fn a_taken_address_is_named() {
    let server = Server::dev(&[]);
    let home = home();
    let taken = server.public.to_string();
    let (code, _, err) = serve_to_the_end(home.path(), &["--dev", "--listen", &taken]);
    assert_eq!(code, Some(1));
    assert!(err.contains(&taken) && err.contains("listen"), "{err}");
}

#[test]
fn flags_that_contradict_are_refused_before_anything_is_made() {
    for (args, named) in [
        (&["--dev", "--listen", "0.0.0.0:0"][..], "loopback"),
        (&["--dev", "--admin-listen", "0.0.0.0:0"], "loopback"),
        (&["--dev", "--production"], "exclude"),
        (&["--production", "--issuer", "https://id.example", "--store", "memory:"], "memory"),
        (&["--production", "--issuer", "http://id.example"], "https"),
        (&["--production"], "issuer"),
        (&["--store", "mysql:x"], "store"),
        (&["--access-lifetime", "15"], "unit"),
        (&["--no-such-flag"], "no-such-flag"),
    ] {
        let home = home();
        let (code, _, err) = serve_to_the_end(home.path(), args);
        assert_eq!(code, Some(2), "{args:?}: {err}");
        assert!(err.contains(named), "{args:?}: {err}");
        assert!(!home.path().join("data").exists(), "{args:?}");
    }
}

#[test]
fn a_wrong_configuration_file_is_named_with_its_key() {
    let home = home();
    let file = home.path().join("rescind.toml");
    for (text, named) in
        [("isuer = 'x'", "isuer"), ("grace = 10", "grace"), ("[[clients]]\nname = 'x'", "name"), ("=", "rescind.toml")]
    {
        fs::write(&file, text).unwrap();
        let (code, _, err) = serve_to_the_end(home.path(), &["--config", file.to_str().unwrap()]);
        assert_eq!(code, Some(1), "{err}");
        assert!(err.contains(named), "{text}: {err}");
    }
    let (code, _, err) = serve_to_the_end(home.path(), &["--config", "missing.toml"]);
    assert_eq!((code, err.contains("missing.toml")), (Some(1), true), "{err}");
}

#[test]
fn a_restart_keeps_every_session() {
    let server = Server::dev(&["--issuer", "http://127.0.0.1:1"]);
    let (kept, dead) = (server.sign_in(), server.sign_in());
    server.logout(&dead.access, "{}");
    let home = std::sync::Arc::clone(&server.home);
    let (status, _) = server.stop();
    assert_eq!(status.code(), Some(0));
    let server = Server::dev_in(&home, &["--issuer", "http://127.0.0.1:1"]);
    assert_eq!((server.me(&kept), server.me(&dead)), (200, 401));
    assert!(server.refreshes(&kept) && !server.refreshes(&dead));
}
