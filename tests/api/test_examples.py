#!/usr/bin/env python3
"""The two examples of examples/library, built and run; and a program compiled against an installed
copy of the library through pkg-config, shared and static. TAP."""
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import traceback

ROOT = os.environ.get("LIKENESS_ROOT") or os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("LIKENESS_BUILD") or os.path.join(ROOT, "build")
BIN = os.environ.get("LIKENESS_BIN") or os.path.join(BUILD, "src", "cli", "likeness")
tests = []


class Skip(Exception):
    pass


def test(fn):
    tests.append(fn)
    return fn


def check(condition, *what):
    if not condition:
        raise AssertionError(" ".join(str(w) for w in what))


def run(*argv, ok=True, **kw):
    env = dict(os.environ, LIKENESS_KDF="fast", **kw.pop("env", {}))
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=env, timeout=600, **kw)
    out, err = p.stdout.decode(), p.stderr.decode()
    check(not ok or p.returncode == 0, argv, "exit", p.returncode, out, err)
    return p.returncode, out, err


def example(name):
    path = os.path.join(BUILD, "src", "api", "example_" + name)
    check(os.path.exists(path), path, "was not built")
    return path


@test
def embed_answers_and_forgets():
    home = os.path.join(tempfile.mkdtemp(), "home")
    _, out, _ = run(example("embed"), home)
    first, *sources = out.splitlines()
    check("bread" in first and "time" in first, out)
    check(sources and "[1] Bread, similarity 0." in sources[0], out)
    check(os.listdir(os.path.join(home, "keys")) == [], "a key is left")
    status, _, err = run(example("embed"), home, ok=False)     # the home is there already
    check(status == 1 and "(EXISTS)" in err, status, err)


@test
def batch_answers_line_by_line():
    box = tempfile.mkdtemp()
    home, key = os.path.join(box, "home"), os.path.join(box, "key")
    note = os.path.join(box, "note.txt")
    with open(note, "w") as f:
        f.write("I bought the boat in spring. She leaks at the stern, but I love her.\n\n"
                "The secret of good bread is time: I let the dough rest for a whole night.\n")
    keep = {"HOME": box, "XDG_DATA_HOME": box, "XDG_CONFIG_HOME": box}
    base = [BIN, "--home", home, "--key-file", key]
    run(*base, "init", env=keep)
    run(*base, "new", "Ann", "--kind", "fictional", "--consent-by", "us", "--consent-to", "tests", env=keep)
    run(*base, "add", note, env=keep)
    questions = "What is the secret of good bread?\n\nWho won the war of the moon against the teapots?\n"
    _, out, _ = run(example("batch"), home, key, "Ann", input=questions.encode())
    rows = [line.split("\t") for line in out.splitlines()]
    check(len(rows) == 2 and all(len(r) == 4 for r in rows), out)
    check(rows[0][0] == "found" and int(rows[0][2]) >= 1 and "time" in rows[0][3], out)
    check(rows[1][0] == "none" and rows[1][2] == "0", out)
    check(all(0 <= float(r[1]) < 60 for r in rows), out)
    status, _, err = run(example("batch"), home, key, "Zoe", ok=False, input=b"x\n")
    check(status == 1 and "(NOTFOUND)" in err, err)
    status, _, err = run(example("batch"), home, note, ok=False, input=b"x\n")
    check(status == 1 and "(KEY)" in err, err)
    status, _, err = run(example("batch"), ok=False)
    check(status == 2 and "usage" in err, err)


def flags(prefix, *more):
    found = subprocess.run(["find", prefix, "-name", "likeness.pc"], stdout=subprocess.PIPE).stdout.decode().split()
    check(len(found) == 1, "pkg-config files:", found)
    folder = os.path.dirname(found[0])
    with open(found[0]) as f:
        text = f.read()
    check("/usr/local" not in text or prefix in text, text)
    _, out, _ = run("pkg-config", *more, "--cflags", "--libs", "likeness",
                    env={"PKG_CONFIG_PATH": folder})
    _, version, _ = run("pkg-config", "--modversion", "likeness", env={"PKG_CONFIG_PATH": folder})
    return os.path.dirname(folder), shlex.split(out), version.strip()


def installed():
    """A copy in a prefix of its own: moved there from where the build installs to."""
    for tool in ("pkg-config", "meson", "cc"):
        if not shutil.which(tool):
            raise Skip(tool + " is not here")
    with open(os.path.join(BUILD, "build.ninja")) as f:
        if "-fsanitize" in f.read():
            raise Skip("a build with sanitizers cannot be linked without them")
    dest = tempfile.mkdtemp()
    run("meson", "install", "-C", BUILD, "--no-rebuild", "--quiet", "--destdir", dest)
    found = subprocess.run(["find", dest, "-name", "likeness.h"], stdout=subprocess.PIPE).stdout.decode().split()
    check(len(found) == 1, "headers installed:", found)
    inside = os.path.dirname(os.path.dirname(found[0]))        # DEST/usr/local
    prefix = inside[len(dest):]
    for folder, _, names in os.walk(inside):
        for name in names:
            if name == "likeness.pc":
                path = os.path.join(folder, name)
                with open(path) as f:
                    text = f.read()
                with open(path, "w") as f:
                    f.write(text.replace("prefix=" + prefix, "prefix=" + inside, 1))
    return inside


@test
def programs_link_through_pkg_config():
    prefix = installed()
    source = os.path.join(ROOT, "examples", "library", "embed.c")
    box = tempfile.mkdtemp()
    lib, shared, version = flags(prefix)
    check(version.count(".") == 2, version)
    check("-I" + os.path.join(prefix, "include") in shared, shared)
    program = os.path.join(box, "shared")
    run("cc", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-std=c11", source, "-o", program, *shared)
    _, out, _ = run(program, os.path.join(box, "home1"), env={"LD_LIBRARY_PATH": lib})
    check("bread" in out, out)
    _, needs, _ = run("ldd", program, env={"LD_LIBRARY_PATH": lib})
    check("liblikeness.so" in needs, needs)

    _, static, _ = flags(prefix, "--static")
    archive = os.path.join(lib, "liblikeness.a")
    check(os.path.exists(archive), archive, "is not installed")
    static = [archive if f == "-llikeness" else f for f in static]
    program = os.path.join(box, "static")
    run("cc", source, "-o", program, *static)
    _, needs, _ = run("ldd", program)
    check("liblikeness" not in needs, needs)
    _, out, _ = run(program, os.path.join(box, "home2"))
    check("bread" in out, out)


@test
def header_is_cpp_too():
    if not shutil.which("c++"):
        raise Skip("no C++ compiler")
    box = tempfile.mkdtemp()
    source = os.path.join(box, "t.cpp")
    with open(source, "w") as f:
        f.write("#include <likeness.h>\nint main() { return lk_version() == nullptr; }\n")
    run("c++", "-Wall", "-Wextra", "-Werror", "-fsyntax-only", "-I" + os.path.join(ROOT, "include"), source)


@test
def only_public_names_are_exported():
    lib = os.path.join(BUILD, "src", "api", "liblikeness.so")
    _, out, _ = run("nm", "-D", "--defined-only", lib)
    names = [line.split()[-1] for line in out.splitlines()]
    with open(os.path.join(ROOT, "include", "likeness.h")) as f:
        declared = re.findall(r"^LK_API[^(]*?(lk_\w+)\(", f.read(), re.M)
    check(len(declared) > 20 and set(declared) == {n for n in names if n.startswith("lk_")}, declared, names)
    others = [n for n in names if not n.startswith("lk_") and not n.startswith("__") and n not in ("_init", "_fini")]
    if others and any("asan" in n or "tsan" in n or "ubsan" in n for n in others):
        raise Skip("sanitizers export names of their own")
    check(not others, "also exported:", others[:10])


def main():
    print(f"1..{len(tests)}", flush=True)
    bad = 0
    for i, fn in enumerate(tests, 1):
        name = fn.__name__.replace("_", " ")
        try:
            fn()
            print(f"ok {i} - {name}", flush=True)
        except Skip as e:
            print(f"ok {i} - {name} # SKIP {e}", flush=True)
        except Exception:
            bad += 1
            print(f"not ok {i} - {name}", flush=True)
            for line in traceback.format_exc().splitlines():
                print("# " + line, flush=True)
    return 1 if bad else 0


sys.exit(main())
