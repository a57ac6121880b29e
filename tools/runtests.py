#!/usr/bin/env python3
"""Runs every test of a build folder and counts their cases.

Each test is a program that prints TAP (unit tests in C, end-to-end tests in Python under
tests/*/test_*.py). Twice as many run at a time as there are cores: most wait for the disk or for a
server half of their time. Output of a test is shown only when it fails or skips a case; then what
failed is run once more, alone, to tell whether it fails each time (it counts as failed either way),
then come the slowest, and the last line is "N passed, N failed, N skipped".

usage: runtests.py BUILD [substring of test names ...]
       runtests.py BUILD --targets      what ninja has to build for them
"""
import concurrent.futures
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 1500  # seconds for one test program
LONG = ("persona_crash", "persona_sample", "cli/", "http/")  # begun first, so that no core waits for them
# With ThreadSanitizer only what has threads is run: it looks for nothing else, and is the slowest.
THREADED = ("base_threads", "kernels_mat", "model_engine", "index_vectors", "index_graph", "store_service", "jobs_",
            "account_", "net_", "http_", "http/test_jobs", "http/test_personas", "http/test_tls", "persona_pool",
            "persona_work", "persona_batch", "media_media", "cli/test_terminal")


def targets(build, kind):
    """What has to be built for these tests: with ThreadSanitizer only what is run then."""
    if kind != "thread":
        return ["all"]
    with open(os.path.join(build, "meson-info", "intro-targets.json"), encoding="utf-8") as f:
        names = [os.path.relpath(t["filename"][0], os.path.abspath(build)) for t in json.load(f)
                 if t["type"] in ("executable", "shared library")]
    return [n for n in names if not n.startswith("test_") or n[5:].startswith(THREADED)]


def find(build, only, kind):
    unit = [os.path.join(build, f) for f in sorted(os.listdir(build))
            if f.startswith("test_") and os.access(os.path.join(build, f), os.X_OK)
            and os.path.isfile(os.path.join(build, f))]
    tests = [(os.path.basename(f)[5:], [f]) for f in unit]
    for room in sorted(os.listdir(os.path.join(ROOT, "tests"))):
        folder = os.path.join(ROOT, "tests", room)
        for f in sorted(os.listdir(folder)) if os.path.isdir(folder) else []:
            if f.startswith("test_") and f.endswith(".py"):
                tests.append((f"{room}/{f}", [sys.executable, os.path.join(folder, f)]))
    tests.sort(key=lambda t: not t[0].startswith(LONG))
    if kind == "thread" and not only:
        tests = [t for t in tests if t[0].startswith(THREADED)]
    return [t for t in tests if not only or any(o in t[0] for o in only)]


def sanitized(build):
    with open(os.path.join(build, "meson-info", "intro-buildoptions.json"), encoding="utf-8") as f:
        return next((o["value"] for o in json.load(f) if o["name"] == "b_sanitize"), "none")


def run(test, build, tmp, slow):
    name, command = test
    began = time.monotonic()
    env = dict(os.environ)
    if slow:  # a sanitized build takes several times as long
        env.setdefault("CRASH_POINTS", "40")
    env.setdefault("LIKENESS_TEST_DATA", os.path.join(os.path.dirname(ROOT), "shared", "data"))
    cache = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    minilm = os.path.join(cache, "likeness-test", "minilm")  # tools/fetch-minilm.sh
    if os.path.exists(os.path.join(minilm, "model.safetensors")) and not slow:
        env.setdefault("LIKENESS_TEST_MINILM", minilm)
    mine = tempfile.mkdtemp(prefix=re.sub(r"\W", "_", name) + "-", dir=tmp)
    os.chmod(mine, 0o755)
    env.update(TMPDIR=mine, LIKENESS_KDF="fast", LIKENESS_BUILD=os.path.abspath(build),
               LIKENESS_BIN=os.path.join(os.path.abspath(build), "src", "cli", "likeness"),
               LIKENESS_ROOT=ROOT, NO_COLOR="1", LC_ALL="C.UTF-8",
               UBSAN_OPTIONS="halt_on_error=1:print_stacktrace=1",
               ASAN_OPTIONS=f"detect_leaks=1:malloc_context_size=12:suppressions={ROOT}/tools/asan.supp",
               LSAN_OPTIONS=f"suppressions={ROOT}/tools/lsan.supp:print_suppressions=0",
               # a child after fork starts threads of its own (base/threads.c), which TSan calls untried
               TSAN_OPTIONS=f"suppressions={ROOT}/tools/tsan.supp:halt_on_error=1:die_after_fork=0",
               G_SLICE="always-malloc")
    try:
        p = subprocess.run(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.PIPE, timeout=LIMIT)
        out, err, rc = p.stdout.decode(errors="replace"), p.stderr.decode(errors="replace"), p.returncode
    except subprocess.TimeoutExpired as e:
        out, err, rc = (e.stdout or b"").decode(errors="replace"), f"no end after {LIMIT} s\n", -1
    return name, out, err, rc, time.monotonic() - began


def tell(name, out, err, rc):
    """All of a failed program's words, for whoever looks for the cause from the log alone."""
    print(f"---- {name}: what it said" + (f" (the last of {len(out)} bytes)" if len(out) > 20000 else ""))
    print(out[-20000:].rstrip("\n"))
    if err:
        print(f"---- {name}: errors" + (f" (the last of {len(err)} bytes)" if len(err) > 20000 else ""))
        print(err[-20000:].rstrip("\n"))
    print(f"---- {name}: " + (f"killed by signal {-rc}" if rc < 0 else f"exit {rc}")
          + f"; again: python3 tools/runtests.py BUILD {name}", flush=True)


def count(out, rc):
    """(passed, failed, skipped) of TAP text; a crash or a missing case counts as a failure."""
    ok = bad = skip = 0
    planned = 0
    for line in out.splitlines():
        if re.match(r"(not )?ok\b.*#\s*skip", line, re.I):  # cmocka puts "not" before its skips
            skip += 1
        elif re.match(r"ok\b", line):
            ok += 1
        elif re.match(r"not ok\b", line):
            bad += 1
        m = re.match(r"1\.\.(\d+)", line)
        planned += int(m.group(1)) if m else 0
    if planned > ok + bad + skip:
        bad += planned - ok - bad - skip
    if (rc != 0 and bad == 0) or ok + bad + skip == 0:
        bad += 1
    return ok, bad, skip


def main():
    build, only = sys.argv[1], sys.argv[2:]
    kind = sanitized(build)
    if only == ["--targets"]:
        print(" ".join(targets(build, kind)))
        return 0
    tests = find(build, only, kind)
    total = [0, 0, 0]
    took, failed = [], []
    slow = kind != "none"
    tmp = tempfile.mkdtemp(prefix="likeness-tests-")
    os.chmod(tmp, 0o711)  # some tests give up their rights and look again
    try:
        with concurrent.futures.ThreadPoolExecutor(2 * len(os.sched_getaffinity(0))) as pool:
            for done in concurrent.futures.as_completed(pool.submit(run, t, build, tmp, slow) for t in tests):
                name, out, err, rc, seconds = done.result()
                counts = count(out, rc)
                took.append((seconds, name))
                total = [a + b for a, b in zip(total, counts)]
                print(f"{'FAIL' if counts[1] else 'ok  '} {name}: {counts[0]} passed"
                      + (f", {counts[1]} failed" if counts[1] else "")
                      + (f", {counts[2]} skipped" if counts[2] else ""), flush=True)
                for line in out.splitlines():
                    if counts[2] and re.search(r"#\s*skip", line, re.I):
                        print(f"     {line}", flush=True)
                if counts[1]:
                    tell(name, out, err, rc)
                    failed.append(name)
        for t in [t for t in tests if t[0] in failed][:5]:
            name, out, err, rc, _seconds = run(t, build, tmp, slow)
            print(f"again alone: {name} {'failed' if count(out, rc)[1] else 'passed'}", flush=True)
    finally:
        shutil.rmtree(tmp, ignore_errors=True)
    print("slowest: " + ", ".join(f"{n} {s:.1f} s" for s, n in sorted(took, reverse=True)[:6]))
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


sys.exit(main())
