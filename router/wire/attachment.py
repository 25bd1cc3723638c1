"""What may an attachment be called, and how much may it hold? One answer for every channel.

In: a name and a type as a stranger wrote them, content as base64. Out: an `Attachment` whose name is safe to show and
to save under, whose link can only be http or https, and whose content is within the limits (rules: security, 2.5).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import unicodedata
from urllib.parse import urlsplit

from router.model import Attachment
from router.text.secrets.redact import redact

__all__ = ["LARGEST", "MOST", "TooLarge", "file_name", "from_base64", "media_type", "of_bytes", "web_link"]

#: Bytes of one attachment that is given inline.
LARGEST = 10 << 20
#: Attachments of one message.
MOST = 100
LONGEST_NAME = 150
_DEVICES = re.compile(r"(?i)(?:con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$|clock\$)(?:\..*)?$")
_TYPE = re.compile(r"[A-Za-z0-9!#$&^_.+-]{1,100}/[A-Za-z0-9!#$&^_.+-]{1,100}")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


class TooLarge(ValueError):
    """The content is larger than `LARGEST`."""


def file_name(text: str) -> str:
    """A name to show and to save under, without the secrets that people put into names: normalised first, checked
    last; `attachment` where nothing is left."""
    whole = unicodedata.normalize("NFC", redact(text[:4096]).text)
    seen = "".join(c for c in whole if unicodedata.category(c) not in _UNSEEN)
    name = re.split(r"[/\\]", seen)[-1].strip().lstrip(".").rstrip(". ")
    name = re.sub(r'[<>:"|?*]', "_", name)
    if len(name) > LONGEST_NAME:
        stem, dot, ending = name.rpartition(".")
        keep = f".{ending}" if dot and len(ending) <= 10 else ""
        name = (stem if keep else name)[: LONGEST_NAME - len(keep)] + keep
    if _DEVICES.match(name):
        name = f"_{name}"
    return name or "attachment"


def media_type(text: str) -> str:
    """The media type in lower case, without parameters; `application/octet-stream` where it is none, or a secret."""
    text = text[:4096]
    kind = text.partition(";")[0].strip().lower()
    return kind if _TYPE.fullmatch(kind) and not redact(text).found else "application/octet-stream"


def web_link(text: str) -> str:
    """The link when it is a plain http or https one, else empty: nothing else may end up under a click."""
    if not re.fullmatch(r"https?://[^\s\x00-\x20\x7f<>\"\\]{1,8000}", text, re.IGNORECASE):
        return ""
    try:
        return text if urlsplit(text).hostname else ""
    except ValueError:  # brackets that enclose no address, characters that stand for others
        return ""


def of_bytes(content: bytes, name: str, kind: str = "", url: str = "") -> Attachment:
    """An attachment with its content, size and hash."""
    return Attachment(
        name=file_name(name),
        type=media_type(kind),
        url=url,
        size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
        content=content,
    )


def from_base64(text: str) -> bytes:
    """The bytes behind base64 (plain, spaces overlooked). Raises TooLarge, or ValueError where it is none."""
    if len(text) > LARGEST // 3 * 4 + 4096:
        raise TooLarge
    try:
        content = base64.b64decode("".join(text.split()).encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise ValueError("not base64") from error
    if len(content) > LARGEST:
        raise TooLarge
    return content
