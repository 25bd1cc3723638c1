"""Who may come in: accounts, passwords set by one-time links, sessions that end, tokens that are revoked."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from argon2 import PasswordHasher

from router.account import Role
from router.desk import Ledger
from router.desk.accounts import account as people
from router.desk.accounts import passwords, permissions, sessions, tokens
from router.errors import Forbidden, Misasked, NotFound, Refused, TooOften, WrongPassword
from router.model import Conversation
from router.policy.load import from_text, preset_text
from router.seal import Sealer
from router.store import tables as t
from router.store.statement import Statement
from tests.ledger.conftest import NOON

GOOD = "correct horse battery"


@pytest.fixture(autouse=True)
def light_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashes that cost next to nothing: what is tried here is who comes in, not how long a guess takes."""
    monkeypatch.setattr(passwords, "_hasher", PasswordHasher(time_cost=1, memory_cost=64, parallelism=1))


@pytest.fixture
def li(store: Ledger) -> Ledger:
    """A desk with an admin, who has a password, and an agent without one."""
    people.add(store, "zhang", "admin", NOON)
    passwords.set_by_link(store, passwords.invite(store, "zhang", NOON), GOOD, NOON)
    people.add(store, "li", "agent", NOON, queues=["payments"], mail="Li@Example.com", language="zh-Hans")
    return store


def everything(store: Ledger) -> str:
    """All that the tables of accounts hold, as text."""
    found = []
    with store.database.read() as tx:
        for table in (t.accounts, t.invitations, t.sessions, t.tokens, t.guesses):
            found += [str(row) for row in tx.rows(Statement(table.select()))]
    return "\n".join(found)


def test_a_person_comes_in_by_the_password_that_they_set(li: Ledger) -> None:
    """The link is good once and for a day; the password opens the account, and nothing of either can be read later."""
    words = passwords.invite(li, "li", NOON)
    assert passwords.set_by_link(li, words, "一二三四五六七八九十", NOON + timedelta(hours=23)) == "li"
    came = passwords.check(li, "li", "一二三四五六七八九十", "10.0.0.1", NOON)
    assert (came.role, came.queues, came.mail, came.has_password) == (Role.AGENT, ("payments",), "li@example.com", True)
    with pytest.raises(Refused, match="used already"):
        passwords.set_by_link(li, words, "another password", NOON)
    assert words not in everything(li)
    assert "一二三" not in everything(li)


def test_a_link_ends_after_a_day_and_when_a_newer_one_is_made(li: Ledger) -> None:
    """Only the newest link works, and only for 24 hours."""
    first = passwords.invite(li, "li", NOON)
    second = passwords.invite(li, "li", NOON)
    for words, at in ((first, NOON), (second, NOON + timedelta(hours=24)), ("made up", NOON)):
        with pytest.raises(Refused, match="ask for a new one"):
            passwords.set_by_link(li, words, GOOD, at)


@pytest.mark.parametrize("bad", ["short", "aaaaaaaaaaaaaaaa", "x" * 9, "长" * 400])
def test_a_password_that_will_not_do_is_refused_and_the_link_stays_good(li: Ledger, bad: str) -> None:
    """Too short, too long or one character over and over."""
    words = passwords.invite(li, "li", NOON)
    with pytest.raises(Misasked, match="password"):
        passwords.set_by_link(li, words, bad, NOON)
    assert passwords.set_by_link(li, words, GOOD, NOON) == "li"


def test_whatever_was_wrong_the_answer_is_the_same(li: Ledger) -> None:
    """A stranger cannot tell a wrong password from an unknown name, a disabled account or one without a password."""
    people.add(li, "wang", "agent", NOON)
    passwords.set_by_link(li, passwords.invite(li, "wang", NOON), GOOD, NOON)
    people.disable(li, "wang", NOON)
    said = set()
    for name, password in (("zhang", "wrong"), ("nobody", GOOD), ("li", GOOD), ("li", ""), ("wang", GOOD)):
        with pytest.raises(Refused) as refused:
            passwords.check(li, name, password, name, NOON)
        said.add((type(refused.value), str(refused.value)))
    assert said == {(WrongPassword, "Name or password is wrong.")}


def test_wrong_passwords_slow_the_next_one_and_lock_nobody_out(li: Ledger) -> None:
    """After five wrong ones each further one doubles the wait; then the right one comes in, and the count is gone."""
    at = NOON
    for _ in range(6):
        with pytest.raises(Refused, match="wrong"):
            passwords.check(li, "zhang", "wrong", "10.0.0.1", at)
    with pytest.raises(TooOften, match="try again in 3 s") as slowed:
        passwords.check(li, "zhang", GOOD, "10.0.0.2", at)
    with pytest.raises(TooOften):
        passwords.check(li, "li", GOOD, "10.0.0.1", at)
    at = slowed.value.until
    assert passwords.check(li, "zhang", GOOD, "10.0.0.2", at).name == "zhang"
    with pytest.raises(Refused, match="Name or password"):
        passwords.check(li, "zhang", "wrong", "10.0.0.2", at)
    for _ in range(40):
        at += timedelta(minutes=5)
        with pytest.raises(Refused, match="wrong"):
            passwords.check(li, "zhang", "wrong", "10.0.0.9", at)
    assert passwords.check(li, "zhang", GOOD, "10.0.0.2", at + timedelta(minutes=5)).name == "zhang"


def test_a_session_lives_while_it_is_used_and_a_week_at_most(li: Ledger) -> None:
    """Twelve hours without use end it; so does its seventh day, and so does a change of the password."""
    zhang = people.named(li, "zhang")
    secret = sessions.begin(li, zhang, "Browser\n1", NOON)
    at = NOON
    for _ in range(15):
        at += timedelta(hours=11)
        came = sessions.caller(li, secret, at)
        assert came is not None
        assert came.account.name == "zhang"
    assert sessions.caller(li, secret, NOON + timedelta(days=7)) is None
    other = sessions.begin(li, zhang, "", NOON)
    assert sessions.caller(li, other, NOON + timedelta(hours=12)) is None
    third = sessions.begin(li, zhang, "", NOON)
    passwords.set_by_link(li, passwords.invite(li, "zhang", NOON), GOOD + "!", NOON)
    assert sessions.caller(li, third, NOON) is None
    assert secret not in everything(li)


def test_sessions_are_listed_and_ended_one_by_one(li: Ledger) -> None:
    """Each of one's own sessions can be ended, nobody else's."""
    zhang = people.named(li, "zhang")
    one, two = (sessions.begin(li, zhang, browser, NOON) for browser in ("Firefox", "Chromium"))
    listed = {s.browser: s.id for s in sessions.of(li, "zhang", NOON)}
    assert set(listed) == {"Firefox", "Chromium"}
    with pytest.raises(NotFound):
        sessions.end(li, "li", listed["Firefox"])
    for odd in ("%", "_" * 12, "f" * 12):
        with pytest.raises(NotFound):
            sessions.end(li, "zhang", odd)
    assert sessions.end(li, "zhang", listed["Firefox"]) == 1
    assert sessions.caller(li, one, NOON) is None
    assert sessions.caller(li, two, NOON) is not None
    sessions.forget_ended(li, NOON + timedelta(days=8))
    assert sessions.of(li, "zhang", NOON) == []


def test_who_is_disabled_is_out_at_once(li: Ledger) -> None:
    """Sessions and tokens of a disabled account open nothing; enabled again, the token does, the session does not."""
    people.add(li, "chen", "lead", NOON)
    secret = sessions.begin(li, people.named(li, "chen"), "", NOON)
    _, words = tokens.add(li, "crm", "agent", NOON, queues=["payments"])
    for name in ("chen", "crm"):
        people.disable(li, name, NOON)
    assert sessions.caller(li, secret, NOON) is None
    assert tokens.caller(li, words, NOON) is None
    for name in ("chen", "crm"):
        people.disable(li, name, NOON, undo=True)
    assert sessions.caller(li, secret, NOON) is None
    assert tokens.caller(li, words, NOON) is not None


def test_a_token_is_shown_once_and_ends_when_it_expires_or_is_revoked(li: Ledger) -> None:
    """Its words are nowhere in the ledger; revoked by its id or with all of its program, it opens nothing."""
    token, words = tokens.add(li, "crm", "lead", NOON, expires_in=timedelta(days=30))
    assert words.startswith("omt_")
    assert words not in everything(li)
    came = tokens.caller(li, words, NOON + timedelta(days=29))
    assert came is not None
    assert (came.account.role, came.account.program, came.token) == (Role.LEAD, True, token.id)
    assert [t.used_at for t in tokens.listed(li)] == [NOON + timedelta(days=29)]
    assert tokens.caller(li, words, NOON + timedelta(days=30)) is None
    second, more = tokens.add(li, "crm", "lead", NOON)
    assert tokens.revoke(li, second.id, NOON) == [second.id]
    assert tokens.caller(li, more, NOON) is None
    with pytest.raises(NotFound):
        tokens.revoke(li, second.id, NOON)
    _, third = tokens.add(li, "crm", "lead", NOON)
    assert len(tokens.revoke(li, "crm", NOON)) == 2
    assert tokens.caller(li, third, NOON) is None
    for odd in ("", "omt_", "omt_x", third.upper(), "omt_" + "x" * 5000):
        assert tokens.caller(li, odd, NOON) is None


@pytest.mark.parametrize(
    ("name", "values", "sentence"),
    [
        ("li", {"role": "boss"}, "'boss' is not a role; right would be one of: auditor, agent, lead, admin"),
        ("li", {"queues": ["nowhere"]}, "There is no queue 'nowhere'; the configuration has: "),
        ("li", {"shift": "never"}, "There is no schedule 'never'"),
        ("li", {"mail": "not an address"}, "is not a mail address"),
        ("li", {"capacity": {"webhook": -1}}, "0 or more"),
        ("zhang", {"role": "lead"}, "the only admin"),
    ],
)
def test_a_change_that_means_nothing_is_refused_with_what_would_be_right(
    li: Ledger, name: str, values: dict[str, Any], sentence: str
) -> None:
    """Nothing changes then."""
    before = people.named(li, name)
    with pytest.raises(Refused, match=sentence):
        people.change(li, name, NOON, **values)
    assert people.named(li, name) == before


def test_the_last_admin_stays(li: Ledger) -> None:
    """Somebody must be able to let others in: the only admin cannot be disabled until there is another."""
    with pytest.raises(Refused, match="only admin"):
        people.disable(li, "zhang", NOON)
    people.change(li, "li", NOON, role="admin")
    assert people.disable(li, "zhang", NOON).disabled


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", "x" * 65, "a\n", "../x", "<b>"])
def test_odd_names_are_refused(store: Ledger, name: str) -> None:
    """A name is one word that can stand in a line."""
    with pytest.raises(Misasked, match="not a name"):
        people.add(store, name, "agent", NOON)


def test_a_name_is_taken_once(li: Ledger) -> None:
    """A second account of the name is refused; a token of a person's name too, and one of another role."""
    with pytest.raises(Refused, match="already"):
        people.add(li, "li", "lead", NOON)
    with pytest.raises(Misasked, match="person's account"):
        tokens.add(li, "li", "agent", NOON)
    tokens.add(li, "crm", "agent", NOON)
    with pytest.raises(Misasked, match="has the role agent"):
        tokens.add(li, "crm", "admin", NOON)
    with pytest.raises(Misasked, match="comes in by a token"):
        passwords.invite(li, "crm", NOON)


@pytest.mark.parametrize("role", list(Role))
def test_every_act_has_its_roles(li: Ledger, role: Role) -> None:
    """An auditor only reads; a lead may all that an agent may, an admin all that a lead may; unknown acts nobody."""
    account = people.named(li, "li")
    mine = {act for act, roles in permissions.ACTS.items() if role in roles}
    if role in (Role.LEAD, Role.ADMIN):
        below = Role.AGENT if role is Role.LEAD else Role.LEAD
        assert {act for act, roles in permissions.ACTS.items() if below in roles} < mine
    assert all(permissions.ACTS.values())
    assert not permissions.may(account, "made:up")
    with pytest.raises(Forbidden, match="li is an agent; account:add is not theirs to do"):
        permissions.require(account, "account:add")


def test_an_agent_changes_only_what_is_theirs(li: Ledger) -> None:
    """Conversations of their queues, and those that they hold; an auditor none, a lead all."""
    agent = people.named(li, "li")
    common: dict[str, Any] = {"number": 1, "contact": 2, "opened_at": NOON, "last_message_at": NOON}
    mine = Conversation(queue="payments", **common)
    held = Conversation(queue="risk", holder="li", **common)
    others = Conversation(queue="risk", holder="wang", **common)
    assert [permissions.may_change(agent, c) for c in (mine, held, others)] == [True, True, False]
    people.change(li, "li", NOON, role="auditor")
    assert not permissions.may_change(people.named(li, "li"), mine)
    people.change(li, "li", NOON, role="lead")
    assert permissions.may_change(people.named(li, "li"), others)


def test_agents_of_the_configuration_are_there_from_the_start(ledger_url: str, database: Any) -> None:
    """Each gets an account once; what people changed since is not undone by the next start."""
    more = '\n[[agents]]\nname = "li"\nmail = "li@example.com"\nqueues = ["payments"]\nskills = { language = ["zh"] }\n'
    desk = Ledger(database, from_text(preset_text("wallet") + more, folder=Path()), Sealer(b"k" * 32))
    assert people.seed(desk, NOON) == ["li"]
    assert people.named(desk, "li").skills == {"language": ["zh"]}
    people.change(desk, "li", NOON, queues=["risk"])
    assert people.seed(desk, NOON) == []
    assert people.named(desk, "li").queues == ("risk",)
