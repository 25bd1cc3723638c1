"""Conditions of the configuration: what they mean, what is refused, and what they say when they miss."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from router.routing.condition import FIELDS, FLAGS, OPERATORS, Condition
from router.routing.pattern import LONGEST_PATTERN, objection

FACTS: dict[str, Any] = {
    "channel": "support-mail",
    "channel_kind": "email",
    "issue_type": "account_frozen",
    "confidence": 0.82,
    "unsure": False,
    "class": "chaser",
    "flags": ("complaint", "asks_human"),
    "tags": ["vip", "refund"],
    "language": "zh-Hans",
    "priority": 20,
    "chases": 2,
    "waiting": 3600,
    "business_open": True,
    "contact.tier": "gold",
    "contact.balance": "1500",
    "contact.brand": None,
}


def compiled(spec: Any) -> Condition:
    mistakes: list[str] = []
    condition = Condition.compile(spec, "rules[0].when", mistakes)
    assert mistakes == []
    return condition


def mistakes_of(spec: Any) -> list[str]:
    mistakes: list[str] = []
    condition = Condition.compile(spec, "rules[0].when", mistakes)
    assert bool(mistakes) or condition is not None
    return mistakes


@pytest.mark.parametrize(
    ("spec", "holds"),
    [
        ({}, True),
        ({"field": "issue_type", "eq": "account_frozen"}, True),
        ({"field": "issue_type", "eq": "refund"}, False),
        ({"field": "issue_type", "in": ["refund", "account_frozen"]}, True),
        ({"field": "issue_type", "in": ["refund"]}, False),
        ({"field": "flags", "in": ["complaint"]}, True),
        ({"field": "flags", "has_any": ["legal", "complaint"]}, True),
        ({"field": "flags", "has_any": ["legal"]}, False),
        ({"field": "flags", "has_all": ["complaint", "asks_human"]}, True),
        ({"field": "flags", "has_all": ["complaint", "legal"]}, False),
        ({"field": "chases", "gte": 2}, True),
        ({"field": "chases", "gte": 3}, False),
        ({"field": "chases", "lte": 2}, True),
        ({"field": "chases", "lte": 1}, False),
        ({"field": "confidence", "between": [0.5, 0.9]}, True),
        ({"field": "confidence", "between": [0.9, 1]}, False),
        ({"field": "chases", "gte": 1, "lte": 1}, False),
        ({"field": "contact.balance", "gte": 1000}, True),
        ({"field": "contact.tier", "gte": 1}, False),
        ({"field": "channel", "matches": "^support-"}, True),
        ({"field": "channel", "matches": "^app"}, False),
        ({"field": "contact.tier", "exists": True}, True),
        ({"field": "contact.brand", "exists": True}, False),
        ({"field": "contact.brand", "exists": False}, True),
        ({"field": "contact.unheard", "eq": "x"}, False),
        ({"field": "business_open", "eq": True}, True),
        ({"field": "unsure", "in": [False]}, True),
        ({"field": "priority", "eq": 20}, True),
        ({"channel_kind": ["email", "phone"]}, True),
        ({"channel_kind": ["email"], "business_open": [False]}, False),
        ({"business_open": True}, True),
        ({"not": {"issue_type": ["refund"]}}, True),
        ({"not": {"channel_kind": ["email"]}}, False),
        ({"any": [{"issue_type": ["refund"]}, {"field": "chases", "gte": 2}]}, True),
        ({"any": [{"issue_type": ["refund"]}, {"field": "chases", "gte": 3}]}, False),
        ({"all": [{"channel_kind": ["email"]}, {"not": {"field": "flags", "has_any": ["legal"]}}]}, True),
        ({"all": [{"channel_kind": ["email"]}, {"field": "flags", "has_any": ["legal"]}]}, False),
    ],
)
def test_what_a_condition_means(spec: dict[str, Any], holds: bool) -> None:
    """Every operator and combinator of the grammar, on facts as a conversation has them."""
    condition = compiled(spec)
    assert condition.holds(FACTS) is holds
    found, why = condition.test(FACTS)
    assert found is holds
    assert bool(why) is not holds


@pytest.mark.parametrize(
    ("spec", "why"),
    [
        ({"issue_type": ["refund"]}, "issue_type is account_frozen, wanted one of refund"),
        ({"field": "contact.vip", "eq": "yes"}, "contact.vip is missing, wanted yes"),
        ({"field": "chases", "gte": 3}, "chases is 2, wanted at least 3"),
        ({"field": "flags", "has_all": ["legal"]}, "flags is complaint, asks_human, wanted all of legal"),
        (
            {"all": [{"channel_kind": ["email"]}, {"field": "priority", "between": [50, 90]}]},
            "priority is 20, wanted between 50, 90",
        ),
        (
            {"any": [{"issue_type": ["refund"]}, {"field": "chases", "gte": 3}]},
            "issue_type is account_frozen, wanted one of refund and chases is 2, wanted at least 3",
        ),
        ({"not": {"channel_kind": ["email"]}}, "not allowed: channel_kind one of email (it is email)"),
        ({"business_open": [False]}, "business_open is yes, wanted one of no"),
    ],
)
def test_why_a_condition_misses(spec: dict[str, Any], why: str) -> None:
    """The trace names the first condition that failed and the value that was seen."""
    assert compiled(spec).test(FACTS) == (False, why)


@pytest.mark.parametrize(
    ("spec", "path", "says"),
    [
        ("issue_type", "", "a condition is a table"),
        ({"issue": ["refund"]}, ".issue", "unknown field issue"),
        ({"field": "mood", "eq": "angry"}, ".field", "unknown field mood"),
        ({"field": "contact.", "eq": "x"}, ".field", "unknown field contact."),
        ({"field": 7, "eq": "x"}, ".field", "give the name of a field"),
        ({"field": "issue_type"}, "", "needs an operator"),
        ({"field": "issue_type", "is": "x"}, ".is", "unknown operator"),
        ({"field": "issue_type", "in": "refund"}, ".in", "a list of one value or more"),
        ({"field": "issue_type", "in": []}, ".in", "a list of one value or more"),
        ({"field": "chases", "gte": "two"}, ".gte", "give a number"),
        ({"field": "chases", "gte": True}, ".gte", "give a number"),
        ({"field": "issue_type", "gte": 2}, ".gte", "issue_type is no number"),
        ({"field": "confidence", "between": [0.9, 0.1]}, ".between", "[lowest, highest]"),
        ({"field": "confidence", "between": [0.9]}, ".between", "[lowest, highest]"),
        ({"field": "contact.tier", "exists": "yes"}, ".exists", "true or false"),
        ({"field": "unsure", "eq": "yes"}, ".eq", "true or false"),
        ({"field": "priority", "in": ["high"]}, ".in", "priority is a number"),
        ({"field": "language", "eq": "zh"}, ".eq", "zh is no value of language"),
        ({"field": "flags", "has_any": ["secrets"]}, ".has_any", "secrets is no value of flags"),
        ({"class": ["follow_up"]}, ".class", "follow_up is no value of class"),
        ({"any": []}, ".any", "a list of one condition or more"),
        ({"all": {"issue_type": ["refund"]}}, ".all", "a list of one condition or more"),
        ({"any": [{"issue_type": ["refund"]}, {"mood": ["bad"]}]}, ".any[1].mood", "unknown field mood"),
        ({"not": {"not": "x"}}, ".not.not", "a condition is a table"),
        ({"field": "channel", "matches": "(a+)+$"}, ".matches", "could run for ever"),
        ({"field": "channel", "matches": "["}, ".matches", "does not compile"),
    ],
)
def test_mistakes_are_said_with_their_place(spec: Any, path: str, says: str) -> None:
    """A mistake in a condition is one sentence with its path, and what would be right."""
    (mistake,) = mistakes_of(spec)
    assert mistake.startswith(f"rules[0].when{path}: ")
    assert says in mistake


def test_all_mistakes_are_found_at_once() -> None:
    """One reading of the file tells every mistake of a condition, and the condition never holds meanwhile."""
    spec = {"any": [{"mood": ["x"]}, {"field": "chases", "gte": "2"}, {"field": "flags", "like": 1}]}
    mistakes: list[str] = []
    condition = Condition.compile(spec, "deadlines[2].when", mistakes)
    assert len(mistakes) == 3
    assert not condition.holds(FACTS)


def test_fields_that_are_read_and_conditions_that_always_hold() -> None:
    """A condition knows what it reads, and whether it takes everything."""
    condition = compiled({"any": [{"issue_type": ["a"]}, {"not": {"field": "contact.tier", "exists": True}}]})
    assert condition.fields == {"issue_type", "contact.tier"}
    assert not condition.always
    assert compiled({}).always
    assert compiled({"any": [{"issue_type": ["a"]}, {}]}).always


def test_other_facts_on_request() -> None:
    """A caller with facts of its own may read them all."""
    mistakes: list[str] = []
    condition = Condition.compile({"shift": ["night"], "priority": ["high"]}, "when", mistakes, None)
    assert mistakes == []
    assert condition.holds({"shift": "night", "priority": "high"})


LEAVES = st.one_of(
    st.builds(lambda v: {"issue_type": v}, st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=2)),
    st.builds(lambda n: {"field": "chases", "gte": n}, st.integers(0, 3)),
    st.builds(lambda v: {"field": "flags", "has_any": v}, st.lists(st.sampled_from(sorted(FLAGS)), min_size=1)),
    st.builds(lambda b: {"field": "contact.tier", "exists": b}, st.booleans()),
)
TREES = st.recursive(
    LEAVES,
    lambda inner: st.one_of(
        st.builds(lambda parts: {"all": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda parts: {"any": parts}, st.lists(inner, min_size=1, max_size=3)),
        st.builds(lambda part: {"not": part}, inner),
    ),
    max_leaves=8,
)
SOME_FACTS = st.fixed_dictionaries(
    {},
    optional={
        "issue_type": st.sampled_from(["a", "b"]),
        "chases": st.integers(0, 3),
        "flags": st.lists(st.sampled_from(sorted(FLAGS)), max_size=3),
        "contact.tier": st.sampled_from(["gold", None]),
    },
)


@settings(max_examples=200)
@given(TREES, SOME_FACTS)
def test_the_quick_and_the_explaining_form_agree(spec: dict[str, Any], facts: dict[str, Any]) -> None:
    """Both ways of asking give one answer; a miss has a reason, a hit has none; `not` turns every answer round."""
    condition = compiled(spec)
    holds, why = condition.test(facts)
    assert holds is condition.holds(facts)
    assert bool(why) is not holds
    assert compiled({"not": spec}).holds(facts) is not holds


JUNK = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.floats(allow_nan=False)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.sampled_from([*OPERATORS, "field", "all", "any", "not", *sorted(FIELDS), "x"]), inner),
    ),
    max_leaves=10,
)


@settings(max_examples=300)
@given(JUNK)
def test_any_table_is_read_without_a_crash(spec: Any) -> None:
    """Whatever stands under `when`, the file is read: either without a mistake or with sentences."""
    mistakes: list[str] = []
    condition = Condition.compile(spec, "when", mistakes)
    assert condition.test(FACTS)[0] in (True, False)
    assert all(mistake.startswith("when") for mistake in mistakes)


@pytest.mark.parametrize(
    "pattern",
    [
        "^support-", "refund|chargeback", r"\d{4}-\d{2}", "(?:vip|gold)?$", "a+b*", r"[^\]]+@", "(?i:abc)", "(ab){3}",
        r"\(x\)", "(?P<year>20)26", "a{,3}", "[a-z]+?", "{x}", "(a+)?",
        "refund|chargeback|dispute|fee|limit|card|login|kyc|p2p|otc", "(vip|gold)-(a|b)?$",
    ],
)  # fmt: skip
def test_patterns_that_are_safe(pattern: str) -> None:
    """Plain patterns may be used."""
    assert objection(pattern) == ""


@pytest.mark.parametrize(
    ("pattern", "says"),
    [
        ("(a+)+$", "could run for ever"),
        ("(a|aa)+$", "could run for ever"),
        ("(a?){20}", "could run for ever"),
        ("((ab)*c)*", "could run for ever"),
        ("(.*a){12}", "could run for ever"),
        ("a*a*a*", "more than 2 open repetitions"),
        ("a?" * 20 + "a" * 20, "too many choices"),
        ("(a|a)" * 20 + "b", "too many choices"),
        ("a*a*" + "a?" * 4, "too many choices"),
        ("(?x)( a+ ) +", "looks around"),
        (r"(a)\1", "back-reference"),
        ("(?P<x>a)(?P=x)", "looks around, refers back"),
        ("(?=a)b", "looks around"),
        ("(?<!a)b", "looks around"),
        ("(a)?(?(1)b|c)", "condition"),
        ("(?>a+)b", "looks around"),
        ("x" * (LONGEST_PATTERN + 1), "at most 200"),
        ("(", "does not compile"),
        ("", "as text"),
        (7, "as text"),
    ],
)
def test_patterns_that_are_refused(pattern: Any, says: str) -> None:
    """A pattern that a stranger's text could make run without end is refused with the reason."""
    assert says in objection(pattern)


@settings(max_examples=300)
@given(st.text(alphabet="ab()[]{}|*+?\\^$.,1:=!<>P", max_size=14))
def test_any_pattern_is_judged_without_a_crash(pattern: str) -> None:
    """Whatever is written as a pattern, it is either usable or refused in words."""
    verdict = objection(pattern)
    assert verdict or compiled({"field": "channel", "matches": pattern}).test(FACTS)[0] in (True, False)
