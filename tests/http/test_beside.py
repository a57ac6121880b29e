"""The command line beside a running server: what it would have changed becomes a job of the server's."""
import fcntl
import os
import shutil
import signal

from serving import BIN, PERSON, Sandbox, Server, check, main, no_uploads, same, test

MAIL = os.path.join(PERSON, "mail.mbox")
ME = "Marit Penhallow,marit@penhallow.example.org"


@test("add, sources --delete and forget are done by the server that has the home")
def _():
    box = Sandbox().persona("Marit")
    with Server(box) as s:
        r = box.run("add", MAIL, "--me", ME).ok()
        r.has("mail.mbox (mbox): 62 pieces, 25 own").says("as job 1")
        box.run("ask", "Will you ever get married again?").ok().has("married")
        again = box.run("add", MAIL, "--json").ok().json()
        same((again["totals"]["added"], again["totals"]["known"]), (0, 62), "the same file again")
        box.run("add", "--dry-run", MAIL).ok().has("dry run")
        source = box.run("sources", "--json").ok().json()["sources"][0]["id"]
        box.run("sources", "--delete", str(source), "--yes").ok().has("62 pieces")
        same(box.run("sources", "--json").ok().json()["sources"], [], "sources")
        box.run("forget", "Marit", "--yes").ok().has("Forgotten")
        same(box.run("personas", "--json").ok().json()["personas"], [], "personas")
        no_uploads(s, "files left in the spool")
        jobs = box.run("jobs", "--json").ok().json()["jobs"]
        check({"ingest", "delete", "forget"} <= {j["kind"] for j in jobs}, jobs)
        s.stop(signal.SIGTERM)
        box.run("new", "Ann", "--kind", "self", "--yes").ok()


@test("folders and standard input are handed over, and what cannot be read is said as ever")
def _():
    box = Sandbox().persona("Marit")
    os.makedirs(os.path.join(box.work, "notes"))
    for i in range(3):
        box.file(f"notes/n{i}.txt", f"Note number {i} is about the harbour.")
    shutil.copy(BIN, os.path.join(box.work, "binary"))
    with Server(box):
        box.run("add", "notes").ok().has("3 files")
        box.run("add", "-", input="A thought about tea, typed in.").ok()
        box.run("add", "binary").exits(5).says("binary")
        box.run("add", "nowhere").exits(3).says("nowhere")
        same(box.run("sources", "--json").ok().json()["sources"].__len__(), 4, "sources")


@test("a writer that is no server is waited for, not asked")
def _():
    box = Sandbox().persona("Marit")
    with Server(box) as s:
        s.kill()  # leaves its note behind
    with open(os.path.join(box.home, "lock"), "r+", encoding="ascii") as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        f.truncate(0)
        print(os.getpid(), file=f, flush=True)
        box.run("add", MAIL, "--me", ME).exits(7).says("another process")


if __name__ == "__main__":
    main()
