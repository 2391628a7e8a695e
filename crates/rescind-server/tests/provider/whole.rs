//! The whole way of somebody who signs in at a provider: let in or not, their session, and its end by either side.

use rustix::fs::{FlockOperation, fcntl_lock};
use serde_json::{Value, json};

use crate::idp::{CLIENT, Idp, SECRET};
use crate::support::{FORM, JSON, Reply, Server, exchange, home, wait_until};

const ACCESS: &str = "__Host-rescind_access";
const REFRESH: &str = "__Host-rescind_refresh";

/// A server whose one provider runs, and lets in who has an address at example.com.
struct Scene {
    idp: Idp,
    server: Server,
}

/// What a browser keeps, by name.
#[derive(Default, Clone)]
struct Jar(Vec<(String, String)>);

impl Jar {
    fn take(&mut self, reply: &Reply) {
        for cookie in reply.all("set-cookie") {
            let (pair, attributes) = cookie.split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.0.retain(|(other, _)| other != name);
            if !attributes.contains("Max-Age=0") {
                self.0.push((name.to_owned(), value.to_owned()));
            }
        }
    }

    fn all(&self) -> String {
        self.0.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    /// What a browser sends along when another site has sent it: nothing that is `SameSite=Strict`.
    fn sent_from_elsewhere(&self) -> Self {
        let strict = |name: &str| [ACCESS, REFRESH].contains(&name);
        Self(self.0.iter().filter(|(name, _)| !strict(name)).cloned().collect())
    }

    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }
}

impl Scene {
    fn start(more: &[&str]) -> Self {
        let idp = Idp::start();
        let home = home();
        let secret = home.path().join("secret");
        std::fs::write(&secret, SECRET).unwrap();
        std::fs::set_permissions(&secret, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        let (issuer, secret) = (idp.issuer(), secret.to_str().unwrap().to_owned());
        let flags = ["--oidc-name", "acme", "--oidc-issuer", &issuer, "--oidc-client-id", CLIENT];
        let secret = ["--oidc-client-secret-file", &secret, "--oidc-allow", "@example.com"];
        let server = Server::dev_in(&home, &[&flags[..], &secret, more].concat());
        Self { idp, server }
    }

    /// The answer of the callback, and what the browser holds then.
    fn sign_in(&self, who: &Value, mut jar: Jar) -> (Reply, Jar) {
        let (callback, begun) = self.sent_back(who, jar);
        jar = begun;
        let headers = [("cookie", &*jar.sent_from_elsewhere().all()), ("user-agent", "Phone")];
        let reply = self.server.send("GET", &callback, &headers, "");
        jar.take(&reply);
        (reply, jar)
    }

    /// Up to where the provider sends the browser back.
    fn sent_back(&self, who: &Value, mut jar: Jar) -> (String, Jar) {
        let begun = self.server.send("GET", "/login/acme", &[("cookie", &jar.all())], "");
        assert_eq!(begun.status, 303, "{}", begun.text());
        jar.take(&begun);
        (self.idp.approve(begun.header("location"), who), jar)
    }

    fn signed_in(&self, who: &Value) -> Jar {
        let (reply, jar) = self.sign_in(who, Jar::default());
        assert_eq!(reply.status, 200, "{}", reply.text());
        jar
    }

    fn me(&self, jar: &Jar) -> Reply {
        self.server.send("GET", "/me", &[("cookie", &jar.all())], "")
    }

    /// Whether both tokens are refused as bad. Spends the refresh token where it is good.
    fn is_dead(&self, jar: &Jar) -> bool {
        let refreshed = self.server.refresh(jar.get(REFRESH).unwrap());
        self.me(jar).status == 401 && refreshed.status == 400
    }

    fn log_out_at_acme(&self, token: &str) -> Reply {
        self.server.form("/login/acme/logout", &format!("logout_token={token}"))
    }

    fn admin(&self, method: &str, path: &str, body: &Value) -> Value {
        let bearer = format!("Bearer {}", self.server.admin_token());
        let headers = [("authorization", bearer.as_str()), ("content-type", JSON)];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let reply = exchange(self.server.admin, method, &format!("/admin/v1{path}"), &headers, body.as_bytes());
        assert!(reply.status < 300, "{method} {path}: {}", reply.text());
        reply.json()
    }

    fn disable(&self, subject: &str) {
        let account = format!("{}|{subject}", self.idp.issuer()).replace("//", "%2F%2F").replace('|', "%7C");
        self.admin("PATCH", &format!("/users/{account}"), &json!({ "disabled": true }));
    }
}

fn alice() -> Value {
    json!({ "sub": "1", "email": "alice@example.com", "email_verified": true, "sid": "acme-session-1" })
}

#[test]
fn whoever_may_come_in_lands_with_a_session_of_their_account() {
    let scene = Scene::start(&[]);
    let (reply, jar) = scene.sign_in(&alice(), Jar::default());
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{}", reply.text());
    assert!(reply.text().contains("http-equiv=\"refresh\" content=\"0; url=/\""), "{}", reply.text());
    for cookie in reply
        .all("set-cookie")
        .iter()
        .filter(|cookie| cookie.starts_with("__Host-rescind_") && !cookie.contains("Max-Age=0"))
    {
        assert!(cookie.contains("; Secure; HttpOnly; SameSite=Strict"), "{cookie}");
    }
    assert_eq!(jar.0.len(), 2, "nothing of the sign-in is left: {}", jar.all());
    let claims = scene.me(&jar).json();
    assert_eq!(claims["sub"], format!("{}|1", scene.idp.issuer()));
    let home = scene.server.send("GET", "/", &[("cookie", &jar.all())], "");
    assert!(home.text().contains("alice@example.com") && home.header("cache-control") == "no-store");
    let sessions = scene.server.send("GET", "/sessions", &[("cookie", &jar.all())], "").json();
    assert_eq!(sessions["sessions"][0]["device"], "Phone");
    let users = scene.admin("GET", "/users", &Value::Null);
    let account =
        json!({ "issuer": scene.idp.issuer(), "subject": "1", "email": "alice@example.com", "email_verified": true });
    assert!(users["users"].as_array().unwrap().iter().any(|user| user["account"] == account), "{users}");
    let refreshed = scene.server.refresh(jar.get(REFRESH).unwrap()).pair();
    assert_eq!(scene.server.me(&refreshed), 200);
}

#[test]
fn whoever_came_from_a_page_of_this_site_goes_on_there() {
    let scene = Scene::start(&[]);
    let begun = scene.server.get("/login/acme?return_to=/app%3Fa=1%26b=2", None);
    let mut jar = Jar::default();
    jar.take(&begun);
    let callback = scene.idp.approve(begun.header("location"), &alice());
    let reply = scene.server.send("GET", &callback, &[("cookie", &jar.all())], "");
    assert_eq!(reply.status, 200);
    assert!(reply.text().contains("content=\"0; url=/app?a=1&#38;b=2\""), "{}", reply.text());
}

#[test]
fn who_may_not_come_in_gets_no_session_and_leaves_nothing() {
    let scene = Scene::start(&[]);
    for who in [
        json!({ "sub": "2", "email": "mallory@example.com", "email_verified": false }),
        json!({ "sub": "2", "email": "mallory@example.com" }),
        json!({ "sub": "2", "email": "eve@example.com.elsewhere.example", "email_verified": true }),
        json!({ "sub": "2" }),
    ] {
        let (reply, jar) = scene.sign_in(&who, Jar::default());
        assert_eq!((reply.status, reply.error().as_str()), (403, "access_denied"), "{who}");
        assert_eq!(jar.0.len(), 0, "{who}: {}", jar.all());
    }
    let users = scene.admin("GET", "/users", &Value::Null);
    assert_eq!(users["users"].as_array().unwrap().len(), 1, "only demo: {users}");
    scene.admin("POST", "/users", &json!({ "issuer": scene.idp.issuer(), "subject": "2" }));
    scene.signed_in(&json!({ "sub": "2" }));
}

// holds: 92
#[test]
fn another_address_is_the_same_account_and_the_same_address_is_another_one() {
    let scene = Scene::start(&[]);
    let first = scene.me(&scene.signed_in(&alice())).json();
    let renamed = json!({ "sub": "1", "email": "alice.b@example.com", "email_verified": true });
    assert_eq!(scene.me(&scene.signed_in(&renamed)).json()["sub"], first["sub"]);
    let heir = json!({ "sub": "3", "email": "alice@example.com", "email_verified": true });
    assert_ne!(scene.me(&scene.signed_in(&heir)).json()["sub"], first["sub"]);
}

// holds: R25
#[test]
fn a_disabled_account_is_out_at_once_and_is_refused_at_the_callback() {
    let scene = Scene::start(&[]);
    let jar = scene.signed_in(&alice());
    let (callback, begun) = scene.sent_back(&alice(), Jar::default());
    scene.disable("1");
    assert!(scene.is_dead(&jar));
    let reply = scene.server.send("GET", &callback, &[("cookie", &begun.all())], "");
    assert_eq!((reply.status, reply.error().as_str()), (403, "access_denied"), "begun before it was disabled");
    let (reply, _) = scene.sign_in(&alice(), Jar::default());
    assert_eq!(reply.status, 403);
}

// holds: R25
#[test]
fn sign_ins_that_race_the_disabling_do_not_survive_it() {
    let scene = Scene::start(&["--sign-in-failures-per-address", "1000000"]);
    scene.signed_in(&alice());
    let jars = std::thread::scope(|scope| {
        let keep_trying = || {
            let mut jars = Vec::new();
            loop {
                let (reply, jar) = scene.sign_in(&alice(), Jar::default());
                if reply.status != 200 {
                    assert_eq!(reply.status, 403, "{}", reply.text());
                    return jars;
                }
                jars.push(jar);
            }
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(keep_trying)).collect();
        scene.disable("1");
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    let alive = jars.iter().filter(|jar| scene.me(jar).status == 200).count();
    assert_eq!(alive, 0, "of {} sessions of a disabled account", jars.len());
}

// holds: 94
#[test]
fn whoever_signs_in_over_an_old_session_leaves_it_behind() {
    let scene = Scene::start(&[]);
    let mut old = Jar::default();
    old.take(&scene.server.send("POST", "/login", &[("content-type", FORM)], "username=demo&password=demo"));
    assert_eq!(scene.me(&old).status, 200);
    let (reply, jar) = scene.sign_in(&json!({ "sub": "2" }), old.clone());
    assert_eq!(reply.status, 403);
    assert_eq!(scene.me(&jar).status, 200, "a sign-in that came to nothing ends nothing");
    let (reply, jar) = scene.sign_in(&alice(), old.clone());
    assert_eq!(reply.status, 200);
    assert!(scene.is_dead(&old));
    assert_eq!((scene.me(&jar).status, jar.0.len()), (200, 2), "{}", jar.all());
}

// holds: 89
#[test]
fn a_callback_counts_once() {
    let scene = Scene::start(&[]);
    let (callback, begun) = scene.sent_back(&alice(), Jar::default());
    let again = || scene.server.send("GET", &callback, &[("cookie", &begun.all())], "");
    let first = again();
    assert_eq!(first.status, 200);
    let reply = again();
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{}", reply.text());
    let mut jar = Jar::default();
    jar.take(&first);
    assert_eq!(scene.me(&jar).status, 200, "the session is as it was");
}

// holds: 97
#[test]
fn a_logout_at_the_provider_ends_the_session_that_it_names_and_no_other() {
    let scene = Scene::start(&["--sign-in-failures-per-address", "1000000"]);
    let laptop = scene.signed_in(&alice());
    let mut on_phone = alice();
    on_phone["sid"] = "acme-session-2".into();
    let phone = scene.signed_in(&on_phone);
    let token = scene.idp.logout_token("j1", &json!({ "sub": "1", "sid": "acme-session-1" }));
    let reply = scene.log_out_at_acme(&token);
    assert_eq!((reply.status, reply.header("cache-control")), (200, "no-store"), "{}", reply.text());
    assert!(scene.is_dead(&laptop));
    assert_eq!(scene.me(&phone).status, 200);

    let reply = scene.log_out_at_acme(&token);
    assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "a replay");
    let reply = scene.log_out_at_acme(&scene.idp.logout_token("j2", &json!({ "sub": "1" })));
    assert_eq!(reply.status, 200);
    assert!(scene.is_dead(&phone), "no sid: all of them");
    // A provider's times are whole seconds: what it vouches for in the second of its logout counts as from before.
    wait_until("a new sign-in lives", || scene.sign_in(&on_phone, Jar::default()).0.status == 200);
}

// holds: 98
#[test]
fn what_is_no_logout_token_of_the_provider_ends_nothing() {
    let scene = Scene::start(&[]);
    let jar = scene.signed_in(&alice());
    let named = json!({ "sub": "1", "sid": "acme-session-1" });
    let other = Idp::start().logout_token("j1", &named);
    let no_event = scene.idp.logout_token("j1", &json!({ "sid": "acme-session-1", "events": {} }));
    for token in ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", &other, &no_event, jar.get(ACCESS).unwrap()] {
        let reply = scene.log_out_at_acme(token);
        assert_eq!((reply.status, reply.error().as_str()), (400, "invalid_request"), "{token}: {}", reply.text());
    }
    assert_eq!(scene.me(&jar).status, 200);
}

#[test]
fn the_logouts_of_a_provider_stand_in_the_log_with_who_and_why() {
    let scene = Scene::start(&[]);
    scene.signed_in(&alice());
    scene.log_out_at_acme(&scene.idp.logout_token("j1", &json!({ "sid": "acme-session-1" })));
    let log = scene.admin("GET", "/revocations?after=0", &Value::Null);
    let entry = &log["revocations"][0];
    assert_eq!(entry["scope"]["kind"], "session", "{log}");
    assert_eq!(entry["actor"], "provider", "{log}");
}

// holds: 102
#[test]
fn a_store_that_cannot_write_opens_and_ends_nothing_and_the_same_answers_work_later() {
    let scene = Scene::start(&[]);
    let jar = scene.signed_in(&alice());
    let logout = scene.idp.logout_token("j1", &json!({ "sid": "acme-session-1" }));
    let (callback, begun) =
        scene.sent_back(&json!({ "sub": "4", "email": "dora@example.com", "email_verified": true }), Jar::default());
    let come_back = || scene.server.send("GET", &callback, &[("cookie", &begun.all())], "");

    // SQLite's writer locks a byte of this file, and so do we.
    let held = std::fs::File::open(scene.server.data().join("rescind.db-shm")).unwrap();
    wait_until("no writer is at work", || fcntl_lock(&held, FlockOperation::NonBlockingLockShared).is_ok());
    for reply in [come_back(), scene.log_out_at_acme(&logout)] {
        assert_eq!((reply.status, reply.error().as_str()), (503, "temporarily_unavailable"), "{}", reply.text());
        assert!(!reply.header("retry-after").is_empty());
        assert!(!reply.all("set-cookie").iter().any(|it| it.starts_with(ACCESS) || it.starts_with(REFRESH)));
    }
    assert_eq!(scene.me(&jar).status, 200, "not acknowledged, so not ended");
    drop(held);

    assert_eq!(come_back().status, 200);
    assert_eq!(scene.log_out_at_acme(&logout).status, 200);
    assert!(scene.is_dead(&jar));
}

#[test]
fn failures_with_a_provider_count_by_address_unless_the_browser_never_began() {
    let scene = Scene::start(&["--sign-in-failures-per-address", "3"]);
    for _ in 0..10 {
        let reply = scene.server.get("/login/acme/callback?code=x&state=y", None);
        assert_eq!(reply.status, 400, "a picture on another page can ask for this");
    }
    let guess = || {
        let (callback, begun) = scene.sent_back(&alice(), Jar::default());
        let wrong_code = callback.replace("code=code-", "code=guessed-");
        scene.server.send("GET", &wrong_code, &[("cookie", &begun.all())], "")
    };
    for _ in 0..3 {
        assert_eq!(guess().status, 400);
    }
    let reply = guess();
    assert_eq!((reply.status, reply.error().as_str()), (429, "too_many_requests"));
    assert!(reply.header("retry-after").parse::<u32>().unwrap() > 0);
}

#[test]
fn sign_ins_are_counted_by_provider_and_result() {
    let scene = Scene::start(&[]);
    scene.signed_in(&alice());
    scene.sign_in(&json!({ "sub": "2" }), Jar::default());
    scene.server.get("/login/strangers-word/callback?code=x&state=y", None);
    let bearer = format!("Bearer {}", scene.server.admin_token());
    let metrics = exchange(scene.server.admin, "GET", "/metrics", &[("authorization", bearer.as_str())], b"").text();
    let count = |provider: &str, result: &str| {
        let name = format!("rescind_provider_sign_ins_total{{provider=\"{provider}\",result=\"{result}\"}} ");
        metrics.lines().find_map(|line| line.strip_prefix(&name)).map(str::to_owned)
    };
    assert_eq!(count("acme", "opened").as_deref(), Some("1"), "{metrics}");
    assert_eq!(count("acme", "not_admitted").as_deref(), Some("1"), "{metrics}");
    assert!(!metrics.contains("strangers-word"), "a stranger's word is no label");
}

#[test]
fn a_whole_round_at_trace_level_logs_no_secret_of_it() {
    let scene = Scene::start(&["--log", "trace"]);
    let (callback, begun) = scene.sent_back(&alice(), Jar::default());
    let reply = scene.server.send("GET", &callback, &[("cookie", &begun.all())], "");
    let mut jar = Jar::default();
    jar.take(&reply);
    let logout = scene.idp.logout_token("j1", &json!({ "sid": "acme-session-1" }));
    assert_eq!(scene.log_out_at_acme(&logout).status, 200);
    let mut secrets = vec![SECRET.to_owned(), logout, crate::idp::parameter(&callback, "code"), "acmes-own".to_owned()];
    secrets.extend(jar.0.iter().chain(&begun.0).map(|(_, value)| value.clone()));
    let (_, log) = scene.server.stop();
    assert!(log.contains("DEBUG"), "the log is talkative");
    for secret in secrets {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}
