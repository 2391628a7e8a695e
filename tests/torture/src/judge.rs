//! What the guarantees say of a history. A plain function, tried in `judged` on histories that break each of them.
//!
//! Each scope has a [`Line`] of revocations and lifts, and each credential is judged by the lines of its scopes in one pass
//! over what was said of it: beside sorting, the time is that of reading the history once.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::{self, Display, Formatter, Write as _};

use crate::asked::{Answer, Asked, At, Credential, Outage, Scope, What};
use crate::history::Past;
use crate::line::{Line, known_at};

/// Which sentence of the contract was broken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sentence {
    /// A revocation that was acknowledged is not known where it must be.
    Lost,
    /// What was called revoked is called good again.
    ValidAgain,
    /// It is refused, and nobody revoked it; an acknowledged lift or refresh that is lost shows so, too.
    EndedFalsely,
    /// An answer that the contract does not know, or none.
    AnsweredOtherwise,
}

/// Where the history breaks the contract.
#[derive(Debug, Clone)]
pub struct Broken {
    /// Which sentence.
    pub sentence: Sentence,
    /// What it is about.
    pub credential: Option<usize>,
    text: String,
}

impl Display for Broken {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Every sentence of the contract that the history breaks.
pub fn judge(past: &Past) -> Vec<Broken> {
    judge_since(past, 0)
}

/// The same of what was noted since the history had so many requests; what was before is known to the judge and not judged
/// again.
pub fn judge_since(past: &Past, first: usize) -> Vec<Broken> {
    let fresh = past.asked().get(first..).unwrap_or_default();
    let outages = Outages::of(&past.outages);
    let touched: BTreeSet<usize> = fresh.iter().filter_map(|asked| asked.about).collect();
    let mut lines: HashMap<&Scope, Line> = HashMap::new();
    let scopes = touched.iter().filter_map(|number| past.credentials.get(*number)).flat_map(|one| &one.scopes);
    for scope in scopes {
        lines.entry(scope).or_insert_with(|| Line::of(past, scope));
    }
    let mut broken = Vec::new();
    for number in touched {
        let Some(credential) = past.credentials.get(number) else { continue };
        let life = Life {
            number,
            credential,
            lines: credential.scopes.iter().filter_map(|scope| lines.get(scope)).collect(),
            excused: excused(past, credential),
            past,
            outages: &outages,
        };
        let asked: Vec<(usize, &Asked)> =
            past.about(number).filter(|(_, asked)| !by_a_wrong_clock(asked, &past.wrong_clocks)).collect();
        broken.extend(life.revived(&asked, first));
        broken.extend(life.refused_without_cause(&asked, first));
    }
    broken.extend(fresh.iter().filter_map(|asked| answered_otherwise(asked, &outages)));
    broken.extend(fresh.iter().filter_map(|asked| found_nothing_to_lift(past, asked)));
    broken
}

/// All that is known of a credential, for a human.
pub fn story(past: &Past, number: usize) -> String {
    let Some(credential) = past.credentials.get(number) else { return String::new() };
    let mut all: Vec<&Asked> = past.about(number).map(|(_, asked)| asked).collect();
    let wide = |scope: &Scope| matches!(scope.kind, "all" | "key");
    let (wide, narrow): (Vec<&Scope>, Vec<&Scope>) = credential.scopes.iter().partition(|scope| wide(scope));
    all.extend(narrow.into_iter().chain(wide).flat_map(|scope| past.on(scope)));
    all.sort_by_key(|asked| asked.sent);
    let mut text = String::new();
    for scope in &credential.scopes {
        let _ = write!(text, "  {scope}");
    }
    let (asked, opened) = credential.opened;
    let _ = writeln!(
        text,
        "\n  its session was asked for at {asked:.4?}, open at {opened:.4?}; noted at {:.4?}",
        credential.issued
    );
    for asked in all {
        let _ = writeln!(text, "  {asked}");
    }
    for Outage { node, from, until, .. } in &past.outages {
        let _ = writeln!(
            text,
            "  {from:>12.4?} to {:>12.4?}  node {node} is down or stands still",
            until.unwrap_or(At::MAX)
        );
    }
    text
}

/// No answer but the contract's, and none only from a node that was down.
fn answered_otherwise(asked: &Asked, outages: &Outages) -> Option<Broken> {
    let Asked { what, node, sent, done, about, .. } = asked;
    let text = match &asked.answer {
        Answer::Wrong(answer) => format!("{what:?} at node {node}, {sent:.2?}: {answer}"),
        Answer::Silent if !outages.was_down(asked) => {
            let why = asked.fault.as_deref().unwrap_or_default();
            format!("{what:?} at node {node}, which was up: no answer from {sent:.2?} to {done:.2?}: {why}")
        }
        _ => return None,
    };
    Some(Broken { sentence: Sentence::AnsweredOtherwise, credential: *about, text })
}

/// A lift that finds no cut-off, or another one, though all that was done on its scope is sure, and the last was a
/// revocation: that one is not where it was acknowledged to be.
fn found_nothing_to_lift(past: &Past, asked: &Asked) -> Option<Broken> {
    let is_such = asked.what == What::Lift && asked.answer == Answer::Refused && past.entries_lost.is_empty();
    let scope = asked.scope.as_ref().filter(|_| is_such)?;
    let before: Vec<&Asked> = past.on(scope).filter(|act| act.sent < asked.sent).collect();
    let last = before.last().filter(|last| matches!(last.what, What::Revoke | What::RevokeEverywhere))?;
    let is_known = known_at(asked.node, last.node, last.done) < asked.sent;
    let is_sure = before.iter().all(|act| act.answer == Answer::Yes);
    (is_known && is_sure).then(|| {
        let (node, sent, done) = (asked.node, asked.sent, last.done);
        let text =
            format!("{scope} is revoked since {done:.2?}; node {node} finds nothing to lift, asked at {sent:.2?}");
        Broken { sentence: Sentence::Lost, credential: None, text }
    })
}

/// Whether it may have been refused because the node's clock is wrong: from its future, or long over.
fn by_a_wrong_clock(asked: &Asked, wrong: &[(usize, At, At)]) -> bool {
    let meanwhile =
        |(node, from, until): &(usize, At, At)| *node == asked.node && *from <= asked.done && asked.sent < *until;
    asked.answer == Answer::Refused && wrong.iter().any(meanwhile)
}

/// What of a credential may be refused though nobody revoked it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Excused {
    Not,
    /// Its session is lost.
    Refresh,
    /// Everybody was signed out, or it is of a clock that was ahead.
    Whole,
}

fn excused(past: &Past, credential: &Credential) -> Excused {
    let row_lost = |(from, to): (At, At)| from <= credential.issued && credential.issued <= to;
    let from_ahead = |(from, to): &(At, At)| *from <= credential.issued && credential.issued <= *to;
    let is_out = past.everyone_out.is_some_and(|out| credential.issued < out);
    if is_out || past.from_ahead.iter().any(from_ahead) {
        Excused::Whole
    } else if past.sessions_lost.is_some_and(row_lost) {
        Excused::Refresh
    } else {
        Excused::Not
    }
}

/// One credential, and what was done on its scopes.
struct Life<'a> {
    number: usize,
    credential: &'a Credential,
    lines: Vec<&'a Line<'a>>,
    excused: Excused,
    past: &'a Past,
    outages: &'a Outages,
}

impl Life<'_> {
    /// What was revoked is good again: at the node that acknowledged it or said so before, at another one past the bound.
    fn revived(&self, asked: &[(usize, &Asked)], first: usize) -> Vec<Broken> {
        let refusals = self.refusals(asked);
        let yes = asked.iter().filter(|(number, asked)| *number >= first && asked.answer == Answer::Yes);
        yes.filter_map(|(_, asked)| {
            let decided = self.outages.not_decided_before(asked);
            let lost = self.lines.iter().find_map(|line| line.revoked(asked, decided, self.credential));
            let lost = lost.map(|found| (Sentence::Lost, found));
            let (sentence, (node, since)) = lost.or_else(|| {
                refusals.refused(asked, decided).map(|found| (Sentence::ValidAgain, found))
            })?;
            Some(self.broken(
                sentence,
                format!(
                    "{} was dead at node {node} from {since:.2?}; node {} says it is good, asked ({:?}) at {decided:.2?}",
                    self.name(),
                    asked.node,
                    asked.what
                ),
            ))
        })
        .collect()
    }

    /// A credential that nobody has begun to revoke is refused, or one whose revocation was lifted.
    fn refused_without_cause(&self, asked: &[(usize, &Asked)], first: usize) -> Vec<Broken> {
        let refused = asked.iter().filter(|(number, asked)| *number >= first && asked.answer == Answer::Refused);
        let refused = refused.map(|(_, asked)| asked).filter(|asked| match self.excused {
            Excused::Not => true,
            Excused::Refresh => asked.what != What::Refresh,
            Excused::Whole => false,
        });
        let is_free = |line: &&Line, asked: &Asked| line.is_free(asked, self.credential, self.past);
        let free = refused.filter(|asked| self.lines.iter().all(|line| is_free(line, asked)));
        free.map(|asked| {
            let lifted = self.lines.iter().any(|line| line.lifts().next().is_some());
            self.broken(
                Sentence::EndedFalsely,
                format!(
                    "{} is refused by node {} at {:.2?} ({:?}), and nothing covers it{}",
                    self.name(),
                    asked.node,
                    asked.done,
                    asked.what,
                    if lifted { ": it was lifted" } else { "" }
                ),
            )
        })
        .collect()
    }

    fn refusals(&self, asked: &[(usize, &Asked)]) -> Refusals {
        let lifts = Lifts::of(self.lines.iter().flat_map(|line| line.lifts()));
        let refused = asked.iter().map(|(_, asked)| asked).filter(|asked| asked.answer == Answer::Refused);
        Refusals::of(refused.map(|refused| (lifts.first_unknown_at(refused), *refused)))
    }

    fn name(&self) -> &Scope {
        static NAMELESS: Scope = Scope { kind: "all", id: String::new() };
        self.credential.scopes.first().unwrap_or(&NAMELESS)
    }

    fn broken(&self, sentence: Sentence, text: String) -> Broken {
        Broken { sentence, credential: Some(self.number), text }
    }
}

/// The lifts of what ends a credential, of each node those that were acknowledged: by when, and the first moment at which
/// that one or a later one was sent.
struct Lifts {
    /// When the first was sent of those that nobody can have known of.
    unknown: At,
    of: BTreeMap<usize, Vec<(At, At)>>,
}

impl Lifts {
    fn of<'a>(all: impl Iterator<Item = &'a Asked>) -> Self {
        let mut lifts = Self { unknown: At::MAX, of: BTreeMap::new() };
        for lift in all {
            if lift.answer == Answer::Yes {
                lifts.of.entry(lift.node).or_default().push((lift.done, lift.sent));
            } else {
                lifts.unknown = lifts.unknown.min(lift.sent);
            }
        }
        for of_node in lifts.of.values_mut() {
            of_node.sort_unstable();
            let mut first = At::MAX;
            for (_, sent) in of_node.iter_mut().rev() {
                first = first.min(*sent);
                *sent = first;
            }
        }
        lifts
    }

    /// The moment from which somebody tried to lift a cut-off that this refusal may have been about. A lift that the node
    /// knew of surely was of something else.
    fn first_unknown_at(&self, refused: &Asked) -> At {
        let first = |(node, lifts): (&usize, &Vec<(At, At)>)| {
            let knew = |(done, _): &(At, At)| known_at(refused.node, *node, *done) < refused.sent;
            lifts.get(lifts.partition_point(knew)).map_or(At::MAX, |(_, sent)| *sent)
        };
        self.of.iter().map(first).fold(self.unknown, At::min)
    }
}

/// When a credential was first refused by each node, for each moment until which that stands: there and at later ones.
struct Refusals(Vec<(At, BTreeMap<usize, At>)>);

impl Refusals {
    fn of<'a>(all: impl Iterator<Item = (At, &'a Asked)>) -> Self {
        let mut firsts: BTreeMap<At, BTreeMap<usize, At>> = BTreeMap::new();
        for (until, refused) in all {
            let first = firsts.entry(until).or_default().entry(refused.node).or_insert(refused.done);
            *first = refused.done.min(*first);
        }
        let mut later: BTreeMap<usize, At> = BTreeMap::new();
        let mut all: Vec<(At, BTreeMap<usize, At>)> = Vec::with_capacity(firsts.len());
        for (until, mut first) in firsts.into_iter().rev() {
            for (node, done) in &later {
                let first = first.entry(*node).or_insert(*done);
                *first = (*done).min(*first);
            }
            later.clone_from(&first);
            all.push((until, first));
        }
        all.reverse();
        Self(all)
    }

    /// Where and since when it was refused, so that whoever said yes must have known.
    fn refused(&self, yes: &Asked, decided: At) -> Option<(usize, At)> {
        let (_, standing) = self.0.get(self.0.partition_point(|(until, _)| *until <= yes.done))?;
        let known = |(node, since): &(&usize, &At)| known_at(yes.node, **node, **since) < decided;
        standing.iter().find(known).map(|(node, since)| (*node, *since))
    }
}

/// When each node was down or stood still, by when that began.
struct Outages(BTreeMap<usize, Silence>);

#[derive(Default)]
struct Silence {
    /// When each outage began, and until when this one or one before it lasted.
    down: Vec<(At, At)>,
    /// Since when it stood still, and when it was let go on then, or later.
    still: Vec<(At, At)>,
}

impl Outages {
    fn of(all: &[Outage]) -> Self {
        let mut nodes: BTreeMap<usize, Silence> = BTreeMap::new();
        for outage in all {
            let silence = nodes.entry(outage.node).or_default();
            silence.down.push((outage.from, outage.until.unwrap_or(At::MAX)));
            silence.still.extend(outage.still.zip(outage.moved_on));
        }
        for Silence { down, still } in nodes.values_mut() {
            for spans in [down, still] {
                spans.sort_unstable();
                let mut last = At::ZERO;
                for (_, until) in spans {
                    last = last.max(*until);
                    *until = last;
                }
            }
        }
        Self(nodes)
    }

    fn was_down(&self, asked: &Asked) -> bool {
        let down = self.0.get(&asked.node).map_or(&[][..], |silence| &silence.down);
        before(down, |from| from <= asked.done).is_some_and(|until| asked.sent <= until)
    }

    /// A node that stands still decides after it goes on, whenever it was asked.
    fn not_decided_before(&self, asked: &Asked) -> At {
        let still = self.0.get(&asked.node).map_or(&[][..], |silence| &silence.still);
        before(still, |since| since < asked.sent).map_or(asked.sent, |moved_on| moved_on.max(asked.sent))
    }
}

/// The end of the last span that began so early.
fn before(spans: &[(At, At)], early: impl Fn(At) -> bool) -> Option<At> {
    let count = spans.partition_point(|(from, _)| early(*from));
    count.checked_sub(1).and_then(|last| spans.get(last)).map(|(_, until)| *until)
}
