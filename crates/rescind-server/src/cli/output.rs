//! What commands print: aligned tables for people, JSON for programs. Owns colour (on a terminal only, honouring
//! `NO_COLOR`), times as text, and the rule that no stored text reaches a terminal with control characters in it.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, IsTerminal, Write};

use rescind::time::{Clock, SystemClock};

use super::failure::Failure;

/// For whom a command prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// Aligned text.
    Human,
    /// The server's JSON; one object a line for lists.
    Json,
}

/// A colour with a meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Paint {
    /// As it is.
    Plain,
    /// Beside the matter.
    Dim,
    /// Good.
    Good,
    /// Worth a look.
    Warn,
    /// Bad.
    Bad,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Dim => "2",
            Self::Good => "32",
            Self::Warn => "33",
            Self::Bad => "31",
        }
    }
}

/// Standard output, as the user asked for it.
#[derive(Debug)]
pub(crate) struct Out {
    stream: io::Stdout,
    format: Format,
    colour: Colour,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Colour {
    On,
    Off,
}

impl Out {
    /// Standard output.
    pub(crate) fn new(format: Format) -> Self {
        let stream = io::stdout();
        // https://no-color.org: any value but the empty one.
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let colour = if stream.is_terminal() && !unwanted { Colour::On } else { Colour::Off };
        Self { stream, format, colour }
    }

    /// For whom it is.
    pub(crate) const fn format(&self) -> Format {
        self.format
    }

    /// Prints a line.
    pub(crate) fn line(&mut self, text: impl fmt::Display) -> Result<(), Failure> {
        writeln!(self.stream, "{text}").map_err(Failure::Output)
    }

    /// Prints one JSON value on one line.
    pub(crate) fn json(&mut self, value: &impl serde::Serialize) -> Result<(), Failure> {
        let text = serde_json::to_string(value).map_err(|error| Failure::Output(error.into()))?;
        self.line(text)
    }

    /// A text in a colour, where colours are wanted.
    pub(crate) fn paint(&self, paint: Paint, text: impl Into<String>) -> String {
        let text = text.into();
        match (self.colour, paint) {
            (Colour::Off, _) | (_, Paint::Plain) => text,
            (Colour::On, paint) => format!("\u{1b}[{}m{text}\u{1b}[0m", paint.code()),
        }
    }

    /// Prints rows in aligned columns under their headings.
    pub(crate) fn table<const N: usize>(&mut self, headings: [&str; N], rows: Vec<[Cell; N]>) -> Result<(), Failure> {
        let mut widths = headings.map(width);
        for row in &rows {
            for (widest, cell) in widths.iter_mut().zip(row) {
                *widest = (*widest).max(width(&cell.text));
            }
        }
        let headings = headings.map(|text| Cell::painted(text, Paint::Dim));
        for row in std::iter::once(headings).chain(rows) {
            let mut line = String::new();
            for (place, (cell, widest)) in row.iter().zip(widths).enumerate() {
                let room = if place + 1 == N { 0 } else { (widest + 2).saturating_sub(width(&cell.text)) };
                line.push_str(&self.paint(cell.paint, cell.text.as_str()));
                line.extend(std::iter::repeat_n(' ', room));
            }
            self.line(line.trim_end())?;
        }
        Ok(())
    }
}

/// One field of a table.
#[derive(Debug, Clone)]
pub(crate) struct Cell {
    text: String,
    paint: Paint,
}

impl Cell {
    /// A field in a colour. Control characters are replaced.
    pub(crate) fn painted(text: impl AsRef<str>, paint: Paint) -> Self {
        Self { text: printable(text.as_ref()).into_owned(), paint }
    }
}

impl<T: AsRef<str>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text, Paint::Plain)
    }
}

fn width(text: &str) -> usize {
    text.chars().count()
}

/// A text that a terminal shows and does not obey: a device's name comes from whoever signed in.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    // Beside control characters, those that reorder what follows them.
    let obeyed = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    if text.chars().any(obeyed) {
        Cow::Owned(text.chars().map(|c| if obeyed(c) { '\u{fffd}' } else { c }).collect())
    } else {
        Cow::Borrowed(text)
    }
}

/// The machine's time in seconds since the epoch.
pub(crate) fn now() -> u64 {
    SystemClock.wall().as_secs()
}

/// A time in UTC, such as `2026-11-22 11:05:09Z`.
pub(crate) fn time(secs: u64) -> String {
    let (days, rest) = (secs / 86_400, secs % 86_400);
    let (year, month, day) = date(days);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}Z", rest / 3600, rest / 60 % 60, rest % 60)
}

/// The date of a day since 1970-01-01 in the Gregorian calendar, by eras of 400 years that begin in March,
/// so that the leap day comes last.
fn date(days: u64) -> (u64, u64, u64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (era * 400 + year_of_era + u64::from(month <= 2), month, day)
}

/// A span in its two largest units, such as `14 min 3 s`.
pub(crate) fn span(secs: u64) -> String {
    let units = [(secs / 86_400, "d"), (secs / 3600 % 24, "h"), (secs / 60 % 60, "min"), (secs % 60, "s")];
    let mut parts = units.into_iter().skip_while(|(count, _)| *count == 0).take(2).filter(|(count, _)| *count > 0);
    match (parts.next(), parts.next()) {
        (Some((count, unit)), None) => format!("{count} {unit}"),
        (Some((count, unit)), Some((then, smaller))) => format!("{count} {unit} {then} {smaller}"),
        _ => "0 s".to_owned(),
    }
}

/// Counts things: `1 session`, `2 sessions`.
pub(crate) fn count(number: usize, thing: &str) -> String {
    format!("{number} {thing}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        for (secs, shown) in [
            (0, "1970-01-01 00:00:00Z"),
            (951_782_399, "2000-02-28 23:59:59Z"),
            (951_782_400, "2000-02-29 00:00:00Z"),
            (1_709_251_199, "2024-02-29 23:59:59Z"),
            (1_767_225_599, "2025-12-31 23:59:59Z"),
            (4_107_542_400, "2100-03-01 00:00:00Z"),
        ] {
            assert_eq!(time(secs), shown);
        }
    }

    #[test]
    fn spans_are_shown_in_two_units() {
        for (secs, shown) in
            [(0, "0 s"), (59, "59 s"), (60, "1 min"), (843, "14 min 3 s"), (90_000, "1 d 1 h"), (86_401, "1 d")]
        {
            assert_eq!(span(secs), shown);
        }
    }

    #[test]
    fn a_device_name_cannot_drive_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb\u{9b}c\u{202e}"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
        assert_eq!(printable("Zoë's phone"), "Zoë's phone");
    }
}
