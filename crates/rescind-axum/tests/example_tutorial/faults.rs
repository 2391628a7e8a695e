//! The faults of the old one, each by the request that it answers wrongly; the guide shows both answers.
#![cfg(test)]

use std::path::{Path, PathBuf};

use crate::service::{INVALID, Service, assert_refused};

#[tokio::test]
async fn neither_token_does_the_other_s_work() {
    let service = Service::start().await;
    let pair = service.sign_in().await;
    assert_refused(&service.call("GET", "/api/protected", &pair.refresh).await, INVALID);
    assert_refused(&service.refresh(&pair.jwt).await, INVALID);
    assert_refused(&service.call("POST", "/logout", &pair.refresh).await, INVALID);
    service.assert_live(&pair).await;
}

#[tokio::test]
async fn a_logout_kills_both_tokens_of_this_session_and_of_no_other() {
    let service = Service::start().await;
    let (here, there) = (service.sign_in().await, service.sign_in().await);
    let newer = service.refresh(&here.refresh).await.text("access_token");
    assert_eq!(service.call("POST", "/logout", &here.jwt).await.status, 200);
    service.assert_dead(&here).await;
    assert_refused(&service.call("GET", "/api/protected", &newer).await, INVALID);
    service.assert_live(&there).await;
    assert_refused(&service.call("POST", "/logout", &here.jwt).await, INVALID);
    service.assert_live(&service.sign_in().await).await;
}

/// Texts that another decoder may take for the same token.
fn re_encodings(token: &str) -> Vec<String> {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = token.split_at(token.len() - 1);
    let stray = ALPHABET.as_bytes()[ALPHABET.find(last).unwrap() ^ 1] as char;
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let mut texts = vec![
        format!("{token}="),
        format!("{token}=="),
        format!("{rest}{stray}"),
        format!("{token}."),
        format!("{token},"),
        format!("{signed}=.{signature}"),
    ];
    let other_alphabet = token.replace('-', "+").replace('_', "/");
    if other_alphabet != token {
        texts.push(other_alphabet);
    }
    texts
}

#[tokio::test]
async fn no_other_spelling_of_a_token_passes_before_or_after_its_logout() {
    let service = Service::start().await;
    let pair = service.sign_in().await;
    for logged_out in [false, true] {
        for text in re_encodings(&pair.jwt) {
            assert_refused(&service.call("GET", "/api/protected", &text).await, INVALID);
        }
        assert_eq!(service.protected(&pair.jwt).await, if logged_out { 401 } else { 200 });
        service.call("POST", "/logout", &pair.jwt).await;
    }
}

#[tokio::test]
async fn nothing_but_a_good_token_is_taken_by_the_logout() {
    let service = Service::start().await;
    for text in ["any-string", "a.b.c", "rrt_x"] {
        assert_refused(&service.call("GET", "/logout", text).await, INVALID);
        assert_refused(&service.call("POST", "/logout", text).await, INVALID);
    }
}

#[tokio::test]
async fn the_denylist_outlives_a_power_cut_and_another_one() {
    let mut service = Service::start().await;
    let (dead, kept) = (service.sign_in().await, service.sign_in().await);
    assert_eq!(service.call("POST", "/logout", &dead.jwt).await.status, 200);
    for _ in 0..2 {
        service = service.crash("").await;
        service.assert_dead(&dead).await;
        service.assert_live(&kept).await;
    }
}

/// The files of the database, with what stands in them.
fn database(home: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let files = std::fs::read_dir(home).unwrap().map(|file| file.unwrap().path());
    let ours = files.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("rescind.db"));
    ours.map(|path| (path.clone(), std::fs::read(&path).unwrap())).collect()
}

#[tokio::test]
async fn a_denylist_that_was_put_back_to_an_older_copy_or_lost_revives_nobody() {
    let service = Service::start().await;
    let (dead, kept) = (service.sign_in().await, service.sign_in().await);
    let Service { example, home, idp } = service;
    example.kill().await;
    let older = database(home.path());
    let service = Service::start_in(home, idp, "").await;
    assert_eq!(service.call("POST", "/logout", &dead.jwt).await.status, 200);
    let Service { example, home, idp } = service;
    example.kill().await;
    for (path, _) in database(home.path()) {
        std::fs::remove_file(path).unwrap();
    }
    for (path, bytes) in older {
        std::fs::write(path, bytes).unwrap();
    }
    let service = Service::start_in(home, idp, "").await;
    service.assert_dead(&dead).await;
    // Which logouts the copy lacks cannot be known: whoever was signed in signs in again.
    service.assert_dead(&kept).await;
    let anew = service.sign_in().await;
    service.assert_live(&anew).await;
    let Service { example, home, idp } = service;
    example.kill().await;
    for (path, _) in database(home.path()) {
        std::fs::remove_file(path).unwrap();
    }
    let service = Service::start_in(home, idp, "").await;
    for pair in [&dead, &kept, &anew] {
        service.assert_dead(pair).await;
    }
    service.assert_live(&service.sign_in().await).await;
}
