#!/usr/bin/env python3
"""What somebody meets who has never used the program: hints, listings, slips."""
import os
import re

from harness import PERSON, ME, Sandbox, Terminal, check, main, marit, same, test

CHAT = """3/14/21, 9:03 AM - Clara Voss: Are you still getting up at 3?
3/14/21, 9:05 AM - Jonas Brandt: Every day. I love the quiet before the street wakes up.
4/2/21, 11:48 PM - Clara Voss: <Media omitted>
4/2/21, 11:49 PM - Clara Voss: <Media omitted>
4/2/21, 11:50 PM - Jonas Brandt: I will never sell that oven.
"""


@test("a persona without texts says what to do, in ask, search, topics, show and chat")
def _():
    box = Sandbox().persona("Jonas Brandt")
    for argv in (["ask", "Do you like bread?"], ["search", "bread"], ["topics"], ["show"]):
        box.run(*argv).ok().says("Nothing has come in yet", "likeness add")
    box.run("--quiet", "ask", "Do you like bread?").ok().hasnt("likeness add")
    box.run("conversations").ok().says("likeness chat begins one")
    t = box.terminal("chat")
    t.expect("Nothing has come in yet")
    t.prompt()
    t.send("\x04")
    t.end()
    path = box.file("notes.csv", "name,text\nClara,I like boats very much.\n")
    box.run("add", path, "--map", "text=text,author=name", "--me", "Jonas Brandt").ok()
    box.run("ask", "Do you like boats?").ok().says("in the persona's voice", "likeness me")


@test("add suggests questions that the persona can answer")
def _():
    box = Sandbox().persona("Marit")
    r = box.run("add", PERSON, "--me", ME).ok().says("Next: likeness chat")
    asked = re.findall(r'^  likeness ask "(.*)"$', r.err, re.M)
    check(1 <= len(asked) <= 3, f"suggestions {asked}")
    for q in asked:
        doc = box.run("ask", q, "--json").ok().json()
        check(doc["kind"] != "none" and doc["sources"], f"{q!r} has no answer")
    box.run("--quiet", "add", box.file("n.txt", "I like the new mill.")).ok().hasnt("Next:")


@test("chat greets the first time with a question to try, and later without")
def _():
    box = marit()
    for first in (True, False):
        t = box.terminal("chat")
        t.expect("answers from what they wrote")
        t.prompt()
        same("such as: What do you think of" in t.text, first, "hint")
        t.line("Do you eat meat?")
        t.expect("sources?, ")
        t.prompt()
        t.line("/quit")
        t.end()


@test("add: one line for what was passed over, one for a failure, one for a folder")
def _():
    box = Sandbox().persona("Jonas Brandt")
    chat = box.file("WhatsApp Chat with Clara Voss.txt", CHAT)
    box.run("add", chat).ok().has("passed over: media (2)\n")
    bad = box.file("photo.jpg", b"\xff\xd8\xff\xe0" + bytes(range(256)))
    r = box.run("add", bad).exits(5).says("is a picture")
    same((r.out + r.err).count("is a picture"), 1, "times told")
    for name in ("a.md", "b.md", "d.md"):
        box.file(f"notes/{name}", f"I like the {name} mill at the river.\n")
    box.file("notes/c.jpg", b"\xff\xd8\xff\xe0" + bytes(range(256)))
    r = box.run("add", "notes").ok().has("notes: 3 files (markdown)", "passed over: picture\n")
    check("is a picture" not in r.out + r.err, "an error for what only lies there")


@test("add says when a table names no dates or authors")
def _():
    box = Sandbox().persona("Jonas Brandt")
    f = box.file("odd.csv", "body,who_wrote\nI sold the van and I loved it.,Jonas\nWhy?,Clara\n")
    box.run("add", f, "--map", "text=body").ok().has("--map date=COLUMN", "--map author=COLUMN")
    f = box.file("good.csv", "text,author,date\nI sold it.,Jonas Brandt,2020-01-02\n"
                 "Why?,Clara,2020-01-02\n")
    box.run("add", f).ok().hasnt("--map")


@test("a source or topic that is not there is an error, not an empty answer")
def _():
    box = marit()
    for argv in (["ask", "boats"], ["search", "boats"], ["chat"], ["prompt", "boats?"]):
        box.run(*argv, "--source", "99").exits(3).says("there is no source 99", "likeness sources")
        box.run(*argv, "--topic", "9999").exits(3).says("there is no topic 9999", "likeness topics")


@test("sentences of one piece share a line of sources")
def _():
    r = marit().run("ask", "What do you think of e-bikes?").ok()
    lines = re.findall(r"^  ((?:\[\d+\] )+)(.*)$", r.out, re.M)
    check(lines and len({place for _, place in lines}) == len(lines), f"sources twice: {lines}")
    marks = re.findall(r"\[(\d+)\]", "".join(m for m, _ in lines))
    same(marks, [str(i + 1) for i in range(len(marks))], "marks")


@test("listings fit a narrow terminal, and stay one line each in a pipe")
def _():
    box = marit()
    for argv in (["sources"], ["topics"], ["personas"], ["show"], ["help"], ["help", "add"],
                 ["config"], ["doctor"], ["ask", "Do you eat meat?"]):
        text = box.terminal(*argv, env={"COLUMNS": "60"}).end()
        check("\x1b" not in text, f"escape codes with NO_COLOR: {text!r}")
        long = [ln for ln in text.splitlines() if len(ln) > 60 and "/" not in ln]
        same(long, [], f"lines over 60 columns of {' '.join(argv)}")
    same(len(box.run("personas").ok().out.splitlines()), 1, "lines of a persona in a pipe")


@test("show gives the whole picture, and --style how they write at length")
def _():
    box = marit()
    r = box.run("show").ok()
    r.has("Consent ", "Writes as ", "Holds ", "Written ", "Topics ", "Style ")
    check("Vocabulary" not in r.out, "the long form unasked")
    r.says("likeness show --style")
    box.run("show", "--style").ok().has("Vocabulary", "Sentences", "Tone").hasnt("show --style")


@test("slips: a home among other files, import of a mailbox, an empty name")
def _():
    box = Sandbox()
    box.file("journal/a.md", "A day.\n")
    box.run("init", "--home", "journal").exits(1).says("holds other files")
    same(os.listdir(os.path.join(box.work, "journal")), ["a.md"], "the folder")
    box.run("init").ok()
    box.run("new", "", "--kind", "self", "--yes").exits(2).says("needs a name")
    mail = box.file("mail.mbox", "From x\n\nHello.\n")
    box.run("import", mail).exits(5).says("is not a Likeness export")
    for argv in (["--man"], ["--completion", "bash"]):
        check("text" in box.run("help", "--json", *argv).error("INVAL", 2), "why not")


@test("personas: with several and no choice made, how to choose")
def _():
    box = Sandbox().persona("Ann")
    box.run("personas").ok().hasnt("--persona")
    box.run("new", "Bo", "--kind", "fictional", "--consent-by", "Ann", "--consent-to", "tests").ok()
    box.run("personas").ok().says("--persona NAME")
    box.run("config", "persona", "Bo").ok()
    box.run("personas").ok().hasnt("--persona")
    box.run("forget", "Bo", "--yes").ok()
    box.run("ask", "Boats?").exits(3).says("config file", "likeness config persona").hasnt("Bo ")


@test("bash completes the name of a file with spaces")
def _():
    box = Sandbox()
    script = box.file("comp.bash", box.run("help", "--completion", "bash").ok().out)
    box.file("WhatsApp Chat with Clara Voss.txt", CHAT)
    env = dict(box.env, PS1="$ ", INPUTRC="/dev/null")
    t = Terminal(["--norc", "--noprofile", "-i"], env, box.work, "/bin/bash")
    t.line(f"source {script}; echo rea''dy")
    t.expect("ready\\r\\n")
    t.send("likeness add Wha\t")
    t.expect(r"add WhatsApp\\ Chat\\ with\\ Clara\\ Voss.txt")
    t.send("\x15").line("exit 0")
    t.end()


main()
