// Through every state of the page that differs, once in each language, with every control: in each state, at phone
// and desktop width, light and dark, axe looks for what would keep somebody out.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LOOKS, allUsed, choose, fill, inspectAll, isDrawn, launch, login, open, press, shows, text, until, view, visible } from "./browser.mjs";
import { AIR, Mock } from "./mock.mjs";

let browser;
before(async () => browser = await launch());
after(() => browser.close());

const key = name => `#f-${name.replaceAll(".", "\\.")}`;

/** A phone in English, and a desktop in Chinese. */
const WALKS = LOOKS.filter(({ name }) => ["phone-en-light", "desktop-zh-dark"].includes(name));

describe("every control works, and nothing keeps anybody out", { concurrency: 2 }, () => {
  for (const look of WALKS) it(`in the console, ${look.name}`, async test => {
    const mock = await new Mock().listen();
    test.after(() => mock.close());
    const page = await open(browser, mock.url, look);
    const t = (english, chinese) => look.language == "zh" ? chinese : english;

    // The door.
    await visible(page, "#login");
    assert.equal(await page.$eval("html", html => html.lang), t("en", "zh-CN"), "the browser's language");
    await inspectAll(page, "login", look);
    await page.click("#login .language");
    await shows(page, "#login-go", t("登录", "Log in"));
    await page.click("#login .language");
    await page.type("#password", "wrong");
    await page.click("#login .secret button");
    assert.equal(await page.$eval("#password", input => input.type), "text", "what is typed can be shown");
    await page.click("#login-go");
    await shows(page, "#login-error", t("not the password", "密码不正确"));
    await inspectAll(page, "login-error", look);
    await login(page, mock.password);
    await isDrawn(page);

    // Overview.
    await shows(page, "#name", "Monster-1226d800");
    await shows(page, "#state", t("On", "开"));
    await press(page, "#switch");
    await until(page, () => document.querySelector("#switch").getAttribute("aria-checked") == "false");
    await press(page, "#switch");
    await shows(page, "#state", t("On", "开"));
    await fill(page, "#pulse-ms", "49");
    await press(page, "#pulse button");
    await shows(page, "#pulse-error", "50");
    await inspectAll(page, "overview-pulse-refused", look);
    await fill(page, "#pulse-ms", "800");
    await page.keyboard.press("Enter");
    await shows(page, "#toast", "800");
    await press(page, "#measure");
    await shows(page, "#toast", t("Measured", "已测量"));
    await press(page, "#identify");
    await shows(page, "#toast", t("look for its light", "闪灯"));
    assert.deepEqual(mock.commands, ["off", "on", "pulse 800", "th", "identify"]);
    mock.tell({ button: { event: "double", age: 3 } });
    await shows(page, "#button", t("Double press", "双击"));
    await page.evaluate(() => document.querySelector("#toast").textContent = "");
    await inspectAll(page, "overview", look);
    await press(page, "#readings summary");
    await until(page, () => document.querySelectorAll("#readings tbody tr").length >= 12);
    await inspectAll(page, "overview-table", look);
    await press(page, "#readings summary");
    mock.tell({ connection: { state: "waiting", broker: "mqtt://192.168.1.10:1883", reason: "connection refused", retry_in: 42 }, climate: { temperature: null, humidity: null, error: "timeout" }, switch: "off" });
    await shows(page, "#reason", t("connection refused", "连接被拒绝"));
    await shows(page, "#climate-error", t("timeout", "传感器无应答"));
    await inspectAll(page, "overview-trouble", look);
    await page.click("#console .language");
    await shows(page, "#reason", t("连接被拒绝", "connection refused"));
    await page.click("#console .language");
    await press(page, "#restart");
    await visible(page, "#ask");
    await page.click("#ask-no");
    await press(page, "#reset");
    await shows(page, "#ask-title", t("Forget everything?", "清除所有设置？"));
    await inspectAll(page, "factory-reset", look);
    await page.click("#ask-yes");
    await until(page, () => !document.querySelector("#ask").open);
    await visible(page, "#banner");
    assert.equal(mock.commands.at(-1), "factory-reset", "and not the restart that was cancelled");
    await until(page, () => state.link == "live" && document.querySelector("#banner").hidden);

    // Settings.
    await view(page, "settings");
    await visible(page, key("mqtt.keep_alive"));
    await inspectAll(page, "settings", look);
    assert.ok(await page.$eval(key("id"), input => input.disabled), "one that a flag has set cannot be changed");
    await shows(page, key("id") + "-hint", t("A flag has set it", "由启动参数设定"));
    assert.equal(await page.$eval(key("broker.password"), input => input.value), "", "no secret comes back");
    const changed = await everySetting(page, mock);
    await fill(page, key("heartbeat.seconds"), "7200");
    await page.click("#save .primary");
    await shows(page, key("heartbeat.seconds") + "-error", "1 to 3600");
    assert.ok(await page.$eval(key("heartbeat.seconds"), input => document.activeElement == input && input.getAttribute("aria-invalid") == "true"), "the field that is wrong has the focus");
    await inspectAll(page, "settings-error", look);
    assert.equal(mock.changed, undefined, "nothing was changed");
    await fill(page, key("heartbeat.seconds"), "30");
    await page.focus("#save .primary");
    await page.keyboard.press("Enter");
    await shows(page, "#toast", t("Saved", "已保存"));
    assert.deepEqual(mock.changed, { ...changed, "heartbeat.seconds": "30" });
    await until(page, () => settings && document.querySelector("#banner").hidden);
    await fill(page, key("broker.user"), "bob");
    await page.click("#discard");
    assert.equal(await page.$eval(key("broker.user"), input => input.value), changed["broker.user"], "discarded");
    await press(page, key("broker.password") + "-field .link");
    await page.focus("#save .primary");
    await page.keyboard.press("Enter");
    await until(page, () => !edits.size);
    await until(page, () => settings && document.querySelector("#banner").hidden);
    assert.deepEqual(mock.changed, { "broker.password": "" }, "a secret can be removed");

    // Log.
    await view(page, "log");
    await shows(page, "#lines", t("the device has restarted", "设备已重启"));
    mock.say("warn", "not a command: no such word");
    mock.say("error", "no reading: timeout");
    mock.say("debug", "th 23.4 56.0");
    await shows(page, "#lines", "th 23.4");
    await inspectAll(page, "log", look);
    await choose(page, "#level", "1");
    assert.deepEqual(await page.$$eval("#lines p:not(.note) b", levels => levels.map(level => level.textContent)), ["warn", "error", "warn", "error"], "those from before the restart, and those after");
    await choose(page, "#level", "3");
    await page.click("#pause");
    mock.say("info", "while paused");
    await shows(page, "#pause", "1");
    assert.ok(!(await text(page, "#lines")).includes("while paused"), "a paused log stands still");
    await page.click("#pause");
    await shows(page, "#lines", "while paused");
    await page.click("#follow");
    for (let n = 0; n < 80; n++) mock.say("debug", `line ${n}`);
    await shows(page, "#lines", "line 79");
    assert.ok(await page.$eval("#lines", box => box.scrollTop < box.scrollHeight - box.clientHeight - 100), "it stays where it was");
    await page.click("#follow");
    assert.ok(await page.$eval("#lines", box => box.scrollTop > box.scrollHeight - box.clientHeight - 30), "it goes on to the end");

    // The power goes.
    await view(page, "home");
    const { port } = mock;
    await mock.close();
    await visible(page, "#again");
    await shows(page, "#banner-text", t("Not connected", "已断开"));
    await press(page, "#switch"); // Which does nothing now, and breaks nothing.
    await inspectAll(page, "offline", look);
    await page.click("#again"); // Which does not bring it back.
    await mock.listen(port);
    await until(page, () => state.link == "live" && document.querySelector("#banner").hidden);
    await page.evaluate(() => document.querySelector(".skip").focus());
    await page.keyboard.press("Enter");
    assert.equal(await page.evaluate(() => document.activeElement.id), "main", "a keyboard can skip the bar");
    await page.click("#logout");
    await visible(page, "#login");
    await allUsed(page);
    await page.done();
  });

  for (const look of WALKS) it(`in the set-up, ${look.name}`, async test => {
    const mock = await Object.assign(new Mock(), { wifi: AIR, setUp: false, board: "esp32c3" }).listen();
    test.after(() => mock.close());
    const page = await open(browser, mock.url, look);
    const t = (english, chinese) => look.language == "zh" ? chinese : english;
    await visible(page, "#setup-form");
    await shows(page, "#setup-title", "Monster-1226d800");
    await inspectAll(page, "setup", look);
    await page.click("#setup .language");
    await page.click("#setup .language");
    assert.equal(await page.$$eval("#nets label", rows => rows.length), 5, "one row for each name, and one for others");
    await press(page, "#rescan");
    await shows(page, "#said", "5");
    await press(page, "#setup-form .primary");
    await shows(page, "#e-ssid", t("Choose a network", "请先选择网络"));
    await inspectAll(page, "setup-error", look);
    await press(page, '#nets input[value="other"]');
    await visible(page, "#s-ssid");
    await page.type("#s-ssid", "Cellar");
    await press(page, '#nets input[value="=咖啡馆"]');
    assert.ok(await page.$eval("#psk", box => box.hidden), "an open network has no password");
    await press(page, '#nets input[value="=Attic"]');
    await page.type("#s-password", "wrong-password");
    await press(page, "#psk .secret button");
    await page.type("#s-url", "ftp://nonsense");
    await press(page, "#account summary");
    await page.type("#s-user", "alice");
    await page.type("#s-secret", "wonder");
    await press(page, "#account .secret button");
    await inspectAll(page, "setup-filled", look);
    await press(page, "#setup-form .primary");
    await shows(page, "#e-broker-url", "mqtt://host");
    await fill(page, "#s-url", "192.168.1.10");
    await press(page, "#setup-form .primary");
    await visible(page, "#progress");
    assert.deepEqual(mock.joinBody, { ssid: "Attic", password: "wrong-password", "broker.url": "mqtt://192.168.1.10", "broker.user": "alice", "broker.password": "wonder" });
    mock.join = { state: "trying", step: "address", error: null, ssid: "Attic" };
    await until(page, () => document.querySelector("#steps .done"));
    await inspectAll(page, "setup-trying", look);
    mock.join = { state: "failed", step: "wifi", error: "wrong password", ssid: "Attic" };
    await shows(page, "#setup-error", "Attic");
    await inspectAll(page, "setup-failed", look);
    assert.equal(await page.evaluate(() => document.activeElement.id), "s-password", "what has to be mended has the focus");
    assert.equal(await page.$eval("#s-url", input => input.value), "192.168.1.10", "what was right stays");
    await press(page, "#setup-form .primary");
    await visible(page, "#progress");
    mock.join = { state: "joined", step: null, error: null, ssid: "Attic", ip: "192.168.1.23" };
    await shows(page, "#setup-title", t("It is connected", "连接成功"));
    await inspectAll(page, "setup-joined", look);
    assert.equal(await page.$eval("#progress-go", link => link.href), "http://192.168.1.23/");
    // A phone that was thrown off, and comes back with a fresh page, finds the outcome.
    await page.reload();
    await shows(page, "#setup-title", t("It is connected", "连接成功"));
    await page.done();
  });
});

/** Changes every setting that may be changed, by its control; and says what has to be sent. */
async function everySetting(page, mock) {
  const changed = {};
  for (const { key: name, kind, value, choices, default: preset, fixed } of mock.settings) {
    if (fixed || name == "version") continue;
    const selector = key(name);
    if (kind == "bool") {
      await press(page, selector);
      changed[name] = String(value != "true");
    } else if (kind == "choice") {
      changed[name] = choices.find(choice => choice != value && choice != preset) ?? choices.find(choice => choice != value);
      await choose(page, selector, changed[name]);
    } else {
      changed[name] = kind == "number" ? "9" : `new-${name}`;
      await fill(page, selector, changed[name]);
      if (kind == "secret") await press(page, `${selector}-field .secret button`);
    }
    // Back to the default, and forth again.
    if (kind == "secret" || changed[name] == preset) continue;
    await press(page, `${selector}-field .control > .link:not([hidden])`);
    assert.equal(await page.$eval(selector, input => input.type == "checkbox" ? String(input.checked) : input.value), preset, `${name} is what it is by default`);
    if (kind == "bool") await press(page, selector);
    else if (kind == "choice") await choose(page, selector, changed[name]);
    else await fill(page, selector, changed[name]);
  }
  return changed;
}
