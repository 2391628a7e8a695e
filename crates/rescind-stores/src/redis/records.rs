//! Records: small documents under compare-and-set, all in the log's slot. Owns their names and the text that holds one.
//!
//! **Shape:** the name is `kind`, a zero byte, `id`; the value is `version`, a blank, the end or nothing, a newline, the body.

use rescind::store::{Put, Record, RecordKind};
use rescind::time::Timestamp;

use super::core::{Core, digits};
use super::fault::Fault;
use super::reply::number;
use super::row::storable;

fn name(kind: RecordKind, id: &str) -> Vec<u8> {
    [kind.0.as_bytes(), b"\0", id.as_bytes()].concat()
}

pub(super) fn parse(name: &[u8], value: &[u8]) -> Result<Record, Fault> {
    let read = || {
        let end = value.iter().position(|byte| *byte == b'\n')?;
        let (header, body) = (value.get(..end)?, value.get(end + 1..)?);
        let blank = header.iter().position(|byte| *byte == b' ')?;
        let (version, ends) = (number(header.get(..blank)?)?, header.get(blank + 1..)?);
        let ends = if ends.is_empty() { None } else { Some(Timestamp::from_millis(number(ends)?)) };
        Some(Record { version, body: body.to_vec(), ends })
    };
    read().ok_or_else(|| Fault::corrupt(format!("record {:?} cannot be read", String::from_utf8_lossy(name))))
}

pub(super) async fn read(core: &Core, kind: RecordKind, id: &str) -> Result<Option<Record>, Fault> {
    let name = name(kind, id);
    let (_, mut rest) = core.headed(&core.scripts.record, Vec::new(), vec![name.clone()]).await?;
    rest.bytes_or_none()?.map(|value| parse(&name, &value)).transpose()
}

pub(super) async fn put(
    core: &Core,
    kind: RecordKind,
    id: &str,
    expected: u64,
    body: Vec<u8>,
    ends: Option<Timestamp>,
) -> Result<Put, Fault> {
    let version = expected.saturating_add(1);
    let ends = ends.map_or_else(Vec::new, |ends| digits(storable(ends).as_millis()));
    let args = vec![name(kind, id), digits(expected), digits(version), ends, body];
    let (_, mut rest) = core.written(&core.scripts.put_record, Vec::new(), args).await?;
    Ok(if rest.number()? == 1 { Put::Written(version) } else { Put::Stale })
}

pub(super) async fn list(
    core: &Core,
    kind: RecordKind,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Record)>, Fault> {
    let prefix = name(kind, "");
    let from = match after {
        Some(after) => [b"(", &name(kind, after)[..]].concat(),
        None => [b"[", &prefix[..]].concat(),
    };
    // Behind every name of the kind: the byte that ends it, one higher.
    let to = [b"(", kind.0.as_bytes(), b"\x01"].concat();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).min(1 << 40);
    let (_, mut rest) = core.headed(&core.scripts.records, Vec::new(), vec![from, to, digits(most)]).await?;
    let mut found = rest.list()?;
    let mut records = Vec::with_capacity(found.len() / 2);
    while found.len() > 0 {
        let (name, value) = (found.bytes()?, found.bytes()?);
        let id = name.get(prefix.len()..).and_then(|id| std::str::from_utf8(id).ok());
        let id = id.ok_or_else(|| Fault::corrupt("a record's name cannot be read"))?;
        records.push((id.to_owned(), parse(&name, &value)?));
    }
    Ok(records)
}
