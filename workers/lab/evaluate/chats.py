"""Does one matter stay one conversation, in chats and mails that nobody labelled?

In: a log of sessions, each of one customer about one matter: JSON lines `{"session", "at", "who", "text"}`, who is
`customer` or `desk`; `channel` (a kind, default `chat`) and `subject` make it a mail. Out: how many sessions were
split, how many had a chase counted before the customer had waited two minutes, and before which words it happened.
Each session is decided in a world of its own; the desk's words go where the customer's last ones went.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from router import private
from router.errors import InvalidPayload
from router.policy.values import Policy
from workers.lab.evaluate.followups import Prediction, predict
from workers.lab.evaluate.interval import interval
from workers.lab.evaluate.sequences import message_of

__all__ = ["Piece", "Session", "evaluate_chats", "sessions"]

_SAMPLE: Final = '{"session": "1", "at": "2026-03-01T21:50:00+08:00", "who": "customer", "text": "转账没到账"}'
_RIGHT: Final = f"{_SAMPLE} would be right"
#: What logs call the two sides.
_SIDES: Final = {
    "customer": True, "user": True, "visitor": True, "in": True,
    "desk": False, "agent": False, "staff": False, "bot": False, "out": False,
}  # fmt: skip
#: So long after the oldest words without an answer begins waiting (rules: follow-ups, 7a).
_WAITING: Final = timedelta(minutes=2)
_PAUSES: Final = ((_WAITING, "< 2 min"), (timedelta(hours=1), "< 1 h"), (timedelta(hours=12), "< 12 h"))
_MOST_MISTAKES: Final = 60


class Piece(NamedTuple):
    """One line of a log. `line` is its number in the file."""

    at: datetime
    by_customer: bool
    text: str
    channel: str
    subject: str
    line: int


class Session(NamedTuple):
    """What one customer and the desk wrote about one matter, in order of time; the customer begins."""

    name: str
    pieces: tuple[Piece, ...]


class _Judged(NamedTuple):
    """A customer's piece: where it went, as what, and what came before it (empty for the first)."""

    session: str
    piece: Piece
    conversation: str
    class_: str
    after: str
    opened: bool
    chased_early: bool
    in_burst: bool


def evaluate_chats(path: Path, predictions: Path | None = None, policy: Policy | None = None) -> dict[str, Any]:
    """The figures of a log. Writes `{"session", "line", "conversation", "class", "chased_early"}` lines of the
    customers' pieces to `predictions`. Raises InvalidPayload, naming the line, for what is no log."""
    policy = policy or Policy.load()
    judged = [list(_judge(session, policy)) for session in sessions(path)]
    if predictions is not None:
        private.write(predictions, "".join(_line(one) for pieces in judged for one in pieces))
    return _figures(judged)


def sessions(path: Path) -> list[Session]:
    """The sessions of a log in the order of the file; lines of several may alternate. What the desk says before the
    customer's first words is left out. Raises InvalidPayload."""
    try:
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise InvalidPayload(f"{path} is not UTF-8 text (byte {error.start}): save it as UTF-8.") from error
    found: dict[str, list[Piece]] = {}
    for number, line in enumerate(lines, 1):
        if line.strip():
            name, piece = _piece(f"{path}, line {number}", line, number)
            found.setdefault(name, []).append(piece)
    told = [Session(name, _begun(sorted(pieces, key=lambda one: one.at))) for name, pieces in found.items()]
    told = [session for session in told if session.pieces]
    if not told:
        raise InvalidPayload(f"{path} has no customer's words; lines of {_RIGHT}.")
    return told


def _piece(where: str, line: str, number: int) -> tuple[str, Piece]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        raise InvalidPayload(f"{where}: this is no JSON; {_RIGHT}.") from None
    if not isinstance(row, dict):
        raise InvalidPayload(f"{where}: this is no JSON object; {_RIGHT}.")
    session, at, who, text = (row.get(key) for key in ("session", "at", "who", "text"))
    if isinstance(session, bool) or not isinstance(session, str | int) or session == "":
        raise InvalidPayload(f'{where}: "session" is {session!r}, no name or number of a chat; {_RIGHT}.')
    if who not in _SIDES:
        raise InvalidPayload(f'{where}: "who" is {who!r}; "customer" or "desk" would be right.')
    if not isinstance(text, str) or not text.strip():
        raise InvalidPayload(f'{where}: "text" is no text; for a picture, "[图片]" would be right.')
    channel, subject = row.get("channel") or "chat", row.get("subject") or ""
    if not isinstance(channel, str) or not isinstance(subject, str):
        raise InvalidPayload(f'{where}: "channel" and "subject" are texts, such as "email" and "退款没有收到".')
    piece = Piece(_instant(where, at), _SIDES[who], text, channel, subject, number)
    try:
        message_of(_item(str(session), piece), number)
    except InvalidPayload as wrong:
        raise InvalidPayload(f"{where}: {wrong}", index=number, path=wrong.path) from wrong
    return str(session), piece


def _instant(where: str, at: object) -> datetime:
    try:
        instant = datetime.fromisoformat(at) if isinstance(at, str) else None
    except ValueError:
        instant = None
    if instant is None or instant.tzinfo is None:
        raise InvalidPayload(f'{where}: "at" is {at!r}; an instant with its offset is wanted: {_SAMPLE}.')
    return instant


def _begun(pieces: Sequence[Piece]) -> tuple[Piece, ...]:
    first = next((place for place, piece in enumerate(pieces) if piece.by_customer), len(pieces))
    return tuple(pieces[first:])


def _item(session: str, piece: Piece) -> dict[str, Any]:
    """A customer's piece as an item of a sequence."""
    item = {
        "id": f"line-{piece.line}", "sent_at": piece.at.isoformat(), "channel": piece.channel,
        "sender": {"handle": f"{session}@log.example" if piece.channel == "email" else session}, "text": piece.text,
    }  # fmt: skip
    return item | {"subject": piece.subject} if piece.subject else item


def _sequence(session: Session) -> dict[str, Any]:
    items: list[dict[str, Any]] = []
    latest = 0
    for place, piece in enumerate(session.pieces):
        if piece.by_customer:
            latest = place
            items.append(_item(session.name, piece))
        else:
            items.append({"event": "reply", "at": piece.at.isoformat(), "of_item": latest, "text": piece.text})
    return {"id": session.name, "items": items}


def _judge(session: Session, policy: Policy) -> Iterator[_Judged]:
    found: dict[int, Prediction] = {one.item: one for one in predict(_sequence(session), policy)}
    met: set[str] = set()
    chases: Counter[str] = Counter()
    began, waiting = session.pieces[0].at, session.pieces[0].at
    for place, piece in enumerate(session.pieces):
        before = session.pieces[place - 1] if place else piece
        if not piece.by_customer:
            waiting = piece.at
            continue
        if place and not before.by_customer:
            since, waiting = before.at, piece.at
        else:
            since = waiting
        got = found[place]
        chased = got.chases > chases[got.conversation]
        chases[got.conversation] = got.chases
        yield _Judged(
            session=session.name, piece=piece, conversation=got.conversation, class_=got.class_,
            after=_after(before, piece) if place else "", opened=bool(met) and got.conversation not in met,
            chased_early=chased and piece.at - since < _WAITING, in_burst=piece.at - began <= _WAITING,
        )  # fmt: skip
        met.add(got.conversation)


def _after(before: Piece, piece: Piece) -> str:
    pause = piece.at - before.at
    name = next((name for limit, name in _PAUSES if pause < limit), "later")
    return f"{'customer' if before.by_customer else 'desk'}, {name}"


def _figures(judged: Sequence[Sequence[_Judged]]) -> dict[str, Any]:
    split = [len({one.conversation for one in pieces}) > 1 for pieces in judged]
    early = [any(one.chased_early for one in pieces) for pieces in judged]
    bursts = [[one for one in pieces if one.in_burst] for pieces in judged]
    broken = [len({one.conversation for one in pieces}) > 1 for pieces in bursts]
    all_pieces = [one for pieces in judged for one in pieces]
    return {
        "sessions": len(judged),
        "messages": len(all_pieces),
        "split": _share(split),
        "split_interval": interval([split]),
        "split_in_2_min": _share(broken),
        "chased_in_2_min": _share(early),
        "chased_interval": interval([early]),
        "conversations": sum(len({one.conversation for one in pieces}) for pieces in judged),
        "opened_after": list(_opened(all_pieces)),
        "mistakes": [_told(one) for one in all_pieces if one.opened or one.chased_early][:_MOST_MISTAKES],
    }


def _opened(pieces: Sequence[_Judged]) -> Iterator[dict[str, Any]]:
    """Before which words a second conversation was opened: whose they were, and how long before."""
    asked, opened = Counter(one.after for one in pieces), Counter(one.after for one in pieces if one.opened)
    for side in ("customer", "desk"):
        for name in (*(name for _, name in _PAUSES), "later"):
            key = f"{side}, {name}"
            if asked[key]:
                share = round(opened[key] / asked[key], 4)
                yield {"words_before": key, "messages": asked[key], "opened": opened[key], "share": share}


def _share(flags: Sequence[bool]) -> float:
    return round(sum(flags) / len(flags), 4)


def _told(one: _Judged) -> str:
    what = "opened a conversation" if one.opened else "counted a chase"
    words = " ".join(one.piece.text.split())[:60]
    return f"{one.session} line {one.piece.line} ({one.after or 'first'}): {what} as {one.class_}: {words}"


def _line(one: _Judged) -> str:
    row = {
        "session": one.session, "line": one.piece.line, "conversation": one.conversation, "class": one.class_,
        "chased_early": one.chased_early,
    }  # fmt: skip
    return json.dumps(row, ensure_ascii=False) + "\n"
