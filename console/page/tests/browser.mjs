// A headless Chromium, and what every test does with a page in it.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import puppeteer from "puppeteer-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
export const SHOTS = new URL("screenshots/", import.meta.url).pathname;
mkdirSync(SHOTS, { recursive: true });

/** Every way a page can look: 2 widths, 2 languages, 2 themes. */
export const LOOKS = ["phone", "desktop"].flatMap(width => ["en", "zh"].flatMap(language => ["light", "dark"].map(theme => ({ width, language, theme, name: `${width}-${language}-${theme}` }))));
/** Half of them, and the other half: in each, every two of width, language and theme meet. */
export const [EVEN, ODD] = [0, 1].map(odd => LOOKS.filter(({ width, language, theme }) => ((width == "desktop") + (language == "zh") + (theme == "dark")) % 2 == odd));
/** The smallest phone there is. */
export const NARROW = { width: "narrow", language: "zh", theme: "light", name: "narrow-zh-light" };
const WIDTHS = { narrow: [320, 568], phone: [390, 844], desktop: [1280, 860] };

export const launch = () => puppeteer.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true,
  args: ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb"],
});

/** A page of its own, with no cookies, in this look. Errors of its script, and what its CSP refuses, are kept. */
export async function open(browser, url, { width = "desktop", language = "en", theme = "light", name = "" } = {}) {
  const context = await browser.createBrowserContext();
  const page = await context.newPage();
  page.setDefaultTimeout(30_000); // Others may be at work on this computer.
  page.faults = [];
  page.look = name;
  page.on("pageerror", error => page.faults.push(String(error)));
  page.on("console", message => message.type() == "error" && !message.text().startsWith("Failed to load resource") && page.faults.push(message.text()));
  const isPhone = width != "desktop";
  await page.setViewport({ width: 0, height: 0, hasTouch: isPhone, isMobile: isPhone });
  await wear(page, { width, theme });
  const session = await page.createCDPSession();
  await session.send("Network.setUserAgentOverride", { userAgent: await browser.userAgent(), acceptLanguage: language == "zh" ? "zh-CN,zh,en" : "en-GB,en" });
  await page.evaluateOnNewDocument(watchControls);
  await page.goto(url);
  page.done = async () => {
    assert.deepEqual(page.faults, [], "the page's script and policy are quiet");
    await context.close();
  };
  return page;
}

/** In the page: which controls it has shown, and which of them a person has used. */
function watchControls() {
  const name = node => node.id || `${node.parentElement ? name(node.parentElement) : ""} > ${node.localName}.${[...node.classList].join(".")}`;
  const controls = "button, a[href], input, select, summary";
  window.used = new Set();
  window.seen = new Set();
  window.look = () => document.querySelectorAll(controls).forEach(node => node.checkVisibility() && !node.disabled && window.seen.add(name(node)));
  for (const kind of ["click", "input", "change"]) addEventListener(kind, event => {
    const control = event.isTrusted && event.target.closest?.(controls);
    if (control) window.used.add(name(control));
  }, true);
}

/** Waits until this is true in the page. */
export const until = (page, what, ...args) => page.waitForFunction(what, { polling: 50 }, ...args);
export const text = (page, selector) => page.$eval(selector, node => node.textContent);
/** Waits until an element shows this text. */
export const shows = (page, selector, words) => until(page, (selector, words) => document.querySelector(selector)?.textContent.includes(words), selector, words)
  .catch(async () => assert.fail(`${selector} shows ${JSON.stringify(await text(page, selector).catch(() => "nothing"))}, not ${JSON.stringify(words)}`));
export const visible = (page, selector) => page.waitForSelector(selector, { visible: true });
export const view = async (page, name) => { await page.click(`.tabs a[href="#${name}"]`); await visible(page, `#view-${name}`); };

/** Clicks what may stand under the bars above and below: it is brought to the middle first. */
export async function press(page, selector) {
  await page.$eval(selector, node => node.scrollIntoView({ block: "center" }));
  await page.click(selector);
}

/** Replaces what stands in a field, as an input method does. */
export async function fill(page, selector, words) {
  await page.focus(selector);
  await page.$eval(selector, node => node.select());
  if (words) await page.keyboard.sendCharacter(words);
  else await page.keyboard.press("Backspace");
}

/** Chooses from a list, by the keyboard. */
export async function choose(page, selector, value) {
  await page.focus(selector);
  const index = await page.$eval(selector, (list, value) => [...list.options].findIndex(option => option.value == value), value);
  await page.keyboard.press("Home");
  for (let n = 0; n < index; n++) await page.keyboard.press("ArrowDown");
  assert.equal(await page.$eval(selector, list => list.value), value, `${selector} has ${value}`);
}

export async function login(page, password) {
  await visible(page, "#login");
  await fill(page, "#password", password);
  await page.click("#login-go");
  await until(page, () => state.link == "live");
}

/** There is something to draw: two readings. */
export const isDrawn = page => until(page, () => points.length > 1);

/** A state of the page: nothing hangs over its side, axe finds nothing wrong, and here is its picture. */
export async function inspect(page, name, look = page.look) {
  await page.evaluate(() => window.look());
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), `${name}: nothing is wider than the page`);
  if (!await page.evaluate(() => Boolean(window.axe))) await page.evaluate(AXE);
  const violations = await page.evaluate(async () => (await axe.run(document, { resultTypes: ["violations"] })).violations
    .map(({ id, help, nodes }) => `${id}: ${help}: ${nodes.map(node => `${node.html.slice(0, 160)} ${node.failureSummary}`).join(" | ")}`));
  await page.screenshot({ path: `${SHOTS}${name}-${look}.png` });
  assert.deepEqual(violations, [], `${name}: axe finds nothing`);
}

/** The same in both widths, light and dark, in the language the page has; and then as it was. */
export async function inspectAll(page, name, { width, language, theme }) {
  const others = LOOKS.filter(look => look.language == language && !(look.width == width && look.theme == theme));
  for (const look of [...others, { width, theme, name: page.look }]) {
    await wear(page, look);
    await inspect(page, name, look.name);
  }
}

/** From now on the page is so wide, and light or dark. */
async function wear(page, { width, theme }) {
  const { isMobile, hasTouch } = page.viewport() ?? {};
  const [w, h] = WIDTHS[width];
  await page.setViewport({ width: w, height: h, isMobile, hasTouch });
  await page.emulateMediaFeatures([{ name: "prefers-color-scheme", value: theme }, { name: "prefers-reduced-motion", value: "reduce" }]);
}

/** Every control the page has shown was used. */
export async function allUsed(page) {
  const unused = await page.evaluate(() => [...window.seen].filter(name => !window.used.has(name)));
  assert.deepEqual(unused, [], "every control was used");
}
