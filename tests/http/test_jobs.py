#!/usr/bin/env python3
"""Jobs over HTTP and beside a running server: looked at, followed, cancelled, and nobody else's."""
import json
import os
import signal
import subprocess
import time

from serving import BIN, Server, check, main, no_uploads, same, test


def upload(who, text="I like boats.", persona=None):
    return who.post(f"/api/personas/{persona or who.persona}/sources", files=[("notes.txt", text)]).is_(202)


def job_of(reply):
    return reply.json["job"]["id"]


@test("a job is looked at and listed, and is nobody else's")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        same(ann.get("/api/jobs").is_(200).json, {"jobs": [], "next": None})
        r = upload(ann)
        n = job_of(r)
        same(r.headers["Location"], f"/api/jobs/{n}")
        ann.wait_job(n)
        j = ann.get(f"/api/jobs/{n}/").is_(200).json
        same((j["kind"], j["state"], j["persona"]), ("ingest", "done", ann.persona))
        check("args" not in j, j)
        for path in (f"/api/jobs/{n}", f"/api/jobs/{n}/events", "/api/jobs/999", "/api/jobs/999/events"):
            bob.get(path).error(404, "NOTFOUND")
        bob.post(f"/api/jobs/{n}/cancel").error(404, "NOTFOUND")
        same(bob.get("/api/jobs").json["jobs"], [])
        s.nobody.get("/api/jobs").error(401)
        s.nobody.get(f"/api/jobs/{n}/events").error(401)
        for k in range(3):
            last = job_of(upload(ann, f"note {k}"))
        ann.wait_job(last)
        page = ann.get("/api/jobs?limit=2").is_(200).json
        same(page["jobs"][0]["id"] >= last, True)
        rest = ann.get(f"/api/jobs?limit=200&before={page['next']}").json
        same({j["id"] for j in page["jobs"]} & {j["id"] for j in rest["jobs"]}, set())
        same(rest["next"], None)
        ann.get("/api/jobs?limit=0").error(400)
        ann.get("/api/jobs?limit=x").error(400)


@test("a job that is over: its stream says so and ends")
def _():
    with Server() as s:
        ann = s.register()
        n = job_of(upload(ann))
        ann.wait_job(n)
        events = list(ann.events("GET", f"/api/jobs/{n}/events"))
        same([e for e, _ in events], ["job", "end"])
        same(json.loads(events[0][1])["state"], "done")


@test("a job is followed from where it is to its end")
def _():
    with Server() as s:
        ann = s.register()
        n = job_of(upload(ann, "I like boats. " * 20000))
        events = list(ann.events("GET", f"/api/jobs/{n}/events"))
        same(events[-1], ("end", "{}"))
        states = [json.loads(d)["state"] for e, d in events if e == "job"]
        same(states[-1], "done")
        same(set(states) <= {"waiting", "running", "done"}, True)


@test("all jobs of an account are followed on one stream")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        stream = ann.events("GET", "/api/jobs/events")
        event, data = next(stream)
        same((event, json.loads(data)), ("jobs", {"jobs": []}))
        ann.wait_job(job_of(upload(ann)))
        bob.wait_job(job_of(upload(bob)))
        want = job_of(upload(ann))
        for event, data in stream:
            j = json.loads(data)
            same((event, j["persona"]), ("job", ann.persona))
            if j["id"] == want and j["state"] == "done":
                break
        stream.close()
        s.stop(signal.SIGTERM, 0)


@test("the server stops while streams are open")
def _():
    with Server() as s:
        ann = s.register()
        streams = [ann.events("GET", "/api/jobs/events") for _ in range(20)]
        for stream in streams:
            same(next(stream)[0], "jobs")
        s.stop(signal.SIGTERM, 0)
        for stream in streams:
            same(list(stream), [])


@test("likeness jobs, beside the server and without it")
def _():
    with Server() as s:
        same(json.loads(s.box.run("jobs", "--json").ok().out)["jobs"], [])
        ann = s.register()
        n = job_of(upload(ann))
        follower = subprocess.Popen([BIN, "jobs", "--follow", str(n)], env=s.box.env, cwd=s.box.work,
                                    stdout=subprocess.PIPE, text=True)
        ann.wait_job(n)
        out = follower.communicate(timeout=600)[0]
        same(follower.returncode, 0, out)
        check("done" in out and "ingest" in out, out)
        j = json.loads(s.box.run("jobs", str(n), "--json").ok().out)["job"]
        same((j["id"], j["state"]), (n, "done"))
        s.box.run("jobs", "--cancel", "999").exits(3)
        s.box.run("jobs", "boats").exits(2)
        s.stop(signal.SIGTERM, 0)
        out = s.box.run("jobs").ok().out
        check(f"{n}  ingest" in out, out)
        s.box.run("doctor", "--check").ok().has("service.db")
        left = os.path.join(s.box.home, "service.db.tmp-AbCd12-wal")
        mine = os.path.join(s.box.home, "service.db.tmp-AbCd12-notes")
        for path in (left, mine):
            with open(path, "wb"):
                os.utime(path, (0, 0))
        s.box.run("doctor", "--check").exits(1)
        s.box.run("doctor").ok()
        same((os.path.exists(left), os.path.exists(mine)), (False, True))


@test("jobs are stopped, over HTTP and from the command line, and leave nothing")
def _():
    with Server() as s:
        ann = s.register()
        want = [job_of(upload(ann, f"Boat {i}. " * 20000)) for i in range(6)]
        j = ann.post(f"/api/jobs/{want[4]}/cancel").is_(200).json
        same(j["state"], "cancelled")
        same(ann.post(f"/api/jobs/{want[4]}/cancel").is_(200).json["state"], "cancelled")
        s.box.run("jobs", "--cancel", str(want[5])).ok().has(f"Cancelled job {want[5]}.")
        events = list(ann.events("GET", f"/api/jobs/{want[5]}/events"))
        same(json.loads(events[0][1])["state"], "cancelled")
        for n in want[:4]:
            ann.wait_job(n)
        same(ann.post(f"/api/jobs/{want[0]}/cancel").is_(200).json["state"], "done")
        s.box.run("jobs", "--follow").ok()
        no_uploads(s)
        same(len(ann.get(f"/api/personas/{ann.persona}/sources").json["sources"]), 4)


@test("killed at random moments: every job that was acknowledged is done after the restart")
def _():
    with Server() as s:
        ann = s.register()
        want = []
        for k in range(4):
            for i in range(5):
                want.append(job_of(upload(ann, f"Boat {k} {i}. " * 3000)))
            time.sleep(0.1 * k)  # another moment each time
            s.stop(signal.SIGKILL)
            s.start()
        for n in want:
            ann.wait_job(n, seconds=120)
        titles = ann.get(f"/api/personas/{ann.persona}/sources").is_(200).json
        same(len(titles["sources"]), len(want))


main()
