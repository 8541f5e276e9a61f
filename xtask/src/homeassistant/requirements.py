"""Prints what Home Assistant needs to start with its pages and MQTT: the requirements of what it loads of itself, of MQTT,
and of what these depend on."""

import json
import pathlib
import re

import homeassistant

root = pathlib.Path(homeassistant.__file__).parent
bootstrap = (root / "bootstrap.py").read_text()
# Names between the braces of its sets of integrations.
sets = re.findall(r"^\w*INTEGRATIONS\w*(?:: [^=]+)? = \{(.*?)\}", bootstrap, re.S | re.M)
wanted = {name for text in sets for name in re.findall(r'"([a-z_0-9]+)"', text)}
wanted |= {"config", "frontend", "history", "logbook", "mqtt"}
seen, needed = set(), set()
while wanted:
    name = wanted.pop()
    manifest = root / "components" / name / "manifest.json"
    if name in seen or not manifest.is_file():
        continue
    seen.add(name)
    manifest = json.loads(manifest.read_text())
    wanted |= set(manifest.get("dependencies", []))
    needed |= set(manifest.get("requirements", []))
print("\n".join(sorted(needed)))
