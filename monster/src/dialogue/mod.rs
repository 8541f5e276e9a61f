//! What is said to the device and by it: topics and payloads of the classic pair and of the
//! structured tree.

pub(crate) mod asker;
pub(crate) mod command;
pub(crate) mod payload;
pub(crate) mod topics;
