"""What a server is sent of other people: against one on this machine that writes down what it gets. Asked
as 0.0.0.0 it counts as another machine."""
import http.server
import json
import os
import re
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Sandbox, check, main, same, test  # noqa: E402


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.server.seen.append(body)
        q = json.loads(body)
        if self.path.endswith("/embeddings"):
            vectors = [{"index": i, "embedding": [1 + len(t) % 7, 2, 3, len(t) % 11]} for i, t in enumerate(q["input"])]
            return self.reply({"data": vectors})
        text = self.server.say(q["messages"][-1]["content"])
        doc = {"choices": [{"message": {"role": "assistant", "content": text}, "finish_reason": "stop"}]}
        self.reply(doc)

    def reply(self, doc):
        out = json.dumps(doc).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(out)))
        self.end_headers()
        self.wfile.write(out)


SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
SERVER.daemon_threads = True
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
PORT = SERVER.server_address[1]
HERE, AWAY = f"http://127.0.0.1:{PORT}/v1", f"http://0.0.0.0:{PORT}/v1"

CHAT = "".join(f"{d:02d}/03/2019, 10:{d:02d} - {who}: {text}\n" for d, (who, text) in enumerate([
    ("Zelda Quimby", "Have you seen the harbour today, dear?"),
    ("Marit", "Yes, Zelda, the harbour was full of boats. I told Ortwin about it."),
    ("Zelda Quimby", "Write to me at zelda@quimby.example or ring 07911 123456, I live at 12 Harbour Street."),
    ("Ortwin Brandt", "The boats of the harbour are mine."),
    ("Marit", "I love the harbour, and Quimby's boats most of all."),
], 1))
# The number with its space: five digits alone may stand in any pseudonym or cosine.
OTHERS = ["zelda", "quimby", "ortwin", "brandt", "07911 123456", "harbour street"]
ASK = ("ask", "What did Zelda Quimby say about the harbour and the boats?")


def say(user):
    found = re.search(r"Person \d{6}", user)
    return f"{found.group() if found else 'Nobody'}'s boats filled the harbour."


def persona(url):
    box = Sandbox()
    box.run("init").ok()
    box.run("new", "Marit", "--kind", "fictional", "--consent-by", "us", "--consent-to", "tests").ok()
    box.run("add", "--me", "Marit", box.file("WhatsApp Chat with Zelda.txt", CHAT)).ok()
    box.env["LIKENESS_KEY_FILE"] = box.key()
    box.run("config", "remote_plain", "yes").ok()
    box.run("remote", "use", url, "m").ok()
    SERVER.seen, SERVER.say = [], say
    return box


def sent():
    check(SERVER.seen, "nothing was sent")
    return "\n".join(SERVER.seen).lower()


@test("another machine learns of nobody, and the answer has the names")
def _():
    box = persona(AWAY)
    r = box.run(*ASK, "--json").ok().json()
    for word in OTHERS:
        check(word not in sent(), f"{word} was sent")
    check("marit" in sent() and "harbour" in sent() and "boats" in sent(), "more than names was masked")
    check(r["answer"].startswith(("Zelda Quimby's boats", "Ortwin Brandt's boats")), r["answer"])
    same((r["made"]["remote"]["leaves_machine"], r["made"]["remote"]["masked"]), (True, True))
    names = set(re.findall(r"Person \d{6}", SERVER.seen[0]))
    SERVER.seen = []
    box.run("chat", "--json", input=f"{ASK[1]}\nAnd what about the boats of Ortwin?\n").ok()
    for word in OTHERS:
        check(word not in sent(), f"{word} was sent in a conversation")
    check(names <= set(re.findall(r"Person \d{6}", "\n".join(SERVER.seen))), "somebody has another pseudonym now")


@test("the owner may send names, and mask them here")
def _():
    box = persona(AWAY)
    r = box.run(*ASK, "--no-mask-others", "--json").ok().json()
    check("zelda quimby" in sent(), "masked all the same")
    same(r["made"]["remote"]["masked"], False)
    box = persona(HERE)
    box.run(*ASK).ok()
    check("zelda quimby" in sent(), "masked on this machine")
    SERVER.seen = []
    box.run(*ASK, "--mask-others").ok().has("boats filled the harbour")
    for word in OTHERS:
        check(word not in sent(), f"{word} was sent")
    box.run(*ASK, "--mask-others", "--no-mask-others").exits(2).says("--mask-others")


@test("with --mask-others the answer and what it rests on have pseudonyms, whatever the voice")
def _():
    box = persona(HERE)
    for voice in ("remote", "quote"):
        for more in (["--why"], ["--json"]):
            out = box.run(*ASK, "--voice", voice, "--mask-others", *more).ok().out
            check("harbour" in out and "Person " in out, f"{voice}: {out}")
            if "--json" in more:
                out = json.dumps({k: v for k, v in json.loads(out).items() if k != "question"})
            for word in OTHERS:
                check(word not in out.lower(), f"{voice}: {word} is in {out}")
    check("Zelda" in box.run(*ASK, "--voice", "quote", "--why").ok().out, "masked unasked")
    out = box.run("chat", "--voice", "quote", "--mask-others", input=ASK[1] + "\n").ok().out
    check("Person " in out and "Quimby's boats" not in out, out)


@test("what shares see is a setting of the persona")
def _():
    box = persona(HERE)
    box.run("set", "Marit", "mask_shares", "off").ok().has("names")
    same(box.run("show", "Marit", "--json").ok().json()["persona"]["mask_shares"], False)
    box.run("set", "Marit", "mask_shares", "on").ok().has("pseudonyms")
    box.run("set", "Marit", "mask_shares", "maybe").exits(2).says("on or off")
    box.run("set", "Marit", "colour", "on").exits(2).says("mask_shares")


@test("vectors of another machine are made of masked texts and masked questions")
def _():
    box = persona(AWAY)
    box.run("doctor", "--reembed", "remote:bag", timeout=300).ok()
    box.run("search", "What did Zelda Quimby say about boats?").ok()
    check("boats" in sent(), "nothing was embedded")
    for word in OTHERS:
        check(word not in sent(), f"{word} was sent")
    box.run("add", box.file("more.txt", "Ortwin sold the boats to Zelda.\n")).ok()
    check("sold the boats" in sent() and "ortwin" not in sent(), "what came in later was not masked")
    box.run("config", "remote_mask", "no").ok()
    box.run("search", "What did Zelda say?").ok()
    check("zelda" in sent(), "masked all the same")


@test("an export is for others to have, unless it is said to be a backup")
def _():
    box, folder = persona(AWAY), Sandbox().dir
    key, copy, whole = (os.path.join(folder, name) for name in ("file.key", "copy.likeness", "all.likeness"))
    box.run("export", "Marit", copy, "--key-file", key).ok().has("pseudonyms", "--no-mask-others")
    box.run("export", "Marit", whole, "--no-mask-others", "--key-file", key).ok().hasnt("pseudonyms")
    box.run("export", "Marit", whole + "2", "--no-mask-others", "--mask-others", "--key-file", key).exits(2)
    for path, masked in ((copy, True), (whole, False)):
        other = Sandbox()
        other.run("init").ok()
        other.run("import", path, "--key-file", key, timeout=300).ok()
        r = json.dumps(other.run("search", "harbour boats", "--json").ok().json()).lower()
        check("boats" in r, "nothing is found in it")
        same(any(word in r for word in OTHERS), not masked, path)


@test("who is only spoken of: a surname alone in a title is masked, and the owner may ask later who it was")
def _():
    box = persona(HERE)
    box.run("add", "--by", "Marit", box.file("Letters about Kessler.txt", "My neighbour Hildegard Kessler has the oars of the "
                                             "skiff.\n\nKessler never lends the oars of the skiff.\n")).ok()
    ask = ("ask", "Who has the oars of the skiff?", "--voice", "quote", "--mask-others", "--json")
    got = {k: v for k, v in box.run(*ask).ok().json().items() if k != "question"}
    check("kessler" not in json.dumps(got).lower(), got)
    titles = [re.findall(r"Letters about (Person \d{6})", s["title"]) for s in got["sources"]]
    check(titles and titles[0], got["sources"])
    box.run("people", "--reveal", f"Letters about {titles[0][0]}").ok().has("Letters about Hildegard Kessler")
    same(box.run("people", "--reveal", titles[0][0], "--json").ok().json()["text"], "Hildegard Kessler")
    box.run("people", "--reveal", "nobody", "--json").error("NOTFOUND", 3)
    box.run("people", "--reveal").exits(2)
    box = persona(AWAY)
    box.run("add", "--by", "Marit", box.file("letter.txt", "My neighbour Hildegard Kessler has the oars of the skiff.\n"),
            box.file("Kessler skiff.txt", "The mast of the skiff is broken. The skiff has no mast.\n")).ok()
    SERVER.seen = []
    box.run("ask", "What became of the mast?").ok()
    check("mast" in sent() and "skiff" in sent() and "kessler" not in sent(), f"a title was sent: {sent()}")


@test("secrets in what is added are told, and left out")
def _():
    box = persona(AWAY)
    note = box.file("note.txt", "The harbour card is 4111 1111 1111 1111.\n")
    box.run("add", "-n", note).ok().has("card number")
    box.run("add", note).ok().has("card number").hasnt("4111")
    box.run("search", "harbour card", "--mode", "keyword").ok().has("[card number left out]").hasnt("4111")


main()
