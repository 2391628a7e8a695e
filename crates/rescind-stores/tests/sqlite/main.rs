//! The SQLite store from outside: the whole contract, files that it must refuse, kill -9, and media that fail.

mod contract;
mod crash;
mod files;
mod medium;
mod support;
