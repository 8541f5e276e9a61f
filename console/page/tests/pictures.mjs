// The pictures of the page in the documentation: `cargo xtask page --pictures`. The device in them is the
// one that is none, since a real one would have to be on for an hour to have a chart.
import { mkdirSync } from "node:fs";
import { isDrawn, launch, login, open, press, until, view, visible } from "./browser.mjs";
import { AIR, Mock } from "./mock.mjs";

const FOLDER = new URL("../../../docs/pictures/", import.meta.url).pathname;
const PICTURES = [
  { name: "console", look: { width: "desktop", language: "en", theme: "light" }, size: [1200, 820, 1] },
  { name: "console-dark-zh", look: { width: "phone", language: "zh", theme: "dark" }, size: [390, 844, 1.5] },
  { name: "console-settings", look: { width: "phone", language: "en", theme: "light" }, size: [390, 844, 1.5], at: "settings" },
  { name: "console-log", look: { width: "phone", language: "en", theme: "dark" }, size: [390, 844, 1.5], at: "log" },
];
// The set-up page, as a phone finds it on a blank board's access point.
const SETUP = [{ name: "setup", language: "en", theme: "light" }, { name: "setup-zh", language: "zh", theme: "dark" }];

mkdirSync(FOLDER, { recursive: true });
const browser = await launch();
const mock = await new Mock().listen();
for (const { name, look, size: [width, height, deviceScaleFactor], at } of PICTURES) {
  const page = await open(browser, mock.url, look);
  await page.setViewport({ width, height, deviceScaleFactor, hasTouch: look.width == "phone", isMobile: look.width == "phone" });
  await visible(page, "#login");
  await login(page, mock.password);
  await isDrawn(page);
  if (at) await view(page, at);
  if (at == "settings") await until(page, () => settings);
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.screenshot({ path: `${FOLDER}${name}.webp`, type: "webp", quality: 82 });
  await page.done();
}
await mock.close();
const blank = await Object.assign(new Mock(), { wifi: AIR, setUp: false, board: "esp32c3" }).listen();
for (const { name, language, theme } of SETUP) {
  const page = await open(browser, blank.url, { width: "phone", language, theme });
  await page.setViewport({ width: 390, height: 844, deviceScaleFactor: 1.5, hasTouch: true, isMobile: true });
  await visible(page, "#setup-form");
  await press(page, `#nets input[value="=${AIR.networks[0].ssid}"]`);
  await page.evaluate(() => { document.activeElement.blur(); scrollTo(0, 0); });
  await page.screenshot({ path: `${FOLDER}${name}.webp`, type: "webp", quality: 82 });
  await page.done();
}
await blank.close();
await browser.close();
