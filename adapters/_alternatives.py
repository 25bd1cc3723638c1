"""Which of a text's two forms is to be read, the plain one or the page? Both as text in, the text to read out.

Mail programs write both, and the plain one is the better source (it marks quotes). But some write a placeholder there
("your program shows no HTML"), only a signature, or all paragraphs in one line. What is compared is which words the two
have in common; what a placeholder says is a sign beside that, never alone. Losing a customer's words is worse than
reading some twice, so two texts that have nothing in common are both read, unless the plain one speaks of itself.
"""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

__all__ = ["is_enough", "to_read"]

#: A plain text with so many characters and lines is one; the page is not compared with it.
ENOUGH, ENOUGH_LINES = 2_000, 5
#: Characters of a text that are compared.
MAX_COMPARED = 20_000
#: Characters that a placeholder may have, its links aside.
MAX_PLACEHOLDER = 500
#: The share of its pairs of words that a text has in common with one that says the same, and with one that does not.
MOSTLY, HARDLY = 0.7, 0.3
#: Lines of a page that a plain text in one line is not.
MIN_LINES = 3
#: So many lines of a page to one of a plain text show that breaks are missing there.
FEWER = 6

_LINK = re.compile(r"https?://\S+|<[^<>\s]{1,500}>|\[(?:cid:|image)[^\]]{0,200}\]", re.IGNORECASE)
_WORD = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]|[^\W_\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]+")
_OF_ITSELF = re.compile(
    r"(?<![a-z])(?:html|mime|multipart|(?:e-?)?mail (?:client|program|reader|software)|web ?browser"
    r"|view(?:ed|ing)? (?:this|the|it)|rich[- ]text|plain[- ]text|alternative)(?![a-z])"
    r"|不支持|不支援|无法显示|無法顯示|不能显示|客户端|用戶端|浏览器|瀏覽器|在线(?:查看|阅读)|網頁版|网页版|格式(?:的)?[邮郵信]|"
    r"(?:查看|檢視|显示|顯示)(?:此|本|该)?(?:邮件|郵件|信件)",
    re.IGNORECASE,
)


def is_enough(plain: str) -> bool:
    """Is this plain text long and broken into lines, so that nobody put it in place of another?"""
    return len(plain) >= ENOUGH and plain.count("\n") >= ENOUGH_LINES


def to_read(plain: str, page: str) -> str:
    """The text to read of a plain text and the words of the page that stands for the same."""
    shown, others = _words(plain), _words(page)
    if not others:
        return plain
    if not shown:
        return page
    common = sum((_pairs(shown) & _pairs(others)).values()) / max(1, len(shown) - 1)
    if common >= MOSTLY:
        is_part = len(shown) <= len(others) / 2
        return page if is_part or _is_unbroken(plain, page) else plain
    if common <= HARDLY and len(_LINK.sub("", plain)) <= MAX_PLACEHOLDER:
        return page if _OF_ITSELF.search(plain) else f"{plain}\n\n{page}"
    return plain


def _is_unbroken(plain: str, page: str) -> bool:
    """Does a plain text run lines of the page together, all or most of them?"""
    lines, others = (sum(1 for line in text.splitlines() if line.strip()) for text in (plain, page))
    return others >= MIN_LINES and (lines == 1 or FEWER * lines <= others)


def _words(text: str) -> list[str]:
    """The words of a text, Chinese ones by the character, links aside."""
    return _WORD.findall(_LINK.sub(" ", text[:MAX_COMPARED]).casefold())


def _pairs(words: list[str]) -> Counter[tuple[str, ...]]:
    """Words with their right neighbours: single ones are common to all texts of a language."""
    return Counter(pairwise(words)) if len(words) > 1 else Counter([tuple(words)])
