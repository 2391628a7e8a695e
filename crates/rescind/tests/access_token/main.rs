//! Access tokens from outside: what passes, and every way in which one is refused.
#![cfg(test)]

mod common;
mod foreign;
mod hostile;
mod other_opinion;
mod round;
mod times;
mod vectors;
