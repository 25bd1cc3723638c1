"""Attachments have names that are safe to save and to show, links that are safe to click, and a limit."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.wire import attachment


@pytest.mark.parametrize(
    ("given_name", "safe"),
    [
        ("shot.png", "shot.png"),
        ("截图 1.png", "截图 1.png"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\system32\\cmd.exe", "cmd.exe"),
        ("\u200b.htaccess", "htaccess"),
        (".\u200bhtaccess", "htaccess"),
        ("invoice\u202egpj.exe", "invoicegpj.exe"),
        ("con.txt", "_con.txt"),
        ("LPT1", "_LPT1"),
        ("a\r\nb\x00.txt", "ab.txt"),
        ("trailing. . .", "trailing"),
        ('a<b>:"|?*.txt', "a_b______.txt"),
        ("", "attachment"),
        ("...", "attachment"),
        ("/", "attachment"),
        ("e\u0301.txt", "é.txt"),
    ],
)
def test_a_name_is_made_safe(given_name: str, safe: str) -> None:
    """No name climbs out of a folder, hides its ending or means a device."""
    assert attachment.file_name(given_name) == safe


def test_a_long_name_keeps_its_ending() -> None:
    """A name of a thousand characters is cut to 150 and keeps its ending."""
    name = attachment.file_name("x" * 1000 + ".jpeg")
    assert (len(name), name[-5:]) == (150, ".jpeg")


@given(st.text(max_size=400))
def test_every_name_is_plain(text: str) -> None:
    """Whatever a name is, what is left has one line, no folder, no leading dot, and does not change again."""
    name = attachment.file_name(text)
    assert name
    assert len(name) <= 151
    assert not set(name) & set("/\\\r\n\x00\u202e\u200b")
    assert not name.startswith(".")
    assert attachment.file_name(name) == name


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://cdn.example/a.png?sig=1&x=2#y", True),
        ("HTTP://cdn.example/a", True),
        ("javascript:alert(1)", False),
        ("data:text/html,<script>", False),
        ("file:///etc/passwd", False),
        ("https://a b.example/", False),
        ('https://x.example/"onclick=', False),
        ("//x.example/", False),
        ("https://[x/", False),
        ("https://a℀b.example/", False),
        ("https:///path", False),
        ("", False),
    ],
)
def test_only_web_links_are_kept(url: str, kept: bool) -> None:
    """What a click would open is http or https, whole."""
    assert attachment.web_link(url) == (url if kept else "")


def test_the_type_is_a_media_type_or_unknown() -> None:
    """A type that is none is the unknown one; parameters are dropped."""
    assert attachment.media_type("Image/PNG; name=x") == "image/png"
    assert attachment.media_type("<b>") == "application/octet-stream"
    assert attachment.media_type("image/4111111111111111") == "application/octet-stream"


def test_content_has_a_limit() -> None:
    """Ten MiB are taken, a byte more is not; base64 with line breaks is base64."""
    full = base64.b64encode(bytes(attachment.LARGEST)).decode()
    assert len(attachment.from_base64(full)) == attachment.LARGEST
    with pytest.raises(attachment.TooLarge):
        attachment.from_base64(base64.b64encode(bytes(attachment.LARGEST + 1)).decode())
    with pytest.raises(attachment.TooLarge):
        attachment.from_base64("A" * (attachment.LARGEST * 2))
    assert attachment.from_base64("aGVs\r\nbG8=") == b"hello"
    with pytest.raises(ValueError, match="base64"):
        attachment.from_base64("***")


def test_content_is_known_by_its_hash() -> None:
    """The size and the hash are those of the content."""
    one = attachment.of_bytes(b"hello", "../a.txt", "text/plain")
    assert (one.name, one.size, one.sha256[:8]) == ("a.txt", 5, "2cf24dba")
