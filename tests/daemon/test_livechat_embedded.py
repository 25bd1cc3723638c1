"""The live chat embedded in other people's pages, in a real browser: over http, and where embedded pages get no
cookies. Not a word of the visitor is lost, whatever the desk or the network does.
"""

from __future__ import annotations

import base64
import contextlib
import http.server
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import FrameLocator, Locator, Page, async_playwright, expect

from router.desk.acts import conversation as acts
from router.model import Attachment

EVENING = datetime(2026, 3, 1, 13, 50, tzinfo=UTC)  # Sunday 21:50 in Shanghai
SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)
CONFIGURATION = """
[channels.app-chat]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]
page = true
origins = ["http://localhost:{port}"]

[[queues]]
name = "general"
[defaults]
queue = "general"

[[deadlines]]
name = "chat"
hours = "calendar"
first_reply = "2m"
"""
#: Browsers that give embedded pages neither cookies nor storage, and browsers that do.
STRICT = ("--test-third-party-cookie-phaseout",)


@contextlib.contextmanager
def site(body: Callable[[], str]) -> Iterator[int]:
    """Somebody's web site on a host of its own, which embeds the chat; gives its port."""

    class Page(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = body().encode()
            self.send_response(200)
            self.send_header("content-type", "text/html; charset=utf-8")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Page)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Embedded:
    """A visitor of the site, with the chat open in its frame."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.chat: FrameLocator = page.frame_locator("iframe")

    async def open(self, address: str) -> None:
        """Go to the site and open the chat by its button."""
        await self.page.goto(address)
        await self.page.get_by_role("button").click()
        await expect(self.box).to_be_visible()

    @property
    def box(self) -> Locator:
        return self.chat.locator("#text")

    @property
    def said(self) -> Locator:
        return self.chat.locator("#log article .words")

    @property
    def state(self) -> Locator:
        return self.chat.locator("#state")

    async def write(self, text: str) -> None:
        await self.box.fill(text)
        await self.chat.locator("#send").click()


@contextlib.asynccontextmanager
async def embedded(
    chromium: str, open_desk: Any, *flags: str, locale: str = "zh-CN", profile: Path | None = None
) -> AsyncIterator[tuple[Any, Embedded, str]]:
    """A desk on one host, a site that embeds its chat on another, and a visitor there, with a browser profile or (None)
    a private window, which gives embedded pages neither cookies nor storage."""
    address = ""
    script = '<!doctype html><meta charset=utf-8><body><script src="{}/chat/app-chat/widget.js" defer></script>'
    async with async_playwright() as playwright, contextlib.AsyncExitStack() as stack:
        port = stack.enter_context(site(lambda: script.format(address)))
        desk = await stack.enter_async_context(open_desk(CONFIGURATION.format(port=port), EVENING))
        address = desk.daemon.address
        window: Any = {"executable_path": chromium, "args": list(flags), "timeout": 4 * PATIENCE}
        if profile is None:
            browser: Any = await playwright.chromium.launch(**window)
            page = await (await browser.new_context(locale=locale)).new_page()
        else:
            browser = await playwright.chromium.launch_persistent_context(profile, locale=locale, **window)
            page = await browser.new_page()
        page.set_default_timeout(PATIENCE)
        visitor = Embedded(page)
        await visitor.open(f"http://localhost:{port}/")
        yield desk, visitor, f"http://localhost:{port}/"
        await browser.close()


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """The channel's secret."""
    monkeypatch.setenv("LIVE_CHAT", SECRET)


@pytest.mark.parametrize("private", [False, True], ids=["http", "no third-party cookies"])
async def test_words_arrive_and_the_answer_too(chromium: str, open_desk: Any, tmp_path: Path, private: bool) -> None:
    """A question from an embedded page reaches the desk, and the desk's answer with its file appears there."""
    profile = None if private else tmp_path / "profile"
    async with embedded(chromium, open_desk, *STRICT[: int(private)], profile=profile) as (desk, visitor, _):
        await visitor.write("转账2000一直没到账")
        await expect(visitor.said).to_have_text(["转账2000一直没到账"])
        await expect(visitor.box).to_have_value("")
        [stored] = await desk.stored(1)
        assert stored["text"] == "转账2000一直没到账"
        file = Attachment(name="note.txt", type="text/plain", size=2, sha256="0" * 64, content=b"ok")
        acts.reply(
            desk.store, stored["conversation"], "已为您核实", agent="li", now=desk.clock(), attachments=[file]
        )  # fmt: skip
        await expect(visitor.said).to_have_text(["转账2000一直没到账", "已为您核实"])
        async with visitor.page.expect_download() as download:
            await visitor.chat.get_by_text("note.txt").click()
        assert (await download.value).suggested_filename == "note.txt"


async def test_the_chat_is_still_his_after_a_reload(chromium: str, open_desk: Any, tmp_path: Path) -> None:
    """The visitor finds his chat again, although his browser gives embedded pages neither cookies nor storage."""
    async with embedded(chromium, open_desk, profile=tmp_path / "profile") as (desk, visitor, address):
        await visitor.write("第一句")
        await desk.stored(1)
        await visitor.open(address)
        await expect(visitor.said).to_have_text(["第一句"])
        await visitor.write("第二句")
        first, second = await desk.stored(2)
        assert (first["sender"], first["conversation"]) == (second["sender"], second["conversation"])


async def test_a_desk_that_is_down_takes_no_words_away(chromium: str, open_desk: Any) -> None:
    """While nothing is acknowledged the words stay in the box, in the visitor's language why; afterwards one press
    sends them, once."""
    async with embedded(chromium, open_desk, *STRICT, locale="zh-TW") as (desk, visitor, _):
        await visitor.page.context.set_offline(True)
        await visitor.write("这句话不能丢")
        await expect(visitor.state).to_contain_text("網路不通")
        await expect(visitor.box).to_have_value("这句话不能丢")
        await visitor.page.context.set_offline(False)
        await visitor.chat.locator("#send").click()
        await expect(visitor.box).to_have_value("")
        await expect(visitor.said).to_have_text(["这句话不能丢"])
        [stored] = await desk.stored(1)
        assert stored["text"] == "这句话不能丢"


async def test_an_answer_that_got_lost_doubles_nothing(chromium: str, open_desk: Any) -> None:
    """The desk has the words, but its answer never came: they stay in the box, and sent again they are one message."""
    async with embedded(chromium, open_desk, *STRICT) as (desk, visitor, _):

        async def lose(route: Any) -> None:
            await route.fetch()
            await route.abort()

        await visitor.page.route("**/messages", lose)
        await visitor.write("只说一次")
        await desk.stored(1)
        await expect(visitor.state).to_contain_text("网络不通")
        await visitor.page.unroute("**/messages")
        await visitor.chat.locator("#send").click()
        await expect(visitor.box).to_have_value("")
        await expect(visitor.said).to_have_text(["只说一次"])
        await desk.decided()
        assert [m["text"] for m in desk.messages()] == ["只说一次"]


async def test_a_visitor_whom_the_desk_no_longer_knows(chromium: str, open_desk: Any) -> None:
    """A token that has ended is replaced by another; the words that were written with it arrive."""
    async with embedded(chromium, open_desk, *STRICT) as (desk, visitor, _):
        desk.clock.move(days=200)
        await visitor.write("我回来了")
        await expect(visitor.said).to_have_text(["我回来了"])
        [stored] = await desk.stored(1)
        assert stored["text"] == "我回来了"
