//! `rescind`: the server and its command line in one binary. Owns the exit code; see `cli` for the commands and `http`
//! for the routes.

mod admin_address;
mod app;
mod cli;
mod config;
mod customer;
mod data_dir;
mod environment;
mod http;
mod logs;
mod pages;
mod store;
mod users;
mod wire;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::main()
}
