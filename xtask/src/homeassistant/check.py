"""Gives messages of discovery to Home Assistant's own code, and says what it makes of them.

    check.py FOLDER   each file of it is a message, as it stands on the broker

It is the code by which Home Assistant reads what comes in on homeassistant/device/<id>/config: the abbreviations, the
schema of the device, and that of each component. Messages that are wrong on purpose must be refused, or this would
prove nothing.
"""

import asyncio
import copy
import json
import logging
import os
import pathlib
import sys

from homeassistant.components.mqtt import button, device_trigger, discovery, event, sensor, switch
from homeassistant.const import __version__
from homeassistant.core import HomeAssistant

PLATFORMS = {
    "button": button.DISCOVERY_SCHEMA,
    "device_automation": device_trigger.TRIGGER_DISCOVERY_SCHEMA,
    "event": event.DISCOVERY_SCHEMA,
    "sensor": sensor.DISCOVERY_SCHEMA,
    "switch": switch.DISCOVERY_SCHEMA,
}


class Refused(Exception):
    """Home Assistant does not take this message."""


class Complaints(logging.Handler):
    """What Home Assistant's code says of a message, rather than raising."""

    def __init__(self):
        super().__init__(logging.WARNING)
        self.said = []

    def emit(self, record):
        self.said.append(record.getMessage())


COMPLAINTS = Complaints()


def components(message):
    """Reads a message as Home Assistant does; how many components there are, and how many are taken away."""
    COMPLAINTS.said.clear()
    device = discovery._parse_device_payload(None, message, "homeassistant/device/x/config", "x", None)
    if not device or COMPLAINTS.said:
        raise Refused(" ".join(COMPLAINTS.said) or "it is empty")
    there = gone = 0
    for key, config in device["components"].items():
        config = dict(config)
        platform = config.pop("platform")
        if not config:
            gone += 1
            continue
        asked = set(config)
        config |= {"device": device["device"], "origin": device["origin"]}
        discovery._merge_common_device_options(config, device)
        try:
            taken = PLATFORMS[platform](config)
        except Exception as error:
            raise Refused(f"{key}: {error}") from error
        # What it does not know it leaves out without a word.
        if unknown := asked - set(taken):
            raise Refused(f"{key}: Home Assistant does not know {sorted(unknown)}")
        there += 1
    return there, gone


def mistakes(message):
    """The same message with one mistake in each."""
    right = json.loads(message)

    def wrong(what, change):
        message = copy.deepcopy(right)
        change(message)
        return what, json.dumps(message)

    sensors = [it for it in right["cmps"] if right["cmps"][it].get("unit_of_meas")]
    yield wrong("no origin", lambda it: it.pop("o"))
    yield wrong("a key at the root that is not known", lambda it: it.update(colour="red"))
    yield wrong("`~` at the root", lambda it: it.update({"~": "monster/x"}))
    yield wrong("a key of the device that is not known", lambda it: it["dev"].update(colour="red"))
    yield wrong("a device that nothing tells apart", lambda it: it["dev"].pop("ids"))
    yield wrong("a platform that does not exist", lambda it: it["cmps"]["switch"].update(p="lever"))
    yield wrong("an entity without a unique id", lambda it: it["cmps"]["switch"].pop("uniq_id"))
    yield wrong("a switch that takes no commands", lambda it: it["cmps"]["switch"].pop("cmd_t"))
    yield wrong("an event without types", lambda it: it["cmps"]["button"].pop("evt_typ"))
    yield wrong("a trigger without a topic", lambda it: it["cmps"]["button_single"].pop("t"))
    yield wrong("a key of a switch that is not known", lambda it: it["cmps"]["switch"].update(colour="red"))
    for key in sensors:
        yield wrong(f"a unit that does not fit {key}", lambda it: it["cmps"][key].update(unit_of_meas="furlong"))


async def main():
    logging.getLogger("homeassistant").addHandler(COMPLAINTS)
    logging.getLogger("homeassistant").propagate = False
    # Some of the schemas look for a running instance.
    HomeAssistant("/nonexistent")
    print(f"Home Assistant {__version__}, Python {sys.version.split()[0]}")
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.json"))
    failed = not files
    made = 0
    for file in files:
        message = file.read_text()
        try:
            there, gone = components(message)
            print(f"{file.stem}: {there} components, {gone} taken away, {len(message.encode())} bytes")
        except Refused as refused:
            failed = True
            print(f"{file.stem}: REFUSED: {refused}")
            continue
        for what, wrong in mistakes(message):
            made += 1
            try:
                components(wrong)
            except Refused:
                continue
            failed = True
            print(f"{file.stem}: TAKEN, and should be refused: {what}")
    print(f"{len(files)} messages were read, and {made} with a mistake in them")
    sys.stdout.flush()
    # Its threads need no goodbye.
    os._exit(1 if failed else 0)


asyncio.run(main())
