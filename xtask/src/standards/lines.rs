//! What is asked: the data file of a document, read strictly.

use toml::{Table, Value};

/// A document's lines by section.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    pub(crate) title: String,
    /// What stands before the first section.
    pub(crate) head: String,
    /// What the middle column is called.
    pub(crate) column: String,
    /// What the numbers begin with.
    pub(crate) prefix: String,
    pub(crate) sections: Vec<Section>,
}

/// Some lines under one title, and what is said behind them.
#[derive(Debug, Default)]
pub(crate) struct Section {
    pub(crate) title: String,
    pub(crate) after: String,
    pub(crate) lines: Vec<Line>,
}

/// One line, or several with one answer.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) from: u32,
    pub(crate) to: u32,
    pub(crate) asks: String,
    /// What is said beside the tests, or in their place.
    pub(crate) note: String,
}

impl Line {
    /// Whether this is the line of a number, or the row in which it stands.
    pub(crate) fn has(&self, number: u32) -> bool {
        (self.from..=self.to).contains(&number)
    }
}

impl Lines {
    /// Reads a data file.
    ///
    /// # Errors
    /// What is wrong with it: no TOML, a key that is unknown or missing, a number that is not the next one.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut table = text.parse::<Table>().map_err(|why| why.to_string())?;
        let sections = tables(&mut table, "sections")?;
        let lines = Self {
            title: word(&mut table, "title")?,
            head: word(&mut table, "head")?,
            column: word(&mut table, "column")?,
            prefix: word(&mut table, "prefix")?,
            sections: sections.into_iter().map(section).collect::<Result<_, _>>()?,
        };
        nothing_else(&table)?;
        let mut next = 1;
        for line in lines.all() {
            if line.from != next || line.to < line.from {
                return Err(format!("line {next} should stand where {} does; give every number one line", line.from));
            }
            next = line.to + 1;
        }
        Ok(lines)
    }

    /// All lines, in order.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Line> {
        self.sections.iter().flat_map(|section| &section.lines)
    }
}

fn section(mut table: Table) -> Result<Section, String> {
    let lines = tables(&mut table, "lines")?.into_iter().map(line).collect::<Result<_, _>>()?;
    let section = Section { title: word(&mut table, "title")?, after: word(&mut table, "after")?, lines };
    nothing_else(&table)?;
    Ok(section)
}

fn line(mut table: Table) -> Result<Line, String> {
    let from = number(&mut table, "no")?.ok_or("a line has no number: `no = 7`")?;
    let to = number(&mut table, "to")?.unwrap_or(from);
    let line = Line { from, to, asks: word(&mut table, "asks")?, note: word(&mut table, "note")? };
    nothing_else(&table)?;
    if line.asks.is_empty() { Err(format!("line {from} asks nothing: `asks = \"…\"`")) } else { Ok(line) }
}

fn tables(table: &mut Table, key: &str) -> Result<Vec<Table>, String> {
    let Some(value) = table.remove(key) else { return Ok(Vec::new()) };
    let Value::Array(values) = value else { return Err(format!("{key} is no list of tables")) };
    let tables = values.into_iter().map(|value| match value {
        Value::Table(table) => Ok(table),
        _ => Err(format!("{key} is no list of tables")),
    });
    tables.collect()
}

fn word(table: &mut Table, key: &str) -> Result<String, String> {
    match table.remove(key) {
        None => Ok(String::new()),
        Some(Value::String(text)) => Ok(text.trim().to_owned()),
        Some(_) => Err(format!("{key} is no text")),
    }
}

fn number(table: &mut Table, key: &str) -> Result<Option<u32>, String> {
    let Some(value) = table.remove(key) else { return Ok(None) };
    let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
    number.map(Some).ok_or_else(|| format!("{key} is no number"))
}

fn nothing_else(table: &Table) -> Result<(), String> {
    table.keys().next().map_or(Ok(()), |key| Err(format!("`{key}` is unknown")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(lines: &str) -> Result<usize, String> {
        Lines::parse(&format!("title = 'T'\n[[sections]]\n{lines}")).map(|lines| lines.all().count())
    }

    #[test]
    fn every_number_has_one_line_in_order() {
        let line = |no: &str| format!("[[sections.lines]]\nno = {no}\nasks = 'x'\n");
        assert_eq!(parsed(&(line("1") + &line("2\nto = 4") + &line("5"))), Ok(3));
        for wrong in [line("1") + &line("3"), line("2"), line("1") + &line("1"), line("1\nto = 0")] {
            assert!(parsed(&wrong).unwrap_err().contains("should stand"), "{wrong}");
        }
    }

    #[test]
    fn what_is_unknown_or_missing_is_named() {
        assert!(parsed("[[sections.lines]]\nno = 1\nasks = 'x'\nnoet = 'y'\n").unwrap_err().contains("noet"));
        assert!(parsed("[[sections.lines]]\nasks = 'x'\n").unwrap_err().contains("no number"));
        assert!(parsed("[[sections.lines]]\nno = 1\n").unwrap_err().contains("asks nothing"));
    }
}
