"""Measuring from the command line: files in, figures out, predictions and pictures where asked; no database is made."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

DATA = Path(__file__).parents[1] / "data"


def lines_of(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_followups_are_measured(run: Any) -> None:
    """Figures as JSON and for people; a prediction for each message, events counted in the index; a picture."""
    file = DATA / "followups.jsonl"
    found = run.json("evaluate", "followups", file, "--predictions", "p.jsonl", "--plot", "pictures")
    assert found["messages"] == sum("expect" in item for sequence in lines_of(file) for item in sequence["items"])
    given = lines_of(run.folder / "p.jsonl")
    assert [set(row) for row in given] == [{"id", "item", "class", "conversation"}] * found["messages"]
    assert Path(found["picture"]).stat().st_size > 1_000
    assert "macro_f1" in run("evaluate", "followups", DATA / "followups.jsonl").out
    assert not (run.folder / "omnirouter.db").exists()


def test_tags_are_measured(run: Any) -> None:
    """Accuracy, macro-F1 and coverage; a prediction a message."""
    found = run.json("evaluate", "tags", DATA / "tagging_zh.jsonl", "--predictions", "p.jsonl")
    given = lines_of(run.folder / "p.jsonl")
    assert {"accuracy", "macro_f1", "coverage"} <= set(found)
    assert [row["id"] for row in given] == [row["id"] for row in lines_of(DATA / "tagging_zh.jsonl")]
    assert set(given[0]) == {"id", "label", "confidence", "unsure", "runner_up"}


def test_deadlines_are_measured(run: Any) -> None:
    """Every recorded case has its answer."""
    found = run.json("evaluate", "deadlines", DATA / "deadlines.json", "--predictions", "p.jsonl", "--plot", "pictures")
    given = lines_of(run.folder / "p.jsonl")
    assert found["cases"] == len(given) == found["exact"]
    assert set(given[0]) == {"id", "result"}
    assert Path(found["picture"]).exists()


@pytest.mark.parametrize("command", ["followups", "tags", "deadlines"])
@pytest.mark.parametrize("content", [None, "{", '{"id": 1}\n'])
def test_a_file_of_another_kind_is_one_sentence(run: Any, command: str, content: str | None) -> None:
    """A file that is not there, or holds something else, is wrong usage: one sentence that names it."""
    if content is not None:
        (run.folder / "file.jsonl").write_text(content)
    done = run("evaluate", command, "file.jsonl")
    assert (done.code, done.out) == (2, "")
    assert "file.jsonl" in done.err
    assert done.err.count("\n") == 1


def test_what_people_retagged_trains_a_model(run: Any) -> None:
    """A labelled file gives a model file, figures, and how to use it; the model is then measured."""
    rows = lines_of(DATA / "train_en.jsonl")
    labels = sorted({row["label"] for row in rows})[:6]
    rows = [row for row in rows if row["label"] in labels]
    (run.folder / "labelled.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = run("train", "labelled.jsonl", "-o", "mine.model")
    assert (done.code, done.err) == (0, "")
    assert done.out.endswith('Use it with: model = "mine.model" under [tagging].\n')
    found = run.json("evaluate", "tags", "labelled.jsonl", "--model", "mine.model")
    assert found["messages"] == len(rows)
    assert run("train", "nothing.jsonl", "-o", "mine.model").code == 2


def test_a_bench_gives_one_table(run: Any) -> None:
    """Speed is told as rows that name what was measured; an unknown subject is wrong usage."""
    rows = run.json("bench", "tags")
    assert {row["bench"] for row in rows} == {"tags"}
    assert all(row["what"] for row in rows)
    assert run("bench", "weather").code == 2
    assert not (run.folder / "omnirouter.db").exists()


def test_the_bench_of_live_messages_asks_two_real_daemons(run: Any) -> None:
    """A chat message is seen, and acknowledged by a desk that stores and by one that does not; each row has times."""
    rows = run.json("bench", "live", "--messages", "5")
    assert len(rows) == 6
    assert all(row["p99 ms"] >= row["p50 ms"] > 0 for row in rows[1:])
    assert rows[0]["statements"] > 5
    assert [row["what"].rpartition(", ")[2] for row in rows[2:]] == ["stored nowhere", "durable"] * 2


def test_the_bench_of_mails_tells_how_they_were_placed(run: Any) -> None:
    """Beside its speed stands what went wrong: no redelivery is stored, and most follow-ups are with their matter."""
    rows = run.json("bench", "messages", "--messages", "60", "--database", "sqlite:///bench.db")
    placed = {row["what"].strip(): row["mails"] for row in rows if row.get("mails")}
    assert list(placed) == ["redeliveries stored", "replies misplaced", "follow-ups joined", "new matters merged"]
    assert placed["redeliveries stored"].startswith("0 of ")


def test_a_bench_never_writes_into_a_desk(run: Any, wire: Any) -> None:
    """A database that somebody works with is refused before anything is written; an empty one is filled, once."""
    run.take_in(wire("m-1", "转账没到账"))
    before = run.exported("contacts")
    done = run("bench", "messages", "--messages", "20", "--database", "sqlite:///omnirouter.db")
    assert done.code == 2
    assert done.err.startswith("The database sqlite:///omnirouter.db is not empty, and a bench writes")
    assert run.exported("contacts") == before
    assert run("bench", "messages", "--messages", "20", "--database", "sqlite:///bench.db").code == 0
    assert run("bench", "messages", "--messages", "20", "--database", "sqlite:///bench.db").code == 2


def test_a_bench_takes_a_server_without_a_key(run: Any, postgresql: Any) -> None:
    """An empty PostgreSQL database is enough: the bench seals with a key of its own."""
    assert run("bench", "messages", "--messages", "20", "--database", postgresql.empty()).code == 0
    assert not (run.folder / "omnirouter.key").exists()


def test_learning_of_dialogues_that_are_none_is_one_sentence(run: Any) -> None:
    """A file that is not there, a file of something else, several files where one is judged."""
    (run.folder / "labels.jsonl").write_text('{"text": "转账没到账", "label": "transfer_failed"}\n', encoding="utf-8")
    for words in (
        ("train", "followups", "nothing.jsonl", "-o", "mine.model"),
        ("train", "followups", "labels.jsonl", "-o", "mine.model"),
        ("evaluate", "followups", DATA / "followups.jsonl", DATA / "followups.jsonl"),
    ):
        done = run(*words)
        assert done.code == 2
        assert "Traceback" not in done.err
    assert not (run.folder / "mine.model").exists()
