"""`clock confirm`: an operator says that the clock of this machine is right.

In: the ledger. Out: the daemon that holds its clock (`/ready` says so) goes on: deadlines fire, old things are
forgotten. Where nothing was held, nothing changes. A daemon on another machine believes it only if its own clock says
the same.
"""

from __future__ import annotations

from workers.cli.command import command, json_option
from workers.cli.printing import json_line, line

__all__ = ["confirm"]


@command("clock confirm")
@json_option
def confirm(as_json: bool) -> int:
    """Say that this machine's clock is right, after a jump that the daemon did not believe."""
    from zoneinfo import ZoneInfo

    from router.store.clock import last_mark, put_mark
    from workers.cli.opened import opened
    from workers.daemon.clock import Clock
    from workers.daemon.doubt import confirmed

    with opened() as desk:
        before, mark = last_mark(desk.store.database), confirmed(Clock())
        put_mark(desk.store.database, mark)
        desk.store.bell.ring()
        held, here = before is not None and before.held, mark.wall.astimezone(ZoneInfo(desk.policy.timezone))
    if as_json:
        json_line({"confirmed": mark.wall, "held": held})
        return 0
    line(f"Confirmed: it is {here:%Y-%m-%d %H:%M:%S} in {desk.policy.timezone} ({mark.wall:%Y-%m-%d %H:%M:%S} UTC).")
    line("Deadlines go on." if held else "Nothing was held: the clock was believed already.")
    return 0
