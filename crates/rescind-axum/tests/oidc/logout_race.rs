//! A provider's logout in the middle of a sign-in: whichever comes second sees the other, and no session survives that
//! the provider has ended.
#![cfg(test)]

use std::time::Duration;

use rescind::store::{Fault, Gate, Operation, Page, Which};

use crate::stage::{Stage, opening};

/// With and without the provider's session in the logout token.
fn tokens(stage: &Stage) -> [String; 2] {
    let by_session = stage.idp.logout_token(|_, _| {});
    [by_session, stage.idp.logout_token(|_, claims| drop(claims.as_object_mut().unwrap().remove("sid")))]
}

async fn nothing_lives(stage: &Stage) {
    let subject = stage.sign_in().await.unwrap().identity.account();
    let all = stage.rescind.sessions_of(&subject, Page { after: None, limit: 10 }).await.unwrap().sessions;
    assert!(all.iter().all(|loaded| loaded.cut_off.is_some()), "{all:?}");
}

#[tokio::test]
async fn a_logout_between_the_code_and_the_session_lets_no_session_be_opened() {
    for which in 0..2 {
        let stage = Stage::new().await;
        let who = stage.sign_in().await.unwrap().identity;
        stage.providers.back_channel_logout("idp", &tokens(&stage)[which]).await.unwrap();
        let refused = stage.providers.open_session(&who, opening(&who)).await.err().unwrap();
        assert_eq!((refused.reason(), refused.status().as_u16()), ("ended_by_provider", 400));
        assert_eq!(stage.store.calls(Operation::Open), 0, "none was opened");

        stage.pass(Duration::from_secs(1)).await;
        let again = stage.session().await;
        assert!(stage.is_live(&again).await, "a later sign-in is another one");
    }
}

/// The sign-in hangs at every call of the store in turn; the logout runs whole meanwhile.
// holds: 102
#[tokio::test]
async fn a_logout_at_any_moment_of_an_opening_leaves_no_live_session() {
    for which in 0..2 {
        for (operation, nth) in [
            (Operation::Record, 1),
            (Operation::Record, 2),
            (Operation::Record, 3),
            (Operation::Record, 4),
            (Operation::Record, 5),
            (Operation::Open, 1),
            (Operation::PutRecord, 1),
        ] {
            for hang in [Fault::HangBefore as fn(Gate) -> Fault, Fault::HangAfter] {
                let stage = Stage::new().await;
                let who = stage.sign_in().await.unwrap().identity;
                let token = tokens(&stage)[which].clone();
                let gate = Gate::new();
                stage.store.inject(operation, Which::Nth(nth), hang(gate.clone()));
                let (providers, request) = (stage.providers.clone(), opening(&who));
                let opening = tokio::spawn(async move { providers.open_session(&who, request).await });
                gate.reached().await;
                stage.providers.back_channel_logout("idp", &token).await.unwrap();
                gate.release();
                if let Ok(pair) = opening.await.unwrap() {
                    assert!(!stage.is_live(&pair).await, "{operation:?} {nth}, token {which}");
                }
                nothing_lives(&stage).await;
            }
        }
    }
}

#[tokio::test]
async fn many_sign_ins_and_one_logout_at_once_leave_nothing_alive() {
    let stage = Stage::new().await;
    let who = stage.sign_in().await.unwrap().identity;
    let openings: Vec<_> = (0..24)
        .map(|_| {
            let (providers, who) = (stage.providers.clone(), who.clone());
            tokio::spawn(async move { providers.open_session(&who, opening(&who)).await })
        })
        .collect();
    tokio::task::yield_now().await;
    // Where the records are contended too much, the provider is told to come again; it does, with the same token.
    let token = stage.idp.logout_token(|_, _| {});
    while let Err(error) = stage.providers.back_channel_logout("idp", &token).await {
        assert_eq!(error.status().as_u16(), 503, "{error}");
    }
    for opening in openings {
        if let Ok(pair) = opening.await.unwrap() {
            assert!(!stage.is_live(&pair).await);
        }
    }
    nothing_lives(&stage).await;
}
