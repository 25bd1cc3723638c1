"""A desk measures on its own logs, without labels, whether one matter stays one conversation."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from router.errors import InvalidPayload
from router.policy.values import Policy
from workers.lab.evaluate.chats import evaluate_chats, sessions

LOG = Path(__file__).parents[1] / "data" / "chats_one_matter.jsonl"


def line(session: str, at: str, who: str, text: str, **more: Any) -> dict[str, Any]:
    return {"session": session, "at": f"2026-03-02T{at}+08:00", "who": who, "text": text, **more}


def written(folder: Path, *rows: dict[str, Any]) -> Path:
    file = folder / "log.jsonl"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return file


def test_chats_of_one_matter_stay_whole() -> None:
    """Bursts, pauses, questions, the next morning, mails: what a wallet's customers write about one matter."""
    figures = evaluate_chats(LOG, policy=Policy.preset("wallet"))
    assert figures["sessions"] >= 20
    assert figures["split_in_2_min"] == 0
    assert figures["split"] <= 0.05, figures["mistakes"]
    assert figures["chased_in_2_min"] <= 0.1, figures["mistakes"]


def test_a_session_that_is_two_matters_is_counted_as_split(tmp_path: Path) -> None:
    """Two order numbers are two matters whatever the log says: the place is told, with a prediction a piece."""
    file = written(
        tmp_path,
        line("a", "10:00:00", "customer", "订单 TX88100231 转账 200 元没到账"),
        line("b", "10:00:30", "customer", "怎么修改手机号"),
        line("a", "10:01:00", "desk", "您好,已在处理"),
        line("a", "15:00:00", "customer", "订单 TX99200765 充值 500 元也没到"),
    )
    figures = evaluate_chats(file, tmp_path / "out.jsonl", Policy.preset("wallet"))
    assert (figures["sessions"], figures["messages"], figures["conversations"]) == (2, 3, 3)
    assert figures["split"] == 0.5
    assert [row["opened"] for row in figures["opened_after"]] == [1]
    assert "a line 4 (desk, < 12 h): opened a conversation" in figures["mistakes"][0]
    rows = [json.loads(row) for row in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert [(row["session"], row["line"]) for row in rows] == [("a", 1), ("a", 4), ("b", 2)]
    assert len({row["conversation"] for row in rows if row["session"] == "a"}) == 2


def test_lines_of_several_sessions_may_alternate_and_be_out_of_order(tmp_path: Path) -> None:
    """Each session is put in order of time; what the desk says before the customer's first words opens nothing."""
    file = written(
        tmp_path,
        line("a", "10:05:00", "visitor", "尾号 3310"),
        line("a", "09:59:00", "agent", "您好,很高兴为您服务"),
        line("b", "10:00:00", "desk", "在吗?"),
        line("a", "10:00:00", "visitor", "提现没到账"),
    )
    (session,) = sessions(file)
    assert [piece.line for piece in session.pieces] == [4, 1]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("{", "line 1: this is no JSON"),
        ("[]", "line 1: this is no JSON object"),
        (line("", "10:00:00", "customer", "hi"), '"session"'),
        (line("a", "10:00:00", "caller", "hi"), '"customer" or "desk" would be right'),
        (line("a", "10:00:00", "customer", " "), '"text"'),
        ({"session": "a", "at": "2026-03-02 10:00", "who": "customer", "text": "hi"}, "with its offset"),
        (line("a", "10:00:00", "desk", "hi"), "no customer's words"),
        (line("a", "10:00:00", "customer", "hi", subject=3), '"subject"'),
    ],
)
def test_what_is_no_log_is_one_sentence(tmp_path: Path, row: Any, said: str) -> None:
    """The line, what is wrong with it and what would be right."""
    file = tmp_path / "log.jsonl"
    file.write_text(row if isinstance(row, str) else json.dumps(row), encoding="utf-8")
    with pytest.raises(InvalidPayload, match=r"log\.jsonl") as raised:
        sessions(file)
    assert said in str(raised.value)


def test_the_command_fits_a_terminal(run: Any) -> None:
    """Figures and tables within 80 columns; one kind of file at a time; what cannot be drawn is said."""
    done = run("evaluate", "followups", "--chats", LOG)
    figures = done.out.split("mistakes")[0]
    assert done.code == 0
    assert "split" in figures
    assert max(map(len, figures.splitlines())) <= 80
    for wrong in (["--chats", LOG, LOG], [], ["--chats", LOG, "--plot", "p"]):
        done = run("evaluate", "followups", *wrong)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1)
