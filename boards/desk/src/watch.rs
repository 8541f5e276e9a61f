//! `monster watch`: the devices on a broker, as they are now.
//!
//! [`network`] hears what devices say, [`devices`] keeps it, and a [`screen`] in a terminal, or
//! lines in a pipe, show it.

mod devices;
mod network;
mod screen;
mod table;

use std::io::{self, IsTerminal};
use std::time::{Duration, Instant};

use monster::identity::DeviceId;
use tokio::sync::mpsc;

use crate::Failure;
use crate::cli::WatchArgs;
use crate::config::Problem;
use crate::console;
use crate::send;
use crate::signals::Signals;
use crate::style::{FAINT, STRONG};
use crate::transport::Endpoint;

use devices::Devices;
use network::News;
use screen::{Action, Screen};

/// How much news may wait to be shown before the broker has to wait.
const NEWS: usize = 64;
/// The shortest time between two pictures of the same table.
const PICTURE: Duration = Duration::from_millis(50);
/// How often the table is drawn when nothing happens: it shows times.
const CLOCK: Duration = Duration::from_secs(1);

/// `monster watch`
pub fn watch(args: &WatchArgs) -> Result<(), Failure> {
    let ids = args.ids.iter().map(|id| {
        DeviceId::parse(id).map_err(|error| Failure::usage(format_args!("the id {id:?}: {error}")))
    });
    let ids: Vec<DeviceId> = ids.collect::<Result<_, _>>()?;
    let broker = send::broker(args.broker.sources())
        .map_err(|problems: Vec<Problem>| Failure::from(problems))?;
    let endpoint = Endpoint::new(&broker).map_err(Failure::failed)?;
    let url = broker.url.as_ref().map(ToString::to_string);
    let url = url.unwrap_or_default();
    let (told, news) = mpsc::channel(NEWS);
    let (toggles, orders) = mpsc::channel(NEWS);
    let network = network::run(&broker, endpoint, &ids, told, orders);

    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(Failure::failed)?;
    let devices = Devices::default();
    let result = if io::stdin().is_terminal() && io::stdout().is_terminal() {
        let screen = Screen::open(url).map_err(Failure::failed)?;
        runtime.block_on(async {
            tokio::select! {
                never = network => match never {},
                result = show_table(screen, devices, news, toggles) => result,
            }
        })
    } else {
        runtime.block_on(async {
            tokio::select! {
                never = network => match never {},
                () = show_lines(&url, devices, news) => Ok(()),
            }
        })
    };
    runtime.shutdown_background();
    result.map_err(Failure::failed)
}

/// The table, until somebody quits.
async fn show_table(
    mut screen: Screen,
    mut devices: Devices,
    mut news: mpsc::Receiver<News>,
    toggles: mpsc::Sender<DeviceId>,
) -> io::Result<()> {
    let mut signals = Signals::listen();
    loop {
        screen.draw(&devices, Instant::now())?;
        let drawn = tokio::time::Instant::now();
        let mut is_new = false;
        loop {
            let picture = drawn + if is_new { PICTURE } else { CLOCK };
            tokio::select! {
                Some(news) = news.recv() => {
                    match news {
                        News::Connected => screen.connected(),
                        News::Lost(why) => screen.lost(why),
                        News::Said { topic, payload, retained } => {
                            devices.take(&topic, &payload, retained, Instant::now());
                        }
                    }
                    is_new = true;
                }
                action = screen.action(&devices) => match action {
                    Action::Quit => return Ok(()),
                    Action::Draw => break,
                    // A person does not press keys faster than they are sent. What a broken
                    // connection keeps from being sent is not sent later: nobody wants it by then.
                    Action::Toggle(id) => drop(toggles.try_send(id)),
                },
                _ = signals.next() => return Ok(()),
                () = tokio::time::sleep_until(picture) => break,
            }
        }
    }
}

/// A line for every change, until somebody stops the program or stops reading.
async fn show_lines(url: &str, mut devices: Devices, mut news: mpsc::Receiver<News>) {
    let mut signals = Signals::listen();
    // Said once, however often the next attempt says it again.
    let mut trouble = None;
    loop {
        let news = tokio::select! {
            Some(news) = news.recv() => news,
            _ = signals.next() => return,
        };
        match news {
            News::Connected => trouble = None,
            News::Lost(why) => {
                if trouble.as_ref() != Some(&why) {
                    console::warning(format_args!("no connection to {url}: {why}"));
                }
                trouble = Some(why);
            }
            News::Said {
                topic,
                payload,
                retained,
            } => {
                if let Some((id, change)) = devices.take(&topic, &payload, retained, Instant::now())
                {
                    let line = format!("{FAINT}{id}{FAINT:#}  {STRONG}{change}{STRONG:#}\n");
                    if console::print(&line).is_err() {
                        return;
                    }
                }
            }
        }
    }
}
