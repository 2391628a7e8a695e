//! One thing to mend: where it is, what is wrong, and the remedy.

use std::fmt;

/// A broken rule at one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// The rule's name, as exceptions spell it.
    pub(crate) rule: &'static str,
    /// What an exception must name: a path, or `path::function`.
    pub(crate) subject: String,
    /// Path from the root of the repository.
    pub(crate) file: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// What is wrong.
    pub(crate) what: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

impl Finding {
    /// A finding whose exception would name the whole file.
    pub(crate) fn new(
        rule: &'static str,
        file: &str,
        line: usize,
        what: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { rule, subject: file.to_owned(), file: file.to_owned(), line, what: what.into(), remedy: remedy.into() }
    }

    /// The same finding, to be excepted under a narrower name.
    pub(crate) fn about(self, subject: String) -> Self {
        Self { subject, ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { rule, file, line, what, remedy, .. } = self;
        write!(f, "{file}:{line}: {what}; {remedy} [{rule}]")
    }
}
