//! The view's layers against a model in a map, under growth, lifts, ageing and beside a writer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use proptest::prelude::*;
use rescind::id::KeyId;
use rescind::log::ScopeKind;
use rescind::position::Seq;
use rescind::time::BootTime;
use rescind::view::layers::{Change, Key, Layers, Name, Names};

const RETENTION: Duration = Duration::from_secs(1000);
const SEED: [u64; 2] = [0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210];

fn layers() -> Layers {
    Layers::new(SEED, RETENTION)
}

fn at(secs: u64) -> BootTime {
    BootTime::from_millis(secs * 1000)
}

fn session(key: Key) -> Names<'static> {
    Names { session: Some(key), ..Names::default() }
}

fn cut_off(layers: &Layers, name: Name, seq: u64, secs: u64) {
    layers.apply([(name, Change::CutOff(Seq::new(seq)))], at(secs));
}

fn highest(layers: &Layers, names: Names<'_>) -> Option<(ScopeKind, u64)> {
    layers.covering(&names, Seq::ZERO).map(|(kind, seq)| (kind, seq.get()))
}

/// Keys that share first or second words with many others.
fn woven(number: u64) -> Key {
    Key([number % 251, number / 251])
}

#[test]
fn a_cut_off_covers_what_was_issued_before_it_and_nothing_else() {
    let layers = layers();
    let key = Key([7, 8]);
    cut_off(&layers, Name::Session(key), 5, 0);
    assert_eq!(layers.covering(&session(key), Seq::new(4)), Some((ScopeKind::Session, Seq::new(5))));
    assert_eq!(layers.covering(&session(key), Seq::new(5)), None);
    assert_eq!(highest(&layers, session(Key([7, 9]))), None);
    assert_eq!(highest(&layers, session(Key([8, 8]))), None);
    assert_eq!(highest(&layers, Names { token: Some(key), ..Names::default() }), None);
    assert_eq!(highest(&layers, Names::default()), None);
}

#[test]
fn the_highest_of_all_names_is_told() {
    let layers = layers();
    let key = |word| Key([word, 0]);
    let kid = KeyId::new("k1").unwrap();
    let names = Names {
        token: Some(key(1)),
        session: Some(key(2)),
        subject: Some(key(3)),
        client: Some(key(4)),
        key: Some(&kid),
    };
    let rising = [
        (Name::All, ScopeKind::All),
        (Name::Client(key(4)), ScopeKind::Client),
        (Name::Token(key(1)), ScopeKind::Token),
        (Name::Key(kid.clone()), ScopeKind::Key),
        (Name::Subject(key(3)), ScopeKind::Subject),
        (Name::Session(key(2)), ScopeKind::Session),
    ];
    for (seq, (name, kind)) in (1..).zip(rising.clone()) {
        cut_off(&layers, name, seq, 0);
        assert_eq!(highest(&layers, names), Some((kind, seq)));
    }
    for (seq, (name, _)) in (1..=6).rev().zip(rising.into_iter().rev()) {
        assert_eq!(highest(&layers, names).map(|(_, seq)| seq), Some(seq));
        layers.apply([(name, Change::Lift(Seq::new(9)))], at(0));
    }
    assert_eq!(highest(&layers, names), None);
}

#[test]
fn a_lift_ends_earlier_cut_offs_in_every_layer_and_spares_later_ones() {
    let layers = layers();
    let key = Key([1, 1]);
    cut_off(&layers, Name::Session(key), 3, 0);
    cut_off(&layers, Name::Session(key), 4, 600);
    cut_off(&layers, Name::Session(key), Seq::JUMP + 9, 600);
    layers.apply([(Name::Session(key), Change::Lift(Seq::new(Seq::JUMP + 5)))], at(600));
    assert_eq!(highest(&layers, session(key)), Some((ScopeKind::Session, Seq::JUMP + 9)));
    layers.apply([(Name::Session(key), Change::Lift(Seq::new(Seq::JUMP + 10)))], at(600));
    assert_eq!(highest(&layers, session(key)), None);
    cut_off(&layers, Name::Session(key), Seq::JUMP + 11, 600);
    assert_eq!(highest(&layers, session(key)), Some((ScopeKind::Session, Seq::JUMP + 11)));
}

#[test]
fn positions_of_any_height_and_order_are_kept_exactly() {
    let layers = layers();
    let width = u64::from(u32::MAX);
    let seqs =
        [1, width, width + 1, 2 * width, 2 * width + 1, Seq::JUMP, 5 * Seq::JUMP + 3, Seq::MAX.get(), 2, width - 1];
    for seq in seqs {
        cut_off(&layers, Name::Session(Key([seq, 0])), seq, 0);
    }
    for seq in seqs {
        assert_eq!(highest(&layers, session(Key([seq, 0]))), Some((ScopeKind::Session, seq)));
    }
}

// holds: R18
#[test]
fn a_layer_goes_whole_and_never_before_the_retention() {
    let layers = layers();
    let (early, late) = (Key([1, 1]), Key([2, 2]));
    cut_off(&layers, Name::Session(early), 1, 0);
    cut_off(&layers, Name::Session(late), 2, 499);
    assert_eq!(layers.expire(at(1499)), 0); // closed only now
    assert!(highest(&layers, session(late)).is_some());
    assert_eq!(layers.expire(at(2498)), 0);
    assert_eq!(layers.expire(at(2499)), 2);
    assert_eq!(highest(&layers, session(early)), None);
    assert!(layers.is_empty());
}

#[test]
fn a_longer_retention_holds_for_entries_that_are_there() {
    let layers = layers();
    cut_off(&layers, Name::Session(Key([1, 1])), 1, 0);
    layers.expire(at(500));
    layers.keep_for(RETENTION * 2);
    layers.keep_for(RETENTION / 2);
    assert_eq!(layers.expire(at(2499)), 0);
    assert_eq!(layers.expire(at(2500)), 1);
}

#[test]
fn cut_offs_on_keys_and_on_all_outlive_every_layer() {
    let layers = layers();
    let kid = KeyId::new("k1").unwrap();
    cut_off(&layers, Name::Key(kid.clone()), 1, 0);
    cut_off(&layers, Name::All, 2, 0);
    layers.expire(at(9_000));
    assert_eq!(highest(&layers, Names { key: Some(&kid), ..Names::default() }), Some((ScopeKind::All, 2)));
    assert_eq!(highest(&layers, Names::default()), Some((ScopeKind::All, 2)));
}

#[test]
fn a_cut_off_at_the_position_of_a_lift_outlives_it() {
    let layers = layers();
    let (key, kid) = (Key([1, 1]), KeyId::new("k1").unwrap());
    for name in [Name::Session(key), Name::Key(kid.clone()), Name::All] {
        cut_off(&layers, name.clone(), 5, 0);
        layers.apply([(name, Change::Lift(Seq::new(5)))], at(0));
    }
    assert_eq!(highest(&layers, session(key)).map(|(_, seq)| seq), Some(5));
    assert_eq!(layers.revoked_keys(), [kid]);
    assert_eq!(highest(&layers, Names::default()), Some((ScopeKind::All, 5)));
}

#[test]
fn the_keys_that_are_cut_off_are_told_until_they_are_lifted() {
    let layers = layers();
    let kids = ["k1", "k2"].map(|kid| KeyId::new(kid).unwrap());
    assert_eq!(layers.revoked_keys(), []);
    for (seq, kid) in (1..).zip(&kids) {
        cut_off(&layers, Name::Key(kid.clone()), seq, 0);
    }
    assert_eq!(layers.revoked_keys(), kids);
    layers.apply([(Name::Key(kids[0].clone()), Change::Lift(Seq::new(9)))], at(0));
    assert_eq!(layers.revoked_keys(), kids[1..]);
}

#[test]
fn what_holds_a_name_is_told_with_its_position_whatever_the_position() {
    let layers = layers();
    let (token, session) = (Key([1, 1]), Key([2, 2]));
    let held = |token, session| {
        let holding = layers.holding(&[(ScopeKind::Token, token), (ScopeKind::Session, session)]);
        holding.map(|(kind, seq)| (kind, seq.get()))
    };
    assert_eq!(held(Some(token), Some(session)), None);
    cut_off(&layers, Name::Session(session), Seq::JUMP + 5, 0);
    assert_eq!(held(Some(session), None), None);
    assert_eq!(held(Some(token), Some(session)), Some((ScopeKind::Session, Seq::JUMP + 5)));
    cut_off(&layers, Name::Token(token), 3, 0);
    assert_eq!(held(Some(token), Some(session)), Some((ScopeKind::Token, 3)));
    assert_eq!(held(None, None), None);
}

#[test]
fn the_memory_of_every_table_counts() {
    let layers = layers();
    assert_eq!((layers.bytes(), layers.len(), layers.is_empty()), (0, 0, true));
    cut_off(&layers, Name::Session(Key([1, 1])), 1, 0);
    let one = layers.bytes();
    assert!(one > 20, "{one} bytes");
    cut_off(&layers, Name::Token(Key([1, 1])), 2, 0);
    assert_eq!((layers.bytes(), layers.len(), layers.is_empty()), (2 * one, 2, false));
}

#[test]
fn no_key_is_lost_or_found_wrongly_through_all_growth() {
    let layers = layers();
    let count = 200_000;
    let number = |key| (Name::Session(woven(key)), Change::CutOff(Seq::new(key + 1)));
    layers.apply((0..count).map(number), at(0));
    for key in 0..count {
        assert_eq!(highest(&layers, session(woven(key))), Some((ScopeKind::Session, key + 1)));
    }
    assert!((count..2 * count).all(|key| highest(&layers, session(woven(key))).is_none()));
    assert_eq!(layers.len(), 200_000);
    let per_entry = layers.bytes() * 100 / layers.len();
    assert!(per_entry < 2_350, "{per_entry} hundredths of a byte per entry");
}

#[test]
fn a_reader_beside_the_writer_misses_nothing_that_was_acknowledged() {
    let layers = layers();
    let (done, acknowledged) = (100_000, AtomicU64::new(0));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for key in 0..done {
                // Each third is lifted and comes again, and time passes: readers see both moves and new layers.
                cut_off(&layers, Name::Session(woven(key)), 2 * key + 1, key / 500);
                if key.is_multiple_of(3) {
                    layers.apply([(Name::Session(woven(key)), Change::Lift(Seq::new(2 * key + 2)))], at(key / 500));
                    cut_off(&layers, Name::Session(woven(key)), 2 * key + 3, key / 500);
                }
                acknowledged.store(key + 1, Ordering::Release);
            }
        });
        let mut random = 1_u64;
        loop {
            let upto = acknowledged.load(Ordering::Acquire);
            for _ in 0..1000.min(upto) {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                let key = (random >> 33) % upto;
                let seq = if key.is_multiple_of(3) { 2 * key + 3 } else { 2 * key + 1 };
                assert_eq!(highest(&layers, session(woven(key))), Some((ScopeKind::Session, seq)));
            }
            if upto == done {
                break;
            }
        }
    });
}

#[derive(Debug, Clone)]
enum Step {
    CutOff(usize, u64),
    Lift(usize, u64),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0..4_usize, 0..60_u64).prop_map(|(kind, key)| Step::CutOff(kind, key)),
        2 => (0..4_usize, 0..60_u64).prop_map(|(kind, key)| Step::Lift(kind, key)),
        2 => (0..400_u64).prop_map(Step::Wait),
    ]
}

fn name(kind: usize, key: u64) -> (Name, Names<'static>) {
    let key = Key([key % 5, key / 5]);
    let none = Names::default();
    match kind {
        0 => (Name::Token(key), Names { token: Some(key), ..none }),
        1 => (Name::Session(key), Names { session: Some(key), ..none }),
        2 => (Name::Subject(key), Names { subject: Some(key), ..none }),
        _ => (Name::Client(key), Names { client: Some(key), ..none }),
    }
}

proptest! {
    // holds: R19
    #[test]
    fn layers_agree_with_a_map(steps in prop::collection::vec((step(), 1..Seq::JUMP / 8), 1..300)) {
        let layers = layers();
        let (mut now, mut seq) = (0, 0);
        let mut model: HashMap<(usize, u64), Vec<(u64, u64)>> = HashMap::new();
        for (step, distance) in steps {
            seq += distance;
            match step {
                Step::CutOff(kind, key) => {
                    cut_off(&layers, name(kind, key).0, seq, now);
                    model.entry((kind, key)).or_default().push((seq, now));
                }
                Step::Lift(kind, key) => {
                    layers.apply([(name(kind, key).0, Change::Lift(Seq::new(seq)))], at(now));
                    model.remove(&(kind, key));
                }
                Step::Wait(secs) => {
                    now += secs;
                    layers.expire(at(now));
                }
            }
        }
        for (kind, key) in (0..4).flat_map(|kind| (0..70).map(move |key| (kind, key))) {
            let found = highest(&layers, name(kind, key).1).map(|(_, seq)| seq);
            let held = model.get(&(kind, key)).map_or(&[][..], Vec::as_slice);
            let due = held.iter().filter(|(_, came)| now - came < RETENTION.as_secs()).map(|(seq, _)| *seq).max();
            prop_assert!(found >= due, "forgotten too early: {found:?} instead of {due:?}");
            prop_assert!(found.is_none_or(|found| held.iter().any(|(seq, _)| *seq == found)), "never cut off: {found:?}");
        }
        layers.expire(at(now + 500));
        layers.expire(at(now + 1500));
        prop_assert!(layers.is_empty());
    }
}
