// Through every control of the page with a real device behind it: `monster run` and the board in QEMU, each in four
// looks, and so that both together are in all of them; EVERY_LOOK=1 is each in each. Or the device at the address
// DEVICE, as http://192.168.1.23, with PASSWORD: it keeps its settings.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { EVEN, LOOKS, NARROW, ODD, SHOTS, allUsed, choose, fill, inspect, isDrawn, launch, login, open, press, shows, text, until, view, visible } from "./browser.mjs";
import { Desk } from "./desk.mjs";
import { Virt } from "./virt.mjs";

let browser;
before(async () => browser = await launch());
after(() => browser.close());

const key = name => `#f-${name.replaceAll(".", "\\.")}`;
const SECRETS = ["walk-console-secret", "walk-broker-secret", "walk-wifi-secret"];
/** What texts are set to; all others are found by their kind. */
const TEXTS = {
  groups: "attic,cellar", "wifi.ssid": "Attic", "wifi.password": SECRETS[2], "broker.user": "walker", "broker.password": SECRETS[1], "console.password": SECRETS[0],
  "mqtt.client_id": "walk-%id%", "classic.in": "%id%/in", "classic.out": "%id%/out", "classic.on": "an", "classic.off": "aus", "classic.th": "%t/%h", "classic.heartbeat": "beat %n",
  "homeassistant.prefix": "ha", "switch.gpio": "sim", "button.gpio": "sim", "led.gpio": "sim", "climate.gpio": "sim", "climate.temperature_offset": "1.5", "climate.humidity_offset": "-2.0",
  "time.server": "127.0.0.1:1", "log.syslog": "127.0.0.1:5514", "log.level": "debug", "mqtt.keep_alive": "30", "mqtt.session": "kept", "heartbeat.seconds": "9",
};
/** Changed and changed back: without it the device would not be found, or not start. */
const RESTORED = { "broker.ca": "ca.pem", "broker.cert": "a.pem", "broker.key": "b.pem", "structured.enabled": "false", "classic.enabled": "false", "broker.url": "mqtt://127.0.0.1:1" };
/** On a board these too. */
const ON_BOARDS = { id: "walker", "wifi.ssid": "Attic", "wifi.password": SECRETS[2], "switch.gpio": "5", "button.gpio": "9", "led.gpio": "8", "climate.gpio": "4" };

const one = (url, password) => ({ name: "device", isBoard: true, link: new URL("/", url).href, password, start() { return this; }, close() { } });
const { DEVICE, PASSWORD, EVERY_LOOK } = process.env;
const BOARDS = DEVICE ? [{ name: DEVICE, make: () => one(DEVICE, PASSWORD), looks: LOOKS }] : [
  // Those that take longest come first.
  { name: "virt", make: () => new Virt(), looks: EVERY_LOOK ? LOOKS : ODD },
  { name: "a desk", make: () => new Desk(), looks: [...EVERY_LOOK ? LOOKS : EVEN, NARROW] },
];

describe("every control works with the real device", { concurrency: DEVICE ? 1 : 4 }, () => {
  for (const { name, make, looks } of BOARDS) for (const look of looks) it(`on ${name}, ${look.name}`, test => walk(test, make(), look));
});

async function walk(test, device, look) {
  test.after(() => device.close());
  await device.start();
  const page = await open(browser, device.link, look);
  test.after(() => page.isClosed() || page.screenshot({ path: `${SHOTS}failed-${device.name}-${look.name}.png` }));
  const t = (english, chinese) => look.language == "zh" ? chinese : english;
  const isOurs = Boolean(device.kill);
  let password = device.password;
  const isLive = () => until(page, () => state.link == "live" && !state.restarting && document.querySelector("#banner").hidden);
  /** It started anew: a board has forgotten who was signed in. */
  const back = async name => {
    if (device.isBoard) await login(page, password);
    await isLive();
    if (name) await view(page, name);
  };

  // A desk's link signs in.
  if (password) await login(page, password);
  await isLive();
  assert.equal(await page.evaluate(() => location.pathname), "/");
  await shows(page, "#connection", t("Online", "在线"));
  if (isOurs) {
    await shows(page, "#name", `Monster-${device.id}`);
    await shows(page, "#about", device.isBoard ? "QEMU virt" : t("this computer", "本机"));
    await shows(page, "#charts .now", "23.4");
    await shows(page, "#link", device.seen);
  }

  // Overview.
  await shows(page, "#state", t("On", "开"));
  await page.click("#switch");
  await shows(page, "#state", t("Off", "关"));
  if (isOurs) {
    assert.equal(await device.send("th"), "23.4 °C  56.0 %");
    assert.equal(await device.send("on"), "on", "by MQTT");
    await shows(page, "#state", t("On", "开"));
  }
  await fill(page, "#pulse-ms", "49");
  await press(page, "#pulse button");
  await shows(page, "#pulse-error", "50");
  await fill(page, "#pulse-ms", "60");
  await page.keyboard.press("Enter");
  await shows(page, "#toast", "60");
  await shows(page, "#state", t("Off", "关"));
  await press(page, "#measure");
  await shows(page, "#toast", t("Measured", "已测量"));
  await press(page, "#identify");
  await shows(page, "#toast", t("look for its light", "闪灯"));
  await press(page, "#readings summary");
  await until(page, () => document.querySelectorAll("#readings tbody tr").length >= 1);
  await press(page, "#readings summary");
  await page.click("#console .language");
  await page.click("#console .language");
  await isDrawn(page);
  await page.evaluate(() => { document.querySelector("#toast").textContent = ""; scrollTo(0, 0); });
  await inspect(page, `${device.name}-overview`);
  await press(page, "#restart");
  await visible(page, "#ask");
  await page.click("#ask-no");
  await press(page, "#restart");
  await page.click("#ask-yes");
  await back();
  await shows(page, "#diag", t("Command", "命令"));
  await shows(page, "#state", t("On", "开"));
  if (device.isBoard) await setUp(page, device, t);

  // Settings.
  await view(page, "settings");
  await visible(page, key("mqtt.keep_alive"));
  if (!device.isBoard) assert.ok(await page.$eval(key("id"), input => input.disabled), "a flag has set it");
  await page.evaluate(() => scrollTo(0, 0));
  await inspect(page, `${device.name}-settings`);
  await fill(page, key("mqtt.keep_alive"), "4");
  await page.click("#save .primary");
  await shows(page, key("mqtt.keep_alive") + "-error", "5 to 65535");
  await inspect(page, `${device.name}-settings-refused`);
  const before = await page.evaluate(() => settings.find(one => one.key == "mqtt.keep_alive").value);
  await fill(page, key("mqtt.keep_alive"), "31");
  await page.click("#discard");
  assert.equal(await page.$eval(key("mqtt.keep_alive"), input => input.value), before, "discarded");
  if (isOurs) {
    await fill(page, key("broker.user"), "alice");
    await page.click("#save .primary");
    await shows(page, "#toast", t("Saved", "已保存"));
    await back("settings");
    await until(page, () => settings?.find(one => one.key == "broker.user").value == "alice");
  }
  const changed = await everySetting(page, device.isBoard ? { ...RESTORED, ...ON_BOARDS } : RESTORED);
  if (isOurs) {
    await page.focus("#save .primary");
    await page.keyboard.press("Enter");
    // Another password: whoever knew the old one is out.
    await visible(page, "#login");
    password = SECRETS[0];
  } else {
    await page.click("#discard");
    await page.click("#logout");
  }

  // Log in.
  await visible(page, "#login");
  await fill(page, "#password", "walk-wrong");
  await page.click("#login-go");
  await shows(page, "#login-error", t("not the password", "密码不正确"));
  await inspect(page, `${device.name}-login`);
  await page.click("#login .language");
  await page.click("#login .language");
  await page.click("#login .secret button");
  await login(page, password);
  await isLive();
  if (isOurs) {
    await view(page, "settings");
    await visible(page, key("mqtt.keep_alive"));
    for (const [name, value] of Object.entries(changed)) {
      const shown = await page.$eval(key(name), input => input.type == "checkbox" ? String(input.checked) : input.value);
      const isSecret = SECRETS.includes(value);
      assert.equal(shown, isSecret ? "" : value, name);
      if (isSecret) assert.equal(await text(page, key(name) + "-field .pill"), t("set", "已设置"), name);
    }
    await press(page, key("broker.password") + "-field > .control > .link:not([hidden])");
    await page.click("#save .primary");
    await until(page, () => !edits.size);
    await back("settings");
    await until(page, () => settings?.find(one => one.key == "broker.password").is_set === false);
  }

  // Log.
  await view(page, "log");
  await shows(page, "#lines", "connected to mqtt");
  await inspect(page, `${device.name}-log`);
  await choose(page, "#level", "1");
  assert.ok(!(await text(page, "#lines")).includes("connected to mqtt"));
  await choose(page, "#level", "3");
  await page.click("#pause");
  await page.click("#pause");
  await page.click("#follow");
  await page.click("#follow");
  for (const secret of SECRETS) assert.ok(!(await page.content()).includes(secret), "no secret is anywhere in the page");
  await view(page, "home");
  await page.focus(".skip");
  await page.keyboard.press("Enter");
  await page.click("#logout");
  await login(page, password);

  if (isOurs) {
    // The power goes, and comes back. Who was signed in is not any more: it stood in RAM.
    await device.kill();
    await visible(page, "#again");
    await shows(page, "#banner-text", t("Not connected", "已断开"));
    await inspect(page, `${device.name}-gone`);
    await page.click("#again"); // Which does not bring it back.
    await device.start(device.door);
    await login(page, password);
    await shows(page, "#state", t("Off", "关"));
  }

  // Everything is forgotten: the settings, the password, and on a board the WiFi.
  await press(page, "#reset");
  await shows(page, "#ask-title", t("Forget everything?", "清除所有设置？"));
  await page.click(isOurs ? "#ask-yes" : "#ask-no");
  if (isOurs && device.isBoard) {
    await device.says(`this is ${device.ownId}`);
    await visible(page, "#banner");
  } else if (isOurs) {
    await visible(page, "#login");
    await fill(page, "#password", password);
    await page.click("#login-go");
    await shows(page, "#login-error", t("not the password", "密码不正确"));
  }
  await allUsed(page);
  await page.done();
}

/** The set-up of WiFi, as it is for who is signed in already. */
async function setUp(page, device, t) {
  await press(page, "#wifi button");
  await visible(page, "#setup-form");
  await page.click("#setup .language");
  await page.click("#setup .language");
  await page.click("#rescan");
  await shows(page, "#said", t("network", "网络"));
  await press(page, '#nets input[value="other"]');
  await visible(page, "#s-ssid");
  await fill(page, "#s-ssid", "Cellar");
  await fill(page, "#s-password", SECRETS[2]);
  await press(page, "#psk .secret button");
  await fill(page, "#s-url", "ftp://nonsense");
  await press(page, "#account summary");
  await fill(page, "#s-user", "alice");
  await fill(page, "#s-secret", SECRETS[1]);
  await press(page, "#account .secret button");
  await press(page, "#setup-form .primary");
  await shows(page, "#e-broker-url", "mqtt://");
  await inspect(page, `${device.name}-setup`);
  await press(page, "#setup-cancel");
  await visible(page, "#view-home");
}

/** Sets every setting that may be changed, by its control; those to be restored, forth and back. Returns what they are to be. */
async function everySetting(page, restored) {
  const settings = await page.evaluate(() => settings);
  const wanted = {};
  for (const { key: name, kind, value, choices, default: preset, fixed, is_set: isSet } of settings) {
    if (fixed) continue;
    const selector = key(name);
    const put = async text => {
      if (kind == "bool") await page.$eval(selector, input => input.checked).then(is => String(is) != text && press(page, selector));
      else if (kind == "choice") await choose(page, selector, text);
      else await fill(page, selector, text);
    };
    const next = restored[name] ?? TEXTS[name] ?? (kind == "bool" ? String(preset != "true") : choices?.find(choice => choice != preset));
    assert.notEqual(next, undefined, `${name}: this test has no value for it`);
    if (kind == "secret" && isSet) await press(page, `${selector}-field > .control > .link`);
    await put(next);
    if (kind == "secret") await press(page, `${selector}-field .secret button`);
    else if (next != preset) {
      await press(page, `${selector}-field .control > .link:not([hidden])`);
      assert.equal(await page.$eval(selector, input => input.type == "checkbox" ? String(input.checked) : input.value), preset, `${name} is what it is by default`);
      if (!(name in restored)) await put(next);
    }
    wanted[name] = name in restored ? value ?? "" : next;
    if (name in restored) await put(wanted[name]);
  }
  return wanted;
}
