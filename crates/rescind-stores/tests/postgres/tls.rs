//! TLS: with the right authority, with a wrong one, and with none.

use rescind::store::{Store, StoreErrorKind};
use rescind::testing::skip;
use rescind_test_kit::{Postgres, or_skip};

use crate::support::open;

fn with(server: &Postgres, parameters: &str) -> String {
    format!("{}?{parameters}", server.url())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_by_its_authority_and_by_no_other() {
    let Some(server) = or_skip(Postgres::options().tls().start(), skip) else { return };
    let Some(other) = or_skip(Postgres::options().tls().start(), skip) else { return };
    let (right, wrong) = (server.ca_file(), other.ca_file());
    let (right, wrong) = (right.display(), wrong.display());

    for mode in ["verify-full", "verify-ca", "require"] {
        let store = open(&with(&server, &format!("sslmode={mode}&sslrootcert={right}"))).await.unwrap();
        store.health().await.unwrap();
        let error = open(&with(&server, &format!("sslmode={mode}&sslrootcert={wrong}"))).await.unwrap_err();
        assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{mode}: {error}");
        assert!(error.to_string().contains("certificate"), "{mode}: {error}");
    }
    // An authority alone asks for the name, too.
    let _store = open(&with(&server, &format!("sslrootcert={right}"))).await.unwrap();
    assert!(open(&with(&server, &format!("sslrootcert={wrong}"))).await.is_err());
    let tls = "select bool_and(ssl) from pg_stat_ssl s join pg_stat_activity a using (pid) where usename = 'rescind'";
    assert_eq!(server.psql(tls).unwrap(), "t");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_an_authority_the_machines_own_decide() {
    let Some(server) = or_skip(Postgres::options().tls().start(), skip) else { return };
    assert!(open(&with(&server, "sslmode=verify-full&sslrootcert=system")).await.is_err());
    // As libpq: against listening, not against a false server.
    open(&with(&server, "sslmode=require")).await.unwrap();
    open(&with(&server, "sslmode=prefer")).await.unwrap();
    assert!(open(&with(&server, "sslmode=disable")).await.is_err(), "this server takes the password by TLS only");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_not_spoken_to_where_tls_is_asked_for() {
    let Some(server) = or_skip(Postgres::start(), skip) else { return };
    let error = open(&with(&server, "sslmode=require")).await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Unavailable, "{error}");
    open(&with(&server, "sslmode=prefer")).await.unwrap();
}
