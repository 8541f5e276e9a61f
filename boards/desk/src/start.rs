//! `monster run` up to its loop: who the device is, where its broker is, and what it runs with. And
//! `monster broker`, which is its broker alone.

use std::io;
use std::net::SocketAddr;
use std::panic::resume_unwind;
use std::path::Path;
use std::rc::Rc;

use monster::settings::BrokerUrl;
use monster::settings::value::LogLevel;

use tokio::task::LocalSet;

use crate::Failure;
use crate::banner::{self, Address, Banner};
use crate::broker;
use crate::cli::RunArgs;
use crate::config::{Config, STATE_VARIABLE, Sources, variable};
use crate::console::{self, Console};
use crate::control::{self, Door};
use crate::identity::{MACHINE_ID, own_id};
use crate::keys::Keys;
use crate::notify::Notifier;
use crate::pins::Pins;
use crate::run::Board;
use crate::send;
use crate::signals::Signals;
use crate::state::{StateFolder, default_folder};
use crate::store::Store;
use crate::transport::Endpoint;

/// `monster run`, until somebody stops it.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let environment = std::env::vars_os().collect();
    let state = args
        .state
        .clone()
        .or_else(|| variable(&environment, STATE_VARIABLE))
        .or_else(default_folder)
        .ok_or_else(|| {
            Failure::usage(
                "there is no folder to keep the device's state in: --state DIR names one",
            )
        })?;
    let config = Sources {
        file: args.config.clone(),
        environment,
        flags: args.flags().map_err(|problem| vec![problem])?,
        ..Sources::default()
    };
    let Config {
        mut settings,
        origins,
        wiring,
        mut warnings,
        ..
    } = config.load()?;

    let state = StateFolder::open(state).map_err(Failure::failed)?;
    let id = match &settings.id {
        Some(id) => id.clone(),
        None => own_id(state.path(), Path::new(MACHINE_ID), &mut warnings).map_err(|error| {
            Failure::failed(format_args!("there is no id: {error}; give one: --id ID"))
        })?,
    };
    let given = settings.clone();
    settings.id = Some(id.clone());
    settings.validate().map_err(Failure::usage)?;

    let own_broker = match settings.broker.url {
        Some(_) => None,
        None => Some(broker::start().map_err(no_broker)?),
    };
    if let Some(own) = &own_broker {
        let url = format!("mqtt://{}", own.address());
        settings.broker.url = BrokerUrl::parse(&url).ok();
    }
    let endpoint = Endpoint::new(&settings.broker).map_err(Failure::usage)?;

    let console = Console::new(settings.log.level);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let control = Rc::new(control::console(origins).map_err(Failure::failed)?);
    let password = control::password().map_err(Failure::failed)?;
    let door = (!args.no_console).then(|| runtime.block_on(open_door(args.console, &mut warnings)));
    let door = door.flatten();
    let pins = Pins::open(&wiring, settings.climate.kind).map_err(Failure::failed)?;
    let keys = Keys::listen();
    let link = door
        .as_ref()
        .map(|door| control::link(&control, door.address()));
    let is_made_up = !settings.console.password.is_set();
    let address = link.as_ref().map(|link| Address {
        link,
        // What stays good for long is for the eyes of who sits there, not for a log.
        password: (is_made_up && keys.is_some()).then_some(password.as_str()),
    });
    let banner = Banner {
        id: &id,
        settings: &settings,
        wiring: &wiring,
        own_broker: own_broker.is_some(),
        send_finds_broker: send::broker(Sources::default()).is_ok_and(|b| b == settings.broker),
        state: state.path(),
        console: address.as_ref(),
        program: &banner::program(),
        has_keys: keys.is_some(),
    };
    console.banner(&banner.to_string());
    for warning in warnings {
        console.log(LogLevel::Warn, warning);
    }
    let board = Board {
        settings,
        id,
        endpoint,
        store: Store::new(state.path()),
        console,
        control: control.clone(),
        door: door.as_ref().map(Door::address),
        given,
        password,
    };
    let tasks = LocalSet::new();
    if let Some(door) = door {
        tasks.spawn_local(door.serve(control));
    }
    // A task of its own: to be woken, the console's side of it wants the same waker each time.
    let device = tasks.spawn_local(board.run(pins, keys, Notifier::of_environment()));
    if let Err(died) = tasks.block_on(&runtime, device) {
        resume_unwind(died.into_panic());
    }
    drop(tasks);
    // A name that is still being looked up must not hold up the end.
    runtime.shutdown_background();
    Ok(())
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
pub fn broker() -> Result<(), Failure> {
    let broker = broker::start().map_err(no_broker)?;
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

fn no_broker(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::Unsupported => Failure::usage(error),
        _ => Failure::failed(format_args!(
            "the broker for this computer cannot be started: {error}; name another: --broker URL"
        )),
    }
}
