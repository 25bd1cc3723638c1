"""What opens a wallet is nowhere to be read but in the sealed raw: not in the database, not in what the desk tells.

Canaries (seed phrases, keys, cards, codes, tokens in many disguises) go through mail and chat: in texts, subjects,
quotes, names of people and files, then in every field that a wire message, an event of the desk or a mail has, ids and
links included, in valid payloads and broken ones; then everything that the desk has written or said is searched.
"""

from __future__ import annotations

import base64
import itertools
import json
import logging
import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from datetime import UTC, datetime
from email.header import Header
from pathlib import Path
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
import structlog
from mnemonic import Mnemonic

from adapters.kit.signature import sign_standard
from router.desk.acts import conversation as acts
from router.ports import Raw
from router.store import set_aside
from router.store.read import queries
from router.wire import message as wire
from workers.ingest.recordings import lines

MONDAY = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)
WHSEC = "whsec_" + base64.b64encode(b"0123456789abcdef01234567").decode()
SEED = "legal winner thank year wave sausage worth useful legal winner thank yellow"
OTHER_SEED = "letter advice cage absurd amount doctor acoustic avoid letter advice cage above"
HEX = "e9873d79c6d87dc0fb6a5778633389f4453213303da61f20bd67fc233aa33262"
WIF = "5KYZdUEo39z3FPrtuX2QbbwGnNP5zTd7yyr2SC1j299sBCnWjss"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
LIVE = "sk_" + "live_51H8xq2MvZtRw9"


def _wide(text: str) -> str:
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in text)


def _chinese_seed() -> str:
    return " ".join(Mnemonic("chinese_simplified").wordlist[40:52])


#: Name, as a customer writes it, and what must be found nowhere once separators and tags are taken away.
CANARIES: list[tuple[str, str, str]] = [
    ("seed", f"my seed: {SEED}", "wavesausageworth"),
    ("seed numbered", " ".join(f"{n}. {w}" for n, w in enumerate(OTHER_SEED.split(), 1)), "doctor"),
    ("seed full-width", _wide("army van defense carry jealous true garbage claim echo media make crunch"), "jealous"),
    ("seed by tags", "ozone drill grab fiber curtain gr<b>ace</b> pudding thank cruise elder eight picnic", "pudding"),
    ("seed Chinese", f"我的助记词是 {_chinese_seed()}", _chinese_seed().replace(" ", "")[2:8]),
    ("key", f"私钥是{HEX}", HEX[:24]),
    ("key full-width", "私钥：" + _wide(HEX[::-1]), HEX[::-1][:24]),
    ("key of a wallet", f"帮我看看{WIF}对不对", WIF[5:25].lower()),
    ("card", "卡号4111111111111111扣款失败", "411111111111"),
    ("card spaced", "5555 5555 5555 4444", "555555555555"),
    ("card full-width", _wide("3782 822463 10005").replace(" ", "\u3000"), "37828224631"),
    ("card split by tags", "6011<b>1111</b><i>1111</i>1117", "601111111111"),
    ("card of 19 digits", "我的卡6222021234567890128扣款", "622202123456789"),
    ("card check", "4222222222222 12/29 cvv 917", "cvv917"),
    ("code", "验证码884213", "884213"),
    ("code full-width", "驗證碼：７７１９３５", "771935"),
    ("code split by tags", "验证码<b>660</b>284", "660284"),
    ("password", "密码是Zq7Wm3xK9", "zq7wm3xk9"),
    ("resident identity number", "身份证11010519491231002X", "11010519491231"),
    ("token", JWT, "eyjzdwiioiixmjm0"),
    ("token of a payment service", f"our server says {LIVE}", "51h8xq2m"),
]  # fmt: skip

#: Where any few digits may stand by chance: a UUID, a digest of 12 hexadecimal digits and more, a measured figure.
_BY_CHANCE = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}|[0-9a-f]{12,}|\d+\.\d+")
#: The columns that hold what arrived, sealed, and its key, wrapped.
SEALED = (("raws", "body"), ("raw_keys", "wrapped_key"))

CONFIGURATION = """
[channels.app-chat]
adapter = "webhook"
secrets = ["env:CANARY_CHAT"]
page = true

[channels.support-mail]
adapter = "email"
address = "support@support.example"
smtp = {{ host = "{smtp.host}", port = {smtp.port} }}

[[queues]]
name = "general"
[defaults]
queue = "general"

[[deadlines]]
name = "all"
schedule = "always"
first_reply = "1h"
[schedules.always]
week = {{ daily = [["00:00", "24:00"]] }}

[[events]]
url = "{receiver}/events"
secret = "env:CANARY_CHAT"
"""


def chat_payloads() -> Iterator[bytes]:
    """Bodies as the chat's server posts them: the canary in every field that a person fills in; valid and broken."""
    for number, (_, text, _) in enumerate(CANARIES):
        sender = {"handle": f"u-{number}", "name": f"陈先生 {text}"}
        whole = {"id": f"c-{number}", "sent_at": "2026-03-02T10:00:00+08:00", "sender": sender, "text": f"您好 {text}"}
        file = {"name": f"{text}.png", "type": "image/png", "content": base64.b64encode(text.encode()).decode()}
        yield dumped([whole | {"attachments": [file]}])
        yield dumped([whole | {"id": f"h-{number}", "text": None, "html": f"<p>您好 {text}</p>", "subject": text}])
        yield dumped([whole | {"id": f"e-{number}", "edits": f"c-{number}", "text": f"更正：{text}"}])
        yield dumped([whole | {"id": f"o-{number}", "direction": "out", "text": f"您发的是 {text} 吗"}])
        yield dumped([whole | {"id": f"n-{number}", "direction": "note", "text": f"客户发了 {text}"}])
        answer = {"event": "reply", "at": "2026-03-02T10:01:00+08:00", "conversation_of": f"c-{number}", "text": text}
        yield dumped([answer])
        yield dumped([whole | {"id": f"b-{number}", "sent_at": text}])
        yield dumped([whole | {"id": f"b-{number}", "direction": text}])
        yield dumped([whole | {"id": f"b-{number}", "text": {text: text}}])
        yield dumped([whole | {"id": f"b-{number}", "sender": sender | {"attributes": {text: ["?"]}}}])
        yield dumped([whole | {"id": f"b-{number}", "sender": sender | {"verified": {"email": text, "phone": text}}}])
        yield dumped([whole | {"id": f"b-{number}", "attachments": [{"name": text, "content": f"{text}!"}]}])
        yield f"{text} is no JSON".encode()


def dumped(messages: list[dict[str, Any]]) -> bytes:
    return json.dumps(messages, ensure_ascii=False).encode()


def mails() -> Iterator[bytes]:
    """Mails with the canary in text, subject, name, quote, file name and comment; whole ones and damaged ones."""
    for number, (_, text, _) in enumerate(CANARIES):
        name, line = Header(text, "utf-8").encode(), Header(f"急 {text}", "utf-8").encode()
        head = f"From: {name} <c{number}@mail.example>\r\nTo: support@support.example\r\n"
        head += f"Subject: {line}\r\nMIME-Version: 1.0\r\n"
        plain = "Content-Type: text/plain; charset=utf-8\r\n\r\n"
        quoted = "\r\n".join(f"> {part}" for part in text.splitlines())
        encoded = base64.b64encode(f"{text}.txt".encode()).decode()
        yield f"{head}Message-ID: <p{number}@mail.example>\r\n{plain}您好 {text}\r\n\r\n原文：\r\n{quoted}\r\n".encode()
        parts = f"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\n<p>您好 {text}</p>\r\n--b\r\n"
        parts += f'Content-Disposition: attachment; filename="=?utf-8?b?{encoded}?="\r\n\r\nx\r\n--b--\r\n'
        mixed = f"Message-ID: <h{number}@mail.example>\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n{parts}"
        yield (head + mixed).encode()
        damaged = f"Message-ID: <{text}\r\nDate: {text}\r\nContent-Type: {text}; charset={text}\r\n\r\n{text}"
        yield (head + damaged).encode()
        yield (head + "Content-Type: message/rfc822\r\n\r\n" * 2000 + text).encode()


def fields_of_wire(number: int, text: str) -> Iterator[bytes]:
    """Each field of a message and of an event with the canary in it, as it may be and as it must not be."""
    at, told = "2026-03-02T10:00:00+08:00", quote(text)
    message = {"sent_at": at, "sender": {"handle": f"w-{number}"}, "text": "转账一直没到账"}
    event = {"event": "reply", "at": at, "conversation_of": f"c-{number}", "text": "已为您核实", "agent": "li"}
    file = {"name": "a.png", "type": "image/png", "url": "https://files.example/a.png"}
    turns = itertools.count()

    def whole(inner: dict[str, Any]) -> bytes:
        return dumped([{"id": f"{number}-{next(turns)}"} | message | inner])

    for value in (text, [text], {text: text}, {"tier": text}, {text: ["?"]}):
        yield from (whole({f.name: value}) for f in msgspec.structs.fields(wire._Wire))
        yield from (dumped([event | {f.name: value}]) for f in msgspec.structs.fields(wire._Event))
        for field in msgspec.structs.fields(wire._Sender):
            yield whole({"sender": {"handle": f"w-{number}", field.name: value}})
        for field in msgspec.structs.fields(wire._Verified):
            yield whole({"sender": {"handle": f"w-{number}", "verified": {field.name: value}}})
        for field in msgspec.structs.fields(wire._Attachment):
            yield whole({"attachments": [file | {field.name: value}]})
    for status in ({"to": text}, {"to": "solved", "conversation_of": text}, {"to": "solved", "agent": text}):
        yield dumped([event | {"event": "status"} | status])
    for address in (f"{text}@mail.example", f"{told}@mail.example"):
        yield whole({"sender": {"handle": address, "verified": {"email": address}}})
    for link in (f"files.example/a?k={told}", f"files.example/a?{told}=1&b", f"files.example/{told}.png",
                 f"{told}.example", f"files.example/a#{told}", f"li:{told}@files.example/a",
                 f"files.example/a?k={text}"):  # fmt: skip
        yield whole({"attachments": [file | {"url": f"https://{link}", "type": f"image/{text}"}]})
        yield whole({"attachments": [{"url": f"https://{link}"}]})
    name = json.dumps(text, ensure_ascii=False)
    yield f'{{"id": "t-{number}", {name}: 1, {name}: 2}}'.encode()
    yield f'{{"id": "t-{number}", "sender": {{{name}: NaN}}}}'.encode()


FIELDS_OF_MAIL = (
    "From", "Sender", "Reply-To", "To", "Cc", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Received",
    "Return-Path", "Auto-Submitted", "Precedence", "List-Id", "List-Post", "X-Original-From", "Authentication-Results",
    "Content-Type", "Content-Disposition", "Content-Transfer-Encoding", "Content-ID", "MIME-Version", "X-Priority",
)  # fmt: skip
#: Written as one word, these are numbers as programs give them to mails and people.
NUMBERS = ("card spaced", "card check")


def fields_of_mail(number: int, name: str, text: str) -> Iterator[bytes]:
    """Each field of a mail with the canary in it: as words, as an id, as an address and its name, as a parameter."""
    words, word = Header(text, "utf-8").encode(), text.replace(" ", ".")
    values = [text, words, f"<{text}@mail.example>", f"{words} <n{number}@mail.example>", f'"{text}" <n@mail.example>',
              f"n@mail.example ({text})", f'text/plain; charset="{text}"; name="{text}"']  # fmt: skip
    if name not in NUMBERS:
        values += [f"<{word}@mail.example>", f"{word}@mail.example", f"image/{word}; name={word}"]
    for field in FIELDS_OF_MAIL:
        for turn, value in enumerate(values):
            fields = {
                "From": f"f{number}@mail.example", "To": "support@support.example", "Subject": "转账没到账",
                "Message-ID": f"<{field}-{number}-{turn}@mail.example>", field: value,
            }  # fmt: skip
            head = "".join(f"{key}: {line}\r\n" for key, line in fields.items())
            yield f"{head}\r\n您好，转账一直没到账\r\n".encode()


async def test_no_field_keeps_a_secret_in_clear(
    open_desk: Any, post_office: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """Ids, handles, addresses, attributes, names and types of files, links, agents, field names of nonsense: none does,
    wherever it is stored, exported, listed as set aside, logged or told."""
    monkeypatch.setenv("CANARY_CHAT", WHSEC)
    caplog.set_level(logging.INFO)
    configuration = CONFIGURATION.format(smtp=post_office, receiver="http://127.0.0.1:9")
    with structlog.testing.capture_logs() as said:
        async with open_desk(configuration, MONDAY) as desk:
            for number, (name, text, _) in enumerate(CANARIES):
                bodies = [("support-mail", body) for body in fields_of_mail(number, name, text)]
                raws = [Raw(channel=c, body=b, received_at=desk.clock()) for c, b in bodies]
                raws += lines(fields_of_wire(number, text), "app-chat", desk.clock())
                await desk.daemon.log.append(raws)
            await desk.decided()
            told = [(await desk.http.get("/metrics")).text, json.dumps(desk.events(), ensure_ascii=False)]
            told += [str(row) for row in set_aside.listed(desk.store)]
            for exported in (queries.messages, queries.contacts, queries.events):
                told += [json.dumps(row, ensure_ascii=False, default=str) for row in exported(desk.store.database)]
            database = Path(desk.store.database.path)
            told += list(rows(database))
    told += [str(line) for line in said]
    told += [record.getMessage() for record in caplog.records]
    told += list(capfd.readouterr())
    assert found_in(told) == []


async def test_no_secret_is_left_in_clear(
    open_desk: Any, post_office: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """After all of it: 0 canaries in any table outside the sealed raws, in the file's bytes, logs, metrics, events."""
    monkeypatch.setenv("CANARY_CHAT", WHSEC)
    caplog.set_level(logging.INFO)
    configuration = CONFIGURATION.format(smtp=post_office, receiver="http://127.0.0.1:9")
    with structlog.testing.capture_logs() as said:
        async with open_desk(configuration, MONDAY) as desk:
            answers = []
            for number, body in enumerate(chat_payloads()):
                headers = sign_standard([WHSEC], f"msg_{number}", body, desk.clock())
                answer = await desk.http.post("/channels/app-chat", content=body, headers=headers)
                forged = await desk.http.post("/channels/app-chat", content=body, headers={"webhook-id": "msg_1"})
                assert (answer.status_code in (202, 400), forged.status_code) == (True, 401)
                answers.append(answer.status_code)
            raws = [Raw(channel="support-mail", body=m, received_at=desk.clock()) for m in mails()]
            await desk.daemon.log.append(raws)
            await desk.decided()
            conversation = next(m["conversation"] for m in desk.messages() if m["direction"] == "in")
            acts.note(desk.store, conversation, f"客户说 {CANARIES[8][1]}", agent="li", now=desk.clock())
            told = [(await desk.http.get("/metrics")).text, json.dumps(desk.events(), ensure_ascii=False)]
            told += [json.dumps(desk.messages(), ensure_ascii=False), str(list(set_aside.listed(desk.store)))]
            database = Path(desk.store.database.path)
            files = [database, database.with_name("desk.db-wal")]
            told += list(rows(database))
            bytes_ = b"".join(file.read_bytes() for file in files)
    assert answers.count(202) == 6 * len(CANARIES)
    told += [str(line) for line in said]
    told += [record.getMessage() for record in caplog.records]
    told += list(capfd.readouterr())
    assert found_in(told) == []
    assert [name for name, text, _ in CANARIES if text.encode() in bytes_] == []
    fewer = _BY_CHANCE.sub(" ", bytes_.decode("latin-1")).encode("latin-1")
    assert [name for name, _, core in CANARIES if core.encode() in (fewer if short(core) else bytes_)] == []
    assert b"SQLite format 3" in bytes_


def found_in(told: list[str]) -> list[tuple[str, str, str]]:
    """Where which secret stands, and in which words: (start of the text, name of the canary, what is around it)."""
    read = [(text[:30], bare(text), bare(_BY_CHANCE.sub(" ", text))) for text in told]
    return [
        (where, name, context(text, core))
        for name, _, core in CANARIES
        for where, whole, without_chance in read
        if core in (text := without_chance if short(core) else whole)
    ]


def short(core: str) -> bool:
    """Is it a few digits, as stand in a random id by chance too?"""
    return core.isdigit() and len(core) < 9


def bare(text: str) -> str:
    """The text as somebody would read it who looks for secrets: one form of letters, no tags, no separators."""
    plain = re.sub(r"</?[A-Za-z][^<>]{0,80}>", "", unicodedata.normalize("NFKC", text)).lower()
    return re.sub(r"[^0-9a-z\u4e00-\u9fff]", "", plain)


def context(text: str, core: str) -> str:
    """Where it was found."""
    at = text.index(core)
    return text[max(0, at - 60) : at + 80]


def rows(database: Path) -> Iterator[str]:
    """Every row of every table as text, without the two sealed columns."""
    connection = sqlite3.connect(str(database))
    connection.row_factory = sqlite3.Row
    try:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert {"messages", "raws", "set_aside", "outbox", "events", "decisions"} <= set(tables)
        for table in tables:
            for row in connection.execute(f'SELECT * FROM "{table}"'):  # noqa: S608  (names of our own tables)
                for column, value in dict(row).items():
                    shown = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
                    if isinstance(shown, str) and (table, column) not in SEALED:
                        yield f"{table}.{column}: {shown}"
    finally:
        connection.close()
