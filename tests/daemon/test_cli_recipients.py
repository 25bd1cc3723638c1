"""Whom an answer goes to is plain before it is given, and named where two can be meant."""

from __future__ import annotations

from pathlib import Path
from typing import Any

FORM = """From: Website <noreply@example.com>
To: support@example.com
Reply-To: Wang Li <wang@mail.test>
Cc: friend@other.test
Subject: form
Message-ID: <f1@example.com>
Date: Mon, 02 Mar 2026 10:00:00 +0800
Content-Type: text/plain; charset=utf-8

提现 3200 元没有到账
""".encode()


def test_a_claimed_customer_is_named(run: Any, tmp_path: Path) -> None:
    """`show` says who brought the message and what to do; `reply` refuses in one sentence, and with --to it goes out,
    with whom the agent copies."""
    (tmp_path / "form.eml").write_bytes(FORM)
    assert run("ingest", "--channel", "support-mail", "form.eml").code == 0
    shown = run("show", "1").out
    assert "wang@mail.test (by the form noreply@example.com, unproven): first" in shown
    assert "to answer there, add --to wang@mail.test." in shown
    assert "Proposed, not copied (reply --cc ADDRESS): friend@other.test" in shown
    refused = run("reply", "1", "--text", "hello", "--agent", "li")
    assert (refused.code, refused.out, refused.err.count("\n")) == (1, "", 1)
    assert "only a form (noreply@example.com) says that wang@mail.test is the customer" in refused.err
    wrong = run("reply", "1", "--text", "hello", "--to", "m@evil.test")
    assert (wrong.code, "right would be one of: wang@mail.test" in wrong.err) == (2, True)
    done = run("reply", "1", "--text", "hello", "--to", "wang@mail.test", "--cc", "friend@other.test", "--agent", "li")
    assert done.out.endswith("to wang@mail.test on support-mail, Cc friend@other.test; the daemon sends it.\n")
    again = run.json("reply", "1", "--text", "more", "--agent", "li")
    assert (again["to"], again["cc"]) == ("wang@mail.test", ["friend@other.test"])
    assert "reply by li to wang@mail.test, Cc friend@other.test (waits to be sent)" in run("show", "1").out
    assert run.json("show", "1")["answers"]["problem"] is None
    assert "contact.confirmed" in [event["type"] for event in run.exported("events")]
    assert run("audit").code == 0
