"""Which addresses are the desk's own."""

from __future__ import annotations

import pytest

from router.ours import Ours

DESK = Ours.of(
    ["wallet.example"], ["support@pay.example", "desk@gmail.com", "Help@QQ.com"], {"li@partner.example": "li"}
)


@pytest.mark.parametrize(
    ("address", "house", "owns"),
    [
        ("anybody@wallet.example", True, True),
        ("anybody@hr.wallet.example", True, True),
        ("anybody@notwallet.example", False, False),
        ("noreply@pay.example", True, False),
        ("support@pay.example", True, True),
        ("Support+abc@pay.example", True, True),
        (f"{'a' * 48}@pay.example", True, True),
        ("desk@gmail.com", False, True),
        ("desk+token@gmail.com", False, True),
        ("chen@gmail.com", False, False),
        ("chen@qq.com", False, False),
        ("help@qq.com", False, True),
        ("li@partner.example", True, True),
        ("wu@partner.example", False, False),
        ("", False, False),
    ],
)
def test_the_house_and_what_it_reads(address: str, house: bool, owns: bool) -> None:
    """A channel's domain is the house, unless everybody may have a mailbox there; what the desk reads needs no copy."""
    assert (DESK.house(address), DESK.owns(address)) == (house, owns)


def test_an_agent_is_known_by_his_address() -> None:
    """Whatever the case of its letters."""
    assert DESK.agent("LI@partner.example") == "li"
    assert DESK.agent("wu@partner.example") == ""
