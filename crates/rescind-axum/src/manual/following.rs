//! Check tokens in a service that has no store.
