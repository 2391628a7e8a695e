//! What is nobody's token's fault: a provider or a store that is down, settings that are missing.
#![cfg(test)]

use std::fs::File;
use std::process::Command;
use std::time::Duration;

use rustix::fs::{FlockOperation, fcntl_lock};
use tokio::time::timeout;

use crate::example::{Example, built};
use crate::provider::Answer;
use crate::service::{Service, assert_unavailable};

#[tokio::test]
async fn a_provider_that_fails_is_503_and_a_new_sign_in_works_when_it_is_back() {
    let service = Service::start().await;
    let kept = service.sign_in().await;
    for answer in
        [Answer::Status(500), Answer::Html, Answer::Redirect("http://127.0.0.1:1/".to_owned()), Answer::Megabytes(100)]
    {
        let returning = service.go_and_agree().await;
        service.idp.answer("token", answer);
        assert_unavailable(&service.fetch_tokens(&returning).await);
        service.idp.answer("token", Answer::Right);
    }
    service.assert_live(&kept).await;
    service.assert_live(&service.sign_in().await).await;
}

#[tokio::test]
async fn a_provider_that_is_down_from_the_start_is_503_at_sign_in_and_the_rest_works() {
    let home = tempfile::tempdir().unwrap();
    let environment = [
        ("GOOGLE_CLIENT_ID", "x"),
        ("GOOGLE_CLIENT_SECRET", "y"),
        // Port 1 of this machine: nobody listens there.
        ("OIDC_ISSUER", "http://127.0.0.1:1"),
    ];
    let example = Example::start_with("tutorial", home.path(), &[], &environment).await;
    assert_unavailable(&example.ask("GET", "/auth/login", &[], "").await);
    assert_eq!(example.ask("GET", "/api/", &[], "").await.status, 200);
    assert_eq!(example.ask("GET", "/api/protected", &[], "").await.status, 401);
}

#[tokio::test]
async fn without_another_issuer_the_sign_in_goes_to_google() {
    let home = tempfile::tempdir().unwrap();
    let environment = [
        ("GOOGLE_CLIENT_ID", "id.apps.googleusercontent.com"),
        ("GOOGLE_CLIENT_SECRET", "y"),
        ("OIDC_ISSUER", ""),
        ("FRONTEND_URL", "https://app.example/token"),
    ];
    let example = Example::start_with("tutorial", home.path(), &[], &environment).await;
    let reply = example.ask("GET", "/auth/login", &[], "").await;
    let location = reply.headers["location"].to_str().unwrap();
    assert!(location.starts_with("https://accounts.google.com/o/oauth2/v2/auth?"), "{location}");
    assert!(location.contains("redirect_uri=https%3A%2F%2Fapp.example%2Ftoken"), "{location}");
}

/// As long as this is held, nobody can write into the database: SQLite's writer locks a byte of this file, and so do we.
async fn hold_writes(service: &Service) -> File {
    let file = File::open(service.home.path().join("rescind.db-shm")).unwrap();
    let no_writer_is_at_work = async {
        while fcntl_lock(&file, FlockOperation::NonBlockingLockShared).is_err() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(30), no_writer_is_at_work).await.unwrap();
    file
}

#[tokio::test]
async fn what_the_store_cannot_take_is_503_and_never_401_and_is_not_done() {
    let service = Service::start().await;
    let pair = service.sign_in().await;
    let returning = service.go_and_agree().await;
    let held = hold_writes(&service).await;
    let (by_post, by_get, refresh, sign_in) = tokio::join!(
        service.call("POST", "/logout", &pair.jwt),
        service.call("GET", "/logout", &pair.jwt),
        service.refresh(&pair.refresh),
        service.fetch_tokens(&returning),
    );
    for reply in [by_post, by_get, refresh, sign_in] {
        assert_unavailable(&reply);
    }
    assert_eq!(service.protected(&pair.jwt).await, 200, "a check needs no store, and the logout was not acknowledged");
    drop(held);
    service.assert_live(&pair).await;
    assert_eq!(service.call("POST", "/logout", &pair.jwt).await.status, 200);
    service.assert_dead(&pair).await;
}

#[test]
fn settings_that_are_missing_or_wrong_are_named_with_the_remedy() {
    let home = tempfile::tempdir().unwrap();
    let ended = |environment: &[(&str, &str)]| {
        let mut command = Command::new(built("tutorial"));
        for name in ["GOOGLE_CLIENT_ID", "GOOGLE_CLIENT_SECRET", "OIDC_ISSUER", "FRONTEND_URL", "TUTORIAL_USERS"] {
            command.env_remove(name);
        }
        command.args(["--listen", "127.0.0.1:0", "--data"]).arg(home.path()).envs(environment.iter().copied());
        let output = command.output().unwrap();
        assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]));
        String::from_utf8(output.stderr).unwrap()
    };
    let credentials = [("GOOGLE_CLIENT_ID", "x"), ("GOOGLE_CLIENT_SECRET", "y")];
    for missing in [&[][..], &credentials[..1], &credentials[1..], &[("GOOGLE_CLIENT_ID", ""), credentials[1]]] {
        let told = ended(missing);
        assert!(told.contains("set GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET") && told.contains("/token"), "{told}");
    }
    for (wrong, named) in
        [(("OIDC_ISSUER", "http://idp.example"), "an https URL"), (("FRONTEND_URL", "token"), "an https URL")]
    {
        let told = ended(&[credentials[0], credentials[1], wrong]);
        assert!(told.contains(wrong.1) && told.contains(named), "{told}");
    }
}
