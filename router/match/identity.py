"""Whose message is this?

In: a message and the snapshot. Out: the contact after it, the contacts it proves to be the same person, the handles
that lead here from now on, and the evidence. Handles are joined only by what a platform proved (`verified` address,
phone, account); verified values that contradict each other never join. A mail's From that nobody authenticated is a
claim: it finds the contact, but says so by the flag `sender_unverified`; one that failed finds nobody
(rules: follow-ups, 5; security, 0.5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

import msgspec

from router.known import CLAIMED, Known
from router.model import Authenticity, Contact, Handle, Message
from router.text.secrets import scrub_ids
from router.value import Value

__all__ = ["Identity", "contradicts", "handles_of", "identify", "is_mail", "reply_handle"]

#: What a platform can prove about a person; an account is the strongest, a phone changes hands.
KINDS = ("account", "email", "phone")
_VIA = re.compile(r"^\W{0,3}(.{1,100}?)\W{0,3}\s(?:via|通过|通過|經由|经由|來自|来自|代表)\s", re.IGNORECASE)
_NOT_DIALLED = re.compile(r"[^\d+]")


class Identity(Value, frozen=True, kw_only=True):
    """The sender as this message leaves him. `handle` is where a reply to this message goes.

    `proven`: his platform stands for him (or he wrote by a handle that is his alone); else `claimed` says that a mail
    only names the address of a contact we know. `rivals` are contacts that some evidence points to and some speaks
    against: they are never joined by themselves.
    """

    contact: Contact
    handle: Handle
    handles: tuple[Handle, ...]
    opened: bool = False
    joined: tuple[int, ...] = ()
    rivals: tuple[int, ...] = ()
    evidence: tuple[str, ...] = ()
    proven: bool = True
    claimed: bool = False


def is_mail(message: Message) -> bool:
    """Is this a mail, whose sender nobody but its authentication vouches for?"""
    return message.realm == "mail" or message.channel_kind == "email"


def reply_handle(message: Message, *, failed: bool = False) -> Handle:
    """The handle that this message came from. A mail whose sender failed authentication has one apart.

    A mailing list that writes in its members' names ("Name via List") is not one person: where the adapter found no
    better address of the writer, each name is kept apart.
    """
    address = message.sender.handle.strip()
    if not is_mail(message):
        return (message.channel, address)
    address = address.lower()
    if failed:
        return ("unproven", address)
    munged = _VIA.match(message.sender.name) if " " in message.sender.name else None
    if munged:
        return ("list", f"{address} {' '.join(munged[1].lower().split())}")
    return ("email", address)


def handles_of(message: Message, *, failed: bool = False) -> tuple[Handle, ...]:
    """Every handle that may find this sender: his own first, then what his platform proved."""
    proved = {} if failed else _verified(message)
    return tuple(dict.fromkeys((reply_handle(message, failed=failed), *proved.items())))


def contradicts(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    """Do two sets of verified values name different people?

    The desk's own account decides where both have one: its holder may have several addresses and phones.
    """
    if "account" in one and "account" in other:
        return one["account"] != other["account"]
    return any(one[kind] != other[kind] for kind in KINDS if kind in one and kind in other)


def identify(message: Message, known: Known, *, failed: bool = False) -> Identity:
    """Find, open or join the contact of a sender. Pure and total.

    `failed`: the mail's sender failed authentication (or the channel requires it and there is none).
    """
    handle = reply_handle(message, failed=failed)
    verified = {} if failed else _verified(message)
    mail = is_mail(message)
    vouched = message.authenticity is Authenticity.PASS and not failed
    handles = tuple(dict.fromkeys((handle, *verified.items())))
    owners = _owners(handles, known)
    fitting, rivals = _fitting(owners, verified)
    evidence = tuple(f"{kind} verified by the channel" for kind in verified) or (_heard(message),)
    only_named = message.claimed in CLAIMED
    if not fitting:
        contact = _described(Contact(number=known.number), message, verified)
        mine = tuple(h for h in handles if h not in owners)
        return Identity(
            contact=contact, handle=handle, handles=mine, opened=True, rivals=rivals, evidence=evidence,
            proven=vouched or not (mail or only_named),
        )  # fmt: skip
    contact, *others = sorted(fitting, key=lambda c: c.number)
    for other in others:
        contact = _merged(contact, other)
    mine = tuple(h for h in handles if h not in owners or owners[h] in fitting)
    claimed = mail and not vouched and not verified
    return Identity(
        contact=_described(contact, message, verified), handle=handle, handles=mine,
        joined=tuple(c.number for c in others), rivals=rivals, evidence=evidence,
        proven=not (claimed or only_named), claimed=claimed,
    )  # fmt: skip


def _heard(message: Message) -> str:
    """Why this handle is his: he wrote by it, or (`CLAIMED`) somebody says so."""
    return message.claimed or f"handle on {message.channel}"


def _owners(handles: Iterable[Handle], known: Known) -> dict[Handle, Contact]:
    found = {}
    for handle in handles:
        contact = known.contact_of(handle)
        if contact is not None:
            found[handle] = contact
    return found


def _fitting(owners: Mapping[Handle, Contact], verified: Mapping[str, str]) -> tuple[list[Contact], tuple[int, ...]]:
    """The owners that may be one person, strongest evidence first, and those that something speaks against."""
    proved = dict(verified)
    fitting: list[Contact] = []
    rivals: list[int] = []
    for handle in sorted(owners, key=_strength):
        contact = owners[handle]
        if contact in fitting or contact.number in rivals:
            continue
        if contradicts(proved, contact.verified):
            rivals.append(contact.number)
        else:
            fitting.append(contact)
            proved = {**contact.verified, **proved}
    return fitting, tuple(rivals)


def _strength(handle: Handle) -> int:
    """An account before the handle itself, the handle before an address, an address before a phone."""
    return {"account": 0, "email": 2, "phone": 3}.get(handle[0], 1)


def _merged(one: Contact, other: Contact) -> Contact:
    return msgspec.structs.replace(
        one,
        name=one.name or other.name,
        verified={**other.verified, **one.verified},
        attributes={**other.attributes, **one.attributes},
        language=one.language or other.language,
        blocked=one.blocked or other.blocked,
    )


def _described(contact: Contact, message: Message, verified: Mapping[str, str]) -> Contact:
    """The contact with what this message says and proves about him; nothing proved is ever overwritten."""
    sender = message.sender
    proved = {**verified, **contact.verified}
    attributes = contact.attributes
    if sender.attributes:
        scrubbed = dict(scrub_ids.attribute(name, value) for name, value in sender.attributes.items())
        attributes = {**attributes, **scrubbed}
    name = contact.name or sender.name
    if proved == contact.verified and attributes == contact.attributes and name == contact.name:
        return contact
    return msgspec.structs.replace(contact, name=name, verified=proved, attributes=attributes)


def _verified(message: Message) -> dict[str, str]:
    given = message.sender.verified
    return {kind: value for kind in KINDS if (value := _value(kind, given.get(kind, "")))} if given else {}


def _value(kind: str, written: str) -> str:
    """A verified value in the one form that is compared: addresses in lower case, phones by their digits."""
    value = written.strip()
    if kind == "email":
        return value.lower()
    return _NOT_DIALLED.sub("", value) if kind == "phone" else value
