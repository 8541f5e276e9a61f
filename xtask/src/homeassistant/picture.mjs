// A picture of Home Assistant's own page of the device, in a headless Chromium that is signed in already.
import { createRequire } from "node:module";

/** Takes it, as soon as these words stand on the page: `tokens` are what Home Assistant gave the user at `base`. */
export async function take({ root, path, base, client_id, tokens, place, words }) {
  const puppeteer = createRequire(`${root}/console/page/tests/package.json`)("puppeteer-core");
  const browser = await puppeteer.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium", headless: true,
    args: ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--lang=en"],
  });
  try {
    const page = await browser.newPage();
    const faults = [];
    page.on("pageerror", error => faults.push(error.stack ?? String(error)));
    await page.setViewport({ width: 1240, height: 900 });
    await page.evaluateOnNewDocument(tokens => localStorage.setItem("hassTokens", tokens), JSON.stringify({
      ...tokens, hassUrl: base, clientId: client_id, expires: Date.now() + tokens.expires_in * 1000,
    }));
    await page.goto(base + place);
    const seen = await page.waitForFunction(holds, { polling: 200, timeout: 60_000 }, words).catch(() => null);
    if (!seen) throw new Error(`${words.join(", ")} are not to be seen on ${place}: ${faults.join("\n")}`);
    // Cards fade in, and icons come after their words.
    await page.waitForNetworkIdle({ idleTime: 1000, timeout: 30_000 });
    await page.screenshot({ path, type: "webp", quality: 82 });
  } finally {
    await browser.close();
  }
}

/** In the page: whether all these words are on it, inside its elements' own trees, too. */
function holds(words) {
  const text = node => node.nodeType == Node.TEXT_NODE ? node.data : [...(node.shadowRoot?.childNodes ?? []), ...node.childNodes].map(text).join(" ");
  const all = text(document.body);
  return words.every(word => all.includes(word));
}
