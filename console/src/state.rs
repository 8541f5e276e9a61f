//! What everybody at the console shares: what is known of the device, who is signed in, and what
//! somebody wants.

use core::cell::{Cell, RefCell};
use core::fmt::{self, Write};
use core::ops::{Deref, DerefMut};

use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embassy_sync::mutex::{Mutex, MutexGuard};
use embassy_sync::signal::Signal;
use embassy_sync::watch::{Receiver, Watch};
use heapless::String;
use monster::device::{Device, LocalCommand};
use monster::identity::DeviceId;
use monster::log::LINE_MAX;
use monster::settings::Settings;
use monster::settings::value::LogLevel;
use umqtt::Instant;

use crate::access::{Access, Denied, Token};
use crate::changes::{Changes, Refusal};
use crate::history::History;
use crate::journal::{Journal, Line};
use crate::portal::Portal;
use crate::shell::Sheet;
use crate::status::{About, Status};

/// How many streams of events there are at once: pages that are open. Who comes later is told to
/// wait.
pub const EVENT_STREAMS: usize = 3;
/// How many others may watch at once: line consoles, and those who wait for a measurement.
const WATCHERS: usize = 5;
/// The longest body of a request, and the longest `settings.toml` that is taken, in bytes.
pub const BODY_MAX: usize = 4096;
/// Milliseconds between two events for those who watch, if nothing happens.
const EVENT_EVERY_MS: u64 = 5_000;
/// The longest word on what went wrong with storing, in bytes.
const FAILURE_MAX: usize = 120;

/// What a console asks of its board.
pub trait Host {
    /// The time since boot, as the device has it.
    fn now(&self) -> Instant;

    /// Fills `bytes` with what nobody can guess.
    fn random(&self, bytes: &mut [u8]);

    /// Which board it is: `desk`, `virt` or `esp32c3`.
    fn board(&self) -> &'static str;

    /// Where a setting comes from that cannot be changed here; `None` if it can.
    fn origin(&self, key: &str) -> Option<Origin> {
        let _ = key;
        None
    }

    /// Whether there is a radio, with an access point of its own: then there is a portal.
    fn has_radio(&self) -> bool {
        false
    }
}

/// Where a setting comes from that the console cannot change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A flag of the program.
    Flag,
    /// The program's environment.
    Environment,
    /// A file.
    File,
}

impl Origin {
    /// The word for it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Origin::Flag => "flag",
            Origin::Environment => "environment",
            Origin::File => "file",
        }
    }
}

/// What somebody at the console wants of the board's loop.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Tell the device: [`Input::Local`](monster::device::Input::Local).
    Command(LocalCommand),
    /// Store [`Console::changes`] with the settings that are stored already. The device goes on with
    /// those it has.
    Store,
    /// Begin to try [`Console::on_trial`], and answer at once. What comes of it is told by
    /// [`Console::tried`]; if it succeeds, store [`Console::changes`] before.
    Try,
    /// Tell the device: [`Input::WrongPassword`](monster::device::Input::WrongPassword). Nobody waits
    /// for an answer.
    Warn,
}

/// What became of a [`Request`]: an error says what went wrong with storing.
pub type Answer = Result<(), String<FAILURE_MAX>>;

/// What is known of the device, who is signed in, and what somebody wants.
///
/// All of it happens in one thread: the board's loop and everybody at the console take turns. No call
/// blocks.
pub struct Console<H> {
    host: H,
    id: RefCell<Option<DeviceId>>,
    settings: RefCell<Settings>,
    access: RefCell<Access>,
    status: RefCell<Option<Status>>,
    history: RefCell<History>,
    journal: RefCell<Journal>,
    changes: Mutex<NoopRawMutex, Changes>,
    /// Something is new.
    news: Watch<NoopRawMutex, (), { EVENT_STREAMS + WATCHERS }>,
    streams: Cell<usize>,
    /// When those who watch are told again, if nothing happens.
    next_event: Cell<Instant>,
    /// Whose turn it is to want something.
    turn: Mutex<NoopRawMutex, ()>,
    request: Signal<NoopRawMutex, Request>,
    /// The board has a request that it has not answered yet.
    is_owed: Cell<bool>,
    answer: Signal<NoopRawMutex, Answer>,
    /// For bodies that do not fit a connection's own buffer.
    pub(crate) body: Mutex<NoopRawMutex, [u8; BODY_MAX]>,
    /// For the one who is here by WebREPL.
    pub(crate) sheet: Mutex<NoopRawMutex, Sheet>,
    pub(crate) portal: Portal,
}

/// How somebody hears that something is new.
pub(crate) type News<'a> = Receiver<'a, NoopRawMutex, (), { EVENT_STREAMS + WATCHERS }>;

/// For the board.
impl<H: Host> Console<H> {
    /// A console of a device that has not started yet.
    pub fn new(host: H) -> Self {
        Console {
            host,
            id: RefCell::new(None),
            settings: RefCell::new(Settings::default()),
            access: RefCell::new(Access::new()),
            status: RefCell::new(None),
            history: RefCell::new(History::new()),
            journal: RefCell::new(Journal::new()),
            changes: Mutex::new(Changes::new()),
            news: Watch::new(),
            streams: Cell::new(0),
            next_event: Cell::new(Instant::ZERO),
            turn: Mutex::new(()),
            request: Signal::new(),
            is_owed: Cell::new(false),
            answer: Signal::new(),
            body: Mutex::new([0; BODY_MAX]),
            sheet: Mutex::new(Sheet::new()),
            portal: Portal::new(),
        }
    }

    /// A device starts: who it is, the settings that were given, not completed by the board, and the
    /// password the board made up for it, which counts unless `console.password` is set. Its clock may
    /// have begun anew; who is signed in stays so.
    pub fn start(&self, id: &DeviceId, settings: &Settings, password: &str) {
        *self.id.borrow_mut() = Some(id.clone());
        self.settings.borrow_mut().clone_from(settings);
        let set = &settings.console.password;
        let password = if set.is_set() { set.expose() } else { password };
        self.access.borrow_mut().start(password);
        self.journal.borrow_mut().clear();
        self.next_event.set(Instant::ZERO);
        *self.history.borrow_mut() = History::new();
        // Nobody will answer what the device before this one was asked.
        if self.request.try_take().is_some() || self.is_owed.get() {
            self.answer(Err(failure("the device was restarted")));
        }
    }

    /// How the device is now. Call it whenever the device had its turn, and at
    /// [`deadline`](Self::deadline).
    pub fn update(&self, device: &Device<'_>, now: Instant) {
        let status = Status::of(device, now);
        self.history.borrow_mut().update(status.climate, now);
        let before = self.status.replace(Some(status));
        let is_news = match (&before, &*self.status.borrow()) {
            (Some(before), Some(status)) => status.is_news_after(before),
            _ => true,
        };
        if is_news || self.next_event.get() <= now {
            self.tell();
        }
        if self.next_event.get() <= now {
            self.next_event.set(now.after(EVENT_EVERY_MS));
        }
    }

    /// When to call [`update`](Self::update) if nothing happens before.
    pub fn deadline(&self) -> Option<Instant> {
        let history = self.history.borrow().deadline();
        let event = (self.streams.get() > 0).then_some(self.next_event.get());
        [history, event].into_iter().flatten().min()
    }

    /// A line of the log, of any level that is wanted.
    pub fn log(&self, level: LogLevel, text: fmt::Arguments<'_>) {
        let mut line = Cut(String::new());
        let _ = line.write_fmt(text);
        self.journal.borrow_mut().add(Line {
            at: self.host.now(),
            level,
            text: line.0,
        });
        self.tell();
    }

    /// Waits until somebody wants something; then [`answer`](Self::answer), each but
    /// [`Request::Warn`] once.
    ///
    /// Cancelling it loses nothing.
    pub async fn request(&self) -> Request {
        let request = self.request.wait().await;
        self.is_owed.set(request != Request::Warn);
        request
    }

    /// With [`Request::Store`], and after [`Request::Try`]: what is to be stored. It was found to be right, and stays as it is until
    /// this is dropped: do so before the [`answer`](Self::answer).
    pub async fn changes(&self) -> impl Deref<Target = Changes> {
        self.changes.lock().await
    }

    /// Memory for the board to store settings with, which is only sometimes needed here; none if it is
    /// just now. What was secret must not stay there.
    pub fn scratch(&self) -> Option<impl DerefMut<Target = [u8; BODY_MAX]>> {
        self.body.try_lock().ok()
    }

    /// What became of the request.
    pub fn answer(&self, answer: Answer) {
        self.is_owed.set(false);
        self.answer.signal(answer);
    }

    /// Makes a path, `/login/…`, that signs in whoever opens it first, within ten minutes.
    pub fn ticket(&self) -> impl fmt::Display + use<H> {
        let token = self.token();
        self.access.borrow_mut().set_ticket(token, self.now());
        fmt::from_fn(move |f| write!(f, "/login/{token}"))
    }
}

/// An [`Answer`] that says what went wrong; what does not fit is left out.
pub fn failure(what: impl fmt::Display) -> String<FAILURE_MAX> {
    let mut text = Cut(String::new());
    let _ = write!(text, "{what}");
    text.0
}

/// For those at the console.
impl<H: Host> Console<H> {
    /// The board it asks.
    pub fn board(&self) -> &H {
        &self.host
    }

    pub(crate) fn now(&self) -> Instant {
        self.host.now()
    }

    pub(crate) fn token(&self) -> Token {
        let mut bytes = [0; Token::BYTES];
        self.host.random(&mut bytes);
        Token::new(bytes)
    }

    pub(crate) fn access<R>(&self, look: impl FnOnce(&mut Access) -> R) -> R {
        look(&mut self.access.borrow_mut())
    }

    /// Whether this is the password.
    pub(crate) fn check_password(&self, attempt: &[u8]) -> Result<(), Denied> {
        let now = self.now();
        let result = self.access.borrow_mut().check(attempt, now);
        // The device's log has it, if the board is not just busy with somebody here. What comes while
        // nothing is looked at is not worth a line: there could be any number.
        if let Err(Denied::Wrong) = result
            && self.turn.try_lock().is_ok()
        {
            self.request.signal(Request::Warn);
        }
        result
    }

    pub(crate) fn id(&self) -> String<24> {
        let id = self.id.borrow();
        let id = id.as_ref().map_or("", DeviceId::as_str);
        String::try_from(id).unwrap_or_default()
    }

    /// The settings as they are stored: the device has them when it starts next.
    pub(crate) fn settings<R>(&self, look: impl FnOnce(&Settings) -> R) -> R {
        look(&self.settings.borrow())
    }

    /// How the device is; `None` before it was first told.
    pub(crate) fn status<R>(&self, look: impl FnOnce(&Status, About<'_>) -> R) -> Option<R> {
        let id = self.id();
        let about = About {
            id: &id,
            board: self.host.board(),
        };
        self.status
            .borrow()
            .as_ref()
            .map(|status| look(status, about))
    }

    pub(crate) fn history<R>(&self, look: impl FnOnce(&History) -> R) -> R {
        look(&self.history.borrow())
    }

    /// Shows a line of the log, if there is one; see [`Journal::after`].
    pub(crate) fn log_line(&self, next: &mut u64, look: impl FnOnce(&Line)) -> bool {
        self.journal.borrow().after(next).map(look).is_some()
    }

    /// The number that the next line of the log will have.
    pub(crate) fn log_end(&self) -> u64 {
        self.journal.borrow().end()
    }

    /// To hear what is new; `None` if too many listen.
    pub(crate) fn news(&self) -> Option<News<'_>> {
        self.news.receiver()
    }

    /// A stream of events for who shows this token, as long as it is kept; `None` if there are too many.
    pub(crate) fn stream(&self, token: Token) -> Option<Stream<'_, H>> {
        let streams = self.streams.get();
        if streams >= EVENT_STREAMS {
            return None;
        }
        let news = self.news()?;
        self.streams.set(streams + 1);
        self.next_event.set(self.now().after(EVENT_EVERY_MS));
        Some(Stream {
            console: self,
            token,
            news,
        })
    }

    /// Has the device do something. Returns the switch's state after it.
    pub(crate) async fn command(&self, command: LocalCommand) -> Result<bool, String<FAILURE_MAX>> {
        let _turn = self.turn.lock().await;
        self.ask(Request::Command(command)).await?;
        Ok(self.status(|status, _| status.on).unwrap_or_default())
    }

    /// Stores what `fill` wants to be other settings, if all of it is right; else nothing is changed.
    /// Returns whether there was anything to change.
    pub(crate) async fn change(
        &self,
        fill: impl FnOnce(&mut Changes) -> Result<(), Refusal>,
    ) -> Result<bool, Refusal> {
        let _turn = self.turn.lock().await;
        self.check_trial()?;
        let mut changes = self.changes.lock().await;
        let prepared = self.prepare(fill, &mut changes);
        if !matches!(prepared, Ok(true)) {
            changes.clear();
            return prepared;
        }
        drop(changes);
        let stored = self.ask(Request::Store).await;
        let mut changes = self.changes.lock().await;
        let result = self.adopt(&changes, stored);
        changes.clear();
        result
    }

    /// Fills `changes` with what is new and right. Returns whether there is anything.
    pub(crate) fn prepare(
        &self,
        fill: impl FnOnce(&mut Changes) -> Result<(), Refusal>,
        changes: &mut Changes,
    ) -> Result<bool, Refusal> {
        changes.clear();
        fill(changes)?;
        changes.retain_new(&self.settings.borrow());
        for (key, _) in changes.iter() {
            if let Some(origin) = self.host.origin(key) {
                let place = match origin {
                    Origin::Flag => "a flag of the program",
                    Origin::Environment => "the program's environment",
                    Origin::File => "the settings file",
                };
                return Err(Refusal::new(
                    Some(key),
                    format_args!("{key} is set by {place}; change it there"),
                ));
            }
        }
        self.apply(changes, &mut self.settings.borrow().clone())?;
        Ok(changes.iter().next().is_some())
    }

    /// These changes are stored, or not.
    pub(crate) fn adopt(&self, changes: &Changes, stored: Answer) -> Result<bool, Refusal> {
        if let Err(why) = stored {
            return Err(Refusal::new(None, format_args!("cannot store: {why}")));
        }
        let mut changed = self.settings.borrow().clone();
        self.apply(changes, &mut changed)?;
        *self.settings.borrow_mut() = changed;
        Ok(true)
    }

    /// Makes these changes in a copy of the settings, if a device with this id would find them right.
    pub(crate) fn apply(&self, changes: &Changes, settings: &mut Settings) -> Result<(), Refusal> {
        let is_own = settings.id.is_none();
        if is_own {
            settings.id.clone_from(&self.id.borrow());
        }
        changes.apply(settings)?;
        if is_own && settings.id == *self.id.borrow() {
            settings.id = None;
        }
        Ok(())
    }

    /// Waits for the turn to want something.
    pub(crate) async fn turn(&self) -> MutexGuard<'_, NoopRawMutex, ()> {
        self.turn.lock().await
    }

    pub(crate) async fn changes_mut(&self) -> MutexGuard<'_, NoopRawMutex, Changes> {
        self.changes.lock().await
    }

    /// The caller has the turn.
    pub(crate) async fn ask(&self, request: Request) -> Answer {
        if self.is_owed.get() {
            // To somebody who has gone away.
            let _ = self.answer.wait().await;
        }
        self.answer.reset();
        self.request.signal(request);
        self.answer.wait().await
    }

    /// Whoever watches is to look.
    pub(crate) fn tell(&self) {
        self.news.sender().send(());
    }
}

/// A place among the [`EVENT_STREAMS`].
pub(crate) struct Stream<'a, H> {
    console: &'a Console<H>,
    token: Token,
    pub news: News<'a>,
}

impl<H: Host> Stream<'_, H> {
    /// Whether who began it is still signed in.
    pub fn is_wanted(&self) -> bool {
        self.console
            .access(|access| access.is_signed_in(&self.token))
    }
}

impl<H> Drop for Stream<'_, H> {
    fn drop(&mut self) {
        let streams = &self.console.streams;
        streams.set(streams.get().saturating_sub(1));
    }
}

/// Takes as much of a text as fits, and no control characters.
struct Cut<const N: usize>(String<N>);

impl<const N: usize> Write for Cut<N> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        text.chars().try_for_each(|character| {
            let shown = match character.is_control() {
                true => char::REPLACEMENT_CHARACTER,
                false => character,
            };
            self.0.push(shown).map_err(|_| fmt::Error)
        })
    }
}

const _: () = assert!(LINE_MAX <= 160, "a line of the log is small");
