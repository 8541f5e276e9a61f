//! The lines of Linux's GPIO chips. This is the shell that only a machine with such chips can try,
//! so it decides nothing.

use std::future::pending;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;

use gpiocdev::line::{Bias, EdgeDetection, EdgeKind, Value};
use gpiocdev::{Chip, Request};
use tokio::sync::mpsc::{Receiver, channel};

use super::wiring::Line;

/// What `gpioinfo` shows as the user of a line.
const CONSUMER: &str = "monster";
/// How many edges may wait for the device. While there are more, Linux keeps the newest.
const WAITING_EDGES: usize = 16;

/// A line that is set. It is left as it is until then, and set and made an output in one step: there
/// is no flick.
pub struct Output {
    line: Line,
    request: Option<Request>,
}

impl Output {
    /// Looks for the line.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn find(line: &Line) -> Result<Self, String> {
        find(line)?;
        Ok(Output {
            line: line.clone(),
            request: None,
        })
    }

    /// Sets the line.
    ///
    /// # Errors
    /// What the system says.
    pub fn set(&mut self, high: bool) -> Result<(), String> {
        let value = Value::from(high);
        let done = match &self.request {
            Some(request) => request.set_lone_value(value),
            None => Request::builder()
                .on_chip(path(&self.line))
                .with_consumer(CONSUMER)
                .with_line(self.line.offset)
                .as_output(value)
                .request()
                .map(|request| self.request = Some(request)),
        };
        done.map_err(|error| error.to_string())
    }
}

/// A line that is read: pulled up, and active when it is low.
pub struct Input {
    request: Arc<Request>,
    edges: Receiver<Result<bool, String>>,
}

impl Input {
    /// Takes the line.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub fn take(line: &Line) -> Result<Self, String> {
        find(line)?;
        let request = Request::builder()
            .on_chip(path(line))
            .with_consumer(CONSUMER)
            .with_line(line.offset)
            .as_input()
            .as_active_low()
            .with_bias(Bias::PullUp)
            .with_edge_detection(EdgeDetection::BothEdges)
            .request()
            .map_err(|error| error.to_string())?;
        let request = Arc::new(request);
        let (sender, edges) = channel(WAITING_EDGES);
        // A read waits for an edge, but not together with other things. The thread ends with the
        // process.
        let read = Arc::clone(&request);
        thread::spawn(move || {
            loop {
                let edge = read.read_edge_event().map(|e| e.kind == EdgeKind::Rising);
                let edge = edge.map_err(|error| error.to_string());
                let is_last = edge.is_err();
                if sender.blocking_send(edge).is_err() || is_last {
                    return;
                }
            }
        });
        Ok(Input { request, edges })
    }

    /// Whether it is active, after all edges so far, which are forgotten.
    pub fn is_active(&mut self) -> bool {
        while self.edges.try_recv().is_ok() {}
        self.request.lone_value() == Ok(Value::Active)
    }

    /// Waits for the next edge; returns whether the line is active.
    ///
    /// Cancelling it loses no edge.
    ///
    /// # Errors
    /// What the system says; no edges come after that.
    pub async fn edge(&mut self) -> Result<bool, String> {
        match self.edges.recv().await {
            Some(edge) => edge,
            None => pending().await,
        }
    }
}

fn find(line: &Line) -> Result<(), String> {
    let path = path(line);
    if !path.exists() {
        return Err(format!("there is no {}", path.display()));
    }
    let look = || {
        let chip = Chip::from_path(&path)?;
        let lines = chip.info()?.num_lines;
        if line.offset >= lines {
            return Ok(Err(format!(
                "{} has {lines} lines, the first is 0",
                line.chip
            )));
        }
        let info = chip.line_info(line.offset)?;
        Ok(match info.used {
            true => Err(format!("it is in use, by {:?}", info.consumer)),
            false => Ok(()),
        })
    };
    look().unwrap_or_else(|error: gpiocdev::Error| Err(error.to_string()))
}

fn path(line: &Line) -> PathBuf {
    PathBuf::from("/dev").join(&line.chip)
}
