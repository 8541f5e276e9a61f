//! In the place of `gpio` where there is no Linux: there never is a line.

use super::wiring::Line;

/// A line that is set.
#[derive(Debug)]
pub enum Output {}

impl Output {
    /// Says why not.
    pub fn find(_: &Line) -> Result<Self, String> {
        Err("only Linux has lines".to_owned())
    }

    pub fn set(&mut self, _: bool) -> Result<(), String> {
        match *self {}
    }
}

/// A line that is read.
#[derive(Debug)]
pub enum Input {}

impl Input {
    /// Says why not.
    pub fn take(_: &Line) -> Result<Self, String> {
        Err("only Linux has lines".to_owned())
    }

    pub fn is_active(&mut self) -> bool {
        match *self {}
    }

    pub async fn edge(&mut self) -> Result<bool, String> {
        match *self {}
    }
}
