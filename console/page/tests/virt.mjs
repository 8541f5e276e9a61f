// The board in QEMU, `cargo xtask virt`, with a broker on this computer.
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const built = name => new URL(`../../../target/debug/${name}`, import.meta.url).pathname;
const [MONSTER, XTASK] = [process.env.MONSTER ?? built("monster"), process.env.XTASK ?? built("xtask")];
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MONSTER")));

const run = promisify(execFile);
/** Those that start look for free ports: one after the other. */
let turn = Promise.resolve();

export class Virt {
  name = "virt";
  id = "a1b2c3";
  ownId = "525400123456"; // When none is set.
  isBoard = true;
  folder = mkdtempSync(join(tmpdir(), "monster-page-virt-"));
  said = "";

  /** Starts it blank but for WiFi and a broker; or, at the door it had, with what it has stored. */
  async start(door) {
    return turn = turn.catch(() => { }).then(() => this.#start(door));
  }

  async #start(door) {
    if (!door) this.broker = await this.#startBroker();
    const port = door?.split(":")[1] ?? await freePort();
    const settings = door ? ["--keep"] : ["--broker", this.broker, "--set", "time.server="];
    const flags = ["virt", "--no-build", "--id", this.id, "--state", join(this.folder, "state"), "--console", port, ...settings];
    this.process = spawn(XTASK, flags, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    for (const out of [this.process.stdout, this.process.stderr]) out.on("data", text => this.said += text);
    await this.says("connected to mqtt");
    this.password ??= /the password of the console is (\S+)/.exec(this.said)[1];
    this.door = `127.0.0.1:${port}`;
    this.link = `http://${this.door}/`;
    return this;
  }

  async #startBroker() {
    this.brokerProcess = spawn(MONSTER, ["broker"], { env: environment, stdio: ["ignore", "pipe", "inherit"] });
    const [url] = await once(this.brokerProcess.stdout, "data");
    return String(url).trim();
  }

  /** The broker as its page shows it: from inside, this computer is at another address. */
  get seen() {
    return this.broker.replace("127.0.0.1", "10.0.2.2");
  }

  /** Waits until its log says this. */
  async says(words) {
    const deadline = Date.now() + 20_000;
    while (!this.said.includes(words)) {
      if (this.process.exitCode != null || Date.now() > deadline) throw new Error(`it does not say "${words}", but\n${this.said}`);
      await new Promise(resolve => setTimeout(resolve, 20));
    }
  }

  /** What `monster send` gets for an answer. */
  async send(...words) {
    const command = ["send", "--broker", this.broker, this.id, ...words];
    const { stdout, stderr } = await run(MONSTER, command, { env: environment }).catch(error => error);
    return stdout.trim() || stderr;
  }

  /** The power goes. */
  async kill() {
    await ended(this.process);
    this.said = "";
  }

  async close() {
    await ended(this.process);
    await ended(this.brokerProcess);
    rmSync(this.folder, { recursive: true, force: true });
  }
}

async function ended(process) {
  if (!process || process.exitCode != null || process.signalCode) return;
  const gone = once(process, "exit");
  process.kill("SIGKILL");
  await gone;
}

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address();
  server.close();
  await once(server, "close");
  return String(port);
}
