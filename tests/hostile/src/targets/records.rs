//! The small records in a store that nodes share: settings, nodes, healings. A node that finds damage in one says which,
//! and one that starts all the same issues and checks as ever.

use std::sync::Arc;

use rescind::OpenSession;
use rescind::store::{RecordKind, Store};
use rescind::testing::{ManualClock, client, subject};

use crate::ground::{builder, keys_document, memory, run};

/// One line names the record, the rest is its body.
pub(super) fn records(bytes: &[u8]) {
    let end = bytes.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let (name, body) = bytes.split_at(end);
    let body = body.get(1..).unwrap_or_default().to_vec();
    let (kind, id) = match name {
        b"ring" => (RecordKind::KEYS, "ring"),
        b"shared" => (RecordKind::SETTINGS, "shared"),
        b"lead" => (RecordKind::SETTINGS, "clock-lead"),
        b"node" => (RecordKind::NODES, "other"),
        b"self" => (RecordKind::NODES, "me"),
        _ => return,
    };
    run(async {
        let clock = Arc::new(ManualClock::default());
        let store = memory(&clock).shared();
        if kind != RecordKind::KEYS {
            store.put_record(RecordKind::KEYS, "ring", 0, keys_document().to_vec(), None).await.unwrap();
        }
        store.put_record(kind, id, 0, body, None).await.unwrap();
        let rescind = match builder(Arc::new(store), &clock).node("me").build().await {
            Ok(rescind) => rescind,
            Err(error) => return assert!(error.to_string().len() > 16, "{error}"),
        };
        let _either = rescind.nodes().await;
        let Ok(pair) = rescind.open_session(OpenSession::new(subject("alice"), client("web"))).await else { return };
        if let Err(error) = rescind.check(&pair.access_token).await {
            assert!(
                !matches!(error, rescind::Error::Rejected(_)),
                "a damaged record is no fault of the token's: {error}"
            );
        }
    });
}
