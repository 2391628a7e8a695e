//! `rescind inspect`: what a token says, and why it would be refused now. Where the server cannot be asked, what the
//! text says is shown, marked as unverified: anyone can write a text.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::client::{Connection, shape};
use super::failure::Failure;
use super::output::{Format, Out, Paint, now, printable, span, time};
use super::target::looks_refresh;
use crate::wire::InspectionJson;

/// Show what a token says, and why it would be refused now.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rescind inspect eyJhbGciOiJFZERTQSIs…
  rescind inspect - < token.txt          (keeps the token out of the shell's history)

Looking spends nothing: a spent refresh token shown here does not end its session.
Exit code 0 where the server answered, whatever it said of the token; 1 where it could not.")]
pub(crate) struct Args {
    /// The token, access or refresh; `-` reads it from standard input
    #[arg(allow_hyphen_values = true)]
    token: String,
    #[command(flatten)]
    connection: Connection,
}

/// A token above this is refused before decoding, here as in the server.
const LONGEST: usize = 16 * 1024;

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    let token = if args.token == "-" { super::first_line_of_stdin()? } else { args.token };
    let mut out = args.connection.out();
    let asked = async {
        let client = args.connection.client()?;
        let answer = client.post(&["inspect"], &[], &json!({"token": token})).await?;
        let found: InspectionJson = shape(&client, &answer)?;
        Ok((answer, found))
    };
    let (answer, found) = match asked.await {
        Ok(answered) => answered,
        Err(Failure::Usage(why)) => return Err(Failure::Usage(why)),
        Err(failure) => return unverified(&mut out, &token, failure),
    };
    match out.format() {
        Format::Json => out.json(&answer)?,
        Format::Human => show(&mut out, &found)?,
    }
    match found.accepted {
        Some(_) => Ok(()),
        None => Err(Failure::Partly("the server could not tell whether it would accept the token".to_owned())),
    }
}

fn show(out: &mut Out, found: &InspectionJson) -> Result<(), Failure> {
    let paint = match found.accepted {
        Some(true) => Paint::Good,
        Some(false) => Paint::Bad,
        None => Paint::Warn,
    };
    match &found.cut_off {
        Some(entry) => {
            let refused = out.paint(paint, "Refused");
            let scope = entry.scope.to_string();
            out.line(format_args!("{refused}: a cut-off on {} covers it.", printable(&scope)))?;
            let (actor, reason) = (printable(&entry.actor), printable(&entry.reason));
            out.line(format_args!("  entry {} of the log, {}, by {actor}: {reason}", entry.seq, time(entry.at)))?;
        }
        None => out.line(out.paint(paint, printable(&found.explanation)))?,
    }
    out.line(format_args!("kind: {}", printable(&found.kind)))?;
    members(out, "header", found.header.as_ref())?;
    members(out, "claims", found.claims.as_ref())
}

/// Prints an object's members, and those of the objects in it behind them; those that are times, as times.
fn members(out: &mut Out, title: &str, value: Option<&Value>) -> Result<(), Failure> {
    let Some(Value::Object(members)) = value else { return Ok(()) };
    out.line(format_args!("{}:", printable(title)))?;
    let widest = members.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    for (name, value) in members.iter().filter(|(_, value)| !value.is_object()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let room = " ".repeat(widest - name.chars().count());
        out.line(format_args!("  {}{room}  {}{}", printable(name), printable(&text), when(out, name, value)))?;
    }
    // One level: an application's claims may be nested as deep as it likes.
    for (name, value) in members.iter().filter_map(|(name, value)| Some((name, value.as_object()?))) {
        out.line(format_args!("  {}:", printable(name)))?;
        for (name, value) in value {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            out.line(format_args!("    {}  {}{}", printable(name), printable(&text), when(out, name, value)))?;
        }
    }
    Ok(())
}

fn when(out: &Out, name: &str, value: &Value) -> String {
    let is_time = matches!(name, "iat" | "exp" | "nbf" | "auth_time") || name.ends_with("_at");
    let Some(secs) = value.as_u64().filter(|_| is_time) else { return String::new() };
    // A year of five digits is no time that a token means.
    if secs > 253_402_300_799 {
        return String::new();
    }
    let now = now();
    let distance = if secs > now { format!("in {}", span(secs - now)) } else { format!("{} ago", span(now - secs)) };
    out.paint(Paint::Dim, format!("  {}, {distance}", time(secs)))
}

/// Shows what can be read without the server, and fails with why it could not be asked.
fn unverified(out: &mut Out, token: &str, failure: Failure) -> Result<(), Failure> {
    let refresh = looks_refresh(token);
    let (header, claims) = decode(token);
    if header.is_none() && claims.is_none() && !refresh {
        return Err(failure);
    }
    if out.format() == Format::Json {
        let kind = if refresh { "refresh" } else { "unknown" };
        out.json(&json!({
            "kind": kind, "verified": false, "header": header, "claims": claims, "accepted": null,
            "explanation": "the server could not be asked; this is what the text says, and anyone can write a text",
        }))?;
        return Err(failure);
    }
    let mark = out.paint(Paint::Warn, "UNVERIFIED");
    out.line(format_args!(
        "{mark}: the server could not be asked. This is what the text says; anyone can write a text."
    ))?;
    if refresh {
        out.line("A refresh token is opaque: only its server can tell whose it is.")?;
    }
    members(out, "header", header.as_ref())?;
    members(out, "claims", claims.as_ref())?;
    Err(failure)
}

fn decode(token: &str) -> (Option<Value>, Option<Value>) {
    if token.len() > LONGEST || looks_refresh(token) {
        return (None, None);
    }
    let mut parts = token.split('.').map(|part| {
        let bytes = URL_SAFE_NO_PAD.decode(part).ok()?;
        serde_json::from_slice::<Value>(&bytes).ok().filter(Value::is_object)
    });
    (parts.next().flatten(), parts.next().flatten())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_is_no_token_decodes_to_nothing() {
        assert_eq!(decode("a.b.c"), (None, None));
        assert_eq!(decode("rrt_e30.e30.x"), (None, None));
        let (header, claims) = decode("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0.");
        assert_eq!((header, claims), (Some(json!({"alg": "none"})), Some(json!({"sub": "a"}))));
    }
}
