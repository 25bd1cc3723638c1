"""The sample day: seven channels through the real pipeline, and what a newcomer then sees."""

from __future__ import annotations

import json
from typing import Any

import pytest

from workers.lab.demo import Played, play, story
from workers.lab.sample_day import SCENES, Scene


@pytest.fixture(scope="module")
def played() -> Played:
    """The day, played once."""
    return play()


def test_the_day_comes_by_all_seven_channels(played: Played) -> None:
    """Each kind of channel brings something, in its own form, and each scene is decided."""
    assert {scene.raw.channel for scene in SCENES if isinstance(scene, Scene)} == set(played.policy.channels)
    assert len(played.steps) == len(SCENES)
    assert [scene.at for scene in SCENES] == sorted(scene.at for scene in SCENES)


def test_one_matter_over_three_channels_is_one_conversation(played: Played) -> None:
    """Chat at 21:50, mail at night, a call at noon, thanks in the evening: one conversation, answered and solved."""
    steps = [step for step in played.steps if step["ref"] == "C-1"]
    heard = [step["what"] for step in steps if step["who"] not in ("li", "wang")]
    assert heard == ["first", "cross_channel", "chaser", "ack"]
    (conversation,) = (c for c in played.conversations if c["id"] == 1)
    assert conversation["channels"] == ["app-chat", "support-mail", "hotline"]
    assert (conversation["status"], conversation["breached"]) == ("solved", False)


def test_two_customers_with_the_same_trouble_stay_two(played: Played) -> None:
    """The double charge of somebody else is linked with the first one, never merged with it."""
    twice = [c for c in played.conversations if c["issue_type"] == "dispute"]
    assert len({c["contact"] for c in twice}) == 2
    assert all("cross_customer" in [link["reason"] for link in c["links"]] for c in twice)


def test_a_leaked_seed_phrase_is_urgent_and_nowhere_to_be_read(
    played: Played, capsys: pytest.CaptureFixture[str]
) -> None:
    """Risk gets it at once; no word of the phrase is shown."""
    risk = [*played.queues["risk"], *played.apart["risk"]]
    assert [c["flags"] for c in risk if "secret_exposed" in c["flags"]]
    story(played, True)
    story(played, False)
    shown = capsys.readouterr().out
    assert "sausage" not in shown
    assert "legal winner" not in shown


def test_what_was_missed_escalates(played: Played) -> None:
    """A refund that nobody answered stands overdue in the complaints queue, the frozen account overdue in its own."""
    refund = next(c for c in played.queues["complaints"] if c["issue_type"] == "refund")
    assert "formal_complaint" in refund["tags"]
    assert "overdue" in refund["remaining"]
    assert "overdue" in played.queues["account"][0]["remaining"]


def test_the_command_tells_the_story(run: Any) -> None:
    """`omnirouter demo` prints what happened, the queues, the deadlines and one decision, and leaves nothing behind."""
    done = run("demo")
    assert (done.code, done.err) == (0, "")
    for heading in ("What happened", "most urgent first", "Deadlines", "Why one of them is where it is"):
        assert heading in done.out
    assert "cross_channel, by identifier" in done.out
    assert list(run.folder.iterdir()) == []


def test_the_story_as_json(run: Any) -> None:
    """With --json all of it is one value."""
    told = json.loads(run("demo", "--json").out)
    assert {"at", "steps", "queues", "conversations", "deadlines", "explained"} == set(told)
    assert told["explained"]["decision"]["method"]
