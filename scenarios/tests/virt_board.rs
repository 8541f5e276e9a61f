//! What only the virtual microcontroller has: its stack's end, its bench, its command, its UART.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use monster_scenarios::device::Device;
use monster_scenarios::process::{Process, Signal};
use monster_scenarios::publisher::Publish;
use monster_scenarios::virt::{Virt, VirtDevice, xtask};
use monster_scenarios::world::{SOON, World, diagnostics, observe, status, tree};

#[test]
fn a_stack_that_grows_too_far_is_said_and_restarts_the_machine() {
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = VirtDevice::new(world.options(&broker.url()));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    assert_eq!(diagnostics(&mut observer)["reset"], "power-on");
    device.bench().say("overflow");
    let after = diagnostics(&mut observer);
    assert_eq!(
        (&after["reset"], &after["boots"]),
        (&"unknown".into(), &2.into())
    );
    assert!(
        device
            .log()
            .iter()
            .any(|line| line.contains("the stack is too small")),
        "the log does not say why"
    );
}

#[test]
fn the_bench_has_the_switch_the_button_and_the_sensor() {
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = VirtDevice::new(world.options(&broker.url()));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    let mut bench = device.bench();
    bench.say("pins");
    assert_eq!(bench.hear("switch"), "switch 1");
    bench.say("button 1");
    std::thread::sleep(Duration::from_millis(100));
    bench.say("button 0");
    assert_eq!(bench.hear("switch"), "switch 0");
    bench.say("pulses 80 80 50");
    bench.say("pulses 70000");
    assert!(bench.hear("?").contains("65535"));
    observer.expect(&tree("/th"), SOON, "a fault", |message| {
        message.json()["error"].is_string()
    });
}

#[test]
fn a_held_button_opens_the_access_point_then_forgets_everything_as_the_led_tells_and_not_the_switch()
 {
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = VirtDevice::new(world.options(&broker.url()));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    let mut bench = device.bench();
    bench.say("pins");
    bench.hear("switch");
    let begun = Instant::now();
    bench.say("button 1");
    let before = bench.hear_within(Duration::from_secs(8), "ap 1");
    assert!(begun.elapsed() > Duration::from_secs(4));
    let after = bench.hear_within(Duration::from_secs(8), "started");
    assert!(begun.elapsed() > Duration::from_secs(9));
    let count = |heard: &[String], word: &str| {
        let those = heard.iter().filter(|line| line.starts_with(word));
        those.count()
    };
    // Four changes a second, from the first second of the hold on; then sixteen, of which a busy computer may
    // miss some.
    let (slow, fast) = (count(&before, "led"), count(&after, "led"));
    assert!((12..=22).contains(&slow), "{before:?}");
    assert!((45..=90).contains(&fast), "{after:?}");
    assert_eq!(count(&before, "switch") + count(&after, "switch"), 0);
    // Nothing of it is left on the broker, nor in the flash: it does not come back.
    observer.expect(&tree("/switch/0"), SOON, "clearing", |message| {
        message.retained && message.payload.is_empty()
    });
    bench.hear_within(SOON, "ap 1");
}

#[test]
fn who_asks_which_one_it_is_is_shown_by_the_led() {
    let world = World::new(&Virt);
    let broker = world.broker();
    let mut observer = observe(&broker);
    let mut device = VirtDevice::new(world.options(&broker.url()));
    device.power_on();
    observer.expect_text(&status(), SOON, "online");
    let mut bench = device.bench();
    bench.say("pins");
    bench.hear("switch");
    Publish::new(tree("/sys/set"), "identify")
        .qos(1)
        .to(&broker);
    bench.hear("identify");
    // Eight changes a second; a busy computer may miss some.
    let begun = Instant::now();
    for _ in 0..28 {
        bench.hear("led");
    }
    let took = begun.elapsed();
    assert!((3..5).contains(&took.as_secs()), "{took:?}");
}

#[test]
fn with_a_broker_of_its_own_it_needs_nothing_else_and_ends_by_itself() {
    let world = World::new(&Virt);
    let mut command = Command::new(xtask());
    command
        .args(["virt", "--no-build", "--broker", "embedded"])
        .args(["--id", World::ID, "--for", "4"])
        .arg("--state")
        .arg(world.options("").state);
    let mut process = Process::spawn("xtask virt", command);
    let ended = process.wait(SOON).expect("it ends by itself");
    let log = process.log();
    assert!(ended.success(), "{ended}");
    let says = |text: &str| log.iter().any(|line| line.contains(text));
    assert!(
        says("send --broker mqtt://127.0.0.1:") && says("bench.sock"),
        "{log:?}"
    );
    assert!(says("connected to mqtt://10.0.2.2:"), "{log:?}");
}

#[test]
fn lines_typed_at_its_uart_are_obeyed_and_answered() {
    let world = World::new(&Virt);
    let mut device = Command::new(xtask())
        .args(["virt", "--no-build", "--no-console", "--for", "5"])
        .arg("--state")
        .arg(world.options("").state)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("xtask starts");
    let mut keys = device.stdin.take().expect("it is a pipe");
    let said = device.stdout.take().expect("it is a pipe");
    let mut lines = BufReader::new(said).lines().map_while(Result::ok);
    let mut hears = |text: &str| lines.any(|line| line.contains(text));
    assert!(hears("(power-on)"), "it did not start");
    for (typed, echo, answer) in [
        ("toggle", "toggle", "switch o"),
        // A key that was wrong is taken back.
        ("togglex\x7f", "toggle", "switch o"),
        ("help", "help", "factory-reset"),
    ] {
        write!(keys, "{typed}\r").expect("it takes keys");
        assert!(hears(echo) && hears(answer), "`{typed}` is not answered");
    }
    assert!(device.wait().expect("it ends by itself").success());
}

#[test]
fn its_machine_ends_with_the_command_however_that_ends() {
    let world = World::new(&Virt);
    let mut command = Command::new(xtask());
    command
        .args(["virt", "--no-build", "--no-console", "--for", "60"])
        .arg("--state")
        .arg(world.options("").state);
    let mut process = Process::spawn("xtask virt", command);
    let children = format!("/proc/{0}/task/{0}/children", process.id());
    let machine = until(|| {
        let child = std::fs::read_to_string(&children).ok()?;
        let folder = Path::new("/proc").join(child.trim());
        // It is the machine once its program is QEMU's.
        let program = std::fs::read_to_string(folder.join("comm")).ok()?;
        program.starts_with("qemu").then_some(folder)
    });
    process.kill();
    until(|| (!machine.exists()).then_some(()));
}

#[test]
fn control_c_ends_it_at_once() {
    let world = World::new(&Virt);
    let mut command = Command::new(xtask());
    command
        .args(["virt", "--no-build", "--no-console", "--state"])
        .arg(world.options("").state);
    let mut process = Process::spawn("xtask virt", command);
    until(|| {
        let log = process.log();
        log.iter()
            .any(|line| line.contains("(power-on)"))
            .then_some(())
    });
    process.signal(Signal::INT);
    assert!(process.wait(Duration::from_secs(1)).is_some());
}

/// Waits until there is something.
fn until<T>(mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + SOON;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {SOON:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
