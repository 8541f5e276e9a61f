// A device that is none: it speaks the console's HTTP API, so that the page can be shown in states a real
// one is seldom in. `node mock.mjs [PORT]` runs it alone; its password is `monster`.
import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { gzipSync } from "node:zlib";
import { SETTINGS } from "./settings.mjs";

const PAGE = new URL("../index.html", import.meta.url);

/** The policy the real server sends: the page's one style and one script, by their hashes, and nothing else. */
export function policy(page) {
  const hash = tag => `'sha256-${createHash("sha256").update(page.match(new RegExp(`<${tag}>([^]*?)</${tag}>`))[1]).digest("base64")}'`;
  return `default-src 'none'; style-src ${hash("style")}; script-src ${hash("script")}; img-src data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'`;
}

export class Mock {
  password = "monster";
  board = "desk";
  sessions = new Set();
  wrong = 0;
  wait = 7; // Seconds that too many wrong passwords cost.
  attempts = 0;
  silent = false; // Its streams stay open and say nothing.
  cuts = ""; // Answers to this path break off in their middle.
  slots = 4; // How many pages are served events.
  streams = new Set();
  sockets = new Set();
  commands = []; // What was asked, for tests to see.
  switch = "on";
  button = null;
  climate = { temperature: 23.4, humidity: 56.0, age: 1 };
  connection = { state: "online", broker: "mqtt://192.168.1.10:1883", reason: null, retry_in: null };
  diag = { reset: "power-on", boots: 12, reconnects: 3, drops: 0, rejected: 1, retained_ignored: 0, ping_ms: 4, free: 148_480, rssi: null, ip: "192.168.1.23" };
  booted = Date.now() - 93_784_000;
  settings = structuredClone(SETTINGS);
  wifi = null; // On a board: { networks, joined }.
  join = { state: "none", step: null, error: null };
  setUp = true; // Whether WiFi and broker are set: until then the access point needs no login.
  log = [
    [-21_000, "info", "joined Attic: 192.168.1.23/24, gateway 192.168.1.1, DNS 192.168.1.1"],
    [-20_000, "info", "connected to mqtt://192.168.1.10:1883, listening on 1226d800"],
    [-14_000, "info", "switch on, by the button"],
    [-9_000, "warn", "not a command: no such word"],
    [-6_000, "error", "no reading: timeout"],
    [-4_000, "debug", "th 23.4 56.0"],
  ].map(([before, level, text]) => ({ at: Date.now() - this.booted + before, level, text }));
  history = Array.from({ length: 120 }, (_, i) => i > 62 && i < 69 ? null
    : [Math.round((22.4 + Math.sin(i / 19) + i / 130 + Math.sin(i * 1.7) / 14) * 10) / 10, Math.round((53.3 - 4 * Math.sin(i / 24 + .5) + Math.sin(i * 1.3) / 3) * 10) / 10]);

  async listen(port = 0) {
    this.page = readFileSync(PAGE, "utf8");
    this.server = createServer((request, response) => this.serve(request, response));
    this.server.on("connection", socket => { this.sockets.add(socket); socket.on("close", () => this.sockets.delete(socket)); });
    await new Promise(resolve => this.server.listen(port, "127.0.0.1", resolve));
    this.port = this.server.address().port;
    this.url = `http://127.0.0.1:${this.port}/`;
    this.beat = setInterval(() => this.tell(), 5000);
    return this;
  }

  /** The power goes: every connection breaks, none is taken. */
  async close() {
    clearInterval(this.beat);
    if (!this.server.listening) return;
    const closed = new Promise(resolve => this.server.close(resolve));
    for (const socket of this.sockets) socket.destroy();
    this.streams.clear();
    await closed;
  }

  status() {
    return {
      id: "1226d800", name: "Monster-1226d800", version: "0.1.0", board: this.board, switch: this.switch, button: this.button, climate: this.climate,
      connection: this.connection, diag: { uptime: Math.floor((Date.now() - this.booted) / 1000), ...this.diag },
    };
  }

  /** Something changed: whoever listens is told. */
  tell(change = {}) {
    Object.assign(this, change);
    if (this.silent) return;
    for (const stream of this.streams) stream.write(event("status", this.status()));
  }

  say(level, text) {
    const line = { at: Date.now() - this.booted, level, text };
    this.log.push(line);
    for (const stream of this.streams) stream.write(event("log", line));
  }

  /** Starts anew: connections break, and what stood in RAM is gone. Who is signed in stays so. */
  restart() {
    Object.assign(this, { booted: Date.now(), log: [], history: [], button: null });
    for (const stream of this.streams) stream.destroy();
    this.say("info", "connected to mqtt://192.168.1.10:1883, listening on 1226d800");
  }

  /** As a desk does: its connections hold. */
  restartQuietly() {
    Object.assign(this, { booted: Date.now(), log: [], history: [], button: null });
    this.tell();
  }

  async serve(request, response) {
    const path = request.url, route = `${request.method} ${path}`;
    let text = "";
    for await (const chunk of request) text += chunk;
    const body = text ? JSON.parse(text) : {};
    const answer = (status, value, headers = {}) => {
      const text = value && JSON.stringify(value);
      if (path == this.cuts) headers["Content-Length"] = text.length;
      response.writeHead(status, { "Content-Type": "application/json", "Cache-Control": "no-store", ...headers });
      if (path == this.cuts) return response.write(text.slice(0, 3), () => response.destroy());
      response.end(text);
    };
    if (route == "GET /") {
      response.writeHead(200, { "Content-Type": "text/html; charset=utf-8", "Content-Encoding": "gzip", "Content-Security-Policy": policy(this.page), "X-Content-Type-Options": "nosniff" });
      return response.end(gzipSync(this.page));
    }
    if (route == "POST /api/login") {
      this.attempts++;
      if (this.wrong >= 5) return answer(429, { error: "too many wrong passwords; wait" }, { "Retry-After": String(this.wait) });
      if (body.password !== this.password) return this.wrong++, answer(401, { error: "that is not the password" });
      const token = randomBytes(16).toString("hex");
      this.sessions.add(token);
      this.wrong = 0;
      return answer(204, undefined, { "Set-Cookie": `monster=${token}; HttpOnly; SameSite=Strict; Path=/` });
    }
    const token = /monster=(\w+)/.exec(request.headers.cookie ?? "")?.[1];
    const open = this.wifi && !this.setUp && /^\/api\/(wifi|join)$/.test(path);
    if (!this.sessions.has(token) && !open) return answer(401, { error: "log in first" });
    switch (route) {
      case "POST /api/logout": this.sessions.delete(token); return answer(204);
      case "GET /api/status": return answer(200, this.status());
      case "POST /api/command": return this.command(body.command, answer);
      case "GET /api/settings": return answer(200, { settings: this.settings });
      case "PUT /api/settings": return this.set(body, answer);
      case "GET /api/history": return answer(200, { step: 30, readings: this.history });
      case "GET /api/events": return this.events(request, response, answer);
    }
    if (this.wifi && route == "GET /api/wifi") return answer(200, this.wifi);
    if (this.wifi && route == "GET /api/join") return answer(200, this.join);
    if (this.wifi && route == "POST /api/join") return this.tryJoin(body, answer);
    answer(404, { error: `there is no ${path}` });
  }

  events(request, response, answer) {
    if (this.streams.size >= this.slots) return answer(503, { error: "all places for live pages are taken; close another one" }, { "Retry-After": "3" });
    response.writeHead(200, { "Content-Type": "text/event-stream", "Cache-Control": "no-store" });
    response.write(event("status", this.status()));
    for (const line of this.log) response.write(event("log", line));
    this.streams.add(response);
    request.on("close", () => this.streams.delete(response));
    response.on("close", () => this.streams.delete(response));
  }

  command(text, answer) {
    this.commands.push(text);
    const [word, length] = String(text).split(" ");
    if (word == "pulse" && !(length >= 50 && length <= 600000)) return answer(400, { ok: false, error: "a pulse is 50 to 600000 ms long" });
    if (!["on", "off", "toggle", "pulse", "th", "identify", "restart", "factory-reset"].includes(word)) return answer(400, { ok: false, error: `"${text}" is not a command` });
    if (word == "on" || word == "off") this.switch = word;
    if (word == "toggle") this.switch = this.switch == "on" ? "off" : "on";
    answer(200, { ok: true, state: this.switch });
    if (word == "restart" || word == "factory-reset") this.restart();
    else this.tell();
  }

  set(changes, answer) {
    for (const [key, value] of Object.entries(changes)) {
      const setting = this.settings.find(one => one.key == key);
      const refuse = error => answer(400, { ok: false, key, error: `${key} = "${value}": ${error}` });
      if (!setting) return refuse("there is no such setting");
      if (setting.fixed) return refuse("it is fixed");
      const n = Number(value);
      if (setting.kind == "number" && !(value.trim() && n >= setting.min && n <= setting.max)) return refuse(`allowed: ${setting.allowed}`);
      if (setting.kind == "choice" && !setting.choices.includes(value)) return refuse(`allowed: ${setting.allowed}`);
    }
    this.changed = changes;
    for (const [key, value] of Object.entries(changes)) {
      const setting = this.settings.find(one => one.key == key);
      if (setting.kind == "secret") setting.is_set = value != "";
      else setting.value = value;
    }
    answer(200, { ok: true, restart: true });
    this.restart();
  }

  tryJoin(body, answer) {
    if (!/^mqtts?:\/\/[\w.-]+/.test(body["broker.url"])) return answer(400, { ok: false, key: "broker.url", error: `broker.url = "${body["broker.url"]}": allowed: mqtt://host[:port]` });
    this.joinBody = body;
    this.join = { state: "trying", step: "wifi", error: null, ssid: body.ssid };
    answer(202, { ok: true });
  }
}

const event = (name, data) => `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;

/** What a scan hears. */
export const AIR = {
  name: "Monster-1226d800", joined: null,
  networks: [
    { ssid: "Attic", rssi: -48, secure: true }, { ssid: "Attic", rssi: -71, secure: true }, { ssid: "Neighbour's", rssi: -74, secure: true },
    { ssid: "咖啡馆", rssi: -62, secure: false }, { ssid: "printer-direct-0f", rssi: -86, secure: true },
  ],
};

if (process.argv[1] == new URL(import.meta.url).pathname) {
  const mock = new Mock();
  await mock.listen(Number(process.argv[2] ?? 8266));
  console.log(`${mock.url}, password ${mock.password}`);
}
