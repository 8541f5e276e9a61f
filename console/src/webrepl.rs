//! MicroPython's WebREPL protocol: a WebSocket that asks for the password, then is a line console, and
//! between lines takes and gives a file.
//!
//! Its own clients send no version of WebSocket, a fixed key and frames that are not masked, and read
//! frames one at a time: so each prompt, answer, length and chunk of a file is one frame, and there is no `:`
//! before the one in `Password: `. Its page, `webrepl.html`, takes each frame for a length and its chunk: a
//! browser, which tells its page's origin, gets both in one.

use core::fmt::{self, Write as _};
use core::iter::Peekable;
use core::marker::PhantomData;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use edge_ws::{FrameHeader, FrameType};
use embassy_futures::select::{Either, Either3, select, select3};
use embedded_io_async::{Read, Write};
use monster::device::LocalCommand;
use monster::settings::value::LogLevel;
use monster::settings::{Setting, Settings};
use picoserve::io::Socket;
use picoserve::time::{Duration, Timer};
use sha1::{Digest, Sha1};

use crate::access::{Denied, PASSWORD_MAX};
use crate::changes::{Changes, Refusal};
use crate::shell::{Sheet, Shell, Terminal};
use crate::state::{BODY_MAX, Console, Host};
use crate::toml;

/// The one file there is.
const FILE: &str = "settings.toml";
/// The version that is told: MicroPython's, whose protocol this is.
const VERSION: [u8; 3] = [1, 29, 0];
/// The length of a request for a file: `WA`, what it is, a byte, an offset, a size, a name's length, and
/// the name with zeros after it.
const REQUEST: usize = 82;
/// How long somebody may take to give the password, or to go on in the midst of a file.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long somebody may say nothing at all.
const IDLE: Duration = Duration::from_secs(900);
/// How long a piece may take to be written.
const WRITE: Duration = Duration::from_secs(5);
/// The most that is sent at once, with the head of its frame: some lines of the settings.
const OUT: usize = 1024;
/// Room before what is sent, where there is most of it: a frame with a chunk's length, and the chunk's head.
const HEAD: usize = 8;

/// Who opens a WebSocket.
pub(crate) struct Hello {
    pub accept: Accept,
    /// It is a page in a browser.
    pub is_page: bool,
}

/// What a WebSocket's key is answered with (RFC 6455, section 4.2.2).
pub(crate) struct Accept([u8; Accept::LENGTH]);

impl Accept {
    const LENGTH: usize = 28;

    pub fn of(key: &[u8]) -> Self {
        let hash = Sha1::new()
            .chain_update(key)
            .chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11")
            .finalize();
        let mut text = [b'='; Accept::LENGTH];
        // Twenty bytes are 28 characters.
        let _ = STANDARD.encode_slice(hash, &mut text);
        Accept(text)
    }
}

/// Why a session is over.
enum End {
    /// The connection is gone, or says nothing any more.
    Gone,
    /// What came was no frame, or one that is too long.
    Protocol,
    /// The client closes it.
    Closed,
}

/// Serves a WebSocket until it ends. What is left in the buffer is of no more use.
pub(crate) async fn serve<Runtime, H, T, S>(
    console: &Console<H>,
    timer: &T,
    socket: &mut S,
    hello: &Hello,
    buffer: &mut [u8],
) where
    H: Host,
    T: Timer<Runtime>,
    S: Socket<Runtime>,
{
    let (reader, writer) = socket.split();
    // What comes in may come in small pieces; what goes out is a frame at a time.
    let Some((out, into)) = buffer.split_at_mut_checked(OUT) else {
        return;
    };
    let mut session = Session {
        console,
        timer,
        frames: Frames::new(reader, into),
        writer: Frame {
            writer,
            timer,
            buffer: out,
            runtime: PhantomData,
        },
        is_page: hello.is_page,
    };
    let _ = session.run(&hello.accept).await;
}

struct Session<'a, Runtime, H, T, R, W> {
    console: &'a Console<H>,
    timer: &'a T,
    frames: Frames<'a, R>,
    writer: Frame<'a, Runtime, T, W>,
    is_page: bool,
}

impl<Runtime, H, T, R, W> Session<'_, Runtime, H, T, R, W>
where
    H: Host,
    T: Timer<Runtime>,
    R: Read,
    W: Write,
{
    async fn run(&mut self, accept: &Accept) -> Result<(), End> {
        let accept = str::from_utf8(&accept.0).unwrap_or_default();
        let length = self.writer.put(format_args!(
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: {accept}\r\n\r\n"
        ));
        self.writer.raw(HEAD, length).await?;
        if !self.log_in().await? {
            return self.close().await;
        }
        let console = self.console;
        let Ok(mut sheet) = console.sheet.try_lock() else {
            let busy = "\r\nsomebody else is here by WebREPL; try again when they have gone\r\n";
            self.writer.text(busy).await?;
            return self.close().await;
        };
        console.log(
            LogLevel::Info,
            format_args!("console: somebody is here by WebREPL"),
        );
        let result = self.talk(&mut sheet).await;
        *sheet = Sheet::new();
        if let Err(End::Closed | End::Protocol) = result {
            return self.close().await;
        }
        result
    }

    /// Asks for the password, once: whoever is wrong connects anew, as with the original.
    async fn log_in(&mut self) -> Result<bool, End> {
        self.writer.text("Password: ").await?;
        let mut password = heapless::Vec::<u8, { PASSWORD_MAX + 1 }>::new();
        let timer = self.timer;
        let mut too_late = core::pin::pin!(timer.delay(PATIENCE));
        loop {
            let byte = match select(self.frames.byte(&mut self.writer), too_late.as_mut()).await {
                Either::First(byte) => byte?,
                Either::Second(()) => return Err(End::Gone),
            };
            match byte.value {
                b'\r' | b'\n' => break,
                0x08 | 0x7f => drop(password.pop()),
                // What is too long is wrong, and stays so.
                value => drop(password.push(value)),
            }
        }
        let result = self.console.check_password(&password);
        password.fill(0);
        match result {
            Ok(()) => self.writer.text("\r\nWebREPL connected\r\n").await?,
            Err(Denied::Wrong) => self.writer.text("\r\nAccess denied\r\n").await?,
            Err(denied @ Denied::Wait { .. }) => {
                let told = format_args!("\r\nAccess denied: {denied}\r\n");
                self.writer.display(told).await?;
            }
        }
        Ok(result.is_ok())
    }

    async fn talk(&mut self, sheet: &mut Sheet) -> Result<(), End> {
        let mut shell = Shell::new(self.console, sheet);
        shell.prompt(&mut self.writer).await?;
        let timer = self.timer;
        loop {
            let idle = timer.delay(IDLE);
            // Either waits without writing: what is dropped is lost to nobody.
            let event = select3(self.frames.more(), shell.log_waits(), idle).await;
            match event {
                Either3::Third(()) => return Err(End::Gone),
                Either3::Second(()) => shell.show_log(&mut self.writer).await?,
                Either3::First(more) => {
                    more?;
                    let byte = self.frames.byte(&mut self.writer).await?;
                    if byte.is_binary {
                        self.transfer(byte.value).await?;
                    } else {
                        shell.type_in(byte.value, &mut self.writer).await?;
                    }
                }
            }
        }
    }

    /// Carries out a request for a file.
    async fn transfer(&mut self, first: u8) -> Result<(), End> {
        match self.wanted(first).await? {
            Some(Wanted::Version) => self.writer.short(&VERSION).await,
            Some(Wanted::Get) => self.get().await,
            Some(Wanted::Put { size }) => self.put(size).await,
            None => self.result(Outcome::Refused).await,
        }
    }

    async fn wanted(&mut self, first: u8) -> Result<Option<Wanted>, End> {
        let mut request = [0; REQUEST];
        if let Some((place, rest)) = request.split_first_mut() {
            *place = first;
            self.fill(rest).await?;
        }
        Ok(Wanted::of(&request))
    }

    async fn fill(&mut self, place: &mut [u8]) -> Result<(), End> {
        let timer = self.timer;
        let mut too_late = core::pin::pin!(timer.delay(PATIENCE));
        for place in place {
            *place = match select(self.frames.byte(&mut self.writer), too_late.as_mut()).await {
                Either::First(byte) => byte?.value,
                Either::Second(()) => return Err(End::Gone),
            };
        }
        Ok(())
    }

    /// `settings.toml`, as many lines at a time as fit; after each piece the client says that it has it.
    async fn get(&mut self) -> Result<(), End> {
        self.result(Outcome::Done).await?;
        let mut settings = toml::settings().peekable();
        loop {
            self.fill(&mut [0]).await?;
            let (console, writer) = (self.console, &mut self.writer);
            let length = console.settings(|values| writer.put_lines(&mut settings, values));
            writer.chunk(length, !self.is_page).await?;
            if length == 0 {
                return self.result(Outcome::Done).await;
            }
        }
    }

    /// Takes `settings.toml`: what it says is stored whole, and the device restarts, or nothing is.
    async fn put(&mut self, size: usize) -> Result<(), End> {
        if size > BODY_MAX {
            let error = format_args!("{FILE} is refused: it is longer than {BODY_MAX} bytes");
            self.console.log(LogLevel::Warn, error);
            return self.result(Outcome::Refused).await;
        }
        let console = self.console;
        let Ok(mut body) = console.body.try_lock() else {
            return self.result(Outcome::Refused).await;
        };
        self.result(Outcome::Done).await?;
        let Some(file) = body.get_mut(..size) else {
            return Err(End::Protocol);
        };
        let received = self.fill(file).await;
        if received.is_err() {
            // There may have been a secret in it.
            body.fill(0);
            return received;
        }
        // The board may want this memory to store them with.
        let take = move |changes: &mut Changes| {
            let taken = file_read(body.get(..size).unwrap_or_default(), changes);
            body.fill(0);
            taken
        };
        let changed = console.change(take).await;
        match changed {
            Ok(is_new) => {
                self.result(Outcome::Done).await?;
                if is_new {
                    console.log(LogLevel::Info, format_args!("{FILE} is stored"));
                    let _ = console.command(LocalCommand::Restart).await;
                }
                Ok(())
            }
            Err(Refusal { error, .. }) => {
                console.log(LogLevel::Warn, format_args!("{FILE} is refused: {error}"));
                self.result(Outcome::Refused).await?;
                let told = format_args!("\r\n{FILE} is refused: {error}\r\n");
                self.writer.display(told).await
            }
        }
    }

    async fn result(&mut self, outcome: Outcome) -> Result<(), End> {
        let [low, high] = (outcome as u16).to_le_bytes();
        self.writer.short(&[b'W', b'B', low, high]).await
    }

    async fn close(&mut self) -> Result<(), End> {
        self.writer.frame(FrameType::Close, 0).await
    }
}

fn file_read(file: &[u8], changes: &mut Changes) -> Result<(), Refusal> {
    match str::from_utf8(file) {
        Ok(text) => toml::read(text, changes),
        Err(_) => Err(Refusal::new(None, format_args!("it is not UTF-8"))),
    }
}

/// What a transfer came to, as its code.
#[derive(Clone, Copy)]
enum Outcome {
    Done = 0,
    Refused = 1,
}

/// What a request asks for.
enum Wanted {
    Put { size: usize },
    Get,
    Version,
}

impl Wanted {
    fn of(request: &[u8; REQUEST]) -> Option<Self> {
        let rest = request.strip_prefix(b"WA")?;
        let (&[kind, _], rest) = rest.split_first_chunk::<2>()?;
        let (_offset, rest) = rest.split_first_chunk::<8>()?;
        let (size, rest) = rest.split_first_chunk::<4>()?;
        let (length, name) = rest.split_first_chunk::<2>()?;
        let name = name.get(..usize::from(u16::from_le_bytes(*length)))?;
        let is_file = name.strip_prefix(b"/").unwrap_or(name) == FILE.as_bytes();
        match kind {
            1 if is_file => Some(Wanted::Put {
                size: usize::try_from(u32::from_le_bytes(*size)).ok()?,
            }),
            2 if is_file => Some(Wanted::Get),
            3 => Some(Wanted::Version),
            _ => None,
        }
    }
}

/// Frames as they come in, a byte of their content at a time.
struct Frames<'a, R> {
    reader: R,
    /// What was read and not looked at yet is `start..end` of this.
    buffer: &'a mut [u8],
    start: usize,
    end: usize,
    header: FrameHeader,
    /// How much of the frame's content was looked at.
    taken: u64,
    /// Whether the message, of one or several frames, is binary.
    is_binary: bool,
}

/// A byte of a message.
struct Byte {
    value: u8,
    is_binary: bool,
}

impl<'a, R: Read> Frames<'a, R> {
    fn new(reader: R, buffer: &'a mut [u8]) -> Self {
        Frames {
            reader,
            buffer,
            start: 0,
            end: 0,
            header: FrameHeader {
                frame_type: FrameType::Continue(true),
                payload_len: 0,
                mask_key: None,
            },
            taken: 0,
            is_binary: false,
        }
    }

    /// Waits until something came in.
    ///
    /// Cancelling it loses nothing.
    async fn more(&mut self) -> Result<(), End> {
        if self.start < self.end {
            return Ok(());
        }
        self.start = 0;
        self.end = 0;
        match self.reader.read(self.buffer).await {
            Ok(0) | Err(_) => Err(End::Gone),
            Ok(count) => {
                self.end = count;
                Ok(())
            }
        }
    }

    async fn raw(&mut self) -> Result<u8, End> {
        self.more().await?;
        let byte = self.buffer.get(self.start).ok_or(End::Gone)?;
        self.start += 1;
        Ok(*byte)
    }

    /// The next byte of a message. What is asked of a WebSocket in between is done: `answers` takes it.
    async fn byte<A: Answers>(&mut self, answers: &mut A) -> Result<Byte, End> {
        loop {
            if self.taken < self.header.payload_len {
                let value = self.content().await?;
                return Ok(Byte {
                    value,
                    is_binary: self.is_binary,
                });
            }
            self.next_frame().await?;
            match self.header.frame_type {
                FrameType::Text(_) => self.is_binary = false,
                FrameType::Binary(_) => self.is_binary = true,
                FrameType::Continue(_) => {}
                FrameType::Close => return Err(End::Closed),
                FrameType::Ping | FrameType::Pong => {
                    let mut content = heapless::Vec::<u8, CONTROL_MAX>::new();
                    if self.header.payload_len > CONTROL_MAX as u64 {
                        return Err(End::Protocol);
                    }
                    while self.taken < self.header.payload_len {
                        let _ = content.push(self.content().await?);
                    }
                    if self.header.frame_type == FrameType::Ping {
                        answers.pong(&content).await?;
                    }
                }
            }
        }
    }

    async fn content(&mut self) -> Result<u8, End> {
        let mut byte = [self.raw().await?];
        self.header.mask(&mut byte, (self.taken % 4) as usize);
        self.taken += 1;
        let [value] = byte;
        Ok(value)
    }

    async fn next_frame(&mut self) -> Result<(), End> {
        let mut bytes = heapless::Vec::<u8, { FrameHeader::MAX_LEN }>::new();
        loop {
            bytes.push(self.raw().await?).map_err(|_| End::Protocol)?;
            match FrameHeader::deserialize(&bytes) {
                Ok((header, _)) => {
                    self.header = header;
                    self.taken = 0;
                    return Ok(());
                }
                Err(edge_ws::Error::Incomplete(_)) => {}
                Err(_) => return Err(End::Protocol),
            }
        }
    }
}

/// The longest content of a frame that controls the connection (RFC 6455, section 5.5).
const CONTROL_MAX: usize = 125;

/// Who answers what a WebSocket asks by itself.
trait Answers {
    async fn pong(&mut self, content: &[u8]) -> Result<(), End>;
}

/// Writes frames, each whole and by itself: some clients take a piece of TCP for a frame.
struct Frame<'a, Runtime, T, W> {
    writer: W,
    timer: &'a T,
    /// Room for the head of a frame, and then its content.
    buffer: &'a mut [u8],
    runtime: PhantomData<fn(&Runtime)>,
}

impl<Runtime, T: Timer<Runtime>, W: Write> Frame<'_, Runtime, T, W> {
    /// Puts as much of a text as fits where the content of a frame is; returns its length.
    fn put(&mut self, text: impl fmt::Display) -> usize {
        let mut place = Place {
            bytes: self.buffer.get_mut(HEAD..).unwrap_or_default(),
            length: 0,
        };
        let _ = write!(place, "{text}");
        place.length
    }

    /// Puts a chunk of `settings.toml` there: the lines of those settings that fit, which are taken.
    /// Returns its length.
    fn put_lines(
        &mut self,
        settings: &mut Peekable<impl Iterator<Item = &'static Setting>>,
        values: &Settings,
    ) -> usize {
        let mut place = Place {
            bytes: self.buffer.get_mut(HEAD..).unwrap_or_default(),
            length: 0,
        };
        while let Some(setting) = settings.peek() {
            let before = place.length;
            let fits = write!(place, "{}", toml::line(setting, values)).is_ok();
            if !fits && before > 0 {
                place.length = before;
                break;
            }
            settings.next();
        }
        place.length
    }

    async fn display(&mut self, text: impl fmt::Display) -> Result<(), End> {
        match self.put(text) {
            // Some clients cannot read a frame with nothing in it.
            0 => Ok(()),
            length => self.frame(FrameType::Text(false), length).await,
        }
    }

    async fn text(&mut self, text: &str) -> Result<(), End> {
        self.display(text).await
    }

    /// A few bytes.
    async fn short(&mut self, bytes: &[u8]) -> Result<(), End> {
        let mut frame = [0; 8];
        let (head, place) = frame.split_at_mut(2);
        let length = bytes.len().min(place.len());
        for (place, byte) in place.iter_mut().zip(bytes) {
            *place = *byte;
        }
        header(FrameType::Binary(false), length, head)?;
        let frame = frame.get(..2 + length).unwrap_or_default();
        write(&mut self.writer, self.timer, frame).await
    }

    /// What was put, as a frame of this type.
    async fn frame(&mut self, frame_type: FrameType, length: usize) -> Result<(), End> {
        let start = self.head(HEAD, frame_type, length)?;
        self.raw(start, HEAD - start + length).await
    }

    /// What was put, as a chunk of a file, and its length: in a frame before it, or in its own.
    async fn chunk(&mut self, length: usize, apart: bool) -> Result<(), End> {
        let binary = FrameType::Binary(false);
        let told = u16::try_from(length).unwrap_or_default().to_le_bytes();
        let start = match apart && length > 0 {
            true => self.head(HEAD, binary, length)?,
            false => HEAD,
        };
        let start = self.before(start, &told)?;
        let own = if apart { 0 } else { length };
        let start = self.head(start, binary, told.len() + own)?;
        self.raw(start, HEAD - start + length).await
    }

    /// Puts the head of a frame before `end`; returns where it starts.
    fn head(&mut self, end: usize, frame_type: FrameType, length: usize) -> Result<usize, End> {
        let mut head = [0; FrameHeader::MAX_LEN];
        let size = header(frame_type, length, &mut head)?;
        self.before(end, head.get(..size).unwrap_or_default())
    }

    /// Puts bytes before `end`; returns where they start.
    fn before(&mut self, end: usize, bytes: &[u8]) -> Result<usize, End> {
        let start = end.checked_sub(bytes.len()).ok_or(End::Protocol)?;
        let place = self.buffer.get_mut(start..end).unwrap_or_default();
        for (place, byte) in place.iter_mut().zip(bytes) {
            *place = *byte;
        }
        Ok(start)
    }

    /// So many bytes of the buffer, as they are.
    async fn raw(&mut self, start: usize, length: usize) -> Result<(), End> {
        let bytes = self.buffer.get(start..start.saturating_add(length));
        let bytes = bytes.ok_or(End::Protocol)?;
        write(&mut self.writer, self.timer, bytes).await
    }
}

/// Writes the head of a frame, and returns how long it is.
fn header(frame_type: FrameType, length: usize, place: &mut [u8]) -> Result<usize, End> {
    let header = FrameHeader {
        frame_type,
        payload_len: length as u64,
        mask_key: None,
    };
    header.serialize(place).map_err(|_| End::Protocol)
}

async fn write<Runtime, T: Timer<Runtime>, W: Write>(
    writer: &mut W,
    timer: &T,
    bytes: &[u8],
) -> Result<(), End> {
    let written = async {
        writer.write_all(bytes).await.map_err(|_| End::Gone)?;
        writer.flush().await.map_err(|_| End::Gone)
    };
    timer
        .run_with_timeout(WRITE, written)
        .await
        .map_err(|_| End::Gone)?
}

/// Takes as much of a text as fits, in whole characters.
struct Place<'a> {
    bytes: &'a mut [u8],
    length: usize,
}

impl fmt::Write for Place<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..).unwrap_or_default();
        let taken = text.floor_char_boundary(room.len().min(text.len()));
        for (place, byte) in room.iter_mut().zip(text.bytes().take(taken)) {
            *place = byte;
        }
        self.length += taken;
        if taken < text.len() {
            return Err(fmt::Error);
        }
        Ok(())
    }
}

impl<Runtime, T: Timer<Runtime>, W: Write> Answers for Frame<'_, Runtime, T, W> {
    async fn pong(&mut self, content: &[u8]) -> Result<(), End> {
        let place = self.buffer.get_mut(HEAD..).unwrap_or_default();
        for (place, byte) in place.iter_mut().zip(content) {
            *place = *byte;
        }
        self.frame(FrameType::Pong, content.len()).await
    }
}

impl<Runtime, T: Timer<Runtime>, W: Write> Terminal for Frame<'_, Runtime, T, W> {
    type Error = End;

    async fn write(&mut self, text: &str) -> Result<(), End> {
        self.text(text).await
    }
}
