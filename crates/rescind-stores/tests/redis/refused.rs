//! Instances that can forget: each is refused, with the setting and the command that puts it right, at open and while it runs.

use std::sync::Arc;

use rescind::log::Scope;
use rescind::store::{Store, StoreErrorKind};
use rescind::testing::{cut_off, skip};
use rescind_stores::redis::{Durability, RedisStore};
use rescind_test_kit::{Redis, or_skip};

use crate::support::{open, refused, until};

#[tokio::test]
async fn an_address_at_which_nothing_listens_is_named_with_the_remedy_and_without_the_password() {
    let error = refused("redis://:correct-horse@127.0.0.1:1").await;
    assert!(error.contains("127.0.0.1:1") && error.contains("correct the store's URL"), "{error}");
    assert!(!error.contains("correct-horse"), "{error}");
}

// holds: R24 (each setting by its name)
#[tokio::test]
async fn an_instance_that_can_forget_is_refused_with_the_remedy() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let settings = [
        ("appendonly", "no", "yes"),
        ("appendfsync", "everysec", "always"),
        ("appendfsync", "no", "always"),
        ("no-appendfsync-on-rewrite", "yes", "no"),
        ("maxmemory-policy", "allkeys-lru", "noeviction"),
        ("maxmemory-policy", "volatile-lru", "noeviction"),
    ];
    for (setting, bad, good) in settings {
        server.cli(&["CONFIG", "SET", setting, bad]).unwrap();
        let text = refused(&server.url()).await;
        assert!(text.contains(&format!("{setting} is {bad}")), "{text}");
        assert!(text.contains(&format!("CONFIG SET {setting} {good}")), "{text}");
        assert!(text.contains("durability = \"relaxed\""), "{text}");
        RedisStore::open(&server.url(), Durability::Relaxed).await.unwrap();
        server.cli(&["CONFIG", "SET", setting, good]).unwrap();
    }
    open(&server.url()).await;
}

#[tokio::test]
async fn a_replica_is_refused() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let replica = server.replica().unwrap();
    let text = refused(&replica.url()).await;
    assert!(text.contains("it is a replica"), "{text}");
}

#[tokio::test]
async fn settings_that_cannot_be_read_are_not_taken_for_good_ones() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    server.cli(&["ACL", "SETUSER", "node", "on", ">secret", "~*", "&*", "+@all", "-config"]).unwrap();
    let url = server.url().replace("redis://", "redis://node:secret@");
    let text = refused(&url).await;
    assert!(text.contains("appendfsync cannot be read") && text.contains("+config|get"), "{text}");
    server.cli(&["ACL", "SETUSER", "node", "+config|get"]).unwrap();
    open(&url).await;
}

#[tokio::test]
async fn no_password_is_told() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let text = refused(&server.url().replace("redis://", "redis://node:se%20cret@")).await;
    assert!(text.contains("user or the password"), "{text}");
    let debug = format!("{text}{:?}", open(&server.url()).await);
    assert!(!text.contains("cret") && !debug.contains("cret"), "{debug}");
}

// holds: R23
#[tokio::test]
async fn a_setting_that_is_changed_while_it_runs_is_found_and_put_right_is_found_too() {
    let Some(server) = or_skip(Redis::start(), skip) else { return };
    let store: Arc<dyn Store> = open(&server.url()).await;
    server.cli(&["CONFIG", "SET", "appendfsync", "everysec"]).unwrap();
    let error = until("the setting is found", async || store.append(vec![cut_off(Scope::All)]).await.err()).await;
    assert_eq!(error.kind(), StoreErrorKind::Unavailable);
    assert!(error.to_string().contains("CONFIG SET appendfsync always"), "{error}");
    assert!(store.health().await.is_err(), "it is not ready");
    server.cli(&["CONFIG", "SET", "appendfsync", "always"]).unwrap();
    until("it is accepted again", async || store.append(vec![cut_off(Scope::All)]).await.ok()).await;
}
