"""Was this message seen before?

In: a message, its own words (redacted) and the snapshot. Out: new, the same again (redelivery), or other content under
an id that is taken (id reuse). The key is `Message.key`; the content is compared on sender, subject, own words and
attachments, never on times or transport headers, since a redelivery may carry others (rules: follow-ups, 1).
"""

from __future__ import annotations

from hashlib import sha256

import msgspec

from router.known import Known
from router.model import Direction, Key, KnownMessage, Message
from router.value import Value

__all__ = ["Seen", "content_digest", "renamed", "seen"]


class Seen(Value, frozen=True, kw_only=True):
    """What the snapshot says of a message: `before` is the stored message it repeats, `key` the key to store it under.

    `id_reused`: other content came under this id before; `message` then carries `~` and 8 hex digits in its id.
    """

    key: Key
    message: Message
    before: KnownMessage | None = None
    id_reused: bool = False


def content_digest(message: Message, subject: str, own_text: str) -> str:
    """Digest what the sender wrote and attached: 64 hex digits, the same at every delivery."""
    digest = sha256()
    parts = [str(message.direction), message.sender.handle, " ".join(subject.split()), " ".join(own_text.split())]
    parts.extend(sorted(_fingerprints(message)))
    for part in parts:
        piece = part.encode("utf-8", "surrogatepass")
        digest.update(b"%d:" % len(piece))
        digest.update(piece)
    return digest.hexdigest()


def seen(message: Message, digest: str, known: Known) -> Seen:
    """Tell a new message from a redelivery and from the reuse of an id. Pure and total."""
    key = message.key
    stored = known.message(key)
    if stored is None:
        return Seen(key=key, message=message)
    echo = stored.direction == Direction.OUT == message.direction  # our own reply, told by the provider
    if stored.digest == digest or echo:
        return Seen(key=key, message=message, before=stored)
    other = renamed(message, digest)
    return Seen(key=other.key, message=other, before=known.message(other.key), id_reused=True)


def renamed(message: Message, digest: str) -> Message:
    """The message under the id that it gets when its own is taken by other content."""
    return msgspec.structs.replace(message, external_id=f"{message.external_id}~{digest[:8]}")


def _fingerprints(message: Message) -> list[str]:
    """One text a file; links to files are left out, since providers sign them anew at each delivery."""
    return [a.sha256 or f"{a.name}|{a.type}|{a.size}" for a in message.attachments]
