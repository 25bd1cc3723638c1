"""Which kind of utterance is it? Greeting, waiting, thanking and stating are told apart, whatever the topic."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ConfigurationError
from router.text.meaning.fold import fold
from router.text.meaning.utterance import Utterance, Word, vocabulary


def read(text: str) -> Utterance:
    return vocabulary().read(fold(text))


@pytest.mark.parametrize(
    "text",
    ["在吗", "???", "", "怎么还没处理", "都三天了", "still waiting", "any update??", "Hello, is anyone there?", "👍",
     "請問有進展嗎", "能不能快一点啊", "it's been 4 days", "could someone please look at this", "。。。"],
)  # fmt: skip
def test_content_poor(text: str) -> None:
    """Greetings, chasing, signs and counts of days carry no topic."""
    assert read(text).poor


@pytest.mark.parametrize(
    "text",
    ["建行卡绑不上", "7416", "农行", "My withdrawal is stuck", "店名叫南山水果铺", "Green Leaf Tea", "尾号3310"],
)
def test_not_content_poor(text: str) -> None:
    """A topic, a number or a name is content."""
    assert not read(text).poor


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("再不处理就投诉", Word.CHASE),
        ("按你说的试了,还是不行", Word.ATTEMPT),
        ("I followed your steps", Word.ATTEMPT),
        ("登录不了", Word.PROBLEM),
        ("How do I close my wallet", Word.WISH),
        ("又来了,另外一笔", Word.AGAIN),
        ("有人给我转了一笔", Word.PAYEE),
        ("I sent 300 to my sister", Word.PAYER),
    ],
)
def test_kinds_of_words(text: str, kind: int) -> None:
    """Each list is found in its own language and in phrases."""
    assert read(text).has(kind)


@pytest.mark.parametrize(("text", "asks"), [
    ("登录的问题修好没有", True), ("钱包没有", False), ("退到哪了", True), ("is it fixed", True),
    ("it is fixed", False), ("有结果没", True), ("我没收到", False), ("hello??", True),
    ("我没有收到过什么短信链接,谢谢", False),
])  # fmt: skip
def test_questions(text: str, asks: bool) -> None:
    """A question is known by its mark, its particle or its first word."""
    assert read(text).asks is asks


def test_numbers_leave_out_counts_of_time() -> None:
    """Three days are no detail; a card's last four digits are."""
    assert read("等了3天了,尾号3310,转了2,000元").numbers == ("3310", "2000")


def test_one_bank_under_many_names() -> None:
    """Short, long and foreign names of a bank are one."""
    assert read("中行卡").entities == read("中国银行的卡").entities == read("BOC card").entities == ("boc",)


def test_details_serve_the_types_that_ask_for_them() -> None:
    """The name of a shop serves a refund, not a login."""
    found = read("Shop name is Green Leaf Tea").serves
    assert found["refund"] == 1
    assert "login" not in found


def test_a_desk_extends_the_lists(tmp_path: Path) -> None:
    """A folder of the desk adds words, banks and details to the built-in ones."""
    (tmp_path / "follow_ups").mkdir()
    file = tmp_path / "follow_ups" / "words.toml"
    lists = ('chase = "嘎哈呢"', "[entities]", 'xbank = "鑫行"', "[details.pet]", 'types = "fee"', 'words = "猫"')
    file.write_text("\n".join(lists), "utf-8")
    found = vocabulary((tmp_path,)).read("鑫行的猫嘎哈呢")
    assert found.entities == ("xbank",)
    assert found.has(Word.CHASE)
    assert found.serves == {"fee": 1}
    assert vocabulary((tmp_path,)).read("在吗").poor


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ('chaser = "x"', '"chaser" is no word list'),
        ("chase = 3", '"chase" is no word list'),
        ("[entities]\nx = 3", r"\[entities\] holds lines"),
        ('[details.x]\nwords = "a"', r"\[details.NAME\] holds"),
        ("chase = ", "Invalid value"),
    ],
)
def test_a_list_that_cannot_be_read_is_told_in_a_sentence(tmp_path: Path, content: str, sentence: str) -> None:
    """The file and what is wrong in it are named."""
    (tmp_path / "follow_ups").mkdir()
    (tmp_path / "follow_ups" / "words.toml").write_text(content, "utf-8")
    with pytest.raises(ConfigurationError, match=sentence):
        vocabulary((tmp_path,))


@given(st.text(max_size=2000))
def test_any_text_is_read(text: str) -> None:
    """No text raises, and the weight is never below zero."""
    found = read(text)
    assert found.weight >= 0
    assert found.kinds >= 0
