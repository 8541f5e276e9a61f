// What the page does when the device has no room for it, takes no password for a while, falls silent, has
// nothing to draw, or starts anew behind a connection that holds.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { LOOKS, fill, inspect, launch, login, open, shows, text, until, view, visible } from "./browser.mjs";
import { Mock } from "./mock.mjs";

let browser;
before(async () => browser = await launch());
after(() => browser.close());

const look = name => LOOKS.find(look => look.name == name);
async function opened(test, mock, look) {
  await mock.listen();
  test.after(() => mock.close());
  return open(browser, mock.url, look);
}
/** Signs in, and does not wait for anything. */
async function enter(page, password) {
  await visible(page, "#login");
  await fill(page, "#password", password);
  await page.click("#login-go");
}

describe("trouble", { concurrency: 4 }, () => {
  for (const name of ["desktop-en-light", "phone-zh-dark"]) it(`a page too many shows what is known, says so, and is live when there is room, ${name}`, async test => {
    const mock = Object.assign(new Mock(), { slots: 0 });
    const page = await opened(test, mock, look(name));
    await enter(page, mock.password);
    await shows(page, "#name", "Monster-1226d800");
    await shows(page, "#banner-text", name.includes("zh") ? "已满" : "as many pages live as it can");
    await shows(page, "#banner-count", "3");
    await inspect(page, "busy");
    await page.click("#switch");
    await until(page, () => document.querySelector("#switch").getAttribute("aria-checked") == "false");
    assert.deepEqual(mock.commands, ["off"], "it can be used all the same");
    mock.slots = 1;
    await until(page, () => state.link == "live" && document.querySelector("#banner").hidden);
    await page.done();
  });

  for (const name of ["phone-en-light", "desktop-zh-dark"]) it(`who was wrong too often is told how long to wait, ${name}`, async test => {
    // Long enough to look at it, on a busy machine too.
    const mock = Object.assign(new Mock(), { wrong: 5, wait: 15 });
    const page = await opened(test, mock, look(name));
    page.setDefaultTimeout(30_000);
    await enter(page, mock.password);
    await shows(page, "#login-error", name.includes("zh") ? "错误次数过多" : "Too many wrong passwords");
    await shows(page, "#login-go", name.includes("zh") ? "秒后重试" : "Try again in");
    await inspect(page, "login-wait");
    const { attempts } = mock;
    await page.click("#login-go");
    await page.focus("#password");
    await page.keyboard.press("Enter");
    assert.equal(mock.attempts, attempts, "nothing is sent meanwhile");
    mock.wrong = 0;
    await until(page, () => document.querySelector("#login-go").getAttribute("aria-disabled") == "false");
    await login(page, mock.password);
    await page.done();
  });

  it("an answer that breaks off in its middle is none, and is asked for again", async test => {
    const mock = Object.assign(new Mock(), { cuts: "/api/history" });
    const page = await opened(test, mock, look("desktop-en-dark"));
    await login(page, mock.password);
    await shows(page, "#name", "Monster-1226d800");
    mock.cuts = "/api/command";
    await page.click("#switch");
    await shows(page, "#toast", "The device does not answer");
    mock.cuts = "/api/settings";
    await page.evaluate(() => toast(""));
    await page.click('.tabs a[href="#settings"]');
    await shows(page, "#toast", "The device does not answer");
    mock.cuts = "";
    await visible(page, "#f-id");
    await until(page, () => points.length > 100);
    await page.done();
  });

  it("a device that says nothing for 13 s is not connected, and is asked again", async test => {
    const mock = new Mock();
    const page = await opened(test, mock, look("phone-zh-light"));
    await login(page, mock.password);
    mock.silent = true;
    const since = Date.now();
    await until(page, () => state.link == "lost");
    const silence = Date.now() - since;
    assert.ok(silence > 7_000 && silence < 14_500, `after ${silence} ms`);
    await shows(page, "#connection", "未知");
    assert.equal(await page.$eval("#switch", button => button.getAttribute("aria-disabled")), "true");
    mock.silent = false;
    await until(page, () => state.link == "live" && document.querySelector("#banner").hidden);
    await page.done();
  });

  it("without readings a chart has no scale, and says that there are none", async test => {
    const mock = Object.assign(new Mock(), { history: [], climate: { temperature: null, humidity: null, error: "timeout" } });
    const page = await opened(test, mock, look("desktop-en-light"));
    await visible(page, "#login");
    await enter(page, mock.password);
    await shows(page, "#climate-error", "timeout");
    await shows(page, "#charts .range", "no readings yet");
    const marks = await page.$$eval("#charts svg", charts => charts.map(svg => [...svg.querySelectorAll("text")].map(text => text.textContent)));
    for (const chart of marks) assert.ok(chart.length == 3 && chart[2] == "now", `times only: ${chart}`);
    await inspect(page, "no-readings");
    mock.tell({ climate: null });
    await until(page, () => document.querySelector("#climate").hidden);
    await inspect(page, "no-sensor");
    await page.done();
  });

  it("a restart behind a connection that holds is noticed", async test => {
    const mock = new Mock();
    const page = await opened(test, mock, look("phone-en-dark"));
    await login(page, mock.password);
    await view(page, "settings");
    await visible(page, "#f-id");
    mock.settings.find(setting => setting.key == "broker.user").value = "bob";
    mock.restartQuietly();
    await until(page, () => document.querySelector("#f-broker\\.user")?.value == "bob");
    await view(page, "log");
    await shows(page, "#lines", "the device has restarted");
    assert.ok(!(await text(page, "#lines")).includes("NaN"));
    await page.done();
  });
});
