//! Refresh tokens: their text and MAC, the table that decides what a presented one is worth, and the policy of a
//! client's class. Knows no store: whoever calls loads and compares-and-sets.

mod policy;

pub use policy::ClientClass;
