"""Which class speaks for a kind of channel?

In: the `adapter` of a channel's table: the name of a module or folder here (`telegram` is `adapters.telegram`, whose
attribute `adapter` names the class) or a private one, `module:Class`. Out: the class, checked against the port. An
adapter is loaded only when a channel asks for it; a missing library, an unknown name or an incomplete class gives one
sentence. `adapters.kit` is what they share.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from datetime import timedelta
from functools import cache
from types import ModuleType
from typing import Any, Final, cast

from router.errors import ConfigurationError
from router.kinds import Traits
from router.policy.sentences import cut, did_you_mean, ended
from router.ports import Adapter

__all__ = ["TRAITS", "available", "kind_named", "load"]

_OURS: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", re.ASCII)
_PRIVATE: Final = re.compile(r"(?P<module>[A-Za-z_]\w*(\.[A-Za-z_]\w*)*):(?P<name>[A-Za-z_]\w*)", re.ASCII)
#: The traits of the adapters that ship, where they differ from those of a chat; here, so that none is loaded for them.
TRAITS: Final = {
    "email": Traits(chat=False),
    "messenger": Traits(reply_window=timedelta(hours=24)),
    "phone": Traits(chat=False, heard=True),
    "wechat": Traits(reply_window=timedelta(hours=48)),
}
#: Further names that recorded messages give a kind.
_OTHER_NAMES: Final = {"chat": "webhook", "facebook": "messenger", "mail": "email"}
#: What adapters share is none.
_SHARED: Final = "kit"
#: What a class needs to be an adapter (`router.ports.Adapter`).
_CALLS: Final = ("translate", "deliveries", "backfill", "send", "connect", "close")


def available() -> list[str]:
    """The adapters that ship, by name; nothing is imported."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__) if module.name != _SHARED)


@cache
def kind_named(name: str) -> str:
    """The kind that the name of a channel means which nobody configured; `webhook` for a name of somebody's own."""
    return name if name in available() else _OTHER_NAMES.get(name, "webhook")


def load(name: str) -> type[Adapter]:
    """The adapter class of this name.

    Raises ConfigurationError with one sentence; its cause is the ImportError when a library is not installed.
    """
    private = _PRIVATE.fullmatch(name)
    if private:
        module, attribute = _imported(private["module"], name), private["name"]
    elif name != _SHARED and _OURS.fullmatch(name) and (f"{__name__}.{name}" in sys.modules or name in available()):
        module, attribute = _imported(f"{__name__}.{name}", name), "adapter"
    else:
        hint = ended(f'there is no adapter "{cut(name)}"{did_you_mean(name, available())}')
        raise ConfigurationError(f'{hint} A private one is written "module:Class".')
    found = getattr(module, attribute, None)
    lacking = _lacking(found)
    if lacking:
        raise ConfigurationError(f'the adapter "{name}" cannot be used: {module.__name__}.{attribute} {lacking}.')
    return cast("type[Adapter]", found)


def _imported(module: str, name: str) -> ModuleType:
    try:
        return importlib.import_module(module)
    except ImportError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            raise ConfigurationError(
                f'there is no module "{module}" for the adapter "{name}"; install it, or correct its name.'
            ) from None
        ours = module.startswith(f"{__name__}.")
        remedy = f"pip install 'omnirouter[{name}]'" if ours else f"install {error.name or 'what it imports'}"
        raise ConfigurationError(f'the adapter "{name}" needs a library that is not installed: {remedy}.') from error
    except Exception as error:  # whatever a private module does while it is imported ends in one sentence
        reason = cut(f"{type(error).__name__}: {error}")
        raise ConfigurationError(f'the adapter "{name}" cannot be loaded: {module} raised {reason}.') from None


def _lacking(found: Any) -> str:
    """What keeps this object from being an adapter, as the end of a sentence."""
    from pydantic import BaseModel

    if not isinstance(found, type):
        return "is no class"
    if not isinstance(getattr(found, "kind", None), str):
        return 'has no kind, such as kind = "line"'
    settings = getattr(found, "Settings", None)
    if not (isinstance(settings, type) and issubclass(settings, BaseModel)):
        return "has no Settings, a pydantic model of its channel's table"
    missing = [call for call in _CALLS if not callable(getattr(found, call, None))]
    return f"lacks {', '.join(missing)}" if missing else ""
