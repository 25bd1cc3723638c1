"""The live-chat page in a real browser: what a visitor sees, types, uploads and reads, and what he never sees.

Debian's Chromium without a window, steered by Playwright. Every wait is on what the page shows or the ledger holds.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import os
import signal
import struct
import sys
import zlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Browser, ConsoleMessage, Locator, Page, async_playwright, expect

from router.desk.acts import conversation as acts
from router.model import Attachment

EVENING = datetime(2026, 3, 1, 13, 50, tzinfo=UTC)  # Sunday 21:50 in Shanghai
NIGHT = datetime(2026, 3, 1, 15, 10, tzinfo=UTC)  # 23:10
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
OMNIROUTER = (sys.executable, "-c", "import sys; from workers.cli import main; sys.exit(main(sys.argv[1:]))")
CLOSED = "现在是非服务时间，我们将从明天 08:00 起回复您，请放心留言。"
MARKUP = """<img src=x onerror="window.ran=1"><script>window.ran=1</script><b>bold</b>&lt;i&gt; ${ran} '"></p>"""
#: Milliseconds that a condition may take on a machine that is busy with other things.
PATIENCE = 60_000

expect.set_options(timeout=PATIENCE)

CONFIGURATION = """
[channels.app-chat]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]
page = true
schedule = "chat"

[schedules.chat]
week = { daily = [["08:00", "22:00"]] }

[[queues]]
name = "general"
[[queues]]
name = "payments"
[[rules]]
id = "money"
when = { issue_type = ["transfer_failed"] }
queue = "payments"
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
    monkeypatch.setenv("LIVE_CHAT", SECRET)
    return lambda at=EVENING: open_desk(CONFIGURATION, at)


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, timeout=4 * PATIENCE)
        yield opened
        await opened.close()


class Visitor:
    """A person with a browser profile of his own, who has the chat page open."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.trouble: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("console", self._note)

    def _note(self, said: ConsoleMessage) -> None:
        """Keep what the browser complains about."""
        if said.type == "error":
            self.trouble.append(said.text)

    @property
    def messages(self) -> Locator:
        """What the page shows of the conversation, in its order."""
        return self.page.locator("#log article")

    async def write(self, text: str) -> None:
        """Type a message and press Enter; returns when the desk has acknowledged it."""
        await self.page.locator("#text").press_sequentially(text)
        async with self.page.expect_response("**/messages") as answer:
            await self.page.locator("#text").press("Enter")
        assert (await answer.value).status == 202

    async def sees(self, *texts: str) -> None:
        """Wait until the conversation on the page is exactly this."""
        await expect(self.messages.locator(".words")).to_have_text(list(texts))
        await expect(self.messages).to_have_count(len(texts))

    async def reload(self) -> None:
        """Load the page again, which shows only what the desk has."""
        await self.page.reload()


@contextlib.asynccontextmanager
async def visiting(browser: Browser, address: str, locale: str = "zh-CN") -> AsyncIterator[Visitor]:
    """A visitor of the page at that address. At the end nothing on it may have gone wrong."""
    async with await browser.new_context(locale=locale) as profile:
        visitor = Visitor(await profile.new_page())
        answer = await visitor.page.goto(f"{address}/chat/app-chat")
        assert answer is not None
        assert answer.status == 200
        yield visitor
        assert visitor.trouble == []


def png(width: int = 40, height: int = 30) -> bytes:
    """A red picture."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = (b"\0" + b"\xff\0\0" * width) * height
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# ── the daemon and the command line as processes of their own ──


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[str]:
    """`omnirouter run` on a fresh ledger and a free port; gives its address."""
    always = CONFIGURATION.replace("08:00", "00:00").replace("22:00", "24:00")
    own = f'[desk]\ntimezone = "Asia/Shanghai"\ndatabase = "sqlite:///{folder}/desk.db"\n'
    (folder / "desk.toml").write_text(f'[web]\nlisten = "127.0.0.1:0"\n{own}{always}', encoding="utf-8")
    with (folder / "daemon.log").open("wb") as log:
        daemon = await asyncio.create_subprocess_exec(
            *OMNIROUTER, "run", "-c", "desk.toml", cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=log,
            env={**os.environ, "LIVE_CHAT": SECRET, "PYTHONUNBUFFERED": "1"},
        )  # fmt: skip
    assert daemon.stdout is not None
    try:
        async with asyncio.timeout(120):
            line = (await daemon.stdout.readline()).decode()
        assert " at http://" in line, (line, (folder / "daemon.log").read_text(errors="replace")[-2000:])
        yield line.rsplit(" at ", 1)[1].strip()
        daemon.send_signal(signal.SIGTERM)
        async with asyncio.timeout(120):
            await daemon.communicate()
        assert daemon.returncode == 0
    finally:
        if daemon.returncode is None:
            daemon.kill()
            await daemon.communicate()


async def command(folder: Path, *words: str) -> str:
    """What a command of this desk prints; it must succeed."""
    ran = await asyncio.create_subprocess_exec(
        *OMNIROUTER, "-c", "desk.toml", *words, cwd=folder, env={**os.environ, "LIVE_CHAT": SECRET},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(120):
        out, err = await ran.communicate()
    assert ran.returncode == 0, err.decode()
    return out.decode()


async def test_a_visitor_and_the_command_line(browser: Browser, tmp_path: Path) -> None:
    """A Chinese question reaches its queue, and what `omnirouter reply` says appears on the open page by itself."""
    async with running(tmp_path) as address, visiting(browser, address) as visitor:
        assert await visitor.page.title() == "在线客服 – Support desk"
        await visitor.write("转账2000一直没到账")
        await visitor.reload()
        await visitor.sees("转账2000一直没到账")
        told = await command(tmp_path, "show", "1")
        assert "payments" in told
        assert "转账2000一直没到账" in told
        await visitor.page.evaluate("window.stays = 'the same page'")
        await command(tmp_path, "reply", "1", "--agent", "li", "--text", "已为您核实,款项今天到账。")
        await visitor.sees("转账2000一直没到账", "已为您核实,款项今天到账。")
        await expect(visitor.messages.last.locator(".who")).to_contain_text("客服")
        assert await visitor.page.evaluate("window.stays") == "the same page"
        assert "li" not in (await visitor.messages.last.inner_text()).split()


# ── the desk in this process, under a clock ──


async def test_one_conversation_over_reloads(chat_desk: Callable[..., Any], browser: Browser) -> None:
    """The question is routed with its deadline, the answer appears live, and a reload loses and doubles nothing."""
    async with chat_desk() as desk, visiting(browser, desk.daemon.address) as visitor:
        await visitor.write("转账2000一直没到账")
        [stored] = await desk.stored(1)
        assert (stored["channel"], stored["text"]) == ("app-chat", "转账2000一直没到账")
        [conversation] = desk.conversations()
        assert (conversation["queue"], conversation["issue_type"]) == ("payments", "transfer_failed")
        assert [(c["due_at"], c["state"]) for c in desk.clocks()] == [("2026-03-01T13:52:00Z", "running")]
        await visitor.page.evaluate("window.stays = 'the same page'")
        desk.clock.move(minutes=1)
        acts.reply(desk.store, stored["conversation"], "正在核实\n请稍候", agent="li", now=desk.clock())
        await visitor.sees("转账2000一直没到账", "正在核实\n请稍候")
        assert await visitor.page.evaluate("window.stays") == "the same page"
        await visitor.reload()
        await visitor.sees("转账2000一直没到账", "正在核实\n请稍候")
        await visitor.write("好的")
        await visitor.sees("转账2000一直没到账", "正在核实\n请稍候", "好的")
        await desk.stored(3)
        assert len(desk.conversations()) == 1
        await desk.until(lambda: desk.clocks()[0]["state"] == "met")


async def test_outside_opening_hours(chat_desk: Callable[..., Any], browser: Browser) -> None:
    """At night the page says when the desk will answer, in the visitor's language, until the desk opens."""
    async with chat_desk(NIGHT) as desk:
        address = desk.daemon.address
        async with visiting(browser, address) as visitor, visiting(browser, address, "en-GB") as guest:
            hours = visitor.page.locator("#hours")
            await expect(hours).to_be_visible()
            await expect(hours).to_have_text(CLOSED)
            await expect(guest.page.locator("#hours")).to_contain_text("answer from tomorrow, 08:00")
            await visitor.write("充值没到账")
            await desk.stored(1)
            assert [c["due_at"] for c in desk.clocks()] == ["2026-03-02T00:02:00Z"]
            desk.clock.move(hours=9)
            desk.store.bell.ring()
            await expect(hours).to_be_hidden()


async def test_a_picture(chat_desk: Callable[..., Any], browser: Browser) -> None:
    """A chosen picture is shown, reaches the desk, and is named after a reload; one that is too large is not sent."""
    async with chat_desk() as desk, visiting(browser, desk.daemon.address) as visitor:
        chosen = visitor.page.locator("#picture")
        await chosen.set_input_files({"name": "截图.png", "mimeType": "image/png", "buffer": png()})
        shown = visitor.messages.locator("img")
        await expect(shown).to_have_count(1)
        await expect(shown).to_have_js_property("naturalWidth", 40)
        [stored] = await desk.stored(1)
        [file] = stored["attachments"]
        assert (file["name"], file["type"], file["size"]) == ("截图.png", "image/png", len(png()))
        await visitor.reload()
        await expect(visitor.messages).to_have_count(1)
        await expect(visitor.messages).to_contain_text("截图.png")
        large = {"name": "large.png", "mimeType": "image/png", "buffer": png() + b"\0" * (5 << 20)}
        await chosen.set_input_files(large)
        await expect(visitor.page.locator("#state")).to_contain_text("5 MB")
        await desk.decided()
        assert len(desk.messages()) == 1


async def test_two_visitors(chat_desk: Callable[..., Any], browser: Browser) -> None:
    """Another profile sees nothing of the first one's words, nor of the answer to them."""
    async with chat_desk() as desk:
        address = desk.daemon.address
        async with visiting(browser, address) as one, visiting(browser, address) as two:
            await one.write("转账一直没到账")
            [first] = await desk.stored(1)
            acts.reply(desk.store, first["conversation"], "给第一位的答复", agent="li", now=desk.clock())
            await one.sees("转账一直没到账", "给第一位的答复")
            await two.write("怎么修改手机号")
            second = (await desk.stored(3))[-1]
            acts.reply(desk.store, second["conversation"], "给第二位的答复", agent="li", now=desk.clock())
            await two.sees("怎么修改手机号", "给第二位的答复")
            await one.write("收到")
            await one.sees("转账一直没到账", "给第一位的答复", "收到")
            await two.reload()
            await two.sees("怎么修改手机号", "给第二位的答复")


async def test_markup_is_shown_as_text(chat_desk: Callable[..., Any], browser: Browser) -> None:
    """Tags and scripts, the visitor's or the desk's, in words or names of files, stand there as they were typed."""
    file = Attachment(name="<img src=x onerror=ran=1>.txt", type="text/plain", size=2, sha256="0" * 64, content=b"ok")
    async with chat_desk() as desk, visiting(browser, desk.daemon.address) as visitor:
        await visitor.write(MARKUP)
        [stored] = await desk.stored(1)
        assert stored["text"] == MARKUP
        acts.reply(
            desk.store, stored["conversation"], MARKUP, agent="<b>li</b>", now=desk.clock(), attachments=[file]
        )  # fmt: skip
        for _ in range(2):
            await visitor.sees(MARKUP, MARKUP)
            await expect(visitor.messages.last.locator("a")).to_have_text(file.name)
            inside = visitor.page.locator("#log")
            assert await inside.locator("img, script, b, i, iframe").count() == 0
            assert await visitor.page.evaluate("window.ran") is None
            await visitor.reload()


async def test_a_message_that_was_not_taken(chat_desk: Callable[..., Any], browser: Browser) -> None:
    """Who writes too fast is told so, and sends what was left with one press, once."""
    async with chat_desk() as desk, visiting(browser, desk.daemon.address) as visitor:
        texts = [f"第{number}条" for number in range(1, 10)]
        for text in texts[:8]:
            await visitor.write(text)
        await visitor.page.locator("#text").fill(texts[8])
        await visitor.page.locator("#send").click()
        await expect(visitor.page.locator("#state")).to_have_text("发送太快了，请稍等片刻再试。")
        await expect(visitor.page.locator("#text")).to_have_value(texts[8])
        desk.clock.move(minutes=1)
        await visitor.page.locator("#send").click()
        await desk.stored(9)
        await visitor.sees(*texts)
        assert sorted(m["text"] for m in desk.messages()) == sorted(texts)
        [refused] = visitor.trouble  # the browser notes each answer that is no success
        assert "429" in refused
        visitor.trouble.clear()
