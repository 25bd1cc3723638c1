"""Is there, and right, what a configuration names outside of itself: model, lexicons, key?

In: the tables as TOML gives them (one that is itself wrong is looked at as far as it goes), the folder of the file.
Out: one sentence a mistake. `omnirouter check` asks this; whoever only reads a configuration does not, so that a model
that is away stops nothing but tagging.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from router.errors import ConfigurationError
from router.policy.mistakes import mistake
from router.seal import load_key
from router.secret import Secret
from router.tagging.lexicon import Lexicon
from router.tagging.tag import ISSUE_TYPES, Tagger

__all__ = ["check_outside"]


def check_outside(data: Mapping[str, Any], folder: Path, mistakes: list[str]) -> None:
    """Add what is wrong with what the tables name, each by itself."""
    for look in (_key, _lexicons, _tagging):
        look(data, folder, mistakes)


def _key(data: Mapping[str, Any], folder: Path, mistakes: list[str]) -> None:
    """A variable that is not set is told with the other secrets; a file that is not there is a mistake."""
    given = _table(data, "privacy").get("key")
    if given is None and str(_table(data, "desk").get("database", "")).startswith("postgresql"):
        sentence = 'is missing; a PostgreSQL desk needs one, as key = "file:omnirouter.key" (init makes it)'
        mistakes.append(mistake(("privacy", "key"), sentence))
    try:
        key = Secret(given, folder) if isinstance(given, str) else None
    except ConfigurationError:
        return  # no reference at all, which was said of the table's form
    if key is not None and (key.path is not None or key.is_set()):
        _tried("privacy.key: ", lambda: load_key(key), mistakes)


def _lexicons(data: Mapping[str, Any], folder: Path, mistakes: list[str]) -> None:
    given = _table(data, "tagging").get("lexicons")
    paths = [_place(folder, path) for path in given if isinstance(path, str)] if isinstance(given, list) else []
    _tried("", lambda: Lexicon.load(paths), mistakes)


def _tagging(data: Mapping[str, Any], folder: Path, mistakes: list[str]) -> None:
    """The model with the issue types, then the encoder: with the model where that is right, else by itself."""
    tagging = _table(data, "tagging")
    model, embed, types = tagging.get("model"), tagging.get("embed"), tagging.get("issue_types")
    named = [word for word in types if isinstance(word, str)] if isinstance(types, list) else []
    loaded: dict[str, Any] = {"issue_types": named or ISSUE_TYPES}
    if isinstance(model, str):
        loaded["model"] = _place(folder, model)
        if not _tried("", lambda: Tagger.load(**loaded), mistakes):
            loaded.clear()
    if isinstance(embed, str):
        from router.tagging.embedding import Embedder, encoder

        place = encoder(folder, embed)
        _tried("", lambda: Tagger.load(**loaded, embed=place) if loaded else Embedder.load(place), mistakes)


def _tried(path: str, load: Callable[[], object], mistakes: list[str]) -> bool:
    try:
        load()
    except ConfigurationError as error:
        mistakes += [f"{path}{line.rstrip('.')}." for line in error.mistakes]
        return False
    return True


def _place(folder: Path, path: str) -> Path:
    return folder / Path(path).expanduser()


def _table(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}
