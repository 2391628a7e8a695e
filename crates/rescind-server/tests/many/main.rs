//! Many nodes on one store, and every row of the contract under faults: real servers, faults that really happen while a
//! load runs, and a witness outside of the processes that knows what was acknowledged. A file a family of faults; what all
//! of them stand on is in `rig`.
#![cfg(test)]

mod clocks;
mod cluster;
mod damaged;
mod disk;
mod kills;
mod links;
mod lost;
mod postgres;
mod promoted;
mod redis;
mod rig;
mod sentinel;
