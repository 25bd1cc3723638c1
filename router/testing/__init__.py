"""Does an adapter keep its port's promise? The contract suites that every adapter must pass.

A private adapter's tests subclass `AdapterContract` (with HTTP routes: `RouteContract`) and fill in its settings, its
secrets and some raws. `loopback_only` is a guard for any test: no socket leaves the machine.
pytest and hypothesis are needed, and imported, only when a suite is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from router.testing.adapter_contract import AdapterContract, RouteContract
    from router.testing.sockets import loopback_only

__all__ = ["AdapterContract", "RouteContract", "loopback_only"]

_HOME = {
    "AdapterContract": "router.testing.adapter_contract",
    "RouteContract": "router.testing.adapter_contract",
    "loopback_only": "router.testing.sockets",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(_HOME[name]), name)
    except ModuleNotFoundError as error:
        if error.name not in ("pytest", "hypothesis"):
            raise
        raise ModuleNotFoundError(f"router.testing.{name} needs pytest and hypothesis: install both.") from error
