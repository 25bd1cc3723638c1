"""Which words does a Telegram message hold, and of which kind is it? Also those that stand in odd places.

In: a post, or a press of a button. Out: kind and words. Own words come first; what is quoted stands above them behind
`>`, as in a mail, so that nobody takes it for the sender's own; what is forwarded says from whom; links that hide
behind words, and buttons under a forwarded message, stand below.
"""

from __future__ import annotations

from typing import Final

from adapters.telegram.form import Callback, File, Origin, Post, Venue

__all__ = ["FILES", "e164", "pressed", "said"]

#: Files by the kind of message they make. An animation comes as a document too, so it stands before it.
FILES: Final = ("animation", "video", "video_note", "audio", "voice", "sticker", "document")
#: Currencies without smaller units (Bot API, "currencies.json").
_WHOLE: Final = frozenset(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XTR"))


def said(post: Post, kind: str, file: File | None) -> tuple[str, str]:
    """Kind and words of a post; `kind` is that of its file, if it has one. With words it is a `text` whatever comes
    with it; what is forwarded is a `forward`."""
    words = post.text or post.caption
    if words:
        kind = "text"
    elif file is not None:
        words = file.emoji or " – ".join(filter(None, (file.performer, file.title)))
    else:
        kind, words = _placed(post)
    words = "\n".join(filter(None, [words, *_links(post, words)]))
    if post.forward_origin is not None:
        return "forward", "\n".join(filter(None, [f"↪ {_named(post.forward_origin)}".rstrip(), words]))
    return kind, _quoted(post) + words


def pressed(callback: Callback) -> str:
    """What a button says: its own words where the message with it is known, else what it stands for."""
    message = callback.message
    rows = message.reply_markup.inline_keyboard if message and message.reply_markup else []
    titles = (button.text for row in rows for button in row if button.callback_data == callback.data != "")
    return next(filter(None, titles), "") or callback.data or callback.game_short_name


def _placed(post: Post) -> tuple[str, str]:
    """Kind and words of a post that has neither text nor file."""
    if post.location is not None:
        place = f"{post.location.latitude}, {post.location.longitude}"
        venue = post.venue or Venue()
        return "location", "\n".join(line for line in (venue.title, venue.address, place) if line)
    if post.contact is not None:
        name = f"{post.contact.first_name} {post.contact.last_name}".strip()
        return "contact", f"{name} {e164(post.contact.phone_number)}".strip()
    if post.dice is not None:
        return "dice", post.dice.emoji
    if post.poll is not None:
        return "poll", "\n".join([post.poll.question, *(option.text for option in post.poll.options)])
    if post.web_app_data is not None:
        return "web_app", "\n".join(filter(None, (post.web_app_data.button_text, post.web_app_data.data)))
    if post.checklist is not None:
        return "checklist", "\n".join([post.checklist.title, *(task.text for task in post.checklist.tasks)])
    return _bought(post)


def _bought(post: Post) -> tuple[str, str]:
    """Kind and words of what has to do with money or play; else it is unknown, and without words."""
    for kind in ("invoice", "game"):
        titled = getattr(post, kind)
        if titled is not None:
            return kind, "\n".join(filter(None, (titled.title, titled.description, titled.text)))
    payment = post.successful_payment or post.refunded_payment
    if payment is None:
        return "unknown", ""
    whole = payment.currency in _WHOLE
    amount = str(payment.total_amount) if whole else f"{payment.total_amount / 100:.2f}"
    return "payment", "\n".join(filter(None, (f"{payment.currency} {amount}".strip(), payment.invoice_payload)))


def _links(post: Post, words: str) -> list[str]:
    """Where words lead that are links, and what the buttons under a forwarded message say; each once."""
    found = [entity.url for entity in (*post.entities, *post.caption_entities) if entity.type == "text_link"]
    found.append(post.link_preview_options.url if post.link_preview_options else "")
    for row in post.reply_markup.inline_keyboard if post.reply_markup else ():
        found += [" ".join(filter(None, (button.text, button.url))) for button in row]
    return [link for link in dict.fromkeys(found) if link and link not in words]


def _quoted(post: Post) -> str:
    """The lines of the answered message that were marked; of another chat's, with the name of who wrote them."""
    if post.quote is None or not post.quote.text.strip():
        return ""
    origin = post.external_reply.origin if post.external_reply else None
    name = _named(origin) if origin else ""
    lines = ([f"{name}:"] if name else []) + post.quote.text.splitlines()
    return "".join(f"> {line}\n" for line in lines)


def _named(origin: Origin) -> str:
    """Who wrote it first, as Telegram shows it."""
    user, chat = origin.sender_user, origin.sender_chat or origin.chat
    if user is not None:
        return f"{user.first_name} {user.last_name}".strip() or user.username
    return origin.sender_user_name or ("" if chat is None else chat.title or chat.first_name or chat.username)


def e164(phone: str) -> str:
    """A phone number as Telegram writes it, in E.164."""
    return "+" + "".join(digit for digit in phone if digit.isascii() and digit.isdigit())
