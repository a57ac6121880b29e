"""The remote voice and embedder, against a server on this machine that speaks the OpenAI API and, when
told to, behaves badly. That a real one (another Likeness) does is tested in tests/http."""
import hashlib
import http.server
import json
import os
import re
import signal
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ME, PERSON, Sandbox, check, main, same, test  # noqa: E402


class Model:
    """What the server has seen, and how it is to behave."""

    def __init__(self):
        self.asked, self.say, self.status, self.headers, self.break_after, self.hang = [], None, [], {}, None, False
        self.key, self.dim, self.stream = None, 64, True
        self.hanging = threading.Event()


def words(text):
    return [w for w in "".join(c.lower() if c.isalpha() else " " for c in text).split() if len(w) > 3]


def vector(text, dim):
    """A bag of words, each at a place of its own: texts that share words are near each other."""
    v = [0.0] * dim
    for w in words(text) or [text]:
        v[int.from_bytes(hashlib.sha256(w.encode()).digest()[:4], "big") % dim] += 1
    return v


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *a):
        pass

    def reply(self, status, doc, headers=()):
        body = json.dumps(doc).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        self.answer({})

    def do_POST(self):
        self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def answer(self, q):
        m = self.server.model
        m.asked.append((self.path, q, dict(self.headers)))
        if m.key and self.headers.get("Authorization") != "Bearer " + m.key:
            return self.reply(401, {"error": {"message": "Incorrect API key"}})
        if m.status:
            status, more = m.status.pop(0)
            return self.reply(status, {"error": {"message": "not now"}}, more.items())
        if self.path == "/v1/models":
            return self.reply(200, {"object": "list", "data": [{"id": "parrot"}, {"id": "owl"}]})
        if self.path == "/v1/embeddings":
            data = [{"index": i, "embedding": vector(t, m.dim)} for i, t in enumerate(q["input"])]
            return self.reply(200, {"data": data[::-1], "usage": {"prompt_tokens": 1}})
        if self.path != "/v1/chat/completions":
            return self.reply(404, {"error": {"message": "no such route"}})
        text = m.say(q) if callable(m.say) else m.say
        usage = {"prompt_tokens": 321, "completion_tokens": 7, "total_tokens": 328}
        if not m.stream:
            return self.reply(200, {"choices": [{"message": {"role": "assistant", "content": text},
                                                 "finish_reason": "stop"}], "usage": usage})
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        for i in range(0, len(text), 5):
            if m.break_after is not None and i >= m.break_after:
                self.close_connection = True
                return
            self.event({"choices": [{"index": 0, "delta": {"content": text[i:i + 5]}, "finish_reason": None}]})
        if m.hang:
            m.hanging.set()
            self.rfile.read(1)  # until the other side leaves
            return
        self.event({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
        self.event({"choices": [], "usage": usage})
        self.wfile.write(b"data: [DONE]\n\n")

    def event(self, doc):
        self.wfile.write(b"data: " + json.dumps(doc).encode() + b"\n\n")
        self.wfile.flush()


SERVER = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
SERVER.daemon_threads = True
threading.Thread(target=SERVER.serve_forever, daemon=True).start()
URL = f"http://127.0.0.1:{SERVER.server_address[1]}/v1"

BASE = Sandbox()
BASE.run("init").ok()
BASE.run("new", "Marit", "--kind", "fictional", "--consent-by", "the authors", "--consent-to", "tests").ok()
BASE.run("add", "--me", ME, os.path.join(PERSON, "journal"), timeout=300).ok()


def persona(model=None, **settings):
    box = Sandbox(copy_of=BASE)
    box.env["LIKENESS_KEY_FILE"] = box.key()
    SERVER.model = Model()
    box.run("remote", "use", URL, *([model] if model else [])).ok()
    for name, value in settings.items():
        box.run("config", name, value).ok()
    return box, SERVER.model


def quoting(q):
    """Something the passages say, and something they do not."""
    user = q["messages"][-1]["content"]
    line = next(s for s in user.split(". ") if len(words(s)) > 6)
    return line.split("\n")[-1].strip() + ". I once flew an airship to Madagascar with twelve penguins. "


ASK = ("ask", "Do you like geese?")


@test("a server answers, and each sentence is matched to what it rests on")
def _():
    box, m = persona("parrot")
    m.say = quoting
    r = box.run(*ASK, "--json").ok().json()
    same(r["made"]["model"], "parrot", "model")
    same(r["made"]["remote"], {"host": URL[7:-3], "leaves_machine": False, "masked": False})
    same((r["made"]["prompt_tokens"], r["made"]["output_tokens"], r["made"]["stop"]), (321, 7, "end"))
    check(any(p["unsupported"] and "penguins" in p["text"] for p in r["parts"]), "penguins pass for truth")
    check(r["sources"] and any(p["source"] >= 0 for p in r["parts"]), "nothing was matched")
    q = m.asked[-1][1]
    same([x["role"] for x in q["messages"]], ["system", "user"])
    same((q["model"], q["stream"], q["max_tokens"]), ("parrot", True, 512))
    check("Marit" in q["messages"][0]["content"] and "geese" in q["messages"][1]["content"], "the prompt is not whole")
    strict = box.run(*ASK, "--json", "--strict").ok().json()
    check("penguins" not in strict["answer"] and strict["made"]["refused"] == 1, "strict said it")
    check("leaves" not in box.run(*ASK).ok().err, "a note about leaving, and nothing left")


@test("a conversation takes its turns along")
def _():
    box, m = persona()
    m.say = "Yes, I do."
    box.run("chat", "--json", input="Do you like geese?\nAnd why?\n").ok()
    q = m.asked[-1][1]
    same(q["model"], "parrot", "the first model of the list")
    same([x["role"] for x in q["messages"]], ["system", "user", "assistant", "user"])
    same(q["messages"][2]["content"], "Yes, I do.")
    check("And why?" in q["messages"][3]["content"], "the question is missing")


def examples(message):
    """The passages in a prompt: what stands between two lines of dashes, without what differs by question."""
    return {re.sub(r"^similarity [0-9.]+, ", "", part.strip())
            for part in re.split(r"--- example [0-9]+ (?:begins|ends) [0-9a-f]{32} ---\n", message["content"])[1:-1]}


@test("a passage that an earlier turn brought is not sent again, and the answer rests on it all the same")
def _():
    box, m = persona()
    m.say = lambda q: quoting({"messages": [q["messages"][1]]})
    out = box.run("chat", "--json", input="Do you swim in the sea?\nDo you like to swim in the sea?\nSwim in the sea?\n").ok().json()
    asked = [q["messages"] for path, q, _ in m.asked if path.endswith("/completions")]
    same(len(asked), 3)
    for before, after in zip(asked, asked[1:]):
        same(after[:len(before)], before, "the next turn begins otherwise")
    last = asked[-1]
    given = [examples(x) for x in last if x["role"] == "user"]
    check(given[0] and any("sea" in x for x in given[0]), given[0])
    for i, some in enumerate(given):
        for j in range(i):
            same(some & given[j], set(), "passages that were sent again")
    check(any("quoted earlier in this conversation" in x["content"] for x in last[3:]), last[3:])
    check("quoted earlier" not in last[1]["content"], "the first turn has none before it")
    same(len(out["turns"]), 3)
    check(all(t["sources"] for t in out["turns"]), out["turns"])


@test("what a model says to itself, and control characters, are left out")
def _():
    box, m = persona("owl")
    m.say = "\n<think>They ask about geese.</think>\n\nI like\x1b[31m geese.\x07"
    same(box.run(*ASK, "--json").ok().json()["answer"], "I like[31m geese.")
    m.stream = False
    same(box.run(*ASK, "--json").ok().json()["answer"], "I like[31m geese.")


@test("a server that is away, busy, or fails is told apart")
def _():
    box, m = persona("parrot")
    m.say = "Yes."
    m.status = [(503, {}), (429, {"Retry-After": "1"})]
    box.run(*ASK).ok().has("Yes.")
    m.status = [(429, {"Retry-After": "120"})]
    box.run(*ASK).exits(7).says("120 seconds", URL[7:-3])
    m.status = [(404, {})]
    box.run(*ASK).exits(6).says("no such model")
    m.status = [(500, {})]
    box.run(*ASK).exits(6).says("500")
    m.break_after = 2
    m.say = "Yes, I do like geese."
    box.run(*ASK).exits(6).says("broke off")
    box.env["LIKENESS_REMOTE_URL"] = "http://127.0.0.1:9/v1"
    box.run(*ASK).exits(6).says("cannot reach 127.0.0.1:9", "is the server running?")
    same(box.run(*ASK, "--json").exits(6).json()["error"]["code"], "AWAY")
    box.run(*ASK, "--voice", "quote").ok()


@test("keys are sealed in the home, and neither shown nor sent elsewhere")
def _():
    box, m = persona("parrot")
    m.say, m.key = "Yes.", "sk-parrot-4711-secret"
    box.run(*ASK).exits(6).says("wants a key", "set-key").hasnt("sk-")
    box.run("remote", "set-key", "--file", box.file("key", m.key + "\n")).ok().hasnt("4711")
    box.run(*ASK).ok().has("Yes.")
    r = box.run("remote", "show", "--json").ok().hasnt("4711").json()
    same((r["models"], r["key"], r["leaves_machine"]), (["parrot", "owl"], True, False))
    box.run("remote", "show").ok().has("kept", "parrot", "owl").hasnt("4711")
    for folder, _, files in os.walk(box.dir):
        for name in files:
            if name != "key":
                with open(os.path.join(folder, name), "rb") as f:
                    check(b"4711" not in f.read(), f"the key stands open in {name}")
    m.key = "another"
    box.run(*ASK).exits(6).says("does not take this key")
    box.run(*ASK, env={"LIKENESS_REMOTE_KEY": "another"}).ok()
    box.run("remote", "forget-key").ok()
    same(box.run("remote", "show", "--json").exits(4).json()["key"], False)
    box.run("remote", "set-key", "--file", box.file("key", "two words\n")).exits(2).says("no key")


@test("text that leaves the machine is announced, and plain http is refused there")
def _():
    box, m = persona()
    box.run("remote", "use", "http://192.0.2.7/v1").exits(2).says("https://", "remote_plain")
    box.run("remote", "use", "file:///etc/passwd").exits(2).says("http")
    box.run("remote", "use", "https://api.invalid/v1", "m").ok().says("leave this machine")
    r = box.run(*ASK).exits(6).says("text leaves this machine", "api.invalid", "cannot reach")
    same(r.err.count("leaves this machine"), 1, "notes")
    box.run("remote", "use", "--none").ok()
    box.run(*ASK, "--voice", "remote").exits(2).says("remote_url")
    box.run(*ASK).ok()


@test("Ctrl-C ends an answer under way, and the server is let go")
def _():
    box, m = persona("parrot")
    m.say, m.hang = "Yes, I do. ", True
    p = box.start(*ASK)
    check(m.hanging.wait(60), "nothing was asked")
    p.send_signal(signal.SIGINT)
    out, err = p.communicate(timeout=60)
    # 130 when the words, though sent, had not been read yet
    check((b"Yes," in out and p.returncode == 0) or (out == b"" and p.returncode == 130),
          f"{p.returncode}: {out} {err}")


@test("a remote embedder finds, and a persona opens without it")
def _():
    box, m = persona("parrot", voice="quote")
    box.run("doctor", "--reembed", "remote:bag", timeout=300).ok().has("new vectors")
    inputs = [q["input"] for path, q, _ in m.asked if path == "/v1/embeddings"]
    check(max(len(i) for i in inputs) <= 64 and sum(len(i) for i in inputs) > 20, "the batches are wrong")
    r = box.run("search", "Do you like geese?", "--json").ok().json()["passages"]
    check(r and r[0]["similarity"] > 0.1, "no vectors were compared")
    box.run("show", "--json").ok()
    away = {"LIKENESS_REMOTE_URL": "http://127.0.0.1:9/v1"}
    box.run("search", "geese", env=away).exits(6).says("cannot reach 127.0.0.1:9")
    box.run(*ASK, env=away).exits(6).says("cannot reach 127.0.0.1:9")
    check(box.run("search", "ferry", "--mode", "keyword", "--json", env=away).ok().json()["passages"],
          "a search by words needs no vectors")
    nowhere = dict(box.env)
    box.run("config", "--unset", "remote_url").ok()
    box.run("search", "geese", env=nowhere).exits(2).says("remote:bag", "remote_url")
    box.run("config", "remote_url", URL).ok()
    m.dim = 32
    box.run("search", "geese").exits(8).says("another model", "--reembed")
    box.run("doctor", "--reembed", "static", timeout=300).ok()
    box.run("search", "geese").ok()


main()
