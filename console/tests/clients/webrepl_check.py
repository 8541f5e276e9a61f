"""MicroPython's WebREPL client, as the PyPI package `webrepl` has it, against a real device: version,
commands, and `settings.toml` there and back."""

import sys
import tomllib

import webrepl

from desk import PASSWORD, Desk


def connect(desk, password=PASSWORD):
    repl = webrepl.Webrepl(host="127.0.0.1", port=desk.port, password=password)
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


def settings(desk):
    text = connect(desk).get_file_content("settings.toml").decode()
    return text, dict(flat(tomllib.loads(text)))


def put(desk, text):
    """Returns whether the device took the file."""
    name = f"{desk.folder.name}/to-send.toml"
    with open(name, "w") as file:
        file.write(text)
    try:
        connect(desk).put_file(name, "settings.toml")
        return True
    except AssertionError:
        # So this client says that the answer's code is not 0.
        return False


with Desk(sys.argv[1]) as desk:
    assert not connect(desk, "not-the-password").connected

    repl = connect(desk)
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

    text, before = settings(desk)
    assert before["mqtt.keep_alive"] in (60, "60"), before
    assert PASSWORD not in text
    for wrong in ["mqtt.keep_alive = 1\n", "there.is.none = 1\n", "this is no TOML", "heartbeat.seconds = 9\nmqtt.keep_alive = 1\n"]:
        assert not put(desk, wrong), wrong
    assert settings(desk)[1] == before, "nothing was changed"
    # Back as it came, and then another.
    assert put(desk, text)
    assert settings(desk)[1] == before
    assert put(desk, "[mqtt]\nkeep_alive = 33\n")
    after = settings(desk)[1]
    assert after.pop("mqtt.keep_alive") in (33, "33"), after
    before.pop("mqtt.keep_alive")
    assert after == before, "all others are as they were"
    assert put(desk, "broker.user = 'ann'\nbroker.password = 'canary'\nbroker.url = 'mqtt://bob:canary@127.0.0.1:1'\n")
    text, after = settings(desk)
    assert "canary" not in text and after["broker.user"] == "ann", text
    # What is not whole by the limit of a file is refused.
    assert not put(desk, "#" * 5000)
    repl = connect(desk)
    until_prompt(repl)
    assert "33" in execute(repl, "get mqtt.keep_alive")

print("MicroPython's WebREPL client works: password, version, commands, get, put")
