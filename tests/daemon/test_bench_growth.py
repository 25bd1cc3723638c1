"""The benches of growth and of reads: what their ledgers are made of, and that they run from the command line."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from sqlalchemy import text

from router.desk.reads.audit import audit
from router.errors import ConfigurationError
from router.policy.values import Policy
from router.store.read import queries
from workers.daemon.channels import Channels
from workers.lab.bench import copies
from workers.lab.bench.corpus import corpus
from workers.lab.bench.messages import take_in


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """The address of a database without tables."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/bench.db"
    address: str = request.getfixturevalue("postgresql").empty()
    return address


def test_copies_share_the_marks_of_reports_and_nothing_else(empty_url: str) -> None:
    """As many messages as are asked for, each its own; what customers report is met under one key, as on real desks."""
    policy = Policy.load(None)
    store = copies.empty(policy, empty_url)
    take_in(store, Channels(policy, store.database), list(corpus(60)))
    first = copies.stored(store.database)
    filled = copies.fill(store.database, 7 * first + 5)
    assert filled == copies.stored(store.database) == 7 * first
    messages = list(queries.messages(store.database))
    assert len({m["external_id"] for m in messages}) == len({m["id"] for m in messages}) == filled
    shared = Counter(len({m["contact"] for m in messages if m["conversation"] == c}) for c in range(1, 20))
    assert set(shared) <= {0, 1}
    with store.database.engine.connect() as connection:
        keys = [row[0] for row in connection.execute(text("SELECT key FROM markers"))]
        highest = connection.execute(text("SELECT max(number) FROM messages")).scalar_one()
        counter = connection.execute(text("SELECT value FROM counters WHERE name = 'number'")).scalar_one()
    many = {key for key, n in Counter(keys).items() if n > 1}
    assert many
    assert {key.partition(":")[0] for key in many} == {"text", "type"}
    assert highest <= counter
    assert copies.fill(store.database, filled) == filled
    assert {d["field"] for d in audit(store).differences} <= {"undecided", "messages"}
    store.close()


def test_a_bench_of_several_sizes_makes_its_databases_itself(tmp_path: Any) -> None:
    """An SQLite file of somebody's is not taken for it."""
    with (
        pytest.raises(ConfigurationError, match="is made anyway; leave it out"),
        copies.beside(f"sqlite:///{tmp_path}/desk.db", "growth_10", str(tmp_path)),
    ):
        pass


@pytest.mark.parametrize(("what", "column"), [("growth", "stored"), ("reads", "what")])
def test_growth_and_reads_are_benches(run: Any, what: str, column: str) -> None:
    """Rows of figures, as a table and as JSON; nothing of it stays behind."""
    rows = run.json("bench", what, "--messages", "40")
    assert {row["bench"] for row in rows} == {what}
    assert all(row[column] for row in rows)
    assert not list(run.folder.glob("*.db"))
