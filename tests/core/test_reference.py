"""The reference of the configuration is made from the schema, so it names every key and no other."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from workers import reference

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize("name", ["configuration.md", "configuration.zh-CN.md"])
def test_the_reference_is_up_to_date(name: str, tmp_path: Path) -> None:
    """`python -m workers.reference docs` makes both pages from the schema as it is now."""
    reference.write(tmp_path)
    assert (tmp_path / name).read_text("utf-8") == (DOCS / name).read_text("utf-8")


def test_every_key_has_a_meaning_in_both_languages_and_no_other_has() -> None:
    """A key that the schema does not have is explained nowhere; one that it has is explained twice."""
    meanings = tomllib.loads((DOCS / "configuration.toml").read_text("utf-8"))
    tables = [(place, model.model_fields.items()) for place, _, model in reference.tables()]
    keys = {place: {field.alias or name for name, field in fields} for place, fields in tables}
    assert {place: set(told) for place, told in meanings.items()} == keys
    assert all(len(told) == 2 and all(told) for table in meanings.values() for told in table.values())
