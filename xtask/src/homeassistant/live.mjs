// Home Assistant itself, with a device on its broker: it finds the device, moves its switch, and forgets the device
// when that is told to be silent. Started in a network of its own by `cargo xtask homeassistant --live`, with what runs
// each of the parts: {"root", "folder", "homeassistant": [words]}; and with the name of a "picture", if it is to be taken.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdirSync, openSync, readFileSync, rmSync } from "node:fs";
import { setTimeout as wait } from "node:timers/promises";

const { root, folder, homeassistant, picture } = JSON.parse(process.argv[2]);
const BASE = "http://127.0.0.1:8123";
const ID = "1226d800";

rmSync(`${folder}/device`, { recursive: true, force: true });
mkdirSync(folder, { recursive: true });
const children = [];
function start(name, [program, ...words]) {
  const log = openSync(`${folder}/${name}.log`, "w");
  const child = spawn(program, words, { stdio: ["ignore", log, log] });
  child.on("error", error => { console.error(`${name}: ${error}`); process.exit(1); });
  children.push(child);
  return child;
}
const device = (...more) => start("device", [`${root}/target/debug/monster`, "run", "--broker", "mqtt://localhost", "--id", ID, "--state", `${folder}/device`, ...more]);

let token;
async function ask(path, body) {
  const form = body instanceof URLSearchParams;
  const headers = { ...(token && { authorization: `Bearer ${token}` }), ...(body && !form && { "content-type": "application/json" }) };
  const answer = await fetch(BASE + path, { method: body ? "POST" : "GET", headers, body: form ? body : body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${path}: ${answer.status} ${text}`);
  const json = answer.headers.get("content-type")?.startsWith("application/json");
  return json ? JSON.parse(text) : text;
}
/** Waits until this gives something. */
async function until(what, seconds, look) {
  for (const end = Date.now() + seconds * 1000; ;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) {
      const log = readFileSync(`${folder}/homeassistant.log`, "utf8").split("\n").slice(-15).join("\n");
      assert.fail(`not after ${seconds} s: ${what}\n${log}`);
    }
    await wait(500);
  }
}
const states = async () => (await ask("/api/states")).filter(({ entity_id }) => entity_id.includes(`monster_${ID}`));
const state = async name => (await states()).find(({ entity_id }) => entity_id == name)?.state;

try {
  start("mosquitto", ["/usr/sbin/mosquitto", "-p", "1883"]);
  const first = device();
  start("homeassistant", homeassistant);
  await until("Home Assistant answers", 180, () => ask("/api/onboarding").catch(() => null));

  // As its first user does in a browser: an account, then the broker.
  const client_id = `${BASE}/`;
  const { auth_code } = await ask("/api/onboarding/users", { client_id, name: "Ann", username: "ann", password: "for this picture", language: "en" });
  const tokens = await ask("/auth/token", new URLSearchParams({ grant_type: "authorization_code", code: auth_code, client_id }));
  token = tokens.access_token;
  for (const step of ["core_config", "analytics"]) await ask(`/api/onboarding/${step}`, {});
  await ask("/api/onboarding/integration", { client_id, redirect_uri: `${BASE}/` });
  const flow = await ask("/api/config/config_entries/flow", { handler: "mqtt" });
  const done = await ask(`/api/config/config_entries/flow/${flow.flow_id}`, { broker: "127.0.0.1", port: 1883, protocol: "5", other_settings: { set_client_cert: false, set_ca_cert: "off" } });
  assert.equal(done.type, "create_entry");

  await until("it finds all nine entities, and knows their states", 60, async () => {
    const known = (await states()).filter(({ state }) => state != "unavailable");
    return known.length == 9 && (await state(`sensor.monster_${ID}_temperature`)) > 0;
  });
  for (const [service, then] of [["turn_off", "off"], ["turn_on", "on"], ["toggle", "off"], ["toggle", "on"]]) {
    await ask(`/api/services/switch/${service}`, { entity_id: `switch.monster_${ID}` });
    await until(`the switch is ${then}`, 20, async () => await state(`switch.monster_${ID}`) == then);
  }

  console.log(`found Monster-${ID} and its nine entities, and moved its switch`);

  if (picture) {
    const device_id = await ask("/api/template", { template: `{{ device_id("switch.monster_${ID}") }}` });
    const { take } = await import("./picture.mjs");
    const words = [`Monster-${ID}`, "Device info", "Temperature", "23.4", "Humidity", "56.0", "Restart reason", "Uptime", "Activity"];
    await take({ root, path: picture, base: BASE, client_id, tokens, place: `/config/devices/device/${device_id}`, words });
    console.log(`the device's page is in ${picture}`);
  }

  first.kill();
  await new Promise(ended => first.once("exit", ended));
  device("--set", "climate.kind=none");
  await until("temperature and humidity are gone", 30, async () => (await states()).length == 7);
  const second = children.at(-1);
  second.kill();
  await new Promise(ended => second.once("exit", ended));
  device("--set", "homeassistant.enabled=false");
  await until("the device is gone", 30, async () => (await states()).length == 0);
  console.log("what was switched off disappeared: the sensor first, then the device");
} finally {
  for (const child of children) child.kill("SIGKILL");
}
process.exit(0);
