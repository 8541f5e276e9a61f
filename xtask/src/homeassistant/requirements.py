"""Prints what Home Assistant needs to start with its pages and MQTT: the requirements of what it loads of itself, of MQTT,
of what its pages ask it to describe, and of what these depend on. Where it lacks one of the last, its pages stay empty.

    requirements.py NAME…   but those of these names, which have a stand-in
"""

import json
import pathlib
import re
import sys

import homeassistant

root = pathlib.Path(homeassistant.__file__).parent
bootstrap = (root / "bootstrap.py").read_text()
# Names between the braces of its sets of integrations.
sets = re.findall(r"^\w*INTEGRATIONS\w*(?:: [^=]+)? = \{(.*?)\}", bootstrap, re.S | re.M)
wanted = {name for text in sets for name in re.findall(r'"([a-z_0-9]+)"', text)}
wanted |= {"config", "frontend", "history", "logbook", "mqtt"}
# To describe its actions it imports every kind of thing that has some; a camera imports what streams.
service = (root / "helpers/service.py").read_text()
kinds = re.search(r"def _base_components.*?from homeassistant.components import \((.*?)^    \)", service, re.S | re.M)
wanted |= set(re.findall(r"^\s+([a-z_]+),", kinds[1], re.M)) | {"stream"}
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
left_out = sys.argv[1:]
print("\n".join(sorted(it for it in needed if it.split("==")[0] not in left_out)))
