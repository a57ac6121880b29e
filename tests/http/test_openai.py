"""The /v1 API, by the clients that people use: the openai packages of the Python and the npm registry (and an OAuth2
library for logging in), unchanged; and by another Likeness, whose remote voice and embedder this one is.
tools/fetch-clients.sh gets the packages; without them their tests are skipped."""
import base64
import json
import os
import shutil
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from serving import Server, Skip, check, endless_model, fetched, main, same, test  # noqa: E402
from harness import ROOT, Sandbox, marit  # noqa: E402

QUESTION = [{"role": "user", "content": "What do you think of the ferry?"}]
TINY = "model:tiny"


def python_packages():
    path = fetched("python-%d.%d-*" % sys.version_info[:2], "the Python client")
    if path not in sys.path:
        sys.path.insert(0, path)


def openai(server, key):
    python_packages()
    import openai as package
    return package.OpenAI(base_url=f"http://127.0.0.1:{server.port}/v1", api_key=key, max_retries=0)


def raises(kind, fn):
    try:
        fn()
    except kind as e:
        return e
    raise AssertionError(f"no {kind.__name__}")


_server = None


def server():
    """One server for all tests: Marit, an account that reads her, one that only chats, and a tiny model."""
    global _server
    if _server:
        return _server
    box = marit()
    box.env["LIKENESS_KEY_FILE"] = box.key()
    _server = Server(box, model=endless_model(box))
    _server.reader, _server.guest, _server.stranger = (_server.register() for _ in range(3))
    for who, level in ((_server.reader, "read"), (_server.guest, "chat")):
        box.run("account", "give", "Marit", who.email, "--level", level).ok()
    _server.marit = next(m["id"] for m in _server.reader.get("/v1/models").is_(200).json["data"]
                         if m["likeness"]["name"] == "Marit")
    return _server


@test("Python's openai lists the models that one may chat with")
def _():
    s = server()
    same({m.id for m in openai(s, s.reader.token).models.list()}, {s.reader.persona, s.marit, TINY})
    same({m.id for m in openai(s, s.stranger.token).models.list()}, {s.stranger.persona, TINY})
    key = s.reader.post("/api/keys/", {"label": "phone", "personas": [s.marit]}).is_(201).json["key"]
    c = openai(s, key)
    same({m.id for m in c.models.list()}, {s.marit, TINY})
    same(c.models.retrieve(s.marit).owned_by, "likeness")
    same(c.models.retrieve(TINY).id, TINY)


@test("Python's openai asks a persona, whole and streamed, with usage and sources")
def _():
    s = server()
    c = openai(s, s.reader.token)
    r = c.chat.completions.create(model=s.marit, messages=QUESTION)
    same((r.object, r.model, r.choices[0].finish_reason, r.choices[0].message.role),
         ("chat.completion", s.marit, "stop", "assistant"))
    check("ferry" in r.choices[0].message.content.lower(), r.choices[0].message.content)
    check(r.usage.prompt_tokens > 3 and r.usage.completion_tokens > 3, r.usage)
    same(r.usage.total_tokens, r.usage.prompt_tokens + r.usage.completion_tokens)
    check(r.likeness["sources"][0]["sentence"], "a reader gets the sources")
    chunks = list(c.chat.completions.create(model="marit", messages=QUESTION, stream=True,
                                            stream_options={"include_usage": True}))
    text = "".join(x.choices[0].delta.content or "" for x in chunks if x.choices)
    same(text, r.choices[0].message.content, "the streamed answer")
    same(chunks[0].choices[0].delta.role, "assistant")
    same(chunks[-2].choices[0].finish_reason, "stop")
    same(chunks[-1].usage.total_tokens, r.usage.total_tokens)
    same(len({x.id for x in chunks}), 1, "ids of one answer")
    r = openai(s, s.guest.token).chat.completions.create(model=s.marit, messages=QUESTION)
    same(set(r.likeness), {"kind"}, "what a guest gets beside the answer")


@test("the conversation comes from the messages, whatever their form")
def _():
    s = server()
    c = openai(s, s.reader.token)
    parts = [{"type": "text", "text": "What do you think"}, {"type": "text", "text": "of the ferry?"}]
    first = c.chat.completions.create(model=s.marit, messages=[{"role": "system", "content": "Answer briefly."},
                                                               {"role": "user", "content": parts}])
    said = first.choices[0].message.content
    check("ferry" in said, said)
    ask = dict(model=s.marit, max_tokens=8, extra_body={"voice": "native"})
    alone = c.chat.completions.create(**ask, messages=[{"role": "user", "content": "How long does that take?"}])
    r = c.chat.completions.create(**ask, messages=QUESTION + [
        {"role": "assistant", "content": said}, {"role": "user", "content": "How long does that take?"}])
    check(r.usage.prompt_tokens > alone.usage.prompt_tokens + len(said.split()), f"{r.usage} {alone.usage}: no turns")
    wish = c.chat.completions.create(**ask, messages=[{"role": "system", "content": "Answer in rhymes. " * 9},
                                                      {"role": "user", "content": "How long does that take?"}])
    check(wish.usage.prompt_tokens > alone.usage.prompt_tokens + 9, f"{wish.usage} {alone.usage}: no wish")


@test("what cannot be done is refused in OpenAI's words")
def _():
    s = server()
    python_packages()
    import openai as package
    c = openai(s, s.reader.token)
    raises(package.AuthenticationError, lambda: openai(s, "lk-nonesuch").models.list())
    raises(package.NotFoundError, lambda: c.models.retrieve("nonesuch"))
    ask = c.chat.completions.create
    one = raises(package.NotFoundError, lambda: ask(model=s.stranger.persona, messages=QUESTION))
    two = raises(package.NotFoundError, lambda: ask(model="0" * 32, messages=QUESTION))
    same(one.body, two.body, "somebody else's persona, and none")
    same((two.body["type"], two.body["code"]), ("not_found_error", "NOTFOUND"))
    tool = {"type": "function", "function": {"name": "f", "parameters": {}}}
    picture = [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "data:,"}}]}]
    for about, more in (("n", {"n": 2}), ("logprobs", {"logprobs": True}), ("tools", {"tools": [tool]}),
                        ("response_format", {"response_format": {"type": "json_object"}}),
                        ("temperature", {"temperature": 9}), ("max_tokens", {"max_tokens": 0}),
                        ("stop", {"stop": list("abcde")}), ("messages", {"messages": []}),
                        ("messages", {"messages": [{"role": "assistant", "content": "x"}]}),
                        ("messages", {"messages": picture}),
                        ("messages", {"messages": [{"role": "user", "content": "x" * 20000}]}),
                        ("messages", {"messages": [{"role": "tool", "content": "x", "tool_call_id": "1"}]})):
        e = raises(package.BadRequestError, lambda: ask(**{"model": s.marit, "messages": QUESTION, **more}))
        check(about in str(e), f"{about}: {e}")
    raises(package.BadRequestError, lambda: ask(model=s.marit, messages=QUESTION, stream=True, n=3))
    check(s.nobody.post("/v1/chat/completions", {}).is_(401).json["error"]["type"], "an error without type")


@test("the language model answers as itself: seeds, stops, schemas, streams")
def _():
    s = server()
    python_packages()
    import openai as package
    c = openai(s, s.stranger.token)
    ask = dict(model=TINY, messages=[{"role": "system", "content": "You are a parrot."}] + QUESTION, seed=7)
    r = c.chat.completions.create(**ask, max_tokens=24)
    same((r.choices[0].finish_reason, r.usage.completion_tokens), ("length", 24))
    check(r.usage.prompt_tokens > 10, r.usage)
    again = "".join(x.choices[0].delta.content or "" for x in
                    c.chat.completions.create(**ask, max_completion_tokens=24, stream=True))
    same(again, r.choices[0].message.content, "the same seed, streamed")
    stop = next(ch for ch in r.choices[0].message.content[3:] if ch.isalpha())
    r = c.chat.completions.create(**ask, max_tokens=24, stop=[stop])
    check(stop not in r.choices[0].message.content and r.choices[0].finish_reason == "stop", r.choices[0])
    schema = {"type": "object", "properties": {"age": {"type": "integer", "minimum": 1, "maximum": 99},
                                               "likes": {"type": "boolean"}}, "required": ["age", "likes"]}
    r = c.chat.completions.create(**ask, response_format={"type": "json_schema", "json_schema": {
        "name": "x", "schema": schema}})
    doc = json.loads(r.choices[0].message.content)
    check(set(doc) == {"age", "likes"} and 1 <= doc["age"] <= 99, doc)
    wrong = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object", "oneOf": []}}}
    raises(package.BadRequestError, lambda: c.chat.completions.create(**ask, response_format=wrong))
    long = [{"role": "user", "content": "goose " * 40000}]
    raises(package.BadRequestError, lambda: c.chat.completions.create(model=TINY, messages=long))


@test("a persona speaks with the language model, and a reader who leaves frees it")
def _():
    s = server()
    c = openai(s, s.reader.token)
    r = c.chat.completions.create(model=s.marit, messages=QUESTION, max_tokens=24, seed=3,
                                  extra_body={"voice": "native"})
    same((r.likeness["made"]["model"], r.choices[0].finish_reason, r.usage.completion_tokens), ("tiny", "length", 24))
    for ask in ({"model": TINY}, {"model": s.marit, "extra_body": {"voice": "native"}}):
        stream = c.chat.completions.create(**ask, messages=QUESTION, max_tokens=30000, stream=True)
        for chunk in stream:
            if chunk.choices[0].delta.content:
                break
        stream.close()
        end = time.monotonic() + 1200
        while "likeness_workers_running 1\n" not in s.nobody.get("/metrics").is_(200).text:  # the one that says so
            check(time.monotonic() < end, "the model goes on for nobody: " + s.nobody.get("/metrics").text[-1500:])
            time.sleep(0.05)  # between two looks


@test("Python's openai embeds texts, in both encodings")
def _():
    s = server()
    python_packages()
    import openai as package
    c = openai(s, s.reader.token)
    texts = ["I like the ferry.", "Geese are loud."]
    for model in ("static", s.marit):
        packed = c.embeddings.create(model=model, input=texts)  # asks for base64 by itself
        plain = c.embeddings.create(model=model, input=texts, encoding_format="float")
        same([d.index for d in packed.data], [0, 1])
        check(packed.usage.prompt_tokens >= 7 and packed.model == model, packed.usage)
        for a, b in zip(packed.data, plain.data):
            check(max(abs(x - y) for x, y in zip(a.embedding, b.embedding)) < 1e-6, "the encodings differ")
            check(abs(sum(x * x for x in b.embedding) - 1) < 1e-4, "no unit vector")
    r = s.reader.post("/v1/embeddings", {"model": "static", "input": texts[0], "encoding_format": "base64"}).is_(200)
    raw = base64.b64decode(r.json["data"][0]["embedding"])
    same(len(raw) % 4, 0)
    for bad in ([1, 2, 3], [[1, 2]], "", [], ["x"] * 2049, {"a": 1}):
        raises(package.BadRequestError, lambda: c.embeddings.create(model="static", input=bad))
    raises(package.BadRequestError, lambda: c.embeddings.create(model="static", input="x", dimensions=3))
    raises(package.NotFoundError, lambda: c.embeddings.create(model=s.stranger.persona, input="x"))
    for name in ("model:nonesuch", "model:../../tiny.gguf", "/etc/passwd", "hash"):
        raises(package.NotFoundError, lambda: c.embeddings.create(model=name, input="x"))


NODE = r"""
const OpenAI = require(process.argv[2]);
const [url, key, model] = process.argv.slice(3);
(async () => {
  const c = new OpenAI({ baseURL: url, apiKey: key, maxRetries: 0 });
  const out = { models: [] };
  for await (const m of c.models.list()) out.models.push(m.id);
  const messages = [{ role: "user", content: "What do you think of the ferry?" }];
  const whole = await c.chat.completions.create({ model, messages });
  out.whole = whole.choices[0].message.content;
  out.usage = whole.usage.total_tokens;
  out.streamed = "";
  for await (const x of await c.chat.completions.create({ model, messages, stream: true }))
    out.streamed += x.choices[0]?.delta?.content ?? "";
  const e = await c.embeddings.create({ model: "static", input: ["one boat", "two boats"] });
  out.vectors = e.data.map((d) => Array.from(d.embedding).reduce((a, x) => a + x * x, 0));
  out.errors = [];
  for (const bad of [() => c.models.retrieve("nonesuch"),
                     () => new OpenAI({ baseURL: url, apiKey: "no", maxRetries: 0 }).models.list(),
                     () => c.chat.completions.create({ model, messages, n: 2 })])
    try { await bad(); out.errors.push("none"); } catch (x) { out.errors.push(x.constructor.name); }
  console.log(JSON.stringify(out));
})();
"""


@test("npm's openai does the same")
def _():
    package = os.path.join(fetched("npm-*", "the npm client"), "node_modules", "openai")
    if not shutil.which("node"):
        raise Skip("node is not here")
    s = server()
    key = s.reader.post("/api/keys/", {"label": "web"}).is_(201).json["key"]
    r = subprocess.run(["node", s.box.file("client.cjs", NODE), package, f"http://127.0.0.1:{s.port}/v1", key, s.marit],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=300)
    same(r.returncode, 0, r.stderr.decode()[-1500:])
    out = json.loads(r.stdout)
    same(set(out["models"]), {s.reader.persona, s.marit, TINY})
    check("ferry" in out["whole"].lower() and out["usage"] > 6, out)
    same(out["streamed"], out["whole"])
    check(all(abs(v - 1) < 1e-4 for v in out["vectors"]), out["vectors"])
    same(out["errors"], ["NotFoundError", "AuthenticationError", "BadRequestError"])


@test("an OAuth2 library logs in by the password flow, and refreshes")
def _():
    python_packages()
    from oauthlib.oauth2 import InvalidGrantError, LegacyApplicationClient, OAuth2Error
    from requests_oauthlib import OAuth2Session
    s = server()
    url = f"http://127.0.0.1:{s.port}"
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"
    o = OAuth2Session(client=LegacyApplicationClient(client_id="app"))
    t = o.fetch_token(url + "/api/token/", username=s.guest.email, password=s.guest.password)
    check(t["token_type"].lower() == "bearer" and t["expires_in"] > 0 and t["refresh_token"], t.keys())
    same(o.get(url + "/api/me").json()["email"], s.guest.email)
    old = t["refresh_token"]
    check(o.refresh_token(url + "/api/token/refresh/", refresh_token=old)["refresh_token"] != old, "no new token")
    same(o.get(url + "/v1/models").status_code, 200)
    again = OAuth2Session(client=LegacyApplicationClient(client_id="app"))
    e = raises(OAuth2Error, lambda: again.fetch_token(url + "/api/token/", username=s.guest.email, password="wrong" * 3))
    check(isinstance(e, InvalidGrantError), f"{type(e).__name__}: {e}")


@test("one Likeness is the remote of another: it writes, and embeds")
def _():
    s = server()
    key = s.guest.post("/api/keys/", {"label": "other"}).is_(201).json["key"]
    box = marit()
    box.env["LIKENESS_KEY_FILE"] = box.key()
    box.env["LIKENESS_REMOTE_KEY"] = key
    box.run("remote", "use", f"http://127.0.0.1:{s.port}/v1", TINY).ok()
    check(TINY in box.run("remote", "show", "--json").ok().json()["models"], "the model is not listed")
    ask = ("ask", QUESTION[0]["content"], "--max-tokens", "24", "--seed", "5", "--json")
    r = box.run(*ask).ok().json()
    same((r["made"]["model"], r["made"]["stop"], r["made"]["output_tokens"]), (TINY, "length", 24))
    check(r["made"]["prompt_tokens"] > 500, "the prompt lacks the passages")
    same(box.run(*ask).ok().json()["answer"], r["answer"], "the same seed")
    r = box.run(*ask, "--remote-model", s.marit).ok().json()
    check(r["answer"] and r["made"]["model"] == s.marit, f"a persona as the model: {r}")
    local = box.run("search", "the ferry in winter", "--json").ok().json()["passages"]
    box.run("doctor", "--reembed", "remote:static", timeout=300).ok()
    remote = box.run("search", "the ferry in winter", "--json").ok().json()["passages"]
    same(remote[0]["chunk"], local[0]["chunk"], "what the same vectors find")
    check(abs(remote[0]["similarity"] - local[0]["similarity"]) < 0.001, "the vectors differ on the way")
    with Server(box, voice="remote") as second:
        who = second.register()
        box.run("account", "give", "Marit", who.email).ok()
        own = next(m["id"] for m in who.get("/v1/models").json["data"] if m["likeness"]["name"] == "Marit")
        body = {"model": own, "messages": QUESTION, "max_tokens": 16}
        r = who.post("/v1/chat/completions", body).is_(200).json
        same((r["likeness"]["made"]["model"], r["usage"]["completion_tokens"]), (TINY, 16))
        check(r["likeness"]["made"]["remote"]["leaves_machine"] is False, r["likeness"])
        events = [d for _, d in who.events("POST", "/v1/chat/completions", dict(body, stream=True, max_tokens=800))]
        same(events[-1], "[DONE]")
        check(len(events) > 5, "the remote's answer does not stream")
        s.stop()
        e = who.post("/v1/chat/completions", body).is_(502).json["error"]
        check("cannot reach 127.0.0.1" in e["message"], e)


main()
