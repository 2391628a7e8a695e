//! Reads a password: asked twice on a terminal without showing it, or the first line of standard input. Owns the
//! terminal's echo and gives it back on every way out.

use std::io::{self, BufRead, IsTerminal, Write};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use zeroize::Zeroizing;

use super::failure::Failure;

/// Where the password comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// The user types it, twice.
    Terminal,
    /// The first line of standard input.
    Stdin,
}

impl From<bool> for Source {
    fn from(stdin: bool) -> Self {
        if stdin { Self::Stdin } else { Self::Terminal }
    }
}

/// Reads a new password for `name`.
pub(crate) async fn read(name: &str, source: Source) -> Result<Zeroizing<String>, Failure> {
    match source {
        Source::Stdin => nonempty(line(io::stdin().lock())?),
        Source::Terminal if !io::stdin().is_terminal() => Err(Failure::Usage(
            "standard input is no terminal to ask for the password on; pipe it in and add --password-stdin".to_owned(),
        )),
        Source::Terminal => asked(name).await,
    }
}

async fn asked(name: &str) -> Result<Zeroizing<String>, Failure> {
    let before = tcgetattr(io::stdin()).map_err(|error| Failure::Output(error.into()))?;
    let name = super::output::printable(name).into_owned();
    let hidden = before.clone();
    let typed = tokio::task::spawn_blocking(move || {
        let _restore = Hidden::new(hidden)?;
        let first = prompt(&format!("Password for {name}: "))?;
        let second = prompt("The same again: ")?;
        Ok::<_, Failure>((first, second))
    });
    // Without this, an interrupt would end the process with the echo still off.
    tokio::select! {
        typed = typed => {
            let (first, second) = typed.map_err(|error| Failure::Output(error.into()))??;
            if *first == *second { nonempty(first) } else { Err(Failure::Input("the two passwords differ; nothing was changed".to_owned())) }
        }
        _ = tokio::signal::ctrl_c() => {
            drop(Hidden(before));
            Err(Failure::Interrupted)
        }
    }
}

fn prompt(text: &str) -> Result<Zeroizing<String>, Failure> {
    let mut terminal = io::stderr();
    terminal.write_all(text.as_bytes())?;
    terminal.flush()?;
    let typed = line(io::stdin().lock());
    terminal.write_all(b"\n")?;
    typed
}

fn line(mut from: impl BufRead) -> Result<Zeroizing<String>, Failure> {
    let mut text = Zeroizing::new(String::new());
    from.read_line(&mut text).map_err(|error| Failure::Input(format!("cannot read the password: {error}")))?;
    let length = text.trim_end_matches(['\n', '\r']).len();
    text.truncate(length);
    Ok(text)
}

fn nonempty(password: Zeroizing<String>) -> Result<Zeroizing<String>, Failure> {
    if password.is_empty() {
        return Err(Failure::Input("the password is empty; nothing was changed".to_owned()));
    }
    Ok(password)
}

/// A terminal that does not show what is typed, until dropped.
struct Hidden(Termios);

impl Hidden {
    fn new(before: Termios) -> Result<Self, Failure> {
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent).map_err(|error| Failure::Output(error.into()))?;
        Ok(Self(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // There is nobody to tell where the terminal is gone.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
