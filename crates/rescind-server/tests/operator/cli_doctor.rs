//! `rescind doctor`: what is well, what is not, and what to do about it; with and without a server.

use serde_json::Value;

use crate::running::{Ran, Running, chmod, rescind, run};

fn doctor(data: &str, more: &[&str]) -> Ran {
    run(&mut rescind(&[&["doctor", "--data", data], more].concat()), "")
}

/// The findings of a part: level and text.
fn part(data: &str, name: &str) -> (String, String) {
    let ran = doctor(data, &["--json"]);
    let findings: Vec<Value> = ran.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let found = findings.iter().find(|finding| finding["part"] == name);
    let found = found.unwrap_or_else(|| panic!("no finding for {name}: {findings:?}"));
    (found["level"].as_str().unwrap().to_owned(), found.to_string())
}

#[test]
fn a_running_server_is_well_in_every_part() {
    let server = Running::start();
    let data = server.server.data();
    let shown = doctor(data.to_str().unwrap(), &[]).ok();
    for name in [
        "configuration",
        "data",
        "root.key",
        "admin-token",
        "high-water",
        "database",
        "disk",
        "clock",
        "server",
        "view",
    ] {
        let line = shown
            .lines()
            .find(|line| line.contains(&format!("  {name} ")))
            .unwrap_or_else(|| panic!("{name}: {shown}"));
        assert!(line.starts_with("ok") || name == "disk", "{shown}");
    }
}

#[test]
fn a_stopped_server_is_a_warning_and_broken_files_fail() {
    let server = Running::start();
    let scratch = tempfile::tempdir().unwrap();
    let copy = scratch.path().join("data");
    std::fs::create_dir(&copy).unwrap();
    chmod(&copy, 0o700);
    for file in ["root.key", "admin-token", "high-water", "rescind.db"] {
        std::fs::copy(server.server.data().join(file), copy.join(file)).unwrap();
    }
    let data = copy.to_str().unwrap();
    // Nobody is asked at the default address: another server may stand there.
    let nobody = ["--server", "http://127.0.0.1:1"];
    let ran = doctor(data, &nobody);
    assert_eq!(ran.code, 0, "{ran:?}");
    assert!(ran.out.lines().any(|line| line.starts_with("warn") && line.contains("server")), "{}", ran.out);

    chmod(&copy.join("root.key"), 0o644);
    let ran = doctor(data, &nobody);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("chmod 600") && ran.err.contains("1 check failed"), "{ran:?}");
    chmod(&copy.join("root.key"), 0o600);

    std::fs::write(copy.join("rescind.db"), "not a database at all").unwrap();
    assert_eq!(part(data, "database").0, "fail");
    std::fs::remove_file(copy.join("high-water")).unwrap();
    let (level, text) = part(data, "high-water");
    assert!(level == "fail" && text.contains("rescind revoke all"), "{text}");
    chmod(&copy, 0o777);
    assert_eq!(part(data, "data").0, "fail");
    chmod(&copy, 0o700);
}

#[test]
fn a_directory_that_is_not_there_fails_with_the_remedy() {
    let ran = doctor("/no/such/directory", &[]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains("does not exist") && ran.out.contains("--data DIR"), "{}", ran.out);
}

#[test]
fn a_configuration_that_the_server_would_refuse_fails() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().to_str().unwrap();
    let file = scratch.path().join("rescind.toml");
    for (text, word) in [
        ("access_lifetime = 15", "access_lifetime"),
        ("no_such_setting = 1", "no_such_setting"),
        ("= x", "rescind.toml"),
    ] {
        std::fs::write(&file, text).unwrap();
        let ran = doctor(data, &["--config", file.to_str().unwrap()]);
        assert_eq!(ran.code, 1, "{ran:?}");
        let line = ran.out.lines().find(|line| line.starts_with("FAIL") && line.contains("configuration")).unwrap();
        assert!(line.contains(word), "{}", ran.out);
    }
    let mut command = rescind(&["doctor", "--data", data]);
    let ran = run(command.env("RESCIND_ACCESS_LIFETIME", "soon"), "");
    assert!(ran.code == 1 && ran.out.contains("environment"), "{ran:?}");
}

#[test]
fn looking_changes_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    doctor(scratch.path().to_str().unwrap(), &[]);
    assert_eq!(std::fs::read_dir(scratch.path()).unwrap().count(), 0);
}

#[test]
fn a_root_secret_in_the_environment_takes_the_place_of_its_file() {
    let scratch = tempfile::tempdir().unwrap();
    chmod(scratch.path(), 0o700);
    std::fs::write(scratch.path().join("rescind.db"), "x").unwrap();
    let root_key = |secret: Option<&str>| {
        let data = scratch.path().to_str().unwrap();
        let mut command = rescind(&["doctor", "--data", data, "--server", "http://127.0.0.1:1"]);
        let out = run(command.envs(secret.map(|secret| ("RESCIND_ROOT_SECRET", secret))), "").out;
        out.lines().find(|line| line.contains("  root.key ")).unwrap().to_owned()
    };
    assert!(root_key(Some(&"5a".repeat(32))).starts_with("ok"));
    let bad = root_key(Some("no-secret"));
    assert!(bad.starts_with("FAIL") && !bad.contains("no-secret"), "{bad}");
    assert!(root_key(None).starts_with("FAIL"));
}

#[test]
fn each_provider_is_told_with_what_its_console_has_to_know_and_who_may_come_in() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path().to_str().unwrap();
    let file = scratch.path().join("rescind.toml");
    let config = "issuer = 'https://id.example.com'\ntrusted_proxies = ['127.0.0.1']\n\
        [[providers]]\nname = 'acme'\nissuer = 'https://sso.example'\nclient_id = 'a'\nallow = ['@example.com']\n\
        [[providers]]\nname = 'quiet'\nissuer = 'https://quiet.example'\nclient_id = 'b'\n";
    std::fs::write(&file, config).unwrap();
    let ran = doctor(data, &["--config", file.to_str().unwrap()]);
    let line = |name: &str| ran.out.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{}", ran.out));
    let acme = line("acme");
    assert!(acme.starts_with("ok") && acme.contains("@example.com may sign in"), "{acme}");
    assert!(acme.contains("https://id.example.com/login/acme/callback"), "{acme}");
    assert!(line("quiet").starts_with("warn"), "{}", ran.out);
    let mut lonely = rescind(&["doctor", "--data", data]);
    let ran = run(lonely.env("RESCIND_GOOGLE_CLIENT_SECRET", "hunter2"), "");
    assert!(ran.code == 1 && ran.out.contains("google_client_id") && !ran.out.contains("hunter2"), "{ran:?}");
}
