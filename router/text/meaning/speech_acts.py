"""In which form is something said: does it ask, define, refer to what was told, address the desk?

In: a folded text. Out: whether the form is found in it, or which of the forms of any message are. Chinese words are
sought anywhere, English ones at its beginning or anywhere, and a form that stands anywhere only where one of its signs
or parts does, without which it cannot: one walk over the text tells of all forms which are worth a look.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Final

from router.text.word_finder import WordFinder

__all__ = [
    "ADDRESSES", "ADDS", "ASKS", "CORRECTS", "DEFINES", "PROGRESS", "RECURS", "REFERS", "REQUESTS", "UNRELATED", "Form",
    "forms_in",
]  # fmt: skip


def _pairs(first: str, second: str) -> tuple[str, ...]:
    """Each word of the one list before each of the other."""
    return tuple(map(" ".join, product(first.split(), second.split())))


class Form:
    """One form: Chinese words (`han`), English words that begin a text and that stand anywhere, the latter with one of
    the `parts`, or one of the `parts` alone. Without one of the `signs` the Chinese words cannot be there."""

    def __init__(
        self, han: str, begins: str = "", within: str = "", parts: tuple[str, ...] = (), signs: str = ""
    ) -> None:
        self.han = re.compile(han)
        self._begins = re.compile(begins) if begins else None
        self.within = re.compile(within) if within else None
        self.parts = parts
        self.signs = tuple(signs.split())

    def found_in(self, text: str) -> bool:
        """Is it found in this folded text?"""
        return self.begins(text) or self.stands_in(text, any(part in text for part in self.parts))

    def begins(self, text: str) -> bool:
        """Does this folded text begin with it?"""
        return self._begins is not None and self._begins.match(text) is not None

    def stands_in(self, text: str, parted: bool) -> bool:
        """Does it stand anywhere in this folded text? `parted`: one of its parts does."""
        if parted and (self.within is None or self.within.search(text)):
            return True
        return not text.isascii() and self.han.search(text) is not None


ASKS: Final = Form(
    r"([\u4e00-\u9fff])不\1|(?<!过)什么|啥|怎么|咋|为何|多久|多长|多少|几时|何时|哪|谁"
    r"|(?:吗|么|呢|如何|怎样|[了好到完清楚过成着白果出掉定来]没有?|[^不]不)[\s.!~,]*$",
    begins=r"(?:so |and |but |then |hi |hello )?"
    r"(?:is|are|was|were|did|does|do|have|has|(?:when|what|where|why|how|who)(?:'?s)?|can|could|will|would|any)\b",
    within=r"\?|[.,;!]\s*(?:what|when|where|why|how|who)(?:'?s| is| are| was| will| can| do| did| has)\b",
    parts=("?", "what", "when", "where", "why", "how", "who"),
    signs="不 什么 啥 怎 咋 为何 多久 多长 多少 几时 何时 哪 谁 吗 么 呢 如何 没",
)
#: The form in which something is begun beside what was told.
ADDS: Final = Form(
    r"^[哦噢喔啊嗯哎诶欸,. ]*(?:还有|仲有|另外|顺便|对了|再问|再请教|还想问|另|同埋|再有|再就是|其[二三]"
    r"|第[二三四](?![笔单次个天张遍步位句条种页行项封]))",
    begins=r"(?:oh |and |so |hi |hello |ok )*(?:(?:also(?! (?:here|it|the same|attach|i attach|still|tried|i tried))"
    r"|btw|by the way|plus|and another|one more|while i|(?:second|third|2nd|3rd) (?:thing|matter|problem|issue|i))\b"
    r"|(?:second|third)(?:ly)?,)",
    signs="还有 仲有 另 顺便 对了 再问 再请教 还想问 同埋 再有 再就是 其二 其三 第二 第三 第四",
)
#: The form in which something is joined on, be it of the same matter or not.
JOINS: Final = Form(
    r"^(?:而且|并且|然后|再来)|也(?=[没不扣被登收])",
    begins=r"and (?!(?:no|yes|it|that|so)\b)",
    signs="而且 并且 然后 再来 也没 也不 也扣 也被 也登 也收",
)
#: The form of a correction: the number that was given before was mistaken, right is this one.
CORRECTS: Final = Form(
    r"(?<!密码)(?<!证码)(?:写|打|填|输|发|贴|给|说|搞|弄|抄)错|报错了?(?=[单订流编卡账户手尾]|号)|更正|才对"
    r"|(?:应该是|应该为|应为|正确的是)[^,.!?]{0,6}[0-9a-z-]{5}",
    within=r"\b(?:typo|mistyped|my (?:mistake|bad|error)|oops|i meant|misread|typed (?:it )?wrong|correction"
    r"|should (?:be|read|say|have been):? (?:#|no\.? ?|number )?[a-z]{0,4}-?\d{3}"
    r"|(?:right|correct|actual) (?:one|number|order|ref|reference|id)(?: is|:)"
    r"|(?:gave|wrote|sent)(?: you)? (?:the|a) wrong|wrong (?:(?:order |ref(?:erence)? )?(?:number|no|id)|reference)\b)",
    parts=(
        "typo", "mistyped", "oops", "i meant", "misread", "wrong", "correction",
        *_pairs("my", "mistake bad error"), *_pairs("should", "be read say have"),
        *_pairs("right correct actual", "one number order ref id"),
    ),
    signs="错 更正 才对 应该是 应该为 应为 正确的是",
)
#: The form of what turned out well: it arrived, it works, I see it.
SETTLED: Final = Form(
    r"(?<![没未不冇唔])(?:(?:到|收到|看到|见到|进来|回来|退回来|进去|登上|绑上|连上|领到|查到|转成|成功|恢复|弄好|修好|解封|解冻|开通|打开|能用|可以用"
    r"|好|有|行|成|响|开)(?:了|喇|咗|啦)|(?:到账|到帐|入账|解决|搞定|正常)(?:了|喇|咗|啦|$)|得咗|搞掂|返咗|见返|收悉)",
    within=r"\b(?:there it is|there we go|it'?s (?:in|back|there|here|open|working|fine|done|sorted)"
    r"|(?:is|are|was) (?:back|there|here|open|working|in|paid|credited)(?: now)?[.!,]*$"
    r"|(?:has|have|just|finally) (?:arrived|landed|come|cleared|opened)|(?:came|come|gone) (?:through|back|in)"
    r"|(?:arrived|landed|received|works|worked|working|sorted|fixed|opened)\b|i'?m in|i(?: can|'ve| have)? see it"
    r"|back to normal|all (?:there|good|fine|sorted|square))",
    parts=(
        "there", "back", "'s ", "its ", "here", "open", "work", " in", "paid", "credited", "arrived", "landed", "come",
        "came", "gone", "cleared", "received", "sorted", "fixed", "see", "all ",
    ),
)
#: The form of a reserve: it turned out well, but.
RESERVE: Final = Form(
    r"但|可是|不过|只是|却|说|还[没未是差有不要]|没有?|未|不[能了到是对见行好]|又|才|一半|少了",
    within=r"\b(?:but|though|says?|although|only|except|yet|still|not|n'?t|never|no|instead|again|however|missing"
    r"|wrong)\b|n't\b",
    parts=(
        "but", "though", "say", "only", "except", "yet", "still", "not", "n't", "nt ", "never", "no", "instead",
        "again", "however", "missing", "wrong",
    ),
)  # fmt: skip
#: The form of one of two that are known already: the other one.
OTHER: Final = Form(
    r"[另嗰那](?:外|外那|外嗰)?一?[个笔单件张份条](?:呢|还|仲|到|有|什么|啥|几|怎|咋|处理|的?进)",
    within=r"\b(?:the|my) (?:other|second|first) (?:one|order|payment|transfer|refund|case|issue|matter|request)\b",
    parts=("the ", "my "),
)
#: The form of what comes back after it was over.
RECURS: Final = Form(
    r"又(?!问|催|等|过了|怎么|是|要等|没人|来问|来催)|再次|再度|重新出现|(?:同|跟|和|像)上(?:次|个|回)",
    within=r"\bagain\b|\brecur|\breoccur|\bsame as last\b|\bonce more\b|\bthis month too\b",
    parts=("again", "recur", "reoccur", "same as", "once more", "this month"),
    signs="又 再次 再度 重新出现 同上 跟上 和上 像上",
)
#: The form of a detail: this is that, is called so, reads so, was chosen so.
DEFINES: Final = Form(
    r"(?<![还可但总老不只于就要都])是(?!不是)|叫|名称|名字"
    r"|写的|选的|用的|登记的|预留|尾号|型号|(?:小票|订单|流水|单据)号|日期|时间为|有效期",
    begins=r"(?:it'?s|(?:it|(?:the|his|her|their|its|that|i'm|i am)(?: [a-z0-9'.-]+){0,3})"
    r" (?:is|was|are|says|said|reads|has|uses|using))\b"
    r"|i (?:am|used|use|chose|picked|live|work|put|wear)\b",
    within=r"\b(?:is|was|are) (?:called|named)\b",
    parts=(" called", " named"),
    signs="是 叫 名称 名字 写的 选的 用的 登记的 预留 尾号 型号 票号 单号 水号 据号 日期 时间为 有效期",
)
#: The form of a question how far something is.
PROGRESS: Final = Form(
    r"进度|进展|进行到|何时|几时|什么时候|啥时候|多久|结果|下文|好没|好了没|怎么?样了|怎样了|如何了|有没有人|点样|搞掂未|处理得|咋样|[的笔单件]呢",
    within=r"\b(?:when (?:will|can|is|are|do|does|would)|progress|status|update|news|eta|anyone"
    r"|how (?:far|long|much longer)"
    r"|(?:sorted|solved|fixed|done|reviewed|looked at|resolved|finished)(?: out)?(?: yet| or not|\?))",
    parts=("when", "progress", "status", "update", "how", "news", "eta", "anyone", "yet", "?", "or not"),
    signs="进度 进展 进行到 何时 几时 什么时候 啥时候 多久 结果 下文 好没 好了没 样了 如何了 有没有人 点样 搞掂未"
    " 处理得 咋样 的呢 笔呢 单呢 件呢",
)
#: The form of what was told before: the problem, my refund, that matter.
REFERS: Final = Form(
    r"(?:[那这]|的)(?:个|件|笔|单)?(?:事|问题|情况)|那笔|那单|[\u4e00-\u9fff]{2}[那嗰这呢](?:个|件|笔|单|张|次|条|边)"
    r"|^[那嗰](?:个|件|笔|单|张|次)[\u4e00-\u9fff]",
    within=r"\b(?:the|my|our|that|this)\b.*"
    r"\b(?:problem|issue|matter|case|solved|fixed|sorted|progress|status|state|outcome)\b",
    parts=("problem", "issue", "matter", "case", "solved", "fixed", "sorted", "progress", "stat", "outcome"),
    signs="那 这 嗰 呢 的事 的问题 的情况 的个 的件 的笔 的单",
)
#: The form in which the desk asks a customer for something.
REQUESTS: Final = Form(
    r"请问|请提供|请补充|请发|请告知|请告诉|麻烦提供|麻烦您|请确认|请上传|能否提供",
    within=r"\?|\b(?:please (?:send|provide|confirm|tell|let us|share|attach|reply)|could you|can you)\b",
    parts=("?", "please", "you"),
)
#: The form of words that set a matter apart from what was told before.
UNRELATED: Final = Form(
    r"[跟和与同].{1,8}(?:没关系|无关|没有关系|不是一回事|冇关系)|先(?:不管|别管|不说)",
    within=r"\bnothing to do with\b|\bnot about (?:the|that|my)\b|\bseparate from\b"
    r"|\b(?:forget|never mind) (?:about )?(?:the|that|my)\b",
    parts=("nothing to do", "not about", "separate from", "forget", "never mind"),
    signs="没关系 无关 没有关系 不是一回事 冇关系 先不管 先别管 先不说",
)
#: The form of a question to the desk.
ADDRESSES: Final = Form(
    r"你们?|您",
    within=r"\b(?:do|did|have|can|could|will|are|would) (?:you|u|anyone|somebody|someone)\b",
    parts=_pairs("do did have can could will are would", "you u anyone somebody someone"),
    signs="你 您",
)
#: The forms that are sought in every message, and those of them that a text may begin with.
_SOUGHT: Final = (ASKS, ADDS, JOINS, CORRECTS, RECURS, DEFINES, PROGRESS, REFERS, UNRELATED, ADDRESSES)
_BEGINNING: Final = (ASKS, ADDS, JOINS, DEFINES)
#: Each sign and part with its form, and whether it is a part.
_MARKS: Final = tuple(
    (mark, form, parted)
    for form in _SOUGHT
    for marks, parted in ((form.parts, True), (form.signs, False))
    for mark in marks
)
_FINDER: Final = WordFinder(mark for mark, _, _ in _MARKS)


def forms_in(text: str) -> frozenset[Form]:
    """Which of the forms of any message are found in this folded text; the same as asking each by itself."""
    likely: dict[Form, bool] = {}
    for which, _, _ in _FINDER.find(text):
        _, form, parted = _MARKS[which]
        likely[form] = parted or likely.get(form, False)
    found = [form for form in _BEGINNING if form.begins(text)]
    return frozenset((*found, *(form for form, parted in likely.items() if form.stands_in(text, parted))))
