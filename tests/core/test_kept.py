"""An id, an attribute or a link in which somebody wrote a secret is kept without it, and does its work all the same."""

from __future__ import annotations

import pytest

from router.text.secrets.scrub_ids import attribute, identity, link

SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"


@pytest.mark.parametrize(
    "text",
    [
        "m-1001", "u-77", "4111111111111111", "6222021234567890128@qq.com", "wxid_8f3a2b", "code-884213", "陈先生",
        "CAF=4111-1111-1111-1111@mail.example", "0x" + "ab" * 32, "550e8400-e29b-41d4-a716-446655440000", "张三 (财务)",
        "desk-2026030112345", "sha256:" + "0f" * 32, "a%20b", "",
    ],
)  # fmt: skip
def test_ids_of_programs_stay_as_they_are(text: str) -> None:
    """Numbers with as many digits as a card, hashes, addresses and names: none is touched."""
    assert identity(text) == text


@pytest.mark.parametrize(
    ("text", "core"),
    [("卡号 4111 1111 1111 1111", "1111 1111"), ("验证码884213", "884213"), (JWT, "eyJ"),
     (SEED.replace(" ", "-"), "winner"), ("%E9%AA%8C%E8%AF%81%E7%A0%81884213", "884213")],
)  # fmt: skip
def test_an_id_without_its_secret_is_still_an_id(text: str, core: str) -> None:
    """The same id gives the same, another gives another, and once more changes nothing."""
    kept = identity(text)
    assert core not in kept
    assert identity(text) == kept
    assert identity(text + " 2") != kept
    assert identity(kept) == kept


def test_attributes_hide_a_secret_that_the_name_announces() -> None:
    assert attribute("tier", "gold") == ("tier", "gold")
    assert attribute("card", "4111 1111 1111 1111") == ("card", "[已隐去:银行卡 ****1111]")
    assert attribute("验证码", "884213") == ("验证码", "[已隐去:验证码]")
    assert attribute("password", "Zq7Wm3xK9") == ("password", "[已隐去:密码]")


@pytest.mark.parametrize(
    "url",
    [
        "https://files.example/shot.png", "https://cdn.example/v/t1/4111111111111111_n.jpg?oh=9f8e7d&oe=65A1B2C3",
        "https://files.example/%E6%88%AA%E5%9B%BE.png?Expires=1767225600&Signature=aB3~x_&Key-Pair-Id=APK&",
        "https://files.example/a?token=9f8e7d6c5b4a39281706", "https://files.example/?a=1;b=2#top", "",
    ],
)  # fmt: skip
def test_a_link_without_a_secret_stays_byte_for_byte(url: str) -> None:
    """Also one whose signature is what fetches the file."""
    assert link(url) == url


@pytest.mark.parametrize(
    ("url", "kept"),
    [
        ("https://files.example/a.png?k=4111111111111111&n=2", "https://files.example/a.png?k={****1111}&n=2"),
        ("https://files.example/a?n=2&code=884213", "https://files.example/a?n=2&code={}"),
        (f"https://files.example/a?{JWT}", "https://files.example/a?{}"),
        (f"https://files.example/{SEED.replace(' ', '%20')}.png?x=1", "https://files.example/{}.png?x=1"),
        (f"https://files.example/{SEED.replace(' ', '/')}", ""),
        ("https://li:Zq7Wm3xK9@files.example/a", "https://files.example/a"),
    ],
)
def test_a_link_is_kept_without_what_somebody_wrote_into_it(url: str, kept: str) -> None:
    """The rest of it stays, so that a person sees where the file was."""
    shown = link(url)
    for part in filter(None, kept.replace("{****1111}", "{}").split("{}")):
        assert part in shown
    assert ("%E5%B7%B2%E9%9A%90%E5%8E%BB" in shown) == ("{" in kept)
    assert bool(shown) == bool(kept)
    assert not any(secret in shown for secret in ("4111111111", "884213", "eyJ", "winner", "Zq7"))
