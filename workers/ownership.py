"""Do the packages router, adapters and workers belong to omnirouter?

In: what is installed beside us. Out: nothing, or ForeignPackage with one sentence: the package index has a live
distribution that installs a top-level package `adapters`, and whichever comes first on the path would win.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from importlib.metadata import packages_distributions
from typing import Final

from router.errors import ForeignPackage

__all__ = ["OURS", "refuse_foreign_packages"]

OURS: Final = ("router", "adapters", "workers")


def refuse_foreign_packages(owners: Callable[[], Mapping[str, list[str]]] = packages_distributions) -> None:
    """Raise ForeignPackage when another distribution owns one of our packages. Takes about 0.2 s: once a start."""
    installed = owners()
    foreign = {
        owner: package
        for package in OURS
        for owner in installed.get(package, ())
        if re.sub(r"[-_.]+", "-", owner).lower() != "omnirouter"
    }
    if foreign:
        raise ForeignPackage(
            [
                f'The distribution "{owner}" also installs a package called "{package}", which is omnirouter\'s: '
                f"run `pip uninstall {owner}`, or give omnirouter a virtual environment of its own."
                for owner, package in foreign.items()
            ]
        )
