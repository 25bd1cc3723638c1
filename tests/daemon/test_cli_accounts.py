"""Accounts and tokens from the command line: people get a link, programs a token, and nothing secret is shown twice."""

from __future__ import annotations

from typing import Any

import pytest

from router.policy.load import preset_text


@pytest.fixture
def desk(run: Any) -> Any:
    """A fresh desk."""
    assert run("db", "upgrade").code == 0
    return run


def test_a_person_is_added_with_a_link(desk: Any) -> None:
    """The link is on the desk's public address, where its file names one; the list says who has no password yet."""
    assert desk.json("accounts", "add", "wang", "--role", "lead")["link"].startswith("http://127.0.0.1:8080/desk/welcome#")
    assert desk.json("accounts", "disable", "wang")["state"] == "disabled"
    (desk.folder / "omnirouter.toml").write_text(preset_text("wallet"), encoding="utf-8")
    done = desk("accounts", "add", "li", "--role", "agent", "--queues", "payments, risk")
    assert done.code == 0
    assert done.out.startswith("li is an agent.")
    link = done.out.splitlines()[1].strip()
    assert link.startswith("https://support.example.com/desk/welcome#")
    again = desk.json("accounts", "link", "li")
    assert again["link"] != link
    row = next(row for row in desk.json("accounts", "list") if row["name"] == "li")
    assert (row["role"], row["queues"], row["state"]) == ("agent", ["payments", "risk"], "no password yet")
    assert link.rpartition("#")[2] not in desk("accounts", "list").out


def test_an_account_is_changed_disabled_and_let_in_again(desk: Any) -> None:
    """What is not named stays."""
    desk("accounts", "add", "li", "--role", "agent", "--queues", "payments", "--mail", "li@example.com")
    assert desk("accounts", "change", "li", "--queues", "risk").out == "li: agent, no password yet, queues risk.\n"
    assert desk.json("accounts", "change", "li", "--role", "lead")["mail"] == "li@example.com"
    assert desk("accounts", "disable", "li").out == "li: lead, disabled, queues risk.\n"
    assert desk.json("accounts", "disable", "li", "--undo")["state"] == "no password yet"


def test_a_token_is_printed_once(desk: Any) -> None:
    """Then only its id, its program and its times."""
    done = desk("tokens", "add", "crm", "--role", "lead", "--expires", "30")
    words = done.out.splitlines()[1].strip()
    assert words.startswith("omt_")
    listed = desk("tokens", "list")
    assert "crm" in listed.out
    assert words not in listed.out
    [row] = desk.json("tokens", "list")
    assert desk("tokens", "revoke", row["id"]).out == f"Revoked: {row['id']}.\n"
    assert desk.json("tokens", "list")[0]["revoked_at"]


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("accounts", "add", "li", "--role", "boss"), 2, "'boss' is not one of 'auditor', 'agent', 'lead', 'admin'"),
        (("accounts", "add", "l i", "--role", "agent"), 2, "is not a name of an account"),
        (("accounts", "add", "zhang", "--role", "agent"), 1, "There is an account 'zhang' already"),
        (("accounts", "change", "nobody", "--role", "lead"), 1, "There is no account 'nobody'"),
        (("accounts", "change", "zhang", "--queues", "nowhere"), 2, "There is no queue 'nowhere'"),
        (("accounts", "disable", "zhang"), 1, "the only admin"),
        (("tokens", "add", "zhang", "--role", "admin"), 2, "is a person's account"),
        (("tokens", "add", "crm", "--role", "lead", "--expires", "0"), 2, "--expires"),
        (("tokens", "revoke", "none"), 1, "There is no token 'none'"),
    ],
)
def test_what_makes_no_sense_is_refused_in_one_sentence(
    desk: Any, words: tuple[str, ...], code: int, sentence: str
) -> None:
    """Nothing on stdout, one line on stderr."""
    desk("accounts", "add", "zhang", "--role", "admin")
    done = desk(*words)
    assert (done.code, done.out) == (code, "")
    assert sentence in done.err
    assert done.err.count("\n") == 1
