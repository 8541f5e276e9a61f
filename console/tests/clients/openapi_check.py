"""Schemathesis goes through the API's description, and the real device has to answer as it says."""

import gzip
import http.client
import json
import os
import pathlib
import subprocess
import sys

from desk import ID, Desk

HERE = pathlib.Path(__file__).parent
MONSTER, SCHEMATHESIS = sys.argv[1:]


def stream(desk, cookie):
    """The beginning of the events, which never end: schemathesis would wait."""
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=10)
    connection.request("GET", "/api/events", headers={"Cookie": cookie})
    answer = connection.getresponse()
    assert (answer.status, answer.headers.get_content_type()) == (200, "text/event-stream")
    events = {}
    while {"status", "log"} - events.keys():
        name = answer.readline().decode().strip()
        if name.startswith("event: "):
            events[name[7:]] = json.loads(answer.readline().decode().removeprefix("data: "))
    connection.close()
    return events


with Desk(MONSTER) as desk:
    cookie = desk.sign_in()
    description = json.loads((HERE / "../../openapi.json").read_text())
    connection = http.client.HTTPConnection("127.0.0.1", desk.port, timeout=10)
    connection.request("GET", "/api/openapi.json", headers={"Cookie": cookie})
    served = json.loads(gzip.decompress(connection.getresponse().read()))
    assert served == description, "what is served is the file"

    import jsonschema_rs

    for name, schema in [("status", "Status"), ("log", "LogLine")]:
        wanted = {"$ref": f"#/components/schemas/{schema}", "components": description["components"]}
        jsonschema_rs.validator_for(wanted).validate(stream(desk, cookie)[name])

    # The name of the cookie has the device's id in it.
    description["components"]["securitySchemes"]["cookie"]["name"] = f"monster-{ID}"
    schema = pathlib.Path(desk.folder.name, "openapi.json")
    schema.write_text(json.dumps(description))
    command = [SCHEMATHESIS, "--config-file", HERE / "schemathesis.toml", "run", schema, "--url", f"http://127.0.0.1:{desk.port}"]
    environment = os.environ | {"MONSTER_TOKEN": cookie.partition("=")[2]}
    result = subprocess.run(command, cwd=desk.folder.name, env=environment)
    status = desk.ask("GET", "/api/status", cookie=cookie)[0]
    assert status == 200, "the device is there afterwards"
    if result.returncode:
        raise SystemExit(result.returncode)
