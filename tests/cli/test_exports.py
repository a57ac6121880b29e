"""likeness add with whole exports as programs deliver them, with all that comes along in them: below folders of
other names, zipped anew on a Mac, as tar, and unpacked. The files are made here, to the descriptions named in
docs/FORMATS.md."""
import io
import json
import os
import sys
import tarfile
import zipfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from harness import Sandbox, check, main, same, test  # noqa: E402

J = json.dumps
PAGE = "<!DOCTYPE html><html><head><title>x</title></head><body>{}</body></html>"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(200)


def mail(n, text):
    return (f"From {n}@xxx Mon Mar 04 10:22:07 +0000 2019\nFrom: Ann Lee <ann@example.org>\nTo: bo@example.org\n"
            f"Date: Mon, 4 Mar 2019 10:22:07 +0000\nSubject: S{n}\nMessage-ID: <{n}@example.org>\nX-Gmail-Labels: Sent\n\n{text}\n\n")


def slack():
    day = [{"type": "message", "user": u, "text": t, "ts": f"16094592{i}0.000100"}
           for i, (u, t) in enumerate([("U1", "Morning report from the harbour"), ("U2", "Thanks <@U1>")])]
    return {"channels.json": J([{"id": "C1", "name": "general", "created": 1, "creator": "U1", "members": ["U1"]}]),
            "general/2021-01-01.json": J(day, indent=4), "users.json": J([
                {"id": "U1", "team_id": "T1", "name": "ann", "profile": {"real_name": "Ann Lee"}},
                {"id": "U2", "team_id": "T1", "name": "bo", "profile": {"real_name": "Bo Berg"}}]),
            "integration_logs.json": "[]", "canvases.json": "[]", "groups.json": "[]", "dms.json": "[]",
            "mpims.json": "[]", "file_conversations.json": J([{"id": "F1", "text": "not said"}])}


def x():
    return {"Your archive.html": PAGE.format("window.YTD"), "assets/js/main.js": "var a = 1;", "assets/css/x.css": "a{}",
            "assets/images/i.png": PNG, "data/README.txt": "ABOUT THIS Twitter archive: what is in it.",
            "data/manifest.js": "window.__THAR_CONFIG = {}",
            "data/account.js": 'window.YTD.account.part0 = [{"account":{"username":"ann_lee","accountId":"42"}}]',
            "data/direct-messages.js": 'window.YTD.direct_messages.part0 = [{"dmConversation":{"conversationId":"7-42","messages":['
                                       '{"messageCreate":{"recipientId":"7","urls":[],"text":"The jib is torn","mediaUrls":[],'
                                       '"senderId":"42","id":"101","createdAt":"2022-01-27T15:58:52.744Z"}}]}}]',
            "data/like.js": 'window.YTD.like.part0 = [{"like":{"tweetId":"1","fullText":"Somebody else"}}]',
            "data/deleted-tweets.js": 'window.YTD.deleted_tweets.part0 = [{"tweet":{"full_text":"Gone"}}]',
            "data/tweets.js": 'window.YTD.tweets.part0 = [{"tweet":{"id_str":"9","created_at":"Wed Oct 10 20:19:24 +0000 2018",'
                              '"full_text":"Short words","entities":{'
                              '"user_mentions":[{"name":"Kit Moe","screen_name":"kit","id_str":"7"}]}}}]'}


def mastodon():
    return {"actor.json": J({"preferredUsername": "ann", "outbox": "outbox.json", "summary": "<p>I am a page</p>"}),
            "likes.json": J({"type": "OrderedCollection", "orderedItems": ["https://x/1"]}),
            "bookmarks.json": J({"type": "OrderedCollection", "orderedItems": []}), "avatar.png": PNG,
            "outbox.json": J({"type": "OrderedCollection", "orderedItems": [
                {"type": "Create", "published": "2022-11-20T08:15:00Z",
                 "object": {"id": "n", "type": "Note", "content": "<p>She leaks again.</p>"}}]})}


def discord():
    return {"README.txt": "Hello! More of this on https://support.discord.com.", "Account/avatar.png": PNG,
            "Account/user.json": J({"id": "7", "username": "ann", "discriminator": 0}, indent=1),
            "Activity/analytics/events-2025.json": J({"event_type": "open", "event_id": "1", "text": "no words"}) + "\n",
            "Messages/index.json": J({"469641859543728149": "general in Boats"}),
            "Messages/c469641859543728149/channel.json": J({"id": "469641859543728149", "type": "GUILD_TEXT", "name": "general",
                                                            "guild": {"id": "4", "name": "Boats"}}),
            "Messages/c469641859543728149/messages.json": J([
                {"ID": 2, "Timestamp": "2018-07-19 23:09:04", "Contents": "Harbour lights", "Attachments": ""}])}


def takeout():
    t = "Takeout/"
    return {t + "archive_browser.html": PAGE.format("x"), t + "Mail/All mail.mbox": mail(1, "The boat leaks a little."),
            t + "Mail/User Settings/Blocked Addresses.json": J({"blocked": []}, indent=1),
            t + "Keep/Packing.json": J({"isTrashed": False, "textContent": "rope and tea", "title": "Packing",
                                        "createdTimestampUsec": 1500000000000000}),
            t + "Keep/Packing.html": PAGE.format('<div class="note"><div class="heading">rope and tea'),
            t + "Keep/Labels.txt": "Boats\n",
            t + "Google Chat/Groups/DM 1/group_info.json": J({"members": [{"name": "Ann Lee", "user_type": "Human"},
                                                                          {"name": "Bo Berg", "user_type": "Human"}]}),
            t + "Google Chat/Groups/DM 1/messages.json": J({"messages": [
                {"creator": {"name": "Ann Lee", "email": "ann@example.org", "user_type": "Human"},
                 "created_date": "Tuesday, January 5, 2021 at 3:15:12\u202fPM UTC", "text": "Tea at five?", "topic_id": "T",
                 "message_id": "S/T/T"}]}),
            t + "My Activity/Search/MyActivity.html": PAGE.format('<div class="outer-cell mdl-cell">Searched for rope'),
            t + "Chrome/Bookmarks.html": "<!DOCTYPE NETSCAPE-Bookmark-file-1>\n<DL><p>Boats</DL>",
            t + "Google Photos/2019/IMG_1.jpg.json": J({"title": "IMG_1.jpg", "description": "x"}, indent=2),
            t + "Google Photos/2019/IMG_1.jpg": b"\xff\xd8\xff\xe0" + bytes(500),
            t + "Fit/Daily activity metrics/2020.csv": "date,text\n2020-01-01,steps\n",
            t + "Contacts/All Contacts/All Contacts.vcf": "BEGIN:VCARD\r\nVERSION:3.0\r\nFN:Bo Berg\r\nTEL:0170 1234567\r\nEND:VCARD\r\n"}


def facebook():
    a = "your_facebook_activity/"
    return {"start_here.html": PAGE.format('<div class="_a6-g">Welcome</div>'), a + "messages/photos/1.png": PNG,
            a + "messages/inbox/bo_1/message_1.json": J({
                "participants": [{"name": "Ann Lee"}], "messages": [
                    {"sender_name": "Ann Lee", "timestamp_ms": 1577880000123, "content": "Caf\u00c3\u00a9 at nine"}],
                "title": "Bo", "thread_path": "inbox/bo_1"}),
            a + "messages/your_messages.json": J({"x": 1}, indent=2), a + "groups/no-data.txt": "You have no data",
            a + "comments_and_reactions/comments.json": J({"comments_v2": [{"timestamp": 1239798000, "data": [
                {"comment": {"timestamp": 1239798000, "comment": "Reef it now", "author": "Ann Lee"}}],
                "title": "Ann Lee commented on Bo Berg's post."}]}, indent=2),
            a + "posts/your_posts__check_ins__photos_and_videos_1.json": J([
                {"timestamp": 1242901624, "data": [{"post": "Haul her out"}], "title": "Ann Lee updated her status."}], indent=2),
            a + "posts/your_videos.json": J({"videos_v2": []}, indent=2),
            "ads_information/advertisers.json": J([{"title": "A shop", "text": "Buy"}]),
            "connections/friends/your_friends.json": J({"friends_v2": []}, indent=2)}


def reddit():
    return {"comments.csv": "id,permalink,date,ip,subreddit,gildings,link,parent,body,media\n"
                            "c1,u,2020-01-02 03:04:05 UTC,,boats,0,u,,Caulk it first,\n",
            "comment_headers.csv": "id,permalink,date,ip,subreddit,gildings,link,parent,media\nc1,u,2020-01-02 03:04:05 UTC,,b,0,u,,\n",
            "announcements.csv": "announcement_id,sent_at,read_at,from_id,from_username,subject,body,url\n1,2,3,4,r,Buy,Coins,u\n",
            "statistics.csv": "statistic,value\nkarma,7\n", "ip_logs.csv": "date,ip\n2020-01-01,1.2.3.4\n",
            "subscribed_subreddits.csv": "subreddit\nboats\n", "user_preferences.csv": "preference,value\nlang,en\n",
            "comment_votes.csv": "id,permalink,direction\nc1,u,up\n"}


def notion():
    i = "0123456789abcdef0123456789abcdef"
    return {f"Export/Harbour {i}.md": "# Harbour\n\nCreated: January 5, 2021\n\nGulls everywhere.\n",
            f"Export/Boats {i}.csv": "Name,Created\nKestrel,2021-01-05\n", "Export/Harbour/gull.png": PNG,
            "Export/index.html": PAGE.format(f'<a href="Harbour%20{i}.html">Harbour</a>')}


def dayone():
    return {"photos/a.jpeg": b"\xff\xd8\xff\xe0" + bytes(500), "Journal.json": J({"metadata": {"version": "1.0"}, "entries": [
        {"uuid": "E", "creationDate": "2023-03-04T05:06:07Z", "text": "Rain in the sound"}]})}


def signal():
    return {"Bo Berg/data.json": J({"date": "2021-05-01T10:00:00", "sender": "Me", "body": "Signals in the fog  ", "quote": "",
                                    "sticker": "", "reactions": [], "attachments": []}) + "\n",
            "Bo Berg/chat.md": "[2021-05-01 10:00:00] Me: Signals in the fog  \n\n", "Bo Berg/media/1.png": PNG,
            "Bo Berg/index.html": '<!DOCTYPE html><link href="../style.css"/><div class="msg me">Signals in the fog</div>',
            "style.css": ".msg { color: red }", "chat.js": "var a = 1;"}


def signal_own():
    return {"main.jsonl": "".join(J(o) + "\n" for o in [
        {"version": "1", "backupTimeMs": "1780000000000"}, {"recipient": {"id": "2", "contact": {"systemGivenName": "Cy"}}},
        {"chat": {"id": "10", "recipientId": "2"}},
        {"chatItem": {"chatId": "10", "authorId": "1", "dateSent": "1700000000000", "outgoing": {},
                      "standardMessage": {"text": {"body": "Oars and ends"}}}}]),
            "metadata.json": J({"version": 1}), "files/ab/abcd.png": PNG}


def chatgpt():
    return {"chat.html": PAGE.format("<script>var jsonData = []</script>"), "user.json": J({"chatgpt_plus_user": True}),
            "message_feedback.json": J([{"id": "1", "conversation_id": "c", "content": "not said"}]),
            "conversations.json": J([{
                "title": "T", "create_time": 1.5, "conversation_id": "c1", "current_node": "a", "mapping": {
                    "a": {"id": "a", "parent": None, "message": {
                        "id": "m", "author": {"role": "user"}, "create_time": 1700000001.25,
                        "content": {"content_type": "text", "parts": ["Explain tides to me"]}}}}}])}


EXPORTS = {"slack": slack, "x": x, "mastodon": mastodon, "discord": discord, "takeout": takeout, "facebook": facebook,
           "reddit": reddit, "notion": notion, "dayone": dayone, "signal": signal, "own": signal_own, "gpt": chatgpt}
# Pieces by format, of which all but one of Slack's are the persona's own.
WANT = {"slack": {"slack": 2}, "x": {"x": 2}, "mastodon": {"mastodon": 1}, "discord": {"discord": 1},
        "takeout": {"mbox": 1, "keep": 1, "gchat": 1}, "facebook": {"meta": 1, "facebook": 2}, "reddit": {"reddit": 1},
        "notion": {"notion": 1}, "dayone": {"dayone": 1}, "signal": {"signal": 1}, "own": {"signal": 1}, "gpt": {"chatgpt": 1}}


def data_of(v):
    return v if isinstance(v, bytes) else v.encode()


def zipped(files, top="", mac=False):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as z:
        for name, v in files.items():
            z.writestr(top + name, data_of(v))
            if mac:
                z.writestr(f"__MACOSX/{top}{os.path.dirname(name)}/._{os.path.basename(name)}", b"\0\5\x16\7" + bytes(100))
        if mac:
            z.writestr(top + ".DS_Store", b"\0\0\0\1Bud1" + bytes(100))
    return out.getvalue()


def tarred(files, top="", mode="w:gz"):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as t:
        for name, v in files.items():
            for n, b in ((f"{top}{os.path.dirname(name)}/._{os.path.basename(name)}", b"\0\5\x16\7"), (top + name, data_of(v))):
                info = tarfile.TarInfo(n)
                info.size = len(b)
                t.addfile(info, io.BytesIO(b))
    return out.getvalue()


def compare(box, *paths):
    """Adds them all; what came in of each export must be the same in every packing, and nothing else."""
    r = box.run("add", *paths, "--json").ok().json()
    got = {name: {} for name in EXPORTS}
    for f in r["files"]:
        check(f["error"] is None, f"{f['path']}: {f['error']}")
        name = f["path"].split("/")[0].split(".")[0]
        if f["added"]:
            got[name][f["format"]] = got[name].get(f["format"], 0) + f["added"]
    same(got, WANT, "pieces by format")
    same((r["totals"]["failed"], r["totals"]["voice"]), (0, r["totals"]["added"] - 1), "failed, own")
    titles = sorted(s["title"] for s in box.run("sources", "--json").ok().json()["sources"])
    for title in ("general", "Bo Berg", "Cy", "Boats / general (469641859543728149)", "Kit Moe (7-42)"):
        check(title in titles, f"no {title} in {titles}")
    return r


PACKINGS = {
    "as zips": lambda box, name, files: box.file(name + ".zip", zipped(files)),
    "below two folders of other names": lambda box, name, files: box.file(name + ".zip", zipped(files, "My stuff/old (2)/")),
    "zipped anew on a Mac": lambda box, name, files: box.file(name + ".zip", zipped(files, "Archiv/", mac=True)),
    "as tar.gz": lambda box, name, files: box.file(name + ".tgz", tarred(files, "./backup/")),
    "as tar": lambda box, name, files: box.file(name + ".tar", tarred(files, "", "w")),
}

for how, pack in PACKINGS.items():
    @test("exports come in " + how)
    def _(pack=pack):
        box = Sandbox().persona("Ann Lee")
        for name, files in EXPORTS.items():
            pack(box, name, files())
        compare(box, *[f for f in sorted(os.listdir(box.work))])


@test("exports come in unpacked, below a folder, and what says nothing is told in one line for each folder")
def _():
    box = Sandbox().persona("Ann Lee")
    for name, files in EXPORTS.items():
        for path, v in files().items():
            box.file(f"{name}/{'old/' if name != 'x' else ''}{path}", v)
    compare(box, *sorted(EXPORTS))
    other = Sandbox().persona("Ann Lee")
    for name, v in x().items():
        other.file("x/" + name, v)
    r = other.run("add", "x").ok()
    r.has("x/data: 1 file (x): 1 piece", "data in which nobody speaks", "style or script (3)", "picture")
    check(len(r.out.splitlines()) < 20, r.tell())


@test("X's direct messages are the same with the names beside them and without")
def _():
    box = Sandbox().persona("Ann Lee")
    for name, v in x().items():
        box.file("x/" + name, v)
    first = box.run("add", "x/data/direct-messages.js", "--me", "42", "--json").ok().json()["totals"]
    same((first["added"], first["voice"]), (1, 1), "added, own")
    then = box.run("add", "x", "--json").ok().json()["totals"]
    same((then["added"], then["failed"]), (1, 0), "the tweet alone")


main()
