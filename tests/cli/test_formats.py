"""likeness add with exports that consist of several files, and with one of each kind at once. The files are
made here, to the descriptions named in docs/FORMATS.md."""
import gzip
import json
import os
import sqlite3
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "media"))
from harness import Sandbox, check, main, same, test  # noqa: E402
from made import docx, epub, odt, pdf, pptx, tarred, zipped  # noqa: E402


def slack(days=3):
    """A channel and a direct message; the lists of names lie behind the days."""
    files = {}
    for day in range(1, days + 1):
        ts = 1609459200 + 86400 * (day - 1)
        files[f"general/2021-01-{day:02}.json"] = json.dumps([
            {"type": "message", "user": "U1", "text": f"Morning report {day} from the harbour", "ts": f"{ts}.000100"},
            {"type": "message", "user": "U2", "text": f"Thanks <@U1>, number {day}", "ts": f"{ts + 60}.000200",
             "thread_ts": f"{ts}.000100"}], indent=4)
    files["D1/2021-01-01.json"] = json.dumps([
        {"type": "message", "user": "U1", "text": "Shall we row?", "ts": "1609459300.000100"}], indent=4)
    files["channels.json"] = json.dumps([{"id": "C1", "name": "general", "created": 1, "creator": "U1",
                                          "members": ["U1", "U2"]}])
    files["dms.json"] = json.dumps([{"id": "D1", "created": 1, "members": ["U1", "U2"]}])
    files["groups.json"] = files["mpims.json"] = "[]"
    files["users.json"] = json.dumps([
        {"id": "U1", "team_id": "T1", "name": "ann", "profile": {"real_name": "Ann Lee", "display_name": "ann"}},
        {"id": "U2", "team_id": "T1", "name": "bo", "profile": {"real_name": "Bo Berg", "display_name": ""}}])
    return files


def sources(box):
    return {s["title"]: s for s in box.run("sources", "--json").ok().json()["sources"]}


@test("a Slack export is one source for each channel, with names that stand at its end")
def _():
    for packed in (True, False):
        box = Sandbox().persona("Ann Lee")
        if packed:
            path = box.file("export.zip", zipped(*slack().items()))
        else:
            path = "export"
            for name, data in slack().items():
                box.file("export/" + name, data)
        r = box.run("add", path, "--json").ok().json()
        same(r["totals"]["failed"], 0, "failed")
        same((r["totals"]["added"], r["totals"]["voice"]), (7, 4), "pieces, and own ones")
        got = sources(box)
        same(sorted(got), ["Ann Lee, Bo Berg", "general"], "sources")
        same(got["general"]["pieces"], 6, "pieces of the channel")
        check(got["general"]["chunks"] > 0, "the channel was not cut into chunks")
        box.run("search", "harbour").ok().has("Morning report 2")
        box.run("doctor", "--check").ok()
        # A later export has all of it, and a day more.
        more = slack(4)
        if packed:
            box.file("export.zip", zipped(*more.items()))
        else:
            box.file("export/general/2021-01-04.json", more["general/2021-01-04.json"])
        r = box.run("add", path, "--json").ok().json()
        same((r["totals"]["added"], r["totals"]["known"]), (2, 7), "added and known")
        same({t: s["pieces"] for t, s in sources(box).items()}, {"Ann Lee, Bo Berg": 1, "general": 8}, "sources")


@test("a day of Slack that came in without the names is known when it comes with them")
def _():
    box = Sandbox().persona("Ann Lee")
    day = "general/2021-01-01.json"
    box.file("alone/" + day, slack()[day])
    same(box.run("add", "alone", "--me", "U1", "--json").ok().json()["totals"]["added"], 2, "pieces")
    for name, data in slack().items():
        box.file("export/" + name, data)
    r = box.run("add", "export", "--json").ok().json()
    same((r["totals"]["added"], r["totals"]["known"]), (5, 2), "added and known")
    same(sources(box)["general"]["pieces"], 6, "pieces of the channel")


def imessage(path, wal=True):
    """chat.db as a Mac keeps it: text plain, and in an attributed string alone."""
    said = "Rowing again?"
    body = (b"\x04\x0bstreamtyped\x81\xe8\x03\x84\x01@\x84\x84\x84\x12NSAttributedString\x00\x84\x84\x08NSObject\x00"
            b"\x85\x92\x84\x84\x84\x08NSString\x01\x94\x84\x01+" + bytes([len(said)]) + said.encode() + b"\x86\x84\x02iI")
    db = sqlite3.connect(path)
    if wal:
        db.execute("PRAGMA journal_mode=WAL")
    db.executescript("""
        CREATE TABLE message (ROWID INTEGER PRIMARY KEY AUTOINCREMENT, guid TEXT, text TEXT, handle_id INTEGER,
            attributedBody BLOB, date INTEGER, is_from_me INTEGER, associated_message_type INTEGER DEFAULT 0);
        CREATE TABLE handle (ROWID INTEGER PRIMARY KEY, id TEXT);
        CREATE TABLE chat (ROWID INTEGER PRIMARY KEY, chat_identifier TEXT, display_name TEXT);
        CREATE TABLE chat_message_join (chat_id INTEGER, message_id INTEGER);
        INSERT INTO handle VALUES (1, '+491701234567');
        INSERT INTO chat VALUES (1, '+491701234567', '');
        INSERT INTO chat_message_join VALUES (1, 1), (1, 2), (1, 3);""")
    add = "INSERT INTO message (guid, text, handle_id, attributedBody, date, is_from_me, associated_message_type) VALUES "
    db.execute(add + "('a', NULL, 1, ?, 641500000000000000, 0, 0)", (body,))
    db.execute(add + "('b', 'Gladly, if it stays dry', 0, NULL, 641500060000000000, 1, 0)")
    db.execute(add + "('c', 'Loved it', 1, NULL, 641500070000000000, 0, 2000)")
    db.commit()
    db.close()


VCARD = "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bo Berg\r\nTEL;type=CELL:0170 1234567\r\nEND:VCARD\r\n"


@test("Apple Messages are read in the locked-in helper, with names of the address book")
def _():
    box = Sandbox().persona("Ann Lee")
    os.makedirs(os.path.join(box.work, "m"))
    imessage(os.path.join(box.work, "m", "chat.db"))
    box.file("m/people.vcf", VCARD)
    r = box.run("add", "m", "--json").ok().json()
    by = {f["format"]: f for f in r["files"]}
    same((by["imessage"]["added"], by["imessage"]["voice"]), (2, 1), "messages and own ones")
    same(by["imessage"]["passed_over"], [{"what": "reaction", "count": 1, "first": 3}], "passed over")
    same(by["imessage"]["from"][:10], "2021-04-30", "date")
    same(sorted(sources(box)), ["Bo Berg"], "sources")
    box.run("search", "dry").ok().has("Gladly")
    r = box.run("add", "m/chat.db", "--json").ok().json()  # without the book: the same messages
    same((r["totals"]["added"], r["totals"]["known"]), (0, 2), "added and known")


@test("other databases, and journals of databases, are said to be what they are")
def _():
    box = Sandbox().persona()
    sqlite3.connect(os.path.join(box.work, "x.db")).executescript("CREATE TABLE t (a); INSERT INTO t VALUES (1);")
    r = box.run("add", "x.db", "--json")
    check("is a database: export its content" in r.error("PARSE", 5), r.tell())
    box.file("y.db", b"SQLite format 3\0" + bytes(range(256)) * 20)
    check("y.db" in box.run("add", "y.db", "--json").error("PARSE", 5), "y.db is named")
    box.file("chat.db-wal", b"\x37\x7f\x06\x82" + bytes(100))
    check("journal" in box.run("add", "chat.db-wal", "--json").error("PARSE", 5), "the journal is named")


def mixed(box):
    """A file of each kind, where its program puts it: path below the folder -> format, pieces, own ones."""
    j = json.dumps
    mail = ("From: Ann Lee <ann@example.org>\nTo: bo@example.org\nDate: Mon, 4 Mar 2019 10:22:07 +0000\n"
            "Subject: The boat\nMessage-ID: <{}@example.org>\nX-Gmail-Labels: {}\n\n{}\n")
    one = "Sent,Archived", "The boat leaks a little."
    files = {
        "whatsapp/_chat.txt": ("whatsapp", 2, 1, "[02/03/2019, 21:14:00] Ann Lee: Did you feed the goats?\n"
                               "[02/03/2019, 21:15:10] Bo Berg: All of them\n"),
        "telegram/result.json": ("telegram", 1, 1, j({
            "name": "Bo", "type": "personal_chat", "id": 7, "messages": [
                {"id": 1, "type": "message", "date": "2020-01-01T10:00:00", "from": "Ann Lee", "from_id": "user1",
                 "text": "Telegrams were shorter"}]})),
        "Takeout/Mail/All mail Including Spam and Trash.mbox": ("mbox", 1, 1, "".join(
            f"From {i}@xxx Mon Mar 04 10:22:07 +0000 2019\n" + mail.format(i, label, text) + "\n"
            for i, (label, text) in enumerate([one, ("Trash", "Thrown away"), ("Spam", "Buy"), ("Drafts", "Not yet")]))),
        "one.eml": ("eml", 1, 1, mail.format("single", "Sent", "A single letter.")),
        "page.html": ("html", 1, 1, "<html><head><title>T</title></head><body><p>A page of mine.</p></body></html>"),
        "note.md": ("markdown", 1, 1, "# Knots\n\nSee [[Bowline|the king]].\n"),
        "rows.jsonl": ("jsonl", 1, 1, '{"text": "A row of thoughts", "date": "2020-02-02"}\n{"text": ""}\n'),
        "table.csv": ("csv", 1, 1, "date,text\n2020-02-03,A cell of thoughts\n"),
        "plain.txt": ("text", 1, 1, "Just words about nets.\n"),
        "messages/inbox/bo_1/message_1.json": ("meta", 1, 1, j({
            "participants": [{"name": "Ann Lee"}], "messages": [
                {"sender_name": "Ann Lee", "timestamp_ms": 1577880000123, "content": "Caf\u00c3\u00a9 at nine"}],
            "title": "Bo", "thread_path": "inbox/bo_1"})),
        "discord/general.json": ("discord", 1, 1, j({
            "guild": {"name": "G"}, "channel": {"id": "4", "name": "general"}, "messages": [
                {"id": "1", "type": "Default", "timestamp": "2021-05-01T10:00:00+02:00", "content": "Harbour lights",
                 "author": {"id": "7", "name": "ann", "nickname": "Ann Lee"}}]})),
        "gpt/conversations.json": ("chatgpt", 1, 1, j([{
            "title": "T", "create_time": 1.5, "conversation_id": "c1", "current_node": "a", "mapping": {
                "a": {"id": "a", "parent": None, "message": {
                    "id": "m", "author": {"role": "user"}, "create_time": 1700000001.25,
                    "content": {"content_type": "text", "parts": ["Explain tides to me"]}}}}}])),
        "claude/conversations.json": ("claude", 1, 1, j([{"uuid": "0123", "name": "", "chat_messages": [
            {"uuid": "u", "text": "Explain winds", "sender": "human", "created_at": "2024-06-01T09:00:01.5Z"}]}])),
        "twitter/data/tweets.js": ("x", 1, 1, 'window.YTD.tweets.part0 = [{"tweet":{"id_str":"9","created_at":'
                                   '"Wed Oct 10 20:19:24 +0000 2018","full_text":"Short words"}}]'),
        "mastodon/outbox.json": ("mastodon", 1, 1, j({"type": "OrderedCollection", "orderedItems": [
            {"type": "Create", "published": "2022-11-20T08:15:00Z",
             "object": {"id": "n", "type": "Note", "content": "<p>She leaks again.</p>"}}]})),
        "Takeout/Keep/Packing.json": ("keep", 1, 1, j({"isTrashed": False, "textContent": "rope and tea", "title": "Packing",
                                                       "createdTimestampUsec": 1500000000000000})),
        "dayone/Journal.json": ("dayone", 1, 1, j({"metadata": {"version": "1.0"}, "entries": [
            {"uuid": "E", "creationDate": "2023-03-04T05:06:07Z", "text": "Rain in the sound"}]})),
        "a.docx": ("docx", 1, 1, docx("I keep goats on the hill.", author="Ann Lee")),
        "b.odt": ("odt", 1, 1, odt("The ferry leaves at nine.")),
        "c.epub": ("epub", 1, 0, epub("Boats are patient animals.")),
        "d.pptx": ("pptx", 1, 1, pptx("Slides are for strangers.")),
        "e.pdf": ("pdf", 1, 1, pdf("Paper remembers the harbour.")),
        "f.rtf": ("rtf", 1, 1, rb"{\rtf1\ansi Rain on the caf\'e9 roof.\par}"),
        "g.zip/in.txt": ("text", 1, 1, zipped(("in.txt", "A note about lighthouses.\n"))),
        "h.tar/in.txt": ("text", 1, 1, tarred(("in.txt", b"A note about buoys.\n"))),
        "i.txt.gz/i.txt": ("text", 1, 1, gzip.compress(b"A page about oars.\n")),
        "matrix/export.json": ("matrix", 1, 1, j({
            "room_name": "R", "room_creator": "A", "topic": "", "export_date": "x", "exported_by": "Ann Lee", "messages": [
                {"type": "m.room.member", "state_key": "@a:h", "content": {"displayname": "Ann Lee"}},
                {"type": "m.room.message", "sender": "@a:h", "event_id": "$1", "origin_server_ts": 1647856800123,
                 "content": {"msgtype": "m.text", "body": "Rooms with a view"}}]})),
        "Takeout/Google Chat/Groups/DM 1/group_info.json": ("gchat", 0, 0, j({
            "members": [{"name": "Ann Lee", "user_type": "Human"}, {"name": "Bo Berg", "user_type": "Human"}]})),
        "Takeout/Google Chat/Groups/DM 1/messages.json": ("gchat", 1, 1, j({"messages": [
            {"creator": {"name": "Ann Lee", "email": "ann@example.org", "user_type": "Human"},
             "created_date": "Tuesday, January 5, 2021 at 3:15:12\u202fPM UTC", "text": "Tea at five?", "topic_id": "T",
             "message_id": "S/T/T"}]})),
        "signal/Bo Berg/data.json": ("signal", 1, 1, j({
            "date": "2021-05-01T10:00:00", "sender": "Me", "body": "Signals in the fog  ", "quote": "", "sticker": "",
            "reactions": [], "attachments": []}) + "\n"),
        "reddit/comments.csv": ("reddit", 1, 1, "id,permalink,date,ip,subreddit,gildings,link,parent,body,media\n"
                                "c1,u,2020-01-02 03:04:05 UTC,,boats,0,u,,Caulk it first,\n"),
        "contacts.vcf": ("vcard", 0, 0, VCARD),
        "twitter/Your archive.html": ("aside", 0, 0, "<html><body>Not mine</body></html>"),
        "calendar.ics": ("ics", 1, 1, "BEGIN:VCALENDAR\r\nBEGIN:VEVENT\r\nDTSTART:20210105T151512Z\r\n"
                         "SUMMARY:Mend the jib\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"),
        "notion/Harbour 0123456789abcdef0123456789abcdef.md": ("notion", 1, 1, "# Harbour\n\nCreated: January 5, 2021\n\n"
                                                               "Gulls everywhere.\n"),
    }
    for name, data in slack(1).items():
        pieces = (2, 1) if name.startswith("general/") else (1, 1) if name.startswith("D1/") else (0, 0)
        if data != "[]":
            files["slack/" + name] = ("slack", *pieces, data)
    for name, (_, _, _, data) in files.items():
        packed = name.split("/")[0] if name[:2] in ("g.", "h.", "i.") else name
        box.file("all/" + packed, data)
    imessage(os.path.join(box.work, "all", "chat.db"))
    files["chat.db"] = ("imessage", 2, 1, b"")
    return {"all/" + name: f[:3] for name, f in files.items()}


@test("one of each kind in a folder becomes one persona with one command")
def _():
    box = Sandbox().persona("Ann Lee")
    want = mixed(box)
    r = box.run("add", "all", "--json").ok().json()
    got = {f["path"]: (f["format"], f["added"], f["voice"]) for f in r["files"] if f["error"] is None}
    same([(f["path"], f["error"]) for f in r["files"] if f["error"]], [], "files that were not read")
    for path, w in want.items():
        same(got.get(path), w, path)
    same(sorted(got), sorted(want), "files")
    same(r["totals"]["failed"], 0, "failed")
    every = {line.split()[0] for line in box.run("help", "formats").out.splitlines() if line[:2] == "  "}
    check(not every or {w[0] for w in want.values()} | {"zip", "tar", "gz"} >= every, f"no file of {every}")
    for word in ("goats", "Telegrams", "leaks", "thoughts", "tides", "Caulk", "jib", "Gulls", "fog", "Gladly", "oars"):
        box.run("search", word).ok().has(word)
    box.run("doctor", "--check").ok()
    again = box.run("add", "all", "--json").ok().json()
    same((again["totals"]["added"], again["totals"]["failed"]), (0, 0), "the same folder again")


main()
