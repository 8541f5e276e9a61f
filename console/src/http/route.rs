//! What is asked for, and what is done about it.

use core::fmt;

use monster::device::LocalCommand;
use picoserve::ResponseSent;
use picoserve::extract::{FromRequestParts, UpgradeToken};
use picoserve::io::Read;
use picoserve::request::{Headers, Path, ReadAllBodyError, Request, RequestBody, RequestParts};
use picoserve::response::{IntoResponse, ResponseWriter, StatusCode};
use picoserve::routing::PathRouterService;

use super::reply::{Body, Reply, cut};
use super::{Turns, guard};
use crate::access::{Denied, PASSWORD_MAX, Token};
use crate::json::member;
use crate::state::{BODY_MAX, Console, Host};
use crate::webrepl::Accept;

/// The longest body that is read into a connection's own buffer, in bytes.
const SMALL_BODY_MAX: usize = 256;
/// Seconds after which somebody who was told to wait may try again.
const TRY_AGAIN: u8 = 5;

/// Everything that is served on one connection.
pub(super) struct Service<'a, H> {
    pub console: &'a Console<H>,
    pub turns: &'a Turns,
}

impl<H: Host> PathRouterService for Service<'_, H> {
    async fn call_path_router_service<R: Read, W: ResponseWriter<Error = R::Error>>(
        &self,
        _state: &(),
        _parameters: (),
        _path: Path<'_>,
        mut request: Request<'_, R>,
        response_writer: W,
    ) -> Result<ResponseSent, W::Error> {
        let parts = request.parts;
        let is_upgrade = parts.path().encoded() == "/"
            && UpgradeToken::from_request_parts(&(), &parts).await.is_ok();
        let reply = if is_upgrade {
            // Nothing is written after this: the connection is not HTTP's any more.
            let key = parts.headers().get("sec-websocket-key");
            let key = key.map_or(&b""[..], |key| key.as_raw());
            *self.turns.upgrade.borrow_mut() = Some(Accept::of(key));
            Reply::ok(Body::None)
        } else {
            self.answer(parts, request.body_connection.body()).await
        };
        let connection = request.body_connection.finalize().await?;
        reply.write_to(connection, response_writer).await
    }
}

impl<'a, H: Host> Service<'a, H> {
    async fn answer<R: Read>(
        &self,
        parts: RequestParts<'_>,
        body: RequestBody<'_, R>,
    ) -> Reply<'a, H> {
        let console = self.console;
        let any_host = console.board().answers_every_name();
        if let Err(stranger) = guard::check(parts.headers(), &console.id(), any_host) {
            return Reply::error(StatusCode::FORBIDDEN, stranger.as_str());
        }
        let path = parts.path().encoded();
        if let Some(token) = path.strip_prefix("/login/") {
            return self.open_link(parts.method(), token);
        }
        let allowed = match path {
            "/" | "/api/status" | "/api/history" | "/api/events" => "GET",
            "/api/login" | "/api/logout" | "/api/command" => "POST",
            "/api/settings" => "GET, PUT",
            _ => return Reply::error(StatusCode::NOT_FOUND, "there is nothing of this name"),
        };
        let is_open = matches!(path, "/" | "/api/login");
        if !is_open && !self.is_signed_in(parts.headers()) {
            return Reply::error(
                StatusCode::UNAUTHORIZED,
                "sign in first: POST /api/login with the device's password",
            );
        }
        if !allowed.split(", ").any(|method| method == parts.method()) {
            return not_allowed(allowed);
        }
        match (path, parts.method()) {
            ("/", _) => Reply::ok(Body::Page),
            ("/api/status", _) => Reply::ok(Body::Status(console)),
            ("/api/history", _) => Reply::ok(Body::History(console)),
            ("/api/events", _) => match console.stream() {
                Some(stream) => {
                    self.turns.is_stream.set(true);
                    Reply::ok(Body::Events(stream, console))
                }
                None => busy("as many pages are open as the device has room for; close one"),
            },
            ("/api/login", _) => self.log_in(body).await,
            ("/api/logout", _) => {
                if let Some(token) = self.token(parts.headers()) {
                    console.access(|access| access.sign_out(&token));
                }
                self.cookie(StatusCode::NO_CONTENT, None)
            }
            ("/api/command", _) => self.command(body).await,
            ("/api/settings", "GET") => Reply::ok(Body::Settings(console)),
            (_, _) => self.set(body).await,
        }
    }

    fn open_link(&self, method: &str, token: &str) -> Reply<'a, H> {
        if method != "GET" {
            return not_allowed("GET");
        }
        let is_right =
            Token::parse(token).is_some_and(|token| self.console.access(|it| it.redeem(&token)));
        if !is_right {
            // It was opened before: whoever did is signed in, and others see where to.
            return Reply::new(StatusCode::SEE_OTHER, Body::None).with("Location", "/");
        }
        let token = self.sign_in();
        self.cookie(StatusCode::SEE_OTHER, Some(token))
            .with("Location", "/")
    }

    async fn log_in<R: Read>(&self, body: RequestBody<'_, R>) -> Reply<'a, H> {
        let password = match small(body).await {
            Ok(json) => member::<PASSWORD_MAX>(json, "password"),
            Err(reply) => return reply,
        };
        let Some(password) = password else {
            return Reply::error(
                StatusCode::BAD_REQUEST,
                r#"this is no {"password":"…"} of up to 63 bytes"#,
            );
        };
        match self.console.check_password(password.as_bytes()) {
            Ok(()) => {
                let token = self.sign_in();
                self.cookie(StatusCode::NO_CONTENT, Some(token))
            }
            Err(denied @ Denied::Wrong) => Reply::error(StatusCode::UNAUTHORIZED, denied),
            Err(denied @ Denied::Wait { seconds }) => {
                Reply::error(StatusCode::TOO_MANY_REQUESTS, denied).with("Retry-After", seconds)
            }
        }
    }

    async fn command<R: Read>(&self, body: RequestBody<'_, R>) -> Reply<'a, H> {
        let command = match small(body).await {
            Ok(json) => member::<64>(json, "command"),
            Err(reply) => return reply,
        };
        let Some(command) = command else {
            return not_done(r#"this is no {"command":"…"}"#);
        };
        let command = match LocalCommand::parse(&command) {
            Ok(command) => command,
            Err(error) => return not_done(error),
        };
        match self.console.command(command).await {
            Ok(on) => Reply::ok(Body::Done(on)),
            Err(error) => not_done(error),
        }
    }

    async fn set<R: Read>(&self, body: RequestBody<'_, R>) -> Reply<'a, H> {
        if body.content_length() > BODY_MAX {
            return too_large(BODY_MAX);
        }
        let Ok(mut buffer) = self.console.body.try_lock() else {
            return busy("somebody else is changing settings");
        };
        let length = body.content_length();
        let changed = match buffer.get_mut(..length) {
            Some(json) => match body.reader().read_exact(json).await {
                Ok(()) => self.console.change(|changes| changes.add_json(json)).await,
                Err(_) => return incomplete(),
            },
            None => return too_large(BODY_MAX),
        };
        // There may have been a secret in it.
        buffer.fill(0);
        match changed {
            Ok(false) => Reply::ok(Body::Stored(false)),
            Ok(true) => match self.console.command(LocalCommand::Restart).await {
                Ok(_) => Reply::ok(Body::Stored(true)),
                Err(error) => not_done(error),
            },
            Err(refusal) => Reply::new(StatusCode::BAD_REQUEST, Body::Refused(refusal)),
        }
    }

    fn sign_in(&self) -> Token {
        let token = self.console.token();
        self.console.access(|access| access.sign_in(token));
        token
    }

    fn is_signed_in(&self, headers: Headers<'_>) -> bool {
        self.token(headers)
            .is_some_and(|token| self.console.access(|access| access.is_signed_in(&token)))
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

    fn cookie(&self, status: StatusCode, token: Option<Token>) -> Reply<'a, H> {
        let id = self.console.id();
        let cookie = fmt::from_fn(move |f| {
            write!(f, "monster-{id}=")?;
            match token {
                Some(token) => write!(f, "{token}")?,
                None => f.write_str("; Max-Age=0")?,
            }
            f.write_str("; HttpOnly; SameSite=Strict; Path=/")
        });
        Reply::new(status, Body::None).with("Set-Cookie", cookie)
    }
}

/// A body that is read into the connection's own buffer.
async fn small<'a, 'r, H: Host + 'a, R: Read>(
    body: RequestBody<'r, R>,
) -> Result<&'r [u8], Reply<'a, H>> {
    if body.content_length() > SMALL_BODY_MAX {
        return Err(too_large(SMALL_BODY_MAX));
    }
    match body.read_all().await {
        Ok(body) => Ok(body),
        Err(ReadAllBodyError::BufferIsTooSmall { .. }) => Err(too_large(SMALL_BODY_MAX)),
        Err(_) => Err(incomplete()),
    }
}

fn too_large<'a, H: Host>(most: usize) -> Reply<'a, H> {
    let error = format_args!("the body is too long; allowed: up to {most} bytes");
    Reply::error(StatusCode::PAYLOAD_TOO_LARGE, error)
}

fn incomplete<'a, H: Host>() -> Reply<'a, H> {
    Reply::error(StatusCode::REQUEST_TIMEOUT, "the body did not come in time")
}

fn not_allowed<'a, H: Host>(allowed: &str) -> Reply<'a, H> {
    let error = format_args!("allowed here: {allowed}");
    Reply::error(StatusCode::METHOD_NOT_ALLOWED, error).with("Allow", allowed)
}

fn not_done<'a, H: Host>(error: impl fmt::Display) -> Reply<'a, H> {
    Reply::new(StatusCode::BAD_REQUEST, Body::NotDone(cut(error)))
}

fn busy<'a, H: Host>(error: &str) -> Reply<'a, H> {
    Reply::error(StatusCode::SERVICE_UNAVAILABLE, error).with("Retry-After", TRY_AGAIN)
}
