//! A phone near the virtual microcontroller: a network of its own in the kernel (a network namespace), and a tap
//! between that and the device's access point. Its programs are Debian's, and know nothing of the device.

use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::process::{need, within};
use crate::scratch::Folder;

/// How long joining may take: the access point opens meanwhile.
const JOINS_WITHIN: Duration = Duration::from_secs(20);

/// What the DHCP client does with what it is given: an address, and whom to ask for names.
const SCRIPT: &str = "#!/bin/sh
[ \"$1\" = bound ] || exit 0
ip addr flush dev $interface
ip addr add $ip/$mask dev $interface
ip route add default via $router
echo nameserver $dns > /etc/resolv.conf
";

/// A phone. It is gone when this value is dropped.
pub struct Phone {
    name: String,
    folder: Folder,
}

impl Phone {
    /// A phone, with a tap for a device that has no power yet.
    pub fn new() -> Self {
        static PHONES: AtomicU32 = AtomicU32::new(0);
        let number = PHONES.fetch_add(1, Ordering::Relaxed);
        let name = format!("mp{}-{number}", std::process::id());
        let phone = Phone {
            name,
            folder: Folder::new(),
        };
        let (name, settings) = (&phone.name, phone.settings());
        fs::create_dir_all(&settings)
            .and_then(|()| fs::write(settings.join("resolv.conf"), ""))
            .unwrap_or_else(|error| panic!("{}: {error}; {ROOT}", settings.display()));
        ip(&["netns", "add", name]);
        ip(&["tuntap", "add", "mode", "tap", "name", name]);
        phone
    }

    /// The tap that the device's access point is to be plugged into.
    pub fn tap(&self) -> &str {
        &self.name
    }

    /// Comes near, once the device has power. Its QEMU has the tap in hand: from here on the phone has the other end.
    pub fn come_near(&self) {
        let name = &self.name;
        let deadline = Instant::now() + JOINS_WITHIN;
        // A tap has a carrier once somebody has it in hand.
        while !ip(&["link", "show", "up", "dev", name]).contains("LOWER_UP") {
            ip(&["link", "set", name, "up"]);
            assert!(
                Instant::now() < deadline,
                "QEMU does not take the tap {name}"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        ip(&["link", "set", name, "netns", name]);
        self.succeed("ip", &["link", "set", "lo", "up"]);
    }

    /// Joins the access point: asks for an address until it gets one.
    pub fn join(&self) -> Ipv4Addr {
        let script = self.folder.path().join("udhcpc");
        fs::write(&script, SCRIPT).expect("a folder of our own");
        self.succeed("ip", &["link", "set", &self.name, "up"]);
        let script = script.display().to_string();
        let (tries, name) = (JOINS_WITHIN.as_secs().to_string(), &*self.name);
        let words = [
            "udhcpc", "-i", name, "-f", "-q", "-n", "-t", &tries, "-T", "1",
        ];
        self.succeed("chmod", &["+x", &script]);
        self.succeed("busybox", &[&words[..], &["-s", &script]].concat());
        let shown = self.succeed("ip", &["-4", "-o", "addr", "show", "dev", name]);
        let address = shown.split_whitespace().find_map(|word| {
            let (address, _) = word.split_once('/')?;
            address.parse().ok()
        });
        address.unwrap_or_else(|| panic!("there is no address: {shown}"))
    }

    /// Is out of the access point's reach.
    pub fn lose(&self) {
        self.succeed("ip", &["link", "set", &self.name, "down"]);
    }

    /// A program on the phone.
    pub fn command(&self, program: &str) -> Command {
        let mut outer = Command::new(need("ip"));
        outer.args(["netns", "exec", &self.name]);
        within(outer, &Command::new(need(program)))
    }

    /// Asks by HTTP; returns the status, where it is told to go, and the body.
    pub fn http(&self, words: &[&str]) -> (u16, String, String) {
        let form = "\n%{http_code} %{redirect_url}";
        let all = [&["-s", "-S", "-m", "15", "-w", form], words].concat();
        let answer = self.succeed("curl", &all);
        let (body, rest) = answer.rsplit_once('\n').unwrap_or(("", &answer));
        let (status, to) = rest.split_once(' ').unwrap_or((rest, ""));
        (
            status.parse().unwrap_or(0),
            to.trim().to_owned(),
            body.to_owned(),
        )
    }

    fn succeed(&self, program: &str, words: &[&str]) -> String {
        done(self.command(program).args(words))
    }

    /// Where the kernel's tools keep what this network alone has of the system's settings.
    fn settings(&self) -> PathBuf {
        PathBuf::from("/etc/netns").join(&self.name)
    }
}

impl Default for Phone {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Phone {
    fn drop(&mut self) {
        // The tap is in one of the two places, and goes with the network.
        for words in [
            &["link", "delete", &self.name][..],
            &["netns", "delete", &self.name],
        ] {
            let _ = Command::new("ip").args(words).output();
        }
        let _ = fs::remove_dir_all(self.settings());
    }
}

/// Why it may be refused.
const ROOT: &str = "a phone needs root and /dev/net/tun";

fn ip(words: &[&str]) -> String {
    done(Command::new(need("ip")).args(words))
}

fn done(command: &mut Command) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = command
        .output()
        .unwrap_or_else(|error| panic!("could not start {command:?}: {error}"));
    let said = String::from_utf8_lossy(&stderr);
    assert!(status.success(), "{command:?}: {status}: {said} ({ROOT})");
    String::from_utf8_lossy(&stdout).into_owned()
}
