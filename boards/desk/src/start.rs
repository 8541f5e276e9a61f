//! `monster run` up to its loop: who the device is, where its broker is, and what it runs with. And
//! `monster broker`, which is its broker alone.

use std::io;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::rc::Rc;

use monster::settings::Secret;
use monster::settings::value::LogLevel;
use tokio::task::LocalSet;

use crate::Failure;
use crate::banner::{self, Address, Banner};
use crate::broker;
use crate::cli::RunArgs;
use crate::config::{Environment, STATE_VARIABLE, Sources, variable};
use crate::console::{self, Console};
use crate::control::{self, Door};
use crate::keys::Keys;
use crate::life::Desk;
use crate::notify::Notifier;
use crate::run::{self, Access};
use crate::send;
use crate::signals::Signals;
use crate::state::{StateFolder, default_folder};
use crate::store;

/// `monster run`, until somebody stops it.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let environment = std::env::vars_os().collect();
    let folder = state_folder(args.state.as_ref(), &environment).ok_or_else(|| {
        Failure::usage("there is no folder to keep the device's state in: --state DIR names one")
    })?;
    let layers = Sources {
        file: args.config.clone(),
        environment,
        flags: args.flags().map_err(|problem| vec![problem])?,
        ..Sources::default()
    }
    .read();
    layers.check()?;

    let folder = StateFolder::open(folder).map_err(Failure::failed)?;
    let mut warnings = layers.warnings().to_vec();
    let store = store::open(folder.path(), &mut warnings).map_err(Failure::failed)?;
    let mut desk = Desk {
        layers,
        folder,
        store,
        console: Console::new(LogLevel::Info),
        warnings,
        unkept: Secret::default(),
        own_broker: None,
    };
    let (life, wired) = desk.start(None)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let control = Rc::new(control::console().map_err(Failure::failed)?);
    let door = (!args.no_console)
        .then(|| runtime.block_on(open_door(args.console, &mut desk.warnings)))
        .flatten();
    let keys = Keys::listen();
    let link = door
        .as_ref()
        .map(|door| control::link(&control, door.address()));
    let password = desk.console_password();
    let is_made_up = !life.settings.console.password.is_set();
    let address = link.as_ref().map(|link| Address {
        link,
        // What stays good for long is for the eyes of who sits there, not for a log.
        password: (is_made_up && keys.is_some()).then(|| password.expose()),
    });
    let banner = Banner {
        id: &life.id,
        settings: &life.settings,
        wiring: &life.wiring,
        own_broker: desk.own_broker.is_some(),
        send_finds_broker: send::broker(Sources::default())
            .is_ok_and(|b| b == life.settings.broker),
        state: desk.folder.path(),
        console: address.as_ref(),
        program: &banner::program(),
        has_keys: keys.is_some(),
    };
    desk.console.banner(&banner.to_string());
    let access = Access {
        control: control.clone(),
        door: door.as_ref().map(Door::address),
    };
    let tasks = LocalSet::new();
    if let Some(door) = door {
        tasks.spawn_local(door.serve(control));
    }
    let device = run::run(desk, life, wired, access, keys, Notifier::of_environment());
    // A task of its own: to be woken, the console's side of it wants the same waker each time.
    let device = tasks.spawn_local(device);
    let ended = tasks.block_on(&runtime, device);
    drop(tasks);
    // A name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    ended.unwrap_or_else(|died| resume_unwind(died.into_panic()))
}

/// The folder in which a device keeps what outlives it: the one that is named, by a flag or by the
/// environment, or this platform's.
pub fn state_folder(named: Option<&PathBuf>, environment: &Environment) -> Option<PathBuf> {
    named
        .cloned()
        .or_else(|| variable(environment, STATE_VARIABLE))
        .or_else(default_folder)
}

/// A device without a console is still one.
async fn open_door(wanted: Option<SocketAddr>, warnings: &mut Vec<String>) -> Option<Door> {
    match Door::open(wanted).await {
        Ok(door) => Some(door),
        Err(error) => {
            let address = wanted.unwrap_or(control::DEFAULT);
            warnings.push(format!(
                "there is no console on {address}: {error}; --console ADDRESS:PORT names another"
            ));
            None
        }
    }
}

/// `monster broker`, until somebody stops it.
pub fn broker(port: Option<u16>) -> Result<(), Failure> {
    let broker = match port {
        None => broker::start().map_err(no_broker)?,
        Some(port) => broker::start_on(port).map_err(|error| match error.kind() {
            io::ErrorKind::Unsupported => Failure::usage(error),
            _ => Failure::failed(format_args!(
                "no broker can be started on port {port}: {error}"
            )),
        })?,
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    runtime.block_on(async {
        let mut signals = Signals::listen();
        let _ = console::print(&format!("mqtt://{}\n", broker.address()));
        signals.next().await;
    });
    Ok(())
}

/// Why there is no broker of our own.
pub fn no_broker(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::Unsupported => Failure::usage(error),
        _ => Failure::failed(format_args!(
            "the broker for this computer cannot be started: {error}; name another: --broker URL"
        )),
    }
}
