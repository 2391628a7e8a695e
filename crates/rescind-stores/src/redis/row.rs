//! A session's row as Redis keeps it. Owns the bytes: a header of digits that scripts read and change, then what never
//! changes. Small, for there may be many.
//!
//! **Shape:** 6 bytes of the era; `generation rotated_at position opened_at subject-length client-length`; a newline; the
//! subject, the client, and the rest: class (one byte), authentication time above or below the opening, idle, absolute, and
//! three texts that may be absent; numbers as LEB128.

use std::time::Duration;

use rescind::id::{ClientId, SessionId, Subject};
use rescind::position::{Generation, Seq};
use rescind::refresh_token::ClientClass;
use rescind::session::{NewSession, Session};
use rescind::time::Timestamp;

use super::fault::Fault;
use super::reply::number;

/// A row that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) era: [u8; 6],
    pub(super) session: Session,
}

/// The lengths of subject and client, as the header has them.
pub(super) fn lengths(new: &NewSession) -> String {
    format!("{} {}", new.subject.as_str().len(), new.client.as_str().len())
}

/// What follows the header.
pub(super) fn tail(new: &NewSession) -> Vec<u8> {
    let mut out = [new.subject.as_str().as_bytes(), new.client.as_str().as_bytes()].concat();
    let class = ClientClass::EVERY.iter().position(|class| *class == new.class);
    out.push(class.and_then(|class| u8::try_from(class).ok()).unwrap_or(u8::MAX));
    // 0 stands for the opening, which is what most have.
    put(&mut out, new.auth_time.map_or(0, |time| storable(time).as_millis().saturating_add(1)));
    put(&mut out, millis(new.idle));
    put(&mut out, millis(new.absolute));
    for text in [&new.device, &new.scope, &new.claims] {
        put(&mut out, text.as_ref().map_or(0, |text| text.len() as u64 + 1));
        out.extend(text.iter().flat_map(|text| text.bytes()));
    }
    out
}

/// What a row can hold of it: whole milliseconds, no further than its numbers go.
pub(super) fn whole_millis(new: NewSession) -> NewSession {
    NewSession {
        auth_time: new.auth_time.map(storable),
        idle: Duration::from_millis(millis(new.idle)),
        absolute: Duration::from_millis(millis(new.absolute)),
        ..new
    }
}

/// The session as it is written.
pub(super) fn opened(new: NewSession, head: Seq, now: Timestamp) -> Session {
    let session = Session::open(new, head, now);
    Session { expires_at: storable(session.expires_at), ..session }
}

/// A time as stores keep it.
pub(super) fn storable(time: Timestamp) -> Timestamp {
    time.min(Timestamp::from_millis(i64::MAX.unsigned_abs()))
}

pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).min(i64::MAX.unsigned_abs())
}

impl Row {
    pub(super) fn parse(id: SessionId, bytes: &[u8]) -> Result<Self, Fault> {
        let read = || {
            let (era, bytes) = bytes.split_first_chunk::<6>()?;
            let end = bytes.iter().position(|byte| *byte == b'\n')?;
            let (header, tail) = (bytes.get(..end)?, bytes.get(end + 1..)?);
            let session = session(id, header, &mut Bytes(tail))?;
            Some(Self { era: *era, session })
        };
        read().ok_or_else(|| Fault::corrupt(format!("the row of session {id} cannot be read")))
    }
}

fn session(id: SessionId, header: &[u8], tail: &mut Bytes<'_>) -> Option<Session> {
    let mut numbers = header.split(|byte| *byte == b' ').map(number);
    let mut next = || numbers.next().flatten();
    let (generation, rotated_at, position, opened_at) = (next()?, next()?, next()?, next()?);
    let (subject, client) = (next()?, next()?);
    let subject = Subject::new(tail.text(subject)?).ok()?;
    let client = ClientId::new(tail.text(client)?).ok()?;
    let class = *ClientClass::EVERY.get(usize::from(tail.byte()?))?;
    let opened_at = Timestamp::from_millis(opened_at);
    let auth_time = tail.number()?.checked_sub(1).map_or(opened_at, Timestamp::from_millis);
    let idle = Duration::from_millis(tail.number()?);
    let expires_at = storable(opened_at.plus(Duration::from_millis(tail.number()?)));
    let mut text = || -> Option<Option<String>> {
        match tail.number()?.checked_sub(1) {
            Some(length) => tail.text(length).map(|text| Some(text.to_owned())),
            None => Some(None),
        }
    };
    let (device, scope, claims) = (text()?, text()?, text()?);
    Some(Session {
        id,
        subject,
        client,
        class,
        position: Seq::new(position),
        opened_at,
        auth_time,
        generation: Generation::new(generation),
        rotated_at: Timestamp::from_millis(rotated_at),
        idle,
        expires_at,
        device,
        scope,
        claims,
    })
}

fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push((number & 0x7f) as u8);
}

/// What is left to read.
struct Bytes<'b>(&'b [u8]);

impl<'b> Bytes<'b> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn text(&mut self, length: u64) -> Option<&'b str> {
        let (text, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        std::str::from_utf8(text).ok()
    }
}
