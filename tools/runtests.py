#!/usr/bin/env python3
"""Runs every test of a build folder and counts their cases.

Each test is a program that prints TAP (unit tests in C, end-to-end tests in Python under
tests/*/test_*.py). Twice as many run at a time as there are cores: most wait for the disk or for a
server half of their time. Output of a test is shown only when it fails or skips a case; then what
failed is run once more, alone, to tell whether it fails each time (it counts as failed either way).
What failed is told once more in short, then come the slowest, and the last line is "N passed,
N failed, N skipped". A file named by FAULTS in the environment gets what is told in short, too.

usage: runtests.py BUILD [substring of test names ...]
       runtests.py BUILD --targets      what ninja has to build for them
"""
import concurrent.futures
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LIMIT = 900  # seconds for one test program
HUNG = -1000  # the exit status of what took longer
# begun first, so that no core waits for them
LONG = ("index_graph", "index_vectors", "media_parts", "model_encoder", "persona_crash", "persona_persona", "persona_sample",
        "persona_work", "text_hostile", "text_html", "cli/", "http/", "media/", "shelf/")
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


running = set()  # each the leader of a process group of its own


def end_group(p):
    """The test and what it started."""
    try:
        os.killpg(p.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    p.wait()


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
    # Into files, not pipes: a process that a test left behind could hold a pipe open for ever.
    with open(mine + ".out", "ab+") as out, open(mine + ".err", "ab+") as err:
        p = subprocess.Popen(command, cwd=ROOT, env=env, stdin=subprocess.DEVNULL, stdout=out, stderr=err,
                             start_new_session=True)
        running.add(p)
        try:
            rc, late = p.wait(LIMIT), ""
        except subprocess.TimeoutExpired:
            end_group(p)
            rc, late = HUNG, f"ERROR: no end after {LIMIT} s\n"
        running.discard(p)
        out.seek(0)
        err.seek(0)
        said, errors = out.read().decode(errors="replace"), err.read().decode(errors="replace") + late
    # cmocka writes "not ok" before its skips, where whoever looks for failures finds them
    said = re.sub(r"^not (ok \d+) # SKIP (.*)$", r"\1 - \2 # SKIP", said, flags=re.M)
    return name, said, errors, rc, time.monotonic() - began


def ended(rc):
    return "it hung" if rc == HUNG else f"killed by signal {-rc}" if rc < 0 else f"exit {rc}"


def skips(out):
    """A line for each skipped case, with the reason where the test gives one."""
    for line in out.splitlines():
        m = re.match(r"ok\b[ \d]*(?:- )?(.*?)\s*#\s*skip\S*\s*(.*)", line, re.I)
        if m:
            yield f"     skipped: {m.group(1) or '?'}" + (f" ({m.group(2)})" if m.group(2) else "")


def short(name, out, err, rc):
    """Which cases failed and the words of why, first and last, in some thirty lines at most."""
    lines = []
    for case in re.findall(r"^not ok.*\n(?:#.*\n)*", out + "\n", re.M):
        said = case.splitlines()
        lines += said[:3] + said[max(3, len(said) - 2):]
    alarms = [x for x in err.splitlines() if re.search(r"ERROR|WARNING: \w+San|SUMMARY|runtime error", x)]
    lines = lines[:25] + alarms[:5] or (out.splitlines() + err.splitlines())[-5:]
    return "\n".join([f"test {name}: {ended(rc)}"] + ["    " + x[:300] for x in lines])


def tell(name, out, err, rc):
    """All of a failed program's words, for whoever looks for the cause from the log alone."""
    print(f"---- {name}: what it said" + (f" (the last of {len(out)} bytes)" if len(out) > 20000 else ""))
    print(out[-20000:].rstrip("\n"))
    if err:
        print(f"---- {name}: errors" + (f" (the last of {len(err)} bytes)" if len(err) > 20000 else ""))
        print(err[-20000:].rstrip("\n"))
    print(f"---- {name}: {ended(rc)}; again: python3 tools/runtests.py BUILD {name}", flush=True)


def count(out, rc):
    """(passed, failed, skipped) of TAP text; a crash or a missing case counts as a failure."""
    ok = bad = skip = 0
    planned = 0
    for line in out.splitlines():
        if re.match(r"ok\b.*#\s*skip", line, re.I):
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
    took, failed = [], {}
    slow = kind != "none"
    tmp = tempfile.mkdtemp(prefix="likeness-tests-")
    os.chmod(tmp, 0o711)  # some tests give up their rights and look again
    pool = concurrent.futures.ThreadPoolExecutor(2 * len(os.sched_getaffinity(0)))
    try:
        for done in concurrent.futures.as_completed([pool.submit(run, t, build, tmp, slow) for t in tests]):
            name, out, err, rc, seconds = done.result()
            counts = count(out, rc)
            took.append((seconds, name))
            total = [a + b for a, b in zip(total, counts)]
            print("\n".join([f"{'FAIL' if counts[1] else 'ok  '} {name}: {counts[0]} passed"
                             + (f", {counts[1]} failed" if counts[1] else "")
                             + (f", {counts[2]} skipped" if counts[2] else "")] + list(skips(out))), flush=True)
            if counts[1]:
                tell(name, out, err, rc)
                failed[name] = rc, short(name, out, err, rc)
        for t in [t for t in tests if failed.get(t[0], (HUNG,))[0] != HUNG][:5]:
            name, out, err, rc, _seconds = run(t, build, tmp, slow)
            failed[name] = rc, f"{failed[name][1]}\n    again alone it {'failed' if count(out, rc)[1] else 'passed'}"
    finally:  # also when somebody breaks it off
        pool.shutdown(wait=False, cancel_futures=True)
        for p in list(running):
            end_group(p)
        shutil.rmtree(tmp, ignore_errors=True)
    digest = "".join(f"{text}\n" for _rc, text in failed.values())
    print(digest, end="")
    if failed and os.environ.get("FAULTS"):
        with open(os.environ["FAULTS"], "a", encoding="utf-8") as f:
            f.write("".join(f"{build}: {text}\n" for _rc, text in failed.values()))
    print("slowest: " + ", ".join(f"{n} {s:.1f} s" for s, n in sorted(took, reverse=True)[:6]))
    print(f"{total[0]} passed, {total[1]} failed, {total[2]} skipped")
    return 1 if total[1] or not total[0] else 0


signal.signal(signal.SIGTERM, signal.default_int_handler)
sys.exit(main())
