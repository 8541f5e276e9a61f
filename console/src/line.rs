//! A line as a person types it: with echo, a backspace, and the lines before it.

use heapless::{String, Vec};

/// The longest line, in bytes.
pub(crate) const LINE_MAX: usize = 320;
/// How many lines are remembered, and how many bytes of them.
const HISTORY: usize = 3;
const HISTORY_BYTES: usize = 512;
/// The most that is written in one piece, in bytes: more than one byte of a line makes to be written.
pub(crate) const PIECE: usize = 512;

/// What stands before each line: the original's own.
pub(crate) const PROMPT: &str = ">>> ";

/// What is written because of a byte.
pub(crate) type Echo = String<PIECE>;

/// What a byte came to. A line may have a secret in it, so only tests can show it.
#[derive(PartialEq, Eq)]
#[cfg_attr(test, derive(Debug))]
pub(crate) enum Typed {
    /// The line goes on.
    More,
    /// The line is whole.
    Line(String<LINE_MAX>),
    /// Ctrl-C: the line is given up.
    Interrupt,
}

/// The line that is being typed.
pub(crate) struct Editor {
    line: Vec<u8, LINE_MAX>,
    history: History,
    /// Which line of the history is shown, counted back from the newest; 0 is the one being typed.
    recalled: usize,
    escape: Escape,
    /// The last byte was a carriage return, so a line feed belongs to it.
    returned: bool,
    /// What of a line in the making may be seen.
    secrecy: fn(&str) -> Secrecy,
}

/// Who may see what comes next in a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Secrecy {
    /// Everybody.
    None,
    /// Who types it; the line is not remembered.
    Once,
    /// Nobody: stars are shown.
    Always,
}

/// Where in an escape sequence it is: those of arrow keys and the like are left out as a whole.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Escape {
    None,
    /// After ESC.
    Begun,
    /// After ESC [: until a letter or a tilde.
    Sequence,
    /// After ESC O: one more.
    Single,
}

impl Editor {
    /// `secrecy` says of a line in the making who may see what comes next.
    pub const fn new(secrecy: fn(&str) -> Secrecy) -> Self {
        Editor {
            line: Vec::new(),
            history: History::new(),
            recalled: 0,
            escape: Escape::None,
            returned: false,
            secrecy,
        }
    }

    /// Takes a byte; `echo` is what is to be written.
    pub fn take(&mut self, byte: u8, echo: &mut Echo) -> Typed {
        let returned = core::mem::take(&mut self.returned);
        if let Some(key) = self.escaped(byte) {
            match key {
                b'A' => self.recall(self.recalled.saturating_add(1), echo),
                b'B' => self.recall(self.recalled.saturating_sub(1), echo),
                _ => {}
            }
            return Typed::More;
        }
        if self.escape != Escape::None {
            return Typed::More;
        }
        match byte {
            b'\n' if returned => {}
            b'\r' | b'\n' => {
                self.returned = byte == b'\r';
                let _ = echo.push_str("\r\n");
                return Typed::Line(self.finished());
            }
            // Ctrl-C
            0x03 => {
                let _ = echo.push_str("\r\n");
                self.clear();
                return Typed::Interrupt;
            }
            // Backspace, whichever the terminal sends.
            0x08 | 0x7f => self.remove(echo),
            // Ctrl-U
            0x15 => {
                self.clear();
                self.redraw(echo);
            }
            0x00..0x20 => {}
            _ => {
                // A byte that does not fit is not echoed either.
                if self.line.push(byte).is_ok() {
                    self.echo_last(echo);
                }
            }
        }
        Typed::More
    }

    /// Follows an escape sequence; its last byte, when it is whole.
    fn escaped(&mut self, byte: u8) -> Option<u8> {
        let (next, key) = match (self.escape, byte) {
            (_, 0x1b) => (Escape::Begun, None),
            (Escape::Begun, b'[') => (Escape::Sequence, None),
            (Escape::Begun, b'O') => (Escape::Single, None),
            (Escape::Sequence, 0x20..0x40) => (Escape::Sequence, None),
            (Escape::None, _) => (Escape::None, None),
            (Escape::Begun | Escape::Sequence | Escape::Single, _) => (Escape::None, Some(byte)),
        };
        self.escape = next;
        key
    }

    /// The line so far, as far as it is whole characters.
    fn text(&self) -> &str {
        self.line
            .utf8_chunks()
            .next()
            .map_or("", |chunk| chunk.valid())
    }

    /// Shows the character that the last byte made whole.
    fn echo_last(&self, echo: &mut Echo) {
        let text = self.text();
        if text.len() < self.line.len() {
            return;
        }
        let Some(last) = text.chars().next_back() else {
            return;
        };
        let before = text.strip_suffix(last).unwrap_or_default();
        let _ = echo.push(self.shown(before, last));
    }

    fn shown(&self, before: &str, character: char) -> char {
        match (self.secrecy)(before) {
            Secrecy::None | Secrecy::Once => character,
            Secrecy::Always => '*',
        }
    }

    fn remove(&mut self, echo: &mut Echo) {
        let text = self.text();
        let Some(last) = text.chars().next_back() else {
            self.line.clear();
            return;
        };
        let rest = text.len() - last.len_utf8();
        self.line.truncate(rest);
        if last.is_ascii() {
            let _ = echo.push_str("\x08 \x08");
        } else {
            // Who knows how wide it was.
            self.redraw(echo);
        }
    }

    fn redraw(&self, echo: &mut Echo) {
        let _ = echo.push_str("\r\x1b[K");
        let _ = echo.push_str(PROMPT);
        let text = self.text();
        for (place, character) in text.char_indices() {
            let before = text.get(..place).unwrap_or_default();
            let _ = echo.push(self.shown(before, character));
        }
    }

    fn recall(&mut self, place: usize, echo: &mut Echo) {
        let line = match place.checked_sub(1) {
            None => "",
            Some(back) => match self.history.line(back) {
                Some(line) => line,
                None => return,
            },
        };
        self.line.clear();
        let _ = self.line.extend_from_slice(line.as_bytes());
        self.recalled = place;
        self.redraw(echo);
    }

    /// Takes the line away. What is no text is left out; a secret is not remembered.
    fn finished(&mut self) -> String<LINE_MAX> {
        let mut line = String::new();
        for chunk in self.line.utf8_chunks() {
            let _ = line.push_str(chunk.valid());
        }
        self.clear();
        let is_last = self.history.line(0) == Some(&line);
        if !line.trim().is_empty() && !is_last && (self.secrecy)(&line) == Secrecy::None {
            self.history.add(&line);
        }
        line
    }

    fn clear(&mut self) {
        self.line.fill(0);
        self.line.clear();
        self.recalled = 0;
    }
}

/// The last lines, each with a line feed after it.
struct History(String<HISTORY_BYTES>);

impl History {
    const fn new() -> Self {
        History(String::new())
    }

    /// A line, counted back from the newest, which is 0.
    fn line(&self, back: usize) -> Option<&str> {
        self.0.lines().rev().nth(back)
    }

    fn add(&mut self, line: &str) {
        let fits = |kept: &str| kept.len() + line.len() < HISTORY_BYTES;
        let mut kept = self.0.as_str();
        while !kept.is_empty() && (!fits(kept) || kept.lines().count() >= HISTORY) {
            kept = kept.split_once('\n').map_or("", |(_, newer)| newer);
        }
        let forgotten = self.0.len() - kept.len();
        drop(self.0.drain(..forgotten));
        let _ = self.0.push_str(line);
        let _ = self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::format;
    use std::string::{String as Text, ToString};
    use std::vec::Vec as List;

    use super::*;

    fn editor() -> Editor {
        Editor::new(|line| match line.split_once(' ') {
            Some(("secret", _)) => Secrecy::Always,
            Some(("url", _)) => Secrecy::Once,
            _ => Secrecy::None,
        })
    }

    /// What is echoed, and the lines that came of it.
    fn typed(editor: &mut Editor, bytes: &[u8]) -> (Text, List<Text>) {
        let (mut echoed, mut lines) = (Text::new(), List::new());
        for byte in bytes {
            let mut echo = Echo::new();
            let typed = editor.take(*byte, &mut echo);
            echoed.push_str(&echo);
            match typed {
                Typed::Line(line) => lines.push(line.to_string()),
                Typed::Interrupt => lines.push("^C".to_string()),
                Typed::More => {}
            }
        }
        (echoed, lines)
    }

    #[test]
    fn a_line_is_echoed_and_ends_however_the_terminal_ends_it() {
        let (echo, lines) = typed(&mut editor(), b"on\roff\ntoggle\r\n\r");
        assert_eq!(echo, "on\r\noff\r\ntoggle\r\n\r\n");
        assert_eq!(lines, ["on", "off", "toggle", ""]);
    }

    #[test]
    fn backspace_takes_the_last_character_whole() {
        let (echo, lines) = typed(&mut editor(), b"ox\x7fn\x08n\r");
        assert_eq!(lines, ["on"]);
        assert_eq!(echo, "ox\x08 \x08n\x08 \x08n\r\n");
        let (echo, lines) = typed(&mut editor(), "a灯\x7f\r".as_bytes());
        assert_eq!(lines, ["a"]);
        assert_eq!(echo, "a灯\r\x1b[K>>> a\r\n");
        let (echo, lines) = typed(&mut editor(), b"\x7f\x7f\r");
        assert_eq!((echo.as_str(), lines), ("\r\n", ["".to_string()].into()));
    }

    #[test]
    fn ctrl_u_empties_the_line_and_ctrl_c_gives_it_up() {
        let (echo, lines) = typed(&mut editor(), b"abc\x15on\rx\x03y\r");
        assert_eq!(lines, ["on", "^C", "y"]);
        assert_eq!(echo, "abc\r\x1b[K>>> on\r\nx\r\ny\r\n");
    }

    #[test]
    fn the_arrows_bring_back_lines_and_other_keys_do_nothing() {
        let mut editor = editor();
        typed(&mut editor, b"one\rtwo\rthree\rfour\rfour\r");
        let (_, lines) = typed(&mut editor, b"\x1b[A\x1b[A\r");
        assert_eq!(lines, ["three"]);
        let (_, lines) = typed(&mut editor, b"\x1b[A\x1b[A\x1b[B\x1bOB\r");
        assert_eq!(lines, [""]);
        // There is no way beyond the oldest.
        let (_, lines) = typed(&mut editor, &[b"\x1b[A".repeat(9), b"\r".to_vec()].concat());
        assert_eq!(lines, ["three"]);
        let left_right_home_delete_f5 =
            b"o\x1b[D\x1b[C\x1b[1~\x1b[3~\x1b[15~\x1bOP\x1b[1;5Cn\x01\x05\t\0\r";
        let (echo, lines) = typed(&mut editor, left_right_home_delete_f5);
        assert_eq!(
            (echo.as_str(), lines),
            ("on\r\n", ["on".to_string()].into())
        );
    }

    #[test]
    fn long_lines_push_out_older_ones() {
        let mut editor = editor();
        let long = "x".repeat(LINE_MAX);
        typed(&mut editor, format!("one\rtwo\r{long}\r").as_bytes());
        let (_, lines) = typed(&mut editor, b"\x1b[A\x1b[A\r");
        assert_eq!(lines, ["two"]);
        let longer = "y".repeat(LINE_MAX);
        typed(&mut editor, format!("{longer}\r").as_bytes());
        let (_, lines) = typed(&mut editor, &[b"\x1b[A".repeat(9), b"\r".to_vec()].concat());
        assert_eq!(lines, ["two"]);
        typed(&mut editor, "灯\r".as_bytes());
        typed(&mut editor, format!("{long}\r").as_bytes());
        let (_, lines) = typed(&mut editor, b"\x1b[A\x1b[A\r");
        assert_eq!(lines, ["灯"]);
    }

    #[test]
    fn a_secret_is_neither_echoed_nor_remembered() {
        let mut editor = editor();
        let (echo, lines) = typed(&mut editor, b"secret ca\xe7\x81\xafn\x7fry\r");
        assert_eq!(lines, ["secret ca灯ry"]);
        assert_eq!(echo, "secret ****\x08 \x08**\r\n");
        let (echo, _) = typed(&mut editor, b"url x\r\x1b[A");
        assert_eq!(echo, "url x\r\n");
        let (echo, _) = typed(&mut editor, "secret x灯\x7f".as_bytes());
        assert_eq!(echo, "secret **\r\x1b[K>>> secret *");
    }

    #[test]
    fn what_is_too_long_or_no_text_is_left_out() {
        let mut editor = editor();
        let (echo, lines) = typed(&mut editor, &[b'x'; 1000]);
        assert_eq!((echo.len(), lines.len()), (LINE_MAX, 0));
        typed(&mut editor, b"\r");
        let (_, lines) = typed(&mut editor, b"o\xff\xfen\xe7\x81\r");
        assert_eq!(lines, ["on"]);
        let every: List<u8> = (0..=255).cycle().take(5000).collect();
        typed(&mut editor, &every);
    }
}
