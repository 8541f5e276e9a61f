// The real device: `monster run`, with a broker of its own.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const MONSTER = process.env.MONSTER ?? new URL("../../../target/debug/monster", import.meta.url).pathname;
const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("MONSTER")));

export class Desk {
  folder = mkdtempSync(join(tmpdir(), "monster-page-"));
  said = "";

  /** Starts it, at this address or any. */
  async start(console = "127.0.0.1:0") {
    this.process = spawn(MONSTER, ["run", "--id", "a1b2c3", "--state", "state", "--console", console], { cwd: this.folder, env: environment });
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

  /** What `monster send` gets for an answer. */
  send(...words) {
    const { stdout, stderr } = spawnSync(MONSTER, ["send", "--broker", this.broker, "a1b2c3", ...words], { cwd: this.folder, env: environment, encoding: "utf8" });
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
