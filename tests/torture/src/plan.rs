//! Which fault comes in which cycle: a deck of all faults of the store is shuffled and dealt, again and again, so that every
//! fault comes and none can be foreseen. The seed says how.

use crate::luck::Luck;

/// The store under the nodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Store {
    /// One node with a file of its own.
    Sqlite,
    /// Three nodes on one Postgres.
    Postgres,
    /// Three nodes on one Redis.
    Redis,
}

macro_rules! faults {
    ($($name:ident $word:literal $what:literal)*) => {
        /// What goes wrong in a cycle.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Fault { $(#[doc = $what] $name,)* }

        impl Fault {
            /// Its name on the command line and in reports.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$name => $word,)* }
            }

            /// What that is, for a human.
            pub const fn what(self) -> &'static str {
                match self { $(Self::$name => $what,)* }
            }
        }
    };
}

faults! {
    Kill "kill" "the node is killed (SIGKILL)"
    Double "double-kill" "the node is killed, and killed again while it recovers"
    LostPages "lost-pages" "the node is killed, and of what it had not flushed a random part is lost, sector by sector"
    FsyncError "fsync-error" "a flush of the node's database fails with EIO, and what was not flushed is lost"
    NoSpace "no-space" "writes of the node's database fail with ENOSPC for a while"
    Hang "hang" "the node stands still for longer than the bound (SIGSTOP)"
    ClockStep "clock-step" "the node's wall clock steps, by an hour or past every token's end, and back"
    OldCopy "old-copy" "the store's data is replaced by an older copy"
    OtherBuild "other-build" "the node is restarted as another build, and the nodes one after the other"
    StoreKill "store-kill" "the store is killed"
    StoreDouble "store-double-kill" "the store is killed, and killed again while it recovers"
    StoreHang "store-hang" "the store stands still for longer than the bound"
    BothKill "both-kill" "the store and a node are killed at once"
    Partition "partition" "one node is cut off from the store for longer than the bound"
    PartitionAll "partition-all" "all nodes are cut off from the store for longer than the bound"
    SlowLink "slow-link" "the way to the store is slow"
    HalfOpen "half-open" "one node's way to the store swallows what is sent"
    StoreFull "store-full" "the store's disk is full for a while"
}

/// How often each fault is in the deck.
const SQLITE: &[(Fault, usize)] = &[
    (Fault::Kill, 11),
    (Fault::Double, 3),
    (Fault::LostPages, 3),
    (Fault::FsyncError, 1),
    (Fault::NoSpace, 1),
    (Fault::Hang, 1),
    (Fault::ClockStep, 1),
    (Fault::OtherBuild, 1),
    (Fault::OldCopy, 1),
];
const SHARED: &[(Fault, usize)] = &[
    (Fault::Kill, 1),
    (Fault::Double, 1),
    (Fault::Hang, 1),
    (Fault::ClockStep, 1),
    (Fault::OldCopy, 1),
    (Fault::OtherBuild, 1),
    (Fault::StoreKill, 1),
    (Fault::StoreDouble, 1),
    (Fault::StoreHang, 1),
    (Fault::BothKill, 1),
    (Fault::Partition, 1),
    (Fault::PartitionAll, 1),
    (Fault::SlowLink, 1),
    (Fault::HalfOpen, 1),
    (Fault::StoreFull, 1),
];

impl Store {
    /// Its name on the command line.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
            Self::Redis => "redis",
        }
    }

    const fn deck(self) -> &'static [(Fault, usize)] {
        match self {
            Self::Sqlite => SQLITE,
            Self::Postgres | Self::Redis => SHARED,
        }
    }
}

/// What a run deals from.
#[derive(Debug, Clone)]
pub struct Plan {
    deck: Vec<Fault>,
    seed: u64,
}

impl Plan {
    /// All faults of a store, or only those of them that are named.
    ///
    /// # Errors
    /// A name that is none of the store's.
    pub fn new(store: Store, only: &[String], without: &[Fault], seed: u64) -> Result<Self, String> {
        let known = || store.deck().iter().map(|(fault, _)| *fault);
        if let Some(wrong) = only.iter().find(|name| known().all(|fault| fault.word() != name.as_str())) {
            let words: Vec<&str> = known().map(Fault::word).collect();
            return Err(format!("{} has no fault `{wrong}`; there are: {}", store.word(), words.join(", ")));
        }
        let named = |fault: Fault| only.is_empty() || only.iter().any(|name| name == fault.word());
        let dealt = store.deck().iter().filter(|(fault, _)| named(*fault) && !without.contains(fault));
        let deck: Vec<Fault> = dealt.flat_map(|(fault, times)| std::iter::repeat_n(*fault, *times)).collect();
        if deck.is_empty() { Err("no fault is left".to_owned()) } else { Ok(Self { deck, seed }) }
    }

    /// The fault of a cycle; the first one is 1.
    pub fn fault(&self, cycle: u64) -> Fault {
        let size = self.deck.len().max(1) as u64;
        let (round, place) = (cycle.saturating_sub(1) / size, cycle.saturating_sub(1) % size);
        let mut luck = Luck::part(self.seed, round);
        let mut deck = self.deck.clone();
        for last in (1..deck.len()).rev() {
            deck.swap(last, luck.below(last + 1));
        }
        usize::try_from(place).ok().and_then(|place| deck.get(place)).copied().unwrap_or(Fault::Kill)
    }

    /// The chance of a cycle.
    pub fn luck(&self, cycle: u64) -> Luck {
        Luck::part(self.seed ^ 0xa5a5, cycle)
    }

    /// The seed of a cycle's load.
    pub fn load_seed(&self, cycle: u64) -> u64 {
        self.seed.wrapping_mul(0x1_0000_0001).wrapping_add(cycle)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_round_deals_the_whole_deck_and_a_seed_always_the_same() {
        let plan = |seed| Plan::new(Store::Sqlite, &[], &[], seed).unwrap();
        let dealt: Vec<Fault> = (1..=46).map(|cycle| plan(7).fault(cycle)).collect();
        for round in dealt.chunks(23) {
            for (fault, times) in SQLITE {
                assert_eq!(round.iter().filter(|dealt| *dealt == fault).count(), *times, "{fault:?}");
            }
        }
        assert_eq!(dealt, (1..=46).map(|cycle| plan(7).fault(cycle)).collect::<Vec<_>>());
        assert_ne!(dealt, (1..=46).map(|cycle| plan(8).fault(cycle)).collect::<Vec<_>>());
    }

    #[test]
    fn only_what_is_named_is_dealt_and_a_wrong_name_is_told_with_the_right_ones() {
        let plan = Plan::new(Store::Redis, &["store-kill".to_owned()], &[], 1).unwrap();
        assert!((1..9).all(|cycle| plan.fault(cycle) == Fault::StoreKill));
        let wrong = Plan::new(Store::Redis, &["fsync-error".to_owned()], &[], 1).unwrap_err();
        assert!(wrong.contains("partition-all"), "{wrong}");
    }
}
