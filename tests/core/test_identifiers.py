"""Which numbers a message names, as customers of wallets, shops and exchanges write them."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.text.meaning.identifiers import MOST, Identifiers, read
from router.text.secrets.redact import redact

HEX = "a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f90"
DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("单号TP202690702951 怎么还没到账", "TP202690702951"),
        ("訂單號：ＴＰ２０２６９０７０２９５１", "TP202690702951"),
        ("tp202690702951", "TP202690702951"),
        ("TP-2026-90702951没到", "TP202690702951"),
        ("订单号：TP 2026 9070 2951", "TP202690702951"),
        ("单号 TP 202690702951", "TP202690702951"),
        ("TP2026\u200b90702951", "TP202690702951"),
        ("order no. 12345678", "12345678"),
        ("Order #88123 not delivered", "88123"),
        ("my order number is 4471", "4471"),
        ("订单号是 4471", "4471"),
        ("txn 9f8e7d6c5b4a", "9F8E7D6C5B4A"),
        ("ref: ABC123456", "ABC123456"),
        ("流水号 2026030210321234567", "2026030210321234567"),
        ("商户单号 4200002026030212345678", "4200002026030212345678"),
        ("INV-2026-00123", "INV202600123"),
        ("e5b1c2d4-1111-4222-8333-abcdefabcdef", "E5B1C2D4111142228333ABCDEFABCDEF"),
        ("工单号 20260302-0001", "202603020001"),
        ("订单号4111111111111111", "4111111111111111"),
        ("someone sent me money, order TP202653067728, I did not get it", "TP202653067728"),
    ],
)
def test_an_order_number_is_read_in_any_dress(text: str, order: str) -> None:
    """Full-width, spaced, hyphenated, lower case: the same number is the same key."""
    found = read(text)
    assert found.orders == (order,)
    assert found.keys() == (f"order:{order}",)
    assert not found.cards


def test_numbers_that_differ_by_one_digit_differ() -> None:
    """Two orders that differ in their last digit are two matters."""
    assert read("单号TP202690702951").keys() != read("单号TP202690702952").keys()


@pytest.mark.parametrize(
    "text", [f"0x{HEX}", f"txid {HEX}", f"交易哈希：{HEX.upper()}", f"哈希0X{HEX}", f"https://scan.example/tx/0x{HEX}"]
)
def test_a_transaction_hash_is_one_key(text: str) -> None:
    """With or without 0x, in capitals or in a link, a hash is the same hash."""
    assert read(text).keys() == (f"hash:0x{HEX}",)


@pytest.mark.parametrize(
    ("text", "account"),
    [
        ("W2388693 是我账号", "W2388693"),
        ("账号 w2388693 登不上", "W2388693"),
        ("UID 8812345", "8812345"),
        ("user id: 12345678", "12345678"),
        ("帳號：8812-3456", "88123456"),
        ("我的钱包地址是TJRabPrwbZy45sbavfcjinPJC18kjpRTv8", "TJRabPrwbZy45sbavfcjinPJC18kjpRTv8"),
        ("0x52908400098527886E0F7030069857D2E4169EE7", "0x52908400098527886e0f7030069857d2e4169ee7"),
    ],
)
def test_an_account_is_read(text: str, account: str) -> None:
    """Account numbers and wallet addresses are no order numbers."""
    found = read(text)
    assert (found.accounts, found.orders) == ((account,), ())


@pytest.mark.parametrize(
    ("text", "tails"),
    [
        ("提到的是农行卡,尾号3310", ("3310",)),
        ("银行短信显示10:32扣的款,交易流水尾号0092", ("0092",)),
        ("Bank statement says 10:41, reference ends 7712", ("7712",)),
        ("It goes to my DBS account ending 9034", ("9034",)),
        ("card ending in 9034", ("9034",)),
        ("末四位是7416", ("7416",)),
        ("last 4 digits: 7416", ("7416",)),
        ("6222****7416", ("7416",)),
        ("卡號７４１６", ("7416",)),
        ("7416", ("7416",)),
        ("是7416", ("7416",)),
        ("7416吧", ("7416",)),
        ("it's 7416", ("7416",)),
        ("我已经发过了呀,8885", ("8885",)),
        ("already sent: 7665", ("7665",)),
        ("尾号是 0092 和 7712", ("0092", "7712")),
        ("卡号 6222 0212 3456 7890 128", ("0128",)),
        ("4111-1111-1111-1111", ("1111",)),
    ],
)
def test_the_tail_of_a_card_is_read(text: str, tails: tuple[str, ...]) -> None:
    """Introduced, masked, whole, or four digits alone in answer to the agent's question; never a sum of money."""
    found = read(text)
    assert (found.cards, found.amounts, found.orders) == (tails, (), ())


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("转账2000给我弟,显示成功可他没收到", (("2000", ""),)),
        ("余额里的1200提到卡上,审核到现在没动静", (("1200", ""),)),
        ("工行扣了我500,钱包余额一分没涨", (("500", ""),)),
        ("买票扣了两次钱,都是135", (("135", ""),)),
        ("一张票扣了我两遍135块", (("135", "CNY"),)),
        ("店名叫南山水果铺,退的是86元", (("86", "CNY"),)),
        ("充值５００元", (("500", "CNY"),)),
        ("￥1,200.50", (("1200.5", "CNY"),)),
        ("金额2000.00元", (("2000", "CNY"),)),
        ("HK$300", (("300", "HKD"),)),
        ("NT$1500", (("1500", "TWD"),)),
        ("I paid $23.50", (("23.5", "USD"),)),
        ("20刀", (("20", "USD"),)),
        ("RMB500", (("500", "CNY"),)),
        ("100U没到", (("100", "USDT"),)),
        ("USDT 充值 500", (("500", ""),)),
        ("2k usdt not arrived", (("2000", "USDT"),)),
        ("1.2w", (("12000", ""),)),
        ("3.5万元", (("35000", "CNY"),)),
        ("1万2没到", (("12000", ""),)),
        ("5000块和3千", (("5000", "CNY"), ("3000", ""))),
        ("两千块没到", (("2000", "CNY"),)),
        ("两千五", (("2500", ""),)),
        ("三千二百块", (("3200", "CNY"),)),
        ("一千零五十元", (("1050", "CNY"),)),
        ("五十塊", (("50", "CNY"),)),
        ("账户突然被冻结,里面有一万多", (("10000", ""),)),
        ("我的号被你们冻了,一万多块动不了", (("10000", "CNY"),)),
        ("十万块", (("100000", "CNY"),)),
        ("转一千收十块也太贵了吧", (("1000", ""), ("10", "CNY"))),
        ("冲了五百没到账", (("500", ""),)),
        ("增值咗兩百蚊", (("200", "HKD"),)),
        ("金额不对,我买的是98你们扣了198", (("98", ""), ("198", ""))),
        ("My visa was debited 80 and the wallet shows no top up", (("80", ""),)),
        ("One ticket, two charges of 45 on my wallet", (("45", ""),)),
        ("Charged twice for one train ticket, 45 each", (("45", ""),)),
        ("The 300 I transferred to my sister still is not in her account", (("300", ""),)),
        ("Shop name is Green Leaf Tea, amount 23.50", (("23.5", ""),)),
        ("sent 0.05 BTC", (("0.05", "BTC"),)),
        ("I transfer N10,000 to Opay", (("10000", ""),)),
        ("a cash in of P1,500", (("1500", ""),)),
        ("toll RFID, RM86 stuck", (("86", "MYR"),)),
        ("you kept the 12 dirham charge", (("12", "AED"),)),
        ("Rs. 2,314 is pending", (("2314", "INR"),)),
        ("昨天充了两笔，一笔1000，一笔2500没到", (("1000", ""), ("2500", ""))),
    ],
)
def test_a_sum_is_read_with_its_currency(text: str, amounts: tuple[tuple[str, str], ...]) -> None:
    """Digits, multiples and Chinese numerals give equal text for equal sums."""
    assert read(text).amounts == amounts


@pytest.mark.parametrize(
    "text",
    [
        "2026年3月2日10点32分转的",
        "3月2日",
        "10:32",
        "2026-03-02",
        "2026-03-02 10:32:05",
        "2026/3/2",
        "02/03/2026",
        "20260302",
        "2026-03-02T10:32:05+08:00",
        "错误码 50032",
        "error 5003",
        "版本 12.3.1",
        "iPhone 15 Pro Max",
        "iPhone15 iOS17.4",
        "IP 192.168.1.100",
        "第3步",
        "转了3次都失败",
        "等了10天",
        "三天没人管",
        "95588打不通",
        "10086",
        "5G信号",
        "新手机是小米14,安卓版",
        "万一到不了怎么办",
        "千万别冻结",
        "百分之五十",
        "我们一块去的",
        "forgot password那个link打开是404",
        "十分着急",
        "The phone number on file at the bank is the one ending 88",
        "New phone is a Pixel 8, the old one is already sold",
        "验证码1234收不到",
        "身份证11010519491231002X",
        "三心二意",
        "",
    ],
)
def test_dates_times_counts_and_devices_are_no_identifiers(text: str) -> None:
    """What merely looks like a number of the wallet's world is left alone."""
    assert read(text) == Identifiers()


@pytest.mark.parametrize(
    ("text", "phone"),
    [
        ("手机号13800138000", "13800138000"),
        ("138-0013-8000", "13800138000"),
        ("电话138 0013 8000", "13800138000"),
        ("+86 138 0013 8000", "13800138000"),
        ("+8613800138000", "13800138000"),
        ("+852 9123 4567", "+85291234567"),
        ("call me at +44 20 7946 0000", "+442079460000"),
        ("座机0755-26123456", "075526123456"),
    ],
)
def test_a_phone_number_is_no_order(text: str, phone: str) -> None:
    """A number that can be dialled is kept as such, without separators."""
    found = read(text)
    assert (found.phones, found.orders, found.amounts) == ((phone,), (), ())


def test_a_mail_address_is_read_whole() -> None:
    """Digits in an address are no order number and no sum."""
    found = read("我的邮箱是Chen.2026030299@Example.com，谢谢")
    assert found == Identifiers(emails=("chen.2026030299@example.com",))


@pytest.mark.parametrize(
    ("text", "identifiers"),
    [
        ("884210是我的验证码", Identifiers()),
        ("卡号4111111111111111 cvv 123 没到账", Identifiers(cards=("1111",))),
        ("身份证110105 19491231 002x", Identifiers()),
        ("密码 13579246，单号TP202690702951", Identifiers(orders=("TP202690702951",))),
        ("我的PIN是4821，转了500元", Identifiers(amounts=(("500", "CNY"),))),
        (f"私钥 {HEX}", Identifiers()),
        ("４１１１ 1111 1111 1111", Identifiers(cards=("1111",))),
    ],
)
def test_no_secret_is_kept_as_an_identifier(text: str, identifiers: Identifiers) -> None:
    """What will be redacted is never stored by another name; of a card the last four digits stay."""
    assert read(text) == identifiers
    assert read(redact(text).text, redacted=True) == identifiers


def test_a_message_with_everything_keeps_the_kinds_apart() -> None:
    """One long sentence gives one entry of each kind."""
    found = read("昨天10:32用尾号3310的卡充值500元，单号TP202690702951，账号W2388693，电话13800138000，a@b.example")
    assert found.keys() == ("order:TP202690702951", "account:W2388693")
    assert found.weak() == ("card:3310", "amount:500")
    assert (found.phones, found.emails) == (("13800138000",), ("a@b.example",))


def test_the_public_sequences_keep_their_order_numbers() -> None:
    """Every order number of the public follow-up sequences is read, and nothing else is taken for one."""
    for line in (DATA / "followups.jsonl").read_text("utf-8").splitlines():
        for item in json.loads(line)["items"]:
            text = item.get("text") or ""
            expected = tuple(word[:14] for word in text.split("TP")[1:])
            assert read(text).orders == tuple(f"TP{digits[:12]}" for digits in expected), text


@given(st.text(max_size=300))
def test_any_text_is_read(text: str) -> None:
    """No text is an error, and a result is never empty text."""
    found = read(text)
    assert all(found.orders + found.hashes + found.accounts + found.cards + found.phones + found.emails)


@given(st.integers(10**11, 10**12 - 1), st.sampled_from(["", " ", "，", "\n"]), st.booleans())
def test_an_order_number_is_found_wherever_it_stands(number: int, gap: str, wide: bool) -> None:
    """Words on either side never hide an introduced number."""
    digits = "".join(chr(ord(digit) + 0xFEE0) for digit in str(number)) if wide else str(number)
    assert read(f"你好{gap}单号{digits}{gap}怎么还没到账").orders == (str(number),)


@given(st.integers(1, 9_999_999), st.sampled_from([("元", "CNY"), ("块", "CNY"), (" usdt", "USDT"), ("港币", "HKD")]))
def test_a_sum_with_its_unit_is_always_read(value: int, unit: tuple[str, str]) -> None:
    """The unit decides, however many digits there are."""
    assert read(f"充值{value}{unit[0]}没到").amounts == ((str(value), unit[1]),)


def test_a_paste_of_many_numbers_is_bounded() -> None:
    """A list of ten thousand orders is kept to a few."""
    assert len(read("\n".join(f"TP2026{number:08}" for number in range(10_000))).orders) == MOST


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


@pytest.mark.parametrize("piece", ["1 ", "1", "a1-", "TP1234567 ", "9,", "1.1.", "一万", "单号", "a@b.", "1-1 "])
def test_a_crafted_message_costs_no_more_than_its_size(piece: str) -> None:
    """50 KB take twice the steps of 25 KB."""
    small, large = piece * (25_000 // len(piece)), piece * (50_000 // len(piece))
    steps = _steps(lambda: read(small))
    assert _steps(lambda: read(large)) <= 2.2 * steps + 400
