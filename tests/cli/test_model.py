"""Language models on the command line: import, quantize, show, use, ask, chat, and what goes wrong. The models
are tiny ones with random weights (tests/model/tiny), so what they say means nothing: what counts is that it
streams, repeats with a seed, is matched to sources, and stops."""
import json
import os
import shutil
import signal
import struct
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import ME, PERSON, ROOT, Sandbox, check, main, same, test  # noqa: E402

TINY = os.path.join(ROOT, "tests", "model", "tiny")


def talker(box, name="tiny", context=8192, endless=False):
    """A tiny model that says it was trained for `context` tokens; endless: that never ends an answer."""
    with open(os.path.join(TINY, "llama.gguf"), "rb") as f:
        data = bytearray(f.read())
    key = b"llama.context_length"
    at = data.index(key) + len(key)
    same(struct.unpack_from("<I", data, at)[0], 4, "type of the context length")
    struct.pack_into("<I", data, at + 4, context)
    if endless:
        key = b"tokenizer.ggml.eos_token_id"
        struct.pack_into("<I", data, data.index(key) + len(key) + 4, 0xFFFFFFFF)
    return box.file(name + ".gguf", bytes(data))


BASE = Sandbox()
BASE.run("init").ok()
BASE.run("new", "Marit", "--kind", "fictional", "--consent-by", "the authors", "--consent-to", "tests").ok()
BASE.run("add", "--me", ME, os.path.join(PERSON, "journal"), timeout=300).ok()


def persona():
    box = Sandbox(copy_of=BASE)
    key = [f for f in os.listdir(box.config) if f.endswith(".key")][0]
    box.env["LIKENESS_KEY_FILE"] = os.path.join(box.config, key)
    return box


@test("from a file on disk to an answer in one step, and back to quotations")
def _():
    box = persona()
    box.run("model", "use", talker(box, endless=True)).ok().has("answers from now on")
    box.run("config", "voice").ok().has("native")
    r = box.run("ask", "Where do you live?", "--seed", "1", "--max-tokens", "24", "--json").ok().json()
    same((r["made"]["model"], r["made"]["stop"], r["made"]["output_tokens"]), ("tiny", "length", 24))
    check(r["made"]["prompt_tokens"] > 500, "the prompt lacks the passages")
    box.run("model", "use", "--none").ok()
    r = box.run("ask", "Where do you live?", "--json").ok().json()
    check("made" not in r and r["kind"] != "error", "a model answered")


@test("the same seed gives the same answer, on one thread and on two; another seed another")
def _():
    box = persona()
    box.run("model", "use", talker(box)).ok()
    ask = ("ask", "Do you like geese?", "--max-tokens", "40", "--json")
    said = [box.run(*ask, "--seed", s, "--threads", t).ok().json()["answer"]
            for s, t in (("5", "1"), ("5", "2"), ("5", "2"), ("6", "2"))]
    same(said[0], said[1], "the answer of one and two threads")
    same(said[1], said[2], "the answer of two runs")
    check(said[3] != said[0], "another seed said the same")


@test("every sentence is matched: unsupported ones are marked, and with --strict left out")
def _():
    box = persona()
    box.run("model", "use", talker(box)).ok()
    ask = ("ask", "Do you like geese?", "--seed", "3", "--max-tokens", "60")
    r = box.run(*ask, "--json").ok().json()
    check(all(p["made"] and not p["own"] for p in r["parts"]), "a made sentence passes for the person's own")
    for p in r["parts"]:
        check(p["source"] < 0 or not p["unsupported"], "a sentence with a source is unsupported")
    strict = box.run(*ask, "--strict", "--json").ok().json()
    check(not any(p["unsupported"] for p in strict["parts"]), "strict said what nothing supports")
    if r["made"]["unsupported"]:
        same(strict["made"]["refused"], strict["made"]["unsupported"], "sentences left out")
        box.run(*ask).ok().has("[?]")


@test("a conversation goes on from the state it has, and is kept with its answers")
def _():
    box = persona()
    box.env["LIKENESS_CONTEXT"] = "32768"  # a tiny vocabulary makes many tokens of a text
    box.run("model", "use", talker(box, context=32768)).ok()
    r = box.run("chat", "--json", "--seed", "2", "--max-tokens", "16",
                input="Where do you live?\nAnd why?\n", timeout=300).ok().json()
    first, second = (t["made"] for t in r["turns"])
    check(second["reused_tokens"] >= first["prompt_tokens"] - 8, f"the second turn began anew: {first} {second}")
    check(first["reused_tokens"] > 100, "the system text was read again")
    r = box.run("chat", "-c", str(r["conversation"]), "--json", "--max-tokens", "8", input="Are you sure?\n",
                timeout=300).ok().json()
    check(r["turns"][0]["made"]["reused_tokens"] > 100, "the state kept in the home was not used")


@test("on a terminal the answer streams, and Ctrl-C stops it alone")
def _():
    box = persona()
    box.env["LIKENESS_CONTEXT"] = "32768"
    box.run("model", "use", talker(box, context=32768, endless=True)).ok()
    t = box.terminal("chat", "--seed", "2", "--max-tokens", "20000")
    t.prompt(60)
    t.send("Where do you live?\n")
    t.expect(r"\w+\W+\w+\W+\w+", 60)
    time.sleep(0.5)
    t.send("\x03")
    t.prompt(120)
    t.send("/quit\n")


@test("what a model needs and lacks is said with a remedy")
def _():
    box = persona()
    box.run("ask", "hello", "--voice", "native").exits(2).says("likeness model use")
    box.run("model", "use", talker(box)).ok()
    box.run("ask", "hello there", "--max-tokens", "0").exits(2).says("max_tokens")
    box.run("ask", "hello there", "--temperature", "9").exits(2).says("temperature")
    box.run("config", "chat_template", "nonesuch").ok()
    box.run("ask", "Do you like geese?").exits(2).says("llama-3", "chatml")
    box.run("config", "--unset", "chat_template").ok()
    short = talker(box, "short", 512)
    box.run("ask", "Do you like geese?", "--model", short).exits(5).says("context")
    box.run("model", "use", box.file("x.gguf", b"not a model")).exits(5).says("x.gguf")
    box.run("model", "show", "nonesuch").exits(3).says("model ls")


@test("import, quantize, show, ls: models on the shelf")
def _():
    box = Sandbox()
    box.run("model", "import", talker(box)).ok().has("tiny")
    box.run("model", "import", talker(box)).exits(1).says("--name", "--force")
    box.run("model", "import", talker(box), "--force").ok()
    box.run("model", "quantize", "tiny", "q8_0").ok().has("tiny-q8_0")
    box.run("model", "quantize", "tiny", "q9").exits(2).says("q4_k_m")
    models = box.run("model", "ls", "--json").ok().json()["models"]
    same([m["name"] for m in models], ["tiny", "tiny-q8_0"])
    check(models[1]["bytes"] < models[0]["bytes"], "q8_0 is not smaller")
    r = box.run("model", "show", "tiny-q8_0", "--keys", "--tensors", "--json").ok().json()
    same((r["architecture"], r["type"]), ("llama", "q8_0"))
    check(r["memory_bytes"] > 0 and r["keys"]["llama.context_length"] and len(r["tensors"]) > 10, "facts are missing")
    box.run("model", "show", "tiny").ok().has("memory", "f16 cache")
    plan = r["memory"]
    same(plan["weights"] + plan["cache"] + plan["other"], r["memory_bytes"])
    check(plan["context"] <= int(r["keys"]["llama.context_length"]), "more context than the model was trained for")
    box.env["LIKENESS_CACHE"] = "q8_0"
    box.run("model", "show", "tiny").ok().has("do not fit a cache of type q8_0")
    del box.env["LIKENESS_CACHE"]
    r = box.run("model", "bench", "tiny", "--prompt", "64", "--generate", "8", "--json").ok().json()["models"][0]
    check(r["prompt_tokens_per_second"] > 0 and r["output_tokens_per_second"] > 0, "no rates")
    box.run("model", "bench", "nonesuch").exits(3)
    box.run("model", "import", box.file("notes.txt", "hello")).exits(5).says("config.json")
    box.run("model", "import", "/nonexistent").exits(3)


@test("embedders are compared on the persona's own texts")
def _():
    box = persona()
    r = box.run("model", "bench", "--embed", "--json", timeout=300).ok().json()["embedders"]
    same([e["embedder"] for e in r], ["hash", "static"])
    same(r[0]["same_of_ten"]["hash"], 1)
    check(r[0]["passages_per_second"] > 0 and r[0]["questions"] > 0, "nothing was measured")
    box.run("model", "bench", "--embed", "static", timeout=300).ok().has("static")
    box.run("model", "bench", "--embed", "nonesuch").exits(3)


@test("a home is embedded anew with what comes with the program")
def _():
    box = persona()
    for name in ("hash", "static"):
        box.run("doctor", "--reembed", name, timeout=300).ok().has("new vectors")
        box.run("ask", "Do you like geese?", "--voice", "quote").ok()


@test("a model's tokenizer counts the tokens of chunks when it is asked to")
def _():
    box = Sandbox()
    box.run("init").ok()
    text = " ".join(f"Sentence number {i} is about the extraordinarily complicated harbour." for i in range(60))
    note = box.file("note.txt", text)
    counter = os.path.join(box.work, "counter.gguf")
    shutil.copy(os.path.join(TINY, "llama.gguf"), counter)
    for name, more in ("Words", []), ("Tokens", ["--chunk-tokenizer", counter]):
        box.run("new", name, "--kind", "self", "--yes", "--chunk-tokens", "256", "--chunk-overlap", "0", *more).ok()
        box.run("add", note, "-p", name).ok()
    chunks = {n: box.run("show", n, "--json").ok().json()["persona"]["counts"]["chunks"] for n in ("Words", "Tokens")}
    check(chunks["Tokens"] > 2 * chunks["Words"], f"chunks: {chunks}")
    box.run("show", "Tokens").ok().has("counter.gguf")
    box.run("new", "Small", "--kind", "self", "--yes", "--chunk-tokens", "100", "--chunk-overlap", "0",
            "--chunk-tokenizer", counter).exits(2).says("256")
    os.remove(counter)
    box.run("add", box.file("more.txt", "A new note."), "-p", "Tokens").exits(3).says("counts chunks")

main()
