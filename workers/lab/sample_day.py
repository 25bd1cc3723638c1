"""What happens on a sample day of a wallet desk? Its messages as each channel would bring them, and the desk's answers.

Out: `SCENES`, in order of time: raws in the form of their channels (a wire message, a real mail, provider-shaped JSON
and XML), and acts of the desk, which name the scene that they answer. Times are those of Shanghai, 1 to 3 March 2026.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

from router.ports import Raw
from router.value import Value

__all__ = ["SCENES", "Answer", "Scene", "Solved"]

_ZONE = ZoneInfo("Asia/Shanghai")
#: A customer whom the app has verified: what links his mail and his call to his chat.
_CHEN = {"email": "chen@customer.example", "phone": "+8613800001234", "account": "W2388693"}
_LIU = {"account": "W7719024"}


class Scene(Value, frozen=True, kw_only=True):
    """Something arrives. `name` is what acts refer to, `told` what it is in a few words."""

    at: datetime
    name: str
    told: str
    raw: Raw


class Answer(Value, frozen=True, kw_only=True):
    """A human of the desk answers the conversation of a scene."""

    at: datetime
    to: str
    agent: str
    text: str


class Solved(Value, frozen=True, kw_only=True):
    """A human of the desk solves the conversation of a scene."""

    at: datetime
    to: str
    agent: str


def _at(day: int, clock: str) -> datetime:
    return datetime.fromisoformat(f"2026-03-{day:02}T{clock}:00").replace(tzinfo=_ZONE)


def _scene(
    day: int, clock: str, channel: str, name: str, told: str, body: bytes | Mapping[str, Any] | list[Any]
) -> Scene:
    content = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    at = _at(day, clock)
    return Scene(at=at, name=name, told=told, raw=Raw(channel=channel, body=content, received_at=at))


def _chat(
    day: int, clock: str, name: str, handle: str, who: str, text: str, verified: Mapping[str, str] | None = None
) -> Scene:
    sender = {"handle": handle, "name": who, "verified": verified or {}}
    body = {"id": name, "sent_at": _at(day, clock).isoformat(), "sender": sender, "text": text}
    return _scene(day, clock, "app-chat", name, f"{who} in the app's chat", body)


def _mail(day: int, clock: str, name: str, sender: str, subject: str, text: str) -> Scene:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, "support@example.com", subject
    mail["Date"] = format_datetime(_at(day, clock))
    mail["Message-ID"] = f"<{name}.20260301@customer.example>"
    mail.set_content(text)
    return _scene(day, clock, "support-mail", name, "by mail", mail.as_bytes())


def _x(day: int, clock: str, name: str, handle: str, text: str) -> Scene:
    stamp = str(int(_at(day, clock).timestamp() * 1000))
    said = {"target": {"recipient_id": "99"}, "sender_id": handle, "message_data": {"text": text}}
    event = {"type": "message_create", "id": stamp, "created_timestamp": stamp, "message_create": said}
    users = {handle: {"id": handle, "name": "chen_wallet", "screen_name": "chen_wallet"}}
    body = {"for_user_id": "99", "direct_message_events": [event], "users": users}
    return _scene(day, clock, "x", name, "on X", body)


def _telegram(day: int, clock: str, name: str, number: int, chat: int, who: str, text: str) -> Scene:
    person = {"id": chat, "is_bot": False, "first_name": who}
    message = {
        "message_id": number, "date": int(_at(day, clock).timestamp()), "chat": {"id": chat, "type": "private"},
        "from": person, "text": text,
    }  # fmt: skip
    return _scene(day, clock, "telegram", name, f"{who} on Telegram", {"update_id": number, "message": message})


def _facebook(day: int, clock: str, name: str, person: str, text: str) -> Scene:
    at = int(_at(day, clock).timestamp() * 1000)
    said = {"mid": f"m_{name}", "text": text}
    item = {"sender": {"id": person}, "recipient": {"id": "P1"}, "timestamp": at, "message": said}
    entry = {"id": "P1", "time": at, "messaging": [item]}
    return _scene(day, clock, "facebook", name, "on Facebook", {"object": "page", "entry": [entry]})


def _wechat(day: int, clock: str, name: str, person: str, number: str, text: str) -> Scene:
    fields = {
        "ToUserName": "gh_desk", "FromUserName": person, "CreateTime": str(int(_at(day, clock).timestamp())),
        "MsgType": "text", "Content": text, "MsgId": number,
    }  # fmt: skip
    inner = "".join(f"<{tag}><![CDATA[{value}]]></{tag}>" for tag, value in fields.items())
    return _scene(day, clock, "wechat", name, "on WeChat", f"<xml>{inner}</xml>".encode())


def _missed_call(day: int, clock: str, name: str, number: str) -> Scene:
    call = {"call": "missed", "id": name, "at": _at(day, clock).isoformat(), "number": number, "attested": True}
    return _scene(day, clock, "hotline", name, "a missed call", [call])


_SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"

SCENES: tuple[Scene | Answer | Solved, ...] = (
    _chat(1, "21:50", "transfer", "u-77", "陈先生", "转账2000一直没到账，单号TP202603010077", _CHEN),
    Answer(at=_at(1, "21:51"), to="transfer", agent="li", text="陈先生您好，已收到，正在为您核实。"),
    _mail(1, "23:40", "transfer-mail", "陈先生 <chen@customer.example>", "转账没到账",
          "单号TP202603010077，转出2000元，对方还没收到，请尽快处理。\n"),
    _chat(2, "08:05", "frozen", "u-81", "刘女士", "我的账户被冻结了，登录后提示账户受限", _LIU),
    Answer(at=_at(2, "08:06"), to="frozen", agent="wang", text="刘女士您好，已收到，正在为您核实账户状态。"),
    _x(2, "09:12", "transfer-x", "5550077", "转账2000还没到账，单号TP202603010077，到底怎么回事"),
    _telegram(2, "09:30", "seed", 501, 880011, "Max",
              f"I gave my recovery phrase to somebody who said he was support: {_SEED}. Is my wallet safe?"),
    Answer(at=_at(2, "09:31"), to="seed", agent="wang",
           text="Please move your funds to a new wallet now. We never ask for a recovery phrase."),
    Answer(at=_at(2, "09:40"), to="transfer-x", agent="li", text="您好，请在App内登录后联系我们，以便核对您的账户。"),
    _facebook(2, "10:00", "refund", "FB-3301", "商家说已经退款了，可是钱一直没退回来，订单TP202602270911"),
    _chat(2, "10:20", "charged", "u-90", "周先生", "买电影票被扣了两次款，每次45元", {"account": "W5503318"}),
    _facebook(2, "10:31", "charged-too", "FB-4410", "买电影票被扣了两次款，每次45元"),
    Answer(at=_at(2, "10:35"), to="charged-too", agent="li", text="您好，重复扣款已提交核查，今天内给您答复。"),
    Answer(at=_at(2, "10:40"), to="charged", agent="li", text="周先生您好，重复扣款已提交核查，今天内给您答复。"),
    _missed_call(2, "12:01", "transfer-call", "+8613800001234"),
    Answer(at=_at(2, "12:20"), to="transfer", agent="li",
           text="陈先生您好，您的转账卡在对方银行，预计今晚18点前到账。"),
    _chat(2, "18:20", "thanks", "u-77", "陈先生", "收到了，谢谢！", _CHEN),
    Solved(at=_at(2, "18:25"), to="transfer", agent="li"),
    _wechat(3, "09:05", "complaint", "oWx-6120", "6054768590064713728",
            "等了两天没有一个人理我，你们这是什么服务，我要投诉"),
    _chat(3, "09:20", "frozen-again", "u-81", "刘女士", "账户还没解冻吗？", _LIU),
)  # fmt: skip
