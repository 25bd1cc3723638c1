"""The values of a configuration: what others ask of a policy, and when two policies are the same."""

from __future__ import annotations

import pickle
from datetime import UTC, datetime
from pathlib import Path

import pytest

from router.errors import ConfigurationError
from router.model import Message, Sender
from router.policy.load import from_text, preset_text
from router.policy.values import ChannelPolicy, Policy, in_language, version_of
from router.secret import Secret

SMALL = """
[desk]
timezone = "Asia/Shanghai"
[schedules.chat]
week = { daily = [["08:00", "22:00"]] }
[channels.site]
adapter = "webhook"
secrets = ["env:SITE_SECRET"]
schedule = "chat"
[channels.night]
adapter = "webhook"
secrets = ["env:NIGHT_SECRET"]
[[queues]]
name = "general"
[defaults]
queue = "general"
[[deadlines]]
name = "chat"
schedule = "chat"
first_reply = "2m"
"""


def small(*changes: tuple[str, str], folder: Path = Path()) -> Policy:
    """The small configuration with some of its words changed."""
    text = SMALL
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return from_text(text, folder=folder)


def test_without_a_file_the_wallet_preset_holds_in_this_folder() -> None:
    """`Policy.load(None)` is the wallet desk on ./omnirouter.db."""
    policy = Policy.load(None)
    assert policy.version == Policy.preset("wallet").version
    assert policy.desk_database == policy.database_url() == "sqlite:///omnirouter.db"
    assert policy.source is None


def test_a_file_is_loaded_by_its_path(tmp_path: Path) -> None:
    """`Policy.load` takes a path or its text."""
    path = tmp_path / "desk.toml"
    path.write_text(SMALL)
    assert Policy.load(path).version == Policy.load(str(path)).version == small().version
    assert Policy.load(path).source == path


def test_an_unknown_preset_is_told_with_the_near_one() -> None:
    """A slip in the preset's name gives the name that was meant."""
    with pytest.raises(ConfigurationError, match='There is no preset "walet"; did you mean "wallet"'):
        Policy.preset("walet")


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        (datetime(2026, 3, 1, 0, 0, tzinfo=UTC), True),
        (datetime(2026, 3, 1, 13, 59, 59, tzinfo=UTC), True),
        (datetime(2026, 3, 1, 14, 0, tzinfo=UTC), False),
        (datetime(2026, 2, 28, 23, 59, tzinfo=UTC), False),
    ],
)
def test_business_hours_are_those_of_the_channel(at: datetime, expected: bool) -> None:
    """A channel is open in its schedule's hours, on the desk's clock; one without a schedule is always open."""
    policy = small()
    assert policy.business_open("site", at) is expected
    assert policy.business_open("night", at) is True
    assert policy.business_open("elsewhere", at) is True


def test_an_unknown_channel_is_a_plain_webhook() -> None:
    """Recorded messages of a channel that nobody configured are decided like those of a chat."""
    assert small().channel("old-chat") == ChannelPolicy(name="old-chat", kind="webhook")
    assert small().channel("site").schedule == "chat"


def test_an_unknown_schedule_names_those_there_are() -> None:
    """Asking for a schedule that is not configured gives one sentence with the configured ones."""
    assert small().schedule("chat").is_open(datetime(2026, 3, 1, 1, tzinfo=UTC))
    with pytest.raises(ConfigurationError, match='no schedule "chatt"; the configuration has: chat'):
        small().schedule("chatt")


@pytest.mark.parametrize(
    ("change", "same"),
    [
        (("env:SITE_SECRET", "env:OTHER"), True),
        (
            ('timezone = "Asia/Shanghai"', 'timezone = "Asia/Shanghai"\nname = "Other"\ndatabase = "sqlite:///y.db"'),
            True,
        ),
        (('first_reply = "2m"', 'first_reply = "120s"'), True),
        (('first_reply = "2m"', 'first_reply = "3m"'), False),
        (('timezone = "Asia/Shanghai"', 'timezone = "UTC"'), False),
        (('"22:00"', '"21:00"'), False),
        (("[defaults]", '[[rules]]\nid = "all"\nqueue = "general"\n[defaults]'), False),
        (('secrets = ["env:SITE_SECRET"]', 'secrets = ["env:SITE_SECRET"]\nbrand = "pay"'), False),
    ],
)
def test_the_version_changes_with_what_decides(change: tuple[str, str], same: bool) -> None:
    """Two configurations that decide alike have one version, whatever their secrets, addresses and spelling."""
    assert (small().version == small(change).version) is same


def test_the_version_does_not_depend_on_the_order_of_keys() -> None:
    """The version is a hash of the content, 12 hex digits."""
    assert version_of({"a": 1, "b": {"c": 2, "d": 3}}) == version_of({"b": {"d": 3, "c": 2}, "a": 1})
    assert len(version_of({})) == 12


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://desk@db.example.com/desk", "postgresql://desk:p%40ss%2Fw%3Ard@db.example.com/desk"),
        ("postgresql+psycopg://desk@[::1]:5432/desk", "postgresql+psycopg://desk:p%40ss%2Fw%3Ard@[::1]:5432/desk"),
    ],
)
def test_the_database_password_comes_from_its_reference(
    monkeypatch: pytest.MonkeyPatch, url: str, expected: str
) -> None:
    """The password is put into the URL, quoted, only when the database is opened."""
    policy = small(("[desk]", f'[desk]\ndatabase = "{url}"\ndatabase_password = "env:DESK_PASSWORD_FOR_TEST"'))
    monkeypatch.delenv("DESK_PASSWORD_FOR_TEST", raising=False)
    with pytest.raises(ConfigurationError, match="env:DESK_PASSWORD_FOR_TEST is not set"):
        policy.database_url()
    monkeypatch.setenv("DESK_PASSWORD_FOR_TEST", "p@ss/w:rd")
    assert policy.database_url() == expected
    assert "p@ss" not in repr(policy)


@pytest.mark.parametrize(
    ("texts", "language", "expected"),
    [
        ({"zh": "您好", "en": "Hello"}, "zh-Hant", "您好"),
        ({"zh": "您好", "zh-Hant": "您好（繁）", "en": "Hello"}, "zh-Hant", "您好（繁）"),
        ({"zh": "您好", "en": "Hello"}, "en", "Hello"),
        ({"zh": "您好", "en": "Hello"}, "other", "您好"),
        ({}, "en", ""),
    ],
)
def test_a_text_is_chosen_by_language(texts: dict[str, str], language: str, expected: str) -> None:
    """The exact language, else its family, else the desk's first."""
    assert in_language(texts, language) == expected


def test_the_tagger_is_built_once_for_equal_configurations() -> None:
    """Loading the same configuration twice does not build a second tagger, and it tags."""
    first, second = Policy.preset("wallet"), Policy.preset("wallet")
    assert first.tagger is second.tagger is first.tagger
    assert first.tagger.tag("密码忘记了怎么办").issue_type == "password_recovery"


def test_a_model_that_is_not_there_is_told(tmp_path: Path) -> None:
    """A configured model file that is missing gives one sentence when the tagger is needed, not before."""
    policy = small(("[defaults]", '[tagging]\nmodel = "none.bin"\n[defaults]'), folder=tmp_path)
    assert policy.tagging.model == tmp_path / "none.bin"
    with pytest.raises(ConfigurationError, match=r"tagging\.model: .*none\.bin cannot be read"):
        _ = policy.tagger


def test_secrets_do_not_travel_with_a_policy() -> None:
    """Printing or pickling a policy's settings shows stars instead of references."""
    settings = small().channel("site").settings
    assert "SITE_SECRET" not in repr(small())
    assert b"SITE_SECRET" not in pickle.dumps(settings)
    assert settings.secrets[0] == Secret.of("env:SITE_SECRET", Path())


#: What a wallet desk promises for a message: channel, local time, kind of matter, due (local) and policy.
PROMISES = [
    ("webhook", {"business_open": True}, "first_reply", "chat", 120),
    ("telegram", {"business_open": True}, "next_reply", "chat", 300),
    ("webhook", {"business_open": False}, "first_reply", "chat-night", 3600),
    ("x", {"business_open": True}, "first_reply", "social", 7200),
    ("wechat", {"business_open": False}, "first_reply", "social", 7200),
    ("email", {"business_open": True}, "first_reply", "mail", 86400),
    ("phone", {"business_open": True}, "first_reply", "hotline", 1800),
]


@pytest.mark.parametrize(("kind", "facts", "metric", "name", "seconds"), PROMISES)
def test_the_wallet_preset_promises_what_it_says(
    kind: str, facts: dict[str, bool], metric: str, name: str, seconds: int
) -> None:
    """Chat 2 minutes by day and 60 by night, social messages 2 hours, mail 24 hours, the hotline 30 minutes."""
    chosen = Policy.preset("wallet").promises.fitting({"channel_kind": kind, "issue_type": "refund", **facts})
    assert chosen is not None
    assert (chosen.name, chosen.targets[metric].seconds) == (name, seconds)


@pytest.mark.parametrize(
    ("name", "metric", "seconds", "workdays"),
    [("frozen", "resolution", 86400, 0), ("refund", "resolution", 0, 7), ("complaint", "first_reply", 14400, 0)],
)
def test_the_wallet_preset_promises_by_matter(name: str, metric: str, seconds: int, workdays: int) -> None:
    """Frozen accounts within 24 hours, refunds within 7 working days, complaints answered within 4 hours."""
    policy = Policy.preset("wallet").promises.policy(name)
    assert policy is not None
    assert (policy.targets[metric].seconds, policy.targets[metric].workdays) == (seconds, workdays)


def test_a_message_can_be_made_for_every_preset_channel() -> None:
    """Every channel of the preset has a kind that the model knows."""
    at = datetime(2026, 3, 1, tzinfo=UTC)
    for channel in Policy.preset("wallet").channels.values():
        message = Message(
            external_id="1", channel=channel.name, channel_kind=channel.kind, sent_at=at, sender=Sender(handle="h")
        )
        assert message.channel_kind in {"email", "telegram", "x", "messenger", "wechat", "webhook", "phone"}


def test_the_preset_is_commented_in_both_languages() -> None:
    """A reader of Chinese and a reader of English find their way in the file."""
    comments = [line.partition("#")[2] for line in preset_text("wallet").splitlines() if "#" in line]
    assert sum(any("\u4e00" <= c <= "\u9fff" for c in comment) for comment in comments) > 40
    assert sum(any("a" <= c <= "z" for c in comment) for comment in comments) > 20
