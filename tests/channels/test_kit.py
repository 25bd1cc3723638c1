"""A channel of a company's own is written with the public kit alone: the example is typed, sound, and runs."""

from __future__ import annotations

import asyncio
import base64
import importlib
import json
import os
import re
import signal
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.kit.signature import sign_standard
from router.ports import Raw, Request
from router.testing import RouteContract

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "docs" / "examples"
SOURCE = EXAMPLES / "mycorp" / "pager.py"
COMMAND = Path(sys.executable).with_name("omnirouter")
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRETS = {
    "PAGER_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "PAGER_BEFORE": "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
    "PAGER_TOKEN": "gateway-token-of-the-desk",
}
BODY = json.dumps({"id": "p-1", "number": "+8613800138000", "at": 1767225600, "text": "转账2000一直没到账"}).encode()

sys.path.append(str(EXAMPLES))
Pager: Any = importlib.import_module("mycorp.pager").Pager


class TestPagerContract(RouteContract):
    """What holds of every adapter."""

    adapter = Pager
    settings = {
        "secrets": ["env:PAGER_SECRET", "env:PAGER_BEFORE"],
        "gateway": "http://127.0.0.1:9",
        "gateway_token": "env:PAGER_TOKEN",
    }
    secrets = SECRETS
    raws = (Raw(channel="pager", body=BODY, received_at=NOW),)
    verifying = ("PAGER_SECRET", "PAGER_BEFORE")
    foreign = "whsec_" + base64.b64encode(b"x" * 24).decode()

    def request(self, secret: str) -> Request:
        """A page, signed with this secret."""
        return Request(
            method="POST", url="/channels/pager", headers=sign_standard([secret], "p-1", BODY, NOW), query={}, body=BODY
        )


def test_it_names_nothing_that_is_private() -> None:
    """At most 80 lines, and no name with an underscore from the product."""
    source = SOURCE.read_text("utf-8")
    assert len(source.splitlines()) <= 80
    imported = re.findall(r"^from (?:adapters|router)\S* import .*", source, re.MULTILINE)
    assert imported
    assert [line for line in imported if re.search(r"\b_\w", line)] == []
    assert re.findall(r"\b(?:batch|http|parts|settings|signature|split)\._\w+", source) == []


def test_every_public_name_of_the_kit_is_explained() -> None:
    """Each module of the kit says what it exports, and each of these names has a docstring or a comment of its own."""
    for file in sorted((ROOT / "adapters" / "kit").glob("[a-z]*.py")):
        module = importlib.import_module(f"adapters.kit.{file.stem}")
        assert not [name for name in module.__all__ if name.startswith("_")]
        for name in module.__all__:
            found = getattr(module, name)
            assert not callable(found) or not found.__module__.startswith("adapters.kit") or found.__doc__, name


def test_it_is_typed_strictly() -> None:
    """The type checker finds no mistake in it, at its strictest."""
    command = [sys.executable, "-m", "mypy", "--strict", "--config-file", ROOT / "pyproject.toml", SOURCE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stdout.startswith("Success"), done.stdout + done.stderr


@pytest.mark.parametrize("table", ["", 'colour = "blue"\n'], ids=["right", "with a mistyped key"])
async def test_it_is_configured_and_runs(tmp_path: Path, table: str) -> None:
    """A desk names it in its configuration; `check` tells its mistakes, and a signed page is in its queue."""
    (tmp_path / "desk.toml").write_text(
        f"""
[desk]
database = "sqlite:///desk.db"
[web]
listen = "127.0.0.1:0"
operations = "127.0.0.1:0"
[[queues]]
name = "night"
[defaults]
queue = "night"
[channels.pager]
adapter = "mycorp.pager:Pager"
secrets = ["env:PAGER_SECRET"]
gateway = "http://127.0.0.1:9"
gateway_token = "env:PAGER_TOKEN"
{table}""",
        encoding="utf-8",
    )
    env = {**os.environ, **SECRETS, "PYTHONPATH": str(EXAMPLES), "PYTHONUNBUFFERED": "1"}
    options: Any = {"cwd": tmp_path, "env": env, "capture_output": True, "text": True}
    words = [COMMAND, "-c", "desk.toml"]
    checked = await asyncio.to_thread(subprocess.run, [*words, "check"], **options)
    if table:
        assert (checked.returncode, checked.stdout) == (2, "")
        assert "channels.pager.colour" in checked.stderr
        return
    assert checked.returncode == 0, checked.stderr
    daemon = await asyncio.create_subprocess_exec(
        *map(str, words), "run", cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    assert daemon.stdout is not None
    address = (await daemon.stdout.readline()).decode().rsplit(" at ", 1)[1].strip()
    headers = sign_standard([SECRETS["PAGER_SECRET"]], "p-1", BODY, datetime.now(UTC))
    async with httpx.AsyncClient() as client:
        answer = await client.post(f"{address}/channels/pager", content=BODY, headers=headers)
    assert answer.status_code == 202
    shown = ""
    while not shown and daemon.returncode is None:
        shown = (await asyncio.to_thread(subprocess.run, [*words, "export", "messages"], **options)).stdout
    daemon.send_signal(signal.SIGTERM)
    await daemon.stdout.read()
    assert await daemon.wait() == 0
    message = json.loads(shown)
    assert (message["channel"], message["sender"], message["text"]) == ("pager", "+8613800138000", "转账2000一直没到账")
