"""A channel's adapter is found by its name, and whatever is wrong with it is one sentence."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import adapters
from router.errors import ConfigurationError

ADAPTER = """
from pydantic import BaseModel

class Settings(BaseModel):
    token: str

class Line:
    kind = "line"
    Settings = Settings
    routes = ()
    def __init__(self, channel): ...
    def translate(self, raw): ...
    def deliveries(self, cursor): ...
    def backfill(self, since, until): ...
    async def send(self, reply): ...
    async def connect(self): ...
    async def close(self): ...

class Half:
    kind = "half"
    Settings = Settings
    def translate(self, raw): ...

class Kindless(Line):
    kind = None

class Bare(Line):
    Settings = dict

adapter = Line
thing = 7
"""


@pytest.fixture
def private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A company's own package with adapters of its own, right and wrong ones."""
    (tmp_path / "mycorp_channels").mkdir()
    (tmp_path / "mycorp_channels" / "__init__.py").touch()
    (tmp_path / "mycorp_channels" / "line.py").write_text(ADAPTER)
    (tmp_path / "mycorp_channels" / "bare.py").write_text("import library_that_nobody_has\n")
    (tmp_path / "mycorp_channels" / "broken.py").write_text("1 / 0\n")
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


@pytest.mark.parametrize("name", ["email", "telegram", "x", "messenger", "wechat", "webhook", "phone"])
def test_every_channel_kind_that_ships_is_found_by_its_name(name: str) -> None:
    """`adapter = "telegram"` loads the class of that kind."""
    assert name in adapters.available()
    assert adapters.load(name).kind == name


@pytest.mark.usefixtures("private")
def test_a_private_adapter_is_found_by_module_and_class() -> None:
    """`adapter = "mycorp_channels.line:Line"` loads a company's own, without editing any file of ours."""
    assert adapters.load("mycorp_channels.line:Line").kind == "line"


@pytest.mark.usefixtures("private")
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        (
            "telegran",
            'there is no adapter "telegran"; did you mean "telegram"? A private one is written "module:Class".',
        ),
        ("kit", 'there is no adapter "kit"'),
        ("", 'there is no adapter ""'),
        ("../email", 'there is no adapter "../email"'),
        ("mycorp_channels.lime:Line", 'there is no module "mycorp_channels.lime" for the adapter'),
        ("nobody.has:This", 'there is no module "nobody.has" for the adapter'),
        ("mycorp_channels.line:Lime", "mycorp_channels.line.Lime is no class."),
        ("mycorp_channels.line:thing", "mycorp_channels.line.thing is no class."),
        ("mycorp_channels.line:Kindless", 'has no kind, such as kind = "line".'),
        ("mycorp_channels.line:Bare", "has no Settings, a pydantic model of its channel's table."),
        ("mycorp_channels.line:Half", "lacks deliveries, backfill, send, connect, close."),
        ("mycorp_channels.broken:Line", "mycorp_channels.broken raised ZeroDivisionError: division by zero."),
    ],
)
def test_what_is_wrong_with_an_adapter_is_one_sentence(name: str, sentence: str) -> None:
    """An unknown name, a missing module or an incomplete class says what would be right."""
    with pytest.raises(ConfigurationError) as caught:
        adapters.load(name)
    assert sentence in str(caught.value)
    assert len(caught.value.mistakes) == 1
    assert caught.value.__cause__ is None


@pytest.mark.usefixtures("private")
def test_a_missing_library_is_told_apart() -> None:
    """A library that is not installed is the cause of the error, so that the other channels may go on."""
    with pytest.raises(ConfigurationError, match="not installed: install library_that_nobody_has") as caught:
        adapters.load("mycorp_channels.bare:Line")
    assert isinstance(caught.value.__cause__, ImportError)


def test_a_missing_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A channel kind of ours whose library is missing names the extra to install."""
    monkeypatch.delitem(sys.modules, "adapters.wechat.channel", raising=False)
    monkeypatch.setitem(sys.modules, "cryptography", None)
    monkeypatch.setattr(
        adapters.importlib,
        "import_module",
        lambda name: (_ for _ in ()).throw(ModuleNotFoundError(name="cryptography")),
    )
    with pytest.raises(ConfigurationError, match=r"pip install 'omnirouter\[wechat\]'") as caught:
        adapters.load("wechat")
    assert isinstance(caught.value.__cause__, ImportError)


def test_listing_the_adapters_imports_none() -> None:
    """What ships is known without loading a single library."""
    import subprocess

    program = (
        "import sys, adapters; names = adapters.available()\n"
        "assert {'email', 'telegram', 'x', 'messenger', 'wechat', 'webhook', 'phone'} <= set(names), names\n"
        "print([m for m in sys.modules if m.startswith('adapters.')])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
