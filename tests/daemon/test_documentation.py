"""What the documentation tells to configure is right: every TOML block of it passes `omnirouter check`."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

import adapters
from router.policy.values import Policy
from workers.daemon.channels import Channels

ROOT = Path(__file__).parents[2]
GUIDES = [ROOT / "docs" / "channels.md", ROOT / "docs" / "channels.zh-CN.md"]
READMES = [ROOT / "README.md", ROOT / "README.zh-CN.md"]
AES_KEY = "k" * 43
SECRET = "whsec_c2VjcmV0LW9mLWFuLWV4YW1wbGUtZGVzaw=="


def blocks(page: Path) -> list[str]:
    """The TOML blocks of a page."""
    return re.findall(r"^```toml\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def channels_of(guide: Path) -> list[Any]:
    """Each channel's block of a guide, put behind the frame that the guide begins with."""
    frame, *rest = blocks(guide)
    return [pytest.param(f"{frame}\n{block}", id=re.findall(r"channels\.(\S+)]", block)[0]) for block in rest]


def accepted(run: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`omnirouter check` finds no mistake, names all secrets while they are not set, and is content when they are."""
    (run.folder / "omnirouter.toml").write_text(text, encoding="utf-8")
    named = set(re.findall(r'"env:(\w+)"', text))
    for name in named:
        monkeypatch.delenv(name, raising=False)
    unset = run("check")
    assert (unset.code, " is right: " in unset.out) == (0, True), unset
    assert set(re.findall(r"env:(\w+)", unset.err)) == named
    for name in named:
        monkeypatch.setenv(name, AES_KEY if "AES" in name else SECRET)
    content = run("check")
    assert (content.code, "env:" in content.err) == (0, False), content
    policy = Policy.load(run.folder / "omnirouter.toml")
    opened = Channels(policy, None)  # type: ignore[arg-type]
    for name in opened.names():
        assert opened.get(name).kind == policy.channel(name).kind


@pytest.mark.parametrize("text", [block for page in READMES for block in blocks(page)])
def test_the_readme_configures_a_desk(run: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader who copies the README's configuration has one that is right."""
    accepted(run, text, monkeypatch)


@pytest.mark.parametrize("text", [text for guide in GUIDES for text in channels_of(guide)])
def test_each_channel_of_the_guide_is_right(run: Any, text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The frame with any channel's table is a configuration without a mistake, whose adapter can be opened."""
    accepted(run, text, monkeypatch)


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.name)
def test_the_guide_leaves_no_channel_out(guide: Path) -> None:
    """Each channel that the README names has its section, with the address that fits its table's name."""
    text = guide.read_text(encoding="utf-8")
    tables: dict[str, Any] = {}
    for block in blocks(guide):
        tables |= tomllib.loads(block).get("channels", {})
    named = set(re.findall(r"^\| \[.*?\| `(\w+)`", READMES[0].read_text(encoding="utf-8"), re.MULTILINE))
    assert {table["adapter"] for table in tables.values()} == named
    assert named <= set(adapters.available())
    assert len(named) >= 8
    addresses = set(re.findall(r"support\.example\.com/(?:channels|chat)/([\w-]+)", text))
    assert addresses == set(tables) - {"support-mail"}


def test_both_languages_say_the_same() -> None:
    """The two guides configure the same, key by key."""
    english, chinese = ([tomllib.loads(block) for block in blocks(guide)] for guide in GUIDES)
    assert english == chinese


@pytest.mark.parametrize("page", GUIDES + READMES, ids=lambda page: page.name)
def test_links_within_the_documentation_lead_somewhere(page: Path) -> None:
    """Links to other pages and to sections name what is there."""
    for target, anchor in re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text(encoding="utf-8")):
        linked = page.parent / target if target else page
        assert linked.exists(), target
        heads = re.findall(r"^#+ (.*)$", linked.read_text(encoding="utf-8"), re.MULTILINE) if anchor else []
        assert not anchor or anchor in {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}
