"""Which policy does a configuration file describe, and what is wrong with it?

In: a TOML file. Out: a `Policy`, or a ConfigurationError with every mistake of the file at once, each with its path as
written and what would be right. Secrets stay references; unset ones are no mistake here but are listed by
`unset_secrets`. Adapters are found by name, so that the library itself knows no channel.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping
from importlib import resources
from os import PathLike
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import BaseModel

from router.errors import ConfigurationError
from router.policy.build import Parsed, build
from router.policy.check import check, items
from router.policy.mistakes import keys_of, mistake, validate
from router.policy.outside import check_outside
from router.policy.sentences import did_you_mean, dotted
from router.policy.tables import ARRAYS, NAMED, SINGLE, Tagging
from router.policy.values import ChannelPolicy, Policy
from router.ports import Adapter
from router.secret import Secret, Verifies
from router.tagging.tag import ISSUE_TYPES

__all__ = [
    "PRESETS",
    "AdapterOf",
    "Secret",
    "from_text",
    "load",
    "preset",
    "preset_text",
    "unset_elsewhere",
    "unset_secrets",
    "weak_secrets",
]

#: Finds the class of an adapter by the name in the file. Raises ConfigurationError with one sentence.
AdapterOf: TypeAlias = Callable[[str], type[Adapter]]

PRESETS: Final = ("wallet", "plain")
_GENERAL: Final = tuple(keys_of(NAMED["channels"]))
#: What is no good in any secret: blanks alone, or around it.
_ANY: Final = Verifies(1)
_CHANNEL_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)


def load(path: Path, *, adapter_of: AdapterOf | None = None, outside: bool = False) -> Policy:
    """Read a configuration file. Raises ConfigurationError with all its mistakes at once; with `outside` also those of
    the model, lexicons and key that it names."""
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise ConfigurationError(
            f"There is no configuration file {path}: write one with `omnirouter init {path}`, or name another."
        ) from None
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read ({error.strerror}): name a TOML file.") from None
    return from_text(text, folder=path.absolute().parent, source=path, adapter_of=adapter_of, outside=outside)


def preset(name: str, *, adapter_of: AdapterOf | None = None) -> Policy:
    """A configuration that ships with the product, for the present folder."""
    return from_text(preset_text(name), folder=Path.cwd(), adapter_of=adapter_of)


def preset_text(name: str) -> str:
    """The commented file of a preset. Raises ConfigurationError for an unknown name."""
    if name not in PRESETS:
        raise ConfigurationError(f'There is no preset "{name}"{did_you_mean(name, PRESETS)}.')
    return resources.files("router").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")


def from_text(
    text: str,
    *,
    folder: Path,
    source: Path | None = None,
    adapter_of: AdapterOf | None = None,
    outside: bool = False,
) -> Policy:
    """Read a configuration from its text; relative files in it begin at `folder`."""
    data = _toml(text, source)
    mistakes: list[str] = []
    parsed = _tables(data, folder, mistakes)
    channels = _channels(data, parsed, folder, adapter_of or _installed(), mistakes)
    tagging = parsed.single["tagging"]
    types = (tagging.issue_types if isinstance(tagging, Tagging) else None) or ISSUE_TYPES
    check(data, types, [channel.kind for channel in channels.values()], mistakes)
    if outside:
        check_outside(data, folder, mistakes)
    policy = build(data, parsed, channels, folder, source, mistakes)
    if policy is None or mistakes:
        raise ConfigurationError(_in_file_order(data, mistakes))
    return policy


def unset_secrets(policy: Policy) -> dict[str, tuple[str, ...]]:
    """The enabled channels that cannot be opened now, each with its unset or unreadable references (`env:NAME`)."""
    unset = {
        channel.name: tuple(dict.fromkeys(s.reference for s in _secrets(channel.settings) if not s.is_set()))
        for channel in policy.channels.values()
        if channel.enabled
    }
    return {name: references for name, references in unset.items() if references}


def weak_secrets(policy: Policy) -> dict[str, tuple[str, ...]]:
    """The enabled channels with secrets that are set and verify nothing, each with the sentences that say why."""
    found = {c.name: tuple(_weak(c.settings)) for c in policy.channels.values() if c.enabled}
    return {name: sentences for name, sentences in found.items() if sentences}


def _weak(settings: object) -> Iterator[str]:
    for name, field in type(settings).model_fields.items() if isinstance(settings, BaseModel) else ():
        verifies = next((mark for mark in field.metadata if isinstance(mark, Verifies)), None)
        for secret in _secrets(getattr(settings, name)):
            if secret.is_set() and (why := (verifies or _ANY).weakness(secret.reveal())):
                yield f"{name}: {secret.reference} verifies nothing, for {why}"


def unset_elsewhere(policy: Policy) -> dict[str, str]:
    """The unset references outside the channels: path in the file to reference."""
    found: dict[str, Secret | None] = {
        "desk.database_password": policy.desk_database_password,
        "privacy.key": policy.privacy.key,
        **{f"events[{i}].secret": target.secret for i, target in enumerate(policy.events)},
    }
    for name, to in policy.notify.items():
        found |= {dotted(("notify", name, key)): getattr(to, key) for key in ("webhook", "robot", "secret")}
    return {path: secret.reference for path, secret in found.items() if secret is not None and not secret.is_set()}


def _toml(text: str, source: Path | None) -> dict[str, Any]:
    where = source or "The configuration"
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"{where} is not valid TOML: {error}.") from None
    except (RecursionError, ValueError):
        raise ConfigurationError(f"{where} is not valid TOML: a value is nested too deeply or too long.") from None


def _tables(data: Mapping[str, Any], folder: Path, mistakes: list[str]) -> Parsed:
    """Check every table by itself."""
    for key in data:
        if key not in SINGLE | NAMED | ARRAYS:
            hint = did_you_mean(key, SINGLE | NAMED | ARRAYS)
            mistakes.append(mistake((key,), f"there is no such table{hint}"))
    parsed = Parsed()
    for key, model in SINGLE.items():
        # Whether `[defaults]` has its queue is asked with the other references, also when the table is not there.
        default = {"queue": ""} if key == "defaults" else {}
        table = data.get(key, default)
        table = default | table if isinstance(table, dict) else table
        parsed.single[key] = validate(table, model, (key,), mistakes, folder)
    for key, model in NAMED.items():
        if not isinstance(data.get(key, {}), dict):
            mistakes.append(mistake((key,), f"expected tables [{key}.NAME]"))
        parsed.named[key] = {}
        for name, table in _entries(data.get(key)):
            valid = validate(table, model, (key, str(name)), mistakes, folder)
            parsed.named[key] |= {} if valid is None else {str(name): valid}
    for key, model in ARRAYS.items():
        if not isinstance(data.get(key, []), list):
            mistakes.append(mistake((key,), f"expected tables [[{key}]]"))
        entries = data[key] if isinstance(data.get(key), list) else []
        parsed.arrays[key] = [validate(table, model, (key, i), mistakes, folder) for i, table in enumerate(entries)]
    return parsed


def _entries(table: object) -> Iterator[tuple[str, object]]:
    yield from table.items() if isinstance(table, dict) else ()


def _channels(
    data: Mapping[str, Any], parsed: Parsed, folder: Path, adapter_of: AdapterOf, mistakes: list[str]
) -> dict[str, ChannelPolicy]:
    """Every channel with its adapter's own settings."""
    channels: dict[str, ChannelPolicy] = {}
    for path, table in items(data, "channels"):
        name = str(path[1])
        if not _CHANNEL_NAME.fullmatch(name):
            mistakes.append(mistake(path, "a channel's name has letters, digits, dots and dashes only"))
        adapter = table.get("adapter")
        if not isinstance(adapter, str):
            continue
        own = {key: value for key, value in table.items() if key not in _GENERAL}
        kind, traits, settings, unavailable = adapter.partition(":")[0], None, None, ""
        try:
            found = adapter_of(adapter)
        except ConfigurationError as error:
            if isinstance(error.__cause__, ImportError):
                unavailable = str(error)
            else:
                mistakes.append(mistake((*path, "adapter"), str(error)))
        else:
            kind, traits = found.kind, getattr(found, "traits", None)
            settings = _settings(own, found.Settings, path, folder, mistakes)
        general = parsed.named["channels"].get(name)
        if general is not None:
            values = {key: getattr(general, key) for key in _GENERAL}
            authenticity = getattr(settings, "authenticity", "hint")
            channels[name] = ChannelPolicy(
                name=name, kind=kind, traits=traits, authenticity=authenticity, settings=settings,
                unavailable=unavailable, **values,
            )
    return channels


def _settings(
    own: dict[str, Any], model: type[BaseModel], path: tuple[str | int, ...], folder: Path, mistakes: list[str]
) -> BaseModel | None:
    """A channel's own keys, by its adapter's model; a key that the model would pass over is a mistake too."""
    known = [*_GENERAL, *keys_of(model)]
    before = len(mistakes)
    if model.model_config.get("extra", "ignore") != "allow":
        strange = [key for key in own if key not in known and key not in model.model_fields]
        mistakes += [mistake((*path, key), f"there is no such key{did_you_mean(key, known)}") for key in strange]
        own = {key: value for key, value in own.items() if key not in strange}
    settings = validate(own, model, path, mistakes, folder)
    return settings if len(mistakes) == before else None


def _secrets(value: object) -> Iterator[Secret]:
    """Every secret inside an adapter's settings."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(getattr(value, name))
    elif isinstance(value, Mapping):
        for inner in value.values():
            yield from _secrets(inner)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for inner in value:
            yield from _secrets(inner)


def _installed() -> AdapterOf:
    """The loader of the adapters that are installed beside the library."""
    adapter_of: AdapterOf = importlib.import_module("adapters").load
    return adapter_of


def _in_file_order(data: Mapping[str, Any], mistakes: list[str]) -> list[str]:
    order = {key: index for index, key in enumerate(data)}
    return sorted(dict.fromkeys(mistakes), key=lambda line: order.get(re.split(r"[.\[:]", line, maxsplit=1)[0], 99))


def _load(path: str | PathLike[str] | None = None) -> Policy:
    return preset("wallet") if path is None else load(Path(path))


Policy.load, Policy.preset = _load, preset
