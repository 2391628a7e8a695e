//! The handle that a service holds, from outside: what it promises, under every fault that a store can have.
#![cfg(test)]

mod alarms;
mod callbacks;
mod clock_margin;
mod damage;
mod events;
mod everywhere;
mod follower;
mod foreign;
mod freshness;
mod healing;
mod healing_claim;
mod healing_keys;
mod healing_model;
mod healing_moments;
mod history;
mod keys;
mod keys_away;
mod logout;
mod lost_sessions;
mod model;
mod monotone;
mod naive;
mod nodes;
mod nodes_news;
mod old_primary;
mod outage;
mod races;
mod reencodings;
mod refresh_races;
mod require;
mod revoke;
mod rotation;
mod round;
mod store_clock;
mod support;
