"""Which command did a person type, and how does it end?

In: the words of the command line. Out: the command's function is loaded (only its own module, only when it is asked
for), called, and its end turned into an exit code: 0 done, 1 something in the data is wrong, 2 wrong usage or
configuration, 3 a server could not be reached. Errors are sentences on stderr, never tracebacks. `COMMANDS` is the
whole list; a command is a plain function with typer annotations, and the int that it returns is its exit code.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from workers.cli import chosen

__all__ = ["COMMANDS", "listed", "main"]

#: Command (or group and command) to the function that does it, and one line of help.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("configuration:init", "Write a commented configuration; never overwrites."),
    "check": ("configuration:check", "All mistakes of the configuration at once; --connect logs in everywhere."),
    "run": ("daemon:run", "The daemon: take in, decide, keep deadlines, send, serve the desk."),
    "demo": ("daemon:demo", "Play a sample day of a wallet desk on a throw-away database."),
    "ingest": ("recorded:ingest", "Recorded messages through the same pipeline; nothing goes out."),
    "backfill": ("recorded:backfill", "Fetch from the provider what a first start or an outage left out."),
    "export": ("export:export", "Messages, conversations, deadlines, contacts or events as JSON lines or CSV."),
    "explain": ("explain:explain", "Why a message or conversation is where it is."),
    "queues": ("queues:queues", "What waits, in working order."),
    "show": ("explain:show", "One conversation over all its channels."),
    "reply": ("desk:reply", "Answer a conversation."),
    "note": ("desk:note", "Write a note that no customer sees."),
    "status": ("desk:status", "Set a conversation open, pending, on_hold, solved or closed."),
    "take": ("desk:take", "Take a conversation."),
    "release": ("desk:release", "Give a conversation back to its queue."),
    "move": ("desk:move", "Move a conversation to another queue."),
    "retag": ("desk:retag", "Correct a conversation's issue type."),
    "spam": ("desk:spam", "Mark a conversation as spam."),
    "block": ("desk:block", "Block a handle."),
    "merge": ("desk:merge", "Make one conversation of two."),
    "split": ("desk:split", "Take messages out of a conversation."),
    "link": ("desk:link", "Link two conversations."),
    "link accept": ("desk:link_accept", "Linked, and the same: make one conversation of two."),
    "link refuse": ("desk:link_refuse", "Linked, and not the same: undo it for good."),
    "unlink": ("desk:unlink", "Undo a link."),
    "contact set": ("desk:contact_set", "Set attributes of a contact."),
    "agents": ("overview:agents", "Who is there."),
    "incidents": ("overview:incidents", "Incidents and their conversations."),
    "incidents reply": ("overview:incidents_reply", "One text to all conversations of an incident."),
    "report": ("overview:report", "Volume, first reply, breaches and chases by channel, queue, type, agent."),
    "audit": ("overview:audit", "Compare stored states with the event log."),
    "dead list": ("recorded:dead_list", "Invalid and dead raws."),
    "dead show": ("recorded:dead_show", "One of them, with its reason."),
    "dead replay": ("recorded:dead_replay", "Decide one again, --all, or those of a --reason."),
    "dead drop": ("recorded:dead_drop", "Give one up."),
    "replay": ("recorded:replay", "Decide again from the stored bytes."),
    "simulate": ("overview:simulate", "What another configuration would have decided."),
    "train": ("evaluation:train", "Fit a tagging model to labelled messages."),
    "evaluate tags": ("evaluation:tags", "Measure tagging on labelled messages."),
    "evaluate followups": ("evaluation:followups", "Measure threading and follow-ups on labelled sequences."),
    "evaluate deadlines": ("evaluation:deadlines", "Compute deadline vectors and compare."),
    "bench": ("evaluation:bench", "Speed on this machine, by stage."),
    "erase": ("privacy:erase", "Erase a person, with a dry run."),
    "export-contact": ("privacy:export_contact", "All that is known of a person."),
    "clock confirm": ("clock:confirm", "Say that this machine's clock is right, after a jump."),
    "db upgrade": ("database:upgrade", "Bring the database to this version."),
    "db current": ("database:current", "The database's version."),
    "db check": ("database:check", "Is the database what this version expects?"),
    "db sql": ("database:sql", "The statements of an upgrade, without running them."),
}

_ABOUT: Final = """\
A support desk's mail, chats and calls: one conversation a matter, routed, with its deadlines.

  -c, --config FILE  else $OMNIROUTER_CONFIG, ./omnirouter.toml, the built-in wallet preset
  --version          print the version
  --help             this list, or a command's options"""

_DAEMON: Final = "run"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    chosen.forget()
    from workers.cli.ending import ended

    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  (closed by the caller: `>&-`)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    return ended(lambda: _dispatch(list(sys.argv[1:] if arguments is None else arguments)))


def listed() -> list[str]:
    """The commands whose module is there; no module is imported."""
    folder = Path(__file__).parent
    modules = {path.stem for path in folder.glob("*.py")} | {path.parent.name for path in folder.glob("*/__init__.py")}
    return [name for name, (place, _) in COMMANDS.items() if place.partition(":")[0] in modules]


def _dispatch(words: list[str]) -> int:
    """Take the words before the command, then find and call it."""
    while words and words[0].startswith("-"):
        word = words.pop(0)
        if word in ("-h", "--help"):
            return _print_help()
        if word == "--version":
            from importlib.metadata import version

            print(f"omnirouter {version('omnirouter')}")
            return 0
        words = _before_the_command(word, words)
    return _print_help() if not words else _command(words)


def _before_the_command(word: str, rest: list[str]) -> list[str]:
    """Take `-c FILE`, `-cFILE`, `--config FILE` or `--config=FILE`; returns what follows."""
    from workers.cli.ending import Misused

    name, equals, value = word.partition("=")
    if name == "--config" and equals:
        chosen.choose(Path(value))
    elif word in ("-c", "--config"):
        if not rest:
            raise Misused(f"{word} needs the path of a configuration file.")
        chosen.choose(Path(rest.pop(0)))
    elif word.startswith("-c") and not word.startswith("--"):
        chosen.choose(Path(word[2:].removeprefix("=")))
    else:
        raise Misused(f"There is no option {word} before the command; see `omnirouter --help`.")
    return rest


def _command(words: list[str]) -> int:
    """Call the command that begins the words: `group command` before `command`."""
    known = listed()
    name = next((name for name in (" ".join(words[:2]), words[0]) if name in known), None)
    if name is None:
        return _unknown(words, known)
    with _leaving_when_asked() if name == _DAEMON else contextlib.nullcontext():
        from workers.cli.calling import call

        return call(name, _loaded(name), words[len(name.split()) :])


@contextlib.contextmanager
def _leaving_when_asked() -> Iterator[None]:
    """Let SIGTERM end the command with 0 before the daemon listens to it itself: nothing is under way yet. At once,
    since an exception may be lost inside an import."""

    def leave(*_: object) -> None:
        os._exit(0)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _unknown(words: list[str], known: list[str]) -> int:
    """A group alone, or a word that is no command."""
    from router.policy.sentences import cut, did_you_mean, ended
    from workers.cli.ending import Misused

    group = [name.partition(" ")[2] for name in known if name.startswith(f"{words[0]} ")]
    if group and words[1:2] in (["--help"], ["-h"]):
        return _print_help(words[0])
    if group:
        what = f'no command "{cut(words[1])}"' if words[1:] else "a command missing"
        raise Misused(f"After `omnirouter {words[0]}` there is {what}; it takes one of: {', '.join(group)}.")
    names = dict.fromkeys(name.partition(" ")[0] for name in known)
    hint = did_you_mean(words[0], names)
    near = hint if hint.startswith("; did") else "; see `omnirouter --help`"
    raise Misused(ended(f'There is no command "{cut(words[0])}"{near}'))


def _loaded(name: str) -> Callable[..., Any]:
    from importlib import import_module

    from workers.cli.ending import Misused

    module, _, function = COMMANDS[name][0].partition(":")
    found = getattr(import_module(f"{__name__}.{module}"), function, None)
    if found is None:
        raise Misused(f"This version has no command `omnirouter {name}`.")
    called: Callable[..., Any] = found
    return called


def _print_help(group: str = "") -> int:
    """The list of commands, or of one group's."""
    names = [name for name in listed() if not group or name.startswith(f"{group} ")]
    column = max(map(len, names), default=0) + 2
    lines = [f"Usage: omnirouter {f'{group} ' if group else '[-c FILE] '}COMMAND …", ""]
    if not group:
        lines += [_ABOUT, ""]
    lines += [f"  {name:<{column}}{COMMANDS[name][1]}" for name in names]
    print("\n".join(lines))
    return 0
