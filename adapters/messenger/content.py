"""What does a message of Messenger or Instagram carry beside its text? Files by link, and the words of attachments.

In: the attachments of a message. Out: the files that it has, its kind, and words: a place, the title, text, price and
link of what was shared or sent as a template. A link to a file is no word, that of a shared page is.
"""

from __future__ import annotations

import mimetypes
from typing import Any, Final
from urllib.parse import unquote, urlsplit

import msgspec

from router.model import Attachment
from router.wire.attachment import file_name, web_link
from router.wire.fields import storable

__all__ = ["File", "attachment_of", "form_of", "kind_of", "words_of"]

_TYPES: Final = {"image": "image/jpeg", "video": "video/mp4", "audio": "audio/mpeg"}
#: Attachments whose link is a page, and no file.
_PAGES: Final = frozenset({"fallback", "share", "template", "post", "ig_post"})
#: What a template says, in this order, and where its parts are.
_SAID: Final = ("title", "text", "subtitle", "price", "order_number", "recipient_name", "item_url", "url")
_INNER: Final = ("elements", "buttons", "default_action", "product", "payload")
_DEEPEST, _MOST = 6, 100


class Place(msgspec.Struct):
    """Where somebody is."""

    lat: float
    long: float


# "messages" webhook event, image:
# {"mid": "mid.1458696618141:b4ef9d19ec21086067", "attachments": [{"type": "image", "payload": {"url": "<IMAGE_URL>"}}]}
# a sticker has payload.sticker_id, a location payload.coordinates {"lat": 1.2, "long": 3.4}, a shared link a title; a
# template payload.template_type and elements [{"title": "…", "subtitle": "…", "item_url": "…", "buttons": [{…}]}]
class File(msgspec.Struct):
    """An attachment; of a link that Meta could not show (`fallback`) title and url may stand beside its payload."""

    type: str = "file"
    payload: dict[str, Any] | None = None
    title: str | None = None
    url: str | None = None


def kind_of(files: list[File]) -> str:
    """The kind of a message without text of its own."""
    if any((file.payload or {}).get("sticker_id") for file in files):
        return "sticker"
    return storable(files[0].type) or "unknown" if files else "unknown"


def words_of(file: File) -> str:
    """What an attachment says in words, a line each, each once."""
    payload = file.payload or {}
    place = _place(payload.get("coordinates"))
    if place is not None:
        return f"{place.lat}, {place.long}"
    if file.type in _PAGES:
        said = _said({"title": file.title, "url": file.url, "payload": payload}, 0)
        return "\n".join(list(dict.fromkeys(said))[:_MOST])
    title = payload.get("title")
    return storable(title) if isinstance(title, str) else storable(file.title or "")


def _place(coordinates: Any) -> Place | None:
    try:
        return msgspec.convert(coordinates, Place)
    except msgspec.ValidationError:
        return None


def _said(part: Any, depth: int) -> list[str]:
    """The words of a template and of what is in it."""
    if depth > _DEEPEST:
        return []
    if isinstance(part, list):
        return [word for one in part[:_MOST] for word in _said(one, depth + 1)]
    if not isinstance(part, dict):
        return []
    own = [storable(part[name]).strip() for name in _SAID if isinstance(part.get(name), str)]
    return [*filter(None, own), *(word for name in _INNER for word in _said(part.get(name), depth + 1))]


# "messaging_feedback": {"feedback_screens": [{"screen_id": 0, "questions": {"q1": {"type": "csat", "payload": "4",
#   "follow_up": {"type": "free_form", "payload": "…"}}}}]}
# "messaging_customer_information": {"screens": [{"screen_id": "…", "responses": [{"key": "email", "value": "…"}]}]}
def form_of(form: dict[str, Any] | None) -> str:
    """What somebody filled in: the answers of a survey, a line each, or name and value of a form's fields."""
    return "\n".join(_filled(form, 0)[:_MOST])


def _filled(part: Any, depth: int) -> list[str]:
    if depth > _DEEPEST:
        return []
    if isinstance(part, list):
        return [line for one in part[:_MOST] for line in _filled(one, depth + 1)]
    if not isinstance(part, dict):
        return []
    key, value, answer = (part.get(name) for name in ("key", "value", "payload"))
    lines = [f"{storable(key)}: {storable(value)}"] if isinstance(key, str) and isinstance(value, str) else []
    lines += [storable(answer)] if isinstance(answer, str) and answer else []
    return [*lines, *(line for one in part.values() for line in _filled(one, depth + 1))]


def attachment_of(file: File) -> Attachment | None:
    """The file itself, recorded by its link and not fetched; None where there is no link."""
    written = (file.payload or {}).get("url")
    url = web_link(written) if isinstance(written, str) else ""
    if not url:
        return None
    name = file_name(unquote(urlsplit(url).path))
    kind = mimetypes.guess_type(name)[0] or _TYPES.get(file.type, "application/octet-stream")
    return Attachment(name=name if name != "attachment" else file_name(file.type), type=kind, url=url)
