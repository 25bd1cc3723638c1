"""The console in a real browser: a person comes in by their link, sees a message arrive, answers it and solves it."""

from __future__ import annotations

import asyncio
import base64
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from playwright.async_api import Browser, Page, async_playwright, expect

from router.desk.accounts import account as people
from router.desk.accounts import passwords

AT = datetime(2026, 3, 2, 4, 0, tzinfo=UTC)  # Monday 12:00 in Shanghai
MARKUP = """<img src=x onerror="window.ran=1"><script>window.ran=1</script>"""
PATIENCE = 60_000
CONFIGURATION = """
[channels.app-chat]
adapter = "webhook"
secrets = ["env:LIVE_CHAT"]
page = true

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
schedule = "always"
first_reply = "2m"
[schedules.always]
week = { daily = [["00:00", "24:00"]] }
"""

expect.set_options(timeout=PATIENCE)


@pytest.fixture
def desk_of(open_desk: Any, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """A desk with a live-chat page."""
    monkeypatch.setenv("LIVE_CHAT", "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode())
    return lambda: open_desk(CONFIGURATION, AT)


@pytest.fixture
async def browser(chromium: str) -> AsyncIterator[Browser]:
    """A browser without a window."""
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=chromium, timeout=4 * PATIENCE)
        yield opened
        await opened.close()


class Person:
    """Somebody of the desk with a browser of their own; `trouble` is what it complains about, `strangers` the other
    hosts that it asked."""

    def __init__(self, page: Page, desk: Any) -> None:
        self.page, self.desk = page, desk
        self.trouble: list[str] = []
        self.strangers: list[str] = []
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: self.trouble.append(str(error)))
        page.on("console", lambda said: self.trouble.append(said.text) if said.type == "error" else None)
        page.on("request", self._asked)

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.desk.daemon.address):
            self.strangers.append(request.url)

    async def come_in(self, name: str, role: str, **more: Any) -> None:
        """Set a password by the one-time link."""
        now = self.desk.clock()
        await asyncio.to_thread(people.add, self.desk.store, name, role, now, **more)
        words = await asyncio.to_thread(passwords.invite, self.desk.store, name, now)
        await self.page.goto(f"{self.desk.daemon.address}/desk/welcome#{words}")
        await self.page.fill("input[name=password]", "correct horse battery")
        await self.page.get_by_role("button").click()
        await expect(self.page.locator(".list")).to_be_visible()

    def fine(self) -> None:
        """The browser complained about nothing and asked no other host."""
        assert self.trouble == []
        assert self.strangers == []


async def write(desk: Any, text: str, visitor: httpx.AsyncClient | None = None) -> httpx.AsyncClient:
    """A visitor of the live-chat page writes; the same visitor may go on."""
    if visitor is None:
        visitor = httpx.AsyncClient(base_url=desk.daemon.address, headers={"origin": desk.daemon.address})
        await visitor.get("/chat/app-chat")
    answer = await visitor.post("/chat/app-chat/messages", json={"id": os.urandom(16).hex(), "text": text})
    assert answer.status_code == 202, answer.text
    return visitor


async def test_from_the_link_to_solved(desk_of: Callable[..., Any], browser: Browser) -> None:
    """A message appears by itself, is opened, taken, noted, answered and solved; nothing that a stranger wrote runs."""
    async with desk_of() as desk:
        li = Person(await browser.new_page(), desk)
        page = li.page
        await li.come_in("li", "agent", queues=["payments"], language="zh-Hans")
        await expect(page.locator(".list .empty")).to_be_visible()
        visitor = await write(desk, f"转账2000一直没到账 {MARKUP}")
        row = page.locator(".row")
        await expect(row).to_contain_text("转账2000一直没到账")
        await row.click()
        await expect(page.locator(".line .say")).to_contain_text(MARKUP)
        await page.get_by_role("button", name="接 t").click()
        await expect(page.locator(".row .holder")).to_have_text("我")
        await page.keyboard.press("n")
        await page.locator(".composer textarea").fill("查一下流水")
        await page.get_by_role("button", name="记下").click()
        await expect(page.locator(".say.noted")).to_have_text("查一下流水")
        await page.keyboard.press("r")
        await page.locator(".composer textarea").fill("已为您处理。")
        await page.reload()
        await expect(page.locator(".composer textarea")).to_have_value("已为您处理。")
        await page.locator(".composer textarea").press("Control+Enter")
        await expect(page.locator(".say.ours").last).to_have_text("已为您处理。")
        await expect(page.locator(".composer textarea")).to_have_value("")
        await desk.until(lambda: desk.events("reply.sent"))
        await write(desk, "好的，谢谢", visitor)
        await expect(page.locator(".line")).to_contain_text("好的，谢谢")
        await page.get_by_role("button", name="解决 e").click()
        await expect(page.get_by_role("button", name="重新打开")).to_be_visible()
        await desk.until(lambda: [c for c in desk.conversations() if c["status"] == "solved"])
        assert await page.evaluate("window.ran") is None
        await visitor.aclose()
        li.fine()


async def test_another_teams_work_is_not_in_the_list(desk_of: Callable[..., Any], browser: Browser) -> None:
    """An agent sees their own queues alone; a wrong password says so; logged out, the page asks who it is."""
    async with desk_of() as desk:
        wang = Person(await browser.new_page(), desk)
        page = wang.page
        await wang.come_in("wang", "agent", queues=["general"], language="en")
        visitor = await write(desk, "转账2000一直没到账")
        await desk.until(desk.conversations)
        other = await write(desk, "你们的营业时间是几点")
        await expect(page.locator(".row")).to_have_count(1)
        await expect(page.locator(".row")).to_contain_text("营业时间")
        await page.get_by_role("button", name="Log out").click()
        await expect(page.locator("input[name=name]")).to_be_visible()
        await page.fill("input[name=name]", "wang")
        await page.fill("input[name=password]", "wrong")
        await page.get_by_role("button").click()
        await expect(page.get_by_role("alert")).to_have_text("Name or password is wrong.")
        await visitor.aclose()
        await other.aclose()
        assert wang.strangers == []


async def test_the_page_lets_nothing_else_run(desk_of: Callable[..., Any]) -> None:
    """Its policy has no exception; it is small; a browser that has a file is told so; other paths are not there."""
    async with desk_of() as desk:
        page = await desk.http.get("/desk")
        policy = page.headers["content-security-policy"]
        assert "unsafe" not in policy
        assert "require-trusted-types-for 'script'" in policy
        paths = ["/desk", "/desk/vendor/preact.js", *(f"/desk/static/{name}.js" for name in ("app", "store", "words"))]
        paths += [f"/desk/static/{name}.css" for name in ("tokens", "parts", "console")]
        sizes = []
        for path in paths:
            answer = await desk.http.get(path)
            assert answer.status_code == 200, path
            sizes.append(len(answer.content))
            again = await desk.http.get(path, headers={"if-none-match": answer.headers["etag"]})
            assert (again.status_code, again.content) == (304, b"")
        assert sum(sizes) < 150_000
        for path in ("static/none.js", "vendor/refresh.py", "other/app.js", "static/%2e%2e/pages.py"):
            assert (await desk.http.get(f"/desk/{path}")).status_code == 404, path
