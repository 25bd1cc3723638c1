"""A desk measures on its own messages whether a second matter is seen as one."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.errors import ConfigurationError
from router.policy.values import Policy
from workers.lab.evaluate.second_matters import evaluate_second_matters, pairs
from workers.lab.labelled import Labelled, labelled_messages

FILE = Path(__file__).parents[1] / "data" / "second_matters.jsonl"


def test_pairs_are_the_same_on_every_run_and_of_both_kinds() -> None:
    """Each message meets one of another matter with nothing, a word and a question between; pieces are of one."""
    messages = labelled_messages(FILE)
    made = pairs(messages)
    assert made == pairs(messages)
    others = [pair for pair in made if pair.kind == "other" and pair.channel == "chat"]
    assert {pair.between for pair in others} == {"nothing", "word", "question"}
    assert all(pair.first.label != pair.second.label for pair in others)
    assert all(bool(pair.said) == (pair.between != "nothing") for pair in made)
    halves = [pair for pair in made if pair.kind == "same"]
    assert halves
    whole = {message.id: message.text for message in messages}
    for pair in halves:
        text = whole[pair.first.id]
        assert (text.startswith(pair.first.text), text.endswith(pair.second.text)) == (True, True)
    assert {pair.first.matter for pair in made if pair.kind == "retold"} >= {"rent", "sister", "hotel"}


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Labelled(1, "登录不上去,密码也不对", "login"), Labelled(2, "账号被锁住了,进不去", "account_locked")),
        (Labelled(1, "转账一直没有到账啊", "transfer_failed"), Labelled(2, "I need a statement", "records")),
        (Labelled(1, "卡加不进去说不符", "card_binding", ("fee",)), Labelled(2, "手续费为什么收九块", "fee")),
        (Labelled(1, "你们好,有人在吗在吗", "other"), Labelled(2, "手续费为什么收九块", "fee")),
        (Labelled(1, "手续费为什么收九块", "fee", (), "", "m"), Labelled(2, "要对账单盖章的", "records", (), "", "m")),
    ],
)  # fmt: skip
def test_what_may_be_one_matter_is_no_pair_of_two(one: Labelled, other: Labelled) -> None:
    """Two sides of one trouble, two languages, a label that is right as well, greetings, one named matter."""
    assert not [pair for pair in pairs([one, other]) if pair.kind == "other"]


def test_figures_tell_both_kinds(tmp_path: Path) -> None:
    """Swallowed without the desk's words, after a word, after a question; split; mails; by pause; predictions."""
    figures = evaluate_second_matters(FILE, tmp_path / "out.jsonl", Policy.preset("wallet"))
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert len(rows) == figures["pairs"] == sum(row["pairs"] for row in figures["by_pause"])
    asked = [row["joined"] for row in rows if row["kind"] == "other" and row["between"] == "question"]
    assert figures["swallowed_after_question"] == pytest.approx(sum(asked) / len(asked), abs=1e-4)
    split = [not row["joined"] for row in rows if row["kind"] == "same"]
    assert figures["split"] == pytest.approx(sum(split) / len(split), abs=1e-4)
    assert figures["split"] <= 0.1
    assert figures["mails_joined_wrongly"] <= 0.15
    assert figures["mails_repeats_joined"] == 1.0


def test_a_file_without_two_matters_is_one_sentence(tmp_path: Path) -> None:
    """One message pairs with nothing."""
    file = tmp_path / "one.jsonl"
    file.write_text('{"text": "转账一直没有到账", "label": "transfer_failed"}\n', encoding="utf-8")
    with pytest.raises(ConfigurationError, match="far apart"):
        evaluate_second_matters(file)


def test_the_command_fits_a_terminal(run: Any) -> None:
    """Figures and a table by pause within 80 columns, and as JSON."""
    done = run("evaluate", "followups", "--second-matters", FILE)
    figures = done.out.split("mistakes")[0]
    assert (done.code, max(map(len, figures.splitlines())) <= 80) == (0, True)
    assert "swallowed_after_question" in figures
    found = run.json("evaluate", "followups", "--second-matters", FILE, "--predictions", "p.jsonl")
    assert {"swallowed", "split", "by_pause"} <= set(found)
    assert (run.folder / "p.jsonl").exists()
