"""A plain function with annotations is a command; every command also takes `-c FILE` behind its name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import pytest
import typer

import workers.cli as cli
from workers.cli import chosen
from workers.cli.calling import call


def greet(name: str, *, loud: Annotated[bool, typer.Option("--loud")] = False) -> int:
    """Greet somebody."""
    print(f"hello {name}" + ("!" if loud else ""))
    return 3 if loud else 0


def simulate(config: Annotated[Path, typer.Option(help="The new configuration.")]) -> None:
    """Has a --config of its own."""
    print(config, chosen.configuration_file())


async def later(name: str) -> int:
    """A coroutine function."""
    print(name)
    return 1


@pytest.fixture(autouse=True)
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was chosen before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIROUTER_CONFIG", raising=False)
    cli.main(["--version"])


def test_a_function_becomes_a_command(capsys: pytest.CaptureFixture[str]) -> None:
    """Its parameters are the command's words, its return value the exit code."""
    capsys.readouterr()
    assert call("greet", greet, ["li"]) == 0
    assert call("greet", greet, ["li", "--loud", "-c", "desk.toml"]) == 3
    assert capsys.readouterr().out == "hello li\nhello li!\n"
    assert chosen.configuration_file() == Path("desk.toml")


def test_a_command_s_own_config_wins_over_the_general_one(capsys: pytest.CaptureFixture[str]) -> None:
    """`simulate --config NEW.toml` names the new configuration; `-c` still names the present one."""
    capsys.readouterr()
    assert call("simulate", simulate, ["--config", "new.toml", "-c", "old.toml"]) == 0
    assert capsys.readouterr().out == "new.toml old.toml\n"


def test_a_coroutine_function_is_run(capsys: pytest.CaptureFixture[str]) -> None:
    """A command may be asynchronous."""
    capsys.readouterr()
    assert call("later", later, ["done"]) == 1
    assert capsys.readouterr().out == "done\n"


def test_help_tells_the_function_s_own_words(capsys: pytest.CaptureFixture[str]) -> None:
    """`--help` shows the docstring, the options and the configuration file."""
    capsys.readouterr()
    assert call("greet", greet, ["--help"]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("Usage: omnirouter greet [OPTIONS] ")
    assert "Greet somebody." in shown
    assert "-c, --config FILE" in shown
