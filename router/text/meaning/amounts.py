"""Which sum of money is this number?

In: digits as written ("1,200.50", "2", with "k" or "万" behind) or a Chinese numeral ("两千三", "一万多"). Out: plain
decimal text ("1200.5", "2000", "2300", "10000"), equal for equal sums however they were written.
"""

from __future__ import annotations

import re

from router.text.meaning.number_context import cues

__all__ = ["CHINESE", "PLAIN", "multiplied", "of_chinese", "plain"]

#: A number in digits: with or without thousands' commas and decimals.
PLAIN = re.compile(r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]{1,8})?")
_ONES = "一二两兩三四五六七八九壹贰叁肆伍陆柒捌玖"
#: A number in Chinese characters; `of_chinese` reads it.
CHINESE = re.compile(f"[{_ONES}十几][{_ONES}十百千万萬零〇拾佰仟亿]{{0,15}}")

_WORDS = ("零〇", "一壹", "二两兩贰", "三叁", "四肆", "五伍", "六陆", "七柒", "八捌", "九玖")
_DIGITS = {character: value for value, characters in enumerate(_WORDS) for character in characters}
_UNITS = {"十": 10, "拾": 10, "百": 100, "佰": 100, "千": 1000, "仟": 1000}
_GROUPS = {"万": 10_000, "萬": 10_000, "亿": 100_000_000}


def plain(number: str) -> str:
    """The shortest decimal text of a number in digits."""
    whole, _, decimals = number.replace(",", "").partition(".")
    decimals = decimals.rstrip("0")
    return (whole.lstrip("0") or "0") + (f".{decimals}" if decimals else "")


def multiplied(number: str, word: str, next_digit: str = "") -> str:
    """A number times a multiple: ("1.2", "万") is 12000; a digit behind is the next place: ("1", "万", "2") too."""
    factor = cues().multiples[word]
    whole, _, decimals = plain(number).partition(".")
    shifted = decimals.ljust(len(str(factor)) - 1, "0")
    zeros = len(str(factor)) - 1
    value = int(whole + shifted[:zeros]) + (int(next_digit) * factor // 10 if next_digit else 0)
    return plain(f"{value}.{shifted[zeros:]}")


def of_chinese(numeral: str) -> str:
    """The value of a Chinese numeral of at least one unit (十, 百, 千, 万), or nothing where it is none."""
    total = section = digit = 0
    last = 1
    for character in numeral:
        if character in _DIGITS:
            digit = _DIGITS[character]
            last = 1 if character in "零〇" else last
        elif character in _UNITS:
            last = _UNITS[character]
            section += (digit or 1) * last
            digit = 0
        elif character in _GROUPS:
            last = _GROUPS[character]
            total += (section + digit or 1) * last
            section = digit = 0
        else:
            return ""
    if digit and last > 10 and numeral[-2:-1] not in ("零", "〇"):
        digit *= last // 10
    return str(total + section + digit)
