"""What does WeChat report of an official account's followers? Its XML, as messages.

In: a raw that holds one message's XML in clear. Out: one message. A menu's button is said by who pressed it; other
events (subscribe, a code scanned …) are explicit unknowns without words that nobody has to answer. Ids: MsgId; of
events sender, time and kind, as the platform says. Times are in seconds. In plain mode no byte of the message was
signed, so its sender is not proved.
Source: developers.weixin.qq.com, "Receiving standard messages", "Receiving event pushes".
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from adapters.wechat.container import children
from router.errors import InvalidPayload
from router.model import Attachment, Authenticity, Message, Sender
from router.ports import Raw
from router.wire.attachment import file_name, media_type, web_link
from router.wire.fields import storable

__all__ = ["KIND", "identity", "message_of"]

KIND: Final = "wechat"
_TYPES: Final = {"image": "image/jpeg", "voice": "audio/amr", "video": "video/mp4", "shortvideo": "video/mp4"}
#: Events that come by themselves.
_NOTICES: Final = frozenset({"LOCATION", "VIEW", "TEMPLATESENDJOBFINISH", "MASSSENDJOBFINISH"})


def identity(fields: dict[str, str]) -> str:
    """The id by which a redelivery is told: MsgId, else sender, time and event."""
    own = fields.get("MsgId", "").strip() or fields.get("MsgID", "").strip()
    if own and fields.get("MsgType") != "event":
        return own
    parts = (fields.get("FromUserName", ""), fields.get("CreateTime", ""), fields.get("Event", ""))
    return "|".join(part.strip() for part in parts)


def message_of(raw: Raw, *, proved: bool) -> Message | None:
    """The message of a raw; `proved`: its bytes were signed. None for a notice that nobody wrote, which only the raw
    keeps (a place every five seconds, a job's end). Raises InvalidPayload where it is no message of WeChat's.
    """
    fields = children(raw.body)
    if "Encrypt" in fields and "MsgType" not in fields:
        raise InvalidPayload("The XML is still encrypted; the message inside its container would be right.")
    follower = storable(fields.get("FromUserName", "")).strip()
    for name in ("FromUserName", "CreateTime", "MsgType"):
        if not fields.get(name, "").strip():
            raise InvalidPayload(f"The XML has no {name}, which every message of WeChat has.", path=name)
    kind = fields["MsgType"].strip()
    if kind == "event" and fields.get("Event", "").strip().upper() in _NOTICES:
        return None
    return Message(
        external_id=storable(identity(fields)),
        channel=raw.channel,
        channel_kind=KIND,
        sent_at=_instant(fields["CreateTime"]),
        sender=Sender(handle=follower, attributes=_came_by(fields)),
        thread=follower,
        authenticity=Authenticity.PASS if proved else Authenticity.UNKNOWN,
        recipients=tuple(filter(None, [storable(fields.get("ToUserName", "")).strip()])),
        **_content(kind, {name: storable(text) for name, text in fields.items()}),
    )


def _came_by(fields: dict[str, str]) -> dict[str, str]:
    """By which of the account's own codes a follower came: the scene of a QR code that he scanned."""
    event, key = fields.get("Event", "").strip().upper(), storable(fields.get("EventKey", "")).strip()
    scene = key.removeprefix("qrscene_") if event in ("SUBSCRIBE", "SCAN") else ""
    return {"ref": scene} if scene else {}


# text:  <xml><ToUserName><![CDATA[toUser]]></ToUserName><FromUserName><![CDATA[fromUser]]></FromUserName>
#        <CreateTime>1348831860</CreateTime><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[this is a test]]>
#        </Content><MsgId>1234567890123456</MsgId></xml>
# image: PicUrl, MediaId; voice: MediaId, Format (amr, speex), Recognition where speech recognition is on;
# video, shortvideo: MediaId, ThumbMediaId; location: Location_X, Location_Y, Scale, Label
# link:  Title, Description, Url; file: Title (its name), Description, FileTotalLen
# miniprogrampage: Title, AppId, PagePath, ThumbUrl; text that a menu of answers gave has bizmsgmenuid
# event: Event (subscribe, unsubscribe, SCAN, LOCATION, CLICK, VIEW …), EventKey; of a menu's scanner ScanCodeInfo with
#        ScanResult, of its map SendLocationInfo with Label, Poiname, Location_X, Location_Y
def _content(kind: str, fields: dict[str, str]) -> dict[str, Any]:
    if kind == "text":
        return {"text": fields.get("Content", ""), "kind": "postback" if fields.get("bizmsgmenuid") else "text"}
    if kind == "event":
        return _event(fields.get("Event", "").strip().upper(), fields)
    if kind == "location":
        return {"kind": kind, "text": _lines(fields, "Label", place="")}
    if kind in _TYPES:
        heard = fields.get("Recognition") or fields.get("Recongnition", "")  # it was spelt so for years
        return {"kind": kind, "text": heard, "attachments": (_attachment(kind, fields),)}
    if kind == "file":
        size = fields.get("FileTotalLen", "").strip()
        length = int(size) if size.isascii() and size.isdigit() and len(size) < 16 else 0
        file = Attachment(name=file_name(fields.get("Title", "")), size=length)
        return {"kind": kind, "text": _lines(fields, "Title", "Description"), "attachments": (file,)}
    known = kind in ("link", "miniprogrampage")
    words = _lines(fields, "Content", "Title", "Description", "Label", "PagePath", "Url")
    return {"kind": kind if known else "unknown", "text": words}


def _event(event: str, fields: dict[str, str]) -> dict[str, Any]:
    """What an event says: a menu's button its key, the menu's scanner what was scanned, its map the place."""
    if event == "CLICK":
        return {"kind": "postback", "text": fields.get("EventKey", "")}
    if event in ("SCANCODE_PUSH", "SCANCODE_WAITMSG"):
        return {"kind": "postback", "text": _lines(fields, "EventKey", "ScanCodeInfo.ScanResult")}
    if event == "LOCATION_SELECT":
        of = "SendLocationInfo."
        return {"kind": "location", "text": _lines(fields, f"{of}Poiname", f"{of}Label", place=of)}
    return {"kind": "unknown", "automatic": True}


def _lines(fields: dict[str, str], *names: str, place: str | None = None) -> str:
    """What these fields say, a line each; with `place` the coordinates after them, under names that begin so."""
    lines = [fields.get(name, "") for name in names]
    if place is not None:
        lines.append(", ".join(filter(None, (fields.get(f"{place}Location_{axis}", "") for axis in "XY"))))
    return "\n".join(dict.fromkeys(filter(None, lines)))


def _attachment(kind: str, fields: dict[str, str]) -> Attachment:
    """A picture has a link; of voice and video only the raw keeps the media id."""
    form = fields.get("Format", "").strip().lower()
    name = f"voice.{form or 'amr'}" if kind == "voice" else {"image": "image.jpg"}.get(kind, "video.mp4")
    typed = media_type(f"audio/{form}") if kind == "voice" and form else _TYPES[kind]
    return Attachment(name=file_name(name), type=typed, url=web_link(fields.get("PicUrl", "")))


def _instant(text: str) -> datetime:
    digits = text.strip()
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 10):
        raise InvalidPayload(
            "CreateTime is no time in seconds; one such as 1767225600 would be right.", path="CreateTime"
        )
    at = datetime.fromtimestamp(int(digits), UTC)
    if at.year >= 2200:
        raise InvalidPayload("CreateTime is after 2199; seconds since 1970 would be right.", path="CreateTime")
    return at
