//! What a scenario is given: a board to make devices of, and everything round it.

use std::net::Ipv4Addr;
use std::time::Duration;

use crate::broker::{Mosquitto, Setup};
use crate::device::{Board, Device, Options};
use crate::observer::Observer;
use crate::publisher::Publish;
use crate::scratch::Folder;

/// How long any answer may take before a scenario fails. Generous: what has to be fast has a limit of its own.
pub const SOON: Duration = Duration::from_secs(8);

/// A scenario's own world. Nothing in it is shared with another scenario's, so that all can run at once.
pub struct World<'a> {
    board: &'a dyn Board,
    folder: Folder,
}

impl<'a> World<'a> {
    /// The id of every device in a scenario, the one of the original's recording.
    pub const ID: &'static str = "1226d800";

    /// A world whose devices run on `board`.
    pub fn new(board: &'a dyn Board) -> Self {
        Self {
            board,
            folder: Folder::new(),
        }
    }

    /// A mosquitto that lets anybody in and forgets everything when it is killed.
    pub fn broker(&self) -> Mosquitto {
        Mosquitto::start(Setup::default())
    }

    /// What a device in this world is told: its id, its broker, and always the same place to store things.
    pub fn options(&self, broker: &str) -> Options {
        Options {
            id: Self::ID.to_owned(),
            broker: broker.to_owned(),
            settings: Vec::new(),
            state: self.folder.path().join("state"),
            resolver: None,
            has_cable: false,
        }
    }

    /// The address at which devices find this computer.
    pub fn host(&self) -> Ipv4Addr {
        self.board.host()
    }

    /// A device without power.
    pub fn device(&self, options: Options) -> Box<dyn Device> {
        self.board.device(options)
    }

    /// A device that has just been given power, its broker at `url`, its settings the defaults.
    pub fn started(&self, url: &str) -> Box<dyn Device> {
        self.started_with(self.options(url))
    }

    /// A device that has just been given power.
    pub fn started_with(&self, options: Options) -> Box<dyn Device> {
        let mut device = self.device(options);
        device.power_on();
        device
    }

    /// The usual scene: a broker, an observer of all the device's topics, a device that is online.
    pub fn scene(&self) -> Scene {
        self.scene_with(&[])
    }

    /// As [`World::scene`], with these settings.
    pub fn scene_with(&self, settings: &[(&str, &str)]) -> Scene {
        let broker = self.broker();
        let options = settings
            .iter()
            .fold(self.options(&broker.url()), |options, (key, value)| {
                options.set(key, value)
            });
        let observer = observe(&broker);
        let device = self.started_with(options);
        let mut scene = Scene {
            device,
            observer,
            broker,
        };
        scene.observer.expect_text(&status(), SOON, "online");
        scene
    }
}

/// A device that is online at a broker, and somebody who listens. (The fields are dropped in this order.)
pub struct Scene {
    /// The device.
    pub device: Box<dyn Device>,
    /// Hears [`after`] and the whole structured tree.
    pub observer: Observer,
    /// The broker between them.
    pub broker: Mosquitto,
}

impl Scene {
    /// Sends a message at QoS 1.
    pub fn send(&self, topic: &str, payload: &str) {
        Publish::new(topic, payload).qos(1).to(&self.broker);
    }

    /// The device's next classic answer: the next message on [`after`] that is no heartbeat.
    pub fn answer(&mut self) -> String {
        answer(&mut self.observer)
    }

    /// Sends a word to the classic topic and takes the answer.
    pub fn ask(&mut self, word: &str) -> String {
        self.send(World::ID, word);
        self.answer()
    }

    /// Sends a command with an id to `topic` and takes the reply, parsed.
    pub fn command(&mut self, topic: &str, command: &str, id: &str) -> serde_json::Value {
        let json = serde_json::json!({ "command": command, "id": id });
        self.send(topic, &json.to_string());
        self.reply()
    }

    /// The device's next reply to a command with an id, parsed.
    pub fn reply(&mut self) -> serde_json::Value {
        self.observer.next(&tree("/reply"), SOON).json()
    }
}

/// An observer of [`after`] and the whole structured tree.
pub fn observe(broker: &Mosquitto) -> Observer {
    Observer::new(broker, &[&after(), &format!("{}/#", tree(""))])
}

/// The next message on [`after`] that is no heartbeat.
pub fn answer(observer: &mut Observer) -> String {
    observer
        .expect(&after(), SOON, "an answer", |message| {
            !message.payload.starts_with(b"t=")
        })
        .text()
}

/// Where the classic pair answers.
pub fn after() -> String {
    format!("{}After", World::ID)
}

/// A topic of the structured tree, as `tree("/th")`.
pub fn tree(rest: &str) -> String {
    format!("monster/{}{rest}", World::ID)
}

/// Where the device says whether it is online.
pub fn status() -> String {
    tree("/status")
}

/// The device's next diagnostics: those of the moment it got online, unless it has been for a minute.
pub fn diagnostics(observer: &mut Observer) -> serde_json::Value {
    observer.next(&tree("/diag"), SOON).json()
}
