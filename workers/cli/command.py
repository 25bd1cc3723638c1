"""What do all commands have in common? `-c FILE`, and the words that many of them take.

A command is a function under `@command("name")` and click's decorators; the int that it returns is its exit code. Its
name may have two words (`dead list`), and stands in `workers.cli.COMMANDS`.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click

from workers.cli import chosen

__all__ = [
    "HELP_OPTIONS",
    "PATH",
    "Command",
    "agent_option",
    "command",
    "configuration_option",
    "conversation_argument",
    "force_option",
    "json_option",
]

HELP_OPTIONS: Final = {"help_option_names": ["-h", "--help"]}
PATH: Final = click.Path(path_type=Path)


def _choose(context: click.Context, option: click.Parameter, file: str | None) -> None:
    if file is not None:
        chosen.choose(Path(file.removeprefix("=")))


def configuration_option(*names: str) -> click.Option:
    """`-c FILE`, before or behind a command: from here on this file holds."""
    return click.Option(
        names,
        metavar="FILE",
        help="The configuration file.",
        expose_value=False,
        is_eager=True,
        callback=_choose,
    )


class Command(click.Command):
    """A command that also takes `-c FILE`, and `--config FILE` where that is no option of its own."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        own = {name for parameter in self.params for name in parameter.opts}
        self.params.append(configuration_option(*(name for name in ("-c", "--config") if name not in own)))

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.NoSuchOption as unknown:
            name = unknown.option_name
            raise click.NoSuchOption(name, f"No such option: {name}", unknown.possibilities, ctx) from None


def command(name: str) -> Callable[[Callable[..., int]], Command]:
    """Make a command of a function."""
    return click.command(name, cls=Command, context_settings=HELP_OPTIONS)


conversation_argument = click.argument("conversation", metavar="CONVERSATION", help="Its number or ref.")
agent_option = click.option("--agent", metavar="NAME", default="", help="Who does it.")
force_option = click.option("--force", is_flag=True, help="Although another agent holds it or answered meanwhile.")
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
