"""What does the configuration file look like, table by table?

In: what TOML gives. Out: one pydantic model a table, with its defaults; unknown keys are mistakes. Each field's type
says what would be right, so that a wrong one gives a sentence that need not name the value (it may be a secret).
What one table says of another (queues, schedules, ladders …) is looked at in `router.policy.check`.
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, PlainValidator, model_validator

from router.events import EVENTS
from router.policy.sentences import cut, did_you_mean
from router.policy.units import Span, age, duration, size, span
from router.secret import Secret

__all__ = ["ARRAYS", "LOG", "NAMED", "SINGLE", "Table"]

#: What is wrong with every log but the database's.
LOG: Final = (
    'this version keeps the log in the ledger\'s own database; write log = "database" (several nodes share one over '
    "PostgreSQL)"
)


def _database(url: str) -> str:
    if not re.match(r"(sqlite|postgresql)(\+[a-z0-9]+)?://", url):
        raise ValueError('expected "sqlite:///FILE" or "postgresql://user@host/database"')
    if re.match(r"[a-z0-9+]+://[^/@:]*:[^@/]+@", url):
        raise ValueError('take the password out of the URL and give it by reference, as database_password = "env:NAME"')
    if re.search(r"%(?![0-9A-Fa-f]{2})", url):
        raise ValueError("in an address a per cent sign is written %25")
    return url


def _listen_database(url: str) -> str:
    if not url.startswith("postgresql"):
        raise ValueError('expected a direct address of the server, such as "postgresql://user@host/database"')
    return _database(url)


def _log(url: str) -> str:
    if url != "database":
        raise ValueError(LOG)
    return url


def _language(tag: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*", tag, re.ASCII):
        raise ValueError('expected a language tag such as "zh", "en" or "zh-Hant"')
    return tag


def _event_type(word: str) -> str:
    if word not in EVENTS:
        raise ValueError(f'there is no event "{cut(word)}"{did_you_mean(word, EVENTS)}')
    return word


def _words_with(*known: str) -> AfterValidator:
    """Texts to customers: in braces stands only what is filled in, for all else would be sent as it is."""

    def check(text: str) -> str:
        rest = text
        for name in known:
            rest = rest.replace(name, "")
        strange = re.search(r"\{[^{}]*\}?|\}", rest)
        if strange:
            filled = f"known: {', '.join(known)}" if known else "nothing is filled in here"
            raise ValueError(f"there is no {cut(strange[0])}; {filled}")
        return text

    return AfterValidator(check)


def _listen(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or not int(port) < 65536:
        raise ValueError('expected "host:port", such as "127.0.0.1:8080"')
    return text


def _web_address(url: str) -> str:
    if url and not re.fullmatch(r"https?://[^\s/?#]+\S*", url):
        raise ValueError('expected a web address such as "https://support.example.com"')
    return url


def _mail_address(text: str) -> str:
    if not re.fullmatch(r"[^\s@<>,;]+@[^\s@<>,;]+", text):
        raise ValueError('expected a mail address such as "lead@example.com"')
    return text


def _domain(text: str) -> str:
    if not re.fullmatch(r"(?:[\w-]{1,63}\.)+[\w-]{2,63}", text):
        raise ValueError('expected a domain such as "example.com"')
    return text.lower()


def _name(text: str) -> str:
    if not re.fullmatch(r"[^\s\x00-\x1f/][^\x00-\x1f/]{0,62}", text) or text != text.strip():
        raise ValueError("expected a name of 1 to 63 characters without slashes or line breaks")
    return text


def _date(text: str) -> str:
    try:
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text, re.ASCII):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ValueError('expected a date such as "2026-02-14"')


def _promise(text: object) -> Span:
    length = span(text)
    if not length.seconds and not length.workdays:
        raise ValueError("must be above zero; leave the key out to promise nothing")
    return length


def _priority(value: object) -> object:
    if isinstance(value, bool) or not isinstance(value, (int, str)):
        raise ValueError('expected a priority such as 80, or a change such as "+20"')
    if isinstance(value, str) and not re.fullmatch(r"[+-]?[0-9]{1,4}", value):
        raise ValueError('expected a priority such as 80, or a change such as "+20"')
    return value


Duration: TypeAlias = Annotated[timedelta, BeforeValidator(duration)]
Age: TypeAlias = Annotated[timedelta | None, BeforeValidator(age)]
Length: TypeAlias = Annotated[Any, PlainValidator(span)]
Promise: TypeAlias = Annotated[Any, PlainValidator(_promise)]
Size: TypeAlias = Annotated[int, BeforeValidator(size)]
Name: TypeAlias = Annotated[str, AfterValidator(_name)]
Network: TypeAlias = Annotated[Any, PlainValidator(lambda text: _network(str(text)))]
Address: TypeAlias = Annotated[str, AfterValidator(_web_address)]
Metric: TypeAlias = Literal["first_reply", "next_reply", "update", "resolution"]
Statuses: TypeAlias = list[Literal["pending", "on_hold", "solved"]]
Rows: TypeAlias = list[list[str]]
Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "weekdays", "weekend", "daily"]


def _surely_over(span: Span, other: Span) -> bool:
    """Is a span over before the other, or with it, whatever the schedule? n working days last n - 1 days at least."""
    if span.workdays:
        return bool(other.workdays) and span.workdays <= other.workdays
    return span.seconds <= (max(0, other.workdays - 1) * 86400 if other.workdays else other.seconds)


class Table(BaseModel):
    """A table of the file: no unknown keys, no guessing of types."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class Desk(Table):
    name: str = "Support desk"
    timezone: str = "UTC"
    languages: list[Annotated[str, AfterValidator(_language)]] = ["zh", "en"]
    database: Annotated[str, AfterValidator(_database)] = "sqlite:///omnirouter.db"
    database_password: Secret | None = None
    pooled: bool = False
    listen_database: Annotated[str, AfterValidator(_listen_database)] = ""
    log: Annotated[str, AfterValidator(_log)] = "database"
    partitions: Annotated[int, Field(ge=1, le=1024)] = 16
    domains: list[Annotated[str, AfterValidator(_domain)]] = []
    brand: str = ""

    @model_validator(mode="after")
    def _pools_a_server(self) -> Desk:
        if self.pooled and self.database.startswith("sqlite"):
            raise ValueError("pooled is for a pooler before PostgreSQL; an SQLite file has none, so leave it out")
        if self.listen_database and not self.pooled:
            raise ValueError("listen_database is read only with pooled = true; leave one out or add the other")
        return self


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text)
    except ValueError:
        raise ValueError('expected an address or network such as "10.0.0.5", "10.0.0.0/8" or "fd00::/8"') from None


class WebLimits(Table):
    messages: Annotated[int, Field(ge=1, le=1_000_000)] = 120
    requests: Annotated[int, Field(ge=1, le=1_000_000)] = 1200
    streams: Annotated[int, Field(ge=1, le=100_000)] = 100
    bytes: Size = 500 << 20
    visitor_bytes: Size = 50 << 20


class Web(Table):
    listen: Annotated[str, AfterValidator(_listen)] = "127.0.0.1:8080"
    operations: Annotated[str, AfterValidator(_listen)] | None = None
    public_url: Address = ""
    max_body: Size = 1 << 20
    trusted_proxies: list[Network] = []
    limits: WebLimits = WebLimits()

    @model_validator(mode="after")
    def _apart(self) -> Web:
        if self.operations == self.listen and not self.listen.endswith(":0"):
            raise ValueError("operations is the address of listen; name another port, so that strangers see none of it")
        return self


class Privacy(Table):
    key: Secret | None = None
    retain_raw: Age = None  # the former name of [retention] raws
    redact: bool = True


class Retention(Table):
    raws: Age = timedelta(days=180)
    decisions: Age = timedelta(days=400)
    events: Age = timedelta(days=30)
    idempotency: Age = timedelta(days=7)
    outbox: Age = timedelta(days=30)
    attempts: Age = timedelta(days=30)
    files: Age = timedelta(days=400)
    conversations: Age = None


class FollowUps(Table):
    reopen_within: Duration = timedelta(days=14)
    model: str | None = None
    join_at: Annotated[float | None, Field(ge=0, le=1)] = None
    veto_below: Annotated[float | None, Field(ge=0, le=1)] = None
    suggest_below: Annotated[float | None, Field(ge=0, le=1)] = None  # the former name of join_at
    chase_after: Duration = timedelta(minutes=2)
    incident_customers: Annotated[int, Field(ge=2)] = 3
    incident_within: Duration = timedelta(minutes=30)


class Tagging(Table):
    model: str | None = None
    embed: str | None = None
    lexicons: list[str] = []
    issue_types: list[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]] = []
    unsure_below: Annotated[float | None, Field(ge=0, le=1)] = None


class Closing(Table):
    remind_after: Length = Span(workdays=2)
    solve_after: Length = Span(workdays=5)
    close_after: Length = Span(seconds=14 * 86400)
    texts: dict[str, Annotated[str, _words_with()]] = {}

    @model_validator(mode="after")
    def _reminds_before_it_solves(self) -> Closing:
        reminds = self.texts or "remind_after" in self.model_fields_set
        if reminds and _surely_over(self.solve_after, self.remind_after):
            raise ValueError("solve_after comes before remind_after, so nobody is reminded; make it longer")
        return self


class Acknowledgement(Table):
    enabled: bool = False
    texts: dict[str, Annotated[str, _words_with("{due}", "{ref}")]] = {}

    @model_validator(mode="after")
    def _has_words(self) -> Acknowledgement:
        if self.enabled and not self.texts:
            raise ValueError('enabled needs words to send: add texts = { zh = "…", en = "…" }')
        return self


class Notify(Table):
    mail: Annotated[str, AfterValidator(_mail_address)] | None = None
    webhook: Secret | None = None
    robot: Secret | None = None
    secret: Secret | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Notify:
        if sum(way is not None for way in (self.mail, self.webhook, self.robot)) != 1:
            raise ValueError("a recipient has exactly one of mail, webhook, robot")
        return self


class Events(Table):
    url: Annotated[Address, Field(min_length=1)]
    secret: Secret
    types: list[Annotated[str, AfterValidator(_event_type)]] = []


class Channel(BaseModel):
    """The keys that every channel has; the rest belongs to its adapter's own settings."""

    model_config = ConfigDict(extra="allow", strict=True, frozen=True)
    adapter: str
    schedule: str = ""
    brand: str = ""
    enabled: bool = True


class Schedule(Table):
    timezone: str | None = None
    week: dict[Day, Rows] = {}
    holidays: str | None = None
    makeup: Rows | None = None
    dates: dict[Annotated[str, AfterValidator(_date)], Rows] = {}


class Queue(Table):
    name: Name
    team: str = ""
    lead: str = ""
    default_wait: Duration = timedelta(hours=4)
    ageing_minutes: int | None = None  # gone: read, with a remark


class Agent(Table):
    name: Name
    mail: Annotated[str, AfterValidator(_mail_address)] = ""
    queues: list[str] = []
    skills: dict[str, str | int | list[str]] = {}
    capacity: dict[str, Annotated[int, Field(ge=0)]] = {}
    shift: str = ""


class RuleStep(Table):
    needs: dict[str, str] = {}
    wait: Duration | None = Field(default=None, alias="for")
    queue: str = ""

    @model_validator(mode="after")
    def _does_one_thing(self) -> RuleStep:
        if bool(self.needs) == bool(self.queue):
            raise ValueError('a step is { needs = {…}, for = "10m" } or { queue = "…" }')
        return self


class Rule(Table):
    id: Name
    when: Any = None
    queue: str
    priority: Annotated[int, Field(ge=-1000, le=1000)] = 0
    deadline: str = ""
    tags: list[str] = []
    steps: list[RuleStep] = []


class Defaults(Table):
    queue: str


class Deadline(Table):
    name: Name
    when: Any = None
    schedule: str = ""
    hours: Literal["business", "calendar"] = "business"
    first_reply: Promise = None
    next_reply: Promise = None
    update: Promise = None
    resolution: Promise = None
    pause: dict[Metric, Statuses] = {}
    auto_reply_counts: list[Metric] = []
    warn: Duration | None = None
    ladder: str = ""


class LadderStep(Table):
    after: Duration
    do: Literal["notify", "requeue", "move"]
    to: str = ""
    priority: Annotated[int | str, BeforeValidator(_priority)] = 0
    queue: str = ""
    tag: str = ""

    @model_validator(mode="after")
    def _says_where(self) -> LadderStep:
        if self.do == "notify" and not self.to:
            raise ValueError('a notify step needs to = "…": a name of [notify.NAME], or "lead:{queue}"')
        if self.do == "move" and not self.queue:
            raise ValueError('a move step needs queue = "…"')
        return self


class Ladder(Table):
    name: Name
    on: list[Metric] = ["first_reply", "next_reply"]
    steps: Annotated[list[LadderStep], Field(min_length=1, max_length=8)]


#: `[NAME]`, one of each.
SINGLE: Final[dict[str, type[BaseModel]]] = {
    "desk": Desk, "web": Web, "privacy": Privacy, "retention": Retention, "follow_ups": FollowUps, "tagging": Tagging,
    "closing": Closing, "acknowledgement": Acknowledgement, "defaults": Defaults,
}  # fmt: skip
#: `[KIND.NAME]`, as many as the desk likes.
NAMED: Final[dict[str, type[BaseModel]]] = {"channels": Channel, "schedules": Schedule, "notify": Notify}
#: `[[NAME]]`, in order.
ARRAYS: Final[dict[str, type[BaseModel]]] = {
    "events": Events, "queues": Queue, "agents": Agent, "rules": Rule, "deadlines": Deadline, "ladders": Ladder,
}  # fmt: skip
