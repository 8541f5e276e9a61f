// The real device: `monster run`, with a broker of its own.
import { execFile, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

const MONSTER = process.env.MONSTER ?? new URL("../../../target/debug/monster", import.meta.url).pathname;
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MONSTER")));

const run = promisify(execFile);

export class Desk {
  name = "desk";
  id = "a1b2c3";
  isBoard = false;
  folder = mkdtempSync(join(tmpdir(), "monster-page-"));
  said = "";

  /** Starts it, at this address or any. */
  async start(console = "127.0.0.1:0") {
    this.process = spawn(MONSTER, ["run", "--id", this.id, "--state", "state", "--console", console], { cwd: this.folder, env: environment });
    const ended = new Promise((_, fail) => this.process.once("exit", code => fail(new Error(`monster ended: ${code}\n${this.said}`))));
    ended.catch(() => { });
    const heard = new Promise(resolve => {
      for (const out of [this.process.stdout, this.process.stderr]) out.on("data", text => {
        this.said += text;
        const [, link, door] = /(http:\/\/([\d.:]+)\/login\/\w+)/.exec(this.said) ?? [];
        if (link && this.said.includes("connected to mqtt")) resolve(Object.assign(this, { link, door, broker: /connected to (mqtt:\S+?)[,\s]/.exec(this.said)[1] }));
      });
    });
    return Promise.race([heard, ended]);
  }

  /** The broker as its page shows it. */
  get seen() {
    return this.broker;
  }

  /** What `monster send` gets for an answer. */
  async send(...words) {
    const command = ["send", "--broker", this.broker, this.id, ...words];
    const { stdout, stderr } = await run(MONSTER, command, { cwd: this.folder, env: environment }).catch(error => error);
    return stdout.trim() || stderr;
  }

  write(name, text) {
    writeFileSync(join(this.folder, name), text);
  }

  /** The power goes. */
  async kill() {
    const gone = new Promise(resolve => this.process.once("exit", resolve));
    this.process.kill("SIGKILL");
    await gone;
    this.said = "";
  }

  async close() {
    if (this.process.exitCode == null && !this.process.signalCode) await this.kill();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
