"""What counts as a customer's own words, over the layouts of mail programs and languages."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.text.own_words import cut as own_words
from router.text.own_words import quotes
from router.text.own_words.cut import LONGEST, cut, plain
from router.text.own_words.html import SIGNATURE, marked

FILE = Path(__file__).parents[1] / "data" / "own_words.jsonl"
TABLE = [json.loads(line) for line in FILE.read_text("utf-8").splitlines()]


@pytest.mark.parametrize("reply", TABLE, ids=[reply["id"] for reply in TABLE])
def test_own_words_are_cut_exactly(reply: dict[str, str]) -> None:
    """The desk reads what the customer wrote this time, not what our own mail said."""
    assert cut(reply["text"], reply.get("html", "")).own == reply["own"]


@pytest.mark.parametrize("reply", TABLE, ids=[reply["id"] for reply in TABLE])
def test_a_cut_text_has_nothing_left_to_cut(reply: dict[str, str]) -> None:
    """Own words read again as a message stay as they are, so a stored text never shrinks."""
    assert cut(reply["own"]).own == reply["own"]


@pytest.mark.parametrize(
    ("text", "quoted", "signature"),
    [
        ("a\n\nOn Mon, 2 Mar 2026, S wrote:\n> b\n", "On Mon, 2 Mar 2026, S wrote:\n> b", ""),
        ("a\n\n发自我的iPhone", "", "发自我的iPhone"),
        ("a\n-- \nAnna\n+44 20", "", "Anna\n+44 20"),
        ("a", "", ""),
        ("", "", ""),
    ],
)
def test_the_other_parts_are_kept_apart(text: str, quoted: str, signature: str) -> None:
    """Quote and signature stay readable beside the own words."""
    parts = cut(text)
    assert (parts.quoted, parts.signature) == (quoted, signature)


def test_a_long_text_below_a_line_of_two_dashes_is_no_signature() -> None:
    """Somebody who draws a line and writes on for a page loses none of it."""
    letter = "first\n--\n" + "\n".join(f"paragraph {number} of the complaint" for number in range(20))
    assert cut(letter).own == letter


def test_words_between_two_quoted_heads_are_kept() -> None:
    """A mail that begins with the head of one that was passed on keeps the line above the next head."""
    first = "From: Anna Lee\nSent: 7 March 2026 14:26\nTo: help@wallet.example\nSubject: FW: card\n"
    second = "From: Bob Roe\nSent: 7 March 2026 09:33\nTo: Anna Lee\nSubject: card\nYour card is lost"
    assert cut(f"{first}This is what they wrote to me\n{second}").own == f"This is what they wrote to me\n{second}"


def test_an_unknown_layout_is_cut_by_what_the_desk_wrote() -> None:
    """A quote that no mark announces is still told, since the desk knows its own sentences."""
    ours = "您好，我们已收到您的问题，请提供订单号和卡号后四位，谢谢您的耐心等待。"
    text = f"单号是TP202690702951\n\n*** 客服小李 ***\n{ours}"
    assert cut(text, known_outbound=[ours]).own == "单号是TP202690702951\n\n*** 客服小李 ***"
    assert cut(ours + "\n" + ours, known_outbound=[ours]).own == ours + "\n" + ours


def test_text_is_read_where_html_tells_no_quotes_by_structure() -> None:
    """A plain part with `>` lines is the better source beside HTML that has only paragraphs."""
    assert cut("yes\n> no", "<p>yes</p><p>no</p>").own == "yes"


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>a<b>b</b>c</p><p>d</p>", "abc\nd"),
        ("4111<b>1111</b><span>1111</span>1111", "4111111111111111"),
        ("<div>a<br><br>b</div>", "a\n\nb"),
        ("<div>a</div><div><br></div><div>b</div>", "a\n\nb"),
        ("<table><tr><td>订单</td><td>4471</td></tr><tr><td>金额</td><td>86</td></tr></table>", "订单 4471\n金额 86"),
        ("<ul><li>one<li>two</ul>", "one\ntwo"),
        ("a &amp; b &lt;c&gt;&nbsp;d", "a & b <c> d"),
        ("<pre>one\n  two</pre>three", "one\n  two\nthree"),
        ("a<style>p{}</style><script>x()</script><!-- y -->b", "ab"),
        ("a<p style='DISPLAY : none'>hidden</p><p style='font-size:0px'>hidden</p><i hidden>x</i>b", "ab"),
        ("<p style='font-size:0.9em'>seen</p><p style='display:block'>too</p>", "seen\ntoo"),
        ("<title>no</title><p>unclosed <b>bold<p>next", "unclosed bold\nnext"),
        ("", ""),
        ("   ", ""),
        ("no tags at all", "no tags at all"),
        ("<meta charset='gb2312'><p>中文</p>", "中文"),
    ],
)
def test_html_reads_as_its_visible_lines(html: str, text: str) -> None:
    """Blocks are lines, tags inside a word do not part it, and what the eye cannot see is not read."""
    assert plain(html) == text


def test_deeply_nested_html_is_read() -> None:
    """Fifty thousand open tags are neither an error nor a lost word."""
    assert plain("<div>" * 50_000 + "word") == "word"
    assert plain("<blockquote>" * 5_000 + "word" + "</blockquote>" * 5_000 + "own") == "word\nown"


def test_marked_html_begins_each_line_by_its_structure() -> None:
    """Quotes, and signatures, keep their place in the order of lines."""
    html = "<p>own</p><blockquote>q1<br>q2</blockquote><p>more</p><div class='gmail_signature'>Anna</div>"
    assert marked(html) == f"own\n> q1\n> q2\nmore\n{SIGNATURE}Anna"


_OWN_LINES = st.lists(
    st.text(st.characters(categories=("L", "Nd", "Zs")), max_size=40).filter(
        lambda line: not quotes.is_device(line.strip())
    ),
    max_size=12,
)


@given(_OWN_LINES)
def test_nothing_is_lost_where_no_mark_stands(lines: list[str]) -> None:
    """Letters, digits and spaces alone make no quote mark, so every word of them is own."""
    text = "\n".join(lines)
    assert cut(text).own.split() == text.split()


@given(st.text(st.sampled_from("> \n-_:一a@在写道On1：2026.<wrote"), max_size=300))
def test_a_message_with_words_always_has_own_words(text: str) -> None:
    """However the marks fall, a message that says something never reads as empty."""
    own = cut(text).own
    assert bool(own) or not any(character.isalnum() for character in text)


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_input_is_read(text: str, html: str) -> None:
    """No text and no HTML, however broken, is an error."""
    parts = cut(text, f"<blockquote>{html}")
    assert isinstance(parts.own, str)


def _calls(action: Callable[[], object]) -> int:
    """How many functions, Python's and C's, run during an action: a count, not a clock."""
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


CRAFTED = {
    "openers": "On a\n",
    "attributions": "On 2 March 2026, S wrote:\n> q\n",
    "closers": "wrote:\n",
    "addresses": "a@b <\n",
    "quotes": "> \n",
    "deep quotes": ">" * 20 + "\n",
    "headers": "From: a@b\n",
    "header blocks": "From: a@b\nDate: 1\nSubject: x\n> q\n",
    "rules": "_" * 40 + "\n",
    "delimiters": "--\nx\n",
    "separators": "-----Original Message-----\n> q\n",
    "devices": "发自我的iPhone\n",
    "chat quotes": "「a\n",
    "blanks": " \n",
    "letterheads": "a\n\n\n\na@b.example\nFrom: a@b\nDate: 1\nSubject: x\n> q\n\n\n\n",
    "cards": "|\n|\n",
    "comments": "--- Comment #6 from a <a@b> ---\n",
    "bare dashes": "--\nI am not here.\n\n",
    "one line": "On 在 > wrote: ",
}


@pytest.mark.parametrize("piece", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_mail_costs_no_more_than_its_size(piece: str) -> None:
    """50 KB built to make scanners stall take twice the steps of 25 KB, not four times."""
    small, large = piece * (25_000 // len(piece)), piece * (50_000 // len(piece))
    steps = _calls(lambda: cut(small))
    assert _calls(lambda: cut(large)) <= 2.2 * steps + 400


@pytest.mark.parametrize(
    "piece", ["<div>a", "<blockquote>a", "<p style='display:none'>a</p>", "<b>a</b>", "<br>", "&lt;"]
)
def test_crafted_html_costs_no_more_than_its_size(piece: str) -> None:
    """The walk over a tree visits each node once, however deep it is."""
    small, large = piece * (25_000 // len(piece)), piece * (50_000 // len(piece))
    steps = _calls(lambda: marked(small))
    assert _calls(lambda: marked(large)) <= 2.2 * steps + 400


@pytest.mark.parametrize("html", [False, True])
def test_a_text_without_end_is_read_up_to_its_limit(html: bool) -> None:
    """A mail of many megabytes costs what the longest message costs; its raw keeps the rest."""
    words = "转账 2000 没到账\n" * (LONGEST // 5)
    page = f"<div>hello</div><blockquote>{words}</blockquote><p>{words}</p>" if html else ""
    parts = cut("" if html else words, page)
    assert 0 < len(parts.own) + len(parts.quoted) <= LONGEST + 1


def test_no_line_is_looked_at_beyond_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    """A line of a megabyte is matched on its first 400 characters only."""
    seen: list[int] = []
    real = quotes.is_device
    monkeypatch.setattr(quotes, "is_device", lambda words: seen.append(len(words)) or real(words))
    own_words.cut("x" * 1_000_000 + "\ny")
    assert seen
    assert max(seen) <= quotes.LIMIT
