"""What does the desk ask a customer for, and what of it does a message hold?

In: a folded text. Out: bits, the same for both sides: a number, a picture, a time, a name, a device, a yes or no, a
place or shop, how something came about. A message that holds what was asked for likely answers. Pure and linear.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["asked_for", "held"]

#: Name, what of the desk's words asks for it, what of a customer's words holds it.
_KINDS: Final = (
    ("number",
     r"单号|编号|编码|流水|尾号|后四位|几位|号码|哈希|序号|代码|多少|金额|txid|hash"
     r"|\b(?:number|reference|ref|id|digits?|code|amount|how much|utr|receipt)\b",
     r"\d{3}|[a-z]+\d+|\d+[a-z]+"),
    ("picture",
     r"截图|截屏|照片|拍|图片|上传|附件|\b(?:screenshot|photo|picture|image|upload|attach|copy|scan)\w*",
     r"截图|照片|图|拍|传了|附|\b(?:screenshot|photo|picture|attach\w*|uploaded|sent it)\b"),
    ("time",
     r"时间|哪天|日期|何时|什么时候|几点|几号|生日|\b(?:when|date|time|day|birth)\b",
     r"\d{1,2}[:/.月号点]|昨|今天|前天|上午|下午|晚上|早上|星期|周[一二三四五六日]|刚才"
     r"|\b(?:today|yesterday|morning|afternoon|evening|night|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
     r"|[ap]m|jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)\b"),
    ("name",
     r"姓名|名字|名称|全名|谁|\b(?:name|who|whose|surname)\b",
     r"叫|姓|名|\b(?:name|called|mr|mrs|ms)\b"),
    ("device",
     r"型号|机型|系统|版本|设备|浏览器|手机|\b(?:phone|device|version|model|browser|ios|android|computer)\b",
     r"安卓|苹果|华为|小米|红米|版|鸿蒙|\b(?:android|iphone|ios|samsung|pixel|chrome|safari|huawei|xiaomi|v?\d+\.\d+)\b"),
    ("yes",
     r"吗|是否|是不是|有没有|对吧|要不要|同意|确认"
     r"|\b(?:is|are|do|does|did|have|has|can|could|would|shall|agree|confirm)\b[^.!]*\?",
     r"^(?:是|对|有|没|不|嗯|好|行|可以|同意|要|冇|係|唔)"
     r"|^(?:yes|yeah|yep|no|nope|not|yup|correct|sure|ok|agreed?|i do|i did|it is|it does)\b"),
    ("place",
     r"哪[家个里间]|店|商户|平台|地址|网点|银行|\b(?:where|which|shop|store|merchant|bank|branch|address|city|country)\b",
     r"店|行|平台|超市|\b(?:shop|store|bank|at|in|from)\b"),
    ("how",
     r"提示|显示|怎么|什么|原因|为什么|情况|描述|详细"
     r"|\b(?:what|why|how|message|error|say|show|describe|details?|explain)\w*",
     r"提示|显示|说|写|因为|\b(?:says?|said|shows?|because|error|tells?|reads?)\b"),
)  # fmt: skip
_ASKED: Final = tuple((1 << place, re.compile(asked)) for place, (_, asked, _) in enumerate(_KINDS))
_HELD: Final = tuple((1 << place, re.compile(told)) for place, (_, _, told) in enumerate(_KINDS))


def asked_for(folded: str) -> int:
    """What these words of the desk ask for, as bits."""
    return sum(bit for bit, form in _ASKED if form.search(folded))


def held(folded: str) -> int:
    """What these words of a customer hold of what a desk asks for, as bits."""
    return sum(bit for bit, form in _HELD if form.search(folded))
