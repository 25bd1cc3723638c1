"""What is wrong with a table of the configuration, in the words of the file?

In: a table, the pydantic model of it, the table's path. Out: the validated model or None, and one sentence a mistake
with its path (`channels.support-mail.imap.host: is missing.`). Values are not repeated, only their kinds: a wrong value
may be a secret at the wrong place.
"""

from __future__ import annotations

import datetime as dt
import types
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path as FilePath
from typing import Annotated, Any, Final, TypeAlias, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, PydanticUserError, ValidationError
from pydantic_core import ErrorDetails

from router.policy.sentences import cut, did_you_mean, dotted, ended, quoted

__all__ = ["Path", "keys_of", "mistake", "unknown", "validate"]

Model = TypeVar("Model", bound=BaseModel)
Path: TypeAlias = tuple[str | int, ...]

#: What a type error of pydantic asks for.
_WANTED: Final = {
    "string": "a text in quotes", "str": "a text in quotes", "int": "a whole number", "float": "a number",
    "bool": "true or false", "list": "a list [ … ]", "tuple": "a list [ … ]", "set": "a list [ … ]",
    "frozen_set": "a list [ … ]", "dict": "a table { … }", "mapping": "a table { … }", "model": "a table { … }",
    "model_attributes": "a table { … }", "timedelta": 'a duration such as "2m"', "url": "a web address",
}  # fmt: skip
_KINDS: Final[tuple[tuple[type | tuple[type, ...], str], ...]] = (
    (bool, "true or false"), (str, "a text"), (int, "a whole number"), (float, "a number"), (Mapping, "a table"),
    (list, "a list"), ((dt.date, dt.time), "a date or time"),
)  # fmt: skip


def validate(
    table: object, model: type[Model], path: Path, mistakes: list[str], folder: FilePath | None = None
) -> Model | None:
    """Check one table; None when it has mistakes, which are added with their paths. `folder` is that of the file."""
    try:
        return model.model_validate(table, context={"folder": folder})
    except ValidationError as error:
        found = error.errors(include_url=False)
    except PydanticUserError as error:  # a private adapter's model that pydantic cannot build
        mistakes.append(mistake(path, f"the settings of its adapter are unusable: {str(error).splitlines()[0]}"))
        return None
    mistakes += [mistake(path + _place(table, d["loc"]), _sentence(d, model)) for d in found if not _follows(d)]
    return None


def mistake(path: Path, sentence: str) -> str:
    """One line of a ConfigurationError: the path as written, and what would be right."""
    return ended(f"{dotted(path)}: {sentence}")


def keys_of(model: type[BaseModel]) -> list[str]:
    """The keys of a table, as the file writes them."""
    return [field.alias or name for name, field in model.model_fields.items()]


def _follows(detail: ErrorDetails) -> bool:
    """Is this list only too short because an entry of it is wrong, which is said already?"""
    least, given = detail.get("ctx", {}).get("min_length"), detail["input"]
    return detail["type"] == "too_short" and isinstance(given, list) and isinstance(least, int) and len(given) >= least


def _place(table: object, loc: Sequence[str | int]) -> Path:
    """The part of pydantic's location that exists in the file: names of union branches are none."""
    place: list[str | int] = []
    here: Any = table
    for index, part in enumerate(loc):
        last = index == len(loc) - 1
        if isinstance(here, Mapping) and isinstance(part, str):
            if part in here or (last and part != "[key]"):
                place.append(part)
                here = here.get(part)
        elif isinstance(here, list) and isinstance(part, int):
            place.append(part)
            here = here[part] if part < len(here) else None
    return tuple(place)


def _sentence(detail: ErrorDetails, model: type[BaseModel]) -> str:
    """One complaint of pydantic as the end of a sentence that began with the path."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind == "missing":
        return "is missing"
    if kind in ("extra_forbidden", "unexpected_keyword_argument"):
        return "there is no such key" + did_you_mean(detail["loc"][-1], _keys_at(model, detail["loc"][:-1]))
    if kind in ("literal_error", "enum"):
        return _one_of(detail)
    if kind == "value_error":
        return str(context.get("error", "is wrong")).rstrip(".")
    if kind in ("too_long", "too_short"):
        return _count(kind, context)
    if kind == "string_pattern_mismatch":
        return f"does not have the form {context.get('pattern')}"
    for ending in ("_type", "_parsing", "_from_float"):
        wanted = _WANTED.get(kind.removesuffix(ending)) if kind.endswith(ending) else None
        if wanted:
            return f"expected {wanted}, not {_kind(detail['input'])}"
    return detail["msg"].replace("Input should", "should").replace("String should", "should").rstrip(".")


def _one_of(detail: ErrorDetails) -> str:
    """A value outside a closed list: the list, and the near miss."""
    allowed = str(detail.get("ctx", {}).get("expected", "")).replace(" or ", ", ")
    words = [word.strip("'") for word in allowed.split(", ")]
    given = detail["input"]
    near = did_you_mean(given, words) if isinstance(given, str) else ""
    hint = near if near.startswith("; did") else ""
    return f"expected one of {quoted(words)}{hint}"


def _count(kind: str, context: Mapping[str, Any]) -> str:
    most, least, actual = context.get("max_length"), context.get("min_length"), context.get("actual_length")
    bound = f"at most {most}" if kind == "too_long" else f"at least {least}"
    return f"has {actual} entries; {bound} are allowed"


def _kind(value: object) -> str:
    for types_, words in _KINDS:
        if isinstance(value, types_):
            return words
    return "nothing" if value is None else "that"


def _keys_at(model: type[BaseModel], loc: Iterable[str | int]) -> list[str]:
    """The keys of the table that a location lies in."""
    here: type[BaseModel] | None = model
    for part in loc:
        if here is None or isinstance(part, int):
            continue
        field = next((f for name, f in here.model_fields.items() if part in (name, f.alias)), None)
        inner = _model_in(field.annotation) if field is not None else None
        here = inner if field is not None else here
    return keys_of(here) if here is not None else []


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside `X | None`, `list[X]`, `dict[str, X]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, types.UnionType, list, tuple, dict, Annotated, Mapping, Sequence):
        return next((found for part in get_args(annotation) if (found := _model_in(part)) is not None), None)
    return None


def unknown(what: str, word: object, known: Iterable[str]) -> str:
    """The end of a sentence about a name that is not there."""
    return f'there is no {what} "{cut(str(word))}"{did_you_mean(word, known)}'
