//! The command whose turn it is: the next message is not read before it is done with.

use umqtt::Instant;

use crate::dialogue::asker::{Asker, Route};
use crate::dialogue::command::Action;
use crate::dialogue::payload::Answer;
use crate::memory::CommandId;

/// How far it is.
#[derive(Default)]
pub(super) enum Turn {
    /// There is none.
    #[default]
    Free,
    /// It has an id, and is being stored.
    Storing(Pending),
    /// It is done, and this is to be answered.
    Answering(Asker, Answer),
}

/// A command with an id, between the order to store it and the word that it is.
pub(super) struct Pending {
    pub action: Action,
    pub id: CommandId,
    pub route: Option<Route>,
    pub key: u8,
    pub deadline: Instant,
}

impl Turn {
    pub fn is_free(&self) -> bool {
        matches!(self, Turn::Free)
    }

    /// The command that is being stored, if one is.
    pub fn pending(&self) -> Option<&Pending> {
        match self {
            Turn::Storing(pending) => Some(pending),
            Turn::Free | Turn::Answering(..) => None,
        }
    }

    /// The same, if `is_meant` says so of it, and it is no more.
    pub fn take_pending(&mut self, is_meant: impl FnOnce(&Pending) -> bool) -> Option<Pending> {
        if !self.pending().is_some_and(is_meant) {
            return None;
        }
        match core::mem::take(self) {
            Turn::Storing(pending) => Some(pending),
            Turn::Free | Turn::Answering(..) => None,
        }
    }

    /// Who waits for an answer will not get it: they will ask again.
    pub fn forget_answer(&mut self) {
        if let Turn::Answering(..) = self {
            *self = Turn::Free;
        }
    }
}
