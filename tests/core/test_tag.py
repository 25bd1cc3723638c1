"""What a message is about, without any training."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.errors import ConfigurationError
from router.tagging.tag import EXAMPLES, ISSUE_TYPES, Tagger

DATA = Path(__file__).parents[1] / "data"
FLAGS = {"security", "complaint", "asks_human", "legal", "spam"}


@pytest.fixture(scope="module")
def tagger() -> Tagger:
    return Tagger.load()


def rows(name: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in (DATA / name).read_text(encoding="utf-8").splitlines()]


def accuracy(tagger: Tagger, labelled: Iterable[dict[str, str]]) -> float:
    right = [tagger.tag(row["text"]).issue_type == row["label"] for row in labelled]
    return sum(right) / len(right)


@pytest.mark.parametrize(
    ("name", "least"),
    [
        ("tagging_zh.jsonl", 0.93),
        ("tagging_fresh_1.jsonl", 0.93),
        ("tagging_fresh_2.jsonl", 0.90),
        ("tagging_fresh_3.jsonl", 0.95),
        ("tagging_fresh_4.jsonl", 0.92),
    ],
)
def test_labelled_messages_get_their_issue_type(tagger: Tagger, name: str, least: float) -> None:
    """Chinese, Traditional, mixed and English messages are about what people said they are about."""
    assert accuracy(tagger, rows(name)) >= least


def test_english_bank_messages_get_their_issue_type(tagger: Tagger) -> None:
    """Questions to a card bank, mapped from its 77 intents to the issue types of the preset."""
    mapping = json.loads((DATA / "banking77_map.json").read_text(encoding="utf-8"))
    labelled = [row | {"label": mapping[row["label"]]} for row in rows("train_en.jsonl")]
    assert accuracy(tagger, labelled) >= 0.93


def test_twins_in_both_scripts_get_the_same_answer(tagger: Tagger) -> None:
    """The same words in Traditional characters are about the same."""
    pairs = rows("tagging_twins.jsonl")
    same = [tagger.tag(p["simplified"]).issue_type == tagger.tag(p["traditional"]).issue_type for p in pairs]
    assert sum(same) / len(same) >= 0.99


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("转账没到账", "transfer_failed"),
        ("充值没到账", "topup_failed"),
        ("提现没到账", "withdrawal_failed"),
        ("退款没到账", "refund"),
        ("账户被冻结了", "account_frozen"),
        ("卡丢了,快帮我冻结", "security"),
        ("我不是要退款,我是问转账怎么还没到", "transfer_failed"),
        ("I lost my card", "security"),
        ("I lost my password", "password_recovery"),
        ("my tranfser was decilned", "transfer_failed"),
        ("客服很好", "feedback"),
        ("客服态度很不好", "complaint"),
        ("煤气费交了没到账", "payment_unconfirmed"),
        ("贵平台的转账什么时候到", "transfer_failed"),
        ("我登记的名字不对", "profile_change"),
        ("抢红包的钱提不出来", "withdrawal_failed"),
        ("支付功能被限制了", "account_frozen"),
    ],
)
def test_verbs_objects_and_negation_decide_together(tagger: Tagger, text: str, expected: str) -> None:
    """The same verb with another object, or under a negation, is another matter."""
    assert tagger.tag(text).issue_type == expected


@pytest.mark.parametrize(
    ("text", "flag"),
    [
        ("账户被盗后给冻结了,怎么解冻", "security"),
        ("转人工", "asks_human"),
        ("再不处理我就找律师起诉你们", "legal"),
        ("你们服务太差了,我要投诉", "complaint"),
        ("兼职日结加微信", "spam"),
        ("let me talk to a real person", "asks_human"),
        ("someone hacked my account", "security"),
        ("I will take you to court", "legal"),
    ],
)
def test_flags_stand_beside_the_issue_type(tagger: Tagger, text: str, flag: str) -> None:
    """What must not be overlooked is flagged whatever the message is mainly about."""
    assert flag in tagger.tag(text).flags


def test_a_plain_message_has_no_flag(tagger: Tagger) -> None:
    """Nothing is flagged without a reason."""
    assert tagger.tag("怎么导出账单").flags == ()
    assert tagger.tag("how do I change my address").flags == ()
    assert tagger.tag("煤气费交了没到账").flags == ()
    assert tagger.tag("谢谢你们帮我解决了,态度很好").flags == ()


def test_the_deciding_words_are_named(tagger: Tagger) -> None:
    """A person sees which words decided."""
    assert {"提现", "失败"} <= set(tagger.tag("提现失败怎么回事").words)


def test_the_subject_counts(tagger: Tagger) -> None:
    """A mail may say in its subject what it is about."""
    assert tagger.tag("请帮忙处理,谢谢。", "提现三天没到账").issue_type == "withdrawal_failed"


def test_no_known_word_is_other_and_unsure(tagger: Tagger) -> None:
    """What names nothing is not guessed."""
    for text in ("", "   ", "😡😡😡", "asdf qwer", "🙏", "...", "送金できません"):
        tagging = tagger.tag(text)
        assert tagging.issue_type == "other", text
        assert tagging.unsure, text


@given(st.text(), st.text(max_size=40))
def test_tagging_is_total(text: str, subject: str) -> None:
    """Any text gets an answer of the closed lists."""
    tagging = SHARED.tag(text, subject)
    assert tagging.issue_type in ISSUE_TYPES
    assert 0.0 <= tagging.confidence <= 1.0
    assert set(tagging.flags) <= FLAGS
    assert tagging == SHARED.tag(text, subject)


SHARED = Tagger.load()


@pytest.mark.parametrize("piece", ["没", "没到账", "转账没到账,", "not ", "can't pay ", "a", "…", "(", "🙂"])
def test_a_huge_text_is_read_at_its_beginning(tagger: Tagger, piece: str) -> None:
    """A hundred kilobytes of anything are tagged like their first part."""
    huge = piece * (100_000 // len(piece))
    assert tagger.tag(huge).issue_type == tagger.tag(huge[:3_000]).issue_type


def test_a_desk_extends_the_lexicons(tmp_path: Path) -> None:
    """New words and a new issue type come from a folder of the desk; nothing built in is edited."""
    (tmp_path / "ours.toml").write_text(
        'language = "zh"\n[concepts]\ntopup = ["灌钱"]\nloyalty = ["星星"]\n[evidence.loyalty]\n"loyalty" = 4.0\n',
        encoding="utf-8",
    )
    ours = Tagger.load(issue_types=(*ISSUE_TYPES, "loyalty"), lexicons=[tmp_path])
    assert ours.tag("灌钱灌不进去,失败了").issue_type == "topup_failed"
    assert ours.tag("我的星星怎么少了").issue_type == "loyalty"
    assert ours.version != SHARED.version


def test_only_the_desks_own_issue_types_are_given() -> None:
    """A desk with fewer issue types never sees the others."""
    few = Tagger.load(issue_types=("refund", "other"))
    assert few.tag("账户被冻结了").issue_type in ("refund", "other")
    assert few.tag("我要退款").issue_type == "refund"


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("language = 'fr'\n", "would be right"),
        ("[concepts]\ntopup = '充值'\n", "a list of forms"),
        ("[evidence.refund]\n'退款' = 2.0\n", "is no evidence"),
        ("[evidence.refund]\n'refund' = 'much'\n", "is no evidence"),
        ("[evidence.refund]\n'nosuchthing' = 1.0\n", "no lexicon names"),
        ("[evidence]\nrefund = 3\n", "a table"),
        ("[concepts\n", "cannot be read as TOML"),
    ],
)
def test_mistakes_of_a_lexicon_are_told(tmp_path: Path, content: str, sentence: str) -> None:
    """A wrong lexicon file gives a sentence that says what would be right."""
    (tmp_path / "ours.toml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigurationError, match=sentence):
        Tagger.load(lexicons=[tmp_path])


def test_a_missing_folder_is_told(tmp_path: Path) -> None:
    """A lexicon folder that is not there is a mistake of the configuration."""
    with pytest.raises(ConfigurationError, match="is no folder"):
        Tagger.load(lexicons=[tmp_path / "none"])


def test_the_threshold_of_unsure_can_be_set() -> None:
    """A desk that wants people to look more often raises the threshold."""
    assert Tagger.load(unsure_below=1.0).tag("转账没到账").unsure
    assert not Tagger.load(unsure_below=0.0).tag("在吗").unsure


def taught() -> list[str]:
    """The lines of all examples, whoever wrote them."""
    files = sorted(EXAMPLES.with_suffix("").glob("*.tsv"))
    return [line for path in files for line in path.read_text(encoding="utf-8").splitlines()]


def test_the_shipped_model_names_the_types_of_the_preset() -> None:
    """The examples cover every issue type, several times over."""
    counts = Counter(line.split("\t")[0] for line in taught() if not line.startswith("#"))
    assert set(counts) == set(ISSUE_TYPES)
    assert min(counts.values()) >= 40


def test_test_messages_are_not_among_the_examples() -> None:
    """What measures the tagging has not taught it; a bare greeting is everybody's."""
    known = {line.split("\t", 1)[-1] for line in taught() if not line.startswith("#")}
    for name in ("tagging_zh.jsonl", "tagging_fresh_3.jsonl", "tagging_fresh_4.jsonl"):
        assert not [row for row in rows(name) if row["text"] in known and row["text"] != "hello"]
