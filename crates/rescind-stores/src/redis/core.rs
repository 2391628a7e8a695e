//! What every operation of the store uses: the way to Redis, the names, the scripts, and the time where one is given.
//! Owns the answer's first part: where the log stands, and whether a history began with this call.

use std::sync::{Arc, Mutex, PoisonError};

use redis::Value;
use rescind::log::ChainTag;
use rescind::position::Incarnation;
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

pub(super) struct Core {
    pub(super) link: Arc<Link>,
    pub(super) keys: Keys,
    pub(super) scripts: Scripts,
    pub(super) flusher: Flusher,
    /// The time of tests; else it is Redis' own.
    clock: Option<Arc<dyn Clock>>,
    random: Arc<dyn Random>,
    /// The name that the next history gets where Redis has none.
    fresh: Mutex<Incarnation>,
    /// The last write found no room, and none has succeeded since.
    pub(super) full: Mutex<Option<Fault>>,
}

impl Core {
    pub(super) fn new(
        link: Arc<Link>,
        keys: Keys,
        clock: Option<Arc<dyn Clock>>,
        random: Arc<dyn Random>,
    ) -> Result<Self, Fault> {
        let fresh = Mutex::new(name(&*random)?);
        let flusher = Flusher::new(Arc::clone(&link), &keys);
        Ok(Self { link, keys, scripts: Scripts::new(), flusher, clock, random, fresh, full: Mutex::new(None) })
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
            Ok(answer) => self.flusher.flushed(number).await.map(|()| answer),
            Err(fault) => Err(fault),
        };
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

    fn full(&self) -> std::sync::MutexGuard<'_, Option<Fault>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A history has begun under `fresh`: the next one must get another name, or nobody would find out.
    fn took(&self, fresh: Incarnation) -> Result<(), Fault> {
        let mut next = self.fresh.lock().unwrap_or_else(PoisonError::into_inner);
        if *next == fresh {
            *next = name(&*self.random)?;
            tracing::warn!(redis = %self.link.address.place, incarnation = %fresh, "a history begins: there was none, or it was lost");
        }
        Ok(())
    }
}

fn name(random: &dyn Random) -> Result<Incarnation, Fault> {
    let mut bytes = [0; 16];
    random.fill(&mut bytes).map_err(|error| Fault::unavailable(error.to_string()))?;
    Ok(Incarnation::from_bytes(bytes))
}

/// A number as scripts take it.
pub(super) fn digits(number: u64) -> Vec<u8> {
    number.to_string().into_bytes()
}
