"""`run` and `demo`: the daemon of a desk, and a sample day that shows what it does.

`run` serves until SIGTERM or Ctrl-C (a second one ends at once). Without a configuration file it serves the demo
desk: channels whose credentials are not set are left out with one line each, and a line to paste posts a first
message.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import click

from router.errors import ConfigurationError
from workers.cli.command import command, json_option
from workers.cli.printing import line, warn

if TYPE_CHECKING:
    from router.policy.values import Policy
    from workers.daemon.loop import Daemon

__all__ = ["demo", "run"]

_SECRET_VARIABLE = "CHAT_SECRET"  # noqa: S105  (the name of a variable)
#: Who opens the console of the demo desk.
_DEMO_ADMIN = "lead"


@command("run")
@click.option("--demo", "demo_desk", is_flag=True, help="Serve the demo desk: leave out channels without credentials.")
def run(demo_desk: bool) -> int:
    """Serve the desk until SIGTERM or Ctrl-C: take in, decide, keep deadlines, send."""
    from workers.cli.chosen import configuration_file, configured
    from workers.daemon.logging import configure
    from workers.ownership import refuse_foreign_packages

    refuse_foreign_packages()
    policy = configured()
    demo_desk = demo_desk or configuration_file() is None
    configure()
    return asyncio.run(_serve(policy, demo_desk))


async def _serve(policy: Policy, demo_desk: bool) -> int:
    from workers.daemon.loop import Daemon

    secret = _demo_secret(policy) if demo_desk else ""
    skip = _left_out(policy, demo_desk)
    daemon = Daemon(policy, skip=frozenset(skip))
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _asked_to_stop, daemon)
    running = asyncio.create_task(daemon.run())
    started = asyncio.create_task(daemon.started.wait())
    await asyncio.wait({running, started}, return_when=asyncio.FIRST_COMPLETED)
    if daemon.started.is_set():
        _greet(daemon, policy, skip, secret)
        if demo_desk:
            await asyncio.to_thread(_invite, daemon)
    started.cancel()
    await running
    return 0


def _invite(daemon: Daemon) -> None:
    """Print the one-time link that opens the demo desk's console as its admin."""
    from router.desk.accounts import account as people
    from router.desk.accounts import passwords

    now = daemon.now()
    if _DEMO_ADMIN not in {account.name for account in people.listed(daemon.store)}:
        people.add(daemon.store, _DEMO_ADMIN, "admin", now)
    line()
    line(f"Open the console as {_DEMO_ADMIN} (once; it asks for a password of your own):")
    line(f"  {daemon.address}/desk/welcome#{passwords.invite(daemon.store, _DEMO_ADMIN, now)}")
    sys.stdout.flush()


def _asked_to_stop(daemon: Daemon) -> None:
    """The first signal drains; a second one ends at once."""
    if daemon.stopping:
        os._exit(1)
    warn("Finishing what is under way; once more ends at once.")
    daemon.stop()


def _left_out(policy: Policy, demo_desk: bool) -> dict[str, str]:
    """Channels that cannot be opened, with the reason. Raises ConfigurationError for them outside the demo desk."""
    from router.policy.load import unset_secrets, weak_secrets

    unset = unset_secrets(policy)
    reasons = {name: f"{', '.join(references)} is not set" for name, references in unset.items()}
    reasons |= {name: "; ".join(whys) for name, whys in weak_secrets(policy).items()}
    reasons |= {c.name: c.unavailable for c in policy.channels.values() if c.enabled and c.unavailable}
    if reasons and not demo_desk:
        raise ConfigurationError(
            [f"channels.{name}: {why}; set it, or write enabled = false." for name, why in reasons.items()]
        )
    return reasons


def _demo_secret(policy: Policy) -> str:
    """The secret of the demo desk's chat: the variable's, else one derived from the desk's own key."""
    import base64

    from router.desk import Ledger

    if not os.environ.get(_SECRET_VARIABLE):
        store = Ledger.open(policy)
        derived = store.sealer.derive("demo chat")
        store.close()
        os.environ[_SECRET_VARIABLE] = "whsec_" + base64.b64encode(derived).decode()
    return os.environ[_SECRET_VARIABLE]


def _greet(daemon: Daemon, policy: Policy, skip: dict[str, str], secret: str) -> None:
    line(f"omnirouter serves {policy.name} at {daemon.address}")
    for name, reason in skip.items():
        line(f"  left out: channel {name} ({reason})")
    for channel in policy.channels.values():
        if channel.name not in skip and getattr(channel.settings, "page", False):
            line(f"  chat     {daemon.address}/chat/{channel.name}")
    for name in ("ready", "metrics") if daemon.operations else ():
        line(f"  {name:<8} {daemon.operations}/{name}")
    chat = next((c.name for c in policy.channels.values() if c.kind == "webhook" and c.name not in skip), "")
    if secret and chat:
        line()
        line("Paste this into another terminal to post a first message (it signs itself):")
        line()
        print(_paste(f"{daemon.address}/channels/{chat}", secret))
        line()
        line("Then see where it went, and why:")
        program = os.path.relpath(sys.argv[0]) if os.sep in sys.argv[0] else sys.argv[0]
        line(f"  {program} queues")
        line(f"  {program} explain 1")
        if getattr(policy.channels[chat].settings, "page", False):
            line()
            line("Who writes on the chat page above sees your answer there (queues shows the REF):")
            line(f'  {program} reply REF --agent li --text "您好，已为您核实。"')
    sys.stdout.flush()


def _paste(url: str, secret: str) -> str:
    """One line for a shell with curl and openssl: it makes id, time and signature when it runs."""
    import base64

    key = base64.b64decode(secret.removeprefix("whsec_")).hex()
    body = '{"id":"m-$T","sent_at":"$(date -u +%FT%TZ)","sender":{"handle":"u-77","name":"陈先生"},'
    body = f'{body}"text":"转账2000一直没到账"}}'.replace('"', '\\"')
    sign = f"openssl dgst -sha256 -mac HMAC -macopt hexkey:{key} -binary | base64"
    return (
        f'T=$(date +%s); B="{body}"; S=$(printf %s "msg_$T.$T.$B" | {sign}); '
        f'curl -sS "{url}" -H "content-type: application/json" -H "webhook-id: msg_$T" -H "webhook-timestamp: $T" '
        '-H "webhook-signature: v1,$S" -d "$B"'
    )


@command("demo")
@json_option
def demo(as_json: bool) -> int:
    """Play a sample day of a wallet desk over all channels through the real pipeline, on a throw-away database."""
    from workers.lab.demo import play, story

    played = play()
    return story(played, as_json)
