//! Cut-offs on everything and on what a key has signed, while the load goes on: in which cycle each comes, and what a run
//! has to have had of them. Which node makes one, and whether it waits for all, is left to chance.

use std::ops::AddAssign;

use rescind_test_kit::{Error, Result};

use crate::asked::Scope;
use crate::cycle::{Dealt, Strike};
use crate::load::Running;
use crate::nodes::Nodes;
use crate::tally::Cycle;

/// Of so many cycles in a row, one cuts off everything, and one what the key in use has signed.
const ROUND: u64 = 10;
/// Their places in it: in the first two cycles of the first seed.
const ALL: u64 = 8;
const KEY: u64 = 9;

/// So many of them were acknowledged, and so many revocations on any scope once every node knew of them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Widely {
    /// Everything.
    pub all: u64,
    /// What a key has signed.
    pub key: u64,
    /// With `wait=everywhere`.
    pub everywhere: u64,
}

impl Widely {
    /// What a run of so many cycles lacks.
    pub(crate) fn missing(&self, cycles: u64) -> Option<&'static str> {
        if cycles < ROUND {
            return None;
        }
        let parts = [
            (self.all, "a cut-off on everything"),
            (self.key, "a cut-off on a key"),
            (self.everywhere, "a revocation that waits for every node"),
        ];
        parts.into_iter().find(|(count, _)| *count == 0).map(|(_, what)| what)
    }
}

impl AddAssign for Widely {
    fn add_assign(&mut self, more: Self) {
        self.all += more.all;
        self.key += more.key;
        self.everywhere += more.everywhere;
    }
}

/// Makes what is this cycle's turn; it has to be acknowledged, as nothing is wrong yet.
pub(crate) fn cut_off(nodes: &Nodes, dealt: &mut Dealt, running: &Running, cycle: &mut Cycle) -> Result<()> {
    let node = dealt.luck.below(nodes.all.len());
    let scope = match dealt.load_seed % ROUND {
        ALL => Scope::all(),
        KEY => Scope::new("key", &key_in_use(nodes, node)?),
        _ => return Ok(()),
    };
    let everywhere = dealt.luck.once_in(2);
    if everywhere {
        running.cut_off_everywhere(node, &scope)?;
    } else {
        running.cut_off(node, &scope)?;
    }
    let what = Widely {
        all: u64::from(scope.kind == "all"),
        key: u64::from(scope.kind == "key"),
        everywhere: u64::from(everywhere),
    };
    cycle.widely += what;
    cycle.say(&format!("{} revoked before by node {node}{}", scope.kind, if everywhere { ", everywhere" } else { "" }));
    running.goes_on_until(running.acknowledged() + dealt.luck.below(20))
}

/// The id of the key with which a node signs.
fn key_in_use(nodes: &Nodes, node: usize) -> Result<String> {
    let keys = nodes.node(node)?.send_admin("GET", "/admin/v1/keys", "")?.json();
    let member = |key: &serde_json::Value, name| key.get(name)?.as_str().map(str::to_owned);
    let is_current = |key: &&serde_json::Value| member(key, "state").as_deref() == Some("current");
    let keys = keys.get("keys").and_then(|keys| keys.as_array());
    keys.and_then(|keys| member(keys.iter().find(is_current)?, "kid"))
        .ok_or_else(|| Error::Failed(format!("node {node} names no key with which it signs")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_of_a_whole_round_lacks_nothing_of_all_three() {
        let mut had = Widely::default();
        assert_eq!((had.missing(ROUND - 1), had.missing(ROUND)), (None, Some("a cut-off on everything")));
        had += Widely { all: 1, key: 1, everywhere: 0 };
        assert!(had.missing(ROUND).is_some_and(|what| what.contains("every node")));
        had += Widely { everywhere: 3, ..Widely::default() };
        assert_eq!((had, had.missing(ROUND)), (Widely { all: 1, key: 1, everywhere: 3 }, None));
    }
}
