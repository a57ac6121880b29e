#!/usr/bin/env python3
"""likeness account: the accounts of the server, from the command line."""
from harness import Sandbox, check, main, same, test

BCRYPT = "$2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"
ARGON = ("$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$"
         "RdescudvJCsgt3ub+b7dWRWJTmaaJObGRdescudvJCs")


def box_with(*emails):
    box = Sandbox().persona("Ann")
    for e in emails:
        add(box, e)
    return box


def add(box, email, password="boats and more boats"):
    return box.run("account", "new", email, "--password-file", box.file("pw", password + "\n"), "-q")


def listed(box):
    return {a["email"]: a for a in box.run("account", "ls", "--json").ok().json()["accounts"]}


@test("accounts are made, listed, switched off and removed")
def _():
    box = Sandbox().persona("Ann")
    box.run("account", "ls").ok().says("account new")
    add(box, "ann@example.org").ok().has("made")
    add(box, " Ann@Example.org").exits(1).says("already")
    add(box, "ben@example.org").ok()
    same(sorted(listed(box)), ["ann@example.org", "ben@example.org"])
    box.run("account", "disable", "BEN@example.org").ok()
    check(listed(box)["ben@example.org"]["disabled"], "not switched off")
    box.run("account", "ls").ok().has("switched off")
    box.run("account", "enable", "ben@example.org").ok()
    check(not listed(box)["ben@example.org"]["disabled"], "not switched on")
    box.run("account", "rm", "ben@example.org").exits(2).says("--yes")
    box.run("account", "rm", "ben@example.org", "--yes").ok()
    same(sorted(listed(box)), ["ann@example.org"])
    box.run("account", "disable", "ben@example.org").exits(3).says("account ls").hasnt("ben@")


@test("passwords come from a file or the terminal, and bad ones are refused")
def _():
    box = Sandbox().persona("Ann")
    add(box, "ann@example.org", "short").exits(2).says("too short")
    add(box, "ann@example.org", "password123").exits(2).says("commonest").hasnt("password123")
    add(box, "ann@example.org", "").exits(4)
    add(box, "no address", "boats and more boats").exits(2)
    box.run("account", "new", "ann@example.org").exits(2).says("--password-file")
    same(listed(box), {})
    t = box.terminal("account", "new", "ann@example.org")
    t.expect("password for the account: ")
    t.line("boats and more boats")
    t.expect("again: ")
    t.line("boats and more boats")
    check("boats" not in t.end(), "the password was shown")
    same(sorted(listed(box)), ["ann@example.org"])
    box.run("account", "passwd", "ann@example.org", "--password-file", box.file("p", "more boats yet")).ok()


@test("accounts are taken over with their hashes")
def _():
    box = box_with("ann@example.org")
    users = box.file("users.csv", f'email,hash\r\nold@example.org,{BCRYPT}\r\n"q@example.org","{ARGON}"\n\n'
                                  f"ANN@example.org,{BCRYPT}\nbad@example.org,plain\n,{BCRYPT}\nno hash\n"
                                  f"r@example.org , {ARGON}")
    r = box.run("account", "import", users, "--json").exits(1)
    same(r.json(), {"made": 3, "there": 1, "refused": 3})
    r.says("line 6:", "line 7:", "line 8:").hasnt("$2b$05", "plain")
    same(sorted(listed(box)), ["ann@example.org", "old@example.org", "q@example.org", "r@example.org"])
    box.run("account", "import", users, "--json").exits(1)
    box.run("account", "import", "-", input=f"s@example.org,{BCRYPT}").ok().has("1 account made")
    box.run("account", "import", box.work + "/nothing").exits(3)


@test("rights on personas are given and taken")
def _():
    box = box_with("ann@example.org", "ben@example.org")
    box.run("new", "Other", "--kind", "self", "--consent-by", "Ann").ok()
    box.run("account", "give", "Ann", "ann@example.org").ok().has("owns it")
    box.run("account", "give", "Ann", "ben@example.org").exits(1).says("another account owns")
    box.run("account", "give", "Ann", "ben@example.org", "--level", "chat").ok()
    box.run("account", "give", "Ann", "ben@example.org", "--level", "all").exits(2)
    box.run("account", "give", "Nobody", "ben@example.org").exits(3)
    box.run("account", "give", "Ann", "nobody@example.org").exits(3)
    same((listed(box)["ann@example.org"]["personas"], listed(box)["ben@example.org"]["shared"]), (1, 1))
    box.run("account", "give", "Ann", "ben@example.org", "--level", "manage").ok()
    same(listed(box)["ben@example.org"]["shared"], 1)
    box.run("account", "take", "Ann", "ben@example.org").ok()
    box.run("account", "take", "Ann", "ben@example.org").exits(3)
    same(listed(box)["ben@example.org"]["shared"], 0)
    box.run("account", "rm", "ann@example.org", "--yes").ok().says("stays in the home")
    box.run("personas").ok().has("Ann")


main()
