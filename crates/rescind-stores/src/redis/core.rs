//! What every operation of the store uses: the way to Redis, the names, the scripts, and the time where one is given.
//! Owns the answer's first part: where the log stands, and whether a history began with this call.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use redis::Value;
use rescind::log::ChainTag;
use rescind::position::{Incarnation, Seq};
use rescind::random::Random;
use rescind::store::StoreErrorKind;
use rescind::time::{Clock, Timestamp};

use super::fault::Fault;
use super::flush::Flusher;
use super::keys::Keys;
use super::link::Link;
use super::reply::{Reply, Tip};
use super::row::storable;
use super::script::{Script, Scripts};
use super::settle::{Settler, Target};

/// How often a read is made again because what it found had to be settled first.
const READS: usize = 20;

pub(super) struct Core {
    pub(super) link: Arc<Link>,
    pub(super) keys: Keys,
    pub(super) scripts: Scripts,
    flusher: Flusher,
    pub(super) settler: Settler,
    /// The time of tests; else it is Redis' own.
    clock: Option<Arc<dyn Clock>>,
    random: Arc<dyn Random>,
    /// The name that the next history gets where Redis has none.
    fresh: Mutex<Incarnation>,
    /// The last write found no room, and none has succeeded since.
    full: Mutex<Option<Fault>>,
    /// How far this process was shown the log.
    shown: Mutex<Option<Shown>>,
    /// Callers were told that it is unknown whether their entries are kept.
    doubt: AtomicBool,
}

/// A settled head that readers of this process were shown, and the connection that it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Shown {
    number: u64,
    incarnation: Incarnation,
    seq: Seq,
}

impl Core {
    pub(super) fn new(
        link: Arc<Link>,
        keys: Keys,
        clock: Option<Arc<dyn Clock>>,
        random: Arc<dyn Random>,
    ) -> Result<Arc<Self>, Fault> {
        let fresh = Mutex::new(Incarnation::from_bytes(name(&*random)?));
        let flusher = Flusher::new(Arc::clone(&link), &keys);
        Ok(Arc::new_cyclic(|core| Self {
            link,
            keys,
            scripts: Scripts::new(),
            flusher,
            settler: Settler::new(Weak::clone(core)),
            clock,
            random,
            fresh,
            full: Mutex::new(None),
            shown: Mutex::new(None),
            doubt: AtomicBool::new(false),
        }))
    }

    /// The given time as scripts take it; empty for the server's own.
    pub(super) fn time(&self) -> Vec<u8> {
        self.clock.as_ref().map_or_else(Vec::new, |clock| digits(storable(clock.wall()).as_millis()))
    }

    /// The given time.
    pub(super) fn given(&self) -> Option<Timestamp> {
        self.clock.as_ref().map(|clock| storable(clock.wall()))
    }

    /// Runs a script of the log's slot: where the log stands, and what else it answers.
    pub(super) async fn headed(
        &self,
        script: &Script,
        more_keys: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> Result<(Tip, Reply), Fault> {
        let mut keys = self.keys.log();
        keys.extend(more_keys);
        let fresh = *self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        let mut every = vec![self.time(), fresh.as_bytes().to_vec(), ChainTag::genesis(fresh).as_bytes().to_vec()];
        every.extend(args);
        let answer = self.link.run(script, &keys, &every).await?;
        let (tip, rest) = Reply::headed(answer)?;
        if tip.head.incarnation == fresh {
            self.took(fresh)?;
        }
        Ok((tip, rest))
    }

    /// As [`headed`](Self::headed), for a script whose answer readers are shown.
    ///
    /// A settling is not waited for to be safe, as what it settles is: after a crash or a failover the same entries may be
    /// there unsettled again. So that no head goes back by that, what a new connection finds unsettled is settled before its
    /// answer is taken, and so is what is below a head that was shown before, and what a failed append of this process may
    /// have left: whoever reads again learns what became of it.
    pub(super) async fn read(
        &self,
        script: &Script,
        more_keys: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> Result<(Tip, Reply), Fault> {
        for _ in 0..READS {
            let (_, number) = self.link.connection().await?;
            let before = *self.shown();
            let doubted = self.doubt.swap(false, Ordering::AcqRel);
            let answer = self.headed(script, more_keys.clone(), args.clone()).await;
            let (tip, rest) = answer.inspect_err(|_| self.doubt_again(doubted))?;
            let shown = Shown { number, incarnation: tip.head.incarnation, seq: tip.head.seq };
            let goes_on = before.is_some_and(|before| {
                (before.number, before.incarnation) == (number, shown.incarnation) && before.seq <= shown.seq
            });
            if tip.is_settled() || (goes_on && !doubted && self.link.number() == number) {
                self.show(shown);
                self.settler.notice(&tip);
                return Ok((tip, rest));
            }
            let settled = self.settler.settled(Target::all_of(&tip)).await;
            settled.inspect_err(|_| self.doubt_again(doubted))?;
            // Others may go on appending, so that never all of it is settled; what was there when the connection was new is.
            self.show(Shown { seq: tip.last, ..shown });
        }
        Err(Fault::unavailable("the instance changed beside every attempt to settle what it has"))
    }

    /// Settles what a new connection may have to, for a write that goes by where the log stands.
    pub(super) async fn catch_up(&self) -> Result<(), Fault> {
        let (_, number) = self.link.connection().await?;
        if self.shown().is_some_and(|shown| shown.number == number) {
            return Ok(());
        }
        self.read(&self.scripts.head, Vec::new(), Vec::new()).await.map(drop)
    }

    /// An append has failed: the next reading settles first what it may have left.
    pub(super) fn doubt(&self) {
        self.doubt.store(true, Ordering::Release);
    }

    fn doubt_again(&self, doubted: bool) {
        if doubted {
            self.doubt();
        }
    }

    fn show(&self, now: Shown) {
        let mut shown = self.shown();
        match &mut *shown {
            Some(before) if (before.number, before.incarnation) == (now.number, now.incarnation) => {
                before.seq = before.seq.max(now.seq);
            }
            _ => *shown = Some(now),
        }
    }

    fn shown(&self) -> MutexGuard<'_, Option<Shown>> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// As [`headed`](Self::headed), and what was written is durable when it returns.
    pub(super) async fn written(
        &self,
        script: &Script,
        more_keys: Vec<Vec<u8>>,
        args: Vec<Vec<u8>>,
    ) -> Result<(Tip, Reply), Fault> {
        let number = self.link.number();
        let answer = self.headed(script, more_keys, args).await;
        self.durable(number, answer).await
    }

    /// Runs a script that writes outside the log's slot; durable when it returns.
    pub(super) async fn write(&self, script: &Script, keys: &[Vec<u8>], args: &[Vec<u8>]) -> Result<Value, Fault> {
        let number = self.link.number();
        let answer = self.link.run(script, keys, args).await;
        self.durable(number, answer).await
    }

    async fn durable<T>(&self, number: u64, answer: Result<T, Fault>) -> Result<T, Fault> {
        let answer = match answer {
            Ok(answer) => self.flushed(number).await.map(|()| answer),
            Err(fault) => Err(fault),
        };
        self.noted(answer)
    }

    /// Returns when what was answered on the connection `number` is safe.
    pub(super) async fn flushed(&self, number: u64) -> Result<(), Fault> {
        self.flusher.flushed(number).await
    }

    /// Notes what a write says of the room that is left.
    pub(super) fn noted<T>(&self, answer: Result<T, Fault>) -> Result<T, Fault> {
        match &answer {
            Ok(_) => *self.full() = None,
            Err(fault) if fault.kind == StoreErrorKind::Full => *self.full() = Some(fault.clone()),
            Err(_) => {}
        }
        answer
    }

    /// Fails while there is no room: the last write found none, and a small one still finds none.
    pub(super) async fn has_room(&self) -> Result<(), Fault> {
        if self.full().is_none() {
            return Ok(());
        }
        let mut probe = redis::cmd("SET");
        probe.arg(self.keys.probe()).arg(1).arg("PX").arg(60_000);
        let number = self.link.number();
        let tried = self.link.command(&probe).await;
        self.durable(number, tried).await.map(drop)
    }

    /// A name that nothing else has.
    pub(super) fn mark(&self) -> Result<Vec<u8>, Fault> {
        name(&*self.random).map(Vec::from)
    }

    fn full(&self) -> MutexGuard<'_, Option<Fault>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A history has begun under `fresh`: the next one must get another name, or nobody would find out.
    fn took(&self, fresh: Incarnation) -> Result<(), Fault> {
        let mut next = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if *next == fresh {
            *next = Incarnation::from_bytes(name(&*self.random)?);
            tracing::warn!(redis = %self.link.address.place, incarnation = %fresh, "a history begins: there was none, or it was lost");
        }
        Ok(())
    }
}

fn name(random: &dyn Random) -> Result<[u8; 16], Fault> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).map_err(|error| Fault::unavailable(error.to_string()))?;
    Ok(bytes)
}

/// A number as scripts take it.
pub(super) fn digits(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}
