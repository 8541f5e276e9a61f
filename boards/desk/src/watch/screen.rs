//! The table in a terminal.

use std::io;
use std::time::Instant;

use crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};
use monster::identity::DeviceId;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Paragraph, TableState};
use ratatui::{DefaultTerminal, Frame};
use tokio::sync::mpsc;

use super::devices::Devices;
use super::table::{self, BAD, FAINT, STRONG, WARNING};

/// What a person wants.
#[derive(Debug, PartialEq, Eq)]
pub enum Action {
    Quit,
    /// The picture is another one now.
    Draw,
    Toggle(DeviceId),
}

/// The terminal, as long as it is ours. Dropping it gives it back as it was; so does a panic.
pub struct Screen {
    terminal: DefaultTerminal,
    keys: mpsc::UnboundedReceiver<Event>,
    picture: Picture,
}

/// What the table shows beside the devices.
struct Picture {
    url: String,
    link: Link,
    chosen: Option<DeviceId>,
    /// Why the last key did nothing.
    note: Option<String>,
    /// Which rows are to be seen.
    table: TableState,
}

/// How it stands with the broker.
enum Link {
    Connecting,
    Up,
    Down(String),
}

impl Screen {
    /// Takes the terminal.
    pub fn open(url: String) -> io::Result<Self> {
        let terminal = ratatui::try_init()?;
        let (sender, keys) = mpsc::unbounded_channel();
        // Crossterm waits for keys, but not by itself together with other things. The thread ends
        // with the process.
        std::thread::spawn(move || {
            while let Ok(event) = event::read() {
                if sender.send(event).is_err() {
                    break;
                }
            }
        });
        Ok(Screen {
            terminal,
            keys,
            picture: Picture::new(url),
        })
    }

    pub fn connected(&mut self) {
        self.picture.link = Link::Up;
    }

    pub fn lost(&mut self, why: String) {
        self.picture.link = Link::Down(why);
    }

    pub fn draw(&mut self, devices: &Devices, now: Instant) -> io::Result<()> {
        let picture = &mut self.picture;
        self.terminal
            .draw(|frame| picture.draw(frame, devices, now))?;
        Ok(())
    }

    /// What the next key that means something asks for.
    ///
    /// Cancelling it loses nothing.
    pub async fn action(&mut self, devices: &Devices) -> Action {
        loop {
            // Without keys there is nobody left to quit.
            let Some(event) = self.keys.recv().await else {
                return Action::Quit;
            };
            if let Some(action) = self.picture.take(&event, devices) {
                return action;
            }
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        ratatui::restore();
    }
}

impl Picture {
    fn new(url: String) -> Self {
        Picture {
            url,
            link: Link::Connecting,
            chosen: None,
            note: None,
            table: TableState::default(),
        }
    }

    fn take(&mut self, event: &Event, devices: &Devices) -> Option<Action> {
        let Event::Key(KeyEvent {
            code,
            modifiers,
            kind: KeyEventKind::Press | KeyEventKind::Repeat,
            ..
        }) = event
        else {
            return matches!(event, Event::Resize(..)).then_some(Action::Draw);
        };
        self.note = None;
        if modifiers.contains(KeyModifiers::CONTROL) {
            return (*code == KeyCode::Char('c')).then_some(Action::Quit);
        }
        let page = 10;
        match code {
            KeyCode::Char('q' | 'Q') | KeyCode::Esc => return Some(Action::Quit),
            KeyCode::Char(' ' | 't' | 'T') | KeyCode::Enter => {
                return self.toggle(devices);
            }
            KeyCode::Up | KeyCode::Char('k') => self.choose(devices, -1),
            KeyCode::Down | KeyCode::Char('j') => self.choose(devices, 1),
            KeyCode::PageUp => self.choose(devices, -page),
            KeyCode::PageDown => self.choose(devices, page),
            KeyCode::Home => self.choose(devices, isize::MIN),
            KeyCode::End => self.choose(devices, isize::MAX),
            _ => return None,
        }
        Some(Action::Draw)
    }

    /// Only what can happen now is asked for: a switch must not move when nobody thinks of it any more.
    fn toggle(&mut self, devices: &Devices) -> Option<Action> {
        let id = self.chosen.clone()?;
        let missing = if !matches!(self.link, Link::Up) {
            "there is no connection".to_owned()
        } else if devices.is_offline(&id) {
            format!("{id} is offline")
        } else {
            return Some(Action::Toggle(id));
        };
        self.note = Some(format!("nothing was sent: {missing}"));
        Some(Action::Draw)
    }

    /// Chooses the device so many rows further down, as far as there are any.
    fn choose(&mut self, devices: &Devices, by: isize) {
        let ids = || devices.iter().map(|(id, _)| id);
        let last = devices.len().saturating_sub(1);
        let here = ids().position(|id| Some(id) == self.chosen.as_ref());
        let there = here.unwrap_or(0).saturating_add_signed(by).min(last);
        self.chosen = ids().nth(there).cloned();
    }

    fn draw(&mut self, frame: &mut Frame<'_>, devices: &Devices, now: Instant) {
        if self.chosen.is_none() {
            self.chosen = devices.iter().next().map(|(id, _)| id.clone());
        }
        let row = devices
            .iter()
            .position(|(id, _)| Some(id) == self.chosen.as_ref());
        self.table.select(row);
        let [head, _, middle, foot] = Layout::vertical([
            Constraint::Length(1),
            Constraint::Length(1),
            Constraint::Min(1),
            Constraint::Length(1),
        ])
        .areas(frame.area());
        frame.render_widget(Paragraph::new(self.head(devices, head.width)), head);
        if devices.len() == 0 {
            if matches!(self.link, Link::Up) {
                let text = "No device has been heard of yet: `monster --broker URL` is one.";
                frame.render_widget(Paragraph::new(Line::styled(text, FAINT)), middle);
            }
        } else {
            let is_live = matches!(self.link, Link::Up);
            let table = table::of(devices, is_live, now, middle.width);
            frame.render_stateful_widget(table, middle, &mut self.table);
        }
        let foot_line = match &self.note {
            Some(note) => Line::styled(note.as_str(), WARNING),
            None => keys(),
        };
        frame.render_widget(Paragraph::new(foot_line), foot);
    }

    /// How it stands with the broker; before that, what there is room for.
    fn head(&self, devices: &Devices, width: u16) -> Line<'_> {
        let state = match &self.link {
            Link::Connecting => Span::styled("connecting", FAINT),
            Link::Down(why) => Span::styled(format!("not connected: {why}"), BAD),
            Link::Up => {
                let (all, online) = (devices.len(), devices.online());
                let plural = if all == 1 { "" } else { "s" };
                Span::raw(format!("{all} device{plural}, {online} online"))
            }
        };
        let mut line = Line::from(state);
        let before = [
            Span::styled(self.url.as_str(), FAINT),
            Span::styled("monster watch", STRONG),
        ];
        for part in before {
            if line.width() + 2 + part.width() > usize::from(width) {
                break;
            }
            line.spans.splice(0..0, [part, Span::raw("  ")]);
        }
        line
    }
}

fn keys() -> Line<'static> {
    let mut spans = Vec::new();
    for (key, meaning) in [("↑↓", "choose"), ("space", "toggle"), ("q", "quit")] {
        spans.extend([
            Span::styled(key, Style::new().fg(Color::Cyan)),
            Span::styled(format!(" {meaning}   "), FAINT),
        ]);
    }
    Line::from(spans)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::*;

    fn devices(now: Instant) -> Devices {
        let mut devices = Devices::default();
        for (topic, payload) in [
            ("monster/a1/status", "online"),
            ("monster/a1/switch/0", "on"),
            (
                "monster/a1/th",
                r#"{"temperature":23.4,"humidity":56.0,"age":0}"#,
            ),
            ("monster/a1/diag", r#"{"rssi":-61}"#),
            ("monster/b2/status", "offline"),
            ("monster/c3/switch/0", "off"),
        ] {
            devices.take(topic, payload.as_bytes(), false, now);
        }
        devices
    }

    fn lines(picture: &mut Picture, devices: &Devices, now: Instant) -> Vec<String> {
        lines_in(100, picture, devices, now)
    }

    fn lines_in(width: u16, picture: &mut Picture, devices: &Devices, now: Instant) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, 8)).unwrap();
        terminal
            .draw(|frame| picture.draw(frame, devices, now))
            .unwrap();
        let buffer = terminal.backend().buffer().clone();
        let row = |y| {
            (0..width)
                .map(|x| buffer[(x, y)].symbol())
                .collect::<String>()
        };
        (0..8).map(|y| row(y).trim_end().to_owned()).collect()
    }

    fn key(code: KeyCode) -> Event {
        Event::Key(KeyEvent::new(code, KeyModifiers::NONE))
    }

    #[test]
    fn each_device_has_a_row_with_what_is_known_of_it() {
        let start = Instant::now();
        let devices = devices(start);
        let mut picture = Picture::new("mqtt://127.0.0.1:1883".to_owned());
        picture.link = Link::Up;
        let lines = lines(&mut picture, &devices, start + Duration::from_secs(75));
        assert_eq!(
            lines[0],
            "monster watch  mqtt://127.0.0.1:1883  3 devices, 1 online"
        );
        let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert_eq!(
            words(&lines[3]),
            "a1 ● online on 23.4 °C 56.0 % -61 dBm 1 min ago"
        );
        assert_eq!(words(&lines[4]), "b2 ○ offline – – – – –");
    }

    #[test]
    fn a_signal_is_a_column_where_a_device_has_one() {
        let now = Instant::now();
        let mut picture = Picture::new(String::new());
        let wired = |picture: &mut Picture, devices: &Devices| {
            !lines(picture, devices, now)[2].contains("signal")
        };
        let mut devices = Devices::default();
        devices.take("monster/a1/diag", b"{}", false, now);
        assert!(wired(&mut picture, &devices));
        devices.take("monster/a1/diag", br#"{"rssi":-61}"#, false, now);
        assert!(!wired(&mut picture, &devices));
    }

    #[test]
    fn it_says_why_there_is_no_connection() {
        let mut picture = Picture::new("mqtt://nowhere:1883".to_owned());
        picture.link = Link::Down("connection refused".to_owned());
        let lines = lines(&mut picture, &Devices::default(), Instant::now());
        assert!(
            lines[0].ends_with("not connected: connection refused"),
            "{lines:?}"
        );
    }

    #[test]
    fn the_chosen_device_is_toggled_and_choosing_stays_within_the_table() {
        let now = Instant::now();
        let devices = devices(now);
        let mut picture = Picture::new(String::new());
        picture.link = Link::Up;
        let space = key(KeyCode::Char(' '));
        assert_eq!(picture.take(&space, &devices), None);
        lines(&mut picture, &devices, now);
        let toggled = |picture: &mut Picture| match picture.take(&space, &devices) {
            Some(Action::Toggle(id)) => id.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(toggled(&mut picture), "a1");
        for _ in 0..3 {
            picture.take(&key(KeyCode::Down), &devices);
        }
        assert_eq!(toggled(&mut picture), "c3");
        for code in [KeyCode::Home, KeyCode::Up, KeyCode::PageUp] {
            picture.take(&key(code), &devices);
        }
        assert_eq!(toggled(&mut picture), "a1");
        picture.take(&key(KeyCode::End), &devices);
        assert_eq!(toggled(&mut picture), "c3");
        assert_eq!(
            picture.take(&key(KeyCode::Char('q')), &devices),
            Some(Action::Quit)
        );
    }

    #[test]
    fn what_cannot_happen_now_is_not_sent_and_the_last_line_says_so_until_the_next_key() {
        let now = Instant::now();
        let devices = devices(now);
        let mut picture = Picture::new(String::new());
        picture.link = Link::Up;
        lines(&mut picture, &devices, now);
        let foot = |picture: &mut Picture| lines(picture, &devices, now).pop().unwrap();
        let space = key(KeyCode::Char(' '));
        picture.take(&key(KeyCode::Down), &devices);
        assert_eq!(picture.take(&space, &devices), Some(Action::Draw));
        assert_eq!(foot(&mut picture), "nothing was sent: b2 is offline");
        picture.take(&key(KeyCode::Up), &devices);
        assert_eq!(foot(&mut picture), "↑↓ choose   space toggle   q quit");
        picture.link = Link::Down("connection refused".to_owned());
        assert_eq!(picture.take(&space, &devices), Some(Action::Draw));
        assert_eq!(
            foot(&mut picture),
            "nothing was sent: there is no connection"
        );
    }

    #[test]
    fn in_a_narrow_terminal_the_most_important_is_whole_and_the_rest_is_left_out() {
        let start = Instant::now();
        let devices = devices(start);
        let mut picture = Picture::new("mqtt://127.0.0.1:1883".to_owned());
        picture.link = Link::Up;
        for (width, head, names, first) in [
            (
                60,
                "monster watch  mqtt://127.0.0.1:1883  3 devices, 1 online",
                "device status switch temperature humidity last heard",
                "a1 ● online on 23.4 °C 56.0 % 2 s ago",
            ),
            (
                45,
                "mqtt://127.0.0.1:1883  3 devices, 1 online",
                "device status switch temperature",
                "a1 ● online on 23.4 °C",
            ),
            (
                28,
                "3 devices, 1 online",
                "device status switch",
                "a1 ● online on",
            ),
        ] {
            let now = start + Duration::from_secs(2);
            let lines = lines_in(width, &mut picture, &devices, now);
            let words = |line: &str| line.split_whitespace().collect::<Vec<_>>().join(" ");
            assert_eq!(lines[0], head, "{width}");
            assert_eq!(words(&lines[2]), names, "{width}");
            assert_eq!(words(&lines[3]), first, "{width}");
        }
    }
}
