"""What did the desk decide to promise, to whom, and in which queue? The frozen values of one whole configuration.

In: nothing but values; `router.policy.load` builds them from a TOML file. Out: `Policy`, which the pure
decision, the daemon and the command line read. Two policies that decide alike have the same `version`; it is stored
with every decision, so addresses, passwords and texts to people do not count in it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import cached_property, lru_cache
from ipaddress import IPv4Network, IPv6Network
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol
from urllib.parse import quote

from router.deadlines.calendar import Schedule
from router.deadlines.fold import Promises
from router.errors import ConfigurationError
from router.kinds import Traits, traits_of
from router.ours import Ours
from router.policy.tables import (
    Acknowledgement,
    AgentPolicy,
    Closing,
    Desk,
    EventTarget,
    Privacy,
    QueuePolicy,
    Retention,
    WebLimits,
)
from router.routing.route import Rule
from router.secret import Secret
from router.value import Value

if TYPE_CHECKING:
    from router.tagging.tag import Tagger

__all__ = [
    "Acknowledgement",
    "AgentPolicy",
    "ChannelPolicy",
    "Closing",
    "EventTarget",
    "FollowUps",
    "Policy",
    "Privacy",
    "QueuePolicy",
    "Recipient",
    "Retention",
    "TaggingPolicy",
    "Web",
    "WebLimits",
    "in_language",
    "required",
    "version_of",
]


class ChannelPolicy(Value, frozen=True, kw_only=True):
    """One configured way in and out. `settings` is an instance of its adapter's `Settings`, or None when `unavailable`
    (one sentence) says why the adapter could not be loaded. `traits` are what its adapter declares;
    `authenticity` is `hint` or `require` (security, 0.5)."""

    name: str
    kind: str = "webhook"
    adapter: str = "webhook"
    schedule: str = ""
    brand: str = ""
    enabled: bool = True
    authenticity: str = "hint"
    settings: Any = None
    traits: Traits | None = None
    unavailable: str = ""


class FollowUps(Value, frozen=True, kw_only=True):
    """When is a further message about the same matter, and after how long a wait does one chase? (rules: follow-ups,
    7a, 8, 9, 11) `model` is the file of `omnirouter train followups`, None what ships; `join_at` and `veto_below` are
    the model's own unless they are given."""

    reopen_within: timedelta = timedelta(days=14)
    model: Path | None = None
    join_at: float | None = None
    veto_below: float | None = None
    chase_after: timedelta = timedelta(minutes=2)
    incident_customers: int = 3
    incident_within: timedelta = timedelta(minutes=30)


class TaggingPolicy(Value, frozen=True, kw_only=True):
    """What the tagger is built from; None and empty mean what ships with the product."""

    model: Path | None = None
    embed: Path | None = None
    lexicons: tuple[Path, ...] = ()
    issue_types: tuple[str, ...] = ()
    unsure_below: float | None = None


class Recipient(Value, frozen=True, kw_only=True):
    """Somebody of the desk who is told things, by exactly one of three ways."""

    name: str
    mail: str = ""
    webhook: Secret | None = None
    robot: Secret | None = None
    secret: Secret | None = None


class Web(Value, frozen=True, kw_only=True):
    """The front door, and the address of `/metrics`, `/ready` and `/health` (one that the file names must be free).
    `max_body` is in bytes, for every route that names no limit of its own."""

    host: str = "127.0.0.1"
    port: int = 8080
    operations: tuple[str, int] = ("127.0.0.1", 8081)
    operations_named: bool = False
    public_url: str = ""
    max_body: int = 1 << 20
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    limits: WebLimits = WebLimits()


_DESK = Desk()


class Load(Protocol):
    """How a policy is made of a configuration file."""

    def __call__(self, path: str | PathLike[str] | None = None) -> Policy:
        """Read a configuration file; None is the built-in wallet preset on ./omnirouter.db.

        Raises ConfigurationError with all mistakes of the file at once. Unset secrets are no mistake here.
        """
        ...


class Preset(Protocol):
    """How a policy is made of what ships."""

    def __call__(self, name: str) -> Policy:
        """A configuration that ships with the product: `wallet` or `plain`."""
        ...


class Policy(Value, frozen=True, kw_only=True, dict=True):
    """One whole configuration. `source` is the file it came from, None for a preset; `remarks` are sentences about keys
    of it that have another name by now or do nothing any more; `desk_log` is
    `database`, the only log of this version; `desk_database` an SQLAlchemy URL without its password, which
    `database_url` puts in; `desk_pooled` says that a transaction pooler stands there, and `desk_listen` where the bell
    listens then."""

    version: str
    name: str
    timezone: str
    default_queue: str
    promises: Promises
    languages: tuple[str, ...] = tuple(_DESK.languages)
    brand: str = ""
    domains: tuple[str, ...] = ()
    source: Path | None = None
    remarks: tuple[str, ...] = ()
    channels: Mapping[str, ChannelPolicy] = {}
    schedules: Mapping[str, Schedule] = {}
    queues: Mapping[str, QueuePolicy] = {}
    agents: Mapping[str, AgentPolicy] = {}
    rules: tuple[Rule, ...] = ()
    follow_ups: FollowUps = FollowUps()
    tagging: TaggingPolicy = TaggingPolicy()
    closing: Closing = Closing()
    acknowledgement: Acknowledgement = Acknowledgement()
    privacy: Privacy = Privacy()
    retention: Retention = Retention()
    notify: Mapping[str, Recipient] = {}
    events: tuple[EventTarget, ...] = ()
    web: Web = Web()
    desk_database: str = _DESK.database
    desk_database_password: Secret | None = None
    desk_pooled: bool = _DESK.pooled
    desk_listen: str = _DESK.listen_database
    desk_log: str = _DESK.log
    partitions: int = _DESK.partitions

    #: Read a file, or a configuration that ships; given by `router.policy.load`.
    load: ClassVar[Load]
    preset: ClassVar[Preset]

    @cached_property
    def tagger(self) -> Tagger:
        """The tagger of this configuration, built on first use and shared by all equal configurations."""
        model = self.tagging.model
        try:
            stamp = model.stat().st_mtime_ns if model else 0
        except OSError as error:
            reason = f"{model} cannot be read ({error.strerror}); train one with `omnirouter train`"
            raise ConfigurationError(f"tagging.model: {reason}.") from None
        return _tagger(self.tagging, stamp)

    @cached_property
    def ours(self) -> Ours:
        """Which mail addresses are the desk's own."""
        addresses = (str(getattr(channel.settings, "address", "")) for channel in self.channels.values())
        colleagues = {agent.mail.lower(): agent.name for agent in self.agents.values() if agent.mail}
        return Ours.of(self.domains, [a for a in addresses if "@" in a], colleagues)

    def channel(self, name: str) -> ChannelPolicy:
        """The channel of this name; a name the configuration does not have gives a plain one of kind `webhook`."""
        return self.channels.get(name) or ChannelPolicy(name=name)

    def traits(self, kind: str) -> Traits:
        """What holds of this kind of channel: as its configured adapter declares it, else as the one that ships."""
        return self._declared.get(kind) or traits_of(kind)

    @cached_property
    def _declared(self) -> dict[str, Traits]:
        return {channel.kind: channel.traits for channel in self.channels.values() if channel.traits is not None}

    def schedule(self, name: str) -> Schedule:
        """The schedule of this name. Raises ConfigurationError for a name that is not configured."""
        try:
            return self.schedules[name]
        except KeyError:
            known = ", ".join(sorted(self.schedules)) or "none"
            raise ConfigurationError(f'There is no schedule "{name}"; the configuration has: {known}.') from None

    def business_open(self, channel: str, at: datetime) -> bool:
        """Are the hours that customers of this channel are told open at this instant? Without a schedule: always."""
        name = self.channel(channel).schedule
        return not name or self.schedule(name).is_open(at)

    def database_url(self) -> str:
        """The database's URL with its password, if there is one. Raises ConfigurationError when the secret is unset."""
        return self._with_password(self.desk_database)

    def listen_url(self) -> str:
        """Where the bell listens behind a pooler, with the password; empty for nowhere. Raises as `database_url`."""
        return self._with_password(self.desk_listen) if self.desk_listen else ""

    def _with_password(self, url: str) -> str:
        if self.desk_database_password is None:
            return url
        scheme, _, rest = url.partition("://")
        user, at, place = rest.rpartition("@")
        password = quote(self.desk_database_password.reveal(), safe="")
        return f"{scheme}://{user}:{password}{at}{place}"


def required(given: object) -> Policy:
    """The policy that a program gave. Raises ConfigurationError when it is something else."""
    if not isinstance(given, Policy):
        raise ConfigurationError(f"policy: a Policy would be right, as Policy.load(…), not {type(given).__name__}.")
    return given


def in_language(texts: Mapping[str, str], language: str) -> str:
    """The text for a language tag: `zh-Hant`, else `zh`, else the first that the desk wrote; empty without any."""
    for tag in (language, language.partition("-")[0]):
        if tag in texts:
            return texts[tag]
    return next(iter(texts.values()), "")


def version_of(tables: Mapping[str, Any]) -> str:
    """The stable name of what decides: 12 hex digits of the content, whatever the order of its keys."""
    text = json.dumps(tables, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=str)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@lru_cache(maxsize=8)
def _tagger(tagging: TaggingPolicy, stamp: int) -> Tagger:
    """Build a tagger once for the same model file (`stamp` is its time of change)."""
    from router.tagging.tag import Tagger

    types = {"issue_types": tagging.issue_types} if tagging.issue_types else {}
    return Tagger.load(
        **types,
        lexicons=tagging.lexicons,
        model=tagging.model,
        embed=tagging.embed,
        unsure_below=tagging.unsure_below,
    )
