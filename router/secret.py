"""Where is a secret kept? A `Secret` holds only a reference, never the secret itself.

In: a reference as the configuration writes it, `env:NAME` or `file:PATH` (a relative path counts from the folder of the
configuration file). Out: `reveal()` reads the secret at the moment it is needed. Printing, formatting and pickling give
stars, so no log line, error report or copy of the configuration can carry one (rules: security, 3).
"""

from __future__ import annotations

import base64
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from router.errors import ConfigurationError

if TYPE_CHECKING:
    from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler, ValidationInfo
    from pydantic.json_schema import JsonSchemaValue
    from pydantic_core import CoreSchema

__all__ = ["STARS", "Secret", "Verifies"]

#: What anybody sees who looks at a secret.
STARS: Final = "***"
_ENV = re.compile(r"env:[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_WRONG = 'a secret is given by reference only, as "env:NAME" or "file:PATH", never written out'


class Verifies:
    """Says of a field of secrets, as `Annotated[…, Verifies(24)]`, that they prove who sends: a shorter one does not.

    `least` counts bytes; with `standard` those that the base64 behind `whsec_` stands for.
    """

    __slots__ = ("least", "standard")

    def __init__(self, least: int, *, standard: bool = False) -> None:
        self.least = least
        self.standard = standard

    def weakness(self, value: str) -> str:
        """Why this secret verifies nothing; empty where it does."""
        if not value.strip():
            return "it holds only blanks"
        if value != value.strip():
            return "it begins or ends with a blank"
        size = len(value.encode())
        if self.standard and not value.startswith("whpk_"):
            try:
                size = len(base64.b64decode(value.removeprefix("whsec_"), validate=True))
            except (ValueError, UnicodeEncodeError):
                return f"it is no base64; whsec_ and {self.least} random bytes or more in base64 would be right"
        return f"it has {size} bytes, and {self.least} would be right" if size < self.least else ""


class Secret:
    """A reference to a secret; equal when the references are."""

    __slots__ = ("_folder", "_reference")
    _folder: Path | None
    _reference: str

    def __init__(self, reference: str, folder: Path | None = None) -> None:
        """Take `env:NAME` or `file:PATH`; raises ConfigurationError for anything else, without repeating it."""
        if not _is_reference(reference):
            raise ConfigurationError(f"{_WRONG}.")
        object.__setattr__(self, "_reference", reference)
        object.__setattr__(self, "_folder", folder)

    @classmethod
    def of(cls, reference: str, folder: Path | None = None) -> Secret:
        """The secret behind this reference; `folder` is where a relative `file:` path begins (default: here)."""
        return cls(reference, folder)

    @property
    def reference(self) -> str:
        """The reference as written, which is no secret: `env:MAIL_PASSWORD`."""
        return self._reference

    @property
    def path(self) -> Path | None:
        """The file that holds the secret, or None for an environment variable."""
        scheme, _, rest = self._reference.partition(":")
        if scheme != "file":
            return None
        path = Path(rest).expanduser()
        return path if self._folder is None else self._folder / path

    def reveal(self) -> str:
        """Read the secret now (the last line break of a file is no part of it).

        Raises ConfigurationError with one sentence that names the reference when it is unset, empty or unreadable.
        """
        path = self.path
        value = os.environ.get(self._reference[4:], "") if path is None else self._read(path)
        if not value:
            remedy = f"export {self._reference[4:]}" if path is None else f"write the secret into {path}"
            raise ConfigurationError(f"The secret {self._reference} is not set: {remedy}, or change the reference.")
        return value

    def is_set(self) -> bool:
        """Would `reveal` give a secret now?"""
        try:
            return bool(self.reveal())
        except ConfigurationError:
            return False

    def _read(self, path: Path) -> str:
        try:
            return path.read_text(encoding="utf-8").rstrip("\r\n")
        except FileNotFoundError:
            return ""
        except UnicodeDecodeError:
            raise ConfigurationError(f"The secret {self._reference} is not UTF-8 text: check {path}.") from None
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or "not a path"
            raise ConfigurationError(f"The secret {self._reference} cannot be read ({reason}): check {path}.") from None

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a Secret is never changed")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return (self._reference, self._folder) == (other._reference, other._folder)

    def __hash__(self) -> int:
        return hash((self._reference, self._folder))

    def __repr__(self) -> str:
        return STARS

    def __format__(self, spec: str) -> str:
        return format(STARS, spec)

    def __copy__(self) -> Secret:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Secret:
        return self

    def __reduce__(self) -> tuple[type[str], tuple[str]]:
        """Pickle the stars: a secret never travels to another process or into a file."""
        return str, (STARS,)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Take a reference in a pydantic model; `context={"folder": Path}` says where relative files begin."""
        from pydantic_core import core_schema

        return core_schema.with_info_plain_validator_function(
            cls._validate, serialization=core_schema.plain_serializer_function_ser_schema(lambda _: STARS)
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        """Describe the reference, as the file writes it."""
        return {"type": "string", "pattern": "^(env|file):.+$"}

    @classmethod
    def _validate(cls, value: object, info: ValidationInfo) -> Secret:
        from pydantic_core import PydanticCustomError

        if isinstance(value, Secret):
            return value
        if not isinstance(value, str) or not _is_reference(value):
            raise PydanticCustomError("secret_reference", _WRONG)
        context = info.context if isinstance(info.context, dict) else {}
        return cls(value, context.get("folder"))


def _is_reference(text: str) -> bool:
    """`env:NAME` or `file:PATH`, with a name that a shell can export and a path that can exist."""
    if text.startswith("file:"):
        return bool(text[5:].strip()) and "\0" not in text
    return bool(_ENV.fullmatch(text))
