#!/usr/bin/env python3
"""kill -9 in the middle of everything: what was acknowledged is there afterwards, once, and jobs end.
And a disk that is full: writing says so, reading goes on."""
import http.client
import os
import random
import shutil
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import PASSWORD, SLOW, Sandbox, Server, Skip, check, main, no_uploads, same, test  # noqa: E402

GONE = (ConnectionError, http.client.HTTPException, TimeoutError, OSError)


class Load:
    """Clients that write until they are told to stop, and remember what they were told."""

    def __init__(self, who, clients=4):
        self.who, self.stop, self.lock = who, False, threading.Lock()
        self.texts, self.jobs, self.accounts, self.odd, self.n = [], {}, [], [], 0
        self.threads = [threading.Thread(target=self.run, args=(i,)) for i in range(clients)]
        for t in self.threads:
            t.start()

    def number(self):
        with self.lock:
            self.n += 1
            return self.n

    def run(self, client):
        while not self.stop:
            n = self.number()
            try:
                self.write(n, client)
            except GONE:
                time.sleep(0.02)  # the server is away; the next try may find it again

    def write(self, n, client):
        if client == 0 and n % 3 == 0:
            name = f"notes-{n}-end"
            text = "".join(f"Upload {n} has the line {i} about harbours.\n\n" for i in range(40))
            r = self.who.post(f"/api/personas/{self.who.persona}/sources", files=[(name + ".txt", text)])
            self.took(r, 202, lambda: self.jobs.__setitem__(r.json["job"]["id"], name))
        elif client == 1 and n % 20 == 0:
            email = f"guest-{n}@example.org"
            r = self.who.server.nobody.post("/api/createuser/", {"email": email, "password": PASSWORD})
            self.took(r, 201, lambda: self.accounts.append(email))
        else:
            text = f"Text number {n} tells of boats."
            r = self.who.post("/api/", {"text": text})
            self.took(r, 201, lambda: self.texts.append((r.json["id"], text)))

    def took(self, r, want, keep):
        if r.status == want:
            keep()
        elif r.status not in (429, 503):
            self.odd.append((r.what, r.status, r.text[:200]))

    def end(self):
        self.stop = True
        for t in self.threads:
            t.join()


def listed(who):
    """id and text of everything there is, with how often it is listed."""
    seen, path = {}, "/api/?page_size=100"
    while path:
        page = who.get(path).is_(200).json
        for e in page["results"]:
            seen.setdefault((e["id"], e["text"]), 0)
            seen[(e["id"], e["text"])] += 1
        path = page["next"]
    return seen


@test("kill -9 at random moments under load: nothing acknowledged is lost, jobs end")
def _():
    seed = int(os.environ.get("LIKENESS_TEST_SEED") or random.randrange(10 ** 6))
    moments = random.Random(seed)
    note = f"seed {seed} (LIKENESS_TEST_SEED repeats the moments)"
    with Server(rate_address=0, rate_account=0) as s:
        ann = s.register()
        load = Load(ann)
        for _round in range(6):
            time.sleep(moments.uniform(0.05, 1.5))  # the moment is the experiment
            s.kill()
            s.start()
        end = time.monotonic() + 60 * SLOW  # a slow machine did little between the kills
        while (len(load.texts) <= 20 or not load.jobs) and time.monotonic() < end:
            time.sleep(0.1)
        time.sleep(moments.uniform(0.05, 0.5))
        load.end()
        s.kill()
        s.start()
        same(load.odd, [], note)
        check(len(load.texts) > 20 and load.jobs, f"{note}: only {len(load.texts)} texts, {len(load.jobs)} jobs")
        for job in load.jobs:
            ann.wait_job(job, seconds=120)
        # The answer to an upload may be lost with the server; its job goes on all the same.
        no_uploads(s, note)
        seen = listed(ann)  # now that nothing comes in any more: pages move on with what does
        for e in load.texts:
            same(seen.get(e), 1, f"{note}: {e}")
        sources = ann.get(f"/api/personas/{ann.persona}/sources").is_(200).text
        for name in load.jobs.values():
            check(name in sources, f"{note}: {name} is not there")
        for email in load.accounts:
            s.login(email).get("/api/me").is_(200)
        again = ann.post("/api/", {"text": load.texts[0][1]}).is_(201).json
        same(again["id"], load.texts[0][0], f"{note}: it was taken in twice")
        s.stop()
        s.box.run("doctor").ok()


@test("an upload under way when the server is killed leaves nothing")
def _():
    with Server() as s:
        ann = s.register()
        incoming = os.path.join(s.box.home, "incoming")
        c = s.socket()
        c.sendall((f"POST /api/personas/{ann.persona}/sources?name=x.txt HTTP/1.1\r\nHost: x\r\n"
                   f"Authorization: Bearer {ann.token}\r\nContent-Length: 50000000\r\n"
                   "Content-Type: text/plain\r\n\r\n").encode() + b"x" * 1000000)
        end = time.monotonic() + 60 * SLOW
        while not os.listdir(incoming):
            check(time.monotonic() < end, "the upload does not begin")
            time.sleep(0.01)  # between two looks
        s.kill()
        c.close()
        s.start()
        same(os.listdir(incoming), [])
        ann.post("/api/", {"text": "I like boats."}).is_(201)


def small_disk(box, mib):
    """The box's data on a file system of its own, of so many MiB."""
    data = os.path.dirname(box.home)
    os.makedirs(data, exist_ok=True)
    if os.geteuid() or not shutil.which("mount"):
        raise Skip("only root may mount a small file system")
    r = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m,mode=700", "tmpfs", data],
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if r.returncode:
        raise Skip("mounting is not allowed here")
    return data


def fill(path):
    """Writes until there is not a byte left."""
    with open(path, "wb", buffering=0) as f:
        for size in (1 << 20, 4096, 1):
            try:
                while f.write(b"\0" * size):
                    pass
            except OSError:
                pass


@test("a full disk: writes fail with 507 and say why, reads go on, and it mends itself")
def _():
    box = Sandbox()
    data = small_disk(box, 48)
    try:
        with Server(box=box, rate_address=0, rate_account=0) as s:
            ann = s.register()
            for i in range(30):
                ann.post("/api/", {"text": f"Note {i}: I keep my boat in the harbour."}).is_(201)
            ann.post("/api/prompt/", {"prompt": "Where is your boat?"}).is_(200)
            fill(os.path.join(data, "filler"))
            refused = 0
            for i in range(40):
                r = ann.post("/api/", {"text": f"Late note {i}: " + "a word of the harbour " * 800})
                r.is_(201, 507)
                if r.status == 507:
                    check("full" in r.error(507, "FULL"), r.text)
                    refused += 1
            check(refused > 30, f"only {refused} of 40 were refused")
            up = ann.post(f"/api/personas/{ann.persona}/sources", files=[("big.txt", "x" * 3000000)])
            up.error(507, "FULL")
            no_uploads(s, "what is left of the upload")
            kept = ann.get("/api/").is_(200).json["count"]
            check(kept >= 30, kept)
            r = ann.post("/api/prompt/", {"prompt": "Where is your boat?"}).is_(200).json
            check("harbour" in r["response"], r)
            ann.get(f"/api/personas/{ann.persona}/search?query=harbour").is_(200)
            s.nobody.get("/healthz").is_(200)
            os.unlink(os.path.join(data, "filler"))
            ann.post("/api/", {"text": "There is room again."}).is_(201)
            same(ann.get("/api/").json["count"], kept + 1)
            ann.job(ann.post(f"/api/personas/{ann.persona}/sources", files=[("a.txt", "I like oars.")]))
    finally:
        subprocess.run(["umount", "-l", data], check=False)


main()
