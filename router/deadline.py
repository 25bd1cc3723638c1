"""By when must the desk answer? A conversation's clocks are a pure fold over what happened in it."""

from __future__ import annotations

from router.clocks import Breach, Clock, ClockEvent, Clocks, Firing, Pledge, Run, Unanswered, from_json, to_json
from router.promise import DeadlinePolicy, Ladder, Promises, Step, Target
