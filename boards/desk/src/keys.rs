//! Keys of the terminal, one at a time, as the hands that a device on a desk has.

use std::io::{self, IsTerminal};
use std::thread;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use crossterm::terminal;
use tokio::sync::mpsc;

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `b`: press the button.
    Press,
    /// `l`: hold it.
    Hold,
    /// Up.
    Warmer,
    /// Down.
    Colder,
    /// `n`: cut the network, or restore it.
    Network,
    /// `c`: a new link to the console.
    Console,
    /// `q`: quit.
    Quit,
    /// Ctrl-C, where it comes as a key.
    Interrupt,
}

/// The terminal as a source of keys. Dropping it gives the terminal back as it was; so does a
/// panic.
#[derive(Debug)]
pub struct Keys {
    keys: mpsc::UnboundedReceiver<Key>,
}

impl Keys {
    /// Takes keys from the terminal, if this program is used from one.
    pub fn listen() -> Option<Self> {
        if !(io::stdin().is_terminal() && io::stdout().is_terminal() && is_in_foreground()) {
            return None;
        }
        give_terminal_back_on_panic();
        enter_raw_mode().ok()?;
        let (sender, keys) = mpsc::unbounded_channel();
        // Crossterm waits for keys, but not by itself together with other things. The thread ends
        // with the process.
        thread::spawn(move || {
            while let Ok(event) = event::read() {
                if let Some(key) = meaning(&event)
                    && sender.send(key).is_err()
                {
                    break;
                }
            }
        });
        Some(Keys { keys })
    }

    /// The next key; `None` when there will be no more.
    ///
    /// Cancelling it loses nothing.
    pub async fn next(&mut self) -> Option<Key> {
        self.keys.recv().await
    }
}

impl Drop for Keys {
    fn drop(&mut self) {
        give_terminal_back();
    }
}

/// Gives the terminal back as it was, if it was taken.
pub fn give_terminal_back() {
    let _ = terminal::disable_raw_mode();
}

fn give_terminal_back_on_panic() {
    let report = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        give_terminal_back();
        report(info);
    }));
}

fn meaning(event: &Event) -> Option<Key> {
    let Event::Key(KeyEvent {
        code,
        modifiers,
        kind: KeyEventKind::Press | KeyEventKind::Repeat,
        ..
    }) = event
    else {
        return None;
    };
    if modifiers.contains(KeyModifiers::CONTROL) {
        return (*code == KeyCode::Char('c')).then_some(Key::Interrupt);
    }
    match code {
        KeyCode::Char('b' | 'B') => Some(Key::Press),
        KeyCode::Char('l' | 'L') => Some(Key::Hold),
        KeyCode::Char('n' | 'N') => Some(Key::Network),
        KeyCode::Char('c' | 'C') => Some(Key::Console),
        KeyCode::Char('q' | 'Q') => Some(Key::Quit),
        KeyCode::Up => Some(Key::Warmer),
        KeyCode::Down => Some(Key::Colder),
        _ => None,
    }
}

/// Keys one at a time and unseen; but lines still end where they should, and Ctrl-C and Ctrl-Z
/// still mean what they do.
#[cfg(unix)]
fn enter_raw_mode() -> io::Result<()> {
    use rustix::termios::{LocalModes, OptionalActions, OutputModes, tcgetattr, tcsetattr};

    terminal::enable_raw_mode()?;
    let stdin = io::stdin();
    let mut modes = tcgetattr(&stdin)?;
    modes.output_modes |= OutputModes::OPOST | OutputModes::ONLCR;
    modes.local_modes |= LocalModes::ISIG;
    tcsetattr(&stdin, OptionalActions::Now, &modes)?;
    Ok(())
}

#[cfg(not(unix))]
fn enter_raw_mode() -> io::Result<()> {
    terminal::enable_raw_mode()
}

/// Whether the terminal is ours to change: in the background (`monster &`), trying would stop us.
#[cfg(unix)]
fn is_in_foreground() -> bool {
    rustix::termios::tcgetpgrp(io::stdin()).is_ok_and(|group| group == rustix::process::getpgrp())
}

#[cfg(not(unix))]
fn is_in_foreground() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_mean_what_the_banner_says() {
        let key = |code, modifiers| meaning(&Event::Key(KeyEvent::new(code, modifiers)));
        let plain = |code| key(code, KeyModifiers::NONE);
        assert_eq!(plain(KeyCode::Char('b')), Some(Key::Press));
        assert_eq!(
            key(KeyCode::Char('B'), KeyModifiers::SHIFT),
            Some(Key::Press)
        );
        assert_eq!(plain(KeyCode::Char('l')), Some(Key::Hold));
        assert_eq!(plain(KeyCode::Char('n')), Some(Key::Network));
        assert_eq!(plain(KeyCode::Char('q')), Some(Key::Quit));
        assert_eq!(plain(KeyCode::Up), Some(Key::Warmer));
        assert_eq!(plain(KeyCode::Down), Some(Key::Colder));
        assert_eq!(plain(KeyCode::Char('c')), Some(Key::Console));
        assert_eq!(plain(KeyCode::Char('x')), None);
        assert_eq!(
            key(KeyCode::Char('c'), KeyModifiers::CONTROL),
            Some(Key::Interrupt)
        );
        assert_eq!(key(KeyCode::Char('b'), KeyModifiers::CONTROL), None);
    }

    #[test]
    fn a_key_that_is_let_go_means_nothing() {
        let mut up = KeyEvent::new(KeyCode::Char('b'), KeyModifiers::NONE);
        up.kind = KeyEventKind::Release;
        assert_eq!(meaning(&Event::Key(up)), None);
    }
}
