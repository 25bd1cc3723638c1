"""How do raw bytes lie in the store so that destroying one small key erases them, backups included?

In: what arrived, and the deployment's key (`[privacy] key`). Out: `Sealed`: the body under a data key of its own
(AES-256-GCM), and that data key wrapped by the deployment's key. Erasing a person deletes wrapped keys (rules:
security, 3). `Sealer.mac` gives keyed digests, so that equal values can be matched without being stored.

Forms: wrapped key = version byte | 4 bytes naming the deployment's key | nonce 12 | sealed data key 48; body = version
byte | nonce 12 | sealed body. The version is authenticated too. A key file holds 32 random bytes as base64, mode 600.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from router import private
from router.errors import ConfigurationError, InvalidPayload, NotFound
from router.secret import Secret
from router.value import Value

__all__ = ["KEY_SIZE", "Sealed", "Sealer", "create_key", "fingerprint", "load_key"]

#: Bytes of a deployment key and of each data key.
KEY_SIZE: Final = 32

_VERSION: Final = b"\x01"
_NONCE: Final = 12
_NAME: Final = 4
_TAG: Final = 16
_WRAPPED: Final = 1 + _NAME + _NONCE + KEY_SIZE + _TAG


class Sealed(Value, frozen=True, kw_only=True):
    """A sealed raw; without `wrapped_key` the body is noise for ever."""

    wrapped_key: bytes
    body: bytes


class Sealer:
    """Seals and opens with one deployment key; `former` keys still open what they sealed (rotation)."""

    def __init__(self, key: bytes, *, former: Iterable[bytes] = ()) -> None:
        self._key = key
        self._mac_key = _derived(key, b"mac")
        self._name = _named(key)
        self._wrapper = AESGCM(_derived(key, b"wrap"))
        self._openers = {_named(old): AESGCM(_derived(old, b"wrap")) for old in (*former, key)}

    def seal(self, body: bytes) -> Sealed:
        """Seal a body under a new data key; the same body never gives the same bytes twice."""
        chance = os.urandom(KEY_SIZE + 2 * _NONCE)
        data_key, wrap_nonce, nonce = chance[:KEY_SIZE], chance[KEY_SIZE:-_NONCE], chance[-_NONCE:]
        head = _VERSION + self._name
        wrapped = self._wrapper.encrypt(wrap_nonce, data_key, head)
        sealed = AESGCM(data_key).encrypt(nonce, body, _VERSION)
        return Sealed(wrapped_key=head + wrap_nonce + wrapped, body=_VERSION + nonce + sealed)

    def open(self, sealed: Sealed) -> bytes:
        """The body as it was sealed.

        Raises NotFound when its data key was erased, ConfigurationError when another deployment key sealed it,
        InvalidPayload when its bytes are damaged or of an unknown version.
        """
        wrapped, body = sealed.wrapped_key, sealed.body
        if not wrapped:
            raise NotFound("The raw bytes were erased: their key is destroyed.")
        whole = len(wrapped) == _WRAPPED and len(body) >= 1 + _NONCE + _TAG
        if not whole or wrapped[:1] != _VERSION or body[:1] != _VERSION:
            raise InvalidPayload("The sealed raw is damaged or of another version: restore it from a backup.")
        opener = self._openers.get(wrapped[1 : 1 + _NAME])
        if opener is None:
            raise ConfigurationError(
                f"The raw was sealed with key {wrapped[1 : 1 + _NAME].hex()}, the present one is {self._name.hex()}:"
                " set [privacy] key to the key file that the desk began with."
            )
        try:
            start = 1 + _NAME
            data_key = opener.decrypt(wrapped[start : start + _NONCE], wrapped[start + _NONCE :], wrapped[:start])
            return AESGCM(data_key).decrypt(body[1 : 1 + _NONCE], body[1 + _NONCE :], _VERSION)
        except InvalidTag as error:
            raise InvalidPayload("The sealed raw is damaged: its bytes were changed after sealing.") from error

    def derive(self, purpose: str) -> bytes:
        """A key of its own for another purpose (signing reply addresses): 32 bytes, the same at every start."""
        return _derived(self._key, purpose.encode())

    def mac(self, value: str) -> str:
        """A keyed digest of a value, 32 hex digits: equal for equal values under one key, and of no other use."""
        return hmac.digest(self._mac_key, value.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]


def fingerprint(key: bytes) -> str:
    """The name of a deployment key, 8 hex digits: fit to be printed, and stored with what the key seals."""
    return _named(key).hex()


def load_key(where: Secret | Path) -> bytes:
    """Read a deployment key: 32 bytes, written as base64 or as 64 hex digits.

    Raises ConfigurationError with one sentence when it is missing, unreadable or of another length.
    """
    if isinstance(where, Secret):
        name, text = where.reference, _revealed(where)
    else:
        name = str(where)
        try:
            text = where.read_text(encoding="ascii")
        except FileNotFoundError as error:
            raise ConfigurationError(f"The key file {name} does not exist: make one with omnirouter init.") from error
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The key file {name} cannot be read: it should be one line of base64.") from error
    key = _decoded(text.strip())
    if len(key) != KEY_SIZE:
        raise ConfigurationError(
            f"The key {name} is no key: it should hold {KEY_SIZE} bytes as base64 (44 characters) or 64 hex digits."
        )
    return key


def _revealed(key: Secret) -> str:
    if key.path is not None and not key.path.exists():
        raise ConfigurationError(
            f"The key {key.reference} is not there, and raws are sealed with it: restore {key.path} from its copy, or "
            "make one for a new desk with: omnirouter init"
        )
    return key.reveal()


def create_key(path: Path) -> bytes:
    """Make a new deployment key in a file that only its owner may read (mode 600), safely on disk; never overwrites."""
    key = os.urandom(KEY_SIZE)
    try:
        handle = private.descriptor(path, os.O_WRONLY | os.O_EXCL)
    except FileExistsError as error:
        raise ConfigurationError(f"The key file {path} exists already and is never overwritten.") from error
    except OSError as error:
        raise ConfigurationError(f"The key file {path} cannot be written: {error.strerror}.") from error
    with os.fdopen(handle, "wb") as file:
        file.write(base64.b64encode(key) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _derived(key: bytes, purpose: bytes) -> bytes:
    if len(key) != KEY_SIZE:
        raise ConfigurationError(f"A deployment key has {KEY_SIZE} bytes, this one has {len(key)}.")
    return hmac.digest(key, b"omnirouter " + purpose, "sha256")


def _named(key: bytes) -> bytes:
    return hashlib.sha256(b"omnirouter name" + key).digest()[:_NAME]


def _decoded(text: str) -> bytes:
    try:
        return bytes.fromhex(text) if len(text) == 2 * KEY_SIZE else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return b""
