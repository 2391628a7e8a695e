//! `rescind users`: who may sign in, with a password at this server's own login page or with an account at a provider.

use clap::Subcommand;
use serde_json::{Value, json};

use super::client::{Client, Connection, shape};
use super::failure::Failure;
use super::output::{Cell, Format, Paint, printable, time};
use super::password;
use crate::wire::{UserJson, UsersJson};

/// Manage who may sign in.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  rescind users add alice
  printf %s \"$PASSWORD\" | rescind users add alice --password-stdin
  rescind users disable alice
  rescind users add --issuer https://accounts.google.com --subject 1234567890
  rescind users disable 'https://accounts.google.com|1234567890'

A password is never an argument: arguments are seen by every process of the machine.")]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Add a user: NAME, and asks for the password; or an account at a provider, by issuer and subject
    Add(Add),
    /// Set a user's password; ends all of their sessions
    Password(WithPassword),
    /// End all of a user's sessions, and refuse sign-in and refresh from now on
    Disable(Named),
    /// Let a disabled user sign in again; the old sessions stay ended
    Enable(Named),
    /// List the users
    List(List),
}

#[derive(Debug, clap::Args)]
struct Add {
    /// The user's name
    #[arg(required_unless_present = "issuer", conflicts_with = "issuer")]
    name: Option<String>,
    /// Read the password from standard input instead of asking
    #[arg(long, conflicts_with = "issuer")]
    password_stdin: bool,
    /// The provider's URL, as it is configured
    #[arg(long, value_name = "URL", requires = "subject")]
    issuer: Option<String>,
    /// The provider's own name for the user, its `sub`
    #[arg(long, value_name = "SUB", requires = "issuer")]
    subject: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
struct WithPassword {
    /// The user's name
    name: String,
    /// Read the password from standard input instead of asking
    #[arg(long)]
    password_stdin: bool,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
struct Named {
    /// The user's name
    name: String,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
struct List {
    #[command(flatten)]
    connection: Connection,
}

/// Runs the command.
pub(crate) async fn run(args: Args) -> Result<(), Failure> {
    match args.what {
        What::Add(add) => {
            // The token file first: nobody likes to type a password twice for nothing.
            let client = add.connection.client()?;
            let body = match (&add.name, &add.issuer) {
                (Some(name), _) => {
                    let password = password::read(name, add.password_stdin.into()).await?;
                    json!({"username": name, "password": *password})
                }
                (None, issuer) => json!({"issuer": issuer, "subject": add.subject}),
            };
            let answer = client.post(&["users"], &[], &body).await?;
            said(&client, &add.connection, &answer, |user| format!("added {}", user.username))
        }
        What::Password(set) => {
            let client = set.connection.client()?;
            let password = password::read(&set.name, set.password_stdin.into()).await?;
            let answer = client.patch(&["users", &set.name], &json!({"password": *password})).await?;
            said(&client, &set.connection, &answer, |user| {
                format!("set the password of {}; all earlier sessions are ended", user.username)
            })
        }
        What::Disable(named) => {
            let client = named.connection.client()?;
            let answer = client.patch(&["users", &named.name], &json!({"disabled": true})).await?;
            said(&client, &named.connection, &answer, |user| {
                format!("disabled {}: all sessions are ended; sign-in and refresh are refused", user.username)
            })
        }
        What::Enable(named) => {
            let client = named.connection.client()?;
            let answer = client.patch(&["users", &named.name], &json!({"disabled": false})).await?;
            said(&client, &named.connection, &answer, |user| {
                format!("enabled {}: sign-in works again; the old sessions stay ended", user.username)
            })
        }
        What::List(list) => show(&list.connection).await,
    }
}

fn said(client: &Client, to: &Connection, answer: &Value, words: impl Fn(&UserJson) -> String) -> Result<(), Failure> {
    let mut out = to.out();
    if out.format() == Format::Json {
        return out.json(answer);
    }
    let user: UserJson = shape(client, answer)?;
    out.line(printable(&words(&user)))
}

async fn show(connection: &Connection) -> Result<(), Failure> {
    let client = connection.client()?;
    let mut out = connection.out();
    let mut rows = Vec::new();
    let mut cursor: Option<String> = None;
    loop {
        let query: Vec<_> = cursor.as_deref().map(|cursor| ("cursor", cursor)).into_iter().collect();
        let answer = client.get(&["users"], &query).await?;
        let page: UsersJson = shape(&client, &answer)?;
        if out.format() == Format::Json {
            let raw = answer.get("users").and_then(Value::as_array).cloned().unwrap_or_default();
            raw.iter().try_for_each(|user| out.json(user))?;
        }
        rows.extend(page.users.iter().map(row));
        match page.next {
            Some(next) => cursor = Some(next),
            None => break,
        }
    }
    match out.format() {
        Format::Json => Ok(()),
        Format::Human if rows.is_empty() => out.line("no users; add one with `rescind users add NAME`"),
        Format::Human => out.table(["USER", "MAY SIGN IN", "SINCE", "E-MAIL"], rows),
    }
}

fn row(user: &UserJson) -> [Cell; 4] {
    let may = if user.disabled { Cell::painted("disabled", Paint::Bad) } else { Cell::painted("yes", Paint::Good) };
    let email = match user.account.as_ref().map(|account| (account.email.as_deref(), account.email_verified)) {
        Some((Some(email), Some(true))) => Cell::from(email),
        Some((Some(email), _)) => Cell::painted(format!("{email} (not verified)"), Paint::Warn),
        Some((None, _)) => Cell::from("not told yet"),
        None => Cell::from(""),
    };
    [Cell::from(&user.username), may, Cell::from(time(user.created_at)), email]
}
