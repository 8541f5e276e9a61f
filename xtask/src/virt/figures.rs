//! What the board in QEMU takes: bytes of flash and RAM, time to start, CPU when idle.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid};
use nix::unistd::Pid;

use super::{RAM_KIB, firmware, image};
use crate::command::{Failed, cargo, root};
use crate::packages;

/// The flags for cargo of each firmware that is measured.
pub const WAYS: [&str; 4] = [WITHOUT_TLS, WITHOUT_CONSOLE, WITHOUT_ACCESS_POINT, WHOLE];
const WITHOUT_TLS: &str = " --no-default-features --features access-point";
const WITHOUT_CONSOLE: &str = " --no-default-features --features tls";
const WITHOUT_ACCESS_POINT: &str = " --no-default-features --features tls,console";
const WHOLE: &str = "";
/// How large the firmware may be, in bytes: what the machine's linker script gives it.
const IMAGE: usize = 4 << 20;
/// How much RAM the console may add, in bytes.
const CONSOLE_RAM: usize = 48 * 1024;
/// Who may take how long, from the start of QEMU, in milliseconds.
const CONNECTED_MS: u128 = 500;
const HEARTBEAT_MS: u128 = 600;
/// How much of a core an idle device may take, in percent.
const IDLE_PERCENT: f64 = 0.1;
/// How long it is watched while idle.
const IDLE: Duration = Duration::from_secs(60);
/// How long after its start it counts as idle: then the sensor has been asked, and all is said.
const SETTLING: Duration = Duration::from_secs(5);
/// How often a start is measured; the quickest counts, since the others were held up.
const STARTS: usize = 5;
const ID: &str = "figures";
const PASSWORD: &str = "figures-console";
/// How long anything may take before it is given up.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures the firmware: whole, without TLS, without the access point, and without the console too.
pub fn print() -> Result<(), Failed> {
    packages::install()?;
    let broker = Broker::start()?;
    let state = root().join("target/virt-figures");
    super::build_with(WITHOUT_TLS)?;
    let without_tls = Size::measure(&state, &broker, true)?;
    super::build_with(WITHOUT_CONSOLE)?;
    let without_console = Size::measure(&state, &broker, false)?;
    super::build_with(WITHOUT_ACCESS_POINT)?;
    let with_console = Size::measure(&state, &broker, true)?;
    let console = with_console.ram().saturating_sub(without_console.ram());
    super::build_with(WHOLE)?;
    let whole = Size::measure(&state, &broker, true)?;
    let access_point = whole.ram().saturating_sub(with_console.ram());

    let _ = fs::remove_dir_all(&state);
    let mut starts = Vec::new();
    for _ in 0..STARTS {
        // As nobody changed it: it asks for the time, too.
        let (machine, connected, heartbeat) = Machine::start(&state, &broker, &[])?;
        starts.push((connected, heartbeat));
        drop(machine);
    }
    let connected = starts
        .iter()
        .map(|(time, _)| *time)
        .min()
        .unwrap_or(PATIENCE);
    let heartbeat = starts
        .iter()
        .map(|(_, time)| *time)
        .min()
        .unwrap_or(PATIENCE);

    let idle = idle(&state, &broker)?;

    let ram = usize::try_from(RAM_KIB).unwrap_or(0) * 1024;
    println!(
        "| the board in QEMU | whole | without TLS | without access point and console | allowed |"
    );
    println!("|---|--:|--:|--:|--:|");
    for (what, figure, allowed) in [
        (
            "image in flash",
            (|size| size.image) as fn(&Size) -> _,
            Some(IMAGE),
        ),
        ("RAM: statics", |size| size.statics, None),
        (
            "RAM: deepest stack, TLS not in use",
            |size| size.stack,
            None,
        ),
        ("RAM in all", Size::ram, Some(ram)),
    ] {
        let allowed = allowed.map_or_else(String::new, |bytes| bytes.to_string());
        let [whole, without_tls, without_console] =
            [&whole, &without_tls, &without_console].map(figure);
        println!(
            "| {what} | {whole} bytes | {without_tls} bytes | {without_console} bytes | {allowed} |"
        );
    }
    println!("| RAM that the console adds | {console} bytes | | | {CONSOLE_RAM} |");
    println!("| RAM that the access point adds | {access_point} bytes | | | |");
    println!(
        "| start of QEMU to connected and subscribed | {} ms | | | {CONNECTED_MS} |",
        connected.as_millis()
    );
    println!(
        "| start of QEMU to the first heartbeat | {} ms | | | {HEARTBEAT_MS} |",
        heartbeat.as_millis()
    );
    println!("| idle, of a core, over a minute | {idle:.4} % | | | {IDLE_PERCENT} |\n");
    let good = [&whole, &without_tls, &without_console]
        .iter()
        .all(|size| size.image <= IMAGE && size.ram() <= ram)
        && console <= CONSOLE_RAM
        && connected.as_millis() <= CONNECTED_MS
        && heartbeat.as_millis() <= HEARTBEAT_MS
        && idle <= IDLE_PERCENT;
    if !good {
        return Err(Failed::Advice("a figure is above what is allowed".into()));
    }
    cargo("run --quiet --package monster-scenarios --bin tls").run()
}

/// How much of a core the device takes while nobody wants anything of it, in percent: whatever QEMU
/// takes is its.
fn idle(state: &Path, broker: &Broker) -> Result<f64, Failed> {
    // At the level `debug` each message it sends is a line more; and the time is asked for once a day, where
    // there is somebody to ask.
    let settings = [("log.level", "info"), ("time.server", "")];
    let mut machine = Machine::power_on(state, broker, &settings)?;
    machine.hear("connected to")?;
    thread::sleep(SETTLING);
    let (before, start) = (machine.cpu()?, Instant::now());
    thread::sleep(IDLE);
    let (after, watched) = (machine.cpu()?, start.elapsed());
    Ok((after - before).as_secs_f64() / watched.as_secs_f64() * 100.0)
}

/// What a firmware takes, in bytes.
struct Size {
    image: usize,
    statics: usize,
    stack: usize,
}

impl Size {
    /// That of the firmware that was built last, with a console or without.
    fn measure(state: &Path, broker: &Broker, has_console: bool) -> Result<Self, Failed> {
        let elf = fs::read(firmware()).map_err(said)?;
        let _ = fs::remove_dir_all(state);
        // Whether there is somebody to ask for the time is another thing on each computer.
        let (machine, ..) = Machine::start(state, broker, &[("time.server", "")])?;
        if has_console {
            machine.exercise_console()?;
        }
        broker.exercise()?;
        let [statics, stack] = machine.memory(state)?;
        Ok(Size {
            image: image::loaded(&elf).map_or(0, |bytes| bytes.len()),
            statics,
            stack,
        })
    }

    fn ram(&self) -> usize {
        self.statics + self.stack
    }
}

/// A mosquitto of our own.
struct Broker {
    port: u16,
    _process: Guard,
}

impl Broker {
    fn start() -> Result<Self, Failed> {
        let port = free_port()?;
        // Debian keeps servers where not everybody looks.
        let path = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("mosquitto");
        command.env("PATH", format!("{path}:/usr/sbin"));
        command
            .args(["-p", &port.to_string()])
            .stderr(Stdio::null());
        let process = Guard::spawn(command)?;
        let deadline = Instant::now() + PATIENCE;
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
            if Instant::now() > deadline {
                return Err(Failed::Advice("mosquitto does not start".into()));
            }
            thread::sleep(Duration::from_millis(10));
        }
        Ok(Broker {
            port,
            _process: process,
        })
    }

    /// Makes the device do what takes the most stack: all kinds of commands, and long payloads.
    fn exercise(&self) -> Result<(), Failed> {
        let long = "x".repeat(8 * 1024);
        let topic = |rest: &str| format!("monster/{ID}{rest}");
        let with_id = r#"{"command":"toggle","id":"0123456789abcdef0123456789abcdef0123"}"#;
        for (topic, payload) in [
            (ID.to_owned(), "toggle"),
            (ID.to_owned(), "getTH"),
            (ID.to_owned(), &long),
            (topic("/switch/0/set"), with_id),
            (topic("/switch/0/set"), "pulse 50"),
            (topic("/switch/0/set"), &long),
            (topic("/th/get"), ""),
            (topic("/sys/set"), "identify"),
        ] {
            let status = Command::new("mosquitto_pub")
                .args(["-p", &self.port.to_string(), "-q", "1"])
                .args(["-t", &topic, "-m", payload])
                .status()
                .map_err(said)?;
            if !status.success() {
                return Err(Failed::Exit("mosquitto_pub".into(), status));
            }
        }
        thread::sleep(Duration::from_secs(3));
        Ok(())
    }
}

/// A QEMU of our own.
struct Machine {
    process: Guard,
    /// What it says.
    output: BufReader<ChildStdout>,
    started: Instant,
    /// The port of its console on this computer.
    console: u16,
}

impl Machine {
    /// Starts one, and waits for its first heartbeat: when it was connected, and when that came.
    fn start(
        state: &Path,
        broker: &Broker,
        settings: &[(&str, &str)],
    ) -> Result<(Self, Duration, Duration), Failed> {
        let settings: Vec<_> = [("log.level", "debug")]
            .iter()
            .chain(settings)
            .copied()
            .collect();
        let mut machine = Machine::power_on(state, broker, &settings)?;
        let connected = machine.hear("connected to")?;
        let heartbeat = machine.hear("t=0")?;
        Ok((machine, connected, heartbeat))
    }

    /// Starts one with these settings, beside those that it needs.
    fn power_on(state: &Path, broker: &Broker, settings: &[(&str, &str)]) -> Result<Self, Failed> {
        let needed = [
            (
                "broker.url",
                format!("mqtt://{}:{}", super::HOST, broker.port),
            ),
            ("id", ID.to_owned()),
            ("wifi.ssid", super::NETWORK.to_owned()),
            ("console.password", PASSWORD.to_owned()),
        ];
        let more = settings.iter().map(|&(key, value)| (key, value.to_owned()));
        let settings: Vec<_> = needed
            .into_iter()
            .chain(more)
            .map(|(key, value)| (key.to_owned(), value))
            .collect();
        let console = free_port()?;
        let mut qemu = super::Machine::new(state.to_owned());
        qemu.console = Some(console);
        let mut command = qemu.prepared(&settings)?;
        command.stdout(Stdio::piped());
        let started = Instant::now();
        let mut process = Guard::spawn(command)?;
        let output = process.0.stdout.take();
        let output = output.ok_or_else(|| Failed::Advice("QEMU says nothing".into()))?;
        Ok(Machine {
            process,
            output: BufReader::new(output),
            started,
            console,
        })
    }

    /// Waits until it says this; returns how long after its start that was.
    fn hear(&mut self, text: &str) -> Result<Duration, Failed> {
        let mut seen = String::new();
        loop {
            let mut line = String::new();
            let length = self.output.read_line(&mut line).map_err(said)?;
            let passed = self.started.elapsed();
            if line.contains(text) {
                return Ok(passed);
            }
            seen += &line;
            if length == 0 || passed > PATIENCE {
                return Err(Failed::Advice(format!("it does not say {text}:\n{seen}")));
            }
        }
    }

    /// Makes the console do what takes the most stack.
    fn exercise_console(&self) -> Result<(), Failed> {
        let password = format!(r#"{{"password":"{PASSWORD}"}}"#);
        let head = self.ask("POST /api/login", "", &password, 204)?;
        let cookie = head.split_once("Set-Cookie: ").map(|(_, rest)| rest);
        let cookie = cookie.and_then(|rest| rest.split(';').next());
        let cookie = format!("Cookie: {}\r\n", cookie.unwrap_or_default());
        for (request, body, status) in [
            ("GET /", "", 200),
            ("GET /api/status", "", 200),
            ("GET /api/settings", "", 200),
            ("GET /api/history", "", 200),
            ("POST /api/command", r#"{"command":"toggle"}"#, 200),
            ("PUT /api/settings", r#"{"mqtt.keep_alive":"x"}"#, 400),
        ] {
            self.ask(request, &cookie, body, status)?;
        }
        Ok(())
    }

    /// Asks its console, and returns what comes back.
    fn ask(&self, request: &str, headers: &str, body: &str, status: u16) -> Result<String, Failed> {
        let mut socket = TcpStream::connect((Ipv4Addr::LOCALHOST, self.console)).map_err(said)?;
        socket.set_read_timeout(Some(PATIENCE)).map_err(said)?;
        let length = body.len();
        let head = format!(
            "{request} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {length}\r\n{headers}\r\n"
        );
        write!(socket, "{head}{body}").map_err(said)?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).map_err(said)?;
        let answer = String::from_utf8_lossy(&answer).into_owned();
        if !answer.starts_with(&format!("HTTP/1.1 {status} ")) {
            let said = format!("{request}: not {status}, but {answer}");
            return Err(Failed::Advice(said));
        }
        Ok(answer)
    }

    /// The bytes of RAM in statics, and of the deepest stack.
    fn memory(&self, state: &Path) -> Result<[usize; 2], Failed> {
        let mut bench = UnixStream::connect(state.join("bench.sock")).map_err(said)?;
        bench.set_read_timeout(Some(PATIENCE)).map_err(said)?;
        bench.write_all(b"memory\n").map_err(said)?;
        for line in BufReader::new(bench).lines() {
            let line = line.map_err(said)?;
            let words: Vec<&str> = line.split(' ').collect();
            if let ["memory", "statics", statics, "stack", stack, ..] = words[..]
                && let (Ok(statics), Ok(stack)) = (statics.parse(), stack.parse())
            {
                return Ok([statics, stack]);
            }
        }
        Err(Failed::Advice("the bench does not answer".into()))
    }

    /// The CPU it has taken, in all its threads, those that have ended too: by the kernel's own clock,
    /// to the nanosecond.
    fn cpu(&self) -> Result<Duration, Failed> {
        let id = Pid::from_raw(self.process.0.id().try_into().unwrap_or_default());
        let clock = clock_getcpuclockid(id).and_then(ClockId::now);
        Ok(clock.map_err(|error| said(error.into()))?.into())
    }
}

fn free_port() -> Result<u16, Failed> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0));
    let address = listener.and_then(|listener| listener.local_addr());
    Ok(address.map_err(said)?.port())
}

/// A process that ends with this value.
struct Guard(Child);

impl Guard {
    fn spawn(mut command: Command) -> Result<Self, Failed> {
        let name = command.get_program().to_string_lossy().into_owned();
        let child = command.stdin(Stdio::null()).spawn();
        child.map(Guard).map_err(|error| Failed::Start(name, error))
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn said(error: std::io::Error) -> Failed {
    Failed::Advice(error.to_string())
}
