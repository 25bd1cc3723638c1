"""Secrets stay where they are kept: the configuration, its print-outs and its copies hold references only."""

from __future__ import annotations

import copy
import json
import pickle
from pathlib import Path

import pytest
from pydantic import BaseModel, ValidationError

from router.errors import ConfigurationError
from router.secret import STARS, Secret

HIDDEN = "correct-horse-battery"


class Table(BaseModel):
    """A channel's settings, as an adapter would write them."""

    token: Secret
    more: tuple[Secret, ...] = ()
    maybe: Secret | None = None


def test_an_environment_variable_is_read_when_it_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A secret in the environment may be set after the configuration was read."""
    secret = Secret.of("env:DESK_TOKEN_FOR_TEST")
    monkeypatch.setenv("DESK_TOKEN_FOR_TEST", HIDDEN)
    assert secret.reveal() == HIDDEN
    monkeypatch.setenv("DESK_TOKEN_FOR_TEST", "changed")
    assert secret.reveal() == "changed"


@pytest.mark.parametrize(
    ("content", "expected"),
    [("s3cret\n", "s3cret"), ("s3cret\r\n", "s3cret"), (" s3cret ", " s3cret "), ("密码", "密码")],
)
def test_a_file_gives_its_text_without_the_last_line_break(tmp_path: Path, content: str, expected: str) -> None:
    """An editor's line break at the end of a secret's file is no part of the secret; spaces are."""
    (tmp_path / "token").write_bytes(content.encode())
    assert Secret.of(f"file:{tmp_path}/token").reveal() == expected


def test_a_relative_file_lies_beside_the_configuration(tmp_path: Path) -> None:
    """`file:token` means the file beside the configuration, wherever the command was started."""
    (tmp_path / "token").write_text(HIDDEN)
    table = Table.model_validate({"token": "file:token"}, context={"folder": tmp_path})
    assert table.token.reveal() == HIDDEN
    assert table.token.path == tmp_path / "token"


def test_an_unset_variable_is_told_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """An unset or empty variable gives one sentence that names it and says what to do."""
    for value in (None, ""):
        if value is None:
            monkeypatch.delenv("DESK_TOKEN_FOR_TEST", raising=False)
        else:
            monkeypatch.setenv("DESK_TOKEN_FOR_TEST", value)
        secret = Secret.of("env:DESK_TOKEN_FOR_TEST")
        assert not secret.is_set()
        with pytest.raises(ConfigurationError, match="env:DESK_TOKEN_FOR_TEST is not set: export DESK_TOKEN_FOR_TEST"):
            secret.reveal()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda path: None, "is not set: write the secret into"),
        (lambda path: path.write_text(""), "is not set: write the secret into"),
        (lambda path: path.mkdir(), "cannot be read"),
        (lambda path: path.write_bytes(b"\xff\xfe\x00"), "is not UTF-8 text"),
    ],
)
def test_a_file_that_gives_no_secret_is_told_in_one_sentence(tmp_path: Path, make: object, words: str) -> None:
    """A missing, empty, unreadable or binary file gives one sentence that names the reference."""
    path = tmp_path / "token"
    make(path)  # type: ignore[operator]
    with pytest.raises(ConfigurationError, match=words) as caught:
        Secret.of(f"file:{path}").reveal()
    assert f"file:{path}" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "wrong", ["hunter2", "", "env:", "env:A B", "env:1A", "file:", "file: ", "vault:x", "ENV:X", "env:Ä"]
)
def test_a_secret_written_out_is_refused_without_repeating_it(wrong: str) -> None:
    """A password in the configuration file is refused, and the refusal does not print it."""
    for take in (lambda: Secret.of(wrong), lambda: Secret(wrong)):
        with pytest.raises(ConfigurationError, match="by reference only") as caught:
            take()
        assert not wrong.strip() or wrong.strip() == "env:" or wrong not in str(caught.value).replace('"file:PATH"', "")
    with pytest.raises(ValidationError, match="by reference only"):
        Table(token=wrong)  # type: ignore[arg-type]


@pytest.mark.parametrize("wrong", [None, 17, ["env:X"], {"env": "X"}, True])
def test_anything_but_a_text_is_refused(wrong: object) -> None:
    """Numbers, lists and tables are no references."""
    with pytest.raises(ValidationError, match="by reference only"):
        Table.model_validate({"token": wrong})


def test_nothing_that_prints_or_copies_a_secret_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Printing, formatting, dumping and pickling a secret, alone or inside settings, gives stars."""
    monkeypatch.setenv("DESK_TOKEN_FOR_TEST", HIDDEN)
    secret = Secret.of("env:DESK_TOKEN_FOR_TEST")
    table = Table(token=secret, more=(secret,), maybe=secret)
    shown = [
        str(secret), repr(secret), f"{secret}", f"{secret:>20}", str([secret]),
        repr(table), str(table), table.model_dump_json(), json.dumps(table.model_dump()), repr(table.model_dump()),
    ]  # fmt: skip
    assert all(STARS in text for text in shown)
    assert not any(HIDDEN in text or "DESK_TOKEN_FOR_TEST" in text for text in shown)
    pickled = pickle.dumps({"settings": secret})
    assert HIDDEN.encode() not in pickled
    assert b"DESK_TOKEN_FOR_TEST" not in pickled
    assert pickle.loads(pickled) == {"settings": STARS}  # noqa: S301  (made in the line above)


def test_a_secret_is_a_value() -> None:
    """Equal references are equal, copies are the same, and nobody changes one."""
    secret = Secret.of("env:A")
    assert secret == Secret.of("env:A") != Secret.of("env:B")
    assert len({secret, Secret.of("env:A")}) == 1
    assert secret != "env:A"
    assert copy.copy(secret) is secret is copy.deepcopy(secret)
    assert secret.reference == "env:A"
    assert secret.path is None
    with pytest.raises(AttributeError, match="never changed"):
        secret._reference = "env:B"


def test_the_json_schema_describes_the_reference() -> None:
    """Editors that read the schema know that a reference is wanted."""
    assert Table.model_json_schema()["properties"]["token"]["pattern"] == "^(env|file):.+$"
