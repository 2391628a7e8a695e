//! No secret reaches the log, not even at its most talkative.

mod support;

use serde_json::json;
use support::{FORM, Server, exchange};

// holds: 131
#[test]
fn a_whole_round_at_trace_level_logs_no_secret() {
    for format in ["text", "json"] {
        let server = Server::dev(&["--log", "trace", "--log-format", format]);
        let mut secrets =
            vec![server.admin_token(), "password-typed-wrong".to_owned(), "secret-of-a-client".to_owned()];
        let root = std::fs::read_to_string(server.data().join("root.key")).unwrap();
        secrets.push(root.trim().rsplit(':').next().unwrap().to_owned());
        server.json("/login", &json!({ "username": "demo", "password": "password-typed-wrong" }));
        server.form("/login", "username=demo&password=password-typed-wrong");
        let cookies = server.form("/login", "username=demo&password=demo");
        secrets
            .extend(cookies.all("set-cookie").iter().filter_map(|it| it.split([';', '=']).nth(1)).map(str::to_owned));
        let first = server.sign_in();
        let second = server.refresh(&first.refresh).pair();
        server.refresh(&first.refresh);
        server.me(&second);
        server.get(&format!("/me?access_token={}", second.access), None);
        server.get(&format!("/{}", second.access), None);
        // Secrets that are short, have a slash or look like a session's id, in paths that are there and that are not.
        let in_paths =
            ["client-secret-of-22-chr", "feed/token/of/the/operator/in/parts", "0198c0de-5ec2-7000-8000-00000000abcd"];
        for path in in_paths
            .iter()
            .flat_map(|it| [format!("/{it}"), format!("/sessions/{it}"), format!("/admin/v1/sessions/{it}")])
        {
            server.get(&path, None);
            exchange(server.admin, "GET", &path, &[("authorization", "Bearer wrong")], b"");
        }
        secrets.extend(in_paths.map(str::to_owned));
        server.get("/me", Some(&format!("{}x", second.access)));
        server.form(
            "/oauth/token",
            &format!("grant_type=refresh_token&refresh_token={}&refresh_token=x", second.refresh),
        );
        server.form("/oauth/token", "grant_type=refresh_token&client_id=x&client_secret=secret-of-a-client");
        let admin = format!("Bearer {}", server.admin_token());
        let headers = [("authorization", admin.as_str()), ("content-type", FORM)];
        server.send("POST", "/oauth/introspect", &headers, &format!("token={}", second.access));
        server.form("/oauth/revoke", &format!("token={}", second.access));
        server.logout(&second.access, "{}");
        for pair in [&first, &second] {
            secrets.extend([pair.access.clone(), pair.refresh.clone()]);
            // The signature alone, and the MAC's end, are no less secret.
            secrets.push(pair.access.rsplit('.').next().unwrap().to_owned());
            secrets.push(pair.refresh[pair.refresh.len() - 20..].to_owned());
        }
        let (status, log) = server.stop();
        assert_eq!(status.code(), Some(0));
        assert!(log.contains("DEBUG"), "the log is talkative");
        for route in ["/sessions/{sid}", "/admin/v1/sessions/{sid}", "(unknown)"] {
            assert!(log.contains(route), "{format}: the log names {route}");
        }
        for secret in secrets {
            assert!(!log.contains(&secret), "{format}: {secret} is in the log");
        }
    }
}

// holds: R36
#[test]
fn the_database_holds_no_token_and_no_secret() {
    use base64::Engine;
    let server = Server::dev(&[]);
    let first = server.sign_in();
    let second = server.refresh(&first.refresh).pair();
    server.form("/oauth/revoke", &format!("token={}", first.access));
    let mut secrets = vec![server.admin_token().into_bytes()];
    let root = std::fs::read_to_string(server.data().join("root.key")).unwrap();
    secrets.push(root.trim().rsplit(':').next().unwrap().as_bytes().to_vec());
    for pair in [&first, &second] {
        secrets.extend([pair.access.clone().into_bytes(), pair.refresh.clone().into_bytes()]);
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&pair.refresh["rrt_".len()..]).unwrap();
        secrets.push(bytes[bytes.len() - 16..].to_vec());
        secrets.push(pair.access.rsplit('.').next().unwrap().as_bytes().to_vec());
    }
    let mut seen = 0;
    for name in ["rescind.db", "rescind.db-wal"] {
        let file = std::fs::read(server.data().join(name)).unwrap();
        seen += usize::from(file.windows(4).any(|four| four == b"demo"));
        for secret in &secrets {
            assert!(
                !file.windows(secret.len()).any(|part| part == secret),
                "{name}: {}",
                String::from_utf8_lossy(secret)
            );
        }
    }
    assert!(seen > 0, "the user's name is there to be found");
}
