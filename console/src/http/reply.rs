//! What is answered.

use core::fmt::{self, Write as _};
use core::marker::PhantomData;

use embassy_futures::select::select;
use monster::device::{LocalCommand, UnknownCommand};
use monster::settings::value::Kind;
use monster::settings::{Setting, Settings};
use monster::wifi::HEARD_MAX;
use picoserve::io::Write;
use picoserve::time::{Duration, Timer};

use super::CONFIG;
use super::route::Turn;
use crate::access::{Denied, Token};
use crate::changes::{Changes, Refusal, is_secret};
use crate::history::{POINTS, STEP_SECONDS};
use crate::json::{Quoted, Text};
use crate::shell::shown_settings;
use crate::state::{Console, Host, Stream};
use crate::status::{OrNull, on_off};
use crate::{page, portal};

/// How long the radio may take to listen.
const SCAN: Duration = Duration::from_secs(8);

/// An answer that is known before it is written: a few words of memory.
pub(super) struct Reply {
    status: u16,
    own: Own,
    body: Body,
}

/// The headers that an answer alone has.
pub(super) enum Own {
    None,
    Allow(&'static str),
    /// In seconds.
    RetryAfter(u64),
    /// What a browser is to show from now on; nothing any more.
    Cookie(Option<Token>),
    /// It is to open the page, and perhaps is signed in.
    ToPage(Option<Token>),
    /// It is to open the portal.
    ToPortal,
}

/// What comes after the headers.
pub(super) enum Body {
    None,
    Page,
    /// What can be asked.
    Description,
    Status,
    Settings,
    History,
    Trial,
    Error(Why),
    NotDone(Why),
}

/// What is wrong and what to do.
pub(super) enum Why {
    Text(&'static str),
    Denied(Denied),
    Command(UnknownCommand),
    TooLong { most: usize },
    Method { allowed: &'static str },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Why::Text(text) => f.write_str(text),
            Why::Denied(denied) => denied.fmt(f),
            Why::Command(error) => error.fmt(f),
            Why::TooLong { most } => {
                write!(f, "the body is too long; allowed: up to {most} bytes")
            }
            Why::Method { allowed } => write!(f, "allowed here: {allowed}"),
        }
    }
}

impl Reply {
    /// What came in was no request.
    pub const NONSENSE: Self = Reply {
        status: 400,
        own: Own::None,
        body: Body::Error(Why::Text(
            "this is no HTTP request, or its head is too long for this device",
        )),
    };

    pub fn new(status: u16, body: Body) -> Self {
        let own = Own::None;
        Reply { status, own, body }
    }

    pub fn ok(body: Body) -> Self {
        Reply::new(200, body)
    }

    pub fn empty(status: u16) -> Self {
        Reply::new(status, Body::None)
    }

    pub fn error(status: u16, error: &'static str) -> Self {
        Reply::new(status, Body::Error(Why::Text(error)))
    }

    pub fn not_done(why: Why) -> Self {
        Reply::new(400, Body::NotDone(why))
    }

    pub fn with(self, own: Own) -> Self {
        Reply { own, ..self }
    }
}

/// Does what is wanted, and writes the answer.
pub(super) async fn write<Runtime, H, T, W>(
    console: &Console<H>,
    turn: Turn<'_, H>,
    out: &mut Out<'_, Runtime, T, W>,
) -> Result<(), Gone>
where
    H: Host,
    T: Timer<Runtime>,
    W: Write,
{
    match turn {
        Turn::Reply(reply) => {
            let kind = reply.body.kind();
            head(console, reply.status, &reply.own, kind, out);
            body(console, &reply.body, out).await
        }
        Turn::Events(stream) => {
            head(console, 200, &Own::None, Some(ContentOf::EVENTS), out);
            events(stream, console, out).await
        }
        Turn::Command(command) => {
            let done = console.command(command).await;
            json(console, if done.is_ok() { 200 } else { 400 }, out);
            match done {
                Ok(on) => out.add(format_args!(r#"{{"ok":true,"state":"{}"}}"#, on_off(on))),
                Err(error) => out.add(NotDone(&error)),
            }
            out.write().await
        }
        Turn::Scan => {
            // What was heard before is better than nothing.
            select(console.listen(), out.timer.delay(SCAN)).await;
            json(console, 200, out);
            let (head, end) = console.round_networks();
            out.add(head);
            for place in 0..HEARD_MAX {
                if let Some(network) = console.network(place) {
                    out.write().await?;
                    out.add(network);
                }
            }
            out.add(end);
            out.write().await
        }
        Turn::Join(mut buffer, length) => {
            let given = buffer.get(..length).unwrap_or_default();
            let begun = console.join(|changes| portal::read(given, changes)).await;
            // There may have been a secret in it.
            buffer.fill(0);
            drop(buffer);
            json(console, if begun.is_ok() { 202 } else { 400 }, out);
            match begun {
                Ok(()) => out.add(r#"{"ok":true}"#),
                Err(refusal) => out.add(Refused(&refusal)),
            }
            out.write().await
        }
        Turn::Change(mut buffer, length) => {
            // The board may want this memory to store them with.
            let take = move |changes: &mut Changes| {
                let taken = changes.add_json(buffer.get(..length).unwrap_or_default());
                // There may have been a secret in it.
                buffer.fill(0);
                taken
            };
            match console.change(take).await {
                Ok(restarts) => stored(console, restarts, out).await,
                Err(refusal) => {
                    json(console, 400, out);
                    out.add(Refused(&refusal));
                    out.write().await
                }
            }
        }
        // Those are not answered here.
        Turn::WebSocket(_) => Ok(()),
    }
}

/// Settings are stored; those that are new count after a restart.
async fn stored<Runtime, H, T, W>(
    console: &Console<H>,
    restarts: bool,
    out: &mut Out<'_, Runtime, T, W>,
) -> Result<(), Gone>
where
    H: Host,
    T: Timer<Runtime>,
    W: Write,
{
    if restarts && let Err(error) = console.command(LocalCommand::Restart).await {
        json(console, 400, out);
        out.add(NotDone(&error));
    } else {
        json(console, 200, out);
        out.add(format_args!(r#"{{"ok":true,"restart":{restarts}}}"#));
    }
    out.write().await
}

struct Refused<'a>(&'a Refusal);

impl fmt::Display for Refused<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Refusal { key, error } = self.0;
        let (key, error) = (OrNull(key.as_deref().map(Text)), Text(error));
        write!(f, r#"{{"ok":false,"key":{key},"error":{error}}}"#)
    }
}

struct NotDone<'a>(&'a str);

impl fmt::Display for NotDone<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, r#"{{"ok":false,"error":{}}}"#, Text(self.0))
    }
}

/// What is said of a body.
#[derive(Clone, Copy)]
struct ContentOf {
    kind: &'static str,
    /// It is known beforehand, and compressed.
    length: Option<usize>,
    policy: &'static str,
}

impl ContentOf {
    const JSON: Self = ContentOf {
        kind: "application/json",
        length: None,
        policy: NO_POLICY,
    };
    const EVENTS: Self = ContentOf {
        kind: "text/event-stream",
        ..Self::JSON
    };
    const PAGE: Self = ContentOf {
        kind: "text/html; charset=utf-8",
        length: Some(page::PAGE.len()),
        policy: page::POLICY,
    };
    const DESCRIPTION: Self = ContentOf {
        length: Some(page::OPENAPI.len()),
        ..Self::JSON
    };
}

/// What a browser may run and show of an answer that is not for showing.
const NO_POLICY: &str = "default-src 'none'; frame-ancestors 'none'";

impl Body {
    fn kind(&self) -> Option<ContentOf> {
        match self {
            Body::None => None,
            Body::Page => Some(ContentOf::PAGE),
            Body::Description => Some(ContentOf::DESCRIPTION),
            _ => Some(ContentOf::JSON),
        }
    }
}

fn json<H: Host, Runtime, T, W>(
    console: &Console<H>,
    status: u16,
    out: &mut Out<'_, Runtime, T, W>,
) {
    head(console, status, &Own::None, Some(ContentOf::JSON), out);
}

/// Adds the line of the status and the headers.
fn head<H: Host, Runtime, T, W>(
    console: &Console<H>,
    status: u16,
    own: &Own,
    content: Option<ContentOf>,
    out: &mut Out<'_, Runtime, T, W>,
) {
    out.add(format_args!("HTTP/1.1 {status} \r\nConnection: close\r\n"));
    if let Some(ContentOf { kind, length, .. }) = content {
        out.add(format_args!("Content-Type: {kind}\r\n"));
        if let Some(length) = length {
            out.add(format_args!(
                "Content-Length: {length}\r\nContent-Encoding: gzip\r\n"
            ));
        }
    }
    let policy = content.map_or(NO_POLICY, |content| content.policy);
    out.add(format_args!("Content-Security-Policy: {policy}\r\n"));
    out.add(
        "X-Content-Type-Options: nosniff\r\n\
         X-Frame-Options: DENY\r\n\
         Referrer-Policy: no-referrer\r\n\
         Cross-Origin-Resource-Policy: same-origin\r\n\
         Cache-Control: no-store\r\n",
    );
    let cookie = |token: &Option<Token>| {
        let (id, token) = (console.id(), *token);
        fmt::from_fn(move |f| {
            write!(f, "Set-Cookie: monster-{id}=")?;
            match token {
                Some(token) => write!(f, "{token}")?,
                None => f.write_str("; Max-Age=0")?,
            }
            f.write_str("; HttpOnly; SameSite=Strict; Path=/\r\n")
        })
    };
    match own {
        Own::None => {}
        Own::Allow(methods) => out.add(format_args!("Allow: {methods}\r\n")),
        Own::RetryAfter(seconds) => out.add(format_args!("Retry-After: {seconds}\r\n")),
        Own::Cookie(token) => out.add(cookie(token)),
        Own::ToPortal => {
            let address = portal::ADDRESS;
            out.add(format_args!("Location: {address}\r\n"));
        }
        Own::ToPage(token) => {
            out.add("Location: /\r\n");
            if token.is_some() {
                out.add(cookie(token));
            }
        }
    }
    out.add("\r\n");
}

async fn body<Runtime, H, T, W>(
    console: &Console<H>,
    body: &Body,
    out: &mut Out<'_, Runtime, T, W>,
) -> Result<(), Gone>
where
    H: Host,
    T: Timer<Runtime>,
    W: Write,
{
    match body {
        Body::None => {}
        Body::Page => {
            out.write().await?;
            out.raw(page::PAGE).await?;
        }
        Body::Description => {
            out.write().await?;
            out.raw(page::OPENAPI).await?;
        }
        Body::Status => {
            let now = console.now();
            console.status(|status, about| out.add(status.json(about, now)));
        }
        Body::Settings => settings(console, out).await?,
        Body::History => history(console, out).await?,
        Body::Trial => out.add(console.trial()),
        Body::Error(why) => out.add(format_args!(r#"{{"error":{}}}"#, Quoted(why))),
        Body::NotDone(why) => out.add(format_args!(r#"{{"ok":false,"error":{}}}"#, Quoted(why))),
    }
    out.write().await
}

/// An answer that is put together a piece at a time.
pub(super) struct Out<'a, Runtime, T, W> {
    writer: W,
    timer: &'a T,
    buffer: &'a mut [u8],
    /// How much of the buffer is to be written.
    length: usize,
    runtime: PhantomData<fn(&Runtime)>,
}

/// The connection broke, or takes nothing any more.
pub(super) struct Gone;

impl<'a, Runtime, T, W> Out<'a, Runtime, T, W> {
    pub fn new(writer: W, timer: &'a T, buffer: &'a mut [u8]) -> Self {
        Out {
            writer,
            timer,
            buffer,
            length: 0,
            runtime: PhantomData,
        }
    }

    /// Adds to the piece. It has room for the longest there is: a head, and a setting, or how the
    /// device is.
    fn add(&mut self, text: impl fmt::Display) {
        let _ = write!(self, "{text}");
    }
}

impl<Runtime, T, W> fmt::Write for Out<'_, Runtime, T, W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length.saturating_add(text.len());
        let place = self.buffer.get_mut(self.length..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

impl<Runtime, T: Timer<Runtime>, W: Write> Out<'_, Runtime, T, W> {
    /// Writes the piece, if there is one.
    async fn write(&mut self) -> Result<(), Gone> {
        let length = core::mem::take(&mut self.length);
        let piece = self.buffer.get(..length).unwrap_or_default();
        all(&mut self.writer, self.timer, piece).await
    }

    async fn raw(&mut self, bytes: &[u8]) -> Result<(), Gone> {
        all(&mut self.writer, self.timer, bytes).await
    }
}

/// Writes all of it, as long as each piece is taken in time.
async fn all<Runtime, T: Timer<Runtime>, W: Write>(
    writer: &mut W,
    timer: &T,
    mut bytes: &[u8],
) -> Result<(), Gone> {
    while !bytes.is_empty() {
        let written = timer.run_with_timeout(CONFIG.timeouts.write, writer.write(bytes));
        let count = written.await.map_err(|_| Gone)?.map_err(|_| Gone)?;
        bytes = bytes.get(count.max(1)..).unwrap_or_default();
    }
    let flushed = timer.run_with_timeout(CONFIG.timeouts.write, writer.flush());
    flushed.await.map_err(|_| Gone)?.map_err(|_| Gone)
}

async fn settings<Runtime, H, T, W>(
    console: &Console<H>,
    out: &mut Out<'_, Runtime, T, W>,
) -> Result<(), Gone>
where
    H: Host,
    T: Timer<Runtime>,
    W: Write,
{
    out.add(r#"{"settings":["#);
    for (place, setting) in shown_settings().enumerate() {
        out.write().await?;
        let origin = console.board().origin(setting.key());
        console.settings(|settings| {
            let comma = if place > 0 { "," } else { "" };
            let form = form(setting, settings);
            out.add(format_args!(
                r#"{comma}{{{form},"fixed":{}}}"#,
                OrNull(origin.map(|origin| Quoted(origin.as_str())))
            ));
        });
    }
    out.add("]}");
    Ok(())
}

/// A setting as a form asks for it.
fn form<'a>(setting: &'a Setting, settings: &'a Settings) -> impl fmt::Display + 'a {
    fmt::from_fn(move |f| {
        let is_secret = is_secret(setting);
        let value = setting.show(settings);
        let is_set = !crate::changes::displays(&value, if is_secret { "(not set)" } else { "" });
        let kind = match setting.kind() {
            Kind::Text => "text",
            Kind::Secret => "secret",
            Kind::Bool => "bool",
            Kind::Choice(_) => "choice",
            Kind::Number { .. } => "number",
        };
        write!(
            f,
            r#""key":"{}","meaning":{},"kind":"{kind}","choices":"#,
            setting.key(),
            Text(setting.meaning())
        )?;
        match setting.kind() {
            Kind::Choice(words) => {
                for (place, word) in words.iter().enumerate() {
                    let before = if place == 0 { '[' } else { ',' };
                    write!(f, "{before}{}", Text(word))?;
                }
                f.write_char(']')?;
            }
            _ => f.write_str("null")?,
        }
        match setting.kind() {
            Kind::Number { min, max, .. } => write!(f, r#","min":{min},"max":{max}"#)?,
            _ => f.write_str(r#","min":null,"max":null"#)?,
        }
        write!(
            f,
            r#","allowed":{},"default":{},"value":{},"is_set":{is_set}"#,
            Quoted(setting.allowed()),
            Text(setting.default_text()),
            OrNull((!is_secret).then_some(Quoted(value)))
        )
    })
}

async fn history<Runtime, H, T, W>(
    console: &Console<H>,
    out: &mut Out<'_, Runtime, T, W>,
) -> Result<(), Gone>
where
    H: Host,
    T: Timer<Runtime>,
    W: Write,
{
    /// So many points are written together.
    const TOGETHER: usize = 40;
    out.add(format_args!(r#"{{"step":{STEP_SECONDS},"readings":["#));
    for start in (0..POINTS).step_by(TOGETHER) {
        out.write().await?;
        console.history(|history| {
            let end = start.saturating_add(TOGETHER);
            for place in start..end {
                let Some(point) = history.point(place) else {
                    break;
                };
                out.add(if place > 0 { "," } else { "" });
                match point {
                    None => out.add("null"),
                    Some(reading) => out.add(format_args!(
                        "[{},{}]",
                        reading.celsius(),
                        reading.percent()
                    )),
                }
            }
        });
    }
    out.add("]}");
    Ok(())
}

async fn events<Runtime, H, T, W>(
    mut stream: Stream<'_, H>,
    console: &Console<H>,
    out: &mut Out<'_, Runtime, T, W>,
) -> Result<(), Gone>
where
    H: Host,
    T: Timer<Runtime>,
    W: Write,
{
    let mut next_line = 0;
    while stream.is_wanted() {
        let now = console.now();
        console.status(|status, about| {
            out.add(format_args!(
                "event: status\ndata: {}\n\n",
                status.json(about, now)
            ));
        });
        out.write().await?;
        while console.log_line(&mut next_line, |line| {
            out.add(format_args!(
                "event: log\ndata: {{\"at\":{},\"level\":\"{}\",\"text\":{}}}\n\n",
                line.at.as_millis(),
                line.level.as_str(),
                Text(&line.text)
            ));
        }) {
            out.write().await?;
        }
        stream.news.changed().await;
    }
    Ok(())
}
