//! Debian's RabbitMQ, with its plugin for MQTT.

use std::fs;
use std::path::Path;
use std::process::Command;

use monster_scenarios::process::need;
use monster_scenarios::scratch::free_port;
use umqtt::{Qos, Version};

use super::{Broker, PASSWORD, Server, USER, printed};

pub struct RabbitMq;

impl Broker for RabbitMq {
    fn name(&self) -> &'static str {
        "RabbitMQ"
    }

    fn versions(&self) -> &'static [Version] {
        &[Version::V3_1_1]
    }

    fn setup(&self) -> &'static str {
        "Debian's, with `rabbitmq_mqtt`; it takes seconds to start, so it restarts once in a handshake, not at each step"
    }

    fn highest_qos(&self) -> Qos {
        Qos::AtLeastOnce
    }

    fn is_slow(&self) -> bool {
        true
    }

    fn start(&self) -> Server {
        let query = ["-W", "-f", "${Version}", "rabbitmq-server"];
        let line = printed(Command::new(need("dpkg-query")).args(query));
        let release = line.split('-').next().unwrap_or("?").to_owned();
        let (mapper, distribution) = (free_port(), free_port());
        // Erlang's port mapper, on a port of its own: else one would be started that outlives everything.
        let mut companion = Command::new(need("epmd"));
        companion.args(["-address", "127.0.0.1", "-port", &mapper.to_string()]);
        let command = move |folder: &Path, port| command(folder, port, mapper, distribution);
        Server::start(release, Version::V3_1_1, command, Some(companion))
    }
}

fn command(folder: &Path, port: u16, mapper: u16, distribution: u16) -> Command {
    let settings = format!(
        "listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:{port}\nmqtt.allow_anonymous = true\n\
         default_user = {USER}\ndefault_pass = {PASSWORD}\nloopback_users = none\n\
         mqtt.default_user = {USER}\nmqtt.default_pass = {PASSWORD}\nlog.console = false\n"
    );
    let write = |name: &str, text: &str| {
        let path = folder.join(name);
        fs::write(&path, text).expect("the folder is writable");
        path
    };
    let settings = write("rabbitmq.conf", &settings);
    let plugins = write("enabled_plugins", "[rabbitmq_mqtt].");
    // Not the one in /usr/sbin, which becomes another user first.
    let mut command = Command::new("/usr/lib/rabbitmq/bin/rabbitmq-server");
    command
        .env("HOME", folder)
        .env("ERL_EPMD_ADDRESS", "127.0.0.1")
        .env("ERL_EPMD_PORT", mapper.to_string())
        .env("RABBITMQ_DIST_PORT", distribution.to_string())
        .env("RABBITMQ_NODENAME", format!("monster{port}@localhost"))
        .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
        .env("RABBITMQ_LOG_BASE", folder.join("log"))
        .env("RABBITMQ_CONFIG_FILE", settings)
        .env("RABBITMQ_ENABLED_PLUGINS_FILE", plugins)
        .env("RABBITMQ_CONF_ENV_FILE", "/dev/null")
        .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-start_epmd false")
        // So the process is the server, and no shell that waits for it.
        .env("RUNNING_UNDER_SYSTEMD", "true");
    command
}
