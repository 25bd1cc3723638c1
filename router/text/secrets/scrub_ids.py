"""What is kept of an id, an attribute or a link in which somebody wrote a secret?

In: what programs write (ids, handles, names and values of attributes, links of files). Out: the same, but that secrets
in it are replaced as in a text. An id stays an id: equal ones stay equal, different ones different, so that nothing is
taken for a redelivery and answers find what they answer. Programs number things with as many digits as cards have, so
in one plain word only what tells itself by its form counts: a seed phrase, a key, a token.
"""

from __future__ import annotations

import re
from hashlib import sha256
from urllib.parse import quote, unquote, unquote_plus, urlsplit, urlunsplit

from router.text.secrets import seeds
from router.text.secrets.redact import redact
from router.text.secrets.tokens import tokens

__all__ = ["attribute", "identity", "link"]

_PLAIN = re.compile(r"[!-;=?-~]+")
_SHORT_KEY = 51
#: What is left of an id is not longer than an id may be.
_LONGEST = 900
#: In a link, `token=…` is how its owner lets it be fetched; `code=…` and `password=…` are somebody's.
_NAMED = frozenset(("code", "password", "cvv"))


def identity(text: str) -> str:
    """An id or handle without a secret. What replaces one ends in a digest, which is the same for the same id."""
    read = unquote(text) if "%" in text else text
    if _is_plain(read):
        return text
    hidden = redact(read)
    return f"{hidden.text[:_LONGEST]}#{sha256(text.encode()).hexdigest()[:12]}" if hidden.found else text


def attribute(name: str, value: str) -> tuple[str, str]:
    """The name and the value of an attribute: `验证码` may be the one and the code the other."""
    shown = redact(name).text
    return shown, redact(f"{shown}: {value}").text.removeprefix(f"{shown}: ")


def link(url: str) -> str:
    """A link as it may be stored: a name and password before the host are left out, secrets in it replaced; one whose
    host holds a secret, or whose parts make one together, is none."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return ""
    host = parts.netloc.rpartition("@")[2]
    if redact(unquote(host)).found:
        return ""
    path = "/".join(map(_segment, parts.path.split("/")))
    query = "".join(map(_parameter, re.split("([&;])", parts.query)))
    fragment = _words(parts.fragment)
    told = (host, path, query, fragment)
    if told != (parts.netloc, parts.path, parts.query, parts.fragment):
        url = urlunsplit((parts.scheme, *told))
    return "" if redact(unquote_plus(url)).exposed else url


def _is_plain(text: str) -> bool:
    """Is this one word of a program, without a secret that tells itself by its form?"""
    if not _PLAIN.fullmatch(text):
        return False
    if len(text) < seeds.SHORTEST:
        return not any(tokens(text))
    low = text.lower()
    long = len(text) >= _SHORT_KEY and seeds.keys(text, low)
    return not (any(tokens(text)) or seeds.seeds(low, seeds.latin_words(low)) or long)


def _segment(written: str) -> str:
    """A part of the path; `photo-4111111111111111.jpg` is the number of a photo."""
    return written if _is_plain(unquote(written)) else _words(written)


def _words(written: str) -> str:
    hidden = redact(unquote_plus(written))
    return quote(hidden.text) if hidden.found else written


def _parameter(written: str) -> str:
    """A name and value of the query (or what parts two of them)."""
    name, is_, value = written.partition("=")
    shown, kept = _words(name), _words(value)
    if kept == value and not _NAMED.isdisjoint(redact(f"{unquote_plus(shown)}={unquote_plus(value)}").found):
        kept = quote(redact(f"{unquote_plus(shown)}={unquote_plus(value)}").text.partition("=")[2])
    return f"{shown}{is_}{kept}"
