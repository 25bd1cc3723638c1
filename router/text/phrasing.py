"""In which form is something said: does it ask, define, refer to what was told, address the desk?

In: a folded text. Out: whether the form is found in it. Chinese words are sought anywhere, and only in a text that is
not all ASCII; English ones at its beginning or anywhere, the latter only where a part of them stands at all: most
messages of either language cost a few look-ups.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["ADDRESSES", "ASKS", "DEFINES", "REFERS", "Form"]


class Form:
    """One form: Chinese words (`han`), English words that begin a text and that stand anywhere, the latter with one of
    the `parts`, or one of the `parts` alone."""

    def __init__(self, han: str, begins: str = "", within: str = "", parts: tuple[str, ...] = ()) -> None:
        self._han = re.compile(han)
        self._begins = re.compile(begins) if begins else None
        self._within = re.compile(within) if within else None
        self._parts = parts

    def found_in(self, text: str) -> bool:
        """Is it found in this folded text?"""
        if self._begins is not None and self._begins.match(text):
            return True
        if any(part in text for part in self._parts) and (self._within is None or self._within.search(text)):
            return True
        return not text.isascii() and self._han.search(text) is not None


ASKS: Final = Form(
    r"([\u4e00-\u9fff])不\1|(?<!过)什么|啥|怎么|咋|为何|多久|多长|多少|几时|何时|哪|谁"
    r"|(?:吗|么|呢|如何|怎样|[了好到完清楚过成着白果出掉定来]没有?|[^不]不)[\s.!~,]*$",
    begins=r"(?:so |and |but |then |hi |hello )?"
    r"(?:is|are|was|were|did|does|do|have|has|(?:when|what|where|why|how|who)(?:'?s)?|can|could|will|would|any)\b",
    parts=("?",),
)
#: The form of a detail: this is that, is called so, reads so, was chosen so.
DEFINES: Final = Form(
    r"(?<![还可但总老不只于就要都])是(?!不是)|叫|名称|名字"
    r"|写的|选的|用的|登记的|预留|尾号|型号|(?:小票|订单|流水|单据)号|日期|时间为|有效期",
    begins=r"(?:it'?s|(?:it|(?:the|his|her|their|its|that|i'm|i am)(?: [a-z0-9'-]+){0,3})"
    r" (?:is|was|are|says|said|reads|has|uses|using))\b"
    r"|i (?:am|used|use|chose|picked|live|work|put|wear)\b",
    within=r"\b(?:is|was|are) (?:called|named)\b",
    parts=(" called", " named"),
)
#: The form of what was told before: the problem, my refund, that matter.
REFERS: Final = Form(
    r"(?:[那这]|的)(?:个|件|笔|单)?(?:事|问题|情况)|那笔|那单",
    within=r"\b(?:the|my|our|that|this)\b.*"
    r"\b(?:problem|issue|matter|case|solved|fixed|sorted|progress|status|state|outcome)\b",
    parts=("problem", "issue", "matter", "case", "solved", "fixed", "sorted", "progress", "stat", "outcome"),
)
#: The form of a question to the desk.
ADDRESSES: Final = Form(
    r"你们?|您",
    within=r"\b(?:do|did|have|can|could|will|are|would) (?:you|u|anyone|somebody|someone)\b",
    parts=(" u", " you", " any", " some"),
)
