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

// holds: 70 (an `https` issuer), R23
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

// holds: R4
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

// holds: 9
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

fn file(text: &str) -> Settings {
    toml::from_str(text).unwrap()
}

fn providers(settings: Settings) -> Vec<ProviderConfig> {
    Config::resolve(settings).unwrap().providers
}

#[test]
fn google_needs_no_more_than_a_client_and_its_secret() {
    let secrets = Secrets { feed: None, google: Secret::new("from-the-environment\n"), oidc: None };
    let google = || Settings { google_client_id: Some("id".into()), secrets: secrets.clone(), ..Settings::default() };
    let [provider] = providers(google()).try_into().unwrap();
    assert_eq!((provider.name.as_str(), provider.title().as_str()), ("google", "Google"));
    assert_eq!(provider.issuer, "https://accounts.google.com");
    assert_eq!(provider.secret.as_ref().map(Secret::expose), Some("from-the-environment"));
    assert_eq!(provider.allow, Allowed::Nobody, "no default that trusts");
    assert!(!format!("{provider:?}").contains("from-the-environment"));

    let missing = refused(Settings { secrets: Secrets::default(), ..google() });
    assert!(missing.contains("RESCIND_GOOGLE_CLIENT_SECRET"), "{missing}");
    let lonely = refused(Settings { google_client_id: None, ..google() });
    assert!(
        lonely.contains("setting google_client_id:") && lonely.contains("RESCIND_GOOGLE_CLIENT_SECRET"),
        "{lonely}"
    );
    let both = refused(Settings { google_client_secret_file: Some("x".into()), ..google() });
    assert!(both.contains("leave one out"), "{both}");
}

#[test]
fn providers_of_the_file_and_of_flags_stand_side_by_side() {
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cret\n").unwrap();
    let secret = secret.path().display();
    let settings = file(&format!(
        "oidc_name = 'keycloak'\noidc_issuer = 'https://sso.example/realms/a'\noidc_client_id = 'a'\noidc_allow = ['*']\n\
         [[providers]]\nname = 'google'\nclient_id = 'b'\nsecret_file = '{secret}'\nallow = ['@example.com', 'sub:7']\n\
         [[providers]]\nname = 'okta-2'\nissuer = 'https://okta.example'\nclient_id = 'c'\nscopes = 'openid'"
    ));
    let [keycloak, google, okta] = providers(settings).try_into().unwrap();
    assert_eq!((keycloak.title().as_str(), keycloak.allow), ("Keycloak", Allowed::Everyone));
    assert!(keycloak.secret.is_none(), "a public client");
    assert_eq!(google.secret.as_ref().map(Secret::expose), Some("s3cret"));
    assert_eq!(google.allow, Allowed::Listed(vec!["@example.com".into(), "sub:7".into()]));
    assert_eq!((okta.scopes.as_str(), google.scopes.as_str()), ("openid", "openid email profile"));
}

#[test]
fn a_bad_provider_is_named_with_its_setting_and_the_remedy() {
    let row = |more: &str| format!("[[providers]]\nname = 'a'\nclient_id = 'c'\nissuer = 'https://a.example'\n{more}");
    let two = format!("{}[[providers]]\nname = 'b'\nclient_id = 'c'\nissuer = 'https://a.example'", row(""));
    for (text, setting, word) in [
        (row("allow = ['example.com']"), "providers.allow", "@domain"),
        (row("allow = ['alice@*.example.com']"), "providers.allow", "none of"),
        (row("allow = ['sub:']"), "providers.allow", "none of"),
        (row("scopes = 'email'"), "providers.scopes", "openid"),
        (row("secret_file = '/no/such/file'"), "providers.secret_file", "/no/such/file"),
        (row("").replace("'c'", "''"), "providers.client_id", "empty"),
        (row("").replace("'a'", "'A b'"), "providers.name", "a-z"),
        (row("").replace("'a'", "'google'"), "providers.issuer", "another name"),
        (row("").replace("https://a", "http://a"), "providers.issuer", "https://"),
        (row("").replace("a.example", "a.example/?x"), "providers.issuer", "query"),
        (row("") + &row(""), "providers.name", "twice"),
        (two, "providers.issuer", "already"),
        ("[[providers]]\nname = 'a'\nclient_id = 'c'".into(), "providers.issuer", "missing"),
        ("oidc_issuer = 'https://a.example'".into(), "oidc_client_id", "oidc_issuer"),
        ("oidc_allow = ['*']".into(), "oidc_issuer", "oidc_allow"),
    ] {
        let error = refused(file(&text));
        assert!(error.contains(&format!("setting {setting}:")) && error.contains(word), "{text}\n{error}");
    }
    let unknown = toml::from_str::<Settings>(&row("client_secret = 'x'")).unwrap_err().to_string();
    assert!(unknown.contains("client_secret"), "a secret has no place in the file: {unknown}");
}

#[test]
fn a_providers_secret_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let secret = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(secret.path(), "s3cret").unwrap();
    std::fs::set_permissions(secret.path(), std::fs::Permissions::from_mode(0o644)).unwrap();
    let settings = Settings {
        google_client_id: Some("id".into()),
        google_client_secret_file: Some(secret.path().into()),
        ..Settings::default()
    };
    let error = refused(settings);
    assert!(error.contains("setting google_client_secret_file:") && error.contains("chmod 600"), "{error}");
}

#[test]
fn an_issuer_in_plain_http_is_for_trying_out_on_this_machine() {
    let here = "oidc_issuer = 'http://localhost:8080'\noidc_client_id = 'a'";
    assert_eq!(providers(file(here)).len(), 1);
    let production = Settings { production: Some(true), issuer: Some("https://id.example".into()), ..file(here) };
    assert!(refused(production).contains("--production needs https://"));
}

#[test]
fn a_provider_sends_people_back_over_https_or_to_this_machine() {
    let provider = || file("oidc_issuer = 'https://sso.example'\noidc_client_id = 'a'");
    let with = |issuer: &str| Settings { issuer: Some(issuer.into()), ..provider() };
    for good in ["https://id.example", "http://localhost:7000", "http://127.0.0.2:7000", "http://[::1]:7000"] {
        assert!(Config::resolve(with(good)).is_ok(), "{good}");
    }
    assert!(refused(with("http://id.lan")).contains("setting issuer:"));
    let everywhere = Settings { listen: Some("0.0.0.0:7000".parse().unwrap()), ..provider() };
    assert!(refused(everywhere).contains("setting issuer:"));
    let alone = Settings { issuer: Some("http://id.lan".into()), ..Settings::default() };
    assert!(Config::resolve(alone).is_ok(), "without a provider it is the operator's matter");
}
