//! What an operator and a trusted backend do: the admin API and the command line, on a real server with a real database.
//! Each test has a server and a data directory of its own. Read the `cli_` files as scripts: they show the commands.
#![cfg(test)]

mod accounts;
mod admin_guard;
mod admin_input;
mod admin_keys;
mod admin_sessions;
mod admin_users;
mod cli_doctor;
mod cli_inspect;
mod cli_output;
mod cli_revoke;
mod cli_revoke_file;
mod cli_users;
mod running;
mod start_refused;
#[path = "../support/mod.rs"]
mod support;
