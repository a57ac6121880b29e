"""/openapi.json of a real server, before a public linter (npm's @redocly/cli, its recommended rules)."""
import json
import os
import shutil
import subprocess
import tempfile

from serving import Server, Skip, check, main, same, test

LINTER = "@redocly/cli@latest"


def lint(path):
    if not shutil.which("npx"):
        raise Skip("npx is not here")
    try:
        there = subprocess.run(["npm", "view", LINTER, "version"], capture_output=True, timeout=60)
    except subprocess.TimeoutExpired:
        raise Skip("the npm registry does not answer")
    if there.returncode:
        raise Skip("the npm registry cannot be reached")
    env = dict(os.environ, REDOCLY_TELEMETRY="off", NO_COLOR="1")
    return subprocess.run(["npx", "--yes", LINTER, "lint", "--format=json", path], capture_output=True,
                          timeout=600, env=env)


@test("the description is served to anybody, and says where to log in")
def _():
    with Server() as s:
        doc = s.nobody.get("/openapi.json").is_(200).json
        same(doc["openapi"], "3.1.0", "version")
        flow = doc["components"]["securitySchemes"]["password"]["flows"]["password"]
        same(flow["tokenUrl"], "/api/token/", "tokenUrl")
        for path in doc["paths"]:
            if "{" not in path and "get" in doc["paths"][path]:
                r = s.nobody.get(path)
                check(r.status not in (404, 405), f"{path} is told and not there: {r.status}")


@test("a public linter finds no error in it")
def _():
    with Server() as s, tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "openapi.json")
        with open(path, "wb") as f:
            f.write(s.nobody.get("/openapi.json").is_(200).body)
        p = lint(path)
        try:
            said = json.loads(p.stdout)
        except ValueError:
            raise AssertionError(f"status {p.returncode}: {p.stdout[-2000:]!r} {p.stderr[-2000:]!r}")
        errors = [f"{x['ruleId']}: {x['message']} {x['location'][0].get('pointer')}"
                  for x in said["problems"] if x["severity"] == "error"]
        check(not errors, "\n".join(errors))
        same(said["totals"]["errors"], 0, "errors")


main()
