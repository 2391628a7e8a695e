//! Reading the log: following it, the snapshot, a new incarnation, and forgetting. Appending stands in `append.rs`.

use std::collections::HashMap;

use redis::Value;
use rescind::log::{ChainTag, CutOff, Entry, Scope};
use rescind::position::{Incarnation, Seq};
use rescind::store::{Batch, Feed, Snapshot, Swept};
use rescind::time::Timestamp;

use super::core::{Core, digits};
use super::entry::{self, State};
use super::fault::Fault;
use super::keys;
use super::reply::{Reply, Tip};
use super::row::storable;
use super::settle::Target;

/// No script reads more entries: it keeps everybody else waiting meanwhile.
const MOST: usize = 10_000;

/// How many scopes one step of a snapshot reads.
const STEP: u64 = 2_000;

/// How often a snapshot begins again because the history changed beside it.
const SNAPSHOTS: usize = 5;

/// How often a new incarnation waits for what others have appended meanwhile.
const SETTLINGS: usize = 100;

/// Where the log stands.
pub(super) async fn tip(core: &Core) -> Result<Tip, Fault> {
    core.read(&core.scripts.head, Vec::new(), Vec::new()).await.map(|(tip, _)| tip)
}

/// The log after a position.
pub(super) async fn after(core: &Core, after: Seq, limit: usize) -> Result<Feed, Fault> {
    let args = vec![digits(after.get()), digits(limit.min(MOST) as u64)];
    let (tip, mut rest) = core.read(&core.scripts.after, Vec::new(), args).await?;
    let Some(before) = rest.next() else { return Ok(Feed::Gone(tip.head)) };
    let prev_tag = match before {
        Value::BulkString(tag) => tag.try_into().map(ChainTag::from_bytes).map_err(|_| missing(after))?,
        entries => {
            let mut entries = Reply::new(entries)?;
            if entries.len() == 0 {
                return Err(missing(after));
            }
            entry::parse(entries.list()?)?.1
        }
    };
    let mut found = rest.list()?;
    let (mut entries, mut tag, mut seq) = (Vec::with_capacity(found.len()), prev_tag, after);
    while found.len() > 0 {
        let (entry, next) = entry::parse(found.list()?)?;
        seq = seq.next();
        if entry.seq != seq {
            return Err(missing(seq));
        }
        tag = next;
        entries.push(entry);
    }
    if entries.len() < limit.min(MOST) && seq != tip.head.seq {
        return Err(missing(seq.next()));
    }
    Ok(Feed::Batch(Batch { prev_tag, entries, tag, head: tip.head }))
}

fn missing(seq: Seq) -> Fault {
    Fault::corrupt(format!("entry {seq} of the log is missing; positions have no gaps"))
}

/// The newest entry of a scope, as the log has it.
pub(super) async fn newest(core: &Core, scope: &Scope) -> Result<Option<Entry>, Fault> {
    let (_, mut rest) = core.read(&core.scripts.newest, Vec::new(), vec![keys::field(scope)]).await?;
    if rest.len() == 0 {
        return Ok(None);
    }
    let mut found = rest.list()?;
    if found.len() == 0 {
        return Err(Fault::corrupt(format!("the newest entry of {scope} is missing in the log")));
    }
    entry::parse(found.list()?).map(|(entry, _)| Some(entry))
}

/// The entry at a position, of whichever incarnation.
pub(super) async fn entry(core: &Core, seq: Seq) -> Result<Option<Entry>, Fault> {
    let id = format!("{seq}-0").into_bytes();
    let (_, mut rest) = core.read(&core.scripts.entry, Vec::new(), vec![id]).await?;
    let mut found = rest.list()?;
    if found.len() == 0 {
        return Ok(None);
    }
    entry::parse(found.list()?).map(|(entry, _)| Some(entry))
}

/// Every active cut-off since a time, in the order of positions.
///
/// Redis serves nobody else while it reads, so the scopes are read in steps, and what was appended meanwhile is folded in:
/// every state that a step read is of the last moment or is superseded by an entry between the first and the last.
pub(super) async fn snapshot(core: &Core, since: Timestamp) -> Result<Snapshot, Fault> {
    for _ in 0..SNAPSHOTS {
        let first = tip(core).await?;
        let Some(mut cut_offs) = scan(core, first, since).await? else { continue };
        let Some((head, appended)) = appended_since(core, first).await? else { continue };
        cut_offs.retain(|cut_off| !appended.contains_key(&cut_off.scope));
        let active = appended.into_iter().filter_map(|(scope, state)| state.cut_off(scope));
        cut_offs.extend(active.filter(|cut_off| cut_off.at >= since));
        cut_offs.sort_unstable_by_key(|cut_off| cut_off.seq);
        // A scan may show a field twice.
        cut_offs.dedup_by_key(|cut_off| cut_off.seq);
        return Ok(Snapshot { head, cut_offs });
    }
    Err(Fault::unavailable("the history changed beside every attempt to read a snapshot"))
}

/// Reads every scope that is cut off since a time; `None` where an instance answers that has less than `first`.
async fn scan(core: &Core, first: Tip, since: Timestamp) -> Result<Option<Vec<CutOff>>, Fault> {
    let mut cut_offs = Vec::new();
    let mut cursor = b"0".to_vec();
    loop {
        let (tip, mut rest) = core.read(&core.scripts.scan, Vec::new(), vec![cursor, digits(STEP)]).await?;
        if tip.head.incarnation != first.head.incarnation || tip.head.seq < first.head.seq {
            return Ok(None);
        }
        cursor = rest.bytes()?;
        let mut found = rest.list()?;
        while found.len() > 0 {
            let (field, state) = (found.bytes()?, State::parse(&found.bytes()?)?);
            let scope = keys::scope(&field).ok_or_else(|| {
                Fault::corrupt(format!("the scope {:?} cannot be read", String::from_utf8_lossy(&field)))
            })?;
            cut_offs.extend(state.cut_off(scope).filter(|cut_off| cut_off.at >= since));
        }
        if cursor == b"0" {
            return Ok(Some(cut_offs));
        }
    }
}

/// The scopes of what was appended behind `first`, each with its newest state, and the head behind them; `None` where
/// the history is another.
async fn appended_since(
    core: &Core,
    first: Tip,
) -> Result<Option<(rescind::store::Head, HashMap<Scope, State>)>, Fault> {
    let (mut at, mut states) = (first.head.seq, HashMap::new());
    loop {
        let Feed::Batch(batch) = after(core, at, MOST).await? else { return Ok(None) };
        if batch.head.incarnation != first.head.incarnation {
            return Ok(None);
        }
        for entry in &batch.entries {
            at = entry.seq;
            states.insert(entry.scope.clone(), State::of(entry));
        }
        if at == batch.head.seq {
            return Ok(Some((batch.head, states)));
        }
    }
}

/// Starts the incarnation `new` at `head`, where `lost` is the present one and `head` lies ahead.
pub(super) async fn reincarnate(core: &Core, lost: Incarnation, new: Incarnation, head: Seq) -> Result<bool, Fault> {
    let args = vec![
        lost.as_bytes().to_vec(),
        new.as_bytes().to_vec(),
        digits(head.get()),
        ChainTag::genesis(new).as_bytes().to_vec(),
    ];
    for _ in 0..SETTLINGS {
        let (tip, mut rest) = core.written(&core.scripts.reincarnate, Vec::new(), args.clone()).await?;
        match rest.number()? {
            0 => return Ok(false),
            1 => return Ok(true),
            _ => drop(core.settler.settled(Target::all_of(&tip)).await?),
        }
    }
    Err(Fault::unavailable("others appended beside every attempt; nothing was changed"))
}

/// Forgets records, scopes and entries that ended before `before`, at most `limit`, in steps that keep nobody waiting.
pub(super) async fn forget(core: &Core, before: Timestamp, limit: usize) -> Result<Swept, Fault> {
    let mut swept = Swept::default();
    while swept.rows() < limit {
        let step = (limit - swept.rows()).min(1_000);
        let args = vec![digits(storable(before).as_millis()), digits(step as u64)];
        let (_, mut rest) = core.written(&core.scripts.forget, Vec::new(), args).await?;
        let (records, scopes, entries) = (rest.count()?, rest.count()?, rest.count()?);
        swept.records += records;
        swept.scopes += scopes;
        swept.entries += entries;
        if records + scopes + entries < step {
            break;
        }
    }
    Ok(swept)
}
