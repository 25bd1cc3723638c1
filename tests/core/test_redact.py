"""Which secrets are taken out of a text, and which ordinary numbers stay."""

from __future__ import annotations

import hashlib
import json
import sys
import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mnemonic import Mnemonic

from router.text.own_words.cut import plain
from router.text.secrets.redact import redact
from router.text.secrets.seeds import has_valid_checksum

DATA = Path(__file__).parents[1] / "data"
ENGLISH = Mnemonic("english").wordlist
CHINESE = Mnemonic("chinese_simplified").wordlist

#: What nobody sees, one of each kind: format, control, marks, selectors, fillers, unassigned, private.
UNSEEN = [chr(code) for code in (
    0x200B, 0x2060, 0x202E, 0x2066, 0x2063, 0x034F, 0xFE0F, 0x061C, 0x180E, 0x3164, 0x115F, 0xFFA0, 0xE0041, 0x1B, 0x9B,
    0x7F, 0x20E3, 0x0301, 0xE0101, 0x2800, 0xFEFF, 0xAD, 0xE000, 0x2065, 0x1D173,
)]  # fmt: skip
_DIGITS = [code for code in range(0x110000) if unicodedata.digit(chr(code), None) is not None]
#: Every sign that Unicode knows for each digit.
SIGNS = [[chr(code) for code in _DIGITS if unicodedata.digit(chr(code)) == value] for value in range(10)]
#: Chinese numerals for each digit.
NUMERALS = ["〇零", "一壹", "二贰貳", "三叁", "四肆", "五伍", "六陆陸", "七柒", "八捌", "九玖"]
SEPARATORS = [*" -.·,，、/|_:;~*+=()\u3000\u2003\u2028\u2013\u2014\n\t", " - ", "\r\n"]
PUNCTUATION = "，。！？、：；“”（）《》…\n 的了是我不有"
ISSUERS = [("4", 16), ("51", 16), ("2221", 16), ("37", 15), ("6222", 19), ("6011", 16), ("3528", 16), ("9558", 19)]


@st.composite
def cards(draw: st.DrawFn) -> str:
    """A card's number: an issuer's prefix, any digits, the right check digit."""
    prefix, size = draw(st.sampled_from(ISSUERS))
    digits = prefix + "".join(draw(st.lists(st.sampled_from("0123456789"), min_size=16, max_size=16)))
    digits = digits[: size - 1]
    doubled = [(0, 2, 4, 6, 8, 1, 3, 5, 7, 9)[int(d)] if at % 2 == 0 else int(d) for at, d in enumerate(digits[::-1])]
    return digits + str(-sum(doubled) % 10)


SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"
_SEVEN = "letter advice cage absurd amount doctor acoustic"
SEED_24 = f"{_SEVEN} avoid {_SEVEN} avoid {_SEVEN} bless"
HEX = "e9873d79c6d87dc0fb6a5778633389f4453213303da61f20bd67fc233aa33262"
WIF = "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss"
XPRV = (
    "xprv9s21ZrQH143K3QTDL4LXw2F7HEK3wJUD2nW2nRk4stbPy6cq3jPPqjiChkVvvNKmPGJxWUtg6LnF5kejMRNNU3TGtRBeJgk33yuGBxrMPHi"
)
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
CARD, CARD_19, ID = "4111111111111111", "6222021234567890128", "11010519491231002X"


def _wide(text: str) -> str:
    return "".join(chr(ord(character) + 0xFEE0) if "!" <= character <= "~" else character for character in text)


#: Name, the secret's text as a customer writes it, what must not be left of it, its kind.
CANARIES = [
    ("seed of 12", SEED, "sausage", "seed"),
    ("seed of 24", SEED_24, "doctor", "seed"),
    ("seed in capitals", SEED.upper(), "SAUSAGE", "seed"),
    ("seed numbered", " ".join(f"{n}. {w}" for n, w in enumerate(SEED.split(), 1)), "sausage", "seed"),
    ("seed a line each", "\n".join(f"({n}) {w}" for n, w in enumerate(SEED.split(), 1)), "sausage", "seed"),
    ("seed with commas", SEED.replace(" ", "，"), "sausage", "seed"),
    ("seed full-width spaced", SEED.replace(" ", "\u3000"), "sausage", "seed"),
    ("seed full-width", _wide(SEED), _wide("sausage"), "seed"),
    ("seed with invisible characters", SEED.replace("sausage", "sau\u200bsage"), "sage", "seed"),
    ("seed split by tags", plain("<p>" + SEED.replace("sausage", "sau<b>sage</b>") + "</p>"), "sausage", "seed"),
    ("seed split by tags in a text", SEED.replace("sausage", "sau<b>sage</b>"), "sage", "seed"),
    ("seed with ordinals", " ".join(f"{n}th: {w}" for n, w in enumerate(SEED.split(), 4)), "sausage", "seed"),
    ("seed with Chinese ordinals", " ".join(f"第{n}个{w}" for n, w in enumerate(SEED.split(), 1)), "sausage", "seed"),
    ("seed with names", " ".join(f"w{n}={w}" for n, w in enumerate(SEED.split(), 1)), "sausage", "seed"),
    ("seed as a list", json.dumps(SEED.split()), "sausage", "seed"),
    ("seed of line breaks in a text", SEED.replace(" ", "<br>"), "sausage", "seed"),
    ("seed in a table", plain("<table><td>" + SEED.replace(" ", "<tr><td>") + "</table>"), "sausage", "seed"),
    ("seed with a typing mistake", "助记词：" + SEED.replace("sausage", "sosage"), "winner", "seed"),
    ("seed by its first letters", "seed phrase " + " ".join(w[:4] for w in SEED.split()), "winn", "seed"),
    ("seed of Chinese characters", "我的助记词是：" + " ".join(CHINESE[9:21]), " ".join(CHINESE[11:14]), "seed"),
    ("key of hex digits", f"私钥是{HEX}", HEX[:20], "key"),
    ("key with 0x", f"my private key: 0x{HEX}", HEX[-20:], "key"),
    ("key over two lines", f"私钥：{HEX[:32]}\n{HEX[32:]}", HEX[:20], "key"),
    ("key in groups", "private key " + " ".join(HEX[at : at + 8] for at in range(0, 64, 8)), HEX[16:24], "key"),
    ("key full-width", f"私钥 {_wide(HEX)}", _wide(HEX[:20]), "key"),
    ("WIF", f"帮我看看{WIF}对不对", WIF[5:20], "key"),
    ("extended key", XPRV, XPRV[20:40], "key"),
    ("PEM key", "-----BEGIN EC PRIVATE KEY-----\nMHcCAQEEIA\n-----END EC PRIVATE KEY-----", "MHcC", "key"),
    ("card", f"卡号{CARD}", CARD[:12], "card"),
    ("card spaced", "4111 1111 1111 1111", "1111 1111", "card"),
    ("card hyphenated", "card 4111-1111-1111-1111 declined", "1111-1111", "card"),
    ("card full-width", _wide(CARD), _wide("1111111"), "card"),
    ("card full-width spaced", "４１１１　１１１１　１１１１　１１１１", "１１１１　", "card"),
    ("card split by tags", plain("4111<b>1111</b><span>1111</span>1111"), CARD[:12], "card"),
    ("card split by tags in a text", "4111<b>1111</b><i>1111</i>1111", "1111</b>", "card"),
    ("card with wide separators", "4111 - 1111 - 1111 - 1111", "1111 - ", "card"),
    ("card of a payment", f"payment {CARD} declined", CARD[:12], "card"),
    ("card over two lines", "62220212\n34567890128", "34567890", "card"),
    ("card with invisible characters", "4111\u200b1111\u200b1111\u200b1111", "1111\u200b", "card"),
    ("debit card of 19 digits", f"我的卡{CARD_19}扣款失败", CARD_19[:15], "card"),
    ("resident identity number", f"身份证{ID}", ID[:14], "resident_id"),
    ("resident identity number full-width", f"我的身份证号：{_wide(ID)}", _wide(ID[:14]), "resident_id"),
    ("resident identity number spaced", "110105 19491231 002x", "19491231", "resident_id"),
    ("card check", "4111 1111 1111 1111 cvv 123", "cvv 123", "cvv"),
    ("card check after expiry", "4111111111111111 12/27 987", "987", "cvv"),
    ("card check in Chinese", f"卡号{CARD} 后三位 456", "456", "cvv"),
    ("code", "验证码884210", "884210", "code"),
    ("code told", "我收到的验证码是 884210，输进去没用", "884210", "code"),
    ("code in Chinese digits", "验证码是八八四二一零", "八八四二一零", "code"),
    ("code in brackets", "【884210】登录验证码", "884210", "code"),
    ("code by its initials", "yzm884210", "884210", "code"),
    ("code by the bare word", "code 884210 does not work", "884210", "code"),
    ("code between tags", "验证码<b>884210</b>", "884210", "code"),
    ("code full-width", "驗證碼：８８４２１０", "８８４２１０", "code"),
    ("code in groups", "your OTP: 884-210", "884-210", "code"),
    ("code before its name", "884210是我的验证码", "884210", "code"),
    ("code in English", "the verification code is 8842", "8842", "code"),
    ("code of a pasted message", "【钱包】您的验证码为884210，5分钟内有效", "884210", "code"),
    ("password", "密码是Abc12345", "Abc12345", "password"),
    ("password of letters", "密码：qwertyui", "qwertyui", "password"),
    ("password in English", "my password is hunter2!", "hunter2", "password"),
    ("password of a word", "my password is sunshine", "sunshine", "password"),
    ("password with symbols", "password: Tr0ub4dor&3", "ub4dor", "password"),
    ("payment password", "支付密码 135790 一直错误", "135790", "password"),
    ("PIN", "My PIN is 4821", "4821", "password"),
    ("token", "api key: sk_live_9aB8c7D6e5F4g3H2", "9aB8c7", "token"),
    ("signed token", JWT, "eyJzdWIi", "token"),
    ("token of a service", "our server says sk_" + "live_9aB8c7D6e5F4g3H2, what now", "9aB8c7", "token"),
    ("card in a file name", f"card-{CARD}.png", CARD[:12], "card"),
    ("card in a file name of a phone", f"IMG_{CARD}.jpg", CARD[:12], "card"),
    ("seed in a file name", "backup_" + SEED.replace(" ", "_") + ".txt", "sausage", "seed"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "secret", "kind"), [c[1:] for c in CANARIES], ids=[c[0] for c in CANARIES])
def test_a_secret_is_taken_out_in_any_disguise(text: str, secret: str, kind: str) -> None:
    """Nothing of the secret is left, the desk reads what stood there, and what opens a wallet raises the flag."""
    assert secret in text
    result = redact(text)
    assert secret not in result.text
    assert kind in result.found
    assert "[已隐去:" in result.text
    assert result.exposed == (kind in ("seed", "key"))


@pytest.mark.parametrize("text", [c[1] for c in CANARIES], ids=[c[0] for c in CANARIES])
def test_redacting_twice_changes_nothing(text: str) -> None:
    """A stored text can be redacted again (a new rule, a second look) without harm."""
    once = redact(text).text
    assert redact(once).text == once


@pytest.mark.parametrize("text", [c[1] for c in CANARIES], ids=[c[0] for c in CANARIES])
def test_the_words_around_a_secret_stay(text: str) -> None:
    """Only the secret goes: the sentence before and after is as the customer wrote it."""
    result = redact(f"您好，请看：{text}，谢谢，单号TP202690702951")
    assert result.text.startswith("您好，请看：")
    assert result.text.endswith("谢谢，单号TP202690702951")


@pytest.mark.parametrize(("text", "secret"), [c[1:3] for c in CANARIES], ids=[c[0] for c in CANARIES])
@pytest.mark.parametrize("joint", ["，", "\n"])
def test_a_secret_beside_another_is_taken_out_too(text: str, secret: str, joint: str) -> None:
    """One secret never hides the next, in either order, and nothing is left for a second look."""
    for other in (SEED, f"卡号{CARD}", "验证码884210", f"私钥{HEX}", f"身份证{ID}"):
        for both in (f"{text}{joint}{other}", f"{other}{joint}{text}"):
            result = redact(both).text
            assert secret not in result
            assert redact(result).text == result


ORDINARY = [
    "单号TP202690702951 怎么还没到账",
    "订单号4111111111111111",
    "交易号：6222021234567890128",
    "order number 4111 1111 1111 1111",
    "TP4111111111111111",
    "4111111111111111X没到",
    "流水号 11010519491231002X",
    "4111111111111112",
    "1234567890123456",
    "0000000000000000",
    "2026030210321234567",
    f"交易哈希 0x{HEX}",
    f"txid {HEX}",
    f"{HEX} 这笔转账没到账",
    "找回我的转账，交易 0x" + HEX,
    "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8",
    "0x52908400098527886E0F7030069857D2E4169EE7",
    "手机号13800138000，验证码收不到",
    "验证码过期了三次,没法登录",
    "验证码 2026-03-02 10:32 发的",
    "验证码收不到,转账2000没到",
    "密码忘记了怎么办",
    "密码输错太多次账号被锁定了",
    "无法登入,一直说帐号或密码错误",
    "密码错误5次",
    "提现密码 1200元提不了",
    "支付密码2026年改过",
    "my password is wrong",
    "password reset not working",
    "The password is incorrect, please help",
    "forgot password, account W2388693",
    "shopping 2000 at the mall",
    "spin 4821 opinion 1234",
    "my USDT token balance 2000 is gone",
    "desk-2026a0301b12345 is my desk-id, task sk-20260301123456789",
    "token 5000 not arrived",
    "error code 500321",
    "zip code 200030, promo code 2026",
    "see <a href='https://wallet.example'>here</a> for 4111",
    "一家人👨\u200d👩\u200d👧都在等",
    "验证码一直收不到，一二三四五六七八九十遍了",
    "my password is visible",
    "助记词忘记了怎么办",
    "我的助记词丢了，钱包打不开，里面有一万多",
    "有人冒充客服问我要助记词和私钥，我没给",
    "seed phrase lost, how do I recover my wallet",
    "please help me recover the private key of my account",
    "I can not find the recovery phrase that your app showed when I made the wallet last year",
    "我 要 投 诉 你 们 客 服 一 直 不 理 人",
    "卡尾号1111",
    "金额 4,111,111,111.00",
    "+852 9123 4567",
    "2026-03-02 10:32:05",
    "ISBN 978-7-111-11111-1",
    "W2388693",
    "",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_messages_stay_as_they_are(text: str) -> None:
    """Order numbers, hashes, phones, sums and talk about passwords are no secrets."""
    result = redact(text)
    assert (result.text, result.found, result.exposed) == (text, (), False)


def test_the_public_messages_hold_no_secret() -> None:
    """Not one redaction in the public tagging and follow-up vectors."""
    texts = [json.loads(line)["text"] for line in (DATA / "tagging_zh.jsonl").read_text("utf-8").splitlines()]
    for line in (DATA / "followups.jsonl").read_text("utf-8").splitlines():
        for item in json.loads(line)["items"]:
            texts += [item.get("text") or "", item.get("subject") or ""]
    assert len(texts) > 900
    assert [text for text in texts if redact(text).found] == []


def test_a_card_shows_its_last_four_digits() -> None:
    """The agent can still ask "the card ending in 1111?"."""
    assert redact(f"卡号{CARD}扣款失败").text == "卡号[已隐去:银行卡 ****1111]扣款失败"


def test_equal_cards_have_equal_marks() -> None:
    """With a keyed MAC the same card is told again however it was written, and the mark shows nothing of it."""
    seen: list[str] = []

    def mac(value: str) -> str:
        seen.append(value)
        return hashlib.blake2b(value.encode(), key=b"desk", digest_size=8).hexdigest()

    first, second = redact(CARD, mac), redact("４１１１ 1111-1111-1111", mac)
    assert first.marks == second.marks
    assert first.marks[0].startswith("card:")
    assert seen == [CARD, CARD]
    assert redact("6222021234567890128", mac).marks != first.marks


def test_a_right_checksum_makes_a_seed_certain() -> None:
    """Twelve listed words are redacted either way; the checksum says whether they are a real wallet's."""
    assert redact(SEED).certain
    assert has_valid_checksum(SEED_24.split())
    invalid = SEED.replace("yellow", "zoo")
    assert not redact(invalid).certain
    assert redact(invalid).exposed


def test_several_secrets_of_one_text_all_go() -> None:
    """One message may hold a card, its owner's identity number and a code."""
    result = redact(f"卡{CARD} 身份证{ID} 验证码123456 密码是Abc12345")
    assert result.found == ("card", "resident_id", "code", "password")
    assert not any(secret in result.text for secret in (CARD, ID, "123456", "Abc12345"))


@given(
    st.lists(st.sampled_from(ENGLISH), min_size=12, max_size=24),
    st.sampled_from([" ", ", ", "\n", "、", " - ", "  "]),
)
def test_no_run_of_listed_words_gets_through(words: list[str], gap: str) -> None:
    """Whatever words and separators a seed phrase has, not one of its lines stays."""
    result = redact(f"请看 {gap.join(words)} 谢谢")
    assert result.text.startswith("请看 [已隐去:助记词]")
    assert result.exposed


def _with_check_digit(digits: str) -> str:
    total = 0
    for place, digit in enumerate(reversed(digits + "0")):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return digits + str(-total % 10)


@given(st.sampled_from(["4", "51", "62", "6011", "3528", "2221"]), st.data(), st.sampled_from(["", " ", "-", "　"]))
def test_no_card_gets_through(prefix: str, data: st.DataObject, gap: str) -> None:
    """Any valid 16-digit number of a known issuer goes, spaced or not."""
    size = 15 - len(prefix)
    card = _with_check_digit(prefix + data.draw(st.text("0123456789", min_size=size, max_size=size)))
    written = gap.join(card[at : at + 4] for at in range(0, 16, 4))
    result = redact(f"我的卡 {written} 不能用")
    if len(set(card)) > 1:
        assert written not in result.text
        assert result.found == ("card",)


@given(st.text(max_size=400))
def test_any_text_is_redacted(text: str) -> None:
    """No text is an error, and what holds no secret comes back unchanged."""
    result = redact(text)
    assert bool(result.found) or result.text == text


def _steps(action: Callable[[], object]) -> int:
    count = 0

    def seen(frame: FrameType, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize(
    "piece",
    [
        *("4 ", "4111", "验证码", "密码是", "seed ", "abandon ", "abandon x ", "助 记 词 ", "eyJ.", "-----BEGIN "),
        *("a1" * 26 + " ", "私钥" + "ab" * 32 + " ", "四", "4\u200b", "①", "4\u0301-", "\ufe0f", "1:23 "),
    ],
)
def test_a_crafted_message_costs_no_more_than_its_size(piece: str) -> None:
    """20 KB take twice the steps of 10 KB."""
    small, large = piece * (10_000 // len(piece)), piece * (20_000 // len(piece))
    steps = _steps(lambda: redact(small))
    assert _steps(lambda: redact(large)) <= 2.2 * steps + 400


@given(card=cards(), chosen=st.randoms(use_true_random=False), say=st.sampled_from(["卡号 {}", "{}", "card: {} ok?"]))
def test_a_card_is_found_however_it_is_hidden(card: str, chosen: Any, say: str) -> None:
    """Unseen characters without end, digits of any script, separators of any kind between any of them: it is found,
    and none of its digits stays."""
    written = [chosen.choice([digit, chosen.choice(SIGNS[int(digit)])]) for digit in card]
    gaps = ["".join(chosen.choices(UNSEEN, k=chosen.choice([0, 0, 1, 3, 40]))) for _ in card]
    marks = [chosen.choice(["", "", chosen.choice(SEPARATORS)]) for _ in card]
    hidden = "".join(map("".join, zip(written, gaps, marks, strict=True))).rstrip("".join(SEPARATORS))
    found = redact(say.format(hidden))
    assert "card" in found.found, hidden
    assert found.text.startswith(say.partition("{}")[0] + "[已隐去:银行卡 ****")
    assert not any(sign in found.text.replace(card[-4:], "") for sign in set(written))


@given(card=cards(), chosen=st.randoms(use_true_random=False))
def test_a_card_in_chinese_numerals_is_found(card: str, chosen: Any) -> None:
    """In plain numerals or in those of banks, mixed with digits, with unseen characters or blanks between."""
    written = [chosen.choice([digit, *NUMERALS[int(digit)]]) for digit in card]
    hidden = "".join(sign + chosen.choice(["", "", " ", "\u200b", "、"]) for sign in written).rstrip(" 、")
    found = redact(f"卡号 {hidden}")
    assert found.found == ("card",)
    assert found.text.rstrip("\u200b") == f"卡号 [已隐去:银行卡 ****{card[-4:]}]"


@given(st.text(st.sampled_from([*map(chr, range(0x4E00, 0x9FA6)), *PUNCTUATION]), max_size=400))
def test_ordinary_chinese_stays(text: str) -> None:
    """Chinese characters and their punctuation alone hold no secret, unless a word that says so stands among them."""
    if not any(word in text for word in ("码", "碼", "密", "口令", "助", "种子")):
        assert redact(text).text == text


def test_equal_cards_are_equal_however_they_are_written() -> None:
    """The keyed mark of a card is that of its digits."""
    written = (CARD, "４１１１ 1111-1111\u200b1111", "四一一一 一一一一 一一一一 一一一一", "๔" + "๑" * 15)
    assert {redact(text, mac=lambda value: value).marks for text in written} == {(f"card:{CARD}",)}


@pytest.mark.parametrize("gap", ["\u200b", "\u2060 ", "\x1d", "\u3164", "\n\u200b"])
def test_a_seed_phrase_is_found_whatever_parts_its_words(gap: str) -> None:
    """What nobody sees may stand between its words, or within one."""
    assert redact(SEED.replace(" ", gap)).found == ("seed",)
    assert redact(SEED.replace("a", "a\u200d")).found == ("seed",)


@pytest.mark.parametrize("sums", ["2026-03-02 10:22:33 4111.11", "1,234.56\n7,890.12\n45.10", "22:33:44 22:33:45"])
def test_no_number_is_cut_out_of_dates_times_and_sums(sums: str) -> None:
    """A table of them holds no card, whatever their digits give together."""
    assert redact(sums).found == ()
