"""Is this run of digits the number of a payment card, or of a resident's identity card?

In: digits without separators. Out: yes or no. A card has 13 to 19 digits, a right check digit (Luhn) and the prefix of
a known issuer; a resident identity number has 18 characters, a right check character (ISO 7064 MOD 11-2) and a date of
birth (rules: security, 3); that the place is in the list of today's counties is not asked, since people move the
borders. Chance alone makes one in ten numbers pass Luhn: the prefix is not left out.
"""

from __future__ import annotations

import re

__all__ = ["is_card", "is_resident_id"]

#: Issuer prefixes and the lengths that go with them.
_ISSUERS = re.compile(
    r"(?:4(?:[0-9]{12}|[0-9]{15}|[0-9]{18})"  # Visa; old debit cards of Chinese banks
    r"|(?:5[1-5][0-9]{2}|222[1-9]|22[3-9][0-9]|2[3-6][0-9]{2}|27[01][0-9]|2720)[0-9]{12}"  # Mastercard
    r"|3[47][0-9]{13}"  # American Express
    r"|62[0-9]{14,17}"  # UnionPay
    r"|81(?:0[0-9]|[1-6][0-9]|7[01])[0-9]{12,15}"  # UnionPay, newer range
    r"|(?:6011|64[4-9][0-9]|65[0-9]{2})[0-9]{12,15}"  # Discover
    r"|35(?:2[89]|[3-8][0-9])[0-9]{12,15}"  # JCB
    r"|3(?:0[0-5][0-9]|095|6[0-9]{2}|[89][0-9]{2})[0-9]{10,15}"  # Diners Club
    r"|(?:50[0-9]{2}|5[6-8][0-9]{2}|6304|67[0-9]{2})[0-9]{9,15}"  # Maestro
    r"|220[0-4][0-9]{12,15}"  # Mir
    r"|(?:9558|6013|6010|9400|9843|9860)[0-9]{12,15})"  # bank cards of China and Central Asia
)
_RESIDENT = re.compile(r"[1-9][0-9]{5}(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])[0-9]{3}[0-9Xx]")


def is_card(digits: str) -> bool:
    """13 to 19 digits with a known issuer's prefix and a right Luhn digit."""
    if not (13 <= len(digits) <= 19 and _ISSUERS.fullmatch(digits)) or digits.count(digits[0]) == len(digits):
        return False
    from stdnum import luhn  # it takes longer to load than most commands run

    return luhn.is_valid(digits)


def is_resident_id(characters: str) -> bool:
    """18 characters with a date of birth and a right check character."""
    if len(characters) != 18 or not _RESIDENT.fullmatch(characters):
        return False
    from stdnum.cn import ric

    return ric.calc_check_digit(characters) == characters[-1].upper()
