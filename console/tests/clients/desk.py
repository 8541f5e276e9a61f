"""A real device to talk to: `monster run`, with its own broker, in a folder of its own."""

import http.client
import json
import os
import re
import signal
import subprocess
import tempfile
import threading

ID = "a1b2c3"
PASSWORD = "the-password-of-this-device"


class Desk:
    def __init__(self, monster):
        self.monster = os.path.abspath(monster)

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory(prefix="monster-clients-")
        environment = {k: v for k, v in os.environ.items() if not k.startswith("MONSTER")}
        # From the environment: it stays, whatever is stored or forgotten.
        environment["MONSTER_CONSOLE_PASSWORD"] = PASSWORD
        flags = ["run", "--id", ID, "--state", "state", "--console", "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [self.monster, *flags], cwd=self.folder.name, env=environment,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        said = ""
        for line in self.process.stdout:
            said += line
            found = re.search(r"http://127\.0\.0\.1:(\d+)/", line)
            if found:
                self.port = int(found[1])
                break
        else:
            raise SystemExit(f"it has no console:\n{said}")
        # Whoever does not listen would hold it up one day.
        threading.Thread(target=self.process.stdout.read, daemon=True).start()
        return self

    def __exit__(self, *_):
        died = self.process.poll()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)
        self.folder.cleanup()
        if died is not None:
            raise SystemExit(f"the device died: {died}")

    def wait_for_start(self):
        """It serves its console while it starts anew."""

    def ask(self, method, path, body=None, cookie=None):
        """Returns the status, the headers and what the body says."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Cookie": cookie} if cookie else {}
        connection.request(method, path, json.dumps(body) if body is not None else None, headers)
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, answer.headers, json.loads(text) if text else None

    def sign_in(self):
        """Returns the cookie."""
        status, headers, _ = self.ask("POST", "/api/login", {"password": PASSWORD})
        assert status == 204, status
        return headers["Set-Cookie"].split(";")[0]
