//! The world (skeleton).
