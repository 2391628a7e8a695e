//! The high-water file as it may lie there after a crash or an editor. It is read, or it is refused by its path and left
//! as it is.

use std::sync::Arc;

use rescind::BuildError;
use rescind::store::{RecordKind, Store};
use rescind::testing::ManualClock;

use crate::ground::{builder, keys_document, memory, run};

/// Any content.
pub(super) fn high_water(bytes: &[u8]) {
    let folder = super::scratch();
    let path = folder.path().join("high-water");
    std::fs::write(&path, bytes).unwrap();
    run(async {
        let clock = Arc::new(ManualClock::default());
        let store = memory(&clock);
        store.put_record(RecordKind::KEYS, "ring", 0, keys_document().to_vec(), None).await.unwrap();
        let built = builder(Arc::new(store), &clock).high_water(&path).build().await;
        if let Err(error) = built {
            // A mark beside the last of all positions can be read, and no history begins beyond it.
            let no_room = error.to_string().contains("highest position");
            let unreadable = matches!(error, BuildError::HighWater(_)) && error.to_string().contains("high-water");
            assert!(unreadable || no_room, "{error}");
            assert_eq!(std::fs::read(&path).unwrap(), bytes, "what cannot be used is left alone");
        }
    });
}
