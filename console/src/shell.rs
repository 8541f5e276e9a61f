//! The line console: what a person can type, at a serial port as in WebREPL.

use core::fmt::{self, Write};

use heapless::String;
use monster::device::LocalCommand;
use monster::settings::{Setting, TABLE};

use crate::changes::is_secret;
use crate::journal::Line;
use crate::line::{Editor, LINE_MAX, PIECE, PROMPT, Secrecy, Typed};
use crate::state::{Console, Host, News};
use crate::status::{Status, on_off, press_word};

/// Where a line console writes: a serial port, or frames of a WebSocket.
#[allow(async_fn_in_trait, reason = "all of it happens in one thread")]
pub trait Terminal {
    /// Why it cannot be written to.
    type Error;

    /// Writes a piece of text, all of it. Lines end in CR LF.
    ///
    /// # Errors
    /// The terminal is gone.
    async fn write(&mut self, text: &str) -> Result<(), Self::Error>;
}

/// Milliseconds after which a measurement that failed is told as such.
const MEASURE_MS: u64 = 8_000;

const HELP: &str = "\
on, off, toggle      the switch\r
pulse 500            on for 500 ms (50 to 600000)\r
th                   temperature and humidity\r
status               how the device is\r
get [KEY]            a setting, or all of them\r
set KEY VALUE        change a setting; it counts after a restart\r
log [on|off]         the last lines of the log; on: the next ones too\r
identify             show which device this is\r
restart\r
factory-reset        forget everything that was set\r
help                 this\r
";

/// The memory of a line console: the line that is typed, those before it, and a piece of an answer.
pub struct Sheet {
    editor: Editor,
    /// The line that is being obeyed.
    line: String<LINE_MAX>,
    piece: String<PIECE>,
}

impl Sheet {
    /// An empty one.
    #[allow(clippy::new_without_default, reason = "a board makes it in a static")]
    pub const fn new() -> Self {
        Sheet {
            editor: Editor::new(secrecy),
            line: String::new(),
            piece: String::new(),
        }
    }
}

/// A person's line console. Feed it what is typed ([`type_in`](Self::type_in)); while nothing is, wait
/// for [`log_waits`](Self::log_waits) too, and then [`show_log`](Self::show_log).
pub struct Shell<'a, 's, H> {
    console: &'a Console<H>,
    sheet: &'s mut Sheet,
    /// Follows the log from this line on.
    follows: Option<(News<'a>, u64)>,
}

/// What a byte came to.
enum Next {
    Byte,
    Prompt,
    Line,
}

impl<'a, 's, H: Host> Shell<'a, 's, H> {
    /// A line console that nothing was typed into yet.
    pub fn new(console: &'a Console<H>, sheet: &'s mut Sheet) -> Self {
        *sheet = Sheet::new();
        Shell {
            console,
            sheet,
            follows: None,
        }
    }

    /// Writes the prompt: that something can be typed.
    ///
    /// # Errors
    /// Those of the terminal.
    pub async fn prompt<T: Terminal>(&mut self, terminal: &mut T) -> Result<(), T::Error> {
        terminal.write(PROMPT).await
    }

    /// Takes a byte, echoes it, and does what a whole line says.
    ///
    /// Cancelling it may cut an answer short.
    ///
    /// # Errors
    /// Those of the terminal.
    pub async fn type_in<T: Terminal>(
        &mut self,
        byte: u8,
        terminal: &mut T,
    ) -> Result<(), T::Error> {
        let next = self.take(byte);
        if !self.sheet.piece.is_empty() {
            terminal.write(&self.sheet.piece).await?;
        }
        match next {
            Next::Byte => return Ok(()),
            Next::Prompt => {}
            Next::Line => {
                let mut out = Writer::new(terminal, &mut self.sheet.piece);
                let obeyed = Obeying {
                    console: self.console,
                    follows: &mut self.follows,
                    out: &mut out,
                }
                .line(&self.sheet.line)
                .await;
                // It may have been a secret.
                self.sheet.line.clear();
                obeyed?;
            }
        }
        self.prompt(terminal).await
    }

    /// Takes a byte; what it makes to be written is the piece then.
    fn take(&mut self, byte: u8) -> Next {
        let Sheet {
            editor,
            line,
            piece,
        } = &mut *self.sheet;
        piece.clear();
        match editor.take(byte, piece) {
            Typed::More => Next::Byte,
            Typed::Interrupt => {
                self.follows = None;
                Next::Prompt
            }
            Typed::Line(whole) => {
                *line = whole;
                Next::Line
            }
        }
    }

    /// Waits until there are lines of the log to be shown: for ever, unless somebody said `log on`.
    ///
    /// Cancelling it loses nothing.
    pub async fn log_waits(&mut self) {
        match &mut self.follows {
            None => core::future::pending().await,
            Some((news, next)) => {
                while *next >= self.console.log_end() {
                    news.changed().await;
                }
            }
        }
    }

    /// Shows the lines of the log that wait to be shown.
    ///
    /// # Errors
    /// Those of the terminal.
    pub async fn show_log<T: Terminal>(&mut self, terminal: &mut T) -> Result<(), T::Error> {
        let Some((_, next)) = &mut self.follows else {
            return Ok(());
        };
        let mut out = Writer::new(terminal, &mut self.sheet.piece);
        out.write("\r\x1b[K").await?;
        log(self.console, next, &mut out).await?;
        out.finish().await?;
        self.prompt(terminal).await
    }
}

/// A line that is being obeyed.
struct Obeying<'a, 'o, 't, H, T> {
    console: &'a Console<H>,
    follows: &'o mut Option<(News<'a>, u64)>,
    out: &'o mut Writer<'t, T>,
}

impl<H: Host, T: Terminal> Obeying<'_, '_, '_, H, T> {
    async fn line(mut self, line: &str) -> Result<(), T::Error> {
        let line = line.trim();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match (word, rest) {
            ("", _) => {}
            ("help" | "?", _) => self.out.terminal.write(HELP).await?,
            ("status", "") => self.status().await?,
            ("get", "") => {
                for setting in shown_settings() {
                    self.get(setting).await?;
                }
            }
            ("get", key) => self.explain(key).await?,
            ("set", pair) => self.set(pair).await?,
            ("log", "") => log(self.console, &mut 0, self.out).await?,
            ("log", "on") => self.follow().await?,
            ("log", "off") => *self.follows = None,
            ("factory-reset", "") => {
                self.out
                    .write(
                        "this forgets every setting and all that is stored; to do it: \
                         factory-reset yes\r\n",
                    )
                    .await?;
            }
            ("factory-reset", "yes") => self.command("factory-reset").await?,
            ("th", "") => self.measure().await?,
            _ => self.command(line).await?,
        }
        self.out.finish().await
    }

    async fn command(&mut self, line: &str) -> Result<(), T::Error> {
        let command = match LocalCommand::parse(line) {
            Ok(command) => command,
            Err(error) if line.starts_with("pulse") => {
                return self.out.write(format_args!("{error}\r\n")).await;
            }
            Err(_) => {
                let unknown = "there is no such command; help lists them\r\n";
                return self.out.write(unknown).await;
            }
        };
        let said = match (self.console.command(command).await, command) {
            (Err(error), _) => self.out.add(format_args!("{error}\r\n")),
            (Ok(on), LocalCommand::Switch(_)) => self.out.add(format_args!("{}\r\n", on_off(on))),
            (Ok(_), _) => self.out.add("ok\r\n"),
        };
        debug_assert!(said, "an answer fits an empty piece");
        Ok(())
    }

    async fn measure(&mut self) -> Result<(), T::Error> {
        if let Err(error) = self.console.command(LocalCommand::Measure).await {
            return self.out.write(format_args!("{error}\r\n")).await;
        }
        let asked = self.console.now();
        let Some(mut news) = self.console.news() else {
            let many = "too many wait already; try again\r\n";
            return self.out.write(many).await;
        };
        loop {
            let answer = self
                .console
                .status(|status, _| Climate::of(status, asked.as_millis()));
            match answer.flatten() {
                Some(climate) => return self.out.write(format_args!("{climate}\r\n")).await,
                None => news.changed().await,
            }
        }
    }

    async fn status(&mut self) -> Result<(), T::Error> {
        self.out.finish().await?;
        let out = &mut *self.out;
        let told = self.console.status(|status, about| {
            out.add(format_args!(
                "Monster {} on {}, id {}\r\n{}",
                env!("CARGO_PKG_VERSION"),
                about.board,
                about.id,
                Told(status)
            ))
        });
        if told.is_none() {
            let early = "the device has not started yet\r\n";
            self.out.write(early).await?;
        }
        Ok(())
    }

    async fn get(&mut self, setting: &Setting) -> Result<(), T::Error> {
        let (console, out) = (self.console, &mut *self.out);
        let mut add = || {
            console.settings(|settings| {
                let (key, value) = (setting.key(), setting.show(settings));
                out.add(format_args!("{key} = {value}\r\n"))
            })
        };
        if !add() {
            self.out.finish().await?;
            let (console, out) = (self.console, &mut *self.out);
            console.settings(|settings| {
                let (key, value) = (setting.key(), setting.show(settings));
                out.add_cut(format_args!("{key} = {value}"));
                out.add("\r\n")
            });
        }
        Ok(())
    }

    async fn explain(&mut self, key: &str) -> Result<(), T::Error> {
        match shown_settings().find(|setting| setting.key() == key) {
            Some(setting) => {
                self.get(setting).await?;
                let (meaning, allowed) = (setting.meaning(), setting.allowed());
                let text = format_args!("{meaning}\r\nallowed: {allowed}\r\n");
                self.out.write(text).await
            }
            None => {
                let refused = self.console.change(|changes| changes.add(key, "")).await;
                let said = match refused {
                    Err(refusal) => self.out.add(format_args!("{}\r\n", refusal.error)),
                    Ok(_) => self.out.add("there is no such setting\r\n"),
                };
                debug_assert!(said, "an answer fits an empty piece");
                Ok(())
            }
        }
    }

    async fn set(&mut self, pair: &str) -> Result<(), T::Error> {
        let Some((key, text)) = pair.split_once(' ') else {
            let usage = "set KEY VALUE, as in: set mqtt.keep_alive 30 (an empty value is \"\")\r\n";
            return self.out.write(usage).await;
        };
        let text = text.trim();
        let text = if text == "\"\"" { "" } else { text };
        let said = match self.console.change(|changes| changes.add(key, text)).await {
            Ok(true) => self.out.add("stored; restart to use it\r\n"),
            Ok(false) => self.out.add("it is so already\r\n"),
            Err(refusal) => self.out.add(format_args!("{}\r\n", refusal.error)),
        };
        debug_assert!(said, "an answer fits an empty piece");
        Ok(())
    }

    async fn follow(&mut self) -> Result<(), T::Error> {
        let next = self.console.log_end();
        match self.console.news() {
            Some(news) => {
                *self.follows = Some((news, next));
                self.out.write("Ctrl-C or log off ends it\r\n").await
            }
            None => self.out.write("too many follow it already\r\n").await,
        }
    }
}

/// Writes the lines of the log from this one on.
async fn log<H: Host, T: Terminal>(
    console: &Console<H>,
    next: &mut u64,
    out: &mut Writer<'_, T>,
) -> Result<(), T::Error> {
    loop {
        let mut this = *next;
        let mut fits = true;
        if !console.log_line(&mut this, |line| fits = out.add(Shown(line))) {
            return Ok(());
        }
        if fits {
            *next = this;
        } else {
            // The next piece has room for it.
            out.finish().await?;
        }
    }
}

/// The settings a person is told of; the version of their format is not theirs to set.
pub(crate) fn shown_settings() -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().filter(|setting| setting.key() != "version")
}

/// Who may see what comes next in a line: not the value of a secret.
fn secrecy(line: &str) -> Secrecy {
    let key = line
        .trim_start()
        .strip_prefix("set ")
        .and_then(|pair| pair.trim_start().split_once(' '))
        .map(|(key, _)| key);
    match TABLE.iter().find(|setting| Some(setting.key()) == key) {
        Some(setting) if is_secret(setting) => Secrecy::Always,
        Some(setting) if setting.is_sensitive() => Secrecy::Once,
        _ => Secrecy::None,
    }
}

/// A line of the log as it is shown.
struct Shown<'a>(&'a Line);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Line { at, level, text } = self.0;
        let at = at.as_millis();
        write!(
            f,
            "{:5}.{:03} {:5} {text}\r\n",
            at / 1000,
            at % 1000,
            level.as_str()
        )
    }
}

/// What the sensor says.
enum Climate {
    None,
    Reading(monster::dht::Reading),
    Fault(monster::dht::SensorError),
}

impl Climate {
    /// The outcome of a measurement that was asked for at `asked`, in milliseconds, if it is over.
    fn of(status: &Status, asked: u64) -> Option<Self> {
        if !status.has_climate {
            return Some(Climate::None);
        }
        let is_late = status.at.as_millis().saturating_sub(asked) > MEASURE_MS;
        match status.climate {
            // Ages are whole seconds; so is what a sensor can do at most.
            Some(Ok(reading)) if is_late || status.climate_age == Some(0) => {
                Some(Climate::Reading(reading))
            }
            Some(Err(error)) if is_late => Some(Climate::Fault(error)),
            None if is_late => Some(Climate::Fault(monster::dht::SensorError::Timeout)),
            _ => None,
        }
    }
}

impl fmt::Display for Climate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Climate::None => f.write_str("there is no sensor (climate.kind = none)"),
            Climate::Reading(reading) => {
                write!(f, "{} °C, {} %", reading.celsius(), reading.percent())
            }
            Climate::Fault(error) => write!(f, "the sensor could not be read: {error}"),
        }
    }
}

/// How the device is, in lines.
struct Told<'a>(&'a Status);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let status = self.0;
        let diagnostics = &status.diagnostics;
        write!(f, "switch  {}\r\n", on_off(status.on))?;
        match status.climate {
            Some(Ok(reading)) => write!(f, "climate {}\r\n", Climate::Reading(reading))?,
            Some(Err(error)) => write!(f, "climate {}\r\n", Climate::Fault(error))?,
            None => {}
        }
        if let Some(press) = status.press {
            let (word, age) = (press_word(press.event), press.age / 1000);
            write!(f, "button  {word}, {age} s ago\r\n")?;
        }
        f.write_str("broker  ")?;
        if let Some(broker) = &status.broker {
            write!(f, "{broker}: ")?;
        }
        f.write_str(status.state.as_str())?;
        if let Some(reason) = &status.reason {
            write!(f, " ({reason})")?;
        }
        if let Some(ip) = diagnostics.ip {
            write!(f, "\r\naddress {ip}")?;
        }
        write!(
            f,
            "\r\nup      {} s, started by {}, start {}\r\n",
            diagnostics.uptime,
            diagnostics.reset.as_str(),
            diagnostics.boots
        )
    }
}

/// Puts an answer together, so that it leaves in few pieces.
struct Writer<'a, T> {
    terminal: &'a mut T,
    piece: &'a mut String<PIECE>,
}

impl<'a, T: Terminal> Writer<'a, T> {
    fn new(terminal: &'a mut T, piece: &'a mut String<PIECE>) -> Self {
        piece.clear();
        Writer { terminal, piece }
    }

    /// Adds a text, if all of it fits the piece.
    #[must_use]
    fn add(&mut self, text: impl fmt::Display) -> bool {
        let before = self.piece.len();
        let fits = write!(self.piece, "{text}").is_ok();
        if !fits {
            self.piece.truncate(before);
        }
        fits
    }

    /// Adds as much of a text as fits, but for the end of the line.
    fn add_cut(&mut self, text: impl fmt::Display) {
        let _ = write!(Cut(self.piece), "{text}");
    }

    /// Adds a text, which is no longer than a piece.
    async fn write(&mut self, text: impl fmt::Display) -> Result<(), T::Error> {
        if !self.add(&text) {
            self.finish().await?;
            let fits = self.add(text);
            debug_assert!(fits, "it is no longer than a piece");
        }
        Ok(())
    }

    async fn finish(&mut self) -> Result<(), T::Error> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.terminal.write(self.piece).await?;
        self.piece.clear();
        Ok(())
    }
}

/// Takes what fits of a text, and leaves room for the end of the line.
struct Cut<'a>(&'a mut String<PIECE>);

impl Write for Cut<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = (PIECE - "\r\n".len()).saturating_sub(self.0.len());
        let fits = text.floor_char_boundary(room.min(text.len()));
        let taken = text.get(..fits).unwrap_or_default();
        let _ = self.0.push_str(taken);
        if taken.len() < text.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}
