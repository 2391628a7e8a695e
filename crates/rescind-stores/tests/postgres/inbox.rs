//! The inbox: `select rescind.revoke(…)` inside an application's own transaction.

use std::sync::Arc;

use rescind::id::{ClientId, Subject};
use rescind::keys::RootSecret;
use rescind::log::Text;
use rescind::position::Seq;
use rescind::{OpenSession, Rescind};
use rescind_stores::postgres::PostgresStore;
use rescind_test_kit::Postgres;

use crate::support::{log_after, open, server, until};

struct Node {
    store: Arc<PostgresStore>,
    rescind: Rescind,
}

async fn node(server: &Postgres) -> Node {
    let store = open(&server.url()).await.unwrap();
    let rescind = Rescind::builder("https://login.example", "https://api.example")
        .store(Arc::clone(&store))
        .root_secret(RootSecret::from_bytes([7; 32]))
        .build()
        .await
        .unwrap();
    Node { store, rescind }
}

impl Node {
    fn serve(&self) -> tokio::task::JoinHandle<()> {
        let (store, rescind) = (Arc::clone(&self.store), self.rescind.clone());
        tokio::spawn(async move { store.serve_inbox(&rescind).await })
    }

    /// The access token of a new session of alice.
    async fn token(&self) -> String {
        let open = OpenSession::new(Subject::new("alice").unwrap(), ClientId::new("app").unwrap());
        self.rescind.open_session(open).await.unwrap().access_token.clone()
    }
}

// holds: R26 (in the transaction that changes the password)
#[tokio::test(flavor = "multi_thread")]
async fn a_committed_request_revokes_once_and_a_rolled_back_one_never() {
    let Some(server) = server() else { return };
    let (one, other) = (node(&server).await, node(&server).await);
    let token = one.token().await;
    let servers = [one.serve(), other.serve()];
    let rolled_back = "begin; select rescind.revoke('subject', 'alice', 'a thought'); rollback";
    server.psql(rolled_back).unwrap();
    assert!(one.rescind.check(&token).await.is_ok());
    let request = server.psql("begin; select rescind.revoke('subject', 'alice', 'left', 'hr'); commit").unwrap();
    let moved = format!("select rescind.revoked({request})");
    until("it was moved", || async { server.psql(&moved).unwrap() == "t" }).await;
    until("all nodes refuse", || async {
        one.rescind.check(&token).await.is_err() && other.rescind.check(&token).await.is_err()
    })
    .await;
    let entries = log_after(&one.store, Seq::ZERO).await.entries;
    assert_eq!(entries.len(), 1, "once, though two nodes were called: {entries:?}");
    assert_eq!(entries[0].reason, Text::new("left").unwrap());
    assert_eq!(entries[0].actor, Text::new(format!("hr (inbox {request})")).unwrap());
    assert!(one.rescind.check(&one.token().await).await.is_ok(), "who signs in again is in");
    servers.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_mover_died_after_the_move_is_not_moved_again() {
    let Some(server) = server() else { return };
    let node = node(&server).await;
    let request = server.psql("select rescind.revoke('client', 'app')").unwrap();
    // As a mover leaves it that dies between the two: the cut-off is there, and the request.
    let mover = node.serve();
    until("it was moved", || async { server.psql("select count(*) from rescind.inbox").unwrap() == "0" }).await;
    mover.abort();
    server
        .psql(&format!(
            "insert into rescind.inbox (id, kind, scope_id, reason, actor) overriding system value \
             values ({request}, 3, 'app', 'revoked by the application', 'postgres')"
        ))
        .unwrap();
    let mover = node.serve();
    until("it is gone again", || async { server.psql("select count(*) from rescind.inbox").unwrap() == "0" }).await;
    mover.abort();
    assert_eq!(log_after(&node.store, Seq::ZERO).await.entries.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_fail_later_fails_in_the_applications_transaction() {
    let Some(server) = server() else { return };
    drop(open(&server.url()).await.unwrap());
    for wrong in [
        "'user', 'alice'",
        "'subject', ''",
        "'subject', null",
        "'subject', repeat('x', 256)",
        "'subject', E'a\\nb'",
        "'subject', E'a\\u0085b'",
        "'session', 'not an id'",
        "'session', '0198C0DE-0000-7000-8000-00000000ABCD'",
        "'token', 'https://idp.example '",
        "'token', 'https://idp.example ' || repeat('x', 1010)",
        "'all', 'x'",
        "null, 'x'",
        "'all', '', ''",
        "'all', '', repeat('x', 201)",
        "'all', '', null",
        "'all', '', E'a\\tb'",
        "'all', '', 'x', repeat('y', 161)",
    ] {
        assert!(server.psql(&format!("select rescind.revoke({wrong})")).is_err(), "{wrong}");
    }
    for right in [
        "'token', 'https://idp.example some name'",
        "'session', '0198c0de-0000-7000-8000-00000000abcd'",
        "'subject', 'ß🦀'",
        "'key', 'k1'",
        "'all', ''",
        "'all', null, repeat('🦀', 200)",
    ] {
        server.psql(&format!("select rescind.revoke({right})")).unwrap();
    }
    let kept = "select count(*) from rescind.inbox";
    assert_eq!(server.psql(kept).unwrap(), "6");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_needs_the_function_alone() {
    let Some(server) = server() else { return };
    drop(open(&server.url()).await.unwrap());
    server.psql("create role shop; grant usage on schema rescind to shop").unwrap();
    let ask = "set role shop; select rescind.revoke('subject', 'alice')";
    assert!(server.psql(ask).is_err(), "nobody may who was not named");
    server.psql("grant execute on function rescind.revoke to shop").unwrap();
    server.psql(ask).unwrap();
    for closed in ["select * from rescind.inbox", "select * from rescind.sessions", "select rescind.revoked(1)"] {
        assert!(server.psql(&format!("set role shop; {closed}")).is_err(), "{closed}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_cannot_be_read_is_set_aside_and_holds_up_none_behind_it() {
    let Some(server) = server() else { return };
    let node = node(&server).await;
    let token = node.token().await;
    // As a hand in the table writes it, or a newer version.
    server
        .psql(
            "insert into rescind.inbox (kind, scope_id, reason, actor) values (1, 'no session', 'r', 'a'), \
             (2, 'bob', '', 'a'), (2, 'bob', 'r', repeat('x', 200)), (4, repeat('k', 300), 'r', 'a')",
        )
        .unwrap();
    let request = server.psql("select rescind.revoke('subject', 'alice')").unwrap();
    let mover = node.serve();
    let asked = format!("select rescind.revoked({request})");
    until("the one behind them was moved", || async { server.psql(&asked).unwrap() == "t" }).await;
    assert!(node.rescind.check(&token).await.is_err());
    let kept = server.psql("select count(*), count(refused), min(refused) from rescind.inbox").unwrap();
    assert!(kept.starts_with("4|4|actor, "), "{kept}");
    assert_eq!(node.store.inbox_refused(), 4);
    assert_eq!(server.psql("select rescind.revoked(1)").unwrap(), "f", "what is not in force is not said to be");
    // What was mended by hand is tried again.
    server.psql("update rescind.inbox set reason = 'mended', refused = null where reason = ''").unwrap();
    until("it was moved", || async { server.psql("select count(*) from rescind.inbox").unwrap() == "3" }).await;
    assert_eq!(log_after(&node.store, Seq::ZERO).await.entries.len(), 2);
    mover.abort();
    let found = rescind_stores::postgres::diagnose(&server.url(), &rescind::time::SystemClock).await.unwrap();
    assert!(found.iter().any(|finding| finding.what.contains("3 requested revocations are not in force")), "{found:?}");
}
