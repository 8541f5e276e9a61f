//! Settings (skeleton).
