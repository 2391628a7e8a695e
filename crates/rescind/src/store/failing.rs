//! A store that fails when told to.
