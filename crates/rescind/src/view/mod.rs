//! The view: the part of the log that can still matter, in memory, so that a check asks no store.

pub mod layers;
mod segment;
mod table;
