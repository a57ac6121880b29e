"""likeness people: who writes, joined across formats, and saying who is who; what a dry run tells beforehand."""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Sandbox, check, main, same, test  # noqa: E402

CHAT = """\
[02/03/2020, 10:00:00] Marit: Morning Ann
[02/03/2020, 10:01:00] Ann Lee: Morning, Marit
[02/03/2020, 10:02:00] Ann Lee: I have the oars
[03/03/2020, 10:02:00] Mum: Call me please
[03/03/2020, 10:05:00] +44 7911 123456: Is this the rowing club?
[23/03/2020, 10:05:00] Marit: It is
"""
MAIL = """\
From ann@example.org Sat Mar  2 10:00:00 2019
From: Ann Lee <Ann@Example.org>
To: marit@example.org
Subject: Rowing
Date: Sat, 2 Mar 2019 10:00:00 +0000
Message-ID: <1@x>

Shall we row on Sunday?
"""


def full():
    box = Sandbox().persona("Marit")
    box.file("WhatsApp Chat with Rowing.txt", CHAT)
    box.file("mail.mbox", MAIL)
    box.run("add", ".").ok()
    return box


@test("people are listed, most messages first, likely joins marked")
def _():
    box = full()
    box.run("people").ok().has("Ann Lee", "likely", "ann@example.org", "+447911123456", "2019-03-02 to 2020-03-02")
    people = box.run("people", "--json").ok().json()["people"]
    same([(p["name"], p["messages"], p["answered"], p["likely"]) for p in people],
         [("Ann Lee", 3, 2, True), ("+447911123456", 1, 2, False), ("Mum", 1, 2, False)])
    same(people[0]["formats"], ["whatsapp", "mbox"])
    box.run("people", "--likely").ok().has("Ann Lee").hasnt("Mum")
    box.run("people", "mum").ok().has("Mum").hasnt("Ann Lee")
    box.run("people", "--limit", "1").ok().has("Ann Lee").says("2 more")


@test("people are confirmed, merged and split, and what was said stays")
def _():
    box = full()
    box.run("people", "--confirm", "Ann Lee").ok().hasnt("likely")
    box.run("people", "--merge", "Mum", "07911 123456").ok().has("Mum", "+447911123456")
    box.run("people", "--split", "Ann Lee", "ann@example.org").ok()
    people = box.run("people", "--json").ok().json()["people"]
    same(sorted((p["name"], p["messages"]) for p in people), [("Ann Lee", 1), ("Ann Lee", 2), ("Mum", 2)])
    same(box.run("people", "Ann Lee", "--json").error("INVAL", 2)[:10], "2 people a")
    box.run("people", people[-1]["id"]).ok().has("Ann Lee")
    box.run("people", "--merge", "Mum", "--json").error("INVAL", 2)
    box.run("people", "--merge", "--split", "Mum", "Ann").exits(2)
    box.run("people", "Nobody", "--json").error("NOTFOUND", 3)


@test("a dry run tells sources, people, dates and joins, and stores nothing")
def _():
    box = Sandbox().persona("Marit")
    box.file("in/WhatsApp Chat with Rowing.txt", CHAT)
    box.file("in/again.txt", CHAT)
    box.file("in/mail.mbox", MAIL)
    box.file("in/note.md", "---\ndate: 2018-05-06\n---\nThe harbour was quiet this morning.\n")
    r = box.run("add", "--dry-run", "in", "--json").ok().json()
    by_format = {s["format"]: s for s in r["sources"] if s["pieces"]}
    same(sorted(by_format), ["markdown", "mbox", "whatsapp"])
    chat = by_format["whatsapp"]
    same((chat["pieces"], chat["voice"], chat["from"][:10], chat["to"][:10]), (6, 2, "2020-03-02", "2020-03-23"))
    same([(s["name"], s["messages"], s["persona"]) for s in chat["speakers"]],
         [("Ann Lee", 2, False), ("Marit", 2, True), ("+44 7911 123456", 1, False), ("Mum", 1, False)])
    same([(j["name"], j["ids"], j["messages"], j["likely"]) for j in r["joins"]],
         [("Ann Lee", ["ann@example.org"], 3, True)])
    same((r["totals"]["added"], r["totals"]["known"]), (8, 6), "the same chat under another name is known")
    box.run("add", "--dry-run", "in").ok().has("Would come in, as 4 sources", "Marit 2 (the persona)",
                                              "Would be taken for one person", "likely", "6 known already")
    same(box.run("sources", "--json").ok().json()["sources"], [])
    box.run("add", "--me", "Marit", "in/mail.mbox").ok()
    r = box.run("add", "--dry-run", "in/again.txt", "--json").ok().json()
    same([(j["name"], j["messages"]) for j in r["joins"]], [("Ann Lee", 2)], "joined with whom is stored")


@test("languages of each source are told, beforehand and afterwards")
def _():
    box = Sandbox().persona("Marit")
    box.file("in/chat.txt", "[02/03/2020, 10:00:00] Marit: Morning Ann, shall we go rowing on the lake?\n"
                            "[02/03/2020, 10:01:00] Ann Lee: Ich weiß nicht, ob wir heute rudern können.\n"
                            "[02/03/2020, 10:01:00] Ann Lee: ok\n"
                            "[23/03/2020, 10:05:00] Marit: It is not what I had in mind\n")
    want = [{"language": "en", "pieces": 2}, {"language": "de", "pieces": 1}, {"language": "", "pieces": 1}]
    same(box.run("add", "--dry-run", "in", "--json").ok().json()["sources"][0]["languages"], want)
    box.run("add", "--dry-run", "in").ok().has("en 50 %, de 25 %, too short to tell 25 %")
    box.run("add", "--me", "Marit", "in").ok()
    same(box.run("sources", "--json").ok().json()["sources"][0]["languages"], want)
    with open(os.path.join(box.work, "in/chat.txt"), "a", encoding="utf-8") as f:
        f.write("[24/03/2020, 10:05:00] Marit: Das habe ich mir auch schon gedacht, danke!\n")
    box.run("add", "in").ok()
    want[1]["pieces"] = 2
    same({w["language"]: w["pieces"] for w in box.run("sources", "--json").ok().json()["sources"][0]["languages"]},
         {w["language"]: w["pieces"] for w in want}, "a longer export adds to the counts")
    box.run("sources").ok().has("de 40 %")
    box.run("show").ok().has("Languages", "de 40 %")
    same(box.run("show", "--json").ok().json()["persona"]["languages"][-1], {"language": "", "pieces": 1})
    secret = box.file("pass", "correct horse battery staple")
    os.chmod(secret, 0o600)
    box.run("export", "Marit", "out.likeness", "--no-mask-others", "--passphrase-file", secret).ok()
    box.run("import", "out.likeness", "--passphrase-file", secret, "--name", "Again", "--json").error("EXISTS", 1)
    box.run("forget", "Marit", "--yes").ok()
    box.run("import", "out.likeness", "--passphrase-file", secret).ok()
    box.run("sources").ok().has("de 40 %")


main()
