//! The users against the reference store.

use rescind::store::MemoryStore;
use rescind::time::SystemClock;

use super::*;

fn users() -> Users {
    let store = Arc::new(MemoryStore::new().unwrap());
    Users::new(store, Arc::new(SystemClock), Demo::ShutOut)
}

async fn proven() -> Result<(), StoreError> {
    Ok(())
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

#[tokio::test]
async fn only_the_right_password_of_an_enabled_user_fits() {
    let users = users();
    let alice = users.add("alice", secret("correct horse")).await.unwrap();
    assert_eq!(users.verify("alice", secret("correct horse"), proven).await.unwrap(), Some(alice.clone()));
    for (name, password) in [("alice", "wrong"), ("Alice", "correct horse"), ("nobody", "correct horse"), ("", "")] {
        assert_eq!(users.verify(name, secret(password), proven).await.unwrap(), None, "{name}");
    }
    let disable = Change { disabled: Some(true), password: None };
    assert!(users.change(&alice.subject, disable).await.unwrap().disabled);
    assert_eq!(users.verify("alice", secret("correct horse"), proven).await.unwrap(), None);
    assert!(!users.is_welcome(&alice.subject).await.unwrap());
    assert!(users.is_welcome(&Subject::new("from-a-backend").unwrap()).await.unwrap());
}

#[tokio::test]
async fn a_wrong_password_is_judged_by_what_is_there_behind_the_proof() {
    let users = users();
    let alice = users.add("alice", secret("correct horse")).await.unwrap();
    let renew = || async {
        let change = Change { disabled: None, password: Some(secret("battery staple")) };
        users.change(&alice.subject, change).await.unwrap();
        Ok(())
    };
    let found = users.verify("alice", secret("battery staple"), renew).await.unwrap();
    assert_eq!(found.unwrap().subject, alice.subject);
    let unproven = || async { Err(StoreError::new(StoreErrorKind::Unavailable, "put_record", "an old primary")) };
    for (name, password) in [("alice", "wrong"), ("nobody", "correct horse")] {
        let answer = users.verify(name, secret(password), unproven).await;
        assert!(matches!(answer, Err(UserError::Unproven(_))), "{name}: {answer:?}");
    }
    assert!(users.verify("alice", secret("battery staple"), unproven).await.unwrap().is_some());
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let users = users();
    users.add("alice", secret("correct horse")).await.unwrap();
    assert!(matches!(users.add("alice", secret("correct horse")).await, Err(UserError::Taken)));
}

// holds: R9
#[tokio::test]
async fn names_and_passwords_are_bounded() {
    let users = users();
    for name in ["", " alice", "a\nb", &"x".repeat(129)] {
        assert!(matches!(users.add(name, secret("correct horse")).await, Err(UserError::Invalid(_))), "{name:?}");
    }
    for password in ["", "seven77", &"x".repeat(1025)] {
        assert!(matches!(users.add("alice", secret(password)).await, Err(UserError::Invalid(_))));
    }
}

#[tokio::test]
async fn a_stored_password_is_a_salted_argon2id_hash() {
    let store = Arc::new(MemoryStore::new().unwrap());
    let users = Users::new(store.clone(), Arc::new(SystemClock), Demo::ShutOut);
    users.add("alice", secret("correct horse")).await.unwrap();
    let record = store.record(RecordKind::USERS, "alice").await.unwrap().unwrap();
    let text = String::from_utf8(record.body).unwrap();
    assert!(text.contains("$argon2id$v=19$m=19456,t=2,p=1$"), "{text}");
    assert!(!text.contains("correct horse"));
}

const ISSUER: &str = "https://id.example";

fn seen(subject: &str, email: &str) -> Account {
    let email = Some(Email { address: email.to_owned(), verified: true });
    Account { issuer: ISSUER.to_owned(), subject: subject.to_owned(), email, added: Added::SignIn }
}

#[tokio::test]
async fn an_account_is_written_down_once_and_its_email_is_no_more_than_information() {
    let users = users();
    let id = account(ISSUER, "7").unwrap();
    assert_eq!(users.standing(&id).await.unwrap(), Standing::AsListed);
    let first = users.arrived(&id, seen("7", "old@example.com")).await.unwrap().unwrap();
    assert_eq!(first.subject.as_str(), "https://id.example|7");
    assert_eq!(users.arrived(&id, seen("7", "old@example.com")).await.unwrap(), Some(first.clone()));
    let later = users.arrived(&id, seen("7", "new@example.com")).await.unwrap().unwrap();
    assert_eq!(later.account.unwrap().email.unwrap().address, "new@example.com");
    assert_eq!(later.created_at, first.created_at);
    assert_eq!(users.list(None, 10).await.unwrap().len(), 1, "one record, whatever the address");
    assert_eq!(users.standing(&id).await.unwrap(), Standing::AsListed, "the list is asked again");
}

#[tokio::test]
async fn an_account_that_an_operator_added_is_welcome_until_it_is_disabled() {
    let users = users();
    let id = account(ISSUER, "7").unwrap();
    let operators = || Account { email: None, added: Added::Operator, ..seen("7", "") };
    users.add_account(&id, operators()).await.unwrap();
    assert_eq!(users.standing(&id).await.unwrap(), Standing::Welcome);
    assert!(matches!(users.add_account(&id, operators()).await, Err(UserError::Taken)));
    users.arrived(&id, seen("7", "a@example.com")).await.unwrap();
    assert_eq!(users.standing(&id).await.unwrap(), Standing::Welcome, "a sign-in does not hand it to the list");

    users.change(&id, Change { disabled: Some(true), password: None }).await.unwrap();
    assert_eq!(users.standing(&id).await.unwrap(), Standing::ShutOut);
    assert_eq!(users.arrived(&id, seen("7", "a@example.com")).await.unwrap(), None);
    assert!(!users.is_welcome(&id).await.unwrap());
}

#[tokio::test]
async fn an_account_that_came_by_the_list_can_be_kept_by_an_operator() {
    let users = users();
    let id = account(ISSUER, "7").unwrap();
    users.arrived(&id, seen("7", "a@example.com")).await.unwrap();
    let kept = users.add_account(&id, Account { email: None, added: Added::Operator, ..seen("7", "") }).await.unwrap();
    assert_eq!(kept.account.unwrap().email.unwrap().address, "a@example.com");
    assert_eq!(users.standing(&id).await.unwrap(), Standing::Welcome);
}

#[tokio::test]
async fn no_password_signs_an_account_in_and_none_can_be_set() {
    let users = users();
    let id = account(ISSUER, "7").unwrap();
    users.arrived(&id, seen("7", "a@example.com")).await.unwrap();
    for password in ["", "correct horse"] {
        assert_eq!(users.verify(id.as_str(), secret(password), proven).await.unwrap(), None);
    }
    let set = Change { disabled: None, password: Some(secret("correct horse")) };
    assert!(matches!(users.change(&id, set).await, Err(UserError::NoPassword)));
}

#[tokio::test]
async fn a_name_and_an_account_never_stand_in_each_others_place() {
    let store = Arc::new(MemoryStore::new().unwrap());
    let users = Users::new(store.clone(), Arc::new(SystemClock), Demo::ShutOut);
    let id = account(ISSUER, "7").unwrap();
    assert!(matches!(users.add(id.as_str(), secret("correct horse")).await, Err(UserError::Invalid(_))));
    // As a server could write it before there were accounts.
    let old = br#"{"username":"https://id.example|7","password":"$argon2id$x","disabled":false,"created_at":1}"#;
    store.put_record(RecordKind::USERS, id.as_str(), 0, old.to_vec(), None).await.unwrap();
    assert_eq!(users.standing(&id).await.unwrap(), Standing::ShutOut);
    assert_eq!(users.arrived(&id, seen("7", "a@example.com")).await.unwrap(), None);
    assert!(matches!(users.add_account(&id, seen("7", "")).await, Err(UserError::Taken)));
    assert_eq!(users.find(&id).await.unwrap().unwrap().account, None);
}
