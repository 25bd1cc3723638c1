"""How does a plain function become a command?

In: a function whose parameters are annotated for typer, and the words that follow its name. Out: what it returned, as
an exit code. Every command also takes `-c/--config FILE` after its name, unless it has such an option of its own.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any, get_args, get_type_hints

import typer

__all__ = ["call"]

_PARAMETER = "configuration_file_"


def call(name: str, function: Callable[..., Any], words: Sequence[str]) -> int:
    """Parse the words as this function says and call it; a coroutine function is run to its end."""
    app = typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False)
    app.command(name=name, context_settings={"help_option_names": ["-h", "--help"]})(_command(function))
    command = typer.main.get_command(app)
    try:
        with command.make_context(f"omnirouter {name}", list(words)) as context:
            done = command.invoke(context)
    except typer.Exit as left:  # `--help` has said what it says
        return left.exit_code
    return done if isinstance(done, int) and not isinstance(done, bool) else 0


def _command(function: Callable[..., Any]) -> Callable[..., Any]:
    """The same function with the option that every command takes."""
    hints = get_type_hints(function, include_extras=True)
    signature = inspect.signature(function)

    @functools.wraps(function)
    def command(**values: Any) -> Any:
        from workers.cli.chosen import choose

        choose(values.pop(_PARAMETER, None))
        done = function(**values)
        return asyncio.run(done) if inspect.iscoroutine(done) else done

    parameters = [p.replace(annotation=hints.get(p.name, p.annotation)) for p in signature.parameters.values()]
    own = set(_options(hints.values())) | {f"--{name.replace('_', '-')}" for name in signature.parameters}
    free = [option for option in ("-c", "--config") if option not in own]
    if free:
        option = typer.Option(*free, metavar="FILE", help="The configuration file.", show_default=False)
        hints[_PARAMETER] = kind = Annotated[Path | None, option]
        parameters.append(inspect.Parameter(_PARAMETER, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind))
    del command.__wrapped__  # so that typer reads the signature below, not the old one
    command.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
    command.__annotations__ = hints
    return command


def _options(hints: Iterable[Any]) -> list[str]:
    """The option names that annotations give: `-o`, `--text`."""
    parts = [part for hint in hints for part in get_args(hint)[1:]]
    return [name for part in parts for name in getattr(part, "param_decls", None) or ()]
