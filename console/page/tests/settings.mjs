// The settings a device lists: key, meaning, kind, allowed, default, least, most.
const TABLE = [
  ["version", "The format of the settings.", "text", "1", "1", null, null],
  ["id", "The device's id, from which its topics and names are made.", "text", "1 to 23 of 0-9a-z, and not group; empty: the board's own", "", null, null],
  ["groups", "The groups whose commands the device obeys too.", "text", "up to 4 names, with commas between them, each of 1 to 32 bytes without / + and #; empty: none", "", null, null],
  ["on_failure", "What to do when the broker is away: try again, or restart the machine.", "choice", "retry | restart", "retry", null, null],
  ["broker.url", "The broker's address; user and password may stand in it.", "text", "mqtt://[user[:password]@]host[:port], or mqtts://… for TLS; empty: none is set", "", null, null],
  ["broker.user", "The user name; it wins over the one in broker.url.", "text", "0 to 128 bytes without control characters", "", null, null],
  ["broker.password", "The password; it wins over the one in broker.url.", "secret", "up to 256 bytes; empty: none", "", null, null],
  ["broker.ca", "The file of the CA that vouches for an mqtts:// broker; empty: the system's CAs.", "text", "0 to 200 bytes without control characters", "", null, null],
  ["broker.cert", "The file of the device's own certificate, for an mqtts:// broker that asks for one.", "text", "0 to 200 bytes without control characters", "", null, null],
  ["broker.key", "The file of the private key to broker.cert.", "text", "0 to 200 bytes without control characters", "", null, null],
  ["mqtt.client_id", "The MQTT client id.", "text", "1 to 128 bytes, in which %id% is the id, %% is %", "%id%", null, null],
  ["mqtt.version", "The version of MQTT.", "choice", "3.1.1 | 5", "3.1.1", null, null],
  ["mqtt.keep_alive", "The longest silence on the link.", "number", "5 to 65535 seconds; 0: off, and a dead link goes unnoticed", "60", 5, 65535],
  ["mqtt.session", "Whether the broker keeps messages while the device is away.", "choice", "clean | kept", "clean", null, null],
  ["classic.enabled", "Whether the classic pair is spoken.", "bool", "true | false", "true", null, null],
  ["classic.in", "The topic commands arrive on.", "text", "a topic of 1 to 128 bytes without wildcards, in which %id% is the id, %% is %", "%id%", null, null],
  ["classic.out", "The topic answers and heartbeats leave on.", "text", "a topic of 1 to 128 bytes without wildcards, in which %id% is the id, %% is %", "%id%After", null, null],
  ["classic.on", "What is said when the switch is on.", "text", "1 to 64 bytes without control characters", "on-1", null, null],
  ["classic.off", "What is said when the switch is off.", "text", "1 to 64 bytes without control characters", "on-0", null, null],
  ["classic.th", "What is said of temperature and humidity.", "text", "1 to 128 bytes, in which %t is the temperature, %h the humidity, %% is %", "th=%t,%h", null, null],
  ["classic.heartbeat", "What the heartbeat says.", "text", "1 to 128 bytes, in which %n is the number, %% is %", "t=%n", null, null],
  ["classic.retained", "What to do with a command that the broker had retained.", "choice", "ignore | obey", "ignore", null, null],
  ["structured.enabled", "Whether the structured tree is spoken, and with it the will, diagnostics and groups.", "bool", "true | false", "true", null, null],
  ["heartbeat.seconds", "The time between heartbeats.", "number", "1 to 3600 seconds", "5", 1, 3600],
  ["switch.gpio", "The switch's pin.", "text", "sim; gpiochipN:LINE for a line of a GPIO chip; empty: sim", "", null, null],
  ["switch.inverted", "Whether the pin is low when the switch is on.", "bool", "true | false", "false", null, null],
  ["switch.power_on", "The switch's state after the power comes on.", "choice", "on | off | restore | toggle", "on", null, null],
  ["button.gpio", "The button's pin: pressed is low.", "text", "sim; gpiochipN:LINE for a line of a GPIO chip; empty: sim", "", null, null],
  ["led.gpio", "The status LED's pin.", "text", "sim; gpiochipN:LINE for a line of a GPIO chip; empty: sim", "", null, null],
  ["climate.kind", "Which sensor there is.", "choice", "dht22 | dht11 | none", "dht22", null, null],
  ["climate.gpio", "The sensor's pin, or where the system shows its readings.", "text", "sim; iio:deviceN, or the path of its folder, for a sensor that Linux has a driver for; empty: sim", "", null, null],
  ["climate.temperature_offset", "What is added to the temperature, in °C.", "number", "-20.0 to 20.0, one decimal", "0.0", -20, 20],
  ["climate.humidity_offset", "What is added to the humidity, in %.", "number", "-20.0 to 20.0, one decimal", "0.0", -20, 20],
  ["log.level", "How much the log says.", "choice", "error | warn | info | debug", "info", null, null],
];
const CHANGED = { "broker.url": "mqtt://192.168.1.10", "broker.user": "alice", "switch.power_on": "restore" };
const FIXED = { id: "flag", "log.level": "environment" };

export const SETTINGS = TABLE.map(([key, meaning, kind, allowed, preset, min, max]) => ({
  key, meaning, kind, choices: kind == "choice" ? allowed.split(" | ") : null, min, max, allowed, default: preset,
  value: kind == "secret" ? null : CHANGED[key] ?? (key == "id" ? "1226d800" : preset), is_set: key == "broker.password", fixed: FIXED[key] ?? null,
}));
