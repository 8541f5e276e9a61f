//! Scenarios (skeleton).
