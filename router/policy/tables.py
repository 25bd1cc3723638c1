"""What does the configuration file look like, table by table?

In: what TOML gives. Out: one pydantic model a table, with its defaults; unknown keys are mistakes. Each field's type
says what would be right, so that a wrong one gives a sentence that need not name the value (it may be a secret).
What one table says of another (queues, schedules, ladders …) is looked at in `router.policy.check`.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from router.policy.forms import (
    Address,
    Age,
    Database,
    Date,
    Day,
    Domain,
    Duration,
    EventType,
    Language,
    Length,
    Listen,
    ListenDatabase,
    LogPlace,
    MailAddress,
    Many,
    Metric,
    Name,
    Network,
    Priority,
    Promise,
    Rows,
    Size,
    Statuses,
    words_with,
)
from router.policy.units import Span
from router.secret import Secret

__all__ = [
    "ARRAYS",
    "NAMED",
    "SINGLE",
    "Acknowledgement",
    "AgentPolicy",
    "Closing",
    "Desk",
    "EventTarget",
    "Privacy",
    "QueuePolicy",
    "Retention",
    "Table",
    "WebLimits",
]  # fmt: skip

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
    languages: list[Language] = ["zh", "en"]
    database: Database = "sqlite:///omnirouter.db"
    database_password: Secret | None = None
    pooled: bool = False
    listen_database: ListenDatabase = ""
    log: LogPlace = "database"
    partitions: Annotated[int, Field(ge=1, le=1024)] = 16
    domains: list[Domain] = []
    brand: str = ""

    @model_validator(mode="after")
    def _pools_a_server(self) -> Desk:
        if self.pooled and self.database.startswith("sqlite"):
            raise ValueError("pooled is for a pooler before PostgreSQL; an SQLite file has none, so leave it out")
        if self.listen_database and not self.pooled:
            raise ValueError("listen_database is read only with pooled = true; leave one out or add the other")
        return self


class WebLimits(Table):
    """What one host may do on the live-chat page: `messages` and `requests` a minute, `streams` at once, `bytes` a day;
    and the bytes that are stored of one visitor."""

    messages: Annotated[int, Field(ge=1, le=1_000_000)] = 120
    requests: Annotated[int, Field(ge=1, le=1_000_000)] = 1200
    streams: Annotated[int, Field(ge=1, le=100_000)] = 100
    bytes: Size = 500 << 20
    visitor_bytes: Size = 50 << 20


class Web(Table):
    listen: Listen = "127.0.0.1:8080"
    operations: Listen | None = None
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
    """How raws are sealed (`key`; None: an SQLite desk makes its own), and whether secrets are redacted."""

    key: Secret | None = None
    retain_raw: Age = None  # the former name of [retention] raws
    redact: bool = True


class Retention(Table):
    """How long is what kept? None is for ever. Nothing undecided is ever too old (router.store.retention)."""

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
    """When does a quiet conversation end? `remind_after` and `solve_after` count from the desk's last word in
    `pending`, `close_after` from solving. `texts` are by language; without one nothing is said to the customer."""

    remind_after: Length = Span(workdays=2)
    solve_after: Length = Span(workdays=5)
    close_after: Length = Span(seconds=14 * 86400)
    texts: dict[str, Annotated[str, words_with()]] = {}

    @model_validator(mode="after")
    def _reminds_before_it_solves(self) -> Closing:
        reminds = self.texts or "remind_after" in self.model_fields_set
        if reminds and _surely_over(self.solve_after, self.remind_after):
            raise ValueError("solve_after comes before remind_after, so nobody is reminded; make it longer")
        return self


class Acknowledgement(Table):
    """The one automatic answer a conversation may get; `{due}` and `{ref}` in its texts are filled in."""

    enabled: bool = False
    texts: dict[str, Annotated[str, words_with("{due}", "{ref}")]] = {}

    @model_validator(mode="after")
    def _has_words(self) -> Acknowledgement:
        if self.enabled and not self.texts:
            raise ValueError('enabled needs words to send: add texts = { zh = "…", en = "…" }')
        return self


class Notify(Table):
    mail: MailAddress | None = None
    webhook: Secret | None = None
    robot: Secret | None = None
    secret: Secret | None = None

    @model_validator(mode="after")
    def _one_way(self) -> Notify:
        if sum(way is not None for way in (self.mail, self.webhook, self.robot)) != 1:
            raise ValueError("a recipient has exactly one of mail, webhook, robot")
        return self


class EventTarget(Table):
    """Where events go as signed webhooks; no `types` means all of them."""

    url: Annotated[Address, Field(min_length=1)]
    secret: Secret
    types: Many[EventType] = ()


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
    dates: dict[Date, Rows] = {}


class QueuePolicy(Table):
    """A team's list of conversations. `lead` names a recipient; `default_wait` orders what waits and was promised
    nothing: as if it were due after so long."""

    name: Name
    team: str = ""
    lead: str = ""
    default_wait: Duration = timedelta(hours=4)
    ageing_minutes: int | None = None  # gone: read, with a remark


class AgentPolicy(Table):
    """A human of the desk: his queues, skills (`language`, `risk`, …), conversations at a time by channel kind; `mail`
    is the address that he writes from in his own mail program."""

    name: Name
    mail: MailAddress = ""
    queues: Many[str] = ()
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
    priority: Priority = 0
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
    "events": EventTarget, "queues": QueuePolicy, "agents": AgentPolicy,
    "rules": Rule, "deadlines": Deadline, "ladders": Ladder,
}  # fmt: skip
