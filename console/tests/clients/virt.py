"""The board in QEMU to talk to: `cargo xtask virt`, with a broker of its own."""

import os
import socket
import subprocess
import tempfile
import threading

from desk import ID, PASSWORD


class Virt:
    def __init__(self, xtask):
        self.xtask = os.path.abspath(xtask)
        self.said = ""
        self.heard = threading.Condition()

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="monster-clients-virt-")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MONSTER")}
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        flags = ["virt", "--no-build", "--broker", "embedded", "--id", ID, "--state", f"{self.folder.name}/state",
                 "--console", str(self.port), "--set", f"console.password={PASSWORD}", "--set", "time.server="]
        self.process = subprocess.Popen(
            [self.xtask, *flags], env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True)
        threading.Thread(target=self._listen, daemon=True).start()
        self.starts = 0
        self.wait_for_start()
        return self

    def _listen(self):
        for line in self.process.stdout:
            with self.heard:
                self.said += line
                self.heard.notify_all()

    def wait_for_start(self):
        """Waits until it has started once more, and can be reached."""
        self.starts += 1
        with self.heard:
            if not self.heard.wait_for(lambda: self.said.count("joined the network") >= self.starts, 30):
                self.process.kill()
                raise SystemExit(f"it does not start:\n{self.said}")

    def __exit__(self, *_):
        died = self.process.poll()
        self.process.kill()
        self.process.wait(10)
        self.folder.cleanup()
        if died is not None:
            raise SystemExit(f"the board died: {died}\n{self.said}")
