//! Real servers for tests and benches: started in a scratch directory on a free loopback port, ended by their process
//! id. Knows none of our crates.
