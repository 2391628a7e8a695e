//! Rescind.
