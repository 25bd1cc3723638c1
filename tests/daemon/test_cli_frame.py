"""The command line as people meet it: what is listed, what a slip of the finger says, and how commands end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import workers.cli as cli
from router.errors import ConfigurationError, ForeignPackage, NotFound, Refused, Unreachable
from workers.cli import chosen
from workers.cli.ending import Misused, ended

COMMAND = Path(sys.executable).with_name("omnirouter")


def run(*words: str, cwd: Path, **more: str) -> subprocess.CompletedProcess[str]:
    """Run the installed command in a folder, without the configuration of whoever runs the tests."""
    clean = {key: value for key, value in os.environ.items() if key != "OMNIROUTER_CONFIG"}
    return subprocess.run(
        [COMMAND, *words], cwd=cwd, env=clean | more, capture_output=True, text=True, timeout=120, check=False
    )


def test_help_lists_every_command_with_one_line(tmp_path: Path) -> None:
    """`omnirouter --help` shows each command that this version has, and what it does."""
    done = run("--help", cwd=tmp_path)
    assert done.returncode == 0
    assert done.stderr == ""
    shown = " ".join(done.stdout.split())
    for name, (_, about) in cli.COMMANDS.items():
        assert f" {name} {about}" in shown
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_help_loads_nothing_heavy(tmp_path: Path) -> None:
    """Help answers at once because it loads no command, no library and no configuration."""
    program = (
        "import sys; from workers.cli import main; code = main(['--help'])\n"
        "heavy = {'pydantic', 'sqlalchemy', 'msgspec', 'rich', 'router.policy.values', 'asyncio'}\n"
        "print(sorted(heavy & set(sys.modules)), code, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stderr == "[] 0\n"


def test_no_words_at_all_show_the_list(tmp_path: Path) -> None:
    """The bare command shows what it can do."""
    assert run(cwd=tmp_path).stdout == run("-h", cwd=tmp_path).stdout


def test_the_version_is_the_distribution_s(tmp_path: Path) -> None:
    """`omnirouter --version` names the product and its version."""
    from importlib.metadata import version

    done = run("--version", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, f"omnirouter {version('omnirouter')}\n")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["chekc"], 'There is no command "chekc"; did you mean "check"?'),
        (["frobnicate"], 'There is no command "frobnicate"; see `omnirouter --help`.'),
        (["--frob", "check"], "There is no option --frob before the command; see `omnirouter --help`."),
        (["-c"], "-c needs the path of a configuration file."),
        (["check", "--frob"], "No such option: --frob; see --help of this command."),
        (["init", "--preset", "purse"], "'purse' is not one of 'wallet', 'plain'; see --help of this command."),
        (["init", "a.toml", "b.toml"], "(b.toml); see --help of this command."),
    ],
)
def test_wrong_words_end_with_one_sentence_and_2(tmp_path: Path, words: list[str], sentence: str) -> None:
    """A mistake on the command line gives one sentence that says what would be right, and exit code 2."""
    done = run(*words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.endswith(f"{sentence}\n")
    assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "words",
    [
        ["-c", "none.toml", "check"], ["-cnone.toml", "check"], ["--config", "none.toml", "check"],
        ["--config=none.toml", "check"], ["check", "-c", "none.toml"], ["check", "--config", "none.toml"],
        ["check", "--config=none.toml"], ["-c", "other.toml", "check", "-c", "none.toml"],
    ],
)  # fmt: skip
def test_the_configuration_is_named_before_or_after_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], words: list[str]
) -> None:
    """`-c FILE` works on both sides of the command; behind it, it has the last word."""
    monkeypatch.chdir(tmp_path)
    assert cli.main(words) == 2
    assert "There is no configuration file none.toml" in capsys.readouterr().err


def test_which_configuration_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`-c`, else $OMNIROUTER_CONFIG, else ./omnirouter.toml, else the built-in preset."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIROUTER_CONFIG", raising=False)
    cli.main(["--version"])
    assert chosen.configuration_file() is None
    assert chosen.configured().name == "Wallet support"
    Path("omnirouter.toml").write_text('[[queues]]\nname = "q"\n[defaults]\nqueue = "q"\n[desk]\nname = "Here"\n')
    assert chosen.configured().name == "Here"
    monkeypatch.setenv("OMNIROUTER_CONFIG", "elsewhere.toml")
    assert chosen.configuration_file() == Path("elsewhere.toml")
    cli.main(["-c", "named.toml", "--version"])
    assert chosen.configuration_file() == Path("named.toml")
    cli.main(["--version"])
    assert chosen.configuration_file() == Path("elsewhere.toml")


def test_every_listed_command_explains_itself(capsys: pytest.CaptureFixture[str]) -> None:
    """Every command that is listed is there, and `--help` behind it tells its options, `-c` among them."""
    for name in cli.COMMANDS:
        assert cli.main([*name.split(), "--help"]) == 0, name
        shown = capsys.readouterr().out
        assert shown.startswith(f"Usage: omnirouter {name} ")
        assert "-c" in shown
        assert max(map(len, shown.splitlines())) <= 80, name


def test_a_group_alone_names_its_commands(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The first word of a group is no command by itself; what may follow it is said."""
    monkeypatch.setattr(cli, "COMMANDS", cli.COMMANDS | {"dry run": ("config.check:check", "A group of one.")})
    assert cli.main(["dry"]) == 2
    assert capsys.readouterr().err == "After `omnirouter dry` there is a command missing; it takes one of: run.\n"
    assert cli.main(["dry", "walk"]) == 2
    assert 'there is no command "walk"' in capsys.readouterr().err
    assert cli.main(["dry", "--help"]) == 0
    assert "dry run" in capsys.readouterr().out


class DriverError(Exception):
    """An error that carries the system's own one, as database drivers do."""


def raising(error: BaseException) -> Callable[[], int]:
    """A command that fails with this."""

    def command() -> int:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (Misused("Say what."), 2, "Say what."),
        (ConfigurationError(["a: is wrong.", "b: is wrong."]), 2, "a: is wrong.\nb: is wrong."),
        (ForeignPackage("x"), 2, "x"),
        (NotFound("There is no conversation 7."), 1, "There is no conversation 7."),
        (Refused("Somebody answered since."), 1, "Somebody answered since."),
        (Unreachable("The database does not answer."), 3, "The database does not answer."),
        (FileNotFoundError(2, "No such file or directory", "mail.eml"), 1, "mail.eml: No such file or directory."),
        (
            RuntimeError("two\nlines"),
            1,
            "Something went wrong that should not (RuntimeError: two lines); OMNIROUTER_DEBUG=1 shows where.",
        ),
    ],
)
def test_every_error_ends_with_its_sentence_and_code(
    capsys: pytest.CaptureFixture[str], error: Exception, code: int, sentence: str
) -> None:
    """What goes wrong is said on stderr without a traceback, and the exit code is the contract's."""
    assert ended(raising(error)) == code
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", f"{sentence}\n")


def test_a_database_that_does_not_answer_is_3(capsys: pytest.CaptureFixture[str]) -> None:
    """A driver's error about a lost database is told as a server that could not be reached."""
    from sqlalchemy.exc import OperationalError

    assert ended(raising(OperationalError("SELECT 1", {}, DriverError("connection refused\nIs it running?")))) == 3
    assert capsys.readouterr().err == "The database could not be reached: connection refused.\n"


def test_the_place_of_a_defect_is_shown_on_demand(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """OMNIROUTER_DEBUG=1 shows the traceback that is kept from people otherwise."""
    monkeypatch.setenv("OMNIROUTER_DEBUG", "1")
    assert ended(raising(RuntimeError("odd"))) == 1
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_is_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    """Ctrl-C ends a command without a word."""
    assert ended(raising(KeyboardInterrupt())) == 128 + signal.SIGINT
    assert capsys.readouterr() == ("", "")


def test_a_closed_pipe_is_quiet(tmp_path: Path) -> None:
    """`omnirouter … | head` ends without a word when the reader has seen enough."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as closed:
        done = subprocess.run([COMMAND, "--help"], cwd=tmp_path, stdout=closed, stderr=subprocess.PIPE, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_returned_number_is_the_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """A command that returns 1 ends with 1; one that returns nothing ends with 0."""
    from workers.cli.config.check import check

    for value, code in ((1, 1), (None, 0), (True, 0)):
        monkeypatch.setattr(check, "callback", lambda value=value, **_: value)
        assert cli.main(["check"]) == code
