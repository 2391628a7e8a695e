//! 64 at once present one refresh token: one of them rotates, all others get the same successor, and one chain is left.
//! Runs over any store; the tests of each store say over which.
#![allow(clippy::allow_attributes, clippy::unwrap_used, clippy::panic, reason = "tests fail loudly")]

use std::sync::Arc;

use rescind::keys::RootSecret;
use rescind::position::Generation;
use rescind::store::Store;
use rescind::testing::{client, subject};
use rescind::{Error, OpenSession, Refresh, Rejection, Rescind, TokenPair, Verdict};
use tokio::sync::Barrier;

const AT_ONCE: usize = 64;

/// Runs so many races over openings of one store, a node on each; a hundred times as many with `RESCIND_LONG`.
pub(crate) async fn run(openings: Vec<Arc<dyn Store>>, races: u64) {
    let mut nodes = Vec::new();
    for store in openings {
        let builder = Rescind::builder("https://login.example", "https://api.example").store(store);
        nodes.push(builder.root_secret(RootSecret::from_bytes([7; 32])).build().await.unwrap());
    }
    let races = if std::env::var_os("RESCIND_LONG").is_some() { races * 100 } else { races };
    for race in 0..races {
        one_race(&nodes, race).await;
    }
    println!("{races} races of {AT_ONCE} on {} nodes, one chain each", nodes.len());
}

async fn one_race(nodes: &[Rescind], race: u64) {
    let any = |n: usize| nodes.get(n % nodes.len()).unwrap();
    let opening = OpenSession::new(subject(&format!("user {}", race % 7)), client("app"));
    let first = any(0).open_session(opening).await.unwrap();
    let start = Arc::new(Barrier::new(AT_ONCE));
    let running: Vec<_> = (0..AT_ONCE)
        .map(|n| {
            let (rescind, token, start) = (any(n).clone(), first.refresh_token.clone(), Arc::clone(&start));
            tokio::spawn(async move {
                start.wait().await;
                rescind.refresh(&token, Refresh::default()).await
            })
        })
        .collect();
    let (mut rotated, mut successors) = (0, Vec::<TokenPair>::new());
    for request in running {
        let refreshed = request.await.unwrap().unwrap();
        match refreshed.verdict {
            Verdict::Rotated => rotated += 1,
            Verdict::Retried => {}
            other => panic!("race {race}: {other:?}"),
        }
        successors.push(refreshed.pair);
    }
    assert_eq!(rotated, 1, "race {race}: one of them rotates");
    let second = successors.pop().unwrap();
    let is_other = |pair: &TokenPair| pair.refresh_token != second.refresh_token;
    assert!(!successors.iter().any(is_other), "race {race}: all get the same successor");
    let row = any(1).session(first.session_id).await.unwrap().unwrap();
    assert_eq!(row.session.generation, Generation::new(1), "race {race}: the chain is one longer");
    // It goes on with that one, and whoever comes with the token of before is found.
    let third = any(1).refresh(&second.refresh_token, Refresh::default()).await.unwrap();
    assert_eq!(third.verdict, Verdict::Rotated, "race {race}");
    let late = any(0).refresh(&first.refresh_token, Refresh::default()).await;
    assert!(matches!(late, Err(Error::Rejected(Rejection::Reused))), "race {race}: {late:?}");
    let ended = any(1).refresh(&third.pair.refresh_token, Refresh::default()).await;
    assert!(matches!(ended, Err(Error::Rejected(Rejection::Revoked(_)))), "race {race}: {ended:?}");
}
