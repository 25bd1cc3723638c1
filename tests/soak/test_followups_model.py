"""The model that ships is made by the repository from what lies in it, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

from router.match.learned import SHIPPED
from workers.lab.placing.shipped import main

pytestmark = pytest.mark.soak


def test_it_is_made_again_to_the_byte(tmp_path: Path) -> None:
    """The same dialogues, examples and lexicons give the same file."""
    main(tmp_path / "again.model")
    assert (tmp_path / "again.model").read_bytes() == SHIPPED.read_bytes()
