"""Is this a picture that the desk takes? By its bytes, not by what somebody says it is.

In: what the live-chat page sent of a file. Out: an attachment of the wire message. PNG, JPEG, GIF and WebP only:
formats that carry no script.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any

__all__ = ["MEGABYTES", "WrongPicture", "picture"]

MEGABYTES = 5


class WrongPicture(ValueError):
    """What was sent is no picture, or a too large one; the text says what would be right."""


def picture(given: Any) -> dict[str, Any]:
    """The attachment of `{"name": …, "content": base64}`. Raises WrongPicture."""
    if not isinstance(given, dict) or not isinstance(given.get("content"), str):
        raise WrongPicture("a picture has no content; base64 would be right.")
    try:
        content = base64.b64decode(given["content"].encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        raise WrongPicture("a picture's content is no base64.") from None
    if len(content) > MEGABYTES << 20:
        raise WrongPicture(f"a picture has more than {MEGABYTES} MB.")
    kind = _kind(content)
    if not kind:
        raise WrongPicture("a file is no PNG, JPEG, GIF or WebP picture.")
    name = given.get("name")
    return {"name": name if isinstance(name, str) else "picture", "type": kind, "content": given["content"]}


def _kind(content: bytes) -> str:
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if content.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if content.startswith((b"GIF87a", b"GIF89a")):
        return "image/gif"
    return "image/webp" if content[:4] == b"RIFF" and content[8:12] == b"WEBP" else ""
