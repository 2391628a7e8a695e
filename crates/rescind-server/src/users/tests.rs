//! The users against the reference store.

use rescind::store::MemoryStore;
use rescind::time::SystemClock;

use super::*;

fn users() -> Users {
    let store = Arc::new(MemoryStore::new().unwrap());
    Users::new(store, Arc::new(SystemClock), Demo::ShutOut)
}

fn secret(text: &str) -> Zeroizing<String> {
    Zeroizing::new(text.to_owned())
}

#[tokio::test]
async fn only_the_right_password_of_an_enabled_user_fits() {
    let users = users();
    let alice = users.add("alice", secret("correct horse")).await.unwrap();
    assert_eq!(users.verify("alice", secret("correct horse")).await.unwrap(), Some(alice.clone()));
    for (name, password) in [("alice", "wrong"), ("Alice", "correct horse"), ("nobody", "correct horse"), ("", "")] {
        assert_eq!(users.verify(name, secret(password)).await.unwrap(), None, "{name}");
    }
    let disable = Change { disabled: Some(true), password: None };
    assert!(users.change(&alice.subject, disable).await.unwrap().disabled);
    assert_eq!(users.verify("alice", secret("correct horse")).await.unwrap(), None);
    assert!(!users.is_welcome(&alice.subject).await.unwrap());
    assert!(users.is_welcome(&Subject::new("from-a-backend").unwrap()).await.unwrap());
}

#[tokio::test]
async fn a_name_is_taken_once() {
    let users = users();
    users.add("alice", secret("correct horse")).await.unwrap();
    assert!(matches!(users.add("alice", secret("correct horse")).await, Err(UserError::Taken)));
}

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
