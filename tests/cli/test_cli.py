#!/usr/bin/env python3
"""The program as a user meets it, without a terminal: every command, in text and in JSON."""
import os
import shutil
import subprocess

from harness import BIN, ME, PERSON, ROOT, Sandbox, Skip, check, main, marit, same, test

MODEL = [f"model {verb}" for verb in "catalogue pull use ls show rm import quantize bench distill".split()]
REMOTE = [f"remote {verb}" for verb in "use show set-key forget-key".split()]
ACCOUNT = [f"account {verb}" for verb in "ls new passwd disable enable rm import give take".split()]
COMMANDS = ("init new add ask chat search sources people topics prompt personas show rename set me conversations export "
            "import forget passphrase config doctor version help serve jobs").split() + MODEL + ACCOUNT + REMOTE


@test("docs/API.md is what the route tables say")
def _():
    text = Sandbox().run("help", "--api", "markdown").ok().out
    with open(os.path.join(ROOT, "docs", "API.md"), encoding="utf-8") as f:
        check(f.read() == text, "make it anew: build/src/cli/likeness help --api markdown >docs/API.md")


@test("help names every command, and each explains itself")
def _():
    box = Sandbox()
    r = box.run().ok()
    r.has(*COMMANDS)
    for c in COMMANDS:
        box.run("help", *c.split()).ok().has(f"likeness {c}", "usage:")
        if c != "help":
            same(box.run(*c.split(), "--help").ok().out, box.run("help", *c.split()).out, "help of " + c)
    doc = box.run("help", "--json").ok().json()
    same(sorted(c["name"] for c in doc["commands"]), sorted(COMMANDS), "commands")
    box.run("--version").ok().has("likeness ")
    check("schema" in box.run("version", "--json").ok().json(), "schema in version")


@test("the manual page comes from the table and scdoc takes it")
def _():
    r = Sandbox().run("help", "--man").ok()
    r.has("# EXIT STATUS", "## add", "LIKENESS\\_KEY\\_FILE")
    if not shutil.which("scdoc"):
        raise Skip("no scdoc")
    p = subprocess.run(["scdoc"], input=r.out.encode(), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    same((p.returncode, p.stderr), (0, b""), "scdoc")
    for c in COMMANDS:
        check(f".SS {c}".encode() in p.stdout, "man page lacks " + c)


@test("bash completes commands, options and their values")
def _():
    box = Sandbox()
    script = box.file("likeness.bash", box.run("help", "--completion", "bash").ok().out)

    def words(*typed):
        line = " ".join(f"'{w}'" for w in typed)
        p = subprocess.run(["bash", "-c", f"source {script}; COMP_WORDS=({line}); "
                            f"COMP_CWORD={len(typed) - 1}; _likeness; echo ${{COMPREPLY[*]}}"],
                           stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        same(p.stderr, b"", "bash")
        return p.stdout.decode().split()
    same(words("likeness", "so"), ["sources"])
    check("--dry-run" in words("likeness", "add", "--d"), "--dry-run")
    same(sorted(words("likeness", "ask", "--mode", "")), ["hybrid", "keyword", "vector"])
    check("--home" in words("likeness", "ask", "--h"), "global options")
    same(words("likeness", "mod"), ["model"])
    same(sorted(words("likeness", "model", "qu")), ["quantize"])
    same(sorted(words("likeness", "account", "")), sorted(c.split()[1] for c in ACCOUNT))
    same(sorted(words("likeness", "remote", "s")), ["set-key", "show"])
    check("--sha256" in words("likeness", "model", "pull", "--s"), "options of a command of two words")
    for shell in "zsh", "fish":
        text = box.run("help", "--completion", shell).ok().out
        for c in COMMANDS:
            check(c.split()[-1] in text, f"{shell} lacks {c}")
    box.run("help", "--completion", "tcsh").exits(2)


@test("init makes a home and a key file that only the owner can read")
def _():
    box = Sandbox()
    doc = box.run("init", "--json").ok().json()
    same(doc["home"], box.home)
    same(doc["key_file"], box.key())
    same(os.stat(box.key()).st_mode & 0o777, 0o600, "mode of key file")
    same(os.stat(box.home).st_mode & 0o777, 0o700, "mode of home")
    check(not box.run("init", "--json").error("EXISTS", 1).startswith("/"), "message")
    box.run("personas").ok().says("no persona yet")
    box.run("doctor").ok().has("all is well")


@test("init with a key file elsewhere; the setting finds it again")
def _():
    box = Sandbox()
    key = os.path.join(box.work, "my.key")
    box.run("init", "--key-file", key).ok().has(key)
    box.run("personas").exits(4).says("is not there")
    box.run("--key-file", key, "personas").ok()
    box.run("config", "key_file", key).ok()
    box.run("personas").ok()
    box.run("personas", env={"LIKENESS_KEY_FILE": "/nonexistent/key"}).exits(4)


@test("init with a passphrase from file and environment")
def _():
    box = Sandbox()
    secret = box.file("pass", "correct horse battery staple\nsecond line\n")
    os.chmod(secret, 0o600)
    box.run("init", "--passphrase-file", secret).ok().has("passphrase")
    box.run("personas").exits(4).says("passphrase")
    box.run("personas", "--passphrase-file", secret).ok()
    box.run("personas", env={"LIKENESS_PASSPHRASE": "correct horse battery staple"}).ok()
    box.run("personas", env={"LIKENESS_PASSPHRASE_FILE": secret}).ok()
    r = box.run("personas", env={"LIKENESS_PASSPHRASE": "wrong horse"}).exits(4)
    r.says("not the passphrase").hasnt("wrong horse")
    os.chmod(secret, 0o644)
    box.run("personas", "--passphrase-file", secret).ok().says("others can read")


@test("passphrase changes the lock, to another passphrase and to a key file and back")
def _():
    box = Sandbox().persona()
    old = box.key()
    box.run("passphrase", env={"LIKENESS_NEW_PASSPHRASE": "one two three four"}).ok().has("locked anew")
    box.run("personas", env={"LIKENESS_PASSPHRASE": "one two three four"}).ok().has("Ann")
    new = box.file("new", "five six seven eight\n")
    os.chmod(new, 0o600)
    env = {"LIKENESS_PASSPHRASE": "one two three four"}
    box.run("passphrase", "--new-passphrase-file", new, env=env).ok()
    box.run("personas", env=env).exits(4)
    env = {"LIKENESS_PASSPHRASE": "five six seven eight"}
    key = os.path.join(box.work, "new.key")
    box.run("passphrase", "--to-key-file", key, env=env).ok()
    box.run("personas", env=env).exits(4)
    box.run("--key-file", key, "personas").ok().has("Ann")
    box.run("--key-file", old, "personas").exits(4)


@test("new wants kind and consent; personas, show, rename and me")
def _():
    box = Sandbox()
    box.run("init").ok()
    box.run("new", "Ann").exits(2).says("--kind")
    box.run("new", "Ann", "--kind", "alien").exits(2).says("self, consented")
    box.run("new", "Ann", "--kind", "self").exits(4).says("--consent-by")
    box.run("new", "Bo", "--kind", "legacy", "--consent-by", "his son").exits(4).says("--consent-to")
    same(box.run("personas", "--json").ok().json(), {"personas": []})
    box.run("new", "Ann", "--kind", "self", "--consent-by", "Ann Lee").ok().has("use on this machine")
    doc = box.run("new", "Bo", "--kind", "legacy", "--consent-by", "his son", "--consent-to", "family use",
                  "--me", "Bo Lee,bo@example.org", "--json").ok().json()["persona"]
    same((doc["kind"], doc["aliases"]), ("legacy", ["Bo Lee", "bo@example.org"]))
    same(doc["consent"]["by"], "his son")
    box.run("new", "ann", "--kind", "self", "--consent-by", "x").exits(1).says("of that name already")
    box.run("sources").exits(2).says("--persona")
    box.run("show", "Bo").ok().has("his son", "bo@example.org", "legacy")
    box.run("show", doc["id"][:5]).ok().has("his son")
    box.run("show", "Nobody").exits(3).hasnt("Bo", "Ann")
    box.run("rename", "Bo", "Bo the Elder").ok()
    box.run("rename", "Ann", "bo the elder").exits(1)
    names = [p["name"] for p in box.run("personas", "--json").ok().json()["personas"]]
    same(names, ["Ann", "Bo the Elder"])
    box.run("me", "Annie,ann@example.org", "-p", "Ann").ok().has("Annie")
    box.run("config", "persona", "Ann").ok()
    box.run("sources").ok()


WHATSAPP = "".join(f"0{d}/02/2021, 10:1{d} - {who}: {text}\n" for d, (who, text) in enumerate([
    ("Ann Lee", "Shall we sail tomorrow?"), ("Bob", "Only if the wind drops."),
    ("Ann Lee", "The wind never drops in February, and I love it."), ("Bob", "You are mad."),
    ("Ann Lee", "I have been sailing since I was six and I am not stopping now.")], 1))


@test("add needs to know who the persona is; who lists the people")
def _():
    box = Sandbox().persona("Annie")
    chat = box.file("chat.txt", WHATSAPP)
    box.run("add", chat).exits(2).says("--me", "--who").hasnt("Ann Lee", "Bob")
    people = box.run("add", chat, "--who", "--json").ok().json()["people"]
    same(sorted(p["name"] for p in people), ["Ann Lee", "Bob"])
    box.run("add", chat, "--who").ok().has("Ann Lee", "Bob")
    same(box.counts()["pieces"], 0, "pieces after --who")
    r = box.run("add", chat, "--me", "Ann Lee", "--dry-run", "--json").ok().json()
    same((r["dry_run"], r["totals"]["added"], r["totals"]["voice"]), (True, 5, 3))
    same(box.counts()["pieces"], 0, "pieces after --dry-run")
    same(box.run("show", "--json").ok().json()["persona"]["aliases"], [], "aliases after --dry-run")
    box.run("add", chat, "--me", "Ann Lee").ok().has("5 pieces in", "3 in the persona's voice")
    same(box.counts()["pieces"], 5)


@test("the same file adds nothing, a longer export what is new")
def _():
    box = Sandbox().persona("Ann Lee")
    chat = box.file("chat.txt", WHATSAPP)
    box.run("add", chat).ok()
    box.run("add", chat).ok().has("nothing new, 5 pieces known already")
    box.file("chat.txt", WHATSAPP + "06/02/2021, 11:00 - Ann Lee: The harbour froze over last night.\n")
    doc = box.run("add", chat, "--json").ok().json()
    same((doc["totals"]["added"], doc["totals"]["known"]), (1, 5))
    same(len(box.run("sources", "--json").ok().json()["sources"]), 1, "sources")


@test("add reads standard input, folders, CSV with a map, and goes on past a broken file")
def _():
    box = Sandbox().persona("Ann Lee")
    box.run("add", "-", input="I keep bees behind the house.\n\nThey came with the garden.\n").ok()
    box.file("d/a.txt", "I never learnt to drive a car.")
    box.file("d/broken.json", '{"name": "chat", "messages": [{"id": 1, "type":')
    box.file("d/sub/b.md", "# Bread\n\nI bake rye bread every Sunday.")
    doc = box.run("add", os.path.join(box.work, "d"), "--json").ok().json()
    same((doc["totals"]["files"], doc["totals"]["failed"], doc["totals"]["added"]), (3, 1, 2))
    bad = [f for f in doc["files"] if f["error"]]
    check(bad[0]["path"].endswith("broken.json"), "which file failed")
    csv = box.file("c.csv", "who,said,when\nAnn Lee,The lighthouse was my father's work.,2011-05-06\n"
                   "Bob,I was his helper.,2011-05-07\n")
    doc = box.run("add", csv, "--map", "text=said,author=who,date=when", "--json").ok().json()
    same((doc["totals"]["added"], doc["totals"]["voice"]), (2, 1))
    same(doc["files"][0]["from"][:10], "2011-05-06")
    box.run("ask", "What did your father do?").ok().has("lighthouse")


@test("the sample person comes in, and answers")
def _():
    box = marit()
    r = box.run("ask", "Do you eat meat?").ok()
    r.has("similarity 0.", " ms")
    doc = box.run("ask", "--json", "Do you eat meat?").ok().json()
    check(doc["kind"] in ("found", "changed"), "kind")
    check(doc["sources"] and -1 <= doc["sources"][0]["similarity"] <= 1, "similarity")
    check(doc["sources"][0]["title"], "title")
    box.run("ask", "Do you eat meat?", "--why").ok().has("support")
    none = box.run("ask", "--json", "What is your opinion of quantum chromodynamics?").ok().json()
    same(none["kind"], "none")
    counts = box.counts()
    check(counts["pieces"] >= 150 and counts["vectors"] == counts["chunks"], f"counts {counts}")


@test("search takes filters and modes")
def _():
    box = marit()
    for mode in "hybrid", "vector", "keyword":
        doc = box.run("search", "boat", "--mode", mode, "-k", "3", "--json").ok().json()
        check(1 <= len(doc["passages"]) <= 3, f"{mode}: {len(doc['passages'])} passages")
    old = box.run("search", "boat", "--to", "2016", "--json").ok().json()["passages"]
    check(old and all(p["written_at"] < "2017" for p in old), "dates up to and with 2016")
    new = box.run("search", "boat", "--from", "2020-01", "--json").ok().json()["passages"]
    check(new and all(p["written_at"] >= "2020" for p in new), "dates from 2020")
    one = old[0]["source"]
    got = box.run("search", "boat", "--source", str(one), "--json").ok().json()["passages"]
    check(got and all(p["source"] == one for p in got), "source filter")
    box.run("search", "xyzzyplugh", "--mode", "keyword").ok().says("Nothing found")
    box.run("search", "boat", "--from", "last week").exits(2).says("--from")
    box.run("search", "boat", "--from", "2020", "--to", "2019").exits(2)
    box.run("search", "boat", "-k", "0").exits(2).says("1 to 50")
    box.run("search", "boat", "--mode", "psychic").exits(2).says("hybrid")
    box.run("search", " ").exits(2).says("empty")


@test("topics and sources are listed, with dates")
def _():
    box = marit()
    topics = box.run("topics", "--json").ok().json()["topics"]
    check(len(topics) >= 3 and all(t["label"] and t["chunks"] for t in topics), f"topics {topics}")
    box.run("topics").ok().has(topics[0]["label"][:20])
    t = box.run("search", "boat", "--topic", str(topics[0]["id"]), "--json").ok().json()["passages"]
    check(all(p["topic"] == topics[0]["id"] for p in t), "topic filter")
    src = box.run("sources", "--json").ok().json()["sources"]
    mail = [s for s in src if s["format"] == "mbox"][0]
    same((mail["pieces"], mail["voice"]), (62, 30))
    same((mail["from"][:4], mail["to"][:4]), ("2015", "2024"))
    box.run("sources").ok().has("mail.mbox", "2015-03-08 to 2024-08-11")


@test("deleting a source says what went, and it is gone from answers")
def _():
    box = marit()
    src = box.run("sources", "--json").ok().json()["sources"]
    mail = [s for s in src if s["format"] == "mbox"][0]
    box.run("sources", "--delete", str(mail["id"])).exits(2).says("--yes")
    box.run("sources", "--delete", "99999", "--yes").exits(3)
    doc = box.run("sources", "--delete", str(mail["id"]), "--yes", "--json").ok().json()
    same((doc["deleted"], doc["gone"]["pieces"]), (mail["id"], 62))
    check(doc["gone"]["chunks"] > 0 and doc["gone"]["vectors"] == doc["gone"]["chunks"], f"{doc}")
    left = box.run("sources", "--json").ok().json()["sources"]
    same(len(left), len(src) - 1)
    hits = box.run("search", "boat", "-k", "50", "--json").ok().json()["passages"]
    check(hits and all(p["source"] != mail["id"] for p in hits), "passages of a deleted source")
    box.run("doctor", "--check").ok()


@test("chat from a pipe keeps turns; conversations are listed, continued and deleted")
def _():
    box = marit()
    r = box.run("chat", input="Do you eat meat?\n\nAnd why?\n/sources\n").ok()
    r.has("similarity")
    talks = box.run("conversations", "--json").ok().json()["conversations"]
    same((len(talks), talks[0]["turns"], talks[0]["first_question"]), (1, 2, "Do you eat meat?"))
    n = str(talks[0]["id"])
    box.run("chat", "-c", n, input="Do you wear a helmet?\n").ok()
    turns = box.run("conversations", n, "--json").ok().json()["turns"]
    same([t["question"] for t in turns], ["Do you eat meat?", "And why?", "Do you wear a helmet?"])
    box.run("conversations", n).ok().has("> And why?")
    doc = box.run("chat", "--no-save", "--json", input="Do you eat meat?\n").ok().json()
    same((doc["conversation"], len(doc["turns"]), doc["turns"][0]["saved"]), (None, 1, False))
    same(len(box.run("conversations", "--json").ok().json()["conversations"]), 1, "after --no-save")
    box.run("chat", "-c", "777", input="x\n").exits(3)
    box.run("conversations", "777").exits(3)
    box.run("conversations", "--delete", n).exits(2).says("--yes")
    box.run("conversations", "--delete", n, "--yes").ok()
    same(box.run("conversations", "--json").ok().json()["conversations"], [])


@test("prompt shows what a model would get; templates can be changed and reset")
def _():
    box = marit()
    doc = box.run("prompt", "Do you eat meat?", "--json").ok().json()
    check("Marit" in doc["system"] and "Do you eat meat?" in doc["user"], "composed prompt")
    check(doc["tokens"] > 0 and doc["examples_used"] > 0, f"{doc['tokens']} {doc['examples_used']}")
    box.run("prompt").ok().has("system", "user")
    builtin = box.run("prompt", "--template", "user").ok()
    builtin.has("{{examples}}", "{{question}}").says("built-in")
    mine = box.file("user.txt", "MINE\n{{examples}}\nQ: {{question}}\n")
    box.run("prompt", "--template", "user", "--set", mine).ok()
    box.run("prompt", "--template", "user", "--print").ok().has("MINE").says("own template")
    check(box.run("prompt", "Why?", "--json").ok().json()["user"].startswith("MINE"), "own template in use")
    bad = box.file("bad.txt", "no place for the question\n")
    box.run("prompt", "--template", "user", "--set", bad).exits(5)
    box.run("prompt", "--template", "user", "--print").ok().has("MINE")
    box.run("prompt", "--template", "poem").exits(2)
    box.run("prompt", "--set", mine).exits(2).says("--template")
    box.run("prompt", "--template", "user", "--reset").ok()
    same(box.run("prompt", "--template", "user").out, builtin.out, "template after --reset")


@test("export and import carry everything over, under another name too")
def _():
    box = marit()
    box.run("chat", input="Do you eat meat?\n").ok()
    secret = box.file("secret", "the file has its own passphrase\n")
    os.chmod(secret, 0o600)
    out = os.path.join(box.work, "marit.likeness")
    doc = box.run("export", "Marit", out, "--no-mask-others", "--passphrase-file", secret, "--json").ok().json()
    same(doc["counts"]["conversations"], 1)
    box.run("export", "Marit", out, "--no-mask-others", "--passphrase-file", secret).exits(1).says("--force")
    box.run("export", "Marit", out, "--no-mask-others", "--passphrase-file", secret, "--force").ok()
    box.run("import", out, "--passphrase-file", secret).exits(1)
    before = box.run("ask", "--json", "Do you eat meat?").ok().json()
    other = Sandbox()
    other.run("init").ok()
    other.run("import", out, "--passphrase-file", box.file("wrong", "not this one\n")).exits(4)
    got = other.run("import", out, "--passphrase-file", secret, "--name", "M.", "--json").ok().json()
    same((got["name"], got["counts"]), ("M.", doc["counts"]))
    after = other.run("ask", "--json", "Do you eat meat?").ok().json()
    same(after["answer"], before["answer"])
    same([c["similarity"] for c in after["sources"]], [c["similarity"] for c in before["sources"]])
    other.run("doctor", "--check").ok().has("all is well")
    again = other.run("add", PERSON, "--json").ok().json()
    same((again["totals"]["added"], again["totals"]["failed"]), (0, 0), "the same files after import")
    other.run("chat", "-c", "1", input="And why?\n").ok()


@test("export under a key file that is made for it")
def _():
    box = Sandbox().persona()
    key, out = os.path.join(box.work, "file.key"), os.path.join(box.work, "ann.lk")
    same(box.run("export", "Ann", out, "--no-mask-others", "--key-file", key, "--json").ok().json()["key_made"], True)
    other = Sandbox()
    other.run("init").ok()
    other.run("import", out, "--key-file", box.key()).exits(4)
    other.run("import", out, "--key-file", key).ok().has("Ann")


@test("a cut or changed export changes nothing")
def _():
    box = Sandbox().persona("Ann Lee")
    box.run("add", box.file("chat.txt", WHATSAPP)).ok()
    key, out = os.path.join(box.work, "k"), os.path.join(box.work, "ann.lk")
    box.run("export", "Ann Lee", out, "--no-mask-others", "--key-file", key).ok()
    whole = open(out, "rb").read()
    other = Sandbox()
    other.run("init").ok()
    n = len(whole)
    for cut in (0, 5, 40, 88, n // 3, n // 2, n - 40, n - 1):
        path = box.file("cut.lk", whole[:cut])
        other.run("import", path, "--key-file", key).exits(5)
    for at in (30, n // 2, n - 5):
        path = box.file("changed.lk", whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1:])
        r = other.run("import", path, "--key-file", key)
        check(r.status in (4, 5), r.tell())
    other.run("import", box.file("more.lk", whole + b"x"), "--key-file", key).exits(5)
    same(other.run("personas", "--json").ok().json()["personas"], [])
    same(os.listdir(os.path.join(other.home, "keys")), [], "keys left")
    other.run("doctor", "--check").ok()
    other.run("import", out, "--key-file", key).ok()


@test("forget destroys key and rows, and nothing of the person is left in the home")
def _():
    box = marit()
    box.run("chat", input="Do you eat meat?\n").ok()
    box.run("forget", "Marit").exits(2).says("--yes")
    doc = box.run("forget", "Marit", "--yes", "--json").ok().json()
    check(doc["counts"]["pieces"] > 150, "what was forgotten")
    same(os.listdir(os.path.join(box.home, "keys")), [], "keys")
    for folder in box.home, box.config:
        for root, _dirs, files in os.walk(folder):
            for f in files:
                data = open(os.path.join(root, f), "rb").read().lower()
                for word in b"marit", b"penhallow", b"second wind", b"morwenna", b"do you eat":
                    check(word not in data, f"{f} holds {word!r}")
    box.run("ask", "Do you eat meat?").exits(3)
    box.run("forget", "Marit", "--yes").exits(3)
    box.run("doctor", "--check").ok()


@test("nothing personal is readable in a home with a persona in it")
def _():
    box = marit()
    box.run("chat", input="What about Davy and the Morwenna?\n").ok()
    for root, _dirs, files in os.walk(box.home):
        for f in files:
            data = open(os.path.join(root, f), "rb").read().lower()
            for word in b"marit", b"penhallow", b"davy", b"morwenna", b"mail.mbox", b"whatsapp", b"bicycle":
                check(word not in data and word not in f.encode(), f"{f} holds {word!r}")


@test("config: where each value comes from, and that bad ones are refused")
def _():
    box = Sandbox()

    def of(name, **kw):
        doc = box.run("config", "--json", **kw).ok().json()["settings"]
        return [(s["value"], s["origin"]) for s in doc if s["name"] == name][0]
    same(of("k"), ("5", "default"))
    box.run("config", "k", "8").ok().has("k = 8")
    same(of("k"), ("8", "config file"))
    same(of("k", env={"LIKENESS_K": "9"}), ("9", "environment"))
    box.run("config", "k").ok().has("8")
    box.run("config", "adaptive", "yes").ok()
    box.run("config", "k", "7").ok()
    text = open(os.path.join(box.config, "config")).read()
    same(text, "k = 7\nadaptive = yes\n", "config file")
    box.run("config", "--unset", "k").ok()
    same(of("k"), ("5", "default"))
    box.run("config", "k", "many").exits(2).says("1 to 50")
    box.run("config", "color", "blue").exits(2).says("auto|always|never")
    box.run("config", "thread", "2").exits(2).says("did you mean")
    box.run("config", "nonsense", "2").exits(2).says("likeness config lists them")
    box.run("config", env={"LIKENESS_THREADS": "lots"}).exits(2).says("LIKENESS_THREADS")
    with open(os.path.join(box.config, "config"), "a") as f:
        f.write("# a remark\n\nwhat = ever\n")
    box.run("personas").exits(2).says("line 4 of the config file")
    box.run("help").ok()


@test("every instruction set gives the same answer")
def _():
    box = marit()
    want = None
    for cpu in "generic", "auto", "avx2", "avx512":
        r = box.run("search", "a bicycle shop", "--cpu", cpu, "--json")
        if r.status == 2:
            check("no " in r.json()["error"]["message"], "message for a CPU that lacks it")
            continue
        got = [(p["chunk"], p["similarity"]) for p in r.ok().json()["passages"]]
        want = want or got
        same(got, want, cpu)
    box.run("search", "x", "--cpu", "z80").exits(2).says("--cpu")


@test("JSON stays one document on stdout, and is pure when progress would be shown")
def _():
    box = marit()
    for argv in (["personas"], ["show"], ["sources"], ["topics"], ["conversations"], ["config"], ["doctor"],
                 ["version"], ["help"], ["ask", "Who are you?"], ["search", "dog"], ["prompt", "Why?"],
                 ["prompt", "--template", "system"]):
        for form in (argv + ["--json"], ["-j"] + argv):
            box.run(*form).ok().json()


@test("vectors are made anew by any embedder, and the floor of adaptive is the user's to set")
def _():
    box = marit()
    box.run("doctor", "--reembed", "hash").ok().has("has new vectors")
    box.run("show").ok().has("embedder hash")
    n = len(box.run("search", "-k", "5", "--fixed", "the ferry", "--json").ok().json()["passages"])
    same(n, 5)
    box.run("search", "--adaptive", "--floor", "0.7", "the ferry").ok()
    box.run("search", "--adaptive", "--floor", "high", "the ferry").exits(2)
    check(box.run("doctor", "--reembed", "no-such-embedder").status != 0, "an embedder that is not there")
    box.run("doctor", "--check").ok()


@test("an output that cannot be written is an error")
def _():
    if not os.path.exists("/dev/full"):
        raise Skip("no /dev/full")
    box = Sandbox()
    with open("/dev/full", "w") as full:
        p = subprocess.run([BIN, "help"], stdout=full, stderr=subprocess.PIPE, env=box.env)
    same(p.returncode, 6, "exit status")


if __name__ == "__main__":
    main()
