#!/usr/bin/env python3
"""The program on a terminal: questions it asks, passphrases, the chat's line editor, Ctrl-C."""
import os
import random

from harness import Sandbox, check, main, marit, same, test

CHAT = "".join(f"0{d}/02/2021, 10:1{d} - {who}: {text}\n" for d, (who, text) in enumerate([
    ("Ann Lee", "Shall we sail tomorrow?"), ("Bob", "Only if the wind drops."),
    ("Ann Lee", "The wind never drops in February, and I love it."), ("Bob", "You are mad.")], 1))


@test("init asks for a passphrase twice, without echo, and wants the two to be equal")
def _():
    box = Sandbox()
    t = box.terminal("init", "--passphrase")
    t.expect("passphrase for the new home: ")
    t.line("correct horse battery")
    t.expect("same again: ")
    t.line("correct horse bbattery")
    t.expect("differ")
    t.expect("passphrase for the new home: ")
    t.line("correct horse battery")
    t.expect("same again: ")
    t.line("correct horse battery")
    t.expect("Your home is at")
    check("horse" not in t.end(), "the passphrase was echoed")
    t = box.terminal("personas")
    t.expect("Passphrase of your home: ")
    t.line("wrong")
    t.expect("not the passphrase")
    t.expect("Passphrase of your home: ")
    t.line("correct horse battery")
    t.expect("no persona yet")
    t.end(0)
    t = box.terminal("personas")
    for _i in range(3):
        t.expect("Passphrase of your home: ")
        t.line("wrong")
    t.end(4)


@test("Ctrl-C at a passphrase leaves, with the terminal echoing again")
def _():
    box = Sandbox()
    box.run("init", env={"LIKENESS_PASSPHRASE": "correct horse battery"}).ok()
    t = box.terminal("personas")
    t.expect("Passphrase of your home: ")
    t.send("\x03")
    t.end(-2)


@test("passphrase on a terminal")
def _():
    box = Sandbox().persona()
    t = box.terminal("passphrase")
    t.expect("new passphrase: ")
    t.line("short")
    t.expect("four or five random words")
    t.expect("same again: ")
    t.line("short")
    t.expect("locked anew")
    t.end(0)
    box.run("personas", env={"LIKENESS_PASSPHRASE": "short"}).ok().has("Ann")


@test("new asks for what is missing")
def _():
    box = Sandbox()
    box.run("init").ok()
    t = box.terminal("new", "Ann")
    t.expect("Kind \\[self\\]: ")
    t.line("robot")
    t.expect("Kind \\[self\\]: ")
    t.line("")
    t.expect("(?s)Is this you.*\\[y/N\\] ")
    t.line("n")
    t.end(130)
    same(box.run("personas", "--json").ok().json()["personas"], [])
    t = box.terminal("new", "Grandpa")
    t.expect("Kind")
    t.line("legacy")
    t.expect("Who decides")
    t.line("Ann, his granddaughter")
    t.expect("To what")
    t.line("use in the family")
    t.expect("Made Grandpa")
    t.end(0)
    p = box.run("personas", "--json").ok().json()["personas"][0]
    same((p["kind"], p["consent"]["by"], p["consent"]["to"]), ("legacy", "Ann, his granddaughter",
                                                               "use in the family"))


@test("add asks which of the people is the persona")
def _():
    box = Sandbox().persona("Annie")
    chat = box.file("chat.txt", CHAT)
    t = box.terminal("add", chat)
    t.expect("Which of them is Annie")
    t.expect("1  ")
    first = "Ann Lee" if "Ann Lee" in t.expect("[^\n]*").group() else "Bob"
    t.expect("Number")
    t.line("7")
    t.expect("numbers of the list")
    t.line("1" if first == "Ann Lee" else "2")
    t.expect("4 pieces in, 2 in the persona's voice")
    t.end(0)
    same(box.run("show", "--json").ok().json()["persona"]["aliases"], ["Ann Lee"])
    box.run("add", chat).ok().has("nothing new")


@test("several names can be chosen")
def _():
    box = Sandbox().persona("Annie")
    chat = box.file("chat.txt", CHAT)
    t = box.terminal("add", chat)
    t.expect("Number")
    t.line("1, 2")
    t.expect("4 in the persona's voice")
    t.end(0)
    same(sorted(box.run("show", "--json").ok().json()["persona"]["aliases"]), ["Ann Lee", "Bob"])


@test("deleting and forgetting ask first")
def _():
    box = Sandbox().persona("Ann")
    box.run("add", box.file("a.txt", "I keep goats on the hill.")).ok()
    t = box.terminal("sources", "--delete", "1")
    t.expect("Delete source 1.*\\[y/N\\] ")
    t.line("")
    t.end(130)
    same(len(box.run("sources", "--json").ok().json()["sources"]), 1)
    t = box.terminal("sources", "--delete", "1")
    t.expect("\\[y/N\\] ")
    t.line("y")
    t.expect("Deleted source 1: 1 piece,")
    t.end(0)
    t = box.terminal("forget", "Ann")
    t.expect("Type the name")
    t.line("ann")
    t.end(130)
    t = box.terminal("forget", "Ann")
    t.expect("Type the name")
    t.line("Ann")
    t.expect("Forgotten")
    t.end(0)
    same(box.run("personas", "--json").ok().json()["personas"], [])


@test("chat: questions, commands, history, Ctrl-C drops the line, Ctrl-D leaves")
def _():
    box = marit()
    t = box.terminal("chat")
    t.expect("answers from what they wrote")
    t.prompt()
    t.line("Do you eat meat?")
    t.expect("/why shows them")
    t.prompt()
    t.line("/why")
    t.expect("similarity 0\\.\\d+, support")
    t.prompt()
    t.line("/sources")
    t.expect("\\[1\\].*similarity")
    t.prompt()
    t.line("/frob")
    t.expect("no command /frob")
    t.prompt()
    t.send("half a line")
    t.expect("half a line")
    t.send("\x03")
    t.prompt()
    t.line("/help")
    t.expect("/save FILE")
    t.prompt()
    t.send("\x1b[A\x1b[A\x1b[A\x1b[A\x1b[A")      # up to the first question
    t.expect("Do you eat meat\\?")
    t.line("")
    t.expect("/why shows them|rests on")
    t.prompt()
    t.line("/save " + os.path.join(box.work, "talk.txt"))
    t.expect("Written to")
    t.prompt()
    t.line("/new")
    t.expect("new conversation")
    t.prompt()
    t.send("\x04")
    t.end(0)
    saved = os.path.join(box.work, "talk.txt")
    check("> Do you eat meat?" in open(saved).read(), "transcript")
    same(os.stat(saved).st_mode & 0o777, 0o600, "mode of the transcript")
    talks = box.run("conversations", "--json").ok().json()["conversations"]
    same([c["turns"] for c in talks], [2])
    for folder in box.home, box.config:
        for root, _dirs, files in os.walk(folder):
            for f in files:
                check(b"eat meat" not in open(os.path.join(root, f), "rb").read(), f"{f} holds the question")
    same([f for f in os.listdir(box.dir) if "history" in f], [], "history files")


@test("chat understands UTF-8 input")
def _():
    box = marit()
    t = box.terminal("chat", "--no-save")
    t.expect("Nothing is kept")
    t.prompt()
    t.line("Do you like a naïve café?")
    t.expect("naïve café")
    t.prompt()
    t.line("/quit")
    t.end(0)


@test("colour is on a terminal only, and NO_COLOR and --color are obeyed")
def _():
    box = Sandbox()
    env = {"NO_COLOR": ""}
    check("\x1b[" in box.terminal("help", env=env).end(), "colour on a terminal")
    check("\x1b[" not in box.terminal("help").end(), "NO_COLOR")
    check("\x1b[" not in box.run("help", env=env).out, "colour in a pipe")
    check("\x1b[" in box.run("help", "--color", "always").out, "--color always")
    check("\x1b[" not in box.terminal("help", "--color", "never", env=env).end(), "--color never")


def long_text(box, sentences):
    r = random.Random(5)
    words = ("goat harbour hill ferry bread winter engine letter salt rope kettle candle ladder river stone "
             "window garden teacher island market").split()
    return box.file("long.txt", "\n\n".join(" ".join(" ".join(r.choices(words, k=9)).capitalize() + f" {i}."
                                                     for i in range(j, j + 20))
                                            for j in range(0, sentences, 20)))


@test("add shows progress on a terminal, and Ctrl-C leaves the home as it was")
def _():
    box = Sandbox().persona("Ann")
    box.run("add", box.file("a.txt", "I keep goats on the hill.")).ok()
    before = box.counts()
    t = box.terminal("add", long_text(box, 400000))
    m = t.expect("(read|look) +\\d+%  [^\r]*MB", 60)
    check(m, "progress")
    t.send("\x03")
    text = t.end(130)
    check("added" in text or "stopped" in text or "cancel" in text.lower(), text[-300:])
    after = box.counts()
    same((after["pieces"], after["sources"], after["chunks"]),
         (before["pieces"], before["sources"], before["chunks"]))
    box.run("doctor", "--check").ok()


@test("into a pipe goes no progress")
def _():
    box = Sandbox().persona("Ann")
    r = box.run("add", long_text(box, 20000)).ok()
    check("\r" not in r.out + r.err and "%" not in r.err, r.err)


@test("names with control characters cannot move the cursor")
def _():
    box = Sandbox().persona("Ann")
    box.file("we\x1b[2Jird\x07.txt", "I keep goats on the hill above the town.")
    for argv in (["add", box.work], ["sources"], ["search", "goats"]):
        text = box.terminal(*argv).end()
        check("\x1b[2J" not in text and "\x07" not in text, repr(text))


if __name__ == "__main__":
    main()
