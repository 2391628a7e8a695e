//! What a test asks of a history while it goes on: counts and moments, each by looking through it once.

use std::ops::Range;
use std::time::Duration;

use crate::asked::{Answer, At, What};
use crate::history::History;

impl History {
    /// How many requests of this kind, sent at or after `since`, were answered so.
    pub fn count(&self, what: What, answer: &Answer, since: At) -> usize {
        self.past()
            .asked()
            .iter()
            .filter(|asked| asked.what == what && asked.sent >= since && asked.answer == *answer)
            .count()
    }

    /// How many writes that were asked for after this moment were acknowledged.
    pub(crate) fn writes_after(&self, moment: At) -> usize {
        let past = self.past();
        let writes = past.asked().iter().filter(|asked| asked.sent > moment && asked.what != What::Check);
        writes.filter(|asked| asked.answer == Answer::Yes).count()
    }

    /// Of how many questions that came after this moment the answer is that a credential of before it is good.
    pub(crate) fn good_from_before(&self, moment: At) -> usize {
        let past = self.past();
        let is_older =
            |number: usize| past.credentials.get(number).is_some_and(|credential| credential.issued < moment);
        let good = past.asked().iter().filter(|asked| asked.sent > moment && asked.answer == Answer::Yes);
        good.filter(|asked| asked.about.is_some_and(is_older)).count()
    }

    /// When a request of this kind, sent at or after `since`, was first answered so by this node.
    pub fn first(&self, what: What, answer: &Answer, node: usize, since: At) -> Option<At> {
        let past = self.past();
        let mine = past.asked().iter().filter(|asked| asked.what == what && asked.node == node && asked.sent >= since);
        mine.filter(|asked| asked.answer == *answer).map(|asked| asked.done).min()
    }

    /// How many checks sent to these nodes in this span were answered so.
    pub fn checks(&self, nodes: &[usize], answer: &Answer, span: Range<At>) -> usize {
        let past = self.past();
        let checks = past.asked().iter().filter(|asked| asked.what == What::Check && span.contains(&asked.sent));
        checks.filter(|asked| nodes.contains(&asked.node) && asked.answer == *answer).count()
    }

    /// Fails where these nodes were held up since a moment by what went on beside them. A machine that is busy may make a
    /// view stale for an instant, not for longer.
    ///
    /// # Panics
    /// There.
    pub fn assert_undisturbed(&self, nodes: &[usize], since: At) {
        let span = since..At::MAX;
        let served =
            self.checks(nodes, &Answer::Yes, span.clone()) + self.checks(nodes, &Answer::Refused, span.clone());
        let refused = self.checks(nodes, &Answer::Unavailable, span);
        assert!(served > 100 && refused * 20 < served, "{served} were answered and {refused} not");
    }

    /// How long half of the requests of this kind took, of those that were sent in this span and done.
    pub fn median(&self, what: What, span: Range<At>) -> Duration {
        let past = self.past();
        let done = past.asked().iter().filter(|asked| asked.what == what && span.contains(&asked.sent));
        let mut took: Vec<Duration> = done
            .filter(|asked| asked.answer == Answer::Yes)
            .map(|asked| asked.done.saturating_sub(asked.sent))
            .collect();
        took.sort_unstable();
        took.get(took.len() / 2).copied().unwrap_or(Duration::MAX)
    }
}
