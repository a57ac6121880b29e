#!/usr/bin/env python3
"""What those see of other people with whom a persona is shared: pseudonyms in answers, streams, sockets, /v1, sources and
lists, unless they may manage it or the owner set it otherwise."""
import json
import re

from serving import Server, Socket, check, main, same, test

CHAT = ("04/03/2019, 10:01 - Zelda Quimby: Who lives in the harbour house now?\n"
        "04/03/2019, 10:02 - Marit: In the harbour house lives my neighbour Hildegard Brandt, her mail is "
        "hildegard@brandt.example and her number 07911 123456.\n"
        "04/03/2019, 10:03 - Zelda Quimby: And who painted the harbour house?\n"
        "04/03/2019, 10:04 - Marit: Ortwin Kessler painted the harbour house for Zelda last spring.\n")
ASK = {"prompt": "Who lives in the harbour house?"}
OTHERS = ("hildegard", "brandt", "07911", "123456", "zelda", "quimby", "ortwin", "kessler")


def shared(s, level):
    ann, bob = s.register(), s.register()
    ann.job(ann.post(f"/api/personas/{ann.persona}/sources",
                     files=[("WhatsApp Chat with Zelda Quimby.txt", CHAT.encode())], form={"me": "Marit"}))
    p = f"/api/personas/{ann.persona}"
    ann.put(p + "/shares", {"email": bob.email, "level": level}).is_(200)
    return ann, bob, p


def nobody_in(what, where):
    text = what if isinstance(what, str) else json.dumps(what)
    for word in OTHERS:
        check(word not in text.lower(), f"{where}: {word} is in {text}")


def every_way(s, who, p):
    """One question, in each way that it can be asked: name of the way, what came back."""
    yield "prompt", json.dumps(who.post(p + "/prompt", ASK).is_(200).json)
    events = [json.loads(d) for e, d in who.events("POST", p + "/prompt", dict(ASK, stream=True))]
    yield "deltas", "".join(e.get("delta", "") for e in events)
    yield "last event", json.dumps(events[-1])
    w = Socket(s, p + "/chat", who.token)
    w.send(ASK)
    text, last = w.answer()
    w.close()
    yield "socket deltas", text
    yield "socket", json.dumps(last)
    talks = who.get(p + "/conversations").is_(200).json["conversations"]
    turns = who.get(f"{p}/conversations/{talks[0]['id']}").is_(200).json["turns"]
    yield "conversation", json.dumps([{k: v for k, v in t.items() if k != "question"} for t in turns])


@test("who may chat, or read, gets pseudonyms in all of an answer; the owner and who manages get names")
def _():
    with Server() as s:
        for level in ("chat", "read"):
            ann, bob, p = shared(s, level)
            for way, got in every_way(s, bob, p):
                nobody_in(got, f"{level}, {way}")
                check("harbour house" in got, f"{level}, {way}: {got}")
            whole = ann.post(p + "/prompt", ASK).is_(200).json
            check("Hildegard Brandt" in whole["answer"] and "07911 123456" in whole["answer"], whole)
        same(sorted(set(re.findall(r"Person \d+", bob.post(p + "/prompt", ASK).json["answer"]))),
             sorted(set(re.findall(r"Person \d+", bob.post(p + "/prompt", ASK).json["answer"]))))
        carl = s.register()
        ann.put(p + "/shares", {"email": carl.email, "level": "manage"}).is_(200)
        same(carl.post(p + "/prompt", ASK).is_(200).json["answer"], whole["answer"])


@test("what may be read beside answers has pseudonyms too")
def _():
    with Server() as s:
        ann, bob, p = shared(s, "read")
        for path in ("/sources", "/search?query=harbour+house", "/topics", "/profile", "/people"):
            got = bob.get(p + path).is_(200)
            nobody_in(got.text, path)
        check("harbour house" in bob.get(p + "/search?query=harbour+house").text, "nothing was found")
        prompt = bob.post(p + "/model-prompt", ASK).is_(200).json
        nobody_in(prompt, "model-prompt")
        check("Zelda Quimby" in ann.get(p + "/people").text, "the owner should see")


@test("the owner sets it off and on; nobody else does")
def _():
    with Server() as s:
        ann, bob, p = shared(s, "read")
        same(ann.get(p).json["mask_shares"], True)
        bob.request("PATCH", p, {"mask_shares": False}).error(403)
        same(ann.request("PATCH", p, {"mask_shares": False}).is_(200).json["mask_shares"], False)
        for way, got in every_way(s, bob, p):
            check("Hildegard Brandt" in got, f"{way}: {got}")
        check("Zelda Quimby" in bob.get(p + "/people").text, "masked all the same")
        ann.request("PATCH", p, {"mask_shares": True}).is_(200)
        nobody_in(bob.post(p + "/prompt", ASK).is_(200).json, "on again")


@test("the /v1 API masks for keys of others")
def _():
    with Server() as s:
        ann, bob, p = shared(s, "chat")
        ask = {"model": ann.persona, "messages": [{"role": "user", "content": ASK["prompt"]}]}
        got = bob.post("/v1/chat/completions", ask).is_(200).json
        nobody_in(got, "completion")
        check("harbour house" in json.dumps(got), got)
        chunks = "".join(d for _, d in bob.events("POST", "/v1/chat/completions", dict(ask, stream=True)))
        nobody_in(chunks, "chunks")
        check("Hildegard Brandt" in json.dumps(ann.post("/v1/chat/completions", ask).is_(200).json), "the owner should see")


main()
