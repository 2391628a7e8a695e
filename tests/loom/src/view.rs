//! The view's files, as they are.
#![allow(
    dead_code,
    unreachable_pub,
    clippy::allow_attributes,
    reason = "they are parts of another crate, of which a part is used here"
)]

#[path = "../../../crates/rescind/src/view/freshness.rs"]
pub(crate) mod freshness;
#[path = "../../../crates/rescind/src/view/layers.rs"]
pub(crate) mod layers;
#[path = "../../../crates/rescind/src/view/segment.rs"]
mod segment;
#[path = "../../../crates/rescind/src/view/table.rs"]
mod table;

/// So many keys that stand in the same segment of a table.
pub(crate) fn neighbours(seed: [u64; 2], count: usize) -> Vec<segment::Key> {
    let segment_of = |key| segment::Probe::new(seed, key).segment(128);
    let first = segment_of(segment::Key([1, 1]));
    (1..).map(|n| segment::Key([n, n])).filter(|key| segment_of(*key) == first).take(count).collect()
}
