"""Who vouches for a sender is read from our own mail server's results, by their grammar, and by nobody else's words."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.email import results
from adapters.email.authenticity import verdict
from adapters.email.mime.structure import head
from router.model import Authenticity

OURS = "mx.desk.example"
SENDER = "li@bank.example"
RECEIVED = "Received: from a by mx.desk.example; Mon, 30 Nov 2026 19:00:00 +0000\n"


def judged(*fields: str, below: str = "", sender: str = SENDER) -> str:
    """The verdict on a mail that carries these fields above its first Received, and one below it."""
    above = "".join(f"Authentication-Results: {field}\n" for field in fields)
    under = f"Authentication-Results: {below}\n" if below else ""
    raw = f"{above}{RECEIVED}{under}From: {sender}\nSubject: hi\n\nhello"
    return verdict(head(raw.encode()), sender, OURS).value


FORGED = {
    "quoted local part": 'mx.desk.example; spf=pass smtp.mailfrom="a; dmarc=pass header.from=bank.example"@evil.example',  # noqa: E501
    "quoted, and the true result": 'mx.desk.example; spf=pass smtp.mailfrom="a; dmarc=pass header.from=bank.example"@x; dmarc=fail header.from=bank.example',  # noqa: E501
    "quoted pair ends no string": r'mx.desk.example; spf=pass smtp.mailfrom="a\"; dmarc=pass header.from=bank.example"@x; dmarc=none',  # noqa: E501
    "two quoted pairs": r'mx.desk.example; spf=pass smtp.mailfrom="a\\\"; dmarc=pass header.from=bank.example"@x',
    "comment": "mx.desk.example; spf=pass (x; dmarc=pass header.from=bank.example) smtp.mailfrom=evil.example",
    "escaped parenthesis": r"mx.desk.example; spf=pass (sender a\) ; dmarc=pass header.from=bank.example) smtp.mailfrom=e.example; dmarc=fail",  # noqa: E501
    "escaped parenthesis alone": r"mx.desk.example; spf=pass (a\) ; dmarc=pass header.from=bank.example)",
    "nested comment": "mx.desk.example; spf=pass (a (b) ; dmarc=pass header.from=bank.example) smtp.mailfrom=x",
    "deeply nested comment": "mx.desk.example; spf=pass ((((a)))); dmarc=none ((x) dmarc=pass)",
    "comment without end": "mx.desk.example; spf=pass (a; dmarc=pass header.from=bank.example",
    "string without end": 'mx.desk.example; spf=pass smtp.mailfrom="a; dmarc=pass header.from=bank.example',
    "quote inside a comment": 'mx.desk.example; spf=pass (") ; dmarc=none (" dmarc=pass)',
    "string without end behind a pass": 'mx.desk.example; dmarc=pass header.from=bank.example; spf=pass smtp.helo="a',
    "comment without end behind a pass": "mx.desk.example; dmarc=pass header.from=bank.example; spf=pass (a",
    "stray parenthesis": "mx.desk.example; spf=pass (a)) ; dmarc=pass header.from=bank.example",
    "stray backslash": r"mx.desk.example; spf=pass smtp.mailfrom=a\; dmarc=pass header.from=bank.example",
    "reason": 'mx.desk.example; dmarc=fail reason="dmarc=pass" header.from=bank.example',
    "reason with a semicolon": 'mx.desk.example; dmarc=none reason="x; dmarc=pass header.from=bank.example"',
    "a property's value": "mx.desk.example; spf=pass smtp.mailfrom=dmarc=pass",
    "behind another result": "mx.desk.example; spf=pass dmarc=pass header.from=bank.example",
    "a method that ends alike": "mx.desk.example; x-dmarc=pass header.from=bank.example",
    "a method that begins alike": "mx.desk.example; dmarcx=pass header.from=bank.example",
    "a result that begins alike": "mx.desk.example; dmarc=passed header.from=bank.example",
    "a result that goes on": "mx.desk.example; dmarc=pass-x header.from=bank.example",
    "a result and a dot": "mx.desk.example; dmarc=pass.evil header.from=bank.example",
    "a result and a comma": "mx.desk.example; dmarc=pass, header.from=bank.example",
    "a result and a slash": "mx.desk.example; dmarc=pass/fail header.from=bank.example",
    "a quoted result": 'mx.desk.example; dmarc="pass" header.from=bank.example',
    "a quoted method": 'mx.desk.example; "dmarc"=pass header.from=bank.example',
    "a comment splits the result": "mx.desk.example; dmarc=p(x)ass header.from=bank.example",
    "a result glued to a string": 'mx.desk.example; dmarc=pass"x" header.from=bank.example',
    "a later version of the method": "mx.desk.example; dmarc/2=pass header.from=bank.example",
    "a later version of the grammar": "mx.desk.example 2; dmarc=pass header.from=bank.example",
    "no server": "; dmarc=pass header.from=bank.example",
    "no semicolon": "mx.desk.example dmarc=pass header.from=bank.example",
    "another server": "mx.evil.example; dmarc=pass header.from=bank.example",
    "a server that begins alike": "mx.desk.example.evil.example; dmarc=pass header.from=bank.example",
    "a server that ends alike": "evil.mx.desk.example; dmarc=pass header.from=bank.example",
    "our server in a comment": "(mx.desk.example) evil.example; dmarc=pass header.from=bank.example",
    "our server in a string": '"x; mx.desk.example"; dmarc=pass header.from=bank.example',
    "two servers": "mx.desk.example evil.example; dmarc=pass header.from=bank.example",
    "another server, then ours": "evil.example; mx.desk.example; dmarc=pass header.from=bank.example",
    "two results": "mx.desk.example; dmarc=pass header.from=bank.example; dmarc=fail header.from=bank.example",
    "two results, the failing one first": "mx.desk.example; dmarc=fail; dmarc=pass header.from=bank.example",
    "two passes": "mx.desk.example; dmarc=pass header.from=evil.example; dmarc=pass header.from=bank.example",
    "two results, one unreadable": "mx.desk.example; dmarc=pass header.from=bank.example; dmarc=?",
    "another domain": "mx.desk.example; dmarc=pass header.from=evil.example",
    "a domain that ends alike": "mx.desk.example; dmarc=pass header.from=notbank.example",
    "a domain below": "mx.desk.example; dmarc=pass header.from=mail.bank.example",
    "two domains": "mx.desk.example; dmarc=pass header.from=evil.example header.from=bank.example",
    "an address of another domain": 'mx.desk.example; dmarc=pass header.from="bank.example"@evil.example',
    "the domain in a comment": "mx.desk.example; dmarc=pass (header.from=bank.example) header.from=evil.example",
    "none": "mx.desk.example; none",
    "no results": "mx.desk.example",
    "a temporary error": "mx.desk.example; dmarc=temperror header.from=bank.example",
    "a control character": "mx.desk.example; dmarc=pass\x01 header.from=bank.example",
    "a space that is none": "mx.desk.example; dmarc=pass\u00a0header.from=bank.example",
    "signs of private use": "mx.desk.example; dmarc=pass header.from=bank.example; spf=pass smtp.helo=\ue122",
}


@pytest.mark.parametrize("field", FORGED.values(), ids=FORGED)
def test_no_forged_result_passes(field: str) -> None:
    """Whatever a sender has our server quote, comment or garble, it does not vouch for him."""
    assert judged(field) != "pass"


GENUINE = {
    "Gmail": 'mx.desk.example;\r\n       dkim=pass header.i=@bank.example header.s=20230601 header.b="Nw3m/Eu+";\r\n       arc=pass (i=1 spf=pass spfdomain=bank.example dkim=pass dkdomain=bank.example dmarc=pass fromdomain=bank.example);\r\n       spf=pass (google.com: domain of li+caf_=x=y.example@bank.example designates 209.85.220.41 as permitted sender) smtp.mailfrom="li+caf_=x=y.example@bank.example";\r\n       dmarc=pass (p=NONE sp=QUARANTINE dis=NONE) header.from=bank.example',  # noqa: E501
    "Exchange": "mx.desk.example; spf=pass (sender IP is\r\n 40.107.1.2) smtp.mailfrom=bank.example; dkim=pass (signature was\r\n verified) header.d=bank.example;dmarc=pass action=none\r\n header.from=bank.example;compauth=pass reason=100",  # noqa: E501
    "OpenDMARC": "mx.desk.example; dmarc=pass (p=reject dis=none) header.from=bank.example",
    "Fastmail": "mx.desk.example;\n    dkim=pass (2048-bit rsa key sha256) header.d=bank.example header.i=@bank.example\n    header.b=Ab3/x+Yz header.a=rsa-sha256 header.s=fm1 x-bits=2048;\n    dmarc=pass policy.published-domain-policy=none\n    policy.applied-disposition=none policy.evaluated-disposition=none\n    (p=none,d=none,d.eval=none) policy.policy-from=p header.from=bank.example;\n    iprev=pass smtp.remote-ip=66.111.4.25 (out1-smtp.bank.example);\n    spf=pass smtp.mailfrom=li@bank.example smtp.helo=out1-smtp.bank.example",  # noqa: E501
    "Yahoo": "mx.desk.example;\n dkim=pass header.i=@bank.example header.s=s1;\n spf=pass smtp.mailfrom=bank.example;\n dmarc=pass(p=REJECT) header.from=bank.example;",  # noqa: E501
    "QQ": "mx.desk.example; spf=pass smtp.mailfrom=<li@bank.example>; dkim=pass header.d=bank.example; dmarc=pass(permerror) header.from=bank.example",  # noqa: E501
    "Coremail": "mx.desk.example (Coremail); spf=pass smtp.mail=li@bank.example; dmarc=pass header.from=bank.example",
    "rspamd": "mx.desk.example;\n\tdkim=pass header.d=bank.example header.s=k1 header.b=Q3a/;\n\tdmarc=pass (policy=none) header.from=bank.example;\n\tspf=pass (mx.desk.example: domain of li@bank.example designates 1.2.3.4 as permitted sender) smtp.mailfrom=li@bank.example",  # noqa: E501
    "Exim": "mx.desk.example;\n iprev=pass (a.bank.example) smtp.remote-ip=1.2.3.4;\n spf=pass smtp.mailfrom=bank.example;\n dmarc=pass header.from=bank.example;\n arc=none",  # noqa: E501
    "with a version": "mx.desk.example 1; dmarc=pass header.from=bank.example",
    "a version of the method": "mx.desk.example; dmarc / 1 = pass header.from=bank.example",
    "in capitals": "MX.Desk.Example; DMARC=Pass HEADER.FROM=Bank.Example",
    "comments everywhere": "(a) mx.desk.example (b (c)) 1 (d) ; (e) dmarc (f) = (g) pass (h) header (i) . (j) from (k) = (l) bank.example (m)",  # noqa: E501
    "spaces everywhere": "mx.desk.example ;\tdmarc = pass  header . from = bank.example ;",
    "a quoted server": '"mx.desk.example"; dmarc=pass header.from=bank.example',
    "a quoted domain": 'mx.desk.example; dmarc=pass header.from="bank.example"',
    "an address": "mx.desk.example; dmarc=pass header.from=li@bank.example",
    "a domain and an at sign": "mx.desk.example; dmarc=pass header.from=@bank.example",
    "no domain": "mx.desk.example; dmarc=pass",
    "a reason": 'mx.desk.example; dmarc=pass reason="policy; \\"none\\"" header.from=bank.example',
    "quoted pairs that end": r'mx.desk.example; spf=pass smtp.mailfrom="a\\"@x (b\\); dmarc=pass header.from=bank.example',  # noqa: E501
    "SPF failed": "mx.desk.example; spf=fail smtp.mailfrom=x; dkim=pass; dmarc=pass header.from=bank.example",
}


@pytest.mark.parametrize("field", GENUINE.values(), ids=GENUINE)
def test_genuine_results_pass(field: str) -> None:
    """Our server's word counts in all the ways in which servers write it."""
    assert judged(field.replace("\r\n", "\n")) == "pass"
    assert results.read(field.encode()).sound


@pytest.mark.parametrize(
    ("fields", "verdict"),
    [
        (["mx.desk.example; spf=pass", "mx.desk.example; dkim=pass", "mx.desk.example; dmarc=pass"], "pass"),
        (["evil.example; dmarc=fail", "mx.desk.example; dmarc=pass"], "pass"),
        (["mx.desk.example; dmarc=pass", "mx.desk.example; dmarc=fail"], "fail"),
        (["mx.desk.example; dmarc=fail", "mx.desk.example; dmarc=pass"], "fail"),
        (["mx.desk.example; dmarc=pass", "mx.desk.example; dmarc=none"], "unknown"),
        (["mx.desk.example; dmarc=pass", "mx.desk.example; dmarc=pass header.from=evil.example"], "unknown"),
        (["mx.desk.example; dmarc=pass; dmarc=pass"], "fail"),
        (["mx.desk.example; dmarc=FAIL (p=none) header.from=bank.example"], "fail"),
        (['mx.desk.example; dmarc=fail; spf=pass smtp.helo="'], "fail"),
        (["mx.desk.example; spf=fail; dkim=fail"], "unknown"),
    ],
)
def test_several_fields(fields: list[str], verdict: str) -> None:
    """One failing result of our server outweighs any pass, and results that differ prove nothing."""
    assert judged(*fields) == verdict


def test_only_above_the_first_received() -> None:
    """Below the first Received anybody can have written, whatever name he gave himself."""
    forged = "mx.desk.example; dmarc=pass header.from=bank.example"
    assert judged(below=forged) == "unknown"
    assert judged("mx.desk.example; dmarc=fail header.from=bank.example", below=forged) == "fail"


def test_a_domain_in_its_own_letters() -> None:
    """A domain may be written in its own letters or as it travels."""
    field = "mx.desk.example; dmarc=pass header.from=例子.example"
    assert judged(field, sender="li@xn--fsqu00a.example") == "pass"


@given(st.text(max_size=80), st.sampled_from(['"{}"', "({})"]))
def test_no_words_in_a_string_or_comment_are_results(words: str, around: str) -> None:
    """Whatever a sender calls himself, once our server quotes it as the grammar says, it is no result."""
    escaped = "".join("\\" + c if c in '"\\()' else c for c in words if c not in "\r\n")
    field = f"mx.desk.example; spf=pass smtp.mailfrom={around.format(escaped)}; dmarc=none"
    found = results.read(field.encode("utf-8", "replace"))
    assert [(result.method, result.result) for result in found.results][-1] == ("dmarc", "none")
    assert sum(result.method == "dmarc" for result in found.results) == 1


@given(st.text('dmarc=pass;() "\\./xé\t\x00@', max_size=120))
def test_any_field_is_read(field: str) -> None:
    """No field, however broken, stops a mail, and none that our server did not begin passes."""
    assert judged("x " + field) in {word.value for word in Authenticity}
    assert judged("x " + field) != "pass"


def _steps(action: Callable[[], object]) -> int:
    count = 0

    def seen(frame: object, event: str, argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(seen)
    try:
        action()
    finally:
        sys.setprofile(None)
    return count


@pytest.mark.parametrize("piece", ["(", ")", '"', "\\", "; dmarc=pass", " a.b=c", "a/1=", ";", "(a)", '"a"', " "])
def test_a_crafted_field_costs_no_more_than_its_size(piece: str) -> None:
    """Twice the field takes twice the steps."""
    begin = b"mx.desk.example; "
    small, large = begin + piece.encode() * 5_000, begin + piece.encode() * 10_000
    assert _steps(lambda: results.read(large)) <= 2.2 * _steps(lambda: results.read(small)) + 400
