"""Which of a text's two forms is to be read, the plain one or the page? Both as text in, the text to read out.

Mail programs write both, and the plain one is the better source (it marks quotes). But some write a placeholder there
("your program shows no HTML"), only a signature, or all paragraphs in one line. What is compared is which words the two
have in common; what a placeholder says is a sign beside that, never alone. Losing a customer's words is worse than
reading some twice, so two texts that have nothing in common are both read, unless the plain one speaks of itself.
"""

from __future__ import annotations

import re

__all__ = ["suffices", "to_read"]

#: A plain text with so many characters and lines is one; the page is not compared with it.
ENOUGH, ENOUGH_LINES = 2_000, 5
#: Characters of a text that are compared, and places of it that are looked for in the other.
MAX_COMPARED, PLACES = 20_000, 64
#: Characters that a placeholder may have, its links aside.
MAX_PLACEHOLDER = 500
#: The share of its places that a text has in common with one that says the same, and with one that does not.
MOSTLY, HARDLY = 0.7, 0.3
#: Lines of a page that a plain text in one line is not; and so many to one of a plain text that misses breaks.
MIN_LINES, FEWER = 3, 6

_TAG = re.compile(r"<[^<>]*>")
_LINK = re.compile(r"https?://\S+|<[^<>\s]{1,500}>|\[(?:cid:|image)[^\]]{0,200}\]|&nbsp;", re.IGNORECASE)
_NO_LETTERS = re.compile(r"[\W_]+")
_OF_ITSELF = re.compile(
    r"(?<![a-z])(?:html|mime|multipart|(?:e-?)?mail (?:client|program|reader|software)|web ?browser"
    r"|view(?:ed|ing)? (?:this|the|it)|rich[- ]text|plain[- ]text|alternative)(?![a-z])"
    r"|不支持|不支援|无法显示|無法顯示|不能显示|客户端|用戶端|浏览器|瀏覽器|在线(?:查看|阅读)|網頁版|网页版|格式(?:的)?[邮郵信]|"
    r"(?:查看|檢視|显示|顯示)(?:此|本|该)?(?:邮件|郵件|信件)",
    re.IGNORECASE,
)


def suffices(plain: str, html: str) -> bool:
    """Does this plain text say what the page says, as far as a cheap look at its source shows?"""
    lines = plain.count("\n")
    if len(plain) >= ENOUGH and lines >= ENOUGH_LINES:
        return True
    if not lines:
        return False
    letters, others = _letters(plain), _letters(_TAG.sub("", html))
    return 2 * len(letters) > len(others) and lines * FEWER > html.count("\n") and _share(letters, others) >= MOSTLY


def to_read(plain: str, page: str) -> str:
    """The text to read of a plain text and the words of the page that stands for the same."""
    letters, others = _letters(plain), _letters(page)
    if not letters or not others:
        return page if others else plain
    common = _share(letters, others)
    if common >= MOSTLY:
        return page if 2 * len(letters) <= len(others) or _is_unbroken(plain, page) else plain
    if common <= HARDLY and _share(others, letters) <= HARDLY and len(_LINK.sub("", plain)) <= MAX_PLACEHOLDER:
        return page if _OF_ITSELF.search(plain) else f"{plain}\n\n{page}"
    return plain


def _is_unbroken(plain: str, page: str) -> bool:
    """Does a plain text run lines of the page together, all or most of them?"""
    lines, others = (sum(1 for line in text.splitlines() if line.strip()) for text in (plain, page))
    return others >= MIN_LINES and (lines == 1 or FEWER * lines <= others)


def _letters(text: str) -> str:
    """The letters and digits of a text without what stands between them, links aside."""
    return _NO_LETTERS.sub("", _LINK.sub(" ", text[:MAX_COMPARED]).casefold())


def _share(letters: str, others: str) -> float:
    """The share of places of one text that stand in the other: short runs that no two texts have by chance."""
    size = min(10 if letters.isascii() else 5, len(letters))
    last = len(letters) - size
    step = max(1, last // PLACES)
    places = [letters[at : at + size] for at in range(0, last + 1, step)]
    return sum(place in others for place in places) / len(places)
