"""likeness add with exports that consist of several files, and with one of each kind at once. The files are
made here, to the descriptions named in docs/FORMATS.md."""
import io
import json
import os
import sys
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Sandbox, check, main, same, test  # noqa: E402


def zipped(files, first=()):
    """Names in `first` come first, the others as they stand."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name in [*first, *(n for n in files if n not in first)]:
            z.writestr(zipfile.ZipInfo(name, (2021, 3, 2, 21, 14, 0)), files[name])
    return out.getvalue()


def slack(days=3):
    """A channel and a direct message; the lists of names lie behind the days."""
    files = {}
    for day in range(1, days + 1):
        ts = 1609459200 + 86400 * (day - 1)
        files[f"general/2021-01-{day:02}.json"] = json.dumps([
            {"type": "message", "user": "U1", "text": f"Morning report {day} from the harbour", "ts": f"{ts}.000100"},
            {"type": "message", "user": "U2", "text": f"Thanks <@U1>, number {day}", "ts": f"{ts + 60}.000200",
             "thread_ts": f"{ts}.000100"}], indent=4)
    files["D1/2021-01-01.json"] = json.dumps([
        {"type": "message", "user": "U1", "text": "Shall we row?", "ts": "1609459300.000100"}], indent=4)
    files["channels.json"] = json.dumps([{"id": "C1", "name": "general", "created": 1, "creator": "U1",
                                          "members": ["U1", "U2"]}])
    files["dms.json"] = json.dumps([{"id": "D1", "created": 1, "members": ["U1", "U2"]}])
    files["groups.json"] = files["mpims.json"] = "[]"
    files["users.json"] = json.dumps([
        {"id": "U1", "team_id": "T1", "name": "ann", "profile": {"real_name": "Ann Lee", "display_name": "ann"}},
        {"id": "U2", "team_id": "T1", "name": "bo", "profile": {"real_name": "Bo Berg", "display_name": ""}}])
    return files


def sources(box):
    return {s["title"]: s for s in box.run("sources", "--json").ok().json()["sources"]}


@test("a Slack export is one source for each channel, with names that stand at its end")
def _():
    for packed in (True, False):
        box = Sandbox().persona("Ann Lee")
        if packed:
            path = box.file("export.zip", zipped(slack()))
        else:
            path = "export"
            for name, data in slack().items():
                box.file("export/" + name, data)
        r = box.run("add", path, "--json").ok().json()
        same(r["totals"]["failed"], 0, "failed")
        same((r["totals"]["added"], r["totals"]["voice"]), (7, 4), "pieces, and own ones")
        got = sources(box)
        same(sorted(got), ["Ann Lee, Bo Berg", "general"], "sources")
        same(got["general"]["pieces"], 6, "pieces of the channel")
        check(got["general"]["chunks"] > 0, "the channel was not cut into chunks")
        box.run("search", "harbour").ok().has("Morning report 2")
        box.run("doctor", "--check").ok()
        # A later export has all of it, and a day more.
        more = slack(4)
        if packed:
            box.file("export.zip", zipped(more))
        else:
            box.file("export/general/2021-01-04.json", more["general/2021-01-04.json"])
        r = box.run("add", path, "--json").ok().json()
        same((r["totals"]["added"], r["totals"]["known"]), (2, 7), "added and known")
        same({t: s["pieces"] for t, s in sources(box).items()}, {"Ann Lee, Bo Berg": 1, "general": 8}, "sources")


main()
