"""`init` and `check`: from nothing to a configuration that is known to be right, and that everything in it answers."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import workers.cli as cli
from router.policy.load import preset_text
from router.seal import load_key
from router.store.database import Database
from router.store.schema import ensure
from workers.cli import chosen
from workers.cli.config import connecting

CHAT_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
FAULTY = """
[desk]
timezone = "Asia/Shanghia"
[channels.support-mail]
adapter = "email"
address = "support@example.com"
imap = { hots = "imap.example.com", username = "u", password = "env:MAIL_PASSWORD" }
smtp = { host = "smtp.example.com", username = "u", password = "hunter2" }
schedule = "mial"
[[queues]]
name = "general"
[defaults]
queue = "generall"
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder without any configuration or secret."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("OMNIROUTER_CONFIG", raising=False)
    monkeypatch.delenv("CHAT_SECRET", raising=False)
    return tmp_path


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        port: int = held.getsockname()[1]
        return port


@pytest.mark.parametrize("preset", ["wallet", "plain"])
def test_init_writes_a_configuration_that_is_right(here: Path, capsys: pytest.CaptureFixture[str], preset: str) -> None:
    """The first two commands of a newcomer: write a configuration, check it; the key is his alone."""
    assert cli.main(["init", "--preset", preset]) == 0
    assert "Wrote omnirouter.toml." in capsys.readouterr().out
    key = here / "omnirouter.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert len(load_key(key)) == 32
    written = (here / "omnirouter.toml").read_text()
    assert written == preset_text(preset).replace("# key =", "key =")
    assert cli.main(["check"]) == 0
    assert capsys.readouterr().out.startswith("omnirouter.toml is right: ")
    assert chosen.configured().privacy.key is not None


def test_init_never_overwrites(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A configuration and a key that are there stay as they are, byte for byte."""
    (here / "omnirouter.toml").write_text("mine")
    assert cli.main(["init"]) == 2
    assert capsys.readouterr().err == "omnirouter.toml is there already and stays as it is: name another file.\n"
    assert (here / "omnirouter.toml").read_text() == "mine"
    assert not (here / "omnirouter.key").exists()
    (here / "omnirouter.key").write_text("old")
    assert cli.main(["init", "other.toml"]) == 0
    assert (here / "omnirouter.key").read_text() == "old"
    assert "Kept omnirouter.key" in capsys.readouterr().out


def test_init_writes_where_it_is_told(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file elsewhere gets its key beside it, is found by `-c`, and a folder that is not there is told."""
    (here / "conf").mkdir()
    assert cli.main(["init", "conf/desk.toml"]) == 0
    assert (here / "conf" / "omnirouter.key").exists()
    assert "omnirouter -c conf/desk.toml check" in capsys.readouterr().out
    assert cli.main(["-c", "conf/desk.toml", "check"]) == 0
    assert cli.main(["-c", "named.toml", "init", "--preset", "plain"]) == 0
    assert (here / "named.toml").exists()
    capsys.readouterr()
    assert cli.main(["init", "our desk.toml"]) == 0
    assert "omnirouter -c 'our desk.toml' check" in capsys.readouterr().out
    assert cli.main(["init", "none/desk.toml"]) == 2
    assert "none/desk.toml cannot be written" in capsys.readouterr().err


def test_check_lists_all_mistakes_with_their_paths(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A file with five mistakes names all five, with paths down into an adapter's own table, and exits 2."""
    (here / "omnirouter.toml").write_text(FAULTY)
    assert cli.main(["check"]) == 2
    shown = capsys.readouterr()
    for words in (
        'desk.timezone: "Asia/Shanghia" is no time zone',
        "channels.support-mail.imap.host: is missing.",
        'channels.support-mail.imap.hots: there is no such key; did you mean "host"?',
        "channels.support-mail.smtp.password: a secret is given by reference only",
        'channels.support-mail.schedule: there is no schedule "mial"',
        'defaults.queue: there is no queue "generall"; did you mean "general"?',
    ):
        assert words in shown.err
    assert "omnirouter.toml: 6 mistakes." in shown.err
    assert shown.out == ""
    assert "hunter2" not in shown.err


def test_check_gives_the_same_as_json(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Programs read the mistakes, or that there are none, as one JSON object."""
    (here / "omnirouter.toml").write_text(FAULTY)
    assert cli.main(["check", "--json"]) == 2
    assert len(json.loads(capsys.readouterr().out)["mistakes"]) == 6
    (here / "omnirouter.toml").write_text(preset_text("plain"))
    assert cli.main(["check", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["file"], found["mistakes"], found["connections"]) == ("omnirouter.toml", [], [])
    assert "env:CHAT_SECRET" in found["unset"][0]


def test_check_names_the_secrets_that_are_not_set(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A right file whose secrets are still to be set is right; what is missing is said on stderr."""
    (here / "omnirouter.toml").write_text(preset_text("plain"))
    assert cli.main(["check"]) == 0
    assert "channels.chat: this channel cannot be opened yet" in capsys.readouterr().err
    monkeypatch.setenv("CHAT_SECRET", CHAT_SECRET)
    assert cli.main(["check"]) == 0
    assert "channels.chat: this channel cannot be opened yet" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("table", "remark"),
    [
        ('adapter = "webhook"\nsecrets = ["env:CHAT_SECRET"]', "it has neither reply_url nor page = true"),
        ('adapter = "webhook"\nsecrets = ["env:CHAT_SECRET"]\npage = true', "it has no reply_url, and only visitors"),
        ('adapter = "webhook"\nsecrets = ["env:CHAT_SECRET"]\nreply_url = "https://chat.example/in"', ""),
        ('adapter = "email"\naddress = "desk@example.com"', "it has no smtp table"),
        ('adapter = "phone"\nsecrets = ["env:CHAT_SECRET"]', "a telephone takes no written reply"),
    ],
)
def test_check_names_channels_whose_replies_may_reach_nobody(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, table: str, remark: str
) -> None:
    """A way in without a way out is said, with what would be right."""
    monkeypatch.setenv("CHAT_SECRET", CHAT_SECRET)
    plain = preset_text("plain").replace("page = true\n", 'reply_url = "https://chat.example/out"\n')
    (here / "omnirouter.toml").write_text(f"{plain}\n[channels.more]\n{table}\n")
    assert cli.main(["check"]) == 0
    said = capsys.readouterr().err
    assert (f"channels.more: its replies may reach nobody: {remark}" in said) == bool(remark)
    assert "channels.chat: its replies" not in said


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (('"sqlite:///omnirouter.db"', '"postgresql://desk@127.0.0.1/desk"'), "privacy.key: is missing; a PostgreSQL"),
        (("# key =", "key ="), "privacy.key: "),
    ],
)
def test_check_looks_at_the_key(
    here: Path, capsys: pytest.CaptureFixture[str], change: tuple[str, str], words: str
) -> None:
    """PostgreSQL needs a key, and a key file that holds no key is told."""
    (here / "omnirouter.key").write_text("no key at all\n")
    (here / "omnirouter.toml").write_text(preset_text("plain").replace(*change))
    assert cli.main(["check"]) == 2
    assert capsys.readouterr().err.startswith(words)


def test_check_looks_at_the_model_and_at_hours_that_are_over(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A model file that is not there is a mistake; a schedule whose last date has passed is remarked."""
    text = preset_text("plain").replace(
        "[defaults]", '[schedules.fair]\ndates = { "2020-02-14" = [["09:00", "18:00"]] }\n[defaults]'
    )
    (here / "omnirouter.toml").write_text(text)
    assert cli.main(["check"]) == 0
    assert "schedules.fair: has no open time from now on" in capsys.readouterr().err
    (here / "omnirouter.toml").write_text(text + '[tagging]\nmodel = "none.bin"\n')
    assert cli.main(["check"]) == 2
    assert "tagging.model: " in capsys.readouterr().err


WRONG_OUTSIDE = """
[desk]
log = "nats://127.0.0.1:4222"
[privacy]
key = "file:none.key"
[tagging]
model = "none.bin"
lexicons = ["nowhere"]
[acknowledgement]
enabled = "maybe"
[[queues]]
name = "general"
[defaults]
queue = "general"
"""


def test_check_names_what_is_wrong_outside_with_the_rest(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A wrong table hides neither the model and lexicons that are away, nor the key, nor a log that no `run` takes."""
    (here / "omnirouter.toml").write_text(WRONG_OUTSIDE)
    assert cli.main(["check"]) == 2
    told = capsys.readouterr().err.splitlines()
    assert [line.partition(": ")[0] for line in told[:-1]] == [
        "desk.log", "privacy.key", "tagging.lexicons", "tagging.model", "acknowledgement.enabled",
    ]  # fmt: skip
    assert told[-1] == "omnirouter.toml: 5 mistakes."


def test_check_tells_the_model_the_lexicons_and_the_types_of_one_table(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Three mistakes of [tagging] are three lines."""
    tagging = '[tagging]\nmodel = "none.bin"\nlexicons = ["nowhere"]\nissue_types = ["Not So"]\n'
    (here / "omnirouter.toml").write_text(preset_text("plain") + tagging)
    assert cli.main(["check", "--json"]) == 2
    found = json.loads(capsys.readouterr().out)["mistakes"]
    paths = [line.partition(": ")[0] for line in found]
    assert paths == ["tagging.issue_types[0]", "tagging.lexicons", "tagging.model"]


def test_a_key_that_is_not_set_is_told_by_connect_too(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`run` would not begin without it: a remark while the file is written, exit 2 when everything is asked."""
    monkeypatch.setenv("CHAT_SECRET", CHAT_SECRET)
    monkeypatch.delenv("DESK_KEY", raising=False)
    text = preset_text("plain").replace('# key = "file:omnirouter.key"', 'key = "env:DESK_KEY"')
    (here / "omnirouter.toml").write_text(text)
    assert cli.main(["check"]) == 0
    assert "privacy.key: env:DESK_KEY is not set." in capsys.readouterr().err
    assert cli.main(["check", "--connect"]) == 2
    assert "privacy.key: env:DESK_KEY is not set." in capsys.readouterr().err


def connections(capsys: pytest.CaptureFixture[str]) -> dict[str, dict[str, object]]:
    """What `check --connect --json` said of each thing it asked."""
    return {answer["what"]: answer for answer in json.loads(capsys.readouterr().out)["connections"]}


def test_connect_asks_database_log_and_every_channel(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a database of this version and the secrets set, everything answers: exit 0."""
    monkeypatch.setenv("CHAT_SECRET", CHAT_SECRET)
    database = Database("sqlite:///omnirouter.db")
    ensure(database)
    database.engine.dispose()
    (here / "omnirouter.toml").write_text(preset_text("plain"))
    assert cli.main(["check", "--connect", "--json"]) == 0
    answers = connections(capsys)
    assert list(answers) == ["database", "log", "channels.chat"]
    assert "has this version's tables" in str(answers["database"]["line"])
    assert answers["log"]["line"] == "in the database."


def test_connect_warns_of_a_server_that_a_crash_would_rob(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, postgresql: Any
) -> None:
    """A server that does not wait for its disk is told, with what to set; it is still right to connect to."""
    monkeypatch.setenv("CHAT_SECRET", CHAT_SECRET)
    cli.main(["init", "--preset", "plain"])
    file, address = here / "omnirouter.toml", postgresql.fresh().replace("postgres:@", "postgres@")
    file.write_text(file.read_text().replace('"sqlite:///omnirouter.db"', f'"{address}"'))
    capsys.readouterr()
    assert cli.main(["check", "--connect", "--json"]) == 0
    said = str(connections(capsys)["database"]["line"])
    assert "a crash of the server's machine would lose what was acknowledged" in said
    assert said.endswith("fsync and full_page_writes are off; set them on.")


def test_connect_tells_what_does_not_answer(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that nobody serves, and the log in it, are told on a line each; the channel is asked all the same."""
    monkeypatch.setenv("CHAT_SECRET", CHAT_SECRET)
    port = free_port()
    cli.main(["init", "--preset", "plain"])
    file = here / "omnirouter.toml"
    file.write_text(
        file.read_text().replace(
            '"sqlite:///omnirouter.db"',
            f'"postgresql://desk@127.0.0.1:{port}/desk"',
        )
    )
    found = {answer["what"]: answer for answer in asyncio.run(connecting.connections(chosen.configured()))}
    assert {what: answer["exit_code"] for what, answer in found.items()} == {
        "database": 3,
        "log": 3,
        "channels.chat": 0,
    }
    assert "Connection refused" in str(found["database"]["line"])
    assert found["log"]["line"] == "it is in the database, which cannot be used."


def test_connect_tells_unset_secrets_and_a_database_that_is_not_there_yet(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is unreachable, but the channel has no secret: exit 2; asking makes no database file."""
    (here / "omnirouter.toml").write_text(preset_text("plain"))
    assert cli.main(["check", "--connect", "--json"]) == 2
    found = connections(capsys)
    assert found["database"]["exit_code"] == 0
    assert found["channels.chat"]["line"] == "not set: env:CHAT_SECRET."
    assert not (here / "omnirouter.db").exists()


def test_connect_tells_a_database_without_tables(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that needs its migrations is told with the command to run."""
    monkeypatch.setenv("CHAT_SECRET", CHAT_SECRET)
    (here / "omnirouter.db").touch()
    (here / "omnirouter.toml").write_text(preset_text("plain"))
    assert cli.main(["check", "--connect", "--json"]) == 3
    assert "run: omnirouter db upgrade" in str(connections(capsys)["database"]["line"])


def test_connect_waits_for_nobody_for_ever(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that takes the connection and says nothing is given up with one line."""
    monkeypatch.setenv("CHAT_SECRET", CHAT_SECRET)
    monkeypatch.setenv("MAIL_PASSWORD", "geheim")
    monkeypatch.setattr(connecting, "PATIENCE", 0.05)
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        server = f'{{ host = "127.0.0.1", port = {port}, username = "desk", password = "env:MAIL_PASSWORD" }}'
        (here / "omnirouter.toml").write_text(
            f'{preset_text("plain")}\n[channels.mail]\nadapter = "email"\naddress = "desk@example.com"\n'
            f"imap = {server}\nsmtp = {server}\n"
        )
        answers = {answer["what"]: answer for answer in asyncio.run(connecting.connections(chosen.configured()))}
    assert answers["channels.mail"]["exit_code"] == 3
    assert "no answer within" in answers["channels.mail"]["line"]


def test_another_distribution_that_owns_our_package_is_refused(here: Path) -> None:
    """A live distribution of the package index installs `adapters` too; `check` refuses with what to run."""
    site = here / "site"
    metadata = site / "adapters-1.1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: adapters\nVersion: 1.1.0\n")
    (metadata / "top_level.txt").write_text("adapters\n")
    command = Path(sys.executable).with_name("omnirouter")
    environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(site)}
    done = subprocess.run([command, "check"], cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert done.stderr == (
        'The distribution "adapters" also installs a package called "adapters", which is omnirouter\'s: '
        "run `pip uninstall adapters`, or give omnirouter a virtual environment of its own.\n"
    )
    shutil.rmtree(site)
    done = subprocess.run([command, "check"], cwd=here, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0


async def test_connect_keeps_asking_when_an_adapter_fails_badly() -> None:
    """A defect in one adapter is told of its channel and takes no other down."""
    from workers.cli.config.connecting import _answer

    async def broken() -> str:
        raise ZeroDivisionError("division by zero")

    async def fine() -> str:
        return "signed in."

    answers = await asyncio.gather(_answer(broken), _answer(fine))
    assert answers == [(3, "ZeroDivisionError: division by zero"), (0, "signed in.")]


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("whsec_" + base64.b64encode(b"x" * 23).decode(), "it has 23 bytes, and 24 would be right"),
        ("secret", "it is no base64"),
        ("   ", "it holds only blanks"),
        (f"{CHAT_SECRET} ", "it begins or ends with a blank"),
    ],
)
def test_a_secret_that_verifies_nothing_is_a_mistake(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, secret: str, why: str
) -> None:
    """`check` names it by its path, without showing it, and the daemon does not start with it."""
    (here / "omnirouter.toml").write_text(preset_text("plain"))
    monkeypatch.setenv("CHAT_SECRET", secret)
    assert cli.main(["check"]) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"channels.chat.secrets: env:CHAT_SECRET verifies nothing, for {why}")
    assert "eHh4" not in said.err
    assert cli.main(["check", "--json"]) == 2
    assert len(json.loads(capsys.readouterr().out)["mistakes"]) == 1
    assert cli.main(["run"]) == 2
    assert "verifies nothing" in capsys.readouterr().err


def test_check_names_what_the_preset_wrote(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Addresses for examples and ids of noughts are nobody's: they are named by path, also to programs."""
    (here / "omnirouter.toml").write_text(preset_text("wallet"))
    assert cli.main(["check"]) == 0
    said = capsys.readouterr().err
    for path in ("web.public_url", "channels.support-mail.address", "channels.support-mail.imap.host",
                 "channels.wechat.app_id", "notify.desk-lead.mail"):  # fmt: skip
        assert path in said.partition("\n")[0]
    assert cli.main(["check", "--json"]) == 0
    assert "these are the preset's still" in json.loads(capsys.readouterr().out)["remarks"][0]
    own = preset_text("wallet").replace("example.com", "wallet.test").replace("wx" + "0" * 16, "wx12345678abcdef90")
    (here / "omnirouter.toml").write_text(own)
    assert cli.main(["check"]) == 0
    assert "preset" not in capsys.readouterr().err


def test_check_names_files_that_others_may_read(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Database and key are their owner's; a copy that is not is said, with what to run."""
    assert cli.main(["db", "upgrade"]) == 0
    assert cli.main(["check"]) == 0
    assert "others may read it" not in capsys.readouterr().err
    for name in ("omnirouter.db", "omnirouter.key"):
        (here / name).touch()
        (here / name).chmod(0o644)
    assert cli.main(["check"]) == 0
    said = capsys.readouterr().err
    for name in ("omnirouter.db", "omnirouter.key"):
        assert f"{here / name}: others may read it (mode 644); run: chmod 600 {here / name}" in said
