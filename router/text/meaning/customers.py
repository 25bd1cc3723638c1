"""Which other person does a message name as the customer: 客户王芳, 委托客户"渡口书店", my client Tidewater Cycles?

In: own words with the subject, as written. Out: short keys of the names, equal for the same person written twice:
accountants, assistants and shops write of many, and one of them is never the other (rules: follow-ups, 7d). Pure,
linear; what is not clearly a name is none.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["customers"]

_MOST: Final = 8
#: Without one of these nobody is named as the customer.
_CALLED: Final = (
    "客户", "客戶", "委托人", "委託人", "会员", "會員", "顾客", "顧客", "业主", "業主",
    "client", "customer", "patient", "tenant", "guest", "student", "member", "behalf",
)  # fmt: skip
_SURNAMES: Final = (
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫朱胡郭何林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾肖田董袁潘于蒋蔣蔡余杜叶葉程苏蘇魏吕呂丁任沈姚卢盧姜崔钟鍾谭譚陆陸"
    "汪范廖贾夏韦邹孟熊秦邱尹薛闫段侯史陶黎贺顾顧毛郝龚邵严嚴覃武戴莫孔"
)
#: A quoted name behind the word, or a surname with what follows it (two characters tell most people apart).
_HAN: Final = re.compile(
    r"(?:客户|客戶|委托人|委託人|会员|會員|顾客|顧客|业主|業主)[:：是叫为]?\s?"
    rf"(?:[\"“「『《]([^\"”」』》]{{2,24}})[\"”」』》]|([{_SURNAMES}][\u4e00-\u9fff]))"
)
_LATIN: Final = re.compile(
    r"\b(?i:my|our|another|a|the|different|other) (?i:client|customer|patient|tenant|guest|student|member)\b,?"
    r"(?: called| named| is|:)? (?:(?:Mr|Mrs|Ms|Dr)\.? )?([A-Z][\w'’&-]+(?: (?:[A-Z&][\w'’&-]*))?)"
    r"|\b(?i:on behalf of) (?:(?:Mr|Mrs|Ms|Dr)\.? )?([A-Z][\w'’&-]+(?: (?:[A-Z&][\w'’&-]*))?)"
)


def customers(text: str) -> tuple[str, ...]:
    """The keys of the customers that a text names, in order and once. Total."""
    low = text.lower()
    if not any(word in low for word in _CALLED):
        return ()
    found: dict[str, None] = {}
    for form in (_HAN, _LATIN):
        for match in form.finditer(text):
            name = next(part for part in match.groups() if part)
            found["".join(name.lower().split())] = None
    return tuple(found)[:_MOST]
