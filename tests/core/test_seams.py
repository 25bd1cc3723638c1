"""Which messages hold a piece of a secret, and which pieces make one?"""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.text.secrets.seams import pieces, whole

SEED = ["legal", "winner", "thank", "year", "wave", "sausage", "worth", "useful", "legal", "winner", "thank", "yellow"]
CHINESE = "的一是在不了有和人这中大"
WIF = "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss"
HEX = "e9873d79c6d87dc0fb6a5778633389f4453213303da61f20bd67fc233aa33262"


def made(kind: str, *texts: str) -> str:
    """The secret that the pieces of these texts make."""
    return whole(kind, [pieces(text)[kind].says for text in texts], texts)


@pytest.mark.parametrize("cuts", [(8,), (4, 8), (4, 8, 12), (1, 15), (12,)])
def test_a_card_in_pieces(cuts: tuple[int, ...]) -> None:
    """However it is cut, with or without words around its pieces."""
    card, at = "4111111111111111", (0, *cuts, 16)
    parts = [card[a:b] for a, b in itertools.pairwise(at)]
    assert made("digits", *parts) == "card"
    assert made("digits", *(f"第{n}段 {part}\u200b" for n, part in enumerate(parts, 1))) == "card"
    assert made("digits", f"我的银行卡号分几次发给您 {parts[0]}", *parts[1:]) == "card"


def test_a_resident_identity_number_in_halves() -> None:
    """Its date of birth and its check character are right only as a whole."""
    assert made("digits", "110105 1949", "1231002x") == "resident_id"


@given(st.sets(st.integers(1, 11), min_size=1, max_size=3))
def test_a_seed_phrase_in_pieces(cuts: set[int]) -> None:
    """By its check sum, however it is cut; one word alone may be a piece."""
    at = (0, *sorted(cuts), 12)
    parts = [" ".join(SEED[a:b]) for a, b in itertools.pairwise(at)]
    assert made("words", *parts) == "seed"
    assert whole("words", parts[::-1], parts) in ("", "seed")


@pytest.mark.parametrize(
    ("kind", "texts", "secret"),
    [
        ("words", ("my seed: legal winner thank year", "wave sausage worth useful"), "seed"),
        ("words", ("legal winner thank year", "wave sausage worth useful"), ""),
        ("words", ("前六 legal winner thank year wave sausage", "1.worth 2.useful 3.legal 4.winner 5.thank"), "seed"),
        ("characters", (f"助记词 {' '.join(CHINESE[:6])}", " ".join(CHINESE[6:])), "seed"),
        ("characters", (" ".join(CHINESE[:6]), " ".join(CHINESE[6:])), ""),
        ("token", (WIF[:20], WIF[20:]), "key"),
        ("token", (f"私钥前一半 {HEX[:32]}", HEX[32:]), "key"),
        ("token", (HEX[:32], HEX[32:]), ""),
        ("digits", ("41111111", "11111112"), ""),
    ],
)
def test_only_what_a_whole_one_would_be(kind: str, texts: tuple[str, ...], secret: str) -> None:
    """The same signs as in one text: check sum, list, a word that speaks of it."""
    assert made(kind, *texts) == secret


@pytest.mark.parametrize(
    "text",
    ["转账2000一直没到账", "200元", "您好", "订单 41111111", "[已隐去:银行卡 ****1111]", "2026-03-02 到 2026-03-09", "",
     "My transfer of 2000 to the bank has not arrived since monday, please look", "4111 1111 1111 1111 111", "x" * 300],
)  # fmt: skip
def test_ordinary_messages_hold_no_digits_of_a_card(text: str) -> None:
    """Sums, orders, dates and what was taken out already are no pieces."""
    assert "digits" not in pieces(text)
    assert "words" not in pieces(text)


@given(st.text(max_size=260))
def test_any_text_is_read(text: str) -> None:
    """A piece has a place in its text, and says something."""
    assert all(0 <= one.start < one.end <= len(text) and one.says for one in pieces(text).values())
