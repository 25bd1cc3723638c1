"""A configuration file is either right, or all its mistakes are named at once with their paths."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ConfigDict

from router.conversation.after_message import reply_window
from router.errors import ConfigurationError
from router.kinds import Traits, shipped, traits_of
from router.policy.forms import LOG
from router.policy.load import PRESETS, from_text, load, preset, preset_text, unset_elsewhere, unset_secrets
from router.policy.tables import ARRAYS, NAMED, SINGLE
from router.policy.values import Policy
from router.ports import Adapter
from router.secret import Secret

SMALL = """
[desk]
timezone = "Asia/Shanghai"
[schedules.chat]
week = { daily = [["08:00", "22:00"]] }
[channels.line]
adapter = "line"
server = { host = "line.example.com" }
schedule = "chat"
[notify.lead]
mail = "lead@example.com"
[[queues]]
name = "general"
lead = "lead"
[defaults]
queue = "general"
"""


class Server(BaseModel):
    """A table inside a channel's table."""

    model_config = ConfigDict(extra="forbid")
    host: str
    port: int = 993


class Line:
    """An adapter of another company, as far as the configuration asks."""

    kind: ClassVar[str] = "line"

    class Settings(BaseModel):
        """Its keys; it does not forbid others itself."""

        server: Server
        tokens: tuple[Secret, ...] = ()
        mode: str = "poll"
        authenticity: str = "hint"


def adapter_of(name: str) -> type[Adapter]:
    """The one adapter of these tests, another without its library, and no other."""
    if name == "line":
        return Line  # type: ignore[return-value]
    if name == "bare":
        raise ConfigurationError("needs a library that is not installed: pip install 'bare'.") from ImportError("bare")
    raise ConfigurationError(f'there is no adapter "{name}"; did you mean "line"?')


def read(text: str, folder: Path = Path()) -> Policy:
    """Read a text with the adapter above."""
    return from_text(text, folder=folder, adapter_of=adapter_of)


def mistakes(text: str) -> tuple[str, ...]:
    """The mistakes of a text; none for a right one."""
    try:
        read(text)
    except ConfigurationError as error:
        return error.mistakes
    return ()


@pytest.mark.parametrize("name", PRESETS)
def test_the_presets_are_right(name: str) -> None:
    """Both presets load without a mistake, with every channel's own settings checked by its adapter."""
    policy = preset(name)
    assert policy.default_queue in policy.queues
    for channel in policy.channels.values():
        assert channel.unavailable == ""
        assert channel.settings is not None
        assert channel.schedule in policy.schedules


def test_the_wallet_preset_has_what_the_rules_ask_for() -> None:
    """Seven channels of seven kinds, seven queues, and a rule for each of the 21 issue types."""
    policy = preset("wallet")
    assert {c.name: c.kind for c in policy.channels.values()} == {
        "support-mail": "email", "app-chat": "webhook", "telegram": "telegram", "x": "x", "facebook": "messenger",
        "wechat": "wechat", "hotline": "phone",
    }  # fmt: skip
    assert set(policy.queues) == {"general", "account", "payments", "disputes", "risk", "complaints", "feedback"}
    assert len(policy.tagging.issue_types) == 21
    for issue_type in policy.tagging.issue_types:
        facts = {"issue_type": issue_type, "unsure": False, "flags": (), "tags": (), "chases": 0}
        assert any(rule.when is not None and rule.when.holds(facts) for rule in policy.rules), issue_type


FIVE = """
[desk]
timezone = "Asia/Shanghia"
[schedules.chat]
week = { daily = [["08:00", "08:00"]] }
[channels.line]
adapter = "line"
server = { hots = "line.example.com", port = "imaps" }
schedule = "chatt"
[[queues]]
name = "general"
[defaults]
queue = "general"
[[rules]]
id = "risk"
when = { issue_type = ["securty"] }
queue = "risk"
"""


def test_all_mistakes_are_named_at_once_with_their_paths() -> None:
    """A file with eight mistakes in five tables names all eight, each with its path and what would be right."""
    found = "\n".join(mistakes(FIVE))
    for words in (
        'desk.timezone: "Asia/Shanghia" is no time zone',
        "schedules.chat.week.daily: 08:00-08:00 opens when it closes",
        "channels.line.server.host: is missing",
        'channels.line.server.hots: there is no such key; did you mean "host"?',
        "channels.line.server.port: expected a whole number, not a text",
        'channels.line.schedule: there is no schedule "chatt"; did you mean "chat"?',
        'rules[0].queue: there is no queue "risk"; known: general',
        'rules[0].when.issue_type: there is no issue type "securty"; did you mean "security"?',
    ):
        assert words in found
    assert len(mistakes(FIVE)) == 8
    assert all(line.endswith((".", "?")) and "\n" not in line for line in mistakes(FIVE))


RULE = '[[rules]]\nid = "a"\nqueue = "general"\n'
DEADLINE = '[[deadlines]]\nname = "a"\nschedule = "chat"\nfirst_reply = "2m"\n'
LADDER = '[[ladders]]\nname = "a"\nsteps = [{ after = "0m", do = "notify", to = "lead" }]\n'
MISTAKES = {
    "an unknown table": ("[dsk]\n", 'dsk: there is no such table; did you mean "desk"?'),
    "an unknown key": ("[web]\nlisen = 1\n", 'web.lisen: there is no such key; did you mean "listen"?'),
    "a list for a table": ("web = []\n", "web: expected a table { … }, not a list."),
    "a table for a list of tables": ("rules = {}\n", "rules: expected tables [[rules]]."),
    "a wrong type": ('[desk]\npartitions = "16"\n', "desk.partitions: expected a whole number, not a text."),
    "a number out of bounds": ("[desk]\npartitions = 0\n", "desk.partitions: should be greater than or equal to 1."),
    "a pooler before a file": (
        "[desk]\npooled = true\n",
        "desk: pooled is for a pooler before PostgreSQL; an SQLite file has none, so leave it out.",
    ),
    "a bell without a pooler": (
        '[desk]\ndatabase = "postgresql://u@h/d"\nlisten_database = "postgresql://u@h/d"\n',
        "desk: listen_database is read only with pooled = true; leave one out or add the other.",
    ),
    "a bell at a file": (
        '[desk]\ndatabase = "postgresql://u@h/d"\npooled = true\nlisten_database = "sqlite:///d.db"\n',
        'desk.listen_database: expected a direct address of the server, such as "postgresql://user@host/database".',
    ),
    "a wrong database": ('[desk]\ndatabase = "mysql://x"\n', 'desk.database: expected "sqlite:///FILE" or'),
    "a bare per cent sign": (
        '[desk]\ndatabase = "sqlite:///50%.db"\n',
        "desk.database: in an address a per cent sign is written %25.",
    ),
    "a password in the URL": (
        '[desk]\ndatabase = "postgresql://desk:hunter2@db/desk"\n',
        "desk.database: take the password out of the URL",
    ),
    "a wrong log": ('[desk]\nlog = "kafka://x"\n', f"desk.log: {LOG}."),
    "a wrong language": ('[desk]\nlanguages = ["klingon"]\n', "desk.languages[0]: expected a language tag such as"),
    "an unknown event": (
        '[[events]]\nurl = "https://e.example.com"\nsecret = "env:E"\ntypes = ["conversation.open"]\n',
        'events[0].types[0]: there is no event "conversation.open"; did you mean "conversation.opened"?',
    ),
    "words that nothing fills in": (
        '[acknowledgement]\ntexts = { zh = "收到 {ref} {foo}" }\n',
        "acknowledgement.texts.zh: there is no {foo}; known: {due}, {ref}.",
    ),
    "a format for what is filled in": (
        '[acknowledgement]\ntexts = { zh = "收到 {due!r:>9}" }\n',
        "acknowledgement.texts.zh: there is no {due!r:>9}; known: {due}, {ref}.",
    ),
    "a brace in a reminder": ('[closing]\ntexts = { zh = "{ref" }\n', "closing.texts.zh: there is no {ref; nothing"),
    "solved before it is reminded": (
        '[closing]\nremind_after = "2h"\nsolve_after = "1h"\n',
        "closing: solve_after comes before remind_after, so nobody is reminded; make it longer.",
    ),
    "solved before a reminder in working days": (
        '[closing]\nsolve_after = "1d"\ntexts = { zh = "还在吗" }\n',
        "closing: solve_after comes before remind_after",
    ),
    "a notice to nobody": (
        '[[queues]]\nname = "b"\n[[ladders]]\nname = "a"\n'
        'steps = [{ after = "0m", do = "notify", to = "lead:{queue}" }]\n',
        'ladders[0].steps[0].to: has nobody to tell in b; give it lead = "…", a name of [notify.NAME].',
    ),
    "a wrong address": ('[web]\nlisten = "8080"\n', 'web.listen: expected "host:port"'),
    "a wrong URL": ('[web]\npublic_url = "support"\n', "web.public_url: expected a web address"),
    "operations for strangers": (
        '[web]\nlisten = "0.0.0.0:80"\noperations = "0.0.0.0:80"\n', "web: operations is the address of listen; name",
    ),
    "a wrong age": (
        '[retention]\nraws = "always"\n',
        'retention.raws: expected a duration such as "90s", "2m", "24h" or "3d", or "never", not "always"',
    ),
    "a wrong age by its former name": ('[privacy]\nretain_raw = 30\n', "privacy.retain_raw: expected a duration"),
    "an unknown age": ('[retention]\nraw = "1d"\n', 'retention.raw: there is no such key; did you mean "raws"?'),
    "a wrong size": ('[web]\nmax_body = "1 megabyte"\n', 'web.max_body: expected a size such as "1 MiB"'),
    "a wrong duration": ('[follow_ups]\nreopen_within = "2 weeks"\n', "follow_ups.reopen_within: expected a duration"),
    "a secret written out": ('[privacy]\nkey = "hunter2"\n', "privacy.key: a secret is given by reference only"),
    "words missing": ("[acknowledgement]\nenabled = true\n", "acknowledgement: enabled needs words to send"),
    "two ways to a person": (
        '[notify.x]\nmail = "a@b.c"\nrobot = "env:R"\n',
        "notify.x: a recipient has exactly one of mail, webhook, robot.",
    ),
    "no way to a person": ("[notify.x]\n", "notify.x: a recipient has exactly one of"),
    "a wrong mail address": ('[notify.x]\nmail = "nobody"\n', "notify.x.mail: expected a mail address"),
    "events without a secret": ('[[events]]\nurl = "https://e.example.com"\n', "events[0].secret: is missing."),
    "an unknown adapter": ('[channels.b]\nadapter = "lime"\n', 'channels.b.adapter: there is no adapter "lime"'),
    "no adapter": ("[channels.b]\n", "channels.b.adapter: is missing."),
    "a channel's unknown key": (
        '[channels.b]\nadapter = "line"\nserver = { host = "h" }\nmod = "poll"\n',
        'channels.b.mod: there is no such key; did you mean "mode"?',
    ),
    "a channel's wrong secret": (
        '[channels.b]\nadapter = "line"\nserver = { host = "h" }\ntokens = ["env:A", "hunter2"]\n',
        "channels.b.tokens[1]: a secret is given by reference only",
    ),
    "a channel's wrong name": (
        '[channels."a/b"]\nadapter = "line"\nserver = { host = "h" }\n',
        'channels."a/b": a channel\'s name has letters',
    ),
    "a channel that poses as a proof": (
        '[channels.email]\nadapter = "line"\nserver = { host = "h" }\n',
        "channels.email: this name stands for proven addresses; choose another.",
    ),
    "an unknown weekday": (
        '[schedules.b]\nweek = { monday = [["1", "2"]] }\n',
        "schedules.b.week.monday: expected one",
    ),
    "a wrong time": (
        '[schedules.b]\nweek = { mon = [["08:00", "25:00"]] }\n',
        "schedules.b.week.mon: 08:00-25:00 is no interval",
    ),
    "a wrong date": (
        '[schedules.b]\ndates = { "2026-02-30" = [["1:00", "2:00"]] }\n',
        "schedules.b.dates.2026-02-30: expected a date",
    ),
    "a wrong row of a date": (
        '[schedules.b]\ndates = { "2026-02-14" = [["09:00", "09:00"]] }\n',
        "schedules.b.dates.2026-02-14: 09:00-09:00 opens when it closes",
    ),
    "a wrong zone": (
        '[schedules.b]\ntimezone = "Mars"\nweek = { daily = [["08:00", "09:00"]] }\n',
        'schedules.b.timezone: "Mars" is no time zone',
    ),
    "wrong holidays": (
        '[schedules.b]\nholidays = "XX"\nweek = { weekdays = [["08:00", "09:00"]] }\n',
        'schedules.b.holidays: "XX" is no code of the holidays library',
    ),
    "a wrong make-up row": (
        '[schedules.b]\nholidays = "CN"\nmakeup = [["9", "5"]]\nweek = { mon = [["08:00", "09:00"]] }\n',
        "schedules.b.makeup: 9-5 is no interval",
    ),
    "no open hour": ("[schedules.b]\n", "schedules.b.week: has no open hour"),
    "closed for ever": ("[schedules.b]\nweek = { daily = [] }\n", "schedules.b.week: has no open hour"),
    "an unknown lead": ('[[queues]]\nname = "b"\nlead = "boss"\n', 'queues[1].lead: there is no recipient "boss"'),
    "a queue twice": ('[[queues]]\nname = "general"\n', 'queues[1].name: "general" is taken by queues[0]'),
    "no wait": ('[[queues]]\nname = "b"\ndefault_wait = "soon"\n', "queues[1].default_wait: "),
    "an agent's queue": (
        '[[agents]]\nname = "li"\nqueues = ["general", "b"]\n',
        'agents[0].queues[1]: there is no queue "b"; known: general.',
    ),
    "an agent's capacity": (
        '[[agents]]\nname = "li"\ncapacity = { mail = 3 }\n',
        'agents[0].capacity.mail: there is no channel kind "mail"; did you mean "email"?',
    ),
    "an agent's address": ('[[agents]]\nname = "li"\nmail = "li"\n', "agents[0].mail: expected a mail address such as"),
    "an agent's address twice": (
        '[[agents]]\nname = "li"\nmail = "li@x.example"\n[[agents]]\nname = "wu"\nmail = "LI@x.example"\n',
        'agents[1].mail: "LI@x.example" is taken by agents[0]',
    ),
    "an agent's shift": ('[[agents]]\nname = "li"\nshift = "late"\n', 'agents[0].shift: there is no schedule "late"'),
    "a rule's queue": (
        '[[rules]]\nid = "a"\nqueue = "genral"\n',
        'rules[0].queue: there is no queue "genral"; did you',
    ),
    "a rule without a queue": ('[[rules]]\nid = "a"\n', "rules[0].queue: is missing."),
    "a rule's deadline": (RULE + 'deadline = "urgent"\n', 'rules[0].deadline: there is no deadline policy "urgent"'),
    "a rule twice": (
        '[[rules]]\nid = "a"\nqueue = "general"\nwhen = { unsure = [true] }\n' + RULE,
        'rules[1].id: "a" is taken by rules[0]',
    ),
    "an unreachable rule": (
        RULE + '[[rules]]\nid = "b"\nqueue = "general"\nwhen = { unsure = [true] }\n',
        "rules[1]: can never match, for rules[0] comes first and takes everything.",
    ),
    "a rule behind its twin": (
        '[[rules]]\nid = "a"\nqueue = "general"\nwhen = { unsure = [true] }\n'
        '[[rules]]\nid = "b"\nqueue = "general"\nwhen = { unsure = [true] }\n',
        "rules[1]: can never match, for rules[0] comes first and has the same condition.",
    ),
    "a rule behind everything": (
        RULE + 'when = { any = [{ not = { unsure = [true] } }, {}] }\n[[rules]]\nid = "b"\nqueue = "general"\n',
        "rules[1]: can never match, for rules[0] comes first and takes everything.",
    ),
    "an unknown field": (
        RULE + 'when = { field = "isue_type", eq = "fee" }\n',
        "rules[0].when.field: unknown field isue",
    ),
    "an unknown operator": (RULE + 'when = { field = "chases", gt = 2 }\n', "rules[0].when.gt: unknown operator"),
    "an unknown flag": (RULE + 'when = { flags = ["urgent"] }\n', "rules[0].when.flags: urgent is no value of flags"),
    "an unknown issue type": (
        RULE + 'when = { any = [{ field = "issue_type", in = ["fee", "fees"] }, { unsure = [true] }] }\n',
        'rules[0].when.any[0].in: there is no issue type "fees"; did you mean "fee"?',
    ),
    "an unknown issue type inside not": (
        RULE + 'when = { not = { all = [{ issue_type = ["loan"] }] } }\n',
        'rules[0].when.not.all[0].issue_type: there is no issue type "loan"',
    ),
    "an unknown channel": (
        RULE + 'when = { channel = ["lines"] }\n',
        'rules[0].when.channel: there is no channel "lines"',
    ),
    "an unknown kind": (
        RULE + 'when = { channel_kind = ["mail"] }\n',
        "rules[0].when.channel_kind: there is no channel kind",
    ),
    "a pattern that stalls": (
        RULE + 'when = { field = "contact.tier", matches = "(a+)+$" }\n',
        "rules[0].when.matches: the pattern repeats",
    ),
    "no condition at all": (RULE + 'when = "always"\n', "rules[0].when: a condition is a table"),
    "a step that does nothing": (RULE + "steps = [{}]\n", "rules[0].steps[0]: a step is { needs"),
    "a step to nowhere": (RULE + 'steps = [{ queue = "b" }]\n', 'rules[0].steps[0].queue: there is no queue "b"'),
    "a step without patience": (
        RULE + 'steps = [{ needs = { language = "zh" }, for = "soon" }]\n',
        "rules[0].steps[0].for: expected a duration",
    ),
    "a promise of nothing": ('[[deadlines]]\nname = "a"\nschedule = "chat"\n', "deadlines[0]: promises nothing"),
    "a promise of zero": (
        '[[deadlines]]\nname = "a"\nschedule = "chat"\nupdate = "0m"\n',
        "deadlines[0].update: must be above zero",
    ),
    "no hours": (
        '[[deadlines]]\nname = "a"\nfirst_reply = "2m"\n',
        "deadlines[0].schedule: is missing; name a schedule",
    ),
    "working days of nobody": (
        '[[deadlines]]\nname = "a"\nhours = "calendar"\nresolution = "7 working days"\n',
        "deadlines[0].schedule: is missing; working days are those of a schedule.",
    ),
    "the name that promises nothing": (DEADLINE.replace('"a"', '"none"'), 'deadlines[0].name: "none" stands for'),
    "an unknown schedule": (
        DEADLINE.replace('"chat"', '"chta"'),
        'deadlines[0].schedule: there is no schedule "chta"; did',
    ),
    "an unknown ladder": (DEADLINE + 'ladder = "a"\n', 'deadlines[0].ladder: there is no ladder "a".'),
    "an unknown metric": (
        DEADLINE + 'pause = { first_answer = ["pending"] }\n',
        "deadlines[0].pause.first_answer: expected one of",
    ),
    "an unknown status": (
        DEADLINE + 'pause = { update = ["waiting"] }\n',
        "deadlines[0].pause.update[0]: expected one of",
    ),
    "a metric nobody has": (
        DEADLINE + 'auto_reply_counts = ["any"]\n',
        "deadlines[0].auto_reply_counts[0]: expected one of",
    ),
    "an act nobody knows": (LADDER.replace("notify", "shout"), "ladders[0].steps[0].do: expected one of"),
    "nobody to notify": (LADDER.replace(', to = "lead"', ""), "ladders[0].steps[0]: a notify step needs to"),
    "an unknown person": (LADDER.replace('"lead"', '"boss"'), 'ladders[0].steps[0].to: there is no recipient "boss"'),
    "the lead of no queue": (LADDER.replace('"lead"', '"lead:b"'), 'ladders[0].steps[0].to: there is no queue "b"'),
    "a move to nowhere": (
        LADDER.replace('do = "notify", to = "lead"', 'do = "move", queue = "b"'),
        'ladders[0].steps[0].queue: there is no queue "b"',
    ),
    "a move without a queue": (
        LADDER.replace('do = "notify", to = "lead"', 'do = "move"'),
        "ladders[0].steps[0]: a move step needs queue",
    ),
    "a ladder in a circle": (
        '[[ladders]]\nname = "a"\nsteps = [{ after = "0m", do = "move", queue = "general" }, '
        '{ after = "1m", do = "move", queue = "general" }]\n',
        "ladders[0].steps[1].queue: the ladder has a cycle",
    ),
    "a ladder of nine steps": (
        '[[ladders]]\nname = "a"\nsteps = [' + '{ after = "0m", do = "notify", to = "lead" }, ' * 9 + "]\n",
        "ladders[0].steps: has 9 entries; at most 8 are allowed.",
    ),
    "a ladder of none": ('[[ladders]]\nname = "a"\nsteps = []\n', "ladders[0].steps: has 0 entries; at least 1"),
    "a priority that is none": (
        LADDER.replace('do = "notify", to = "lead"', 'do = "requeue", priority = "high"'),
        "ladders[0].steps[0].priority: expected a priority such as 80",
    ),
}


def test_a_key_that_is_gone_is_read_with_one_remark() -> None:
    """Files of former versions still load: `ageing_minutes` does nothing, and is named once."""
    queues = '[[queues]]\nname = "b"\nageing_minutes = 30\n[[queues]]\nname = "c"\nageing_minutes = 60\n'
    policy = read(SMALL + queues)
    (remark,) = policy.remarks
    assert remark.startswith("queues: ageing_minutes is gone and does nothing")
    assert read(SMALL).remarks == ()


def test_a_queue_says_how_long_it_lets_wait() -> None:
    """`default_wait` is four hours unless it is written."""
    policy = read(SMALL + '[[queues]]\nname = "b"\ndefault_wait = "30m"\n')
    assert {q.name: q.default_wait for q in policy.queues.values()} == {
        "general": timedelta(hours=4), "b": timedelta(minutes=30),
    }  # fmt: skip


@pytest.mark.parametrize("case", MISTAKES, ids=lambda case: case.replace(" ", "-"))
def test_each_kind_of_mistake_is_named(case: str) -> None:
    """Every kind of mistake gives one sentence with its path, and it is the only one."""
    more, expected = MISTAKES[case]
    first = more.partition("\n")[0]
    if first == "[desk]":
        found = mistakes(SMALL.replace("[desk]\n", more))
    else:
        found = mistakes(SMALL + more if first.startswith("[") else more + SMALL)
    assert len(found) == 1, found
    assert found[0].startswith(expected)
    assert found[0].endswith((".", "?"))
    assert "hunter2" not in found[0]


def test_the_small_file_is_right() -> None:
    """The file that the mistakes are added to has none itself, so what is told above is theirs."""
    policy = read(SMALL)
    assert policy.channel("line").kind == "line"
    assert mistakes(SMALL) == ()


def test_named_tables_are_no_list() -> None:
    """Channels, schedules and recipients are tables with names."""
    text = 'channels = []\nschedules = 1\nnotify = "x"\n[[queues]]\nname = "general"\n[defaults]\nqueue = "general"\n'
    assert mistakes(text) == (
        "channels: expected tables [channels.NAME].",
        "schedules: expected tables [schedules.NAME].",
        "notify: expected tables [notify.NAME].",
    )


def test_the_default_queue_is_mandatory() -> None:
    """A file without a queue for whatever no rule takes is told so, also when it is empty."""
    assert mistakes("") == (
        'defaults.queue: is missing; name the queue of whatever no rule takes, as queue = "general".',
    )
    assert mistakes(SMALL.replace('queue = "general"', 'queue = "genral"'))[0].startswith(
        'defaults.queue: there is no queue "genral"; did you mean "general"?'
    )


def test_mistakes_stand_in_the_order_of_the_file() -> None:
    """A reader can go through the list and the file together."""
    heads = [line.partition(".")[0].partition("[")[0] for line in mistakes(FIVE)]
    assert heads == sorted(heads, key=["desk", "schedules", "channels", "queues", "defaults", "rules"].index)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[desk\n", "is not valid TOML: .*line 1"),
        (b"[desk]\nname = \n", "is not valid TOML: .*line 2"),
        (b"[desk]\nname = 1\nname = 2\n", "is not valid TOML: .*line 3"),
        (b"[desk]\nname = \xff\n", r"is not UTF-8 text \(byte 14\)"),
        (b"a = " + b"[" * 5000, "is not valid TOML"),
        (b"a = " + b"9" * 5000, "is not valid TOML"),
    ],
)
def test_a_file_that_is_no_toml_is_told_in_one_sentence(tmp_path: Path, content: bytes, words: str) -> None:
    """Broken syntax, another encoding or absurd values give one sentence with the file and the line."""
    path = tmp_path / "desk.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=words) as caught:
        load(path)
    assert str(path) in str(caught.value)
    assert len(caught.value.mistakes) == 1
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_says_how_to_make_one(tmp_path: Path) -> None:
    """A missing file names the command that writes one; a folder is no file."""
    with pytest.raises(ConfigurationError, match=r"There is no configuration file .*omnirouter init"):
        load(tmp_path / "desk.toml")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load(tmp_path)


def test_a_mark_at_the_start_of_the_file_does_not_matter(tmp_path: Path) -> None:
    """Editors that write a byte order mark or Windows line ends make no mistake."""
    path = tmp_path / "desk.toml"
    path.write_bytes(b"\xef\xbb\xbf" + SMALL.replace("\n", "\r\n").encode())
    assert load(path, adapter_of=adapter_of).version == read(SMALL).version


def test_ages_and_addresses_of_operators() -> None:
    """An age is a duration or "never"; the new name wins over the former one; operators ask on a port of their own."""
    both = read(SMALL + '[privacy]\nretain_raw = "30d"\n[retention]\nraws = "never"\nconversations = "800d"\n')
    assert (both.retention.raws, both.retention.conversations) == (None, timedelta(days=800))
    assert both.retention.decisions == timedelta(days=400)
    assert len(both.remarks) == 1
    assert read(SMALL).remarks == ()
    for written, operations in (
        ("", ("127.0.0.1", 8081)),
        ('[web]\nlisten = "127.0.0.1:0"\n', ("127.0.0.1", 0)),
        ('[web]\noperations = "10.0.0.1:9"\n', ("10.0.0.1", 9)),
    ):
        assert read(SMALL + written).web.operations == operations


def test_values_arrive_as_they_are_meant() -> None:
    """Durations, sizes, targets, ladders, steps and agents arrive as values that the decision understands."""
    policy = read(
        SMALL
        + """
[web]
listen = "0.0.0.0:9000"
public_url = "https://desk.example.com/"
max_body = "2 MiB"
[privacy]
retain_raw = "30d"
[follow_ups]
incident_within = "45m"
[closing]
remind_after = "3 working days"
[[agents]]
name = "li"
queues = ["general"]
skills = { language = ["zh", "en"], risk = 3 }
capacity = { webhook = 3 }
shift = "chat"
[[rules]]
id = "risk"
when = { flags = ["security"] }
queue = "general"
priority = 90
deadline = "urgent"
tags = ["vip"]
steps = [{ needs = { skill = "risk>=3" }, for = "10m" }, { queue = "general" }]
[[deadlines]]
name = "urgent"
schedule = "chat"
first_reply = "90s"
resolution = "7 working days"
pause = { resolution = ["pending", "on_hold"] }
auto_reply_counts = ["first_reply"]
warn = "1m"
ladder = "a"
[[ladders]]
name = "a"
on = ["first_reply"]
steps = [{ after = "30m", do = "requeue", priority = "+20" }, { after = "1h", do = "notify", to = "lead:{queue}" }]
"""
    )
    assert (policy.web.host, policy.web.port, policy.web.max_body) == ("0.0.0.0", 9000, 2 << 20)  # noqa: S104
    assert policy.web.public_url == "https://desk.example.com"
    assert policy.retention.raws == timedelta(days=30)
    assert policy.remarks == ("privacy.retain_raw: this key is called raws by now and stands under [retention]; "
                              "it is still read.",)  # fmt: skip
    assert policy.follow_ups.incident_within == timedelta(minutes=45)
    assert policy.follow_ups.reopen_within == timedelta(days=14)
    assert (policy.closing.remind_after.workdays, policy.closing.solve_after.workdays) == (3, 5)
    agent = policy.agents["li"]
    assert (agent.queues, agent.capacity, agent.shift) == (("general",), {"webhook": 3}, "chat")
    rule = policy.rules[0]
    assert (rule.id, rule.priority, rule.deadline, rule.tags) == ("risk", 90, "urgent", ("vip",))
    assert rule.steps == ({"needs": {"skill": "risk>=3"}, "for": 600}, {"queue": "general"})
    urgent = policy.promises.policy("urgent")
    assert urgent is not None
    assert (urgent.targets["first_reply"].seconds, urgent.targets["resolution"].workdays) == (90, 7)
    assert (urgent.pause, urgent.auto_reply_counts) == ({"resolution": ("pending", "on_hold")}, ("first_reply",))
    assert (urgent.warn, urgent.ladder) == (60, "a")
    first, second = policy.promises.ladders["a"].steps
    assert (first.after, first.do, first.priority) == (1800, "requeue", "+20")
    assert (second.after, second.to) == (3600, "lead:{queue}")
    assert policy.promises.version == policy.version


def test_paths_in_the_file_begin_at_its_folder(tmp_path: Path) -> None:
    """A model, a lexicon and a key named by a relative path lie beside the file."""
    text = SMALL + '[tagging]\nmodel = "m.bin"\nlexicons = ["words", "/etc/words"]\n[privacy]\nkey = "file:desk.key"\n'
    policy = read(text, tmp_path)
    assert policy.tagging.model == tmp_path / "m.bin"
    assert policy.tagging.lexicons == (tmp_path / "words", Path("/etc/words"))
    assert policy.privacy.key is not None
    assert policy.privacy.key.path == tmp_path / "desk.key"


def test_an_own_taxonomy_replaces_the_preset_one() -> None:
    """Rules may name the configured issue types and `other`, and no longer those of the preset."""
    text = SMALL + '[tagging]\nissue_types = ["loan"]\n' + RULE
    assert mistakes(text + 'when = { issue_type = ["loan", "other"] }\n') == ()
    assert "there is no issue type" in mistakes(text + 'when = { issue_type = ["refund"] }\n')[0]


def test_a_channel_whose_library_is_missing_is_kept_and_told() -> None:
    """A desk that installs only what it uses can still read a file that names other channels."""
    channel = read(SMALL + '[channels.b]\nadapter = "bare"\ntoken = "env:T"\n').channel("b")
    assert channel.unavailable == "needs a library that is not installed: pip install 'bare'."
    assert channel.settings is None


def test_an_adapter_whose_settings_cannot_be_used_is_told() -> None:
    """A private adapter with a defect in its settings is one sentence about its channel."""

    class Unfinished(BaseModel):
        key: "Undefined"  # type: ignore[name-defined]  # noqa: F821, UP037

    class Defect(Line):
        Settings = Unfinished  # type: ignore[assignment]

    with pytest.raises(ConfigurationError, match=r"channels\.line: the settings of its adapter are unusable") as caught:
        from_text(
            SMALL.replace('server = { host = "line.example.com" }', 'key = "k"'),
            folder=Path(),
            adapter_of=lambda name: Defect,  # type: ignore[arg-type, return-value]
        )
    assert len(caught.value.mistakes) == 1


def test_unset_secrets_are_told_by_channel(monkeypatch: pytest.MonkeyPatch) -> None:
    """Which channels cannot be opened is asked when they are opened; disabled ones are left out."""
    monkeypatch.setenv("LINE_A_FOR_TEST", "x")
    monkeypatch.delenv("LINE_B_FOR_TEST", raising=False)
    text = SMALL.replace("[channels.line]", '[channels.line]\ntokens = ["env:LINE_A_FOR_TEST", "env:LINE_B_FOR_TEST"]')
    assert unset_secrets(read(text)) == {"line": ("env:LINE_B_FOR_TEST",)}
    assert unset_secrets(read(text.replace("[channels.line]", "[channels.line]\nenabled = false"))) == {}
    monkeypatch.setenv("LINE_B_FOR_TEST", "y")
    assert unset_secrets(read(text)) == {}


def test_unset_secrets_outside_the_channels_are_told_by_path(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database's password, the key, and the secrets of people and events are told with their paths."""
    monkeypatch.delenv("UNSET_FOR_TEST", raising=False)
    text = SMALL.replace("[desk]", '[desk]\ndatabase_password = "env:UNSET_FOR_TEST"') + (
        '[privacy]\nkey = "file:/nonexistent/key"\n[notify.robot]\nrobot = "env:UNSET_FOR_TEST"\n'
        '[[events]]\nurl = "https://e.example.com"\nsecret = "env:UNSET_FOR_TEST"\n'
    )
    assert unset_elsewhere(read(text)) == {
        "desk.database_password": "env:UNSET_FOR_TEST",
        "privacy.key": "file:/nonexistent/key",
        "events[0].secret": "env:UNSET_FOR_TEST",
        "notify.robot.robot": "env:UNSET_FOR_TEST",
    }


SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.datetimes(),
    st.times(),
    st.sampled_from(
        ["", "general", "chat", "2m", "0m", "7 working days", "env:X", "08:00", "a.b", "lead:{queue}", "\x7f"]
    ),
)
KEYS = st.sampled_from(
    [
        *("name", "id", "when", "queue", "queues", "week", "daily", "mon", "dates", "holidays", "steps", "after", "do"),
        *(
            "field",
            "in",
            "eq",
            "any",
            "all",
            "not",
            "adapter",
            "server",
            "host",
            "tokens",
            "timezone",
            "database",
            "to",
        ),
        *("schedule", "first_reply", "resolution", "pause", "ladder", "listen", "中"),
    ]
)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=6,
)
TABLES = st.sampled_from([*SINGLE, *NAMED, *ARRAYS, "other"])


def toml(value: object) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml(str(key))} = {toml(inner)}" for key, inner in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, (datetime, time)):
        return value.isoformat()
    text = json.dumps(value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f") if isinstance(value, str) else text


def outcome(tables: Mapping[str, Any]) -> Policy | tuple[str, ...]:
    """Either a policy or the sentences of a ConfigurationError; anything else fails the test that asks."""
    text = "\n".join(f"{toml(key)} = {toml(value)}" for key, value in tables.items())
    try:
        return read(text)
    except ConfigurationError as error:
        return error.mistakes


@given(st.dictionaries(TABLES, ANYTHING, max_size=5))
@settings(max_examples=100)
def test_no_file_whatsoever_raises_anything_else(tables: dict[str, Any]) -> None:
    """Any tables at all give a policy or sentences, each on one line."""
    found = outcome(tables)
    assert isinstance(found, Policy) or (found and all(line and "\n" not in line for line in found))


@given(st.data())
@settings(max_examples=100)
def test_one_wrong_value_anywhere_raises_nothing_else(data: st.DataObject) -> None:
    """Replacing any part of the wallet preset by anything gives a policy or sentences."""
    tables = tomllib.loads(preset_text("wallet").replace('adapter = "', 'adapter = "line" # '))
    here: Any = tables
    for _ in range(data.draw(st.integers(1, 5), label="depth")):
        keys = list(here) if isinstance(here, dict) else list(range(len(here)))
        key = data.draw(st.sampled_from(keys), label="key")
        if isinstance(here[key], (dict, list)) and here[key] and data.draw(st.booleans(), label="deeper"):
            here = here[key]
            continue
        here[key] = data.draw(ANYTHING, label="value")
        break
    found = outcome(tables)
    assert isinstance(found, Policy) or (found and all(line and "\n" not in line for line in found))


def test_every_adapter_that_ships_is_a_known_kind() -> None:
    """Rules may speak of each, whether a channel of it is configured or not; the list stands once."""
    import adapters

    assert sorted(adapters.load(name).kind for name in adapters.available()) == sorted(shipped())
    text = '[[queues]]\nname = "q"\n[defaults]\nqueue = "q"\n[[rules]]\nid = "r"\nqueue = "q"\n'
    assert from_text(f'{text}when = {{ channel_kind = ["line"] }}\n', folder=Path())


def test_the_traits_of_a_kind_stand_with_its_adapter() -> None:
    """What the core reads of a kind is what the class of its adapter declares."""
    import adapters

    declared = {name: getattr(adapters.load(name), "traits", Traits()) for name in adapters.available()}
    assert declared == {name: traits_of(name) for name in shipped()}


def test_a_private_adapter_has_the_rights_of_one_that_ships() -> None:
    """It says itself whether it is a chat and how long it takes answers, and rules may speak of its kind."""

    class Keyless(BaseModel):
        pass

    class Pager(Line):
        Settings = Keyless  # type: ignore[assignment]
        kind = "pager"
        traits = Traits(chat=False, heard=True, reply_window=timedelta(hours=6))

    text = (
        '[channels.night]\nadapter = "mycorp:Pager"\n[[queues]]\nname = "q"\n'
        '[defaults]\nqueue = "q"\n[[rules]]\nid = "r"\nqueue = "q"\nwhen = { channel_kind = ["pager"] }\n'
    )
    policy = from_text(text, folder=Path(), adapter_of=lambda _: Pager)  # type: ignore[arg-type,return-value]
    assert policy.traits("pager") == Pager.traits
    assert reply_window("night", "pager", policy) == 6 * 3600
    assert reply_window("elsewhere", "of nobody", policy) == 0
