"""A visitor of the live-chat page writes to the desk and reads its answers: his own, live, and nobody else's."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from router.desk.acts import conversation as acts
from router.desk.acts import relate
from router.errors import Refused
from router.model import Attachment
from router.store import set_aside
from workers.cli import main
from workers.http.livechat.visitor import COOKIE, Allowance, Visitors

EVENING = datetime(2026, 3, 1, 13, 50, tzinfo=UTC)  # Sunday 21:50 in Shanghai
NIGHT = datetime(2026, 3, 1, 15, 10, tzinfo=UTC)  # 23:10
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
CLOSED = "We are closed now and"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 40

CONFIGURATION = """
[channels.app-chat]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]
page = true
schedule = "chat"
origins = ["https://www.example.com"]

[channels.other-chat]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]
page = true

[channels.machines]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]

[schedules.chat]
week = { daily = [["08:00", "22:00"]] }

[[queues]]
name = "general"
[defaults]
queue = "general"

[[deadlines]]
name = "chat"
schedule = "chat"
first_reply = "2m"
"""


@pytest.fixture
def chat_desk(open_desk: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A desk with live chat that is open from 08:00 to 22:00."""
    monkeypatch.setenv("LIVE_CHAT", WHSEC)
    return lambda at=EVENING: open_desk(CONFIGURATION, at)


class Browser:
    """What a browser does for the page: keeps its cookie, names the page as origin, follows the stream."""

    def __init__(self, desk: Any, language: str = "zh-CN,zh;q=0.9", channel: str = "app-chat") -> None:
        self.base = f"{desk.daemon.address}/chat/{channel}"
        headers = {"accept-language": language, "origin": desk.daemon.address}
        self.http = httpx.AsyncClient(headers=headers, timeout=120)

    async def open(self) -> httpx.Response:
        answer = await self.http.get(self.base)
        assert answer.status_code == 200
        return answer

    async def write(self, text: str, **fields: Any) -> httpx.Response:
        message = {"id": os.urandom(16).hex(), "text": text, **fields}
        return await self.http.post(f"{self.base}/messages", json=message)

    @contextlib.asynccontextmanager
    async def listening(self, **headers: str) -> AsyncIterator[AsyncIterator[tuple[str, str, Any]]]:
        """The events of the stream: (name, id, value) each."""
        async with self.http.stream("GET", f"{self.base}/stream", headers=headers) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            yield _events(answer)

    async def __aenter__(self) -> Browser:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.http.aclose()


async def _events(answer: httpx.Response) -> AsyncIterator[tuple[str, str, Any]]:
    fields: dict[str, str] = {}
    rest = b""
    async for piece in answer.aiter_bytes():
        *whole, rest = (rest + piece).split(b"\n")  # no other line break ends a field
        for line in whole:
            name, _, value = line.decode().partition(": ")
            if line:
                fields[name] = value
            elif "data" in fields:
                yield fields["event"], fields.get("id", ""), json.loads(fields["data"])
                fields = {}


async def take(events: AsyncIterator[tuple[str, str, Any]], count: int, kind: str = "message") -> list[Any]:
    """The next so many messages of a stream."""
    found: list[Any] = []
    async with asyncio.timeout(120):
        while len(found) < count:
            name, _, value = await anext(events)
            found += [value] if name == kind else []
    return found


# ── a conversation ──


async def test_a_question_and_its_answer(chat_desk: Callable[..., Any]) -> None:
    """The visitor's words are one conversation with a deadline; the desk's answer appears on his open page."""
    async with chat_desk() as desk, Browser(desk) as visitor, visitor.listening() as events:
        answer = await visitor.write("转账2000一直没到账")
        assert (answer.status_code, answer.json()) == (202, {"accepted": 1})
        [own] = await take(events, 1)
        assert (own["mine"], own["text"]) == (True, "转账2000一直没到账")
        [stored] = desk.messages()
        assert (stored["channel"], stored["class"], stored["issue_type"]) == ("app-chat", "first", "transfer_failed")
        [clock] = desk.clocks()
        assert (clock["due_at"], clock["state"]) == ("2026-03-01T13:52:00Z", "running")
        desk.clock.move(minutes=1)
        acts.reply(desk.store, stored["conversation"], "正在为您核实。\n请稍候 <b>", agent="li", now=desk.clock())
        [told] = await take(events, 1)
        assert (told["mine"], told["text"]) == (False, "正在为您核实。\n请稍候 <b>")
        assert "li" not in (told.get("agent"), told["id"])
        await desk.until(lambda: desk.events("reply.sent"))
        assert [c["state"] for c in desk.clocks()] == ["met"]
        assert (await visitor.write("好的，谢谢")).status_code == 202
        await desk.stored(3)
        assert len({m["conversation"] for m in desk.messages()}) == 1


async def test_an_answer_from_the_command_line(chat_desk: Callable[..., Any], tmp_path: Any, capsys: Any) -> None:
    """`omnirouter reply`, another process's act, reaches the open page as well."""
    async with chat_desk() as desk, Browser(desk) as visitor, visitor.listening() as events:
        await visitor.write("账户被冻结了")
        await take(events, 1)
        number = str(desk.messages()[0]["conversation"])
        words = ["-c", str(tmp_path / "desk.toml"), "reply", number, "--text", "已为您转交处理。", "--agent", "li"]
        assert await asyncio.to_thread(main, words) == 0
        [told] = await take(events, 1)
        assert told["text"] == "已为您转交处理。"


async def test_a_reload_and_a_lost_connection(chat_desk: Callable[..., Any]) -> None:
    """After a reload the whole chat is there again; after a lost connection only what came meanwhile."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        for text in ("第一句：充值没到账", "第二句：已经两天了", "第三句：请回复"):
            await visitor.write(text)
        await desk.stored(3)
        async with visitor.listening() as events:
            whole = await take(events, 3)
        assert [line["text"][:3] for line in whole] == ["第一句", "第二句", "第三句"]
        async with visitor.listening(**{"last-event-id": str(whole[1]["number"])}) as events:
            [rest] = await take(events, 1)
            assert rest["text"] == "第三句：请回复"
            acts.reply(desk.store, desk.messages()[0]["conversation"], "收到", agent="li", now=desk.clock())
            [told] = await take(events, 1)
            assert told["text"] == "收到"
        again = await visitor.open()
        assert "set-cookie" not in again.headers


async def test_the_same_message_twice(chat_desk: Callable[..., Any]) -> None:
    """A message that the page sends again, because the answer was lost, is stored once."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        identity = os.urandom(16).hex()
        for _ in range(2):
            assert (await visitor.write("提现失败", id=identity)).status_code == 202
            desk.clock.move(seconds=5)
        await desk.decided()
        assert len(desk.messages()) == 1


async def test_a_picture(chat_desk: Callable[..., Any]) -> None:
    """A picture goes with the message, by hash; what is no picture, too large or too many is refused."""

    def sent(content: bytes, name: str = "截图.png") -> dict[str, str]:
        return {"name": name, "content": base64.b64encode(content).decode()}

    async with chat_desk() as desk, Browser(desk) as visitor:
        assert (await visitor.write("", pictures=[sent(PNG)])).status_code == 202
        [stored] = await desk.stored(1)
        [file] = stored["attachments"]
        assert (file["name"], file["type"], file["size"]) == ("截图.png", "image/png", len(PNG))
        assert len(file["sha256"]) == 64
        wrong = [sent(b"<svg onload=alert(1)>", "a.svg"), sent(b"MZ"), {"name": "x"}, {"content": "%%"}, "x", None]
        for picture in wrong:
            answer = await visitor.write("看图", pictures=[picture])
            assert answer.status_code == 400
            desk.clock.move(minutes=1)
        assert (await visitor.write("四张", pictures=[sent(PNG)] * 4)).status_code == 400
        large = await visitor.write("大图", pictures=[sent(PNG + b"\0" * (6 << 20))])
        assert large.status_code == 413
        await desk.decided()
        assert len(desk.messages()) == 1


async def test_a_file_of_the_desk(chat_desk: Callable[..., Any]) -> None:
    """A file that the desk sends can be fetched by its visitor, as a download, and by nobody else."""
    async with chat_desk() as desk, Browser(desk) as visitor, Browser(desk) as other:
        await visitor.write("请把回单发给我")
        [stored] = await desk.stored(1)
        file = Attachment(name="回单.html", type="text/html", size=9, sha256="0" * 64, content=b"<b>ok</b>")
        acts.reply(
            desk.store, stored["conversation"], "见附件", agent="li", now=desk.clock(), attachments=[file]
        )  # fmt: skip
        async with visitor.listening() as events:
            [_, told] = await take(events, 2)
        assert told["files"] == [{"name": "回单.html", "url": "", "kept": True}]
        path = f"{visitor.base}/files/{told['number']}/0"
        fetched = await visitor.http.get(path)
        assert (fetched.status_code, fetched.content) == (200, b"<b>ok</b>")
        assert fetched.headers["content-disposition"] == "attachment"
        assert fetched.headers["content-type"] == "application/octet-stream"
        assert (await other.http.get(path)).status_code == 404
        assert (await visitor.http.get(path[:-1] + "1")).status_code == 404
        assert (await visitor.http.get(f"{visitor.base}/files/{10**30}/0")).status_code == 404


# ── whose chat it is ──


async def test_two_visitors(chat_desk: Callable[..., Any]) -> None:
    """Each visitor reads his own chat only, and an answer to the one is not shown to the other."""
    async with chat_desk() as desk, Browser(desk) as one, Browser(desk) as two:
        await one.write("转账一直没到账")
        await desk.stored(1)
        await two.write("怎么修改手机号")
        first, second = await desk.stored(2)
        assert first["sender"] != second["sender"]
        assert first["conversation"] != second["conversation"]
        acts.reply(desk.store, first["conversation"], "给第一位的答复", agent="li", now=desk.clock())
        async with one.listening() as events:
            assert [line["text"] for line in await take(events, 2)] == ["转账一直没到账", "给第一位的答复"]
        async with two.listening(**{"last-event-id": "0"}) as events:
            [own] = await take(events, 1)
            assert own["number"] == second["id"]
            await two.write("请问怎么改")
            [more] = await take(events, 1)
            assert more["text"] == "请问怎么改"


async def test_two_visitors_with_one_order(chat_desk: Callable[..., Any]) -> None:
    """Two who name the same order have a conversation each; when the desk joined them, each still sees his own words
    only, and an answer goes to whom it names."""
    async with chat_desk() as desk, Browser(desk) as one, Browser(desk) as two:
        await one.write("我的单号TP202603010001，转账没到账")
        await desk.stored(1)
        await two.write("单号TP202603010001的钱在哪里")
        first, second = await desk.stored(2)
        assert first["conversation"] != second["conversation"]
        joined = (first["conversation"], second["conversation"])
        relate.merge(desk.store, *joined, agent="li", now=desk.clock())
        with pytest.raises(Refused, match="name who is answered"):
            acts.reply(desk.store, first["conversation"], "给哪一位", agent="li", now=desk.clock())
        acts.reply(
            desk.store, first["conversation"], "给后一位的答复", agent="li", now=desk.clock(), to=second["sender"]
        )
        async with two.listening() as events:
            assert [line["text"][:3] for line in await take(events, 2)] == ["单号T", "给后一"]
        async with one.listening() as events:
            [own] = await take(events, 1)
            await one.write("请回复")
            [more] = await take(events, 1)
        assert (own["number"], more["text"]) == (first["id"], "请回复")


async def test_notes_and_other_channels_stay_inside(chat_desk: Callable[..., Any]) -> None:
    """What the desk notes, and what the conversation holds of other channels, is not shown on the page."""
    async with chat_desk() as desk, Browser(desk) as visitor, Browser(desk, channel="other-chat") as elsewhere:
        await visitor.write("转账没到账")
        await desk.stored(1)
        await elsewhere.write("账户登录不了")
        first, second = await desk.stored(2)
        relate.merge(desk.store, first["conversation"], second["conversation"], agent="li", now=desk.clock())
        acts.note(desk.store, first["conversation"], "可疑，转风控", agent="li", now=desk.clock())
        acts.reply(
            desk.store, first["conversation"], "答复", agent="li", now=desk.clock(), channel="app-chat"
        )  # fmt: skip
        async with visitor.listening() as events:
            assert [line["text"] for line in await take(events, 2)] == ["转账没到账", "答复"]
        async with elsewhere.listening() as events:
            assert [line["text"] for line in await take(events, 1)] == ["账户登录不了"]


@pytest.mark.parametrize(
    "change",
    [
        lambda cookie: "",
        lambda cookie: "x" * 5000,
        lambda cookie: cookie[:-1] + ("0" if cookie[-1] != "0" else "1"),
        lambda cookie: cookie.replace("v1.", "v2."),
        lambda cookie: "v1." + "0" * 32 + cookie[35:],
        lambda cookie: cookie.upper(),
    ],
)
async def test_a_forged_cookie(chat_desk: Callable[..., Any], change: Callable[[str], str]) -> None:
    """A cookie that we did not make opens nothing: no reading, no writing."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        forged = {"cookie": f"{COOKIE}={change(visitor.http.cookies[COOKIE])}", "origin": desk.daemon.address}
        visitor.http.cookies.clear()
        assert (await visitor.http.get(f"{visitor.base}/stream", headers=forged)).status_code == 401
        body = {"id": "0" * 32, "text": "hi"}
        assert (await visitor.http.post(f"{visitor.base}/messages", json=body, headers=forged)).status_code == 401
        await desk.decided()
        assert desk.messages() == []


async def test_a_cookie_of_another_page(chat_desk: Callable[..., Any]) -> None:
    """A cookie is of one channel's page."""
    async with chat_desk() as desk, Browser(desk) as visitor, Browser(desk, channel="other-chat") as elsewhere:
        there = {"cookie": f"{COOKIE}={visitor.http.cookies[COOKIE]}"}
        elsewhere.http.cookies.clear()
        assert (await elsewhere.http.get(f"{elsewhere.base}/stream", headers=there)).status_code == 401


def test_a_cookie_ends() -> None:
    """After half a year, or made in the future, a cookie is nobody's."""
    now = EVENING
    visitors = Visitors(b"k" * 32, lambda: now)
    cookie = visitors.cookie("app-chat")
    handle = visitors.handle("app-chat", cookie)
    assert handle.startswith("visitor-")
    assert Visitors(b"k" * 32, lambda: datetime(2026, 8, 28, tzinfo=UTC)).handle("app-chat", cookie) == handle
    for then in (datetime(2026, 8, 29, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC)):
        assert Visitors(b"k" * 32, lambda then=then: then).handle("app-chat", cookie) == ""
    assert Visitors(b"j" * 32, lambda: now).handle("app-chat", cookie) == ""


# ── the page itself ──


async def test_the_page_keeps_to_itself(chat_desk: Callable[..., Any]) -> None:
    """Nothing of another host is loaded, nothing but our own scripts runs, only the named sites may embed it, and no
    script can read the cookie."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        visitor.http.cookies.clear()
        page = await visitor.open()
        policy = page.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'self' https://www.example.com" in policy
        assert "unsafe" not in policy
        cookie = page.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert "path=/chat/app-chat" in cookie
        assert page.headers["cache-control"] == "no-store"
        for name in ("chat.js", "chat.css", "widget.js"):
            asset = await visitor.http.get(f"{visitor.base}/{name}")
            assert asset.status_code == 200
            assert asset.headers["x-content-type-options"] == "nosniff"
            assert "innerHTML" not in asset.text
        for text in (page.text, (await visitor.http.get(f"{visitor.base}/chat.css")).text):
            assert "http://" not in text
            assert "https://" not in text


@pytest.mark.parametrize(
    ("accepted", "language", "word"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans", "发送"),
        ("zh-TW", "zh-Hant", "傳送"),
        ("zh-Hant-HK,en", "zh-Hant", "傳送"),
        ("en-GB,zh;q=0.5", "en", "Send"),
        ("en;q=0.2,zh;q=0.8", "zh-Hans", "发送"),
        ("de-DE,fr", "zh-Hans", "发送"),
        ("de,en;q=0.1", "en", "Send"),
        (";;q=,,=0,zh;q=x", "zh-Hans", "发送"),
        ("", "zh-Hans", "发送"),
    ],
)
async def test_the_visitors_language(chat_desk: Callable[..., Any], accepted: str, language: str, word: str) -> None:
    """The page speaks what the browser asks for: simplified or traditional Chinese, English; else the desk's first."""
    async with chat_desk() as desk, Browser(desk, accepted) as visitor:
        page = await visitor.open()
        assert f'<html lang="{language}">' in page.text
        assert f">{word}</button>" in page.text
        assert "$" not in page.text


@pytest.mark.parametrize(
    ("at", "accepted", "told"),
    [
        (EVENING, "zh", ""),
        (NIGHT, "zh-CN", "现在是非服务时间，我们将从明天 08:00 起回复您，请放心留言。"),
        (NIGHT, "zh-TW", "現在是非服務時間，我們將從明天 08:00 起回覆您，請放心留言。"),
        (NIGHT, "en", f"{CLOSED} will answer from tomorrow, 08:00 (Asia/Shanghai). Please leave your message."),
        (datetime(2026, 3, 1, 20, 0, tzinfo=UTC), "zh", "现在是非服务时间，我们将从今天 08:00 起回复您，请放心留言。"),
    ],
)
async def test_outside_opening_hours(chat_desk: Callable[..., Any], at: datetime, accepted: str, told: str) -> None:
    """Outside opening hours the page says when the desk will answer, in the visitor's language."""
    async with chat_desk(at) as desk, Browser(desk, accepted) as visitor, visitor.listening() as events:
        [hours] = await take(events, 1, "hours")
        assert hours == {"closed": told}


async def test_the_desk_opens_while_the_page_is_open(chat_desk: Callable[..., Any]) -> None:
    """When the hour comes the notice goes, without a reload."""
    async with chat_desk(NIGHT) as desk, Browser(desk) as visitor, visitor.listening() as events:
        [hours] = await take(events, 1, "hours")
        assert hours["closed"]
        desk.clock.move(hours=9)
        desk.store.bell.ring()
        [hours] = await take(events, 1, "hours")
        assert hours == {"closed": ""}


@pytest.mark.parametrize("name", ["machines", "no-such", "support-mail", "%2e%2e"])
async def test_channels_without_a_page(chat_desk: Callable[..., Any], name: str) -> None:
    """Only a webhook channel with `page = true` has a page."""
    async with chat_desk() as desk:
        for path in (f"/chat/{name}", f"/chat/{name}/stream", f"/chat/{name}/chat.js", f"/chat/{name}/files/1/0"):
            assert (await desk.http.get(path)).status_code == 404
        assert (await desk.http.post(f"/chat/{name}/messages", json={})).status_code == 404
        assert (await desk.http.get("/chat/app-chat/chat.html")).status_code == 404
        assert (await desk.http.get("/chat/app-chat/..%2f..%2fdaemon.py")).status_code == 404


async def test_the_site_has_an_icon(chat_desk: Callable[..., Any]) -> None:
    """A browser that shows any page of the desk finds the icon that it asks every site for."""
    async with chat_desk() as desk:
        found = await desk.http.get("/favicon.ico")
        assert (found.status_code, found.headers["content-type"]) == (200, "image/svg+xml")
        assert found.content.startswith(b"<svg ")


# ── what is not taken ──


@pytest.mark.parametrize("origin", [None, "null", "https://evil.example", "https://www.example.com", "file://", "http://["])
async def test_another_sites_page(chat_desk: Callable[..., Any], origin: str | None) -> None:
    """A page of another site cannot write in the visitor's name, not even one that may embed ours."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        headers = {"cookie": f"{COOKIE}={visitor.http.cookies[COOKIE]}"} | ({"origin": origin} if origin else {})
        async with httpx.AsyncClient(timeout=120) as site:
            answer = await site.post(f"{visitor.base}/messages", headers=headers, json={"id": "0" * 32, "text": "hi"})
        assert answer.status_code == 403
        await desk.decided()
        assert desk.messages() == []


@pytest.mark.parametrize(
    "body",
    [b"", b"no JSON", b"[]", b"null", b'"x"', b"{}", b'{"id": 5, "text": "x"}', b'{"id": "../../etc", "text": "x"}',
     json.dumps({"id": "0" * 32, "text": 7}).encode(), json.dumps({"id": "0" * 32, "text": "x" * 10_001}).encode(),
     json.dumps({"id": "0" * 32, "pictures": {}}).encode(), b"[" * 100_000, b"\xff\xfe", b'{"id": "\\ud800"}'],
)  # fmt: skip
async def test_what_the_page_never_sends(chat_desk: Callable[..., Any], body: bytes) -> None:
    """A body that is not the page's is 400 with a sentence, and nothing of it is stored."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        answer = await visitor.http.post(f"{visitor.base}/messages", content=body)
        assert answer.status_code == 400
        assert answer.json()["mistake"]
        await desk.decided()
        assert desk.messages() == []


async def test_a_message_without_words(chat_desk: Callable[..., Any]) -> None:
    """What the channel's own webhook would refuse is refused alike, with its mistake told, and kept as invalid."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        answer = await visitor.write("  \n ")
        assert answer.status_code == 400
        assert answer.json()["mistakes"][0]["path"] == "text"
        [kept] = list(set_aside.listed(desk.store))
        assert (kept["channel"], kept["kind"]) == ("app-chat", "invalid")


async def test_too_many_messages(chat_desk: Callable[..., Any]) -> None:
    """A visitor who writes too fast is asked to wait, and can write again after it."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        answers = [await visitor.write(f"第{n}条") for n in range(12)]
        assert [a.status_code for a in answers] == [202] * 8 + [429] * 4
        wait = int(answers[-1].headers["retry-after"])
        desk.clock.move(seconds=wait)
        assert (await visitor.write("再来一条")).status_code == 202


async def test_many_visitors_from_one_place(chat_desk: Callable[..., Any]) -> None:
    """New cookies do not get around the limit of one address."""
    async with chat_desk() as desk, Browser(desk) as visitor:
        statuses = []
        for _ in range(130):
            visitor.http.cookies.clear()
            await visitor.open()
            statuses.append((await visitor.write("广告")).status_code)
        assert statuses == [202] * 120 + [429] * 10


def test_an_allowance_forgets_the_oldest() -> None:
    """However many strangers come, what is remembered of them is bounded."""
    allowance = Allowance(1, 60, lambda: EVENING)
    assert allowance.wait("first") == 0
    assert allowance.wait("first") == 60
    for number in range(10_001):
        allowance.wait(str(number))
    assert allowance.wait("first") == 0


async def test_markup_stays_text(chat_desk: Callable[..., Any]) -> None:
    """Tags, quotes and line breaks of anybody arrive as the words they are; no event can be forged with them."""
    words = '<img src=x onerror=alert(1)>\n\nevent: hours\ndata: {"closed": "x"}\n\n"\'</script>\u2028&amp;'
    async with chat_desk() as desk, Browser(desk) as visitor, visitor.listening() as events:
        await take(events, 1, "hours")
        await visitor.write(words)
        [own] = await take(events, 1)
        assert own["text"] == words
        desk.store.bell.ring()
        acts.reply(desk.store, desk.messages()[0]["conversation"], words, agent="li", now=desk.clock())
        name, number, told = await anext(events)
        assert (name, int(number), told["text"]) == ("message", told["number"], words)


async def test_a_secret_in_the_chat(chat_desk: Callable[..., Any]) -> None:
    """A card number is taken out before it is stored, and the visitor sees that."""
    async with chat_desk() as desk, Browser(desk) as visitor, visitor.listening() as events:
        await visitor.write("我的卡4111111111111111扣款失败")
        [own] = await take(events, 1)
        assert "[已隐去:银行卡 ****1111]" in own["text"]


async def test_too_many_pages_of_one_visitor(chat_desk: Callable[..., Any]) -> None:
    """One visitor holds at most four streams; a closed one makes room."""
    async with chat_desk() as desk, Browser(desk) as visitor, contextlib.AsyncExitStack() as pages:
        streams = [await pages.enter_async_context(visitor.listening()) for _ in range(4)]
        for events in streams:
            await take(events, 1, "hours")
        async with visitor.http.stream("GET", f"{visitor.base}/stream") as refused:
            pass
        assert (refused.status_code, "retry-after" in refused.headers) == (503, True)


async def test_the_desk_stops_with_pages_open(chat_desk: Callable[..., Any]) -> None:
    """Open pages do not hold up the end of the daemon: their streams end by themselves."""
    async with contextlib.AsyncExitStack() as pages:
        async with chat_desk() as desk:
            visitor = await pages.enter_async_context(Browser(desk))
            events = await pages.enter_async_context(visitor.listening())
            await take(events, 1, "hours")
        async with asyncio.timeout(120):
            with contextlib.suppress(StopAsyncIteration, httpx.RemoteProtocolError):
                while await anext(events):
                    pass
