"""How does a good body go bad? Strategies for bodies that were cut, garbled, or have one value exchanged.

In: a good body. Out: hypothesis strategies of bodies that nearly are one. The values that are put in are those that
break readers: blanks, NUL, half characters, numbers beyond any type, wrong types, links that cannot be taken apart.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

__all__ = ["broken", "exchanged"]

_WRONG: tuple[Any, ...] = (
    None, True, 0, -1, 0.5, 10**400, 1e300, float("nan"), "", " ", "\x00", "\ud83d", "https://[x/", "https://a\u2100b/",
    "9" * 30, "x" * 2000, [], {}, [None], {"\ud800": 1}, {"id": None}, [[]],
)  # fmt: skip


def broken(body: bytes) -> st.SearchStrategy[bytes]:
    """The body, cut or with bytes exchanged."""
    cut = st.integers(0, len(body)).map(lambda n: body[:n])
    garbled = st.tuples(st.integers(0, max(0, len(body) - 1)), st.binary(min_size=1, max_size=3)).map(
        lambda change: body[: change[0]] + change[1] + body[change[0] + len(change[1]) :]
    )
    return st.one_of(cut, garbled)


def exchanged(body: bytes) -> st.SearchStrategy[bytes]:
    """A JSON body with one of its values or names exchanged for a wrong one; of any other body the body itself."""
    try:
        value = json.loads(body)
    except ValueError:
        return st.just(body)
    places = _places(value, ())
    return st.builds(
        lambda place, wrong, name: json.dumps(_with(value, place, wrong, name)).encode(),
        st.sampled_from(places),
        st.sampled_from(_WRONG),
        st.booleans(),
    )


def _places(value: Any, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for key, item in inner for place in _places(item, (*path, key)))]


def _with(value: Any, place: tuple[Any, ...], wrong: Any, name: bool) -> Any:
    """The value with what is at this place exchanged, or its name where `name` says so and there is one."""
    if not place:
        return wrong
    first, rest = place[0], place[1:]
    if isinstance(value, list):
        return [_with(item, rest, wrong, name) if n == first else item for n, item in enumerate(value)]
    if name and not rest:
        return {("\ud800" if key == first else key): item for key, item in value.items()}
    return {key: _with(item, rest, wrong, name) if key == first else item for key, item in value.items()}
