"""Recorded mail is read from any of the forms that mail programs keep it in, byte for byte."""

from __future__ import annotations

import mailbox
import os
import tempfile
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.email import archive, mbox
from adapters.email.archive import is_mail_source, recorded
from adapters.email.channel import Email
from router.errors import ConfigurationError
from router.ports import Channel, Raw

NOW = datetime(2026, 11, 25, tzinfo=UTC)
FROM = b"From MAILER-DAEMON Sat Jan  1 00:00:00 2026\n"


def mail(number: int, body: bytes = b"words\n", newline: bytes = b"\n") -> bytes:
    head = b"From: a@b.example\nMessage-ID: <%d@b.example>\nDate: Mon, 02 Mar 2026 10:00:00 +0800\n\n" % number
    return (head + body).replace(b"\n", newline)


def read(*paths: Path) -> list[Raw]:
    return list(recorded(paths, "mail", NOW))


def bodies(*paths: Path) -> list[bytes]:
    return [raw.body for raw in read(*paths)]


def test_single_mail(tmp_path: Path) -> None:
    """A mail in a file of its own keeps its bytes, also where it begins like an mbox."""
    path = tmp_path / "a.eml"
    content = FROM + mail(1, b"From here on\n\nFrom me Sat Jan  1 00:00:00 2026\n", b"\r\n")
    path.write_bytes(content)
    [raw] = read(path)
    assert raw.body == content
    assert raw.history
    assert raw.channel == raw.partition_key == "mail"
    assert raw.received_at == datetime(2026, 3, 2, 2, 0, tzinfo=UTC)


def test_a_secret_in_the_name_of_a_file(tmp_path: Path) -> None:
    """What the raw says of its file repeats no card number that somebody saved a mail under."""
    path = tmp_path / "卡号4111111111111111.eml"
    path.write_bytes(mail(1))
    assert [raw.meta["file"] for raw in read(path)] == ["卡号[已隐去_银行卡 ____1111].eml"]


def test_mbox(tmp_path: Path) -> None:
    """An mbox gives each of its mails, and a line of a mail that begins with From is its own again."""
    path = tmp_path / "inbox"
    one = mail(1, b"From the start\n>From deeper\nend\n")
    escaped = one.replace(b"\nFrom the", b"\n>From the").replace(b"\n>From deeper", b"\n>>From deeper")
    path.write_bytes(FROM + escaped + b"\n" + FROM + mail(2) + b"\n" + FROM + mail(3, b"no end"))
    assert bodies(path) == [one, mail(2), mail(3, b"no end")]


def test_words_that_look_like_a_separator(tmp_path: Path) -> None:
    """A line of a mail that only begins like a separator does not cut it."""
    path = tmp_path / "box.mbox"
    one = mail(1, "From 这里开始\nFrom here to 2026\n".encode())
    path.write_bytes(FROM + one + b"\n" + FROM + mail(2))
    assert bodies(path) == [one, mail(2)]


@pytest.mark.parametrize("piece", [1, 30, 60, 1_000])
def test_mails_without_an_empty_line_between_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, piece: int) -> None:
    """A program that leaves no empty line before a separator still wrote two mails, as the field below it shows."""
    monkeypatch.setattr(mbox, "PIECE", piece)
    path = tmp_path / "box.mbox"
    words = mail(2, b"She wrote\nFrom home Sat Jan  1 00:00:00 2026\nand from work\n")
    path.write_bytes(FROM + mail(1) + FROM + words + FROM + mail(3))
    assert bodies(path) == [mail(1), words, mail(3)]


@given(st.lists(st.text("From >x\n:", max_size=60), min_size=1, max_size=4), st.integers(1, 200))
def test_mbox_of_the_standard_library(texts: list[str], piece: int) -> None:
    """What the standard library wrote as an mbox is read back mail by mail, byte by byte, in pieces of any size."""
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(mbox, "PIECE", piece)
        path = Path(folder) / "box.mbox"
        wrote = [mail(n, text.replace(">From", "From").encode() + b"\n") for n, text in enumerate(texts)]
        box = mailbox.mbox(str(path))
        for one in wrote:
            box.add(one)
        box.flush()
        box.close()
        assert bodies(path) == wrote


@pytest.mark.parametrize("before", [b"\n\n", b"\r\n", b"a stray line\n", b"# exported by hand\n\n", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("name", ["box.mbox", "inbox"])
def test_what_stands_before_the_first_mail_is_none(tmp_path: Path, before: bytes, name: str) -> None:
    """An mbox that begins with empty lines or a stray line still gives each of its mails."""
    path = tmp_path / "old" / name
    path.parent.mkdir()
    path.write_bytes(before + FROM + mail(1) + b"\n" + FROM + mail(2))
    assert bodies(path) == bodies(path.parent) == [mail(1), mail(2)]


def test_a_mail_that_quotes_a_separator_is_one_mail(tmp_path: Path) -> None:
    """A mail by itself stays one, though a line of its text looks like the beginning of another."""
    path = tmp_path / "saved"
    path.write_bytes(mail(1, b"From me Sat Jan  1 00:00:00 2026\nFrom: c@d.example\n"))
    assert len(bodies(path)) == 1


def test_only_regular_files_are_opened(tmp_path: Path) -> None:
    """A pipe in a folder is passed over instead of waited for; one that is named is refused."""
    (tmp_path / "1.eml").write_bytes(mail(1))
    for name in ("pipe", "pipe.eml"):
        os.mkfifo(tmp_path / name)
    assert bodies(tmp_path) == [mail(1)]
    with pytest.raises(ConfigurationError, match="no regular file"):
        bodies(tmp_path / "pipe")


def test_maildir(tmp_path: Path) -> None:
    """A Maildir and its folders are read, what is still being written into it is not."""
    box = mailbox.Maildir(str(tmp_path / "Maildir"))
    box.add(mail(1))
    box.add_folder("Sent").add(mail(2))
    (tmp_path / "Maildir" / "tmp" / "half").write_bytes(mail(3)[:40])
    (tmp_path / "Maildir" / "dovecot-uidlist").write_bytes(b"3 V1\n")
    assert sorted(bodies(tmp_path)) == [mail(1), mail(2)]


def test_a_mail_of_a_folder_may_begin_with_any_field(tmp_path: Path) -> None:
    """A mail without an ending in its name is read whatever its first field is; notes beside it are not."""
    folder = tmp_path / "saved"
    folder.mkdir()
    signed = b"DomainKey-Signature: a=rsa-sha1;\n b=abc\nFcc: sent\n" + mail(1)
    undated = b"From anna\n" + mail(2)
    (folder / "1").write_bytes(signed)
    (folder / "2").write_bytes(undated)
    (folder / "notes").write_bytes(b"title: what we keep\ndate: 2026-03-02\n\nFrom: all desks\nTo: nobody\n")
    (folder / "words").write_bytes(b"From all of us\nto all of you: hello\n")
    assert bodies(folder) == [signed, undated]


def test_folders_are_searched_deep(tmp_path: Path) -> None:
    """Folders of folders are searched in order of name; what is no mail is passed over."""
    for name, content in {
        "b/2.eml": mail(2),
        "a/deep/1.eml": mail(1),
        "c/plain": mail(3),
        "c/notes.txt": b"nothing to see",
        "c/.hidden.eml": mail(9),
        "c/lines.jsonl": b'{"id": "m-1"}\n',
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert bodies(tmp_path) == [mail(1), mail(2), mail(3)]


@pytest.mark.parametrize(
    ("head", "at"),
    [
        (b"Received: from a by b; Mon, 02 Mar 2026 11:00:00 +0800\nDate: Mon, 02 Mar 2026 10:00:00 +0800\n", 3),
        (b"Date: Mon, 02 Mar 2026 10:00:00 +0800\n", 2),
        (b"Subject: x\n", 5),
        (b"Date: never\n", 5),
    ],
)
def test_time_of_a_recorded_mail(tmp_path: Path, head: bytes, at: int) -> None:
    """A recorded mail counts from its topmost Received, else its Date, else its file."""
    path = tmp_path / "a.eml"
    path.write_bytes(head + b"\nwords\n")
    os.utime(path, (datetime(2026, 3, 2, 5, tzinfo=UTC).timestamp(),) * 2)
    assert read(path)[0].received_at == datetime(2026, 3, 2, at, tzinfo=UTC)


def test_no_recorded_mail_is_from_the_future(tmp_path: Path) -> None:
    """A mail that claims a time to come counts from now."""
    path = tmp_path / "a.eml"
    path.write_bytes(b"Date: Tue, 1 Jan 2999 00:00:00 +0000\n\nwords\n")
    assert read(path)[0].received_at == NOW


def test_unreadable_mail_is_kept(tmp_path: Path) -> None:
    """An empty file is handed on too, so that it is counted and set aside with its reason."""
    path = tmp_path / "a.eml"
    path.write_bytes(b"")
    os.utime(path, (0, 0))
    assert [raw.body for raw in read(path)] == [b""]


def test_large_mails_are_cut_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a mail beyond the limit only so much is held as shows that it is; those around it are whole."""
    monkeypatch.setattr(archive, "_MOST", 1000)
    monkeypatch.setattr(mbox, "PIECE", 64)
    path = tmp_path / "box"
    path.write_bytes(FROM + mail(1) + b"\n" + FROM + mail(2, b"y" * 5000 + b"\n") + b"\n" + FROM + mail(3))
    one, two, three = bodies(path)
    assert (one, three) == (mail(1), mail(3))
    assert len(two) == 1000


def test_one_mail_at_a_time(tmp_path: Path) -> None:
    """The first mail of an archive is there before the rest is read."""
    path = tmp_path / "box"
    path.write_bytes(FROM + mail(1) + b"\n" + FROM + mail(2))
    reading = recorded([path, tmp_path / "missing"], "mail", NOW)
    assert next(reading).body == mail(1)
    assert next(reading).body == mail(2)
    with pytest.raises(ConfigurationError, match="no file or folder"):
        next(reading)


def test_kinds_of_sources(tmp_path: Path) -> None:
    """Mail files are told from files of wire messages."""
    (tmp_path / "box").write_bytes(FROM + mail(1))
    (tmp_path / "a.eml").write_bytes(mail(1))
    (tmp_path / "b.jsonl").write_bytes(b"{}\n")
    names = {path.name: is_mail_source(path) for path in tmp_path.iterdir()}
    assert names == {"box": True, "a.eml": True, "b.jsonl": False}
    assert is_mail_source(tmp_path)


def test_through_the_adapter(tmp_path: Path, open_channel: Callable[..., Channel]) -> None:
    """A channel without any credential reads its recorded mail."""
    (tmp_path / "a.eml").write_bytes(mail(1))
    email = Email(open_channel(Email, "archive", address="support@support.example"))
    [raw] = email.recorded([tmp_path])
    assert [m.channel for m in email.translate(raw)] == ["archive"]
