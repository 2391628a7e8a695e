//! Two copies of one key ring: what a node holds and what a store has, which may have lost history. Owns which of the two
//! stands, and how they are put together; reads and writes no store.

use std::collections::BTreeMap;

use super::ring::{KeyRing, KeyState, RingKey};
use super::{Algorithm, KeyError};
use crate::id::KeyId;
use crate::random::Random;
use crate::time::Timestamp;

impl KeyRing {
    /// The keys of both rings, each in the later state of the two; so what either revoked is revoked, and what either
    /// has moved on stays moved on. Of two keys that would sign, the one of the ring that moved last does,
    /// and the other one retires. `revoked`
    /// are keys that the log says are revoked, whatever the rings say.
    ///
    /// # Errors
    /// [`KeyError`] where no key could be made for a place that became free.
    pub(crate) fn united_with(
        &self,
        other: &Self,
        revoked: &[KeyId],
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Self, KeyError> {
        let mut by_kid: BTreeMap<&str, RingKey> = BTreeMap::new();
        for key in self.keys().iter().chain(other.keys()) {
            let later = match by_kid.remove(key.id().as_str()) {
                Some(held) => later(held, key),
                None => key.clone(),
            };
            let state = later.state();
            let state_in_log = if revoked.contains(key.id()) { KeyState::Revoked { at: now } } else { state };
            let later = if rank(state_in_log) > rank(state) { later.moved(state_in_log) } else { later };
            by_kid.insert(key.id().as_str(), later);
        }
        // The newer ring's keys first: the first of two that would sign is the one that does.
        let (newer, older) = if other.last_move() > self.last_move() { (other, self) } else { (self, other) };
        let every =
            newer.keys().iter().chain(older.keys().iter().filter(|key| newer.find(key.id().as_str()).is_none()));
        let mut keys: Vec<RingKey> = every.filter_map(|key| by_kid.get(key.id().as_str()).cloned()).collect();
        let mut algorithms = self.algorithms().to_vec();
        algorithms.extend(other.algorithms().iter().filter(|algorithm| !self.algorithms().contains(algorithm)));
        for algorithm in algorithms.iter().copied() {
            keys = one_of_each(keys, algorithm, now, random)?;
        }
        Self::build(algorithms, keys)
    }

    /// What stands in the place of `stored`, which a store has now, where this ring was read from it or written to it
    /// before; `None` where that is `stored` itself.
    ///
    /// A ring that this one has come from is an older copy: this one stands, since tokens of its newer keys are nobody's
    /// fault. Over any other ring, what is revoked here stays revoked, and nothing else comes back: whoever renews every key
    /// after a loss means those that he does not know, too.
    ///
    /// # Errors
    /// [`KeyError`] where no key could be made for a place that became free.
    pub(crate) fn in_place_of(
        &self,
        stored: &Self,
        now: Timestamp,
        random: &dyn Random,
    ) -> Result<Option<Self>, KeyError> {
        let is_behind = |key: &&RingKey| {
            stored.find(key.id().as_str()).is_some_and(|theirs| rank(theirs.state()) < rank(key.state()))
        };
        let is_known = |theirs: &RingKey| {
            self.find(theirs.id().as_str()).is_some_and(|key| rank(key.state()) >= rank(theirs.state()))
        };
        let mut moved_on = self.keys().iter().filter(is_behind).peekable();
        if moved_on.peek().is_some() && stored.keys().iter().all(is_known) {
            return Ok(Some(self.clone()));
        }
        let mut ring = None;
        for key in moved_on.filter(|key| matches!(key.state(), KeyState::Revoked { .. })) {
            ring = Some(ring.as_ref().unwrap_or(stored).revoke(key.id(), now, random)?);
        }
        Ok(ring)
    }

    /// When a key of it retired or was revoked last, as far as it remembers.
    fn last_move(&self) -> Option<Timestamp> {
        let moved = self.keys().iter().filter_map(|key| match key.state() {
            KeyState::Retired { at } | KeyState::Revoked { at } => Some(at),
            KeyState::Next | KeyState::Current => None,
        });
        moved.max()
    }

    /// Whether both have the same keys in the same states.
    pub(crate) fn same_as(&self, other: &Self) -> bool {
        let states = |ring: &Self| -> BTreeMap<String, KeyState> {
            ring.keys().iter().map(|key| (key.id().to_string(), key.state())).collect()
        };
        self.algorithms() == other.algorithms() && states(self) == states(other)
    }
}

const fn rank(state: KeyState) -> u8 {
    match state {
        KeyState::Next => 0,
        KeyState::Current => 1,
        KeyState::Retired { .. } => 2,
        KeyState::Revoked { .. } => 3,
    }
}

/// The later of two states of one key. Of two times the later counts: it is remembered for longer.
fn later(held: RingKey, other: &RingKey) -> RingKey {
    match (held.state(), other.state()) {
        (KeyState::Retired { at: a }, KeyState::Retired { at: b }) => held.moved(KeyState::Retired { at: a.max(b) }),
        (KeyState::Revoked { at: a }, KeyState::Revoked { at: b }) => held.moved(KeyState::Revoked { at: a.max(b) }),
        (a, b) if rank(b) > rank(a) => other.clone(),
        _ => held,
    }
}

/// Leaves an algorithm one current and one next key: too many retire or, where they have signed nothing, go; where one
/// is missing, the next one moves up or a fresh one is made.
fn one_of_each(
    keys: Vec<RingKey>,
    algorithm: Algorithm,
    now: Timestamp,
    random: &dyn Random,
) -> Result<Vec<RingKey>, KeyError> {
    let mut kept = Vec::with_capacity(keys.len() + 2);
    let is = |key: &RingKey, state| key.algorithm() == algorithm && key.state() == state;
    let mut has_current = keys.iter().any(|key| is(key, KeyState::Current));
    let mut signs = false;
    let mut has_next = false;
    for key in keys {
        if is(&key, KeyState::Current) && signs {
            kept.push(key.moved(KeyState::Retired { at: now }));
        } else if is(&key, KeyState::Current) {
            signs = true;
            kept.push(key);
        } else if is(&key, KeyState::Next) && !has_current {
            (has_current, signs) = (true, true);
            kept.push(key.moved(KeyState::Current));
        } else if !is(&key, KeyState::Next) {
            kept.push(key);
        } else if !has_next {
            has_next = true;
            kept.push(key);
        }
    }
    if !signs {
        kept.push(RingKey::fresh(algorithm, KeyState::Current, random)?);
    }
    if !has_next {
        kept.push(RingKey::fresh(algorithm, KeyState::Next, random)?);
    }
    Ok(kept)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::SeededRandom;

    const NOW: Timestamp = Timestamp::from_millis(1000);

    fn at(n: u64) -> Timestamp {
        Timestamp::from_millis(n)
    }

    fn ring(random: &SeededRandom) -> KeyRing {
        KeyRing::new(&[Algorithm::EdDSA], random).unwrap()
    }

    fn state_of(ring: &KeyRing, kid: &KeyId) -> KeyState {
        ring.find(kid.as_str()).unwrap().state()
    }

    fn unite(a: &KeyRing, b: &KeyRing, random: &SeededRandom) -> KeyRing {
        a.united_with(b, &[], NOW, random).unwrap()
    }

    #[test]
    fn each_key_stands_in_the_later_state_of_the_two_whichever_side_has_it() {
        let random = SeededRandom::new(1);
        let old = ring(&random);
        let first = old.current().id().clone();
        let rotated = old.rotate(Algorithm::EdDSA, at(5), &random).unwrap();
        let revoked = rotated.revoke(&first, at(6), &random).unwrap();
        for (a, b) in [(&old, &revoked), (&revoked, &old), (&rotated, &revoked), (&revoked, &rotated)] {
            let united = unite(a, b, &random);
            assert!(united.same_as(&revoked), "{united:?}");
            assert!(united.find(first.as_str()).unwrap().verifying().is_none(), "its private part is gone");
        }
        assert!(unite(&old, &old, &random).same_as(&old));
        assert!(!old.same_as(&rotated));
    }

    #[test]
    fn of_two_keys_that_would_sign_the_one_of_the_ring_that_moved_last_does_and_both_verify() {
        let random = SeededRandom::new(2);
        let old = ring(&random);
        let twice = |ring: &KeyRing, when: u64| {
            let once = ring.rotate(Algorithm::EdDSA, at(when), &random).unwrap();
            once.rotate(Algorithm::EdDSA, at(when + 1), &random).unwrap()
        };
        let (earlier, later) = (twice(&old, 5), twice(&old, 50));
        let (loses, signs) = (earlier.current().id().clone(), later.current().id().clone());
        assert_ne!(loses, signs);
        for (a, b) in [(&earlier, &later), (&later, &earlier)] {
            let united = unite(a, b, &random);
            assert_eq!(united.current().id(), &signs);
            assert_eq!(state_of(&united, &loses), KeyState::Retired { at: NOW });
            let is_next = |key: &&RingKey| key.state() == KeyState::Next;
            assert_eq!(united.keys().iter().filter(is_next).count(), 1);
        }
    }

    #[test]
    fn what_the_log_revoked_is_revoked_and_another_key_signs() {
        let random = SeededRandom::new(3);
        let old = ring(&random);
        let (current, next) = (old.current().id().clone(), old.keys()[1].id().clone());
        let united = old.united_with(&old, std::slice::from_ref(&current), NOW, &random).unwrap();
        assert_eq!(state_of(&united, &current), KeyState::Revoked { at: NOW });
        assert_eq!(united.current().id(), &next);
        let none = old.united_with(&old, &[current.clone(), next.clone()], NOW, &random).unwrap();
        assert!(![&current, &next].contains(&none.current().id()));
        assert_eq!(none.keys().len(), 4);
    }

    #[test]
    fn an_algorithm_that_one_side_has_alone_stays() {
        let random = SeededRandom::new(4);
        let old = ring(&random);
        let both = old.with_algorithms(&[Algorithm::EdDSA, Algorithm::Es256], at(5), &random).unwrap();
        for (a, b) in [(&old, &both), (&both, &old)] {
            let united = unite(a, b, &random);
            assert_eq!(united.algorithms(), [Algorithm::EdDSA, Algorithm::Es256]);
            assert_eq!(united.keys().len(), 4);
        }
    }

    fn in_place_of(held: &KeyRing, stored: &KeyRing) -> Option<KeyRing> {
        held.in_place_of(stored, NOW, &SeededRandom::new(9)).unwrap()
    }

    #[test]
    fn a_ring_stands_over_the_one_it_has_come_from_and_gives_way_to_one_that_has_come_from_it() {
        let random = SeededRandom::new(5);
        let old = ring(&random);
        let rotated = old.rotate(Algorithm::EdDSA, at(5), &random).unwrap();
        let revoked = rotated.revoke(old.current().id(), at(6), &random).unwrap();
        for (held, stored) in [(&rotated, &old), (&revoked, &old), (&revoked, &rotated)] {
            assert!(in_place_of(held, stored).unwrap().same_as(held));
            assert!(in_place_of(stored, held).is_none());
        }
        assert!(in_place_of(&old, &old).is_none());
        let let_go = rotated.expire(at(5000), std::time::Duration::ZERO);
        assert!(in_place_of(&rotated, &let_go).is_none(), "what another node let go does not come back");
    }

    #[test]
    fn over_a_ring_that_went_another_way_only_what_is_revoked_stays_so() {
        let random = SeededRandom::new(6);
        let old = ring(&random);
        let first = old.current().id().clone();
        let held = old.revoke(&first, at(5), &random).unwrap().rotate(Algorithm::EdDSA, at(6), &random).unwrap();
        let stored = old.with_algorithms(&[Algorithm::Es256], at(50), &random).unwrap();
        let stands = in_place_of(&held, &stored).unwrap();
        assert_eq!(state_of(&stands, &first), KeyState::Revoked { at: NOW });
        assert_eq!(stands.algorithms(), [Algorithm::Es256]);
        assert!(stands.find(held.current().id().as_str()).is_none(), "a key that was renewed away stays away");
        let renewed = stored.revoke(&first, at(60), &random).unwrap();
        assert!(in_place_of(&held, &renewed).is_none());
    }
}
