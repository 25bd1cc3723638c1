"""A function under `@command` is a command; every one also takes `-c FILE` behind its name."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import pytest

import workers.cli as cli
from workers.cli import chosen
from workers.cli.command import PATH, Command, command


@command("greet")
@click.argument("name", metavar="NAME", help="Who is greeted.")
@click.option("--loud", is_flag=True)
def greet(name: str, loud: bool) -> int:
    """Greet somebody."""
    print(f"hello {name}" + ("!" if loud else ""))
    return 3 if loud else 0


@command("simulate")
@click.option("--config", type=PATH, help="The new configuration.")
def simulate(config: Path) -> int:
    """Has a --config of its own."""
    print(config, chosen.configuration_file())
    return 0


@pytest.fixture(autouse=True)
def no_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing was chosen before."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIROUTER_CONFIG", raising=False)


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    """Run one of these commands by its name; gives its exit code and what it printed."""

    def run(found: Command, *words: str) -> tuple[int, str]:
        monkeypatch.setattr(cli.Commands, "get_command", lambda *asked: found if asked[-1] == found.name else None)
        code = cli.main([str(found.name), *words])
        return code, capsys.readouterr().out

    return run


def test_a_function_becomes_a_command(run: Any) -> None:
    """Its parameters are the command's words, its return value the exit code."""
    assert run(greet, "li") == (0, "hello li\n")
    assert run(greet, "li", "--loud", "-c", "desk.toml") == (3, "hello li!\n")
    assert chosen.configuration_file() == Path("desk.toml")


def test_a_command_s_own_config_wins_over_the_general_one(run: Any) -> None:
    """`simulate --config NEW.toml` names the new configuration; `-c` still names the present one."""
    assert run(simulate, "--config", "new.toml", "-c", "old.toml") == (0, "new.toml old.toml\n")


def test_help_tells_the_function_s_own_words(run: Any) -> None:
    """`--help` shows the docstring, the words, the options and the configuration file."""
    code, shown = run(greet, "--help")
    assert code == 0
    assert shown.startswith("Usage: omnirouter greet [OPTIONS] NAME")
    assert "Greet somebody." in shown
    assert "Who is greeted." in shown
    assert "-c, --config FILE" in shown
