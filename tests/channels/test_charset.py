"""A text is read in the charset that it declares; only where it declares nothing are its bytes asked."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.email.mime.charset import decode, header
from adapters.email.mime.japanese import iso_2022_jp

#: A sentence, a few words in capitals, a subject; and the charsets in which mail programs write them.
PANEL = [
    ("Здравствуйте, я не могу войти в кошелек, перевод не пришел второй день", "НЕ ПРИШЕЛ ПЕРЕВОД, СРОЧНО ОТВЕТЬТЕ",
     "Re: перевод не пришел", ["koi8-r", "windows-1251", "iso-8859-5", "cp866", "x-mac-cyrillic"]),
    ("Добрий день, гроші не надійшли на гаманець вже другий день", "ГРОШІ НЕ НАДІЙШЛИ", "Re: гроші не надійшли",
     ["koi8-u", "windows-1251"]),
    ("สวัสดีครับ ผมโอนเงินแล้วแต่เงินยังไม่เข้ากระเป๋า ช่วยตรวจสอบด้วย", "เงินยังไม่เข้า", "Re: โอนเงินไม่สำเร็จ",
     ["tis-620", "windows-874", "iso-8859-11"]),
    ("Καλημέρα, δεν μπορώ να συνδεθώ στο πορτοφόλι μου", "ΔΕΝ ΜΠΟΡΩ ΝΑ ΣΥΝΔΕΘΩ", "Re: η μεταφορά δεν έφτασε",
     ["windows-1253", "iso-8859-7"]),
    ("مرحبا لم يصل التحويل الى محفظتي منذ يومين", "لم يصل التحويل", "Re: التحويل", ["windows-1256", "iso-8859-6"]),
    ("שלום, ההעברה לא הגיעה לארנק שלי", "ההעברה לא הגיעה", "Re: העברה",
     ["windows-1255", "iso-8859-8", "iso-8859-8-i"]),
    ("Merhaba, param cüzdanıma geçmedi, işlem başarısız görünüyor", "İŞLEM BAŞARISIZ", "Re: İşlem",
     ["windows-1254", "iso-8859-9"]),
    ("Dzień dobry, nie mogę zalogować się do portfela", "ŻÓŁĆ", "Re: RÓŻNE", ["windows-1250", "iso-8859-2"]),
    ("Labas, pinigai dar neatėjo į piniginę", "ŠĮ ŽĮ", "Re: pinigai neatėjo", ["windows-1257", "iso-8859-13"]),
    ("안녕하세요 송금이 아직 도착하지 않았습니다 확인 부탁드립니다", "송금 실패", "Re: 송금 문의",
     ["euc-kr", "ks_c_5601-1987", "iso-2022-kr"]),
    ("送金がまだ届いていません。確認をお願いします", "送金失敗", "Re: 送金について",
     ["shift_jis", "euc-jp", "iso-2022-jp"]),
    ("您好,轉帳一直沒到帳,請協助查詢", "轉帳失敗", "Re: 轉帳", ["big5", "big5-hkscs"]),
    ("您好，转账一直没有到账", "转账失败", "Re: 转账", ["gb2312", "gbk", "gb18030", "hz-gb-2312"]),
    ("Xin chào, tôi chưa nhận được tiền", "Chưa nhận", "Re: chuyển tiền", ["windows-1258"]),
    ("Le virement n'est pas arrivé", "ÉTÉ", "Re: virement reçu à moitié",
     ["iso-8859-1", "iso-8859-15", "windows-1252"]),
]  # fmt: skip
CODECS = {"windows-874": "cp874", "ks_c_5601-1987": "cp949", "shift_jis": "cp932", "x-mac-cyrillic": "mac_cyrillic",
          "iso-8859-8-i": "iso-8859-8", "hz-gb-2312": "hz"}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "charset"), [(text, charset) for *texts, charsets in PANEL for charset in charsets for text in texts]
)
def test_declared_charsets(text: str, charset: str) -> None:
    """Text in any language of the world is what its writer wrote where he says in which charset."""
    codec = CODECS.get(charset, charset)
    written = text.encode(codec, "ignore")
    assert decode(written, charset) == written.decode(codec)
    assert decode(written, f" '{charset.upper()}'") == written.decode(codec)


@pytest.mark.parametrize("lie", ["koi8-r", "windows-1251", "tis-620", "iso-8859-2", "euc-kr", "shift_jis"])
def test_utf8_under_another_name(lie: str) -> None:
    """UTF-8 is known for what it is whatever it is called, since no other text looks like it by chance."""
    assert decode("перевод не пришел, 退款".encode(), lie) == "перевод не пришел, 退款"


@pytest.mark.parametrize("text", ["Mon virement est arrivé", "Kunde Viererôt", "ein Euro €", "j'ai reçu"])
@pytest.mark.parametrize("charset", ["iso-8859-1", "windows-1252", "", "us-ascii"])
def test_an_accent_at_the_end(text: str, charset: str) -> None:
    """A last accented letter is no torn UTF-8."""
    assert decode(text.encode("cp1252"), charset) == text


@pytest.mark.parametrize(
    ("text", "beside", "read"),
    [
        ("송금 문의", "euc-kr", "송금 문의"),
        ("перевод", "koi8-r", "перевод"),
        ("โอนเงิน", "windows-874", "โอนเงิน"),
        ("転送できない", "shift_jis", "転送できない"),
    ],
)
def test_a_raw_subject_is_in_the_charset_of_the_text(text: str, beside: str, read: str) -> None:
    """A subject of raw bytes is read as the text beside it says, one that is UTF-8 or says its own charset is not."""
    assert header(text.encode(CODECS.get(beside, beside)), beside) == read
    assert header(text.encode(), beside) == text
    assert header("充值失败".encode("gbk"), "gb2312") == "充值失败"
    assert header(b"=?utf-8?B?6YCA5qy+?=", beside) == "退款"


#: cp50221: what Windows writes as ISO-2022-JP, rows 13 and 89 to 92 among it.
@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"\x1b$B-!Aw6b\x1b(B \x1b$B-j%F%9%H\x1b(B", "①送金 ㈱テスト"),
        (b"\x1b$B|b66$G$9\x1b(B", "髙橋です"),
        (b"\x1b$@-j|b66\x1b(J!", "㈱髙橋!"),
        (b"Re: \x1b$B-!\x1b(B", "Re: ①"),
        (b"\x1b$B-!\n\x1b(B\x1b(I16\x1b(B", "①\nｱｶ"),
        (b"\x1b$B-!\x1b(B\x1b$A\x4a\x55\x1b(B", "①收"),
        (b"\x1b$B-!Aw", "①送"),
        (b"\x1b$B-!A", "①A"),
        ("送金".encode("cp932"), "送金"),
        ("送金が".encode("euc-jp"), "送金が"),
        ("送金".encode(), "送金"),
    ],
)
def test_japanese_of_windows(content: bytes, text: str) -> None:
    """Circled digits, ㈱ and 髙 are read in ISO-2022-JP, as every mail program of Japan does."""
    assert decode(content, "iso-2022-jp") == text


@given(st.binary(max_size=60) | st.text("\x1b$B(J-!|bAI", max_size=60).map(str.encode))
def test_any_japanese(content: bytes) -> None:
    """No bytes stop the reading."""
    assert isinstance(iso_2022_jp(content), str)
