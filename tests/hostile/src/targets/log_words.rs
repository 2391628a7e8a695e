//! The words of the log, as they come from requests, files, stores and other nodes: scopes, ids, texts, entries, heads. One
//! scope has one spelling, but for the blank that may stand behind `all`.

use rescind::id::{ClientId, Jti, KeyId, SessionId, Subject};
use rescind::keys::RootSecret;
use rescind::log::{ChainTag, Entry, Scope, ScopeKind, Text};
use rescind::position::Incarnation;
use rescind::session::Session;
use rescind_axum::follow::wire;

/// Any text, as each of them.
pub(super) fn log_words(bytes: &[u8]) {
    let Some(text) = crate::dice::text(bytes) else { return };
    if let Ok(scope) = Scope::try_from(text.to_owned()) {
        assert_eq!(scope.to_string(), if text == "all " { "all" } else { text });
        assert_eq!(Scope::parse(scope.kind(), &scope.id()), Ok(scope.clone()));
    }
    for kind in ScopeKind::EVERY {
        if let Ok(scope) = Scope::parse(kind, text) {
            assert_eq!((scope.kind(), scope.id().as_str()), (kind, text));
        }
    }
    for id in [text.parse::<Jti>().map(|id| id.to_string()), text.parse::<SessionId>().map(|id| id.to_string())] {
        assert!(id.is_err() || id.as_deref() == Ok(text));
    }
    let names = [Subject::new(text).is_ok(), ClientId::new(text).is_ok(), KeyId::new(text).is_ok()];
    assert!(!names.contains(&true) || !text.is_empty() && text.len() <= 255);
    if let Ok(words) = Text::new(text) {
        assert_eq!(words.as_str(), text);
        assert!(!text.chars().any(char::is_control), "a line of a log is one line");
    }
    let _either = RootSecret::from_text(text);
    if let Ok(tag) = wire::tag(text) {
        assert_eq!(tag.to_string(), text.to_ascii_lowercase());
    }
    documents(bytes);
}

/// What serde reads is written as what reads the same.
fn documents(bytes: &[u8]) {
    if let Ok(entry) = serde_json::from_slice::<Entry>(bytes) {
        let written = serde_json::to_vec(&entry).unwrap();
        assert_eq!(serde_json::from_slice::<Entry>(&written).unwrap(), entry);
        let genesis = ChainTag::genesis(Incarnation::from_bytes([1; 16]));
        assert_eq!(genesis.next(&entry), genesis.next(&serde_json::from_slice(&written).unwrap()));
    }
    if let Ok(session) = serde_json::from_slice::<Session>(bytes) {
        let written = serde_json::to_vec(&session).unwrap();
        assert_eq!(serde_json::from_slice::<Session>(&written).unwrap(), session);
        assert!(session.ends_at() <= session.expires_at);
    }
    if let Ok(head) = serde_json::from_slice::<wire::Head>(bytes)
        && let Ok(read) = rescind::store::Head::try_from(&head)
    {
        assert_eq!(rescind::store::Head::try_from(&wire::Head::from(read)), Ok(read));
    }
}
