//! What the server does not start with: each refusal says what is wrong and what to do, soon, and without the secret.

use std::path::Path;
use std::time::Duration;

use rescind::testing::skip;
use rescind_test_kit::{PASSWORD, Postgres, Redis, SentinelSet, USER, or_skip};

use crate::running::{Ran, rescind, run};
use crate::support::now;

/// A refusal comes within this, on a busy machine.
const SOON: Duration = Duration::from_secs(15);

fn serve(data: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> Ran {
    let data = data.to_str().unwrap();
    let all =
        [&["serve", "--dev", "--data", data, "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"], arguments];
    run(rescind(&all.concat()).envs(environment.iter().copied()), "")
}

#[test]
fn a_feed_token_that_opens_more_or_can_be_guessed() {
    let scratch = tempfile::tempdir().unwrap();
    let data = scratch.path();
    for weak in ["", "short", &"x".repeat(31), &format!("{} ", "x".repeat(40)), &"ß".repeat(40)] {
        let said = serve(data, &[("RESCIND_FEED_TOKEN", weak)], &[]).failed(2);
        assert!(said.contains("RESCIND_FEED_TOKEN") && said.contains("unset it"), "{weak}: {said}");
        assert!(weak.is_empty() || !said.contains(weak), "{said}");
    }
    let admin = "A".repeat(43);
    for name in ["admin-token", "feed-token"] {
        std::fs::write(data.join(name), format!("{admin}\n")).unwrap();
        std::fs::set_permissions(data.join(name), std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    }
    for (source, environment) in
        [("RESCIND_FEED_TOKEN", &[("RESCIND_FEED_TOKEN", admin.as_str())][..]), ("the file feed-token", &[])]
    {
        let said = serve(data, environment, &[]).failed(1);
        assert!(said.contains(source) && said.contains("openssl rand -hex 32"), "{said}");
        assert!(!said.contains(&admin), "{said}");
    }
}

/// Starts on each store, and looks for what the refusal has to name.
fn names_the_remedy(cases: &[(String, &str)]) {
    let scratch = tempfile::tempdir().unwrap();
    for (url, remedy) in cases {
        let begin = now();
        let said = serve(scratch.path(), &[], &["--store", url]).failed(1);
        let took = now().duration_since(begin).unwrap();
        assert!(said.contains(remedy), "{url} should say {remedy:?}: {said}");
        assert!(took < SOON, "{url}: after {took:?}");
        assert!(!said.contains(PASSWORD) && !said.contains("hunter2"), "{url}: {said}");
    }
}

#[test]
fn a_postgres_url_that_leads_nowhere() {
    let Some(server) = or_skip(Postgres::start(), skip) else { return };
    let Some(redis) = or_skip(Redis::start(), skip) else { return };
    server.psql("create role guest login password 'hunter2'").unwrap();
    let (at, replica) = (server.address(), server.replica().unwrap());
    names_the_remedy(&[
        ("postgres://".to_owned(), "names no host; write postgres://user:password@host:5432/database"),
        ("postgres:///rescind".to_owned(), "names no host"),
        (format!("postgres://{USER}@{at}/rescind"), "write postgres://user:password@host"),
        (format!("postgres://{USER}:hunter2@{at}/rescind"), "Check user and password"),
        (format!("postgres://nobody:hunter2@{at}/rescind"), "Check user and password"),
        (server.url_of("nothing"), "Create the database"),
        (format!("postgres://guest:hunter2@{at}/rescind"), "must own its schema, or be allowed to make it"),
        (format!("{}?sslmode=require", server.url()), "set ssl = on at the server"),
        (format!("{}?colour=red", server.url()), "no parameter that libpq or Rescind does not know"),
        (replica.url(), "Connect to the primary"),
        (format!("postgres://{USER}:{PASSWORD}@127.0.0.1:1/rescind"), "see that it runs there"),
        (format!("postgres://{USER}:{PASSWORD}@nowhere.invalid/rescind"), "correct the host in the store's URL"),
        (format!("postgres://{USER}:{PASSWORD}@{}/rescind", redis.address()), "is it Postgres"),
    ]);
}

#[test]
fn a_redis_url_that_leads_nowhere() {
    let options = Redis::options().setting("user", "guest on >hunter2 ~* &* +ping +get");
    let Some(redis) = or_skip(options.start(), skip) else { return };
    let Some(set) = or_skip(SentinelSet::start(1), skip) else { return };
    let (at, sentinel) = (redis.address(), set.sentinels()[0]);
    let primary = set.primary().unwrap().address();
    let replica = set.servers().iter().find(|server| server.address() != primary).unwrap();
    names_the_remedy(&[
        ("redis://".to_owned(), "a Redis URL is redis://"),
        (format!("redis://guest:wrong@{at}"), "refuses the user or the password in the store's URL"),
        (format!("redis://guest:hunter2@{at}"), "its ACL keeps this user from a command"),
        (format!("rediss://{at}"), "both ends speak TLS (rediss://) or neither does (redis://)"),
        (format!("redis://{at}/77"), "raise databases in redis.conf"),
        (format!("redis+cluster://{at}"), "Write redis:// in place of redis+cluster://"),
        (replica.url(), "Name the master, or Sentinel"),
        (format!("redis+sentinel://{sentinel}/nobody"), "redis+sentinel://host:port/NAME"),
        (format!("redis+sentinel://{sentinel}"), "a Sentinel URL names its master"),
        ("redis://127.0.0.1:1".to_owned(), "see that it runs there"),
    ]);
}
