"""omnirouter refuses to start beside a distribution that owns one of its packages."""

from __future__ import annotations

import pytest

from router.errors import ForeignPackage
from workers.ownership import refuse_foreign_packages


@pytest.mark.parametrize(
    "owners",
    [
        {},
        {"router": ["omnirouter"], "adapters": ["OmniRouter"], "workers": ["omnirouter"]},
        {"transformers": ["adapters"]},
    ],
)
def test_our_own_packages_are_no_reason_to_stop(owners: dict[str, list[str]]) -> None:
    """An installation of ours, from a wheel or a checkout, starts."""
    refuse_foreign_packages(lambda: owners)


@pytest.mark.parametrize(
    ("owners", "named"),
    [
        ({"adapters": ["adapters"]}, ["adapters"]),
        ({"adapters": ["omnirouter", "adapters"]}, ["adapters"]),
        ({"router": ["url-router"], "workers": ["cf-workers"]}, ["url-router", "cf-workers"]),
    ],
)
def test_a_foreign_owner_is_named_with_what_to_run(owners: dict[str, list[str]], named: list[str]) -> None:
    """Each foreign distribution gets its sentence and the command that removes it."""
    with pytest.raises(ForeignPackage) as caught:
        refuse_foreign_packages(lambda: owners)
    assert len(caught.value.mistakes) == len(named)
    for name in named:
        assert f"pip uninstall {name}" in str(caught.value)


def test_what_is_installed_here_is_ours() -> None:
    """The environment that these tests run in owns the three packages itself."""
    refuse_foreign_packages()
