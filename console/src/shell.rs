//! The line console: what a person can type, at a serial port as in WebREPL.

use core::fmt::{self, Write};

use heapless::String;
use monster::device::LocalCommand;
use monster::settings::{Setting, TABLE};

use crate::changes::is_secret;
use crate::journal::Line;
use crate::line::{Echo, Editor, PROMPT, Secrecy, Typed};
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

/// The most that is written in one piece, in bytes.
const PIECE: usize = 512;
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

/// A person's line console. Feed it what is typed ([`type_in`](Self::type_in)); while nothing is, wait
/// for [`log_waits`](Self::log_waits) too, and then [`show_log`](Self::show_log).
pub struct Shell<'a, H> {
    console: &'a Console<H>,
    editor: Editor,
    /// Follows the log from this line on.
    follows: Option<(News<'a>, u64)>,
}

impl<'a, H: Host> Shell<'a, H> {
    /// A line console that nothing was typed into yet.
    pub const fn new(console: &'a Console<H>) -> Self {
        Shell {
            console,
            editor: Editor::new(secrecy),
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
        let mut echo = Echo::new();
        let typed = self.editor.take(byte, &mut echo);
        if !echo.is_empty() {
            terminal.write(&echo).await?;
        }
        match typed {
            Typed::More => return Ok(()),
            Typed::Interrupt => self.follows = None,
            Typed::Line(line) => self.obey(&line, terminal).await?,
        }
        self.prompt(terminal).await
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
        let mut out = Writer::new(terminal);
        out.write(format_args!("\r\x1b[K")).await?;
        while let Some(line) = self.console.log_after(next) {
            out.write(format_args!("{}", Shown(&line))).await?;
        }
        out.finish().await?;
        self.prompt(terminal).await
    }

    async fn obey<T: Terminal>(&mut self, line: &str, terminal: &mut T) -> Result<(), T::Error> {
        let mut out = Writer::new(terminal);
        let line = line.trim();
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        let rest = rest.trim();
        match (word, rest) {
            ("", _) => {}
            ("help" | "?", _) => out.write(format_args!("{HELP}")).await?,
            ("status", "") => self.status(&mut out).await?,
            ("get", "") => {
                for setting in shown_settings() {
                    self.get(setting, &mut out).await?;
                }
            }
            ("get", key) => match shown_settings().find(|setting| setting.key() == key) {
                Some(setting) => {
                    self.get(setting, &mut out).await?;
                    let (meaning, allowed) = (setting.meaning(), setting.allowed());
                    out.write(format_args!("{meaning}\r\nallowed: {allowed}\r\n"))
                        .await?;
                }
                None => {
                    let refusal = self.console.change(|changes| changes.add(key, "")).await;
                    let error = refusal.err();
                    let error = error
                        .as_ref()
                        .map_or("there is no such setting", |e| &e.error);
                    out.write(format_args!("{error}\r\n")).await?;
                }
            },
            ("set", pair) => self.set(pair, &mut out).await?,
            ("log", "") => self.log(&mut out).await?,
            ("log", "on") => self.follow(&mut out).await?,
            ("log", "off") => self.follows = None,
            ("factory-reset", "") => {
                out.write(format_args!(
                    "this forgets every setting and all that is stored; to do it: factory-reset yes\r\n"
                ))
                .await?;
            }
            ("factory-reset", "yes") => self.command("factory-reset", &mut out).await?,
            ("th", "") => self.measure(&mut out).await?,
            _ => self.command(line, &mut out).await?,
        }
        out.finish().await
    }

    async fn command<T: Terminal>(
        &mut self,
        line: &str,
        out: &mut Writer<'_, T>,
    ) -> Result<(), T::Error> {
        let command = match LocalCommand::parse(line) {
            Ok(command) => command,
            Err(error) if line.starts_with("pulse") => {
                return out.write(format_args!("{error}\r\n")).await;
            }
            Err(_) => {
                return out
                    .write(format_args!(
                        "there is no such command; help lists them\r\n"
                    ))
                    .await;
            }
        };
        match (self.console.command(command).await, command) {
            (Err(error), _) => out.write(format_args!("{error}\r\n")).await,
            (Ok(on), LocalCommand::Switch(_)) => {
                out.write(format_args!("{}\r\n", on_off(on))).await
            }
            (Ok(_), _) => out.write(format_args!("ok\r\n")).await,
        }
    }

    async fn measure<T: Terminal>(&mut self, out: &mut Writer<'_, T>) -> Result<(), T::Error> {
        if let Err(error) = self.console.command(LocalCommand::Measure).await {
            return out.write(format_args!("{error}\r\n")).await;
        }
        let asked = self.console.now();
        let Some(mut news) = self.console.news() else {
            return out
                .write(format_args!("too many wait already; try again\r\n"))
                .await;
        };
        loop {
            let answer = self
                .console
                .status(|status, _| Climate::of(status, asked.as_millis()));
            match answer.flatten() {
                Some(climate) => return out.write(format_args!("{climate}\r\n")).await,
                None => news.changed().await,
            }
        }
    }

    async fn status<T: Terminal>(&mut self, out: &mut Writer<'_, T>) -> Result<(), T::Error> {
        let mut text = String::<PIECE>::new();
        let told = self.console.status(|status, about| {
            let _ = write!(
                text,
                "Monster {} on {}, id {}\r\n{}",
                env!("CARGO_PKG_VERSION"),
                about.board,
                about.id,
                Told(status)
            );
        });
        match told {
            Some(()) => out.write(format_args!("{text}")).await,
            None => {
                out.write(format_args!("the device has not started yet\r\n"))
                    .await
            }
        }
    }

    async fn get<T: Terminal>(
        &mut self,
        setting: &Setting,
        out: &mut Writer<'_, T>,
    ) -> Result<(), T::Error> {
        let mut text = String::<PIECE>::new();
        self.console.settings(|settings| {
            let _ = write!(text, "{} = {}", setting.key(), setting.show(settings));
        });
        out.write(format_args!("{text}\r\n")).await
    }

    async fn set<T: Terminal>(
        &mut self,
        pair: &str,
        out: &mut Writer<'_, T>,
    ) -> Result<(), T::Error> {
        let Some((key, text)) = pair.split_once(' ') else {
            return out
                .write(format_args!(
                    "set KEY VALUE, as in: set mqtt.keep_alive 30 (an empty value is \"\")\r\n"
                ))
                .await;
        };
        let text = text.trim();
        let text = if text == "\"\"" { "" } else { text };
        match self.console.change(|changes| changes.add(key, text)).await {
            Ok(true) => {
                out.write(format_args!("stored; restart to use it\r\n"))
                    .await
            }
            Ok(false) => out.write(format_args!("it is so already\r\n")).await,
            Err(refusal) => out.write(format_args!("{}\r\n", refusal.error)).await,
        }
    }

    async fn log<T: Terminal>(&mut self, out: &mut Writer<'_, T>) -> Result<(), T::Error> {
        let mut next = 0;
        while let Some(line) = self.console.log_after(&mut next) {
            out.write(format_args!("{}", Shown(&line))).await?;
        }
        Ok(())
    }

    async fn follow<T: Terminal>(&mut self, out: &mut Writer<'_, T>) -> Result<(), T::Error> {
        let next = self.console.log_end();
        match self.console.news() {
            Some(news) => {
                self.follows = Some((news, next));
                out.write(format_args!("Ctrl-C or log off ends it\r\n"))
                    .await
            }
            None => {
                out.write(format_args!("too many follow it already\r\n"))
                    .await
            }
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
    piece: String<PIECE>,
}

impl<'a, T: Terminal> Writer<'a, T> {
    fn new(terminal: &'a mut T) -> Self {
        Writer {
            terminal,
            piece: String::new(),
        }
    }

    /// Adds a text. It is made once for each piece it goes into, and must be the same each time.
    async fn write(&mut self, text: fmt::Arguments<'_>) -> Result<(), T::Error> {
        let mut skip = 0;
        loop {
            let mut part = Part {
                piece: &mut self.piece,
                skip,
                written: 0,
            };
            let all = part.write_fmt(text).is_ok();
            skip += part.written;
            if all {
                return Ok(());
            }
            self.finish_piece().await?;
        }
    }

    async fn finish(&mut self) -> Result<(), T::Error> {
        if self.piece.is_empty() {
            return Ok(());
        }
        self.finish_piece().await
    }

    async fn finish_piece(&mut self) -> Result<(), T::Error> {
        self.terminal.write(&self.piece).await?;
        self.piece.clear();
        Ok(())
    }
}

/// Takes what fits of a text, after what was taken before.
struct Part<'a> {
    piece: &'a mut String<PIECE>,
    /// Bytes that are in earlier pieces.
    skip: usize,
    /// Bytes taken now.
    written: usize,
}

impl Write for Part<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let skipped = self.skip.min(text.len());
        self.skip = self.skip.saturating_sub(skipped);
        for character in text.get(skipped..).unwrap_or_default().chars() {
            self.piece.push(character).map_err(|_| fmt::Error)?;
            self.written = self.written.saturating_add(character.len_utf8());
        }
        Ok(())
    }
}
