//! The public listener's routes.
