//! `rescind revoke … --from-file`: many ids, all read before the first is sent. Owns the file's shape, the progress
//! bar (on a terminal only) and the exact account of what was done.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::path::Path;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rescind::log::ScopeKind;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::client::Client;
use super::failure::Failure;
use super::output::{Format, Out, count};
use super::revoke::Order;
use super::target::Target;

/// Requests under way at once: the store flushes them together, so that a few dozen cost little more than one.
const AT_ONCE: usize = 32;

/// A line of the file that names something.
#[derive(Debug, Clone)]
pub(crate) struct Line {
    /// Its number, from 1.
    pub(crate) number: usize,
    /// What it names.
    pub(crate) target: Target,
}

/// Reads the whole file; nothing is sent where any line is wrong.
pub(crate) fn read(kind: ScopeKind, file: &Path) -> Result<Vec<Line>, Failure> {
    let mut text = String::new();
    let (name, read) = if file == Path::new("-") {
        ("standard input".to_owned(), io::stdin().read_to_string(&mut text))
    } else {
        let read = std::fs::File::open(file).and_then(|mut open| open.read_to_string(&mut text));
        (file.display().to_string(), read)
    };
    read.map_err(|source| Failure::File {
        path: name.clone().into(),
        source,
        remedy: "One id a line is expected, in UTF-8. Nothing was revoked",
    })?;
    parse(kind, &name, &text)
}

fn parse(kind: ScopeKind, name: &str, text: &str) -> Result<Vec<Line>, Failure> {
    let mut lines = Vec::new();
    let mut wrong = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let (number, line) = (index + 1, line.trim());
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        match Target::parse(kind, line) {
            Ok(target) => lines.push(Line { number, target }),
            Err(why) => wrong.push((number, why)),
        }
    }
    if let Some((number, why)) = wrong.first() {
        let more =
            if wrong.len() > 1 { format!(" (and {} more)", count(wrong.len() - 1, "bad line")) } else { String::new() };
        return Err(Failure::Input(format!(
            "{name} line {number}: {why}{more}. Nothing was revoked; correct it and run again"
        )));
    }
    if lines.is_empty() {
        return Err(Failure::Input(format!("{name} names nothing to revoke: every line is blank or a comment")));
    }
    Ok(lines)
}

/// How far a run came.
#[derive(Debug, Default)]
struct Account {
    total: usize,
    /// Acknowledged by the server.
    done: usize,
    /// Refused by the server; each was reported.
    failed: usize,
    /// Sent, but no answer came: whether they were revoked is unknown.
    unsure: usize,
    /// Why no answer came, the first time.
    broke: Option<Failure>,
}

/// Revokes every line and says exactly how far it came.
pub(crate) async fn run(client: &Client, out: &mut Out, lines: Vec<Line>, order: &Order) -> Result<(), Failure> {
    let mut account = Account { total: lines.len(), ..Account::default() };
    let bar = progress(account.total);
    let mut waiting = VecDeque::from(lines);
    let mut under_way = JoinSet::new();
    loop {
        // Nothing that follows a server that is gone could fare better.
        while account.broke.is_none() && under_way.len() < AT_ONCE {
            let Some(line) = waiting.pop_front() else { break };
            let (client, order) = (client.clone(), order.clone());
            under_way.spawn(async move {
                let answer = order.send(&client, &line.target).await;
                (line, answer)
            });
        }
        let Some(finished) = under_way.join_next().await else { break };
        bar.inc(1);
        match finished {
            Ok((_, Ok(answer))) => {
                account.done += 1;
                succeeded(out, &answer)?;
            }
            Ok((line, Err(failure @ Failure::Refused(_)))) => {
                account.failed += 1;
                bar.suspend(|| report(out, &line, &failure))?;
            }
            Ok((_, Err(failure))) => {
                account.unsure += 1;
                account.broke.get_or_insert(failure);
            }
            Err(_) => account.unsure += 1,
        }
    }
    bar.finish_and_clear();
    account.close(out)
}

fn succeeded(out: &mut Out, answer: &Value) -> Result<(), Failure> {
    if out.format() == Format::Json { out.json(answer) } else { Ok(()) }
}

fn report(out: &mut Out, line: &Line, failure: &Failure) -> Result<(), Failure> {
    if out.format() == Format::Json {
        return out.json(&json!({"line": line.number, "error": "refused", "error_description": failure.to_string()}));
    }
    let text = format!("line {}: {}: {failure}", line.number, line.target.name());
    out.line(super::output::printable(&text))
}

impl Account {
    fn close(self, out: &mut Out) -> Result<(), Failure> {
        let Self { total, done, failed, unsure, broke } = self;
        if done == total {
            return if out.format() == Format::Json {
                Ok(())
            } else {
                out.line(format_args!("revoked {done} of {total}"))
            };
        }
        let mut text = format!("revoked {done} of {total}");
        let untried = total - done - failed - unsure;
        let parts = [(failed, "refused"), (unsure, "sent without an answer"), (untried, "not tried")];
        for (count, what) in parts.into_iter().filter(|(count, _)| *count > 0) {
            text.extend([", ", &count.to_string(), " ", what]);
        }
        text.push_str(". Run the same command again to go on: revoking twice is harmless");
        if let Some(broke) = broke {
            text.extend([". It stopped because: ", &broke.to_string()]);
        }
        Err(Failure::Partly(text))
    }
}

fn progress(total: usize) -> ProgressBar {
    // Hidden by itself where standard error is no terminal.
    let length = u64::try_from(total).unwrap_or(u64::MAX);
    let bar = ProgressBar::with_draw_target(Some(length), ProgressDrawTarget::stderr());
    match ProgressStyle::with_template("revoking {bar:30} {pos} of {len}, {eta} left") {
        Ok(style) => bar.with_style(style),
        Err(_) => bar,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bad_line_is_named_by_its_number_and_nothing_is_kept() {
        let text = "# leaked\n\n0198c0de-0000-7000-8000-00000000abcd\nnot-a-uuid\n";
        let error = parse(ScopeKind::Session, "ids.txt", text).unwrap_err().to_string();
        assert!(error.starts_with("ids.txt line 4: the session id is not a UUID"), "{error}");
    }

    #[test]
    fn blank_lines_and_comments_are_skipped() {
        let lines = parse(ScopeKind::Subject, "ids.txt", "# who\r\n\r\nalice\r\n  bob  \n").unwrap();
        assert_eq!(lines.iter().map(|line| line.number).collect::<Vec<_>>(), [3, 4]);
    }
}
