//! The application's own words: who may have tokens, and which tokens may pass. An error is never a yes and never a no.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use crate::support::{House, opening, refused, revocation};
use async_trait::async_trait;
use rescind::access_token::Verified;
use rescind::id::Subject;
use rescind::log::Scope;
use rescind::store::{Fault, Gate, Operation, Which};
use rescind::testing::subject;
use rescind::{AlsoCheck, BoxError, Checks, Error, Introspection, Invalid, Rejection, TokenPair, Verdict, Welcome};
use tokio::task::JoinHandle;

const YES: u8 = 0;
const NO: u8 = 1;
const FAULT: u8 = 2;
const HANG: u8 = 3;
const PANIC: u8 = 4;

#[derive(Clone, Default)]
struct Word(Arc<AtomicU8>);

impl Word {
    fn say(&self, word: u8) {
        self.0.store(word, Ordering::SeqCst);
    }

    async fn answer(&self) -> Result<bool, BoxError> {
        match self.0.load(Ordering::SeqCst) {
            YES => Ok(true),
            NO => Ok(false),
            HANG => std::future::pending().await,
            PANIC => panic!("a fault of the application's"),
            _ => Err("the user directory is away".into()),
        }
    }
}

#[async_trait]
impl Welcome for Word {
    async fn is_welcome(&self, _: &Subject) -> Result<bool, BoxError> {
        self.answer().await
    }
}

#[async_trait]
impl AlsoCheck for Word {
    async fn also_check(&self, _: &Verified) -> Result<bool, BoxError> {
        self.answer().await
    }
}

// holds: 50
#[tokio::test]
async fn an_unwelcome_subject_gets_no_session_and_a_fault_is_no_answer() {
    let word = Word::default();
    let house = House::with(|builder| builder.welcome(word.clone())).await;
    word.say(NO);
    let opened = house.rescind.open_session(opening("alice")).await;
    assert!(matches!(opened, Err(Error::Invalid(Invalid::Unwelcome))));
    word.say(FAULT);
    assert!(matches!(house.rescind.open_session(opening("alice")).await, Err(Error::Callback(_))));
    assert!(crate::support::live_sessions(&house, "alice").await.is_empty());
    word.say(YES);
    house.login("alice").await;
}

// holds: 50
#[tokio::test]
async fn an_unwelcome_subject_refreshes_no_more_and_a_fault_spends_nothing() {
    let word = Word::default();
    let house = House::with(|builder| builder.welcome(word.clone())).await;
    let pair = house.login("alice").await;
    word.say(FAULT);
    assert!(matches!(house.refresh(&pair.refresh_token).await, Err(Error::Callback(_))));
    word.say(NO);
    assert_eq!(refused(house.refresh(&pair.refresh_token).await), Rejection::SubjectUnwelcome);
    word.say(YES);
    let next = house.refresh(&pair.refresh_token).await.unwrap();
    assert_eq!(next.verdict, Verdict::Rotated, "neither answer spent it");
    word.say(NO);
    assert_eq!(refused(house.refresh(&pair.refresh_token).await), Rejection::SubjectUnwelcome, "a retry is asked, too");
}

/// A login that was welcome and hangs before its row is written.
async fn login_before_its_row(word: &Word) -> (Arc<House>, Gate, JoinHandle<Result<TokenPair, Error>>) {
    let house = Arc::new(House::with(|builder| builder.welcome(word.clone())).await);
    let gate = Gate::new();
    house.store.inject(Operation::Open, Which::Nth(1), Fault::HangBefore(gate.clone()));
    let logging_in = Arc::clone(&house);
    let login = tokio::spawn(async move { logging_in.rescind.open_session(opening("alice")).await });
    gate.reached().await;
    (house, gate, login)
}

#[tokio::test]
async fn a_subject_disabled_while_a_login_is_under_way_gets_nothing_that_lives() {
    let word = Word::default();
    let (house, gate, login) = login_before_its_row(&word).await;
    // As a server disables a user: first the word, then the cut-off.
    word.say(NO);
    house.revoke(Scope::Subject(subject("alice"))).await;
    gate.release();
    if let Ok(pair) = login.await.unwrap() {
        assert!(house.check(&pair.access_token).await.is_err(), "a disabled subject has a token that passes");
    }
    assert!(crate::support::live_sessions(&house, "alice").await.is_empty());
}

#[tokio::test]
async fn a_look_up_that_fails_once_the_row_is_written_leaves_no_session_that_lives() {
    let word = Word::default();
    let (house, gate, login) = login_before_its_row(&word).await;
    word.say(FAULT);
    gate.release();
    assert!(matches!(login.await.unwrap(), Err(Error::Callback(_))));
    assert!(crate::support::live_sessions(&house, "alice").await.is_empty(), "a session of which nobody has a token");
}

#[tokio::test]
async fn introspection_asks_the_application_as_a_refresh_does() {
    let word = Word::default();
    let house = House::with(|builder| builder.welcome(word.clone())).await;
    let pair = house.login("alice").await;
    let active = async || house.rescind.introspect(&pair.refresh_token).await;
    assert!(matches!(active().await, Ok(Introspection::Refresh(_))));
    word.say(NO);
    assert!(matches!(active().await, Ok(Introspection::Inactive)));
    word.say(FAULT);
    assert!(matches!(active().await, Err(Error::Callback(_))));
    word.say(YES);
    assert_eq!(house.refresh(&pair.refresh_token).await.unwrap().verdict, Verdict::Rotated, "nothing was spent");
}

#[tokio::test]
async fn the_applications_check_can_refuse_but_not_let_in() {
    let word = Word::default();
    let house = House::with(|builder| builder.also_check(word.clone())).await;
    let (pair, dead) = (house.login("alice").await, house.login("bob").await);
    house.revoke(Scope::session(dead.session_id)).await;
    for _ in 0..2 {
        word.say(YES);
        assert!(house.check(&pair.access_token).await.is_ok());
        assert!(matches!(refused(house.check(&dead.access_token).await), Rejection::Revoked(_)));
        word.say(NO);
        assert_eq!(refused(house.check(&pair.access_token).await), Rejection::AlsoCheck);
        word.say(FAULT);
        assert!(matches!(house.check(&pair.access_token).await, Err(Error::Callback(_))));
        assert!(matches!(refused(house.check(&dead.access_token).await), Rejection::Revoked(_)));
    }
}

/// The text of a callback's fault; panics where the call came to something else.
fn fault<T>(result: Result<T, Error>) -> String {
    match result {
        Err(Error::Callback(fault)) => fault.to_string(),
        Err(other) => panic!("not a callback's fault: {other}"),
        Ok(_) => panic!("let in"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_callback_that_hangs_or_panics_has_failed_and_spends_nothing() {
    let (welcome, also) = (Word::default(), Word::default());
    let given = (welcome.clone(), also.clone());
    let house = House::with(|builder| builder.welcome(given.0).also_check(given.1)).await;
    let pair = house.login("alice").await;
    for (word, words) in [(HANG, "did not answer within 5s"), (PANIC, "panicked")] {
        welcome.say(word);
        let text = fault(house.refresh(&pair.refresh_token).await);
        assert!(text.contains("welcome") && text.contains(words), "{text}");
        let text = fault(house.rescind.open_session(opening("bob")).await);
        assert!(text.contains("welcome") && text.contains(words), "{text}");
        also.say(word);
        let text = fault(house.check(&pair.access_token).await);
        assert!(text.contains("also_check") && text.contains(words), "{text}");
    }
    assert!(crate::support::live_sessions(&house, "bob").await.is_empty(), "nothing is half done");
    welcome.say(YES);
    also.say(YES);
    assert!(house.check(&pair.access_token).await.is_ok());
    assert_eq!(house.refresh(&pair.refresh_token).await.unwrap().verdict, Verdict::Rotated, "nothing was spent");
}

#[tokio::test(start_paused = true)]
async fn a_callback_has_as_long_as_is_set() {
    // On the runtime's own clock, which the test has stopped: it goes on when all wait.
    let welcome = |_: Subject| async {
        Ok(tokio::time::timeout(crate::support::secs(20), std::future::pending::<()>()).await.is_err())
    };
    let mut settings = rescind::Settings { callback_timeout: crate::support::secs(21), ..rescind::Settings::default() };
    let house = House::with(|builder| builder.welcome(welcome).settings(settings.clone())).await;
    house.login("alice").await;
    settings.callback_timeout = crate::support::secs(19);
    let house = House::with(|builder| builder.welcome(welcome).settings(settings)).await;
    assert!(fault(house.rescind.open_session(opening("alice")).await).contains("within 19s"));
}

#[tokio::test]
async fn closures_are_callbacks_too() {
    let house = House::with(|builder| {
        builder
            .welcome(|subject: Subject| async move { Ok(subject.as_str() != "mallory") })
            .also_check(|token: Verified| async move { Ok(token.has_scope("api")) })
    })
    .await;
    let opened = house.rescind.open_session(opening("mallory")).await;
    assert!(matches!(opened, Err(Error::Invalid(Invalid::Unwelcome))));
    let pair = house.login("alice").await;
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::AlsoCheck);
    let scoped = rescind::OpenSession { scope: Some("api".to_owned()), ..opening("alice") };
    let pair = house.rescind.open_session(scoped).await.unwrap();
    assert!(house.check(&pair.access_token).await.is_ok());
}

#[tokio::test]
async fn with_refresh_checks_only_an_access_token_lives_to_its_end_and_a_refresh_token_does_not() {
    let house = House::set(|settings| settings.checks = Checks::RefreshOnly).await;
    let pair = house.login("alice").await;
    house.revoke(Scope::All).await;
    assert!(house.check(&pair.access_token).await.is_ok());
    assert_eq!(house.rescind.inspect(&pair.access_token).await.refused, None, "and inspect says so");
    refused(house.refresh(&pair.refresh_token).await);
    house.store.down();
    house.clock.advance(crate::support::secs(60));
    assert!(house.check(&pair.access_token).await.is_ok(), "nothing is asked, so nothing is stale");
    house.store.up();
    house.revoke(Scope::Key(house.current_kid())).await;
    assert_eq!(refused(house.check(&pair.access_token).await), Rejection::KeyRevoked);
}

#[tokio::test]
async fn a_fault_of_the_random_source_is_internal_and_spends_nothing() {
    struct Flaky(rescind::testing::SeededRandom, AtomicU8);
    impl rescind::random::Random for Flaky {
        fn fill(&self, bytes: &mut [u8]) -> Result<(), rescind::random::RandomFailed> {
            if self.1.load(Ordering::SeqCst) == YES { self.0.fill(bytes) } else { Err(rescind::random::RandomFailed) }
        }
    }
    let random = Arc::new(Flaky(rescind::testing::SeededRandom::new(5), AtomicU8::new(YES)));
    let house = House::with(|builder| builder.random(Arc::clone(&random) as _)).await;
    let pair = house.login("alice").await;
    random.1.store(NO, Ordering::SeqCst);
    assert!(matches!(house.rescind.open_session(opening("alice")).await, Err(Error::Internal(_))));
    assert!(matches!(house.refresh(&pair.refresh_token).await, Err(Error::Internal(_))));
    // Taking back needs no luck.
    house.rescind.revoke(revocation(Scope::Subject(subject("bob")))).await.unwrap();
    random.1.store(YES, Ordering::SeqCst);
    // Spent or not: the client's retry gets its pair.
    assert!(house.refresh(&pair.refresh_token).await.is_ok());
}
