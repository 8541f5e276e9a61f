//! What is asked for, and what is done about it.

use core::cell::Cell;
use core::future::pending;
use core::task::Poll;

use embassy_futures::poll_once;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::MutexGuard;
use monster::device::LocalCommand;
use picoserve::ResponseSent;
use picoserve::extract::{FromRequestParts, UpgradeToken};
use picoserve::io::Read;
use picoserve::request::{Headers, Path, ReadAllBodyError, Request, RequestParts};
use picoserve::response::ResponseWriter;
use picoserve::routing::PathRouterService;

use super::guard::{self, Stranger};
use super::reply::{Body, Own, Reply, Why};
use crate::access::{Denied, PASSWORD_MAX, Token};
use crate::json::member;
use crate::portal::Entrance;
use crate::state::{BODY_MAX, Console, Host, Stream};
use crate::webrepl::{Accept, Hello};

/// The longest body that is read into a connection's own buffer, in bytes.
const SMALL_BODY_MAX: usize = 256;
/// Seconds after which somebody who was told to wait may try again.
const TRY_AGAIN: u64 = 5;

/// What a request wants, and may have. It is small, so that the answer can be made once what read the
/// request is gone.
pub(super) enum Turn<'a, H> {
    /// To be told this.
    Reply(Reply),
    /// To hear of what happens.
    Events(Stream<'a, H>),
    /// To have the device do this.
    Command(LocalCommand),
    /// To have other settings: those of so many bytes of JSON.
    Change(MutexGuard<'a, NoopRawMutex, [u8; BODY_MAX]>, usize),
    /// To have other settings of WiFi and broker tried: those of so many bytes of JSON.
    Join(MutexGuard<'a, NoopRawMutex, [u8; BODY_MAX]>, usize),
    /// To know which networks there are.
    Scan,
    /// To go on as a WebSocket.
    WebSocket(Hello),
}

impl<H> From<Reply> for Turn<'_, H> {
    fn from(reply: Reply) -> Self {
        Turn::Reply(reply)
    }
}

/// Finds out what is wanted on one connection.
pub(super) struct Service<'a, 't, H> {
    pub console: &'a Console<H>,
    pub entrance: Entrance,
    /// Here it says so.
    pub turn: &'t Cell<Option<Turn<'a, H>>>,
}

impl<H: Host> PathRouterService for Service<'_, '_, H> {
    async fn call_path_router_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        _state: &(),
        _parameters: (),
        _path: Path<'_>,
        mut request: Request<'_, R>,
        _response_writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let length = request.body_connection.content_length();
        let turn = match self.route(&request.parts, length) {
            Route::Known(turn) => turn,
            Route::Small(wanted) => match request.body_connection.body().read_all().await {
                Ok(json) => self.small(wanted, json),
                Err(ReadAllBodyError::BufferIsTooSmall { .. }) => too_large(SMALL_BODY_MAX).into(),
                Err(_) => incomplete().into(),
            },
            Route::Change(mut buffer, is_to_join) => {
                let json = buffer.get_mut(..length).unwrap_or_default();
                let mut reader = request.body_connection.body().reader();
                match reader.read_exact(json).await {
                    Ok(()) if is_to_join => Turn::Join(buffer, length),
                    Ok(()) => Turn::Change(buffer, length),
                    Err(_) => {
                        // There may have been a secret in it.
                        buffer.fill(0);
                        incomplete().into()
                    }
                }
            }
        };
        self.turn.set(Some(turn));
        // The server is left here.
        pending().await
    }
}

/// What is known of a request before its body is.
enum Route<'a, H> {
    Known(Turn<'a, H>),
    /// The body is small, and read into the connection's own buffer.
    Small(Wanted),
    /// Other settings: the body is read into this. Whether they are to be tried first.
    Change(MutexGuard<'a, NoopRawMutex, [u8; BODY_MAX]>, bool),
}

impl<'a, H, T: Into<Turn<'a, H>>> From<T> for Route<'a, H> {
    fn from(turn: T) -> Self {
        Route::Known(turn.into())
    }
}

/// What a small body says more of.
enum Wanted {
    LogIn,
    Command,
}

impl<'a, H: Host> Service<'a, '_, H> {
    fn route(&self, parts: &RequestParts<'_>, length: usize) -> Route<'a, H> {
        let console = self.console;
        let (path, headers) = (parts.path().encoded(), parts.headers());
        if path == "/" && is_upgrade(parts) {
            let key = headers.get("sec-websocket-key");
            let hello = Hello {
                accept: Accept::of(key.map_or(&b""[..], |key| key.as_raw())),
                is_page: headers.get("origin").is_some(),
            };
            return Turn::WebSocket(hello).into();
        }
        match guard::check(headers, &console.id()) {
            Ok(()) => console.came_by(self.entrance),
            // A phone that looks whether there is a way out, or a person who opens any page.
            Err(Stranger::Host)
                if self.entrance == Entrance::AccessPoint && parts.method() == "GET" =>
            {
                return Reply::empty(302).with(Own::ToPortal).into();
            }
            Err(stranger) => return Reply::error(403, stranger.as_str()).into(),
        }
        if let Some(token) = path.strip_prefix("/login/") {
            return self.open_link(parts.method(), token).into();
        }
        let allowed = match path {
            "/" | "/api/status" | "/api/history" | "/api/events" | "/api/openapi.json" => "GET",
            "/api/login" | "/api/logout" | "/api/command" => "POST",
            "/api/settings" => "GET, PUT",
            "/api/wifi" if console.board().has_radio() => "GET",
            "/api/join" if console.board().has_radio() => "GET, POST",
            _ => return Reply::error(404, "there is nothing of this name").into(),
        };
        let is_open = matches!(path, "/" | "/api/login")
            || console.is_open(self.entrance, path, parts.method());
        let signed_in = self.signed_in(headers);
        if !is_open && signed_in.is_none() {
            return Reply::error(
                401,
                "sign in first: POST /api/login with the device's password",
            )
            .into();
        }
        if !allowed.split(", ").any(|method| method == parts.method()) {
            return not_allowed(allowed).into();
        }
        match (path, parts.method()) {
            ("/", _) => Reply::ok(Body::Page).into(),
            ("/api/openapi.json", _) => Reply::ok(Body::Description).into(),
            ("/api/status", _) => Reply::ok(Body::Status).into(),
            ("/api/history", _) => Reply::ok(Body::History).into(),
            ("/api/events", _) => match signed_in.and_then(|token| console.stream(token)) {
                Some(stream) => Turn::Events(stream).into(),
                None => busy("as many pages are open as the device has room for; close one").into(),
            },
            ("/api/logout", _) => {
                if let Some(token) = signed_in {
                    console.access(|access| access.sign_out(&token));
                }
                Reply::empty(204).with(Own::Cookie(None)).into()
            }
            ("/api/settings", "GET") => Reply::ok(Body::Settings).into(),
            ("/api/wifi", _) => Turn::Scan.into(),
            ("/api/join", "GET") => Reply::ok(Body::Trial).into(),
            ("/api/settings" | "/api/join", _) if length > BODY_MAX => too_large(BODY_MAX).into(),
            ("/api/settings" | "/api/join", _) => match console.body.try_lock() {
                Ok(buffer) => Route::Change(buffer, path == "/api/join"),
                Err(_) => busy("somebody else is changing settings").into(),
            },
            _ if length > SMALL_BODY_MAX => too_large(SMALL_BODY_MAX).into(),
            ("/api/login", _) => Route::Small(Wanted::LogIn),
            (_, _) => Route::Small(Wanted::Command),
        }
    }

    fn small(&self, wanted: Wanted, json: &[u8]) -> Turn<'a, H> {
        match wanted {
            Wanted::LogIn => self.log_in(json).into(),
            Wanted::Command => command(json),
        }
    }

    fn open_link(&self, method: &str, token: &str) -> Reply {
        if method != "GET" {
            return not_allowed("GET");
        }
        let now = self.console.now();
        let is_right = Token::parse(token)
            .is_some_and(|token| self.console.access(|it| it.redeem(&token, now)));
        // It may have been opened before: whoever did is signed in, and others see where to.
        let token = is_right.then(|| self.sign_in());
        Reply::empty(303).with(Own::ToPage(token))
    }

    fn log_in(&self, json: &[u8]) -> Reply {
        let Some(password) = member::<PASSWORD_MAX>(json, "password") else {
            return Reply::error(400, r#"this is no {"password":"…"} of up to 63 bytes"#);
        };
        match self.console.check_password(password.as_bytes()) {
            Ok(()) => Reply::empty(204).with(Own::Cookie(Some(self.sign_in()))),
            Err(denied @ Denied::Wrong) => Reply::new(401, Body::Error(Why::Denied(denied))),
            Err(denied @ Denied::Wait { seconds }) => {
                Reply::new(429, Body::Error(Why::Denied(denied))).with(Own::RetryAfter(seconds))
            }
        }
    }

    fn sign_in(&self) -> Token {
        let token = self.console.token();
        self.console.access(|access| access.sign_in(token));
        token
    }

    /// The token of who is signed in.
    fn signed_in(&self, headers: Headers<'_>) -> Option<Token> {
        self.token(headers)
            .filter(|token| self.console.access(|access| access.is_signed_in(token)))
    }

    /// The token a browser shows. Each device has a cookie of its own, since cookies do not tell the
    /// ports of one host apart.
    fn token(&self, headers: Headers<'_>) -> Option<Token> {
        let id = self.console.id();
        headers
            .iter()
            .filter(|(name, _)| *name == "cookie")
            .filter_map(|(_, value)| value.as_str().ok())
            .flat_map(|cookies| cookies.split(';'))
            .find_map(|cookie| {
                let (name, token) = cookie.trim().split_once('=')?;
                (name.strip_prefix("monster-")? == id).then(|| Token::parse(token))?
            })
    }
}

/// Whether a request asks for something else than HTTP.
fn is_upgrade(parts: &RequestParts<'_>) -> bool {
    // It looks at the headers, and waits for nothing.
    let token = poll_once(UpgradeToken::from_request_parts(&(), parts));
    matches!(token, Poll::Ready(Ok(_)))
}

fn command<'a, H: 'a>(json: &[u8]) -> Turn<'a, H> {
    let Some(command) = member::<64>(json, "command") else {
        return Reply::not_done(Why::Text(r#"this is no {"command":"…"}"#)).into();
    };
    match LocalCommand::parse(&command) {
        Ok(command) => Turn::Command(command),
        Err(error) => Reply::not_done(Why::Command(error)).into(),
    }
}

fn too_large(most: usize) -> Reply {
    Reply::new(413, Body::Error(Why::TooLong { most }))
}

fn incomplete() -> Reply {
    Reply::error(408, "the body did not come in time")
}

fn not_allowed(allowed: &'static str) -> Reply {
    Reply::new(405, Body::Error(Why::Method { allowed })).with(Own::Allow(allowed))
}

fn busy(error: &'static str) -> Reply {
    Reply::error(503, error).with(Own::RetryAfter(TRY_AGAIN))
}
