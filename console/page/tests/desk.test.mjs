// Through every control of the page with the real device behind it, `monster run`, in every look.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LOOKS, allUsed, choose, fill, inspect, launch, login, open, press, shows, text, until, view, visible } from "./browser.mjs";
import { Desk } from "./desk.mjs";

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
  "time.server": "time.example", "log.syslog": "127.0.0.1:5514", "log.level": "debug", "mqtt.keep_alive": "30", "mqtt.session": "kept", "heartbeat.seconds": "9",
};
/** Changed and changed back: without it the device would not be found, or not start. */
const RESTORED = { "broker.ca": "ca.pem", "broker.cert": "a.pem", "broker.key": "b.pem", "structured.enabled": "false", "classic.enabled": "false", "broker.url": "mqtt://127.0.0.1:1" };

describe("every control works with the real device", { concurrency: 3 }, () => {
  const narrow = { width: "narrow", language: "zh", theme: "light", name: "narrow-zh-light" };
  for (const look of [...LOOKS, narrow]) it(`on a desk, ${look.name}`, async test => {
    const desk = await new Desk().start();
    test.after(() => desk.close());
    const t = (english, chinese) => look.language == "zh" ? chinese : english;

    // The link signs in.
    const page = await open(browser, desk.link, look);
    const isLive = () => until(page, () => state.link == "live" && !state.restarting && document.querySelector("#banner").hidden);
    await isLive();
    assert.equal(await page.evaluate(() => location.pathname), "/");
    await shows(page, "#name", "Monster-a1b2c3");
    await shows(page, "#about", t("this computer", "本机"));
    await shows(page, "#connection", t("Online", "在线"));
    await shows(page, "#charts .now", "23.4");
    await shows(page, "#link", desk.broker);

    // Overview.
    await shows(page, "#state", t("On", "开"));
    await page.click("#switch");
    await shows(page, "#state", t("Off", "关"));
    assert.equal(desk.send("th"), "23.4 °C  56.0 %");
    assert.equal(desk.send("on"), "on", "by MQTT");
    await shows(page, "#state", t("On", "开"));
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
    await page.evaluate(() => { document.querySelector("#toast").textContent = ""; scrollTo(0, 0); });
    await inspect(page, "desk-overview");
    await press(page, "#restart");
    await visible(page, "#ask");
    await page.click("#ask-no");
    await press(page, "#restart");
    await page.click("#ask-yes");
    await until(page, () => document.querySelector("#diag").textContent.includes("2"));
    await isLive();
    await shows(page, "#diag", t("Command", "命令"));
    await shows(page, "#state", t("On", "开"));

    // Settings.
    await view(page, "settings");
    await visible(page, key("mqtt.keep_alive"));
    assert.ok(await page.$eval(key("id"), input => input.disabled), "a flag has set it");
    await page.evaluate(() => scrollTo(0, 0));
    await inspect(page, "desk-settings");
    await fill(page, key("mqtt.keep_alive"), "4");
    await page.click("#save .primary");
    await shows(page, key("mqtt.keep_alive") + "-error", "5 to 65535");
    await inspect(page, "desk-settings-refused");
    await fill(page, key("mqtt.keep_alive"), "31");
    await page.click("#discard");
    assert.equal(await page.$eval(key("mqtt.keep_alive"), input => input.value), "60", "discarded");
    await fill(page, key("broker.user"), "alice");
    await page.click("#save .primary");
    await shows(page, "#toast", t("Saved", "已保存"));
    await isLive();
    await until(page, () => settings?.find(one => one.key == "broker.user").value == "alice");
    const changed = await everySetting(page);
    await page.focus("#save .primary");
    await page.keyboard.press("Enter");

    // Another password: whoever knew the old one is out.
    await visible(page, "#login");
    for (const secret of ["walk-wrong", SECRETS[0]]) {
      await fill(page, "#password", secret);
      await page.click("#login-go");
      if (secret == "walk-wrong") {
        await shows(page, "#login-error", t("not the password", "密码不正确"));
        await inspect(page, "desk-login");
      }
    }
    await isLive();
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
    await isLive();
    await until(page, () => settings?.find(one => one.key == "broker.password").is_set === false);

    // Log.
    await view(page, "log");
    await shows(page, "#lines", "connected to mqtt");
    await inspect(page, "desk-log");
    await choose(page, "#level", "1");
    assert.ok(!(await text(page, "#lines")).includes("connected to mqtt"));
    await choose(page, "#level", "3");
    await page.click("#pause");
    await page.click("#pause");
    await page.click("#follow");
    await page.click("#follow");
    for (const secret of SECRETS) assert.ok(!(await page.content()).includes(secret), "no secret is anywhere in the page");

    // The power goes, and comes back. Who was signed in is not any more: it stood in RAM.
    await view(page, "home");
    await desk.kill();
    await shows(page, "#banner-text", t("Not connected", "已断开"));
    await inspect(page, "desk-gone");
    await page.click("#again"); // Which does not bring it back.
    await desk.start(desk.door);
    await visible(page, "#login");
    await page.click("#login .language");
    await page.click("#login .language");
    await page.click("#login .secret button");
    await login(page, SECRETS[0]);
    await shows(page, "#state", t("Off", "关"));
    await page.focus(".skip");
    await page.keyboard.press("Enter");
    await page.click("#logout");
    await login(page, SECRETS[0]);

    // Everything is forgotten: the settings, and the password.
    await press(page, "#reset");
    await shows(page, "#ask-title", t("Forget everything?", "清除所有设置？"));
    await page.click("#ask-yes");
    await visible(page, "#login");
    await fill(page, "#password", SECRETS[0]);
    await page.click("#login-go");
    await shows(page, "#login-error", t("not the password", "密码不正确"));
    await allUsed(page);
    await page.done();
  });
});

/** Sets every setting that may be changed, by its control; returns what they are to be. */
async function everySetting(page) {
  const settings = await page.evaluate(() => settings);
  const wanted = {};
  for (const { key: name, kind, value, choices, default: preset, fixed } of settings) {
    if (fixed) continue;
    const selector = key(name);
    const put = async text => {
      if (kind == "bool") await page.$eval(selector, input => input.checked).then(is => String(is) != text && press(page, selector));
      else if (kind == "choice") await choose(page, selector, text);
      else await fill(page, selector, text);
    };
    const next = RESTORED[name] ?? TEXTS[name] ?? (kind == "bool" ? String(preset != "true") : choices?.find(choice => choice != preset));
    assert.notEqual(next, undefined, `${name}: this test has no value for it`);
    await put(next);
    if (kind == "secret") await press(page, `${selector}-field .secret button`);
    else if (next != preset) {
      await press(page, `${selector}-field .control > .link:not([hidden])`);
      assert.equal(await page.$eval(selector, input => input.type == "checkbox" ? String(input.checked) : input.value), preset, `${name} is what it is by default`);
      if (!(name in RESTORED)) await put(next);
    }
    wanted[name] = name in RESTORED ? value : next;
  }
  return wanted;
}
