"""/openapi.json of a real server, before a public linter (npm's @redocly/cli, its recommended rules), which
tools/fetch-clients.sh gets; without it that test is skipped."""
import json
import os
import shutil
import subprocess
import tempfile

from serving import Server, Skip, check, fetched, main, same, test


def lint(path):
    linter = os.path.join(fetched("redocly-*", "the linter"), "node_modules", ".bin", "redocly")
    if not shutil.which("node"):
        raise Skip("node is not here")
    env = dict(os.environ, REDOCLY_TELEMETRY="off", REDOCLY_SUPPRESS_UPDATE_NOTICE="true", NO_COLOR="1")
    return subprocess.run([linter, "lint", "--format=json", path], capture_output=True, timeout=600, env=env)


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
