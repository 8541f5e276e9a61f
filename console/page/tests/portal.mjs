// A phone's browser, near a blank device: `cargo xtask portal` runs it on the device's access point, with a
// network in the air, its password and a broker. It says `lose` when the phone may lose the access point.
import assert from "node:assert/strict";
import { fill, inspect, launch, open, press, shows, text, visible } from "./browser.mjs";

const [ssid, password, broker] = process.argv.slice(2);
const browser = await launch();
try {
  // What a phone opens by itself when it finds no way out.
  const page = await open(browser, "http://connectivitycheck.gstatic.com/generate_204", { width: "phone", name: "virt-phone" });
  page.setDefaultTimeout(45_000);
  assert.equal(page.url(), "http://192.168.4.1/");
  await visible(page, "#setup-form");
  await shows(page, "#setup-title", "Set up Monster-");
  await inspect(page, "portal");
  await press(page, `#nets input[value="=${ssid}"]`);

  await fill(page, "#s-password", "not-the-password");
  await fill(page, "#s-url", broker);
  await press(page, "#setup-form .primary");
  await shows(page, "#setup-error", `It could not join ${ssid}.`);
  assert.match(await text(page, "#setup-error"), /the password is not accepted/);

  await fill(page, "#s-password", password);
  await fill(page, "#s-url", broker.replace(/\d+$/, "1"));
  await press(page, "#setup-form .primary");
  await shows(page, "#setup-error", "the broker was not reached");
  assert.match(await text(page, "#setup-error"), /connection refused/);
  await inspect(page, "portal-failed");

  await fill(page, "#s-url", broker);
  await press(page, "#setup-form .primary");
  await visible(page, "#progress");
  console.log("lose");
  await shows(page, "#setup-title", "It is connected");
  await visible(page, "#progress-go");
  await inspect(page, "portal-joined");

  // Somebody who opens it anew sees what came of it, and is asked for the password for anything else.
  const other = await open(browser, "http://192.168.4.1/", { width: "phone", name: "virt-phone-again" });
  await shows(other, "#setup-title", "It is connected");
  await other.done();
  await page.done();
  console.log("done");
} finally {
  await browser.close();
}
