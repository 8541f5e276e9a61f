//! What is answered.

use core::fmt::{self, Write as _};

use heapless::{String, Vec};
use monster::settings::value::Kind;
use monster::settings::{Setting, Settings};
use picoserve::io::{Read, Write};
use picoserve::response::custom::{CustomBody, CustomResponse};
use picoserve::response::{Connection, HeadersIter, IntoResponse, ResponseWriter, StatusCode};
use picoserve::{ResponseSent, response::ForEachHeader};

use crate::changes::{Refusal, is_secret};
use crate::history::{POINTS, STEP_SECONDS};
use crate::json::{Quoted, Text};
use crate::page;
use crate::shell::shown_settings;
use crate::state::{Console, Host, Stream};
use crate::status::{OrNull, on_off};

/// The most of a body that is put together at once, in bytes: a setting, or how the device is.
const PIECE: usize = 1280;
/// The longest value of a header that is made here, in bytes.
const VALUE_MAX: usize = 112;
/// The longest explanation, in bytes.
pub(crate) const ERROR_MAX: usize = 400;

/// An answer, of whatever kind: there is one, so that the code that writes it is there once.
pub(super) struct Reply<'a, H> {
    pub status: StatusCode,
    /// Headers that this answer alone has.
    pub headers: Own,
    pub body: Body<'a, H>,
}

pub(super) type Own = Vec<(&'static str, String<VALUE_MAX>), 2>;

/// What comes after the headers.
pub(super) enum Body<'a, H> {
    None,
    Page,
    Status(&'a Console<H>),
    Settings(&'a Console<H>),
    History(&'a Console<H>),
    Events(Stream<'a, H>, &'a Console<H>),
    /// A command was carried out; the switch's state after it.
    Done(bool),
    /// Settings are stored; whether the device starts anew.
    Stored(bool),
    Error(String<ERROR_MAX>),
    NotDone(String<ERROR_MAX>),
    Refused(Refusal),
}

impl<'a, H: Host> Reply<'a, H> {
    pub fn new(status: StatusCode, body: Body<'a, H>) -> Self {
        Reply {
            status,
            headers: Own::new(),
            body,
        }
    }

    pub fn ok(body: Body<'a, H>) -> Self {
        Reply::new(StatusCode::OK, body)
    }

    pub fn error(status: StatusCode, error: impl fmt::Display) -> Self {
        Reply::new(status, Body::Error(cut(error)))
    }

    pub fn with(mut self, name: &'static str, value: impl fmt::Display) -> Self {
        let mut text = String::new();
        // All that is written there fits.
        let _ = write!(text, "{value}");
        let _ = self.headers.push((name, text));
        self
    }
}

/// As much of a text as fits.
pub(crate) fn cut(text: impl fmt::Display) -> String<ERROR_MAX> {
    Refusal::new(None, format_args!("{text}")).error
}

impl<H: Host> IntoResponse for Reply<'_, H> {
    async fn write_to<R: Read, W: ResponseWriter<Error = R::Error>>(
        self,
        connection: Connection<'_, R>,
        response_writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let headers = Headers {
            content: self.body.content(),
            own: self.headers,
        };
        CustomResponse::build(self.status)
            .with_headers(headers)
            .with_body(self.body)
            .write_to(connection, response_writer)
            .await
    }
}

/// What is said of a body.
struct ContentOf {
    kind: &'static str,
    length: Option<usize>,
    is_compressed: bool,
    policy: &'static str,
}

struct Headers {
    content: Option<ContentOf>,
    own: Own,
}

impl HeadersIter for Headers {
    async fn for_each_header<F: ForEachHeader>(self, mut f: F) -> Result<F::Output, F::Error> {
        let mut policy = "default-src 'none'; frame-ancestors 'none'";
        if let Some(content) = &self.content {
            policy = content.policy;
            f.call("Content-Type", content.kind).await?;
            if let Some(length) = content.length {
                f.call("Content-Length", length).await?;
            }
            if content.is_compressed {
                f.call("Content-Encoding", "gzip").await?;
            }
        }
        for (name, value) in [
            ("Content-Security-Policy", policy),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
            ("Referrer-Policy", "no-referrer"),
            ("Cross-Origin-Resource-Policy", "same-origin"),
            ("Cache-Control", "no-store"),
        ] {
            f.call(name, value).await?;
        }
        for (name, value) in &self.own {
            f.call(name, value.as_str()).await?;
        }
        f.finalize().await
    }
}

impl<H: Host> Body<'_, H> {
    fn content(&self) -> Option<ContentOf> {
        let json = ContentOf {
            kind: "application/json",
            length: None,
            is_compressed: false,
            policy: "default-src 'none'; frame-ancestors 'none'",
        };
        match self {
            Body::None => None,
            Body::Page => Some(ContentOf {
                kind: "text/html; charset=utf-8",
                length: Some(page::PAGE.len()),
                is_compressed: true,
                policy: page::POLICY,
            }),
            Body::Events(..) => Some(ContentOf {
                kind: "text/event-stream",
                ..json
            }),
            _ => Some(json),
        }
    }
}

impl<H: Host> CustomBody for Body<'_, H> {
    async fn write_response_body<W: Write>(self, writer: W) -> Result<(), W::Error> {
        let mut out = Pieces {
            writer,
            piece: String::new(),
        };
        match self {
            Body::None => Ok(()),
            Body::Page => out.writer.write_all(page::PAGE).await,
            Body::Status(console) => {
                let now = console.now();
                console.status(|status, about| out.add(status.json(about, now)));
                out.write().await
            }
            Body::Settings(console) => settings(console, &mut out).await,
            Body::History(console) => history(console, &mut out).await,
            Body::Events(stream, console) => events(stream, console, &mut out).await,
            Body::Done(on) => {
                out.add(format_args!(r#"{{"ok":true,"state":"{}"}}"#, on_off(on)));
                out.write().await
            }
            Body::Stored(restarts) => {
                out.add(format_args!(r#"{{"ok":true,"restart":{restarts}}}"#));
                out.write().await
            }
            Body::Error(error) => {
                out.add(format_args!(r#"{{"error":{}}}"#, Text(&error)));
                out.write().await
            }
            Body::NotDone(error) => {
                out.add(format_args!(r#"{{"ok":false,"error":{}}}"#, Text(&error)));
                out.write().await
            }
            Body::Refused(Refusal { key, error }) => {
                out.add(format_args!(
                    r#"{{"ok":false,"key":{},"error":{}}}"#,
                    OrNull(key.as_deref().map(Text)),
                    Text(&error)
                ));
                out.write().await
            }
        }
    }
}

/// A body that is put together a piece at a time.
struct Pieces<W> {
    writer: W,
    piece: String<PIECE>,
}

impl<W: Write> Pieces<W> {
    fn add(&mut self, text: impl fmt::Display) {
        // A piece holds the longest of what is written there.
        let _ = write!(self.piece, "{text}");
    }

    async fn write(&mut self) -> Result<(), W::Error> {
        self.writer.write_all(self.piece.as_bytes()).await?;
        self.piece.clear();
        Ok(())
    }
}

async fn settings<H: Host, W: Write>(
    console: &Console<H>,
    out: &mut Pieces<W>,
) -> Result<(), W::Error> {
    out.add(r#"{"settings":["#);
    for (place, setting) in shown_settings().enumerate() {
        let origin = console.board().origin(setting.key());
        console.settings(|settings| {
            let comma = if place > 0 { "," } else { "" };
            let form = form(setting, settings);
            out.add(format_args!(
                r#"{comma}{{{form},"fixed":{}}}"#,
                OrNull(origin.map(|origin| Quoted(origin.as_str())))
            ));
        });
        out.write().await?;
    }
    out.add("]}");
    out.write().await
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

async fn history<H: Host, W: Write>(
    console: &Console<H>,
    out: &mut Pieces<W>,
) -> Result<(), W::Error> {
    /// So many points are written together.
    const TOGETHER: usize = 40;
    out.add(format_args!(r#"{{"step":{STEP_SECONDS},"readings":["#));
    for start in (0..POINTS).step_by(TOGETHER) {
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
        out.write().await?;
    }
    out.add("]}");
    out.write().await
}

async fn events<H: Host, W: Write>(
    mut stream: Stream<'_, H>,
    console: &Console<H>,
    out: &mut Pieces<W>,
) -> Result<(), W::Error> {
    let mut next_line = 0;
    loop {
        let now = console.now();
        console.status(|status, about| {
            out.add(format_args!(
                "event: status\ndata: {}\n\n",
                status.json(about, now)
            ));
        });
        out.write().await?;
        while let Some(line) = console.log_after(&mut next_line) {
            out.add(format_args!(
                "event: log\ndata: {{\"at\":{},\"level\":\"{}\",\"text\":{}}}\n\n",
                line.at.as_millis(),
                line.level.as_str(),
                Text(&line.text)
            ));
            out.write().await?;
        }
        out.writer.flush().await?;
        stream.news.changed().await;
    }
}
