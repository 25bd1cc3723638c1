"""Which command did a person type, and how does it end?

In: the words of the command line. Out: the command's function is loaded (only its own module, only when it is asked
for), called, and its end turned into an exit code: 0 done, 1 something in the data is wrong, 2 wrong usage or
configuration, 3 a server could not be reached. Errors are sentences on stderr, never tracebacks. `COMMANDS` is the
whole list; a command is a function under `workers.cli.command.command`, and the int that it returns is its exit code.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from importlib import import_module
from typing import Final

import click

from workers.cli import chosen
from workers.cli.command import HELP_OPTIONS, configuration_option
from workers.cli.ending import Misused, ended

__all__ = ["COMMANDS", "Commands", "main"]

#: Command (one word or two) to the module and function that do it, and one line of help.
COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "init": ("config.check:init", "Write a commented configuration; never overwrites."),
    "check": ("config.check:check", "All mistakes of the configuration at once; --connect logs in everywhere."),
    "run": ("daemon:run", "The daemon: take in, decide, keep deadlines, send, serve the desk."),
    "demo": ("daemon:demo", "Play a sample day of a wallet desk on a throw-away database."),
    "ingest": ("raw:ingest", "Recorded messages through the same pipeline; nothing goes out."),
    "backfill": ("raw:backfill", "Fetch from the provider what a first start or an outage left out."),
    "export": ("export:export", "Messages, conversations, deadlines, contacts or events as JSON lines or CSV."),
    "explain": ("conversation.explain:explain", "Why a message or conversation is where it is."),
    "queues": ("queue:queues", "What waits, in working order."),
    "show": ("conversation.explain:show", "One conversation over all its channels."),
    "reply": ("conversation.acts:reply", "Answer a conversation."),
    "note": ("conversation.acts:note", "Write a note that no customer sees."),
    "status": ("conversation.acts:status", "Set a conversation open, pending, on_hold, solved or closed."),
    "take": ("conversation.acts:take", "Take a conversation."),
    "release": ("conversation.acts:release", "Give a conversation back to its queue."),
    "move": ("conversation.acts:move", "Move a conversation to another queue."),
    "retag": ("conversation.acts:retag", "Correct a conversation's issue type."),
    "spam": ("conversation.acts:spam", "Mark a conversation as spam."),
    "block": ("contact:block", "Block a handle."),
    "merge": ("conversation.relations:merge", "Make one conversation of two."),
    "split": ("conversation.relations:split", "Take messages out of a conversation."),
    "link": ("conversation.relations:link", "Link two conversations."),
    "link accept": ("conversation.relations:link_accept", "Linked, and the same: make one conversation of two."),
    "link refuse": ("conversation.relations:link_refuse", "Linked, and not the same: undo it for good."),
    "unlink": ("conversation.relations:unlink", "Undo a link."),
    "contact set": ("contact:contact_set", "Set attributes of a contact."),
    "agents": ("desk:agents", "Who is there."),
    "incidents": ("desk:incidents", "Incidents and their conversations."),
    "incidents reply": ("desk:incidents_reply", "One text to all conversations of an incident."),
    "report": ("desk:report", "Volume, first reply, breaches and chases by channel, queue, type, agent."),
    "audit": ("desk:audit", "Compare stored states with the event log."),
    "dead list": ("raw:dead_list", "Invalid and dead raws."),
    "dead show": ("raw:dead_show", "One of them, with its reason."),
    "dead replay": ("raw:dead_replay", "Decide one again, --all, or those of a --reason."),
    "dead drop": ("raw:dead_drop", "Give one up."),
    "replay": ("raw:replay", "Decide again from the stored bytes."),
    "simulate": ("desk:simulate", "What another configuration would have decided."),
    "train": ("measure:train", "Fit a tagging model to labelled messages."),
    "train followups": ("measure:train_followups", "Learn where messages go from labelled dialogues."),
    "evaluate tags": ("measure:tags", "Measure tagging on labelled messages."),
    "evaluate followups": ("measure:followups", "Measure threading and follow-ups on labelled sequences."),
    "evaluate deadlines": ("measure:deadlines", "Compute deadline vectors and compare."),
    "bench": ("measure:bench", "Speed on this machine, by stage."),
    "erase": ("contact:erase", "Erase a person, with a dry run."),
    "export-contact": ("contact:export_contact", "All that is known of a person."),
    "accounts add": ("account:accounts_add", "Let a person in: prints a one-time link for their password."),
    "accounts list": ("account:accounts_list", "Who may come in by console and API."),
    "accounts change": ("account:accounts_change", "Another role, other queues, a mail address."),
    "accounts disable": ("account:accounts_disable", "Let an account in no more."),
    "accounts link": ("account:accounts_link", "A new one-time link for a person's password."),
    "tokens add": ("account:tokens_add", "Let a program in: prints its token once."),
    "tokens list": ("account:tokens_list", "The tokens of programs."),
    "tokens revoke": ("account:tokens_revoke", "Revoke a token at once."),
    "clock confirm": ("clock:confirm", "Say that this machine's clock is right, after a jump."),
    "db upgrade": ("db:upgrade", "Bring the database to this version."),
    "db current": ("db:current", "The database's version."),
    "db check": ("db:check", "Is the database what this version expects?"),
    "db sql": ("db:sql", "The statements of an upgrade, without running them."),
}

#: The command that serves until it is asked to leave.
_DAEMON: Final = "run"
#: So many new objects (Python's own number is 700).
_COLLECTED_AFTER: Final = 50_000


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code."""
    chosen.forget()
    sys.stdout = sys.stdout or open(os.devnull, "w")  # noqa: SIM115  (closed by the caller: `>&-`)
    sys.stderr = sys.stderr or open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    words = list(sys.argv[1:] if arguments is None else arguments)
    with _collecting_seldom():
        return ended(lambda: _run(words))


@contextlib.contextmanager
def _collecting_seldom() -> Iterator[None]:
    """Look for garbage seldom: nearly all that a command makes are modules, and looking at them again and again took a
    tenth of its time."""
    before = gc.get_threshold()
    gc.set_threshold(_COLLECTED_AFTER, *before[1:])
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _run(words: list[str]) -> int:
    try:
        with omnirouter.make_context("omnirouter", words) as context:
            done = context.command.invoke(context)
    except click.exceptions.Exit as left:  # `--help` has said what it says
        return left.exit_code
    return done if isinstance(done, int) and not isinstance(done, bool) else 0


class Commands(click.Group):
    """All commands; the module of one is imported when it is called, and for the list none is."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, function = COMMANDS[cmd_name][0].partition(":")
        found: click.Command = getattr(import_module(f"{__name__}.{module}"), function)
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            told = f"There is no option {unknown.option_name} before the command; see `omnirouter --help`."
            raise Misused(told) from None
        except click.BadOptionUsage as lacking:
            raise Misused(f"{lacking.option_name} needs the path of a configuration file.") from None

    def resolve_command(self, ctx: click.Context, args: list[str]) -> tuple[str, click.Command, list[str]]:
        """The command that begins the words: `group command` before `command`."""
        for size in (2, 1):
            name = " ".join(args[:size])
            if name == _DAEMON:
                ctx.with_resource(_leaving_when_asked())
            if command := self.get_command(ctx, name):
                return name, command, args[size:]
        raise _refusal(args)


@click.group(
    cls=Commands,
    params=[configuration_option("-c", "--config")],
    context_settings=HELP_OPTIONS,
    subcommand_metavar="COMMAND …",
    invoke_without_command=True,
)
@click.version_option(package_name="omnirouter", message="omnirouter %(version)s", help="Print the version.")
@click.pass_context
def omnirouter(context: click.Context) -> None:
    """A support desk's mail, chats and calls: one conversation a matter, routed, with its deadlines.

    Without -c FILE the configuration is the file that $OMNIROUTER_CONFIG names, else ./omnirouter.toml, else the
    built-in wallet preset.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


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


def _refusal(words: Sequence[str]) -> Exception:
    """What to raise for a group alone or a word that is no command; where a group's help was asked for, it is said."""
    from router.policy.sentences import cut, did_you_mean, ended

    group = [name.partition(" ")[2] for name in COMMANDS if name.startswith(f"{words[0]} ")]
    if group and words[1:2] in (["--help"], ["-h"]):
        _print_group(words[0])
        return click.exceptions.Exit()
    if group:
        what = f'no command "{cut(words[1])}"' if words[1:] else "a command missing"
        return Misused(f"After `omnirouter {words[0]}` there is {what}; it takes one of: {', '.join(group)}.")
    hint = did_you_mean(words[0], dict.fromkeys(name.partition(" ")[0] for name in COMMANDS))
    near = hint if hint.startswith("; did") else "; see `omnirouter --help`"
    return Misused(ended(f'There is no command "{cut(words[0])}"{near}'))


def _print_group(group: str) -> None:
    formatter = click.HelpFormatter()
    formatter.write_usage(f"omnirouter {group}", "COMMAND …")
    with formatter.section("Commands"):
        formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items() if name.startswith(f"{group} ")])
    click.echo(formatter.getvalue(), nl=False)
