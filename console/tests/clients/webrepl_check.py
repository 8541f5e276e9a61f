"""MicroPython's WebREPL client, as the PyPI package `webrepl` has it, against real devices, this computer and the
board in QEMU: version, commands, and `settings.toml` there and back."""

import sys
import tomllib

import webrepl

from desk import PASSWORD, Desk
from virt import Virt


def connect(device, password=PASSWORD):
    repl = webrepl.Webrepl(host="127.0.0.1", port=device.port, password=password)
    repl.s.settimeout(10)
    return repl


def execute(repl, line):
    """Types a line at the prompt, and returns what comes before the next one."""
    repl.ws.writetext(line.encode() + b"\r\n")
    return until_prompt(repl)


def until_prompt(repl):
    answer = b""
    while not answer.endswith(b">>> "):
        answer += repl.ws.read(4096, text_ok=True, size_match=False)
    return answer.decode()


def flat(table, prefix=""):
    for key, value in table.items():
        if isinstance(value, dict):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def settings(device):
    text = connect(device).get_file_content("settings.toml").decode()
    return text, dict(flat(tomllib.loads(text)))


def put(device, text):
    """Returns whether the device took the file."""
    name = f"{device.folder.name}/to-send.toml"
    with open(name, "w") as file:
        file.write(text)
    try:
        connect(device).put_file(name, "settings.toml")
        return True
    except AssertionError:
        # So this client says that the answer's code is not 0.
        return False


def check(device):
    assert not connect(device, "not-the-password").connected

    repl = connect(device)
    assert repl.connected
    until_prompt(repl)
    assert repl.get_ver()[0] == 1, "MicroPython's major version"
    assert "off" in execute(repl, "off")
    assert "off" in execute(repl, "status")
    assert "on" in execute(repl, "toggle")
    assert "23.4" in execute(repl, "th")
    assert "allowed" in execute(repl, "get mqtt.keep_alive")
    assert "no such command" in execute(repl, "import os")
    repl.disconnect()

    text, before = settings(device)
    assert before["mqtt.keep_alive"] in (60, "60"), before
    assert PASSWORD not in text
    for wrong in ["mqtt.keep_alive = 1\n", "there.is.none = 1\n", "this is no TOML", "heartbeat.seconds = 9\nmqtt.keep_alive = 1\n"]:
        assert not put(device, wrong), wrong
    assert settings(device)[1] == before, "nothing was changed"
    # Back as it came, and then another.
    assert put(device, text)
    assert settings(device)[1] == before
    assert put(device, "[mqtt]\nkeep_alive = 33\n")
    device.wait_for_start()
    after = settings(device)[1]
    assert after.pop("mqtt.keep_alive") in (33, "33"), after
    before.pop("mqtt.keep_alive")
    assert after == before, "all others are as they were"
    assert put(device, "broker.user = 'ann'\nbroker.password = 'canary'\nbroker.url = 'mqtt://bob:canary@127.0.0.1:1'\n")
    device.wait_for_start()
    text, after = settings(device)
    assert "canary" not in text and after["broker.user"] == "ann", text
    # What is not whole by the limit of a file is refused.
    assert not put(device, "#" * 5000)
    repl = connect(device)
    until_prompt(repl)
    assert "33" in execute(repl, "get mqtt.keep_alive")


with Desk(sys.argv[1]) as desk:
    check(desk)
with Virt(sys.argv[2]) as virt:
    check(virt)
    assert PASSWORD not in virt.said and "canary" not in virt.said, virt.said
print("MicroPython's WebREPL client works: password, version, commands, get, put")
