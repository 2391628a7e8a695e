//! What the configuration takes and refuses.

use super::*;

fn refused(settings: Settings) -> String {
    Config::resolve(settings).unwrap_err().to_string()
}

#[test]
fn flags_win_over_the_file() {
    let file: Settings = toml::from_str("issuer = 'https://file.example'\naudience = 'from-file'").unwrap();
    let flags = Settings { issuer: Some("https://flag.example".into()), ..Settings::default() };
    let config = Config::resolve(flags.or(file)).unwrap();
    assert_eq!(config.issuer.as_deref(), Some("https://flag.example"));
    assert_eq!(config.audience.as_deref(), Some("from-file"));
}

#[test]
fn an_unknown_key_of_the_file_is_named() {
    let error = toml::from_str::<Settings>("isuer = 'https://x.example'").unwrap_err().to_string();
    assert!(error.contains("isuer"), "{error}");
    let error = toml::from_str::<Settings>("[[clients]]\nid = 'a'\nsecrt = 'x'").unwrap_err().to_string();
    assert!(error.contains("secrt"), "{error}");
}

#[test]
fn proxies_are_named_by_address() {
    let file: Settings = toml::from_str("trusted_proxies = ['10.0.0.1', '::ffff:10.0.0.2']").unwrap();
    let config = Config::resolve(file).unwrap();
    assert_eq!(*config.trusted_proxies, [IpAddr::from([10, 0, 0, 1]), IpAddr::from([10, 0, 0, 2])]);
    assert!(toml::from_str::<Settings>("trusted_proxies = ['10.0.0.0/8']").is_err());
    let tls = Settings { issuer: Some("https://id.example".into()), ..Settings::default() };
    assert!(Config::resolve(tls).unwrap().proxy_is_unnamed());
}

#[test]
fn dev_listens_on_loopback_only() {
    for (listen, admin) in [("0.0.0.0:7000", "127.0.0.1:7001"), ("127.0.0.1:7000", "[::]:7001")] {
        let settings = Settings {
            dev: Some(true),
            listen: Some(listen.parse().unwrap()),
            admin_listen: Some(admin.parse().unwrap()),
            ..Settings::default()
        };
        assert!(refused(settings).contains("loopback"));
    }
}

#[test]
fn production_refuses_what_is_for_trying_out() {
    let production =
        || Settings { production: Some(true), issuer: Some("https://id.example".into()), ..Settings::default() };
    assert!(Config::resolve(production()).is_ok());
    assert!(refused(Settings { dev: Some(true), ..production() }).contains("exclude"));
    assert!(refused(Settings { store: Some("memory:".into()), ..production() }).contains("store"));
    assert!(refused(Settings { issuer: Some("http://id.example".into()), ..production() }).contains("https"));
    assert!(refused(Settings { issuer: None, ..production() }).contains("issuer"));
}

#[test]
fn a_wrong_value_is_named_with_its_setting() {
    let table: [(Settings, &str); 7] = [
        (Settings { issuer: Some("ftp://x".into()), ..Settings::default() }, "issuer"),
        (Settings { issuer: Some("https://x.example/?q".into()), ..Settings::default() }, "issuer"),
        (Settings { store: Some("mysql:x".into()), ..Settings::default() }, "store"),
        (Settings { algorithm: Some("none".into()), ..Settings::default() }, "algorithm"),
        (Settings { leeway: Some("61s".parse().unwrap()), ..Settings::default() }, "leeway"),
        (Settings { on_stale: Some("allow".into()), ..Settings::default() }, "on_stale"),
        (Settings { max_connections: Some(0), ..Settings::default() }, "max_connections"),
    ];
    for (settings, name) in table {
        let error = refused(settings);
        assert!(error.contains(&format!("setting {name}:")), "{error}");
    }
}

#[test]
fn a_client_that_never_rotates_needs_a_secret_that_cannot_be_guessed() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let client = |more: &str| toml::from_str::<Settings>(&format!("[[clients]]\nid = 'a'\n{more}")).unwrap();
    assert!(refused(client("class = 'fixed'")).contains("secret_file"));
    let secret = format!("class = 'fixed'\nsecret_file = '{}'", file.path().display());
    std::fs::write(file.path(), "x".repeat(21)).unwrap();
    assert!(refused(client(&secret)).contains("22 characters"));
    std::fs::write(file.path(), "x".repeat(22)).unwrap();
    assert!(Config::resolve(client(&secret)).is_ok());
}
