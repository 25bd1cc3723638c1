"""Others report the same: linked, never merged; the third customer opens an incident."""

from __future__ import annotations

from collections.abc import Callable
from itertools import permutations
from typing import Any

import msgspec
import pytest

from router.model import MessageClass as Class

REPORTS = ("中行卡充不进去了,充值报错", "用中国银行充值一直报错", "中国银行充值全部失败", "充值到中行失败了")


def events(placed: Any) -> dict[str, Any]:
    told = (event for event in placed.events if event.type.startswith("incident."))
    return {event.type: msgspec.json.decode(msgspec.json.encode(event)) for event in told}


def test_the_third_customer_opens_an_incident(world: Any, say: Any) -> None:
    """Two are linked, the third opens the record with all three, the fourth joins it under the same key."""
    placed = [world.place(say(text, n * 3, who=f"W{n}")) for n, text in enumerate(REPORTS)]
    assert [p.class_ for p in placed] == [Class.FIRST, *[Class.CROSS_CUSTOMER] * 3]
    assert len({p.conversation.number for p in placed}) == 4
    opened = events(placed[2])["incident.opened"]
    assert opened["conversations"] == [p.conversation.number for p in placed[:3]]
    assert events(placed[0]) == events(placed[1]) == {}
    assert events(placed[3])["incident.joined"]["key"] == opened["key"]


def test_reports_half_an_hour_apart_are_no_incident(world: Any, say: Any) -> None:
    """The same bank and the same trouble hours later is a customer of its own."""
    world.place(say(REPORTS[0], who="W1"))
    assert world.place(say(REPORTS[1], 45, who="W2")).class_ is Class.FIRST


@pytest.mark.parametrize(("minutes", "class_"), [(20 * 60, Class.CROSS_CUSTOMER), (25 * 60, Class.FIRST)])
def test_the_same_words_within_a_day(world: Any, say: Any, minutes: int, class_: Class) -> None:
    """Somebody else's identical words are related for 24 hours."""
    world.place(say("买票扣了两次钱,都是135", who="W1"))
    assert world.place(say("买票扣了两次钱 都是135!", minutes, who="W2")).class_ is class_


def test_equal_greetings_relate_nobody(world: Any, say: Any) -> None:
    """Two people who say hello have nothing to do with each other."""
    world.place(say("你好", who="W1"))
    assert world.place(say("你好", 1, who="W2")).links == ()


def test_a_number_relates_to_what_is_open_only(world: Any, say: Any) -> None:
    """A closed conversation of somebody else is left alone."""
    one = world.place(say("单号TP202646130597没到账", who="W1"))
    world.status(one.conversation.number, "closed", 5)
    assert world.place(say("单号TP202646130597没到账", 9, who="W2")).class_ is Class.FIRST


def test_every_order_of_reports_opens_one_incident(new_world: Callable[[], Any], say: Any) -> None:
    """Whoever reports first, there is one key and one opening."""
    for order in permutations(range(4)):
        world = new_world()
        placed = [world.place(say(REPORTS[who], n * 2, who=f"W{who}")) for n, who in enumerate(order)]
        told = [events(p) for p in placed]
        assert sum("incident.opened" in one for one in told) == 1
        assert len({body["key"] for one in told for body in one.values()}) == 1


BREAKDOWNS = [
    ("扫码付款一直失败,排队都没法走", "你们系统是不是挂了,付款全都不行", "柜台付款付不出去,隔壁店也一样不行"),
    ("提现一直失败,点了没反应", "提现是不是坏了?我和同事都一样", "提现又崩了吗"),
    ("儲值一直失敗,刷不出來", "請問你們儲值是不是當掉了", "儲值全都不行,大家都一樣"),
    ("card top up fails every time", "is your top up down for everyone?", "top up not working, is it just me?"),
]


@pytest.mark.parametrize("reports", BREAKDOWNS)
def test_a_breakdown_in_other_words_is_one_incident(new_world: Callable[[], Any], say: Any, reports: Any) -> None:
    """Who asks whether it is down meets those who only say that it fails, whoever comes first."""
    for order in permutations(range(len(reports))):
        world = new_world()
        placed = [world.place(say(reports[who], n * 3, who=f"W{who}")) for n, who in enumerate(order)]
        assert sum("incident.opened" in events(p) for p in placed) == 1, order
        assert len({p.conversation.number for p in placed}) == len(reports)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("提现一直失败,点了没反应", "提现老是不成功怎么办"),
        ("提现是不是坏了?我和同事都一样", "绑卡一直失败,填完就弹回来"),
        ("提现是不是坏了?我和同事都一样", "提现什么时候能到账呢"),
        ("adding money fails every time", "my reload was declined twice today"),
    ],
)
def test_troubles_of_two_customers_are_two(world: Any, say: Any, one: str, other: str) -> None:
    """Two who only say that something fails, another thing that fails, a question: nobody asks whether it is down."""
    world.place(say(one, who="W1"))
    assert world.place(say(other, 5, who="W2")).class_ is Class.FIRST
