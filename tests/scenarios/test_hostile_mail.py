"""A thousand hostile mails through log, decision and ledger: none stops the desk, each is stored or set aside."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from workers.cli import main


def _torture() -> ModuleType:
    path = Path(__file__).parents[1] / "data" / "mime_torture.py"
    spec = importlib.util.spec_from_file_location("mime_torture", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of hostile mails, in a desk of its own."""
    monkeypatch.chdir(tmp_path)
    torture = _torture()
    kinds = list(torture.KINDS)
    mails = tmp_path / "mails"
    mails.mkdir()
    for number in range(1000):
        _, raw, _ = torture.make("desk", number, kinds, False, 0.0)
        (mails / f"{number:04}.eml").write_bytes(raw)
    return mails


def test_a_thousand_hostile_mails(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every mail is accounted for; what was set aside keeps its reason and its raw; the next customer is served."""
    main(["ingest", "--channel", "support-mail", str(folder)])
    summary = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert summary["read"] == 1000
    assert summary["stored"] + summary["redelivered"] + summary["invalid"] == 1000
    assert summary["dead"] == 0
    assert summary["stored"] > 900
    assert main(["dead", "list", "--json"]) == 0
    aside = json.loads(capsys.readouterr().out)
    assert len(aside) == summary["invalid"]
    assert all(entry["reason"] for entry in aside)
    assert main(["dead", "show", str(aside[0]["id"]), "--raw", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["body"]
    (folder.parent / "next.eml").write_bytes(
        b"From: chen@mail.example\r\nTo: support@example.com\r\nMessage-ID: <next@mail.example>\r\n"
        b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + "我的账户被冻结了".encode()
    )
    assert main(["ingest", "--channel", "support-mail", str(folder.parent / "next.eml")]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["stored"] == 1
