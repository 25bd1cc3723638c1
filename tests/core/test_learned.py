"""What was learned from labelled dialogues is one small file, the same on every machine, and says why in words."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router.errors import ConfigurationError
from router.match import forest, learned, weights
from router.match.forest import ARRAYS, Forest
from router.match.learned import SHIPPED, Learned
from router.match.sign_words import words_of
from router.match.signs import NAMES
from router.policy.values import FollowUps
from workers.lab.placing.fit import Recipe, arrays_of, boosted
from workers.lab.placing.material import digest


@pytest.fixture(scope="module")
def model() -> Learned:
    return Learned.load(SHIPPED)


def rows(count: int, width: int) -> Any:
    return np.random.default_rng(7).normal(size=(count, width)).round(1)


def test_it_was_made_of_what_lies_here(model: Learned) -> None:
    """Whoever changes the dialogues or the examples makes it anew: python -m workers.lab.placing.shipped."""
    assert model.made_of == digest()


def test_it_is_small_and_its_thresholds_are_in_order(model: Learned) -> None:
    """Two megabytes at most; what is joined is likelier than what is only suggested."""
    assert SHIPPED.stat().st_size <= 2 << 20
    assert 0 < model.veto_below < model.join_at < 1


@pytest.mark.parametrize("classes", [2, 4])
def test_the_trees_say_what_scikit_learn_says(classes: int) -> None:
    """The file holds the machine whole: sums are equal, and the shares of the numbers add up to them."""
    table = rows(400, 6)
    truth = (np.abs(table[:, 0] + table[:, 1]) * 2).astype(int) % classes
    machine = boosted(table, truth, np.ones(400), Recipe(trees=12, leaves=9, least=5))
    read = Forest(arrays_of(machine), 6)
    sums, leaves = read.sums(table)
    told = np.asarray(machine.decision_function(table)).reshape(400, -1)
    assert np.abs(sums - told).max() < 1e-4
    moved = np.array([read.moved(one).sum() for one in leaves])
    assert np.ptp(sums[:, 0] - moved) < 1e-4


def test_a_row_counts_the_same_alone_and_beside_others(model: Learned) -> None:
    """How many conversations are open changes nothing in what is said of a row."""
    table = rows(5, len(NAMES))
    together, _ = model.chances(table)
    assert together == [model.chances(one[np.newaxis])[0][0] for one in table]


def test_every_sign_has_a_name_of_its_own_and_words() -> None:
    """A sign that nobody can read would explain nothing."""
    assert len(set(NAMES)) == len(NAMES)
    for place in range(len(NAMES)):
        for value in (-1.0, 0.0, 1.0, 20.0):
            assert "_" not in words_of(place, value)


def test_what_is_no_model_is_one_sentence(tmp_path: Path) -> None:
    """A wrong file, a file that is not there, a model of other signs."""
    wrong = tmp_path / "wrong.model"
    wrong.write_bytes(b"PK nothing")
    for path in (wrong, tmp_path / "none.model"):
        with pytest.raises(ConfigurationError, match=r"follow_ups\.model"):
            Learned.load(path)
    with np.load(SHIPPED) as archive:
        arrays = {name: archive[name] for name in archive.files}
    with pytest.raises(ValueError, match="other signs"):
        Learned(arrays | {"names": arrays["names"][:-1]})
    with pytest.raises(ValueError, match="fit together"):
        Learned(arrays | {"joins_leaves": arrays["joins_leaves"][:-1]})


def test_a_desk_sets_its_own_thresholds(model: Learned) -> None:
    """They are the model's own unless the configuration names them."""
    from router.match.judged import Judged

    assert Judged([], {}, {}, model, FollowUps()).join_at == model.join_at
    own = Judged([], {}, {}, model, FollowUps(join_at=0.2, veto_below=0.4))
    assert (own.join_at, own.veto_below) == (0.2, 0.2)


def test_no_number_hides_in_the_code() -> None:
    """What is a lot stands in weights.toml, what speaks for what in the model; the code knows nothing and all."""
    folder = Path(weights.__file__).parent
    hidden = [
        f"{path.name}:{node.lineno}: {node.value}"
        for path in sorted(folder.glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, float) and node.value not in (0.0, 1.0)
    ]
    assert hidden == []


def test_arrays_are_named_once() -> None:
    """The reader and the file mean the same."""
    with np.load(SHIPPED) as archive:
        assert {f"{part}_{name}" for part in ("joins", "classes") for name in ARRAYS} <= set(archive.files)
    assert forest.ONE == 1 << 20
    assert learned.FORMAT == 1
