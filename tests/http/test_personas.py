#!/usr/bin/env python3
"""Personas over HTTP: the routes of earlier systems, files and texts, search, questions, chat, shares,
exports; and what people see who may only chat, may read, or may nothing."""
import io
import json
import os
import signal
import threading
import time
import zipfile

from serving import PERSON, SLOW, Client, Sandbox, Server, Socket, check, endless_model, main, no_uploads, same, test

ME = ("Marit Penhallow,marit@penhallow.example.org,m.penhallow@tollickferries.example.com,"
      "shop@secondwind.example.org,Marit at Second Wind,Marit P,Marit")


def sample(who, persona=None):
    """The example person's files, in who's persona."""
    files = []
    for folder, _, names in sorted(os.walk(PERSON)):
        for n in sorted(names):
            with open(os.path.join(folder, n), "rb") as f:
                files.append((n, f.read()))
    return who.job(who.post(f"/api/personas/{persona or who.persona}/sources", files=files, form={"me": ME}))


def memory_peak(server):
    """The most bytes that the server has held."""
    with open(f"/proc/{server.process.pid}/status", encoding="ascii") as f:
        return next(int(line.split()[1]) << 10 for line in f if line.startswith("VmHWM:"))


def new(who, name="Ann", **more):
    body = {"name": name, "kind": "fictional", "consent": {"by": "the authors", "to": "tests"}}
    return who.post("/api/personas", dict(body, **more)).is_(201).json["id"]


# ---- the routes of earlier systems ----

@test("earlier clients: a text is added, listed, asked about")
def _():
    with Server() as s:
        ann = s.register()
        for path in ("/api/", "/api"):
            r = ann.post(path, {"text": f"I keep my old boat in the harbour {path}.", "odd": 1}).is_(201).json
            same(set(r), {"id", "uploaded_at", "topic", "vector", "text"})
            check(len(r["vector"]) > 10 and abs(sum(x * x for x in r["vector"]) - 1) < 1e-3, r["vector"][:5])
            check(isinstance(r["topic"], str), r["topic"])
        again = ann.post("/api/", {"text": "I keep my old boat in the harbour /api."}).is_(201).json
        same(again["id"], r["id"], "the same text is the same entry")
        page = ann.get("/api/").is_(200).json
        same((page["count"], page["next"], page["previous"]), (2, None, None))
        same(page["results"][0]["id"], r["id"], "newest first")
        same(set(page["results"][0]), {"id", "uploaded_at", "topic", "text"})
        check("vector" in ann.get("/api/?vectors=1").is_(200).json["results"][0], "vectors=1")
        for key in ("prompt", "query"):
            for path in ("/api/prompt/", "/api/prompt"):
                a = ann.post(path, {key: "Where is your boat?", "k": 1}).is_(200).json
                check("harbour" in a["response"], a)
                same(len(a["retrieved_docs"]), 1)
                same(set(a["retrieved_docs"][0]), {"text", "similarity", "source", "written_at"})


@test("earlier clients: pages")
def _():
    with Server() as s:
        ann = s.register()
        same(ann.get("/api/").is_(200).json, {"count": 0, "next": None, "previous": None, "results": []})
        for i in range(5):
            ann.post("/api/", {"text": f"Note number {i} on boats."}).is_(201)
        seen, path = [], "/api/?page_size=2"
        while path:
            p = ann.get(path).is_(200).json
            same(p["count"], 5)
            seen += [r["text"] for r in p["results"]]
            path = p["next"]
        same(seen, [f"Note number {i} on boats." for i in (4, 3, 2, 1, 0)])
        ann.get("/api/?page=99").error(404)
        ann.get("/api/?page=0").error(400)


@test("earlier clients: a user_id that is not the caller's is refused")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        for mine in (ann.account, str(ann.account), None):
            ann.post("/api/", {"text": "I like boats.", "user_id": mine}).is_(201)
            ann.post("/api/prompt/", {"prompt": "boats?", "user_id": mine}).is_(200)
        told = set()
        for other in (bob.account, str(bob.account), 987654, "nobody", "0" * 32, {}, [], True, 1.5):
            told.add(ann.post("/api/", {"text": "x", "user_id": other}).error(403))
            told.add(ann.post("/api/prompt/", {"prompt": "x", "user_id": other}).error(403))
        told.add(ann.get(f"/api/?user_id={bob.account}").error(403))
        told.add(ann.get("/api/?user_id=987654").error(403))
        same(len(told), 1, f"told: {told}")


@test("earlier clients: bad requests")
def _():
    with Server() as s:
        ann = s.register()
        for body in ({}, {"text": ""}, {"text": "  \n "}, {"text": 5}, [], "x", {"text": None}):
            ann.post("/api/", body).error(400)
        for body in ({}, {"prompt": ""}, {"prompt": "  "}, {"prompt": 5}, {"prompt": "a", "k": 0}):
            ann.post("/api/prompt/", body).error(400)
        for path in ("/api/", "/api/prompt/"):
            s.nobody.post(path, {"text": "x", "prompt": "x"}).error(401)
            Client(s, "nonsense").post(path, {"text": "x", "prompt": "x"}).error(401)


@test("earlier clients: an answer as server-sent events")
def _():
    with Server() as s:
        ann = s.register()
        ann.post("/api/", {"text": "I keep my old boat in the harbour."}).is_(201)
        events = [json.loads(d) for e, d in
                  ann.events("POST", "/api/prompt/", {"prompt": "Where is your boat?", "stream": True})]
        last = events[-1]
        same(last["done"], True)
        check("harbour" in last["response"] and last["retrieved_docs"][0]["similarity"] > 0, last)
        check(ann.get("/api/").json["results"][0]["topic"], "what it is about is told")
        same("".join(e["delta"] for e in events[:-1]), last["response"])


# ---- personas ----

@test("personas are made, renamed, listed and forgotten")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        r = ann.post("/api/personas/", {"name": "Grandma", "kind": "legacy",
                                        "consent": {"by": "the family", "to": "all"}}).is_(201)
        p = r.json
        same(r.headers["Location"], f"/api/personas/{p['id']}")
        same((p["name"], p["kind"], p["level"], p["counts"]["pieces"]), ("Grandma", "legacy", "owner", 0))
        same({x["id"] for x in ann.get("/api/personas").json["personas"]}, {ann.persona, p["id"]})
        same({x["id"] for x in bob.get("/api/personas").json["personas"]}, {bob.persona})
        ann.post("/api/personas", {"name": "GRANDMA", "consent": {"by": "x", "to": "y"}}).error(409, "EXISTS")
        other = new(bob, "Grandma")  # names are an account's own affair
        check(other != p["id"], other)
        for bad in ({"name": "X"}, {"name": "X", "consent": {"by": "", "to": ""}}, {"consent": {"by": "x", "to": "y"}},
                    {"name": "X", "consent": {"by": "x", "to": "y"}, "kind": "odd"},
                    {"name": "a\nb", "consent": {"by": "x", "to": "y"}},
                    {"name": "X", "consent": {"by": "x", "to": "y"}, "odd": 1}):
            ann.post("/api/personas", bad).error(400)
        path = f"/api/personas/{p['id']}"
        r = ann.patch(path, {"name": "Nan", "aliases": ["Nan Lee", "nan@example.org"]}).is_(200).json
        same((r["name"], set(r["aliases"])), ("Nan", {"Nan Lee", "nan@example.org"}))
        same(ann.patch(path, {"aliases": ["Nan Lee"]}).is_(200).json["aliases"], ["Nan Lee"])
        ann.patch(path, {"name": ann.get(f"/api/personas/{ann.persona}").json["name"]}).error(409)
        same(ann.put(path + "/consent", {"by": "her", "to": "these tests", "at": "2020-01-02"}).is_(200).json["at"],
             "2020-01-02T00:00:00Z")
        same(ann.get(path + "/consent").is_(200).json["to"], "these tests")
        ann.put(path + "/consent", {"by": " ", "to": "x"}).error(400)
        ann.job(ann.delete(path))
        ann.get(path).error(404)
        same({x["id"] for x in ann.get("/api/personas").json["personas"]}, {ann.persona})
        other = ann.get(f"/api/personas/{'0' * 32}").error(404)
        same(ann.get(path).error(404), other)


@test("files come in, are listed, searched, asked and deleted")
def _():
    with Server() as s:
        ann = s.register()
        p = f"/api/personas/{ann.persona}"
        j = sample(ann)
        check(j["result"]["added"] > 150 and not j["result"]["failed"], j)
        sources = ann.get(p + "/sources").is_(200).json["sources"]
        check(len(sources) > 3 and sources[0]["id"] > sources[-1]["id"], sources)
        whole = ann.get(p).json
        same((whole["counts"]["sources"], whole["stale"]), (len(sources), False))
        one = ann.get(f"{p}/sources/{sources[-1]['id']}?limit=3").is_(200).json
        same((len(one["texts"]), one["next"] is not None), (min(3, one["pieces"]), one["pieces"] > 3))
        for mode in ("hybrid", "vector", "words"):
            r = ann.post(p + "/search", {"query": "the ferry", "k": 3, "mode": mode}).is_(200).json["passages"]
            same(len(r), 3, mode)
        got = ann.get(p + "/search?query=the%20ferry&k=3").is_(200).json["passages"]
        same(got, ann.post(p + "/search", {"query": "the ferry", "k": 3}).json["passages"])
        only = ann.post(p + "/search", {"query": "the ferry", "source": got[0]["source"]}).json["passages"]
        same({x["source"] for x in only}, {got[0]["source"]})
        early = ann.post(p + "/search", {"query": "the ferry", "to": "1990-01-01"}).json["passages"]
        same(early, [])
        topics = ann.get(p + "/topics").is_(200).json["topics"]
        check(topics and topics[0]["label"], topics)
        check(ann.get(p + "/profile").is_(200).json["profile"]["words"] > 100, "profile")
        people = ann.get(p + "/people").is_(200).json["people"]
        check(len(people) > 2 and people[0]["messages"] >= people[1]["messages"] > 0, people)
        check("Marit Penhallow" not in [n for one in people for n in one["names"]], "the persona is none of the others")
        m = ann.post(p + "/model-prompt", {"prompt": "Where do you live?"}).is_(200).json
        check("Where do you live?" in m["user"] and m["passages"] > 0, m)
        gone = ann.job(ann.delete(f"{p}/sources/{sources[0]['id']}"))
        same(gone["result"]["pieces"], sources[0]["pieces"])
        ann.get(f"{p}/sources/{sources[0]['id']}").error(404)
        ann.delete(f"{p}/sources/{sources[0]['id']}").error(404)
        same(ann.get(p).json["counts"]["sources"], len(sources) - 1)
        no_uploads(s)


def sample_zip(junk=0):
    """The example person's files as one archive, with so many bytes beside them that nothing can be made of."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for folder, _, names in sorted(os.walk(PERSON)):
            for n in sorted(names):
                z.write(os.path.join(folder, n), os.path.join("person", n))
        if junk:
            z.writestr(zipfile.ZipInfo("noise.bin"), os.urandom(junk))  # stored
    return out.getvalue()


@test("an archive comes in as its files do, however large, and in little memory")
def _():
    with Server() as s:
        ann = s.register()
        p = f"/api/personas/{ann.persona}"
        sample(ann)
        plain, other = ann.get(p).json["counts"], new(ann, "Ann's other")
        ann.job(ann.post(f"/api/personas/{other}/sources", files=[("small.zip", sample_zip())], form={"me": ME}))
        peak, plainly = memory_peak(s), SLOW < 10  # sanitizers hold what was freed
        j = ann.job(ann.post(f"/api/personas/{new(ann, 'A third')}/sources", form={"me": ME},
                             files=[("export.zip", sample_zip((64 if plainly else 4) << 20))], timeout=300))
        check(j["result"]["added"] > 150, j)
        check(not plainly or memory_peak(s) - peak < 32 << 20, f"{peak} bytes before, {memory_peak(s)} after")
        same(ann.get(f"/api/personas/{other}").json["counts"]["pieces"], plain["pieces"])
        j = ann.job(ann.post(p + "/sources", files=[("cut.zip", sample_zip()[:-9000])]))["result"]["files"][0]
        check(any("could not be read" in n["what"] for n in j["notes"]) and not j["added"], j)
        same(ann.get(p).json["counts"], plain)
        no_uploads(s)


@test("bad uploads are told of")
def _():
    with Server() as s:
        ann = s.register()
        p = f"/api/personas/{ann.persona}/sources"
        ann.post(p, files=[]).error(400)
        ann.post(p, files=[("a.txt", "boats")], form={"tz": "x"}).error(400)
        ann.post(p, files=[("a.txt", "boats")], form={"as": "odd"}).error(400)
        j = ann.job(ann.post(p, files=[("a.db", b"SQLite format 3\0")]), "failed")
        check("database" in j["error"]["message"], j)
        chat = "\n".join(f"12/03/2021, 10:0{i} - {w}: The ferry was late." for i, w in enumerate(["Bo", "Cy", "Bo"]))
        j = ann.job(ann.post(p, files=[("chat.txt", chat)]))
        same({x["name"] for x in j["result"]["people"]}, {"Bo", "Cy"})
        same(j["result"]["added"], 0)
        j = ann.job(ann.post(p, files=[("chat.txt", chat)], form={"me": "Bo", "tz": "+01:00"}))
        same((j["result"]["added"], j["result"]["voice"]), (3, 2))
        same(j["result"]["files"][0]["from"], "2021-03-12T09:00:00Z")
        no_uploads(s)


def mails(*froms):
    return "".join(f"From x Sat Mar  2 10:0{i}:00 2019\nFrom: {who}\nTo: ann@example.org\nMessage-ID: <{i}@x>\n"
                   f"Date: Sat, 2 Mar 2019 10:0{i}:00 +0000\nSubject: Rowing\n\nShall we row, number {i}?\n\n"
                   for i, who in enumerate(froms))


@test("who of the people is who can be said")
def _():
    with Server() as s:
        ann = s.register()
        p = f"/api/personas/{ann.persona}"
        box = mails("Bo Berg <bo@a.org>", "B. <bo@b.org>", "Cy Young <cy@a.org>", "Cy Young <cy@b.org>", "Di <di@a.org>")
        ann.job(ann.post(p + "/sources", files=[("in.mbox", box)], form={"me": "ann@example.org"}))
        all_of = lambda q="": ann.get(p + "/people" + q).is_(200).json
        same({(x["name"], x["likely"]) for x in all_of()["people"]},
             {("Bo Berg", False), ("B.", False), ("Cy Young", True), ("Di", False)})
        same([x["name"] for x in all_of("?likely=true")["people"]], ["Cy Young"])
        first = all_of("?limit=3")
        same((len(first["people"]), first["total"], first["next"]), (3, 4, 3))
        rest = all_of("?limit=3&offset=3")
        same((rest["people"], rest["next"]), (all_of()["people"][3:], None))
        bo = ann.get(p + "/people/bo@a.org").is_(200).json
        same((bo["ids"], ann.get(p + "/people/" + bo["id"]).json), (["bo@a.org"], bo))
        ann.get(p + "/people/nobody").error(404)
        ann.post(p + "/people/nobody/merge", {"with": "bo@a.org"}).error(404)
        ann.post(p + "/people/bo@a.org/merge", {"with": "nobody"}).error(404)
        ann.post(p + "/people/bo@a.org/merge", {}).error(400)
        ann.post(p + "/people/bo@a.org/split", {"part": "bo@a.org"}).error(400)
        one = ann.post(p + "/people/bo@a.org/merge", {"with": "bo@b.org"}).is_(200).json["people"]
        same([sorted(x["ids"]) for x in one], [["bo@a.org", "bo@b.org"]])
        ann.post(p + "/people/bo@a.org/merge", {"with": "bo@b.org"}).error(409)
        two = ann.post(f"{p}/people/{one[0]['id']}/split", {"part": "bo@b.org"}).is_(200).json["people"]
        same(sorted(x["ids"] for x in two), [["bo@a.org"], ["bo@b.org"]])
        cy = ann.post(p + "/people/cy@a.org/confirm").is_(200).json["people"]
        same([(sorted(x["ids"]), x["likely"]) for x in cy], [(["cy@a.org", "cy@b.org"], False)])
        same(all_of("?likely=true")["total"], 0)
        did = [x["action"] for x in ann.get(p + "/audit?limit=500").json["entries"]]
        check({"people.merge", "people.split", "people.confirm"} <= set(did), did)
        bob = s.register()
        ann.put(p + "/shares", {"email": bob.email, "level": "read"}).is_(200)
        bob.get(p + "/people/bo@a.org").error(403)
        bob.post(p + "/people/cy@a.org/split", {"part": "cy@b.org"}).error(403)


@test("a dry run tells what would come in, and stores nothing")
def _():
    with Server() as s:
        ann = s.register()
        p = f"/api/personas/{ann.persona}"
        chat = "\n".join(f"12/03/2021, 10:0{i} - {w}: {t}" for i, (w, t) in enumerate([
            ("Bo", "The ferry was late again this morning, was it not?"), ("Cy", "Yes, and the wind was strong."),
            ("Bo", "My password is hunter2zebra and the card is 4111 1111 1111 1111")]))
        files = [("WhatsApp Chat with Cy.txt", chat), ("odd.db", b"SQLite format 3\0"), ("note.txt", "I like boats.")]
        for form, voice in (({"dry_run": "true"}, None), ({"dry_run": "true", "me": "Bo"}, 2)):
            r = ann.job(ann.post(p + "/sources", files=files, form=form))["result"]
            same((r["dry_run"], r["failed"]), (True, 2 if voice is None else 1))
            check(r["files"][1]["error"]["message"], r)
            same({x["name"] for x in r.get("people", [])}, {"Bo", "Cy"} if voice is None else set())
            if voice is None:
                continue
            one = [x for x in r["sources"] if x["format"] == "whatsapp"][0]
            same((one["pieces"], one["voice"], one["from"]), (3, 2, "2021-03-12T10:00:00Z"))
            same({(x["name"], x["messages"], x["persona"]) for x in one["speakers"]}, {("Bo", 2, True), ("Cy", 1, False)})
            check(one["languages"], one)
            same(({x["what"] for x in r["secrets"]}, r["more_sources"]), ({"password", "card number"}, 0))
        same(ann.get(p).json["counts"]["sources"], 0)
        same(ann.get(p).json["aliases"], [])
        r = ann.job(ann.request("POST", p + "/sources?name=chat.txt&me=Bo&dry_run=1", chat.encode(),
                                headers={"Content-Type": "application/octet-stream"}))["result"]
        same((r["added"], r["sources"][0]["title"]), (3, "chat"))
        as_curl = {"Content-Type": "application/x-www-form-urlencoded"}  # curl --data-binary @chat.txt
        ann.request("POST", p + "/sources?dry_run=1", chat.encode(), headers=as_curl).error(415)
        again = ann.job(ann.request("POST", p + "/sources?name=chat.txt&me=Bo&dry_run=1", chat.encode(), headers=as_curl))
        same(again["result"], r)
        r = ann.job(ann.post(p + "/sources", files=files[:1], form={"me": "Bo", "keep_secrets": "true"}))["result"]
        same((r["added"], r["secrets"]), (3, []))
        check("hunter2zebra" in ann.get(f"{p}/sources/{r['files'][0]['source']}").text, "kept as asked")
        r = ann.job(ann.post(p + "/sources", files=files, form={"dry_run": "true"}))["result"]
        same([x["known"] for x in r["sources"] if x["format"] == "whatsapp"], [3])
        no_uploads(s)


@test("a text is found at once by its words and its meaning")
def _():
    with Server() as s:
        ann = s.register()
        p = f"/api/personas/{ann.persona}"
        r = ann.post(p + "/texts", {"text": "The zorblax recipe came from my aunt.", "title": "Cooking",
                                    "written_at": "2019-05-06"}).is_(201)
        same(r.headers["Location"], f"{p}/sources/{r.json['id']}")
        r = r.json
        same((r["title"], r["texts"][0]["written_at"]), ("Cooking", "2019-05-06T00:00:00Z"))
        same(len(ann.post(p + "/search", {"query": "zorblax", "mode": "words"}).json["passages"]), 1)
        near = ann.post(p + "/search", {"query": "an old dish of the family", "mode": "vector"}).json["passages"]
        check(near[0]["similarity"] > 0, near)
        for j in ann.get("/api/jobs").json["jobs"]:
            ann.wait_job(j["id"])
        same(len(ann.post(p + "/search", {"query": "zorblax", "mode": "vector"}).json["passages"]), 1)
        ann.post(p + "/texts", {"text": " "}).error(400)
        same(ann.get(p).json["stale"], False)


# ---- asking ----

@test("conversations go on, and are their account's own")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        sample(ann)
        p = f"/api/personas/{ann.persona}"
        ann.put(p + "/shares", {"email": bob.email, "level": "manage"}).is_(200)
        a = ann.post(p + "/prompt", {"prompt": "Where do you live?"}).is_(200).json
        check(a["sources"] and a["parts"] and a["conversation"], a)
        b = ann.post(p + "/prompt", {"prompt": "And why?", "conversation": a["conversation"]}).is_(200).json
        same(b["conversation"], a["conversation"])
        c = ann.post(p + "/prompt", {"prompt": "Where do you live?", "save": False}).is_(200).json
        same(c["conversation"], None)
        talks = ann.get(p + "/conversations").is_(200).json["conversations"]
        same([(t["id"], t["turns"]) for t in talks], [(a["conversation"], 2)])
        turns = ann.get(f"{p}/conversations/{a['conversation']}").is_(200).json["turns"]
        same([t["question"] for t in turns], ["Where do you live?", "And why?"])
        mine = bob.post(p + "/prompt", {"prompt": "Do you like tea?"}).is_(200).json["conversation"]
        same([t["id"] for t in bob.get(p + "/conversations").json["conversations"]], [mine])
        same([t["id"] for t in ann.get(p + "/conversations").json["conversations"]], [a["conversation"]])
        for who, other in ((bob, a["conversation"]), (ann, mine)):
            who.get(f"{p}/conversations/{other}").error(404)
            who.delete(f"{p}/conversations/{other}").error(404)
            who.post(p + "/prompt", {"prompt": "And?", "conversation": other}).error(404)
        ann.delete(f"{p}/conversations/{a['conversation']}").is_(204)
        ann.get(f"{p}/conversations/{a['conversation']}").error(404)
        for bad in ({"prompt": ""}, {"prompt": "a", "voice": "odd"}, {"prompt": "a", "voice": "remote"},
                    {"prompt": "a", "k": 0}, {"prompt": "a", "odd": 1}, {"prompt": "x" * 17000}):
            ann.post(p + "/prompt", bad).error(400)


@test("an answer comes as events and over a WebSocket")
def _():
    with Server() as s:
        ann = s.register()
        sample(ann)
        p = f"/api/personas/{ann.persona}"
        whole = ann.post(p + "/prompt", {"prompt": "Where do you live?"}).is_(200).json["answer"]
        events = [json.loads(d) for e, d in
                  ann.events("POST", p + "/prompt", {"prompt": "Where do you live?", "stream": True})]
        same(("".join(e["delta"] for e in events[:-1]), events[-1]["answer"]), (whole, whole))
        w = Socket(s, p + "/chat", ann.token)
        same(w.status, 101)
        w.send({"prompt": "Where do you live?"})
        text, last = w.answer()
        same((text, last["answer"], last["done"]), (whole, whole, True))
        w.send({"prompt": "And why?", "conversation": last["conversation"]})
        same(w.answer()[1]["conversation"], last["conversation"])
        w.send({"prompt": ""})
        same(w.message()["error"]["code"], "INVAL")
        w.send({"prompt": "Where do you live?"})
        w.answer()
        w.close()
        bob = s.register()
        same(Socket(s, p + "/chat", bob.token).status, 404)
        same(Socket(s, p + "/chat", "nonsense").status, 401)


@test("who leaves a model's answer, in whatever way it came, frees the model")
def _():
    box = Sandbox()
    with Server(box, model=endless_model(box), max_tokens=30000) as s:
        ann = s.register()
        ann.post("/api/", {"text": "I keep my old boat in the harbour."}).is_(201)
        p = f"/api/personas/{ann.persona}"
        ask = {"prompt": "Where is your boat?", "voice": "native"}

        def freed():
            end = time.monotonic() + 60 * SLOW
            while "likeness_workers_running 1\n" not in s.nobody.get("/metrics").is_(200).text:  # who says so
                check(time.monotonic() < end, "the model goes on for nobody")
                time.sleep(0.05)  # between two looks

        events = ann.events("POST", p + "/prompt", dict(ask, stream=True))
        check("delta" in json.loads(next(events)[1]), "the first words")
        events.close()
        freed()
        w = Socket(s, p + "/chat", ann.token)
        w.send(ask)
        check("delta" in w.message(), "the first words")
        w.close()
        freed()
        c = s.connection()  # nothing comes of it before the end
        c.request("POST", p + "/prompt", json.dumps(ask), {"Authorization": f"Bearer {ann.token}",
                                                           "Content-Type": "application/json"})
        end = time.monotonic() + 60 * SLOW
        while "likeness_workers_running 2\n" not in s.nobody.get("/metrics").text:
            check(time.monotonic() < end, "it is not begun")
        c.close()
        freed()
        talks = [t["id"] for t in ann.get(p + "/conversations").json["conversations"]]
        made = [ann.get(f"{p}/conversations/{t}").json["turns"][0]["made"]["stop"] for t in talks]
        same(made, ["cancelled"] * 3, "what was said until then is kept, and says so")


# ---- shares ----

ROUTES = [  # method, path below the persona, body, level
    ("GET", "", None, "chat"),
    ("POST", "/prompt", {"prompt": "Where do you live?"}, "chat"),
    ("GET", "/conversations", None, "chat"),
    ("GET", "/sources", None, "read"),
    ("POST", "/search", {"query": "boats"}, "read"),
    ("GET", "/search?query=boats", None, "read"),
    ("GET", "/topics", None, "read"),
    ("GET", "/people", None, "manage"),
    ("POST", "/people/nobody/confirm", None, "manage"),
    ("GET", "/profile", None, "read"),
    ("GET", "/consent", None, "read"),
    ("POST", "/model-prompt", {"prompt": "Where do you live?"}, "read"),
    ("POST", "/texts", {"text": "I like boats."}, "manage"),
    ("PATCH", "", {"aliases": ["Ann"]}, "manage"),
    ("PUT", "/consent", {"by": "x", "to": "y"}, "owner"),
    ("GET", "/shares", None, "owner"),
    ("PUT", "/shares", {"email": "someone@example.org", "level": "chat"}, "owner"),
    ("GET", "/audit", None, "owner"),
    ("POST", "/export", {"passphrase": "a long passphrase"}, "owner"),
    ("DELETE", "", None, "owner"),
]
LEVELS = ["none", "chat", "read", "manage"]


@test("each level reaches what it should, and nothing else")
def _():
    with Server() as s:
        ann = s.register()
        new(ann, "Other")
        p = f"/api/personas/{ann.persona}"
        ann.post(p + "/texts", {"text": "I live in the old harbour house."}).is_(201)
        people = {"none": s.register()}
        for level in LEVELS[1:]:
            people[level] = s.register()
            ann.put(p + "/shares", {"email": people[level].email, "level": level}).is_(200)
        nothing = f"/api/personas/{'ab' * 16}"
        for method, path, body, needs in ROUTES:
            s.nobody.request(method, p + path, body).error(401)
            for level, who in people.items():
                r = who.request(method, p + path, body)
                if level == "none":
                    away = who.request(method, nothing + path, body)
                    same((r.status, r.json), (404, away.json), f"{method} {path}: not told from no persona")
                elif needs == "owner" or LEVELS.index(level) < LEVELS.index(needs):
                    r.error(403)
                else:
                    check(r.status in (200, 201) or "nobody" in path, f"{method} {path} for {level}: {r.status} {r.text}")


@test("who may only chat sees answers, and nothing that they rest on")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        sample(ann)
        p = f"/api/personas/{ann.persona}"
        ann.put(p + "/shares", {"email": bob.email, "level": "chat"}).is_(200)
        same(set(bob.get(p).json), {"id", "name", "kind", "level"})
        full = ann.post(p + "/prompt", {"prompt": "Where do you live?", "save": False}).json
        check(full["sources"], full)
        less = bob.post(p + "/prompt", {"prompt": "Where do you live?"}).is_(200).json
        same((less["answer"], less["sources"]), (full["answer"], []))
        check(all("source" not in x for x in less["parts"]), less)
        for title in {x["title"] for x in full["sources"]}:
            check(title not in json.dumps(less), title)
        turns = bob.get(f"{p}/conversations/{less['conversation']}").is_(200).json["turns"]
        same(turns[0]["sources"], [])
        events = [json.loads(d) for e, d in
                  bob.events("POST", p + "/prompt", {"prompt": "Where do you live?", "stream": True})]
        same(events[-1]["sources"], [])
        bob.post(p + "/prompt", {"prompt": "boats?", "source": 1}).error(403)
        bob.post(p + "/prompt", {"prompt": "boats?", "topic": 1}).error(403)
        ann.delete(f"{p}/shares/{bob.email}").is_(204)
        bob.get(p).error(404)
        bob.post(p + "/prompt", {"prompt": "Where do you live?"}).error(404)


@test("sharing does not tell who has an account")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        p = f"/api/personas/{ann.persona}/shares"
        replies = []
        for email in (bob.email, "nobody@example.org"):
            r = ann.put(p, {"email": email, "level": "read"}).is_(200)
            replies.append(r.text.replace(email, "X"))
            same(r.json["email"], email)
        same(*[json.loads(x) | {"at": 0} for x in replies])
        same([x["email"] for x in ann.get(p).json["shares"]], [bob.email, "nobody@example.org"])
        ann.put(p, {"email": bob.email.upper(), "level": "chat"}).is_(200)
        same([x["level"] for x in ann.get(p).json["shares"]], ["chat", "read"])
        for email in (bob.email, "nobody@example.org"):
            ann.delete(f"{p}/{email}").is_(204)
            ann.delete(f"{p}/{email}").error(404)
        ann.put(p, {"email": ann.email, "level": "chat"}).error(400)  # is the owner
        ann.put(p, {"email": "not an address", "level": "chat"}).error(400)
        ann.put(p, {"email": bob.email, "level": "owner"}).error(400)
        same(ann.get(f"/api/personas/{ann.persona}").json["level"], "owner")


@test("the owner sees who looked")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        p = f"/api/personas/{ann.persona}"
        ann.put(p + "/shares", {"email": bob.email, "level": "read"}).is_(200)
        bob.post(p + "/search", {"query": "boats"}).is_(200)
        bob.patch(p, {"name": "X"}).error(403)
        seen = ann.get(p + "/audit").is_(200).json["entries"]
        check(("share.put", ann.email) in [(e["action"], e["who"]) for e in seen], seen)
        check((("persona.search.post", bob.email) in [(e["action"], e["who"]) for e in seen]), seen)
        page = ann.get(p + "/audit?limit=1").json
        same(len(page["entries"]), 1)
        same(ann.get(f"{p}/audit?limit=1&before={page['before']}").json["entries"][0]["id"] < page["before"], True)


# ---- exports ----

@test("an export is fetched by who asked for it, and opens elsewhere")
def _():
    with Server() as s:
        ann, bob = s.register(), s.register()
        sample(ann)
        p = f"/api/personas/{ann.persona}"
        pieces = ann.get(p).json["counts"]["pieces"]
        ann.put(p + "/shares", {"email": bob.email, "level": "chat"}).is_(200)
        for who in (ann, bob, bob):
            who.post(p + "/prompt", {"prompt": "Where do you live?"}).is_(200)
        ann.post(p + "/export", {"passphrase": "short"}).error(400)
        j = ann.job(ann.post(p + "/export", {"passphrase": "a long passphrase"}))
        same(j["result"]["masked"], True, "masked")
        for_others = ann.get(f"/api/jobs/{j['id']}/file").is_(200).body
        j = ann.job(ann.post(p + "/export", {"passphrase": "a long passphrase", "mask_others": False}))
        r = ann.get(f"/api/jobs/{j['id']}/file").is_(200)
        same(len(r.body), j["result"]["bytes"])
        check(b"ferry" not in r.body and "passphrase" not in json.dumps(j), "sealed")
        same(r.headers["Content-Disposition"], f'attachment; filename="persona-{ann.persona[:8]}.likeness"')
        size, tag = len(r.body), r.headers["ETag"]
        for part, want in (("0-9", (0, 10)), (f"{size - 7}-", (size - 7, size)), ("-5", (size - 5, size)),
                           (f"5-{size * 2}", (5, size)), (f"-{size * 2}", (0, size))):
            some = ann.get(f"/api/jobs/{j['id']}/file", headers={"Range": "bytes=" + part}).is_(206)
            same((some.body, some.headers["Content-Range"]),
                 (r.body[want[0]:want[1]], f"bytes {want[0]}-{want[1] - 1}/{size}"), part)
        for part in (f"{size}-", "-0"):
            none = ann.get(f"/api/jobs/{j['id']}/file", headers={"Range": "bytes=" + part}).is_(416)
            same((none.body, none.headers["Content-Range"]), (b"", f"bytes */{size}"), part)
        for part in ("9-0", "x-", "0-1,3-4", "-", "--1", "1-99999999999999999999"):  # no range that is read here: all of it
            same(ann.get(f"/api/jobs/{j['id']}/file", headers={"Range": "bytes=" + part}).is_(200).body, r.body, part)
        go_on = lambda t: ann.get(f"/api/jobs/{j['id']}/file", headers={"Range": "bytes=9-", "If-Range": t}).status
        same((go_on(tag), go_on('"another"')), (206, 200), "If-Range")
        bob.get(f"/api/jobs/{j['id']}/file").error(404)
        s.nobody.get(f"/api/jobs/{j['id']}/file").error(401)
        ann.get("/api/jobs/999999/file").error(404)
        box = s.box
        s.stop(signal.SIGTERM)
        box.run("forget", ann.persona, "--yes").ok()
        path = os.path.join(box.work, "p.likeness")
        with open(path, "wb") as f:
            f.write(r.body)
        word = os.path.join(box.work, "word")
        with open(word, "w", encoding="ascii") as f:
            f.write("a long passphrase\n")
        out = box.run("import", path, "--passphrase-file", word, "--json")
        out.ok()
        counts = json.loads(out.out)["counts"]
        same((counts["pieces"], counts["conversations"]), (pieces, 1), "without what others asked")
        with open(path, "wb") as f:
            f.write(for_others)
        box.run("import", path, "--passphrase-file", word, "--name", "For others").ok()
        found = box.run("search", "Anna", "-p", "For others").ok().out
        check("Person " in found and "Whitlock" not in found, found[:600])


# ---- many at once, and kill -9 ----

@test("texts and questions of many at once")
def _():
    with Server() as s:
        ann = s.register()
        failed, ids = [], set()

        def work(n):
            try:
                for i in range(6):
                    ids.add(ann.post("/api/", {"text": f"Boat {n}.{i} lies in the harbour."}).is_(201).json["id"])
                    ann.post("/api/prompt/", {"prompt": "Where are the boats?"}).is_(200)
            except AssertionError as e:
                failed.append(str(e))

        threads = [threading.Thread(target=work, args=(n,)) for n in range(6)]
        for t in threads:
            t.start()
        for t in threads:
            t.join()
        same(failed, [])
        same((len(ids), ann.get("/api/").json["count"]), (36, 36))


@test("kill -9 loses nothing that was acknowledged")
def _():
    with Server() as s:
        ann = s.register()
        text, known, jobs = 0, set(), []
        for _ in range(3):
            stop = threading.Event()

            def add():
                nonlocal text
                while not stop.is_set():
                    text += 1
                    try:
                        known.add(ann.post("/api/", {"text": f"Boat {text} lies here."}).is_(201).json["id"])
                    except (OSError, AssertionError, ValueError):
                        return

            t = threading.Thread(target=add)
            t.start()
            r = ann.post(f"/api/personas/{ann.persona}/sources", files=[(f"{text}.txt", "I like tea. " * 5000)])
            jobs.append(r.is_(202).json["job"]["id"])
            s.kill()
            stop.set()
            t.join()
            s.start()
        for j in jobs:
            ann.wait_job(j)
        have = set()
        path = "/api/?page_size=100"
        while path:
            page = ann.get(path).is_(200).json
            have |= {r["id"] for r in page["results"]}
            path = page["next"]
        same(known - have, set())
        no_uploads(s)


main()
