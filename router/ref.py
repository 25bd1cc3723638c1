"""How do people name a conversation? By its number, or by its short ref: `C-` and the number in Crockford's base 32.

A ref is a name, never evidence: quoting one proves nothing (rules: security, 0.5).
"""

from __future__ import annotations

from router.errors import NotFound

__all__ = ["number_of", "ref_of"]

_DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_READ = {**{c: i for i, c in enumerate(_DIGITS)}, "O": 0, "I": 1, "L": 1}


def ref_of(number: int) -> str:
    """The short ref of a conversation's number: 1050 is `C-10T`."""
    text = ""
    while number:
        number, digit = divmod(number, 32)
        text = _DIGITS[digit] + text
    return f"C-{text or '0'}"


def number_of(text: str) -> int:
    """The number that a person meant: digits, or a ref in any case. Raises `NotFound` with what would be right."""
    word = text.strip().upper()
    if word.isascii() and word.isdigit() and len(word) < 19:
        return int(word)
    digits = word.removeprefix("C-")
    if word.startswith("C-") and digits and len(digits) < 13 and all(c in _READ for c in digits):
        number = 0
        for c in digits:
            number = number * 32 + _READ[c]
        return number
    raise NotFound(f"{text!r} names no conversation; right would be its number (1050) or its ref (C-10T).")
