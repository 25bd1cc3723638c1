"""What does tagging cost a message on this machine?

In: nothing; sentences of a wallet's customers, kept here. Out: rows of a table: microseconds of CPU a message, by step,
of the cold start; and of a trained model, where scikit-learn is installed to train one.
"""

from __future__ import annotations

import importlib.util
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

from router.tagging.lexicon import Lexicon
from router.tagging.tag import Tagger
from router.text.meaning.fold import fold, language

__all__ = ["bench_tags"]

_SAMPLES: Final = {
    "transfer_failed": (
        "转账2000一直没到账,对方说没收到",
        "轉帳失敗但錢被扣了",
        "I sent money to a friend and it has not arrived",
    ),
    "topup_failed": (
        "银行扣了钱,钱包余额没有增加",
        "儲值失敗,可是信用卡已扣款",
        "My top-up is still pending, please check",
    ),
    "login": (
        "换了手机以后登录不了,验证码也收不到",
        "無法登入,一直說密碼錯誤",
        "I cannot log in, the code never arrives",
    ),
    "refund": (
        "商家同意退款一个星期了还没退回来",
        "退款甚麼時候可以收到",
        "Where is my refund, the shop sent it last week",
    ),
    "fee": ("为什么转账要收手续费,以前不收的", "匯率怎麼算的", "Why was I charged a fee for using the cash machine?"),
    "security": (
        "有一笔不是我操作的交易,快帮我冻结",
        "我的卡被盜刷了",
        "There is a payment on my account that I did not make",
    ),
}
_ROUNDS: Final = 40


def bench_tags(rounds: int = _ROUNDS) -> list[dict[str, Any]]:
    """Rows `{"what", "value", "unit", "note"}` with the median CPU microseconds a message of each step."""
    texts = [text for sentences in _SAMPLES.values() for text in sentences]
    folded = [fold(text) for text in texts]
    lexicon, tagger = Lexicon.load(), Tagger.load()
    rows = [
        _row("fold", _median(fold, texts, rounds), "one form for matching"),
        _row("language", _median(language, texts, rounds), "by script and word share"),
        _row("concepts", _median(lexicon.find, folded, rounds), "both lexicons"),
        _row("tag, cold start", _median(tagger.tag, texts, rounds), "all of it, bar 200"),
    ]
    if importlib.util.find_spec("sklearn") is None:
        rows.append({"what": "tag, trained", "value": None, "unit": "µs", "note": "scikit-learn is not installed"})
    else:
        trained = _trained()
        rows.append(_row("tag, trained", _median(trained.tag, texts, rounds), "all of it, bar 250"))
    return rows


def _row(what: str, seconds: float, note: str) -> dict[str, Any]:
    return {"what": what, "value": round(seconds * 1e6, 1), "unit": "µs", "note": note}


def _median(step: Callable[[str], object], texts: Sequence[str], rounds: int) -> float:
    """The median over all messages and rounds of one message's CPU seconds. Each bears a number of its own, since what
    was met before is known again at next to no cost."""
    taken = []
    for number in range(rounds):
        for text in texts:
            fresh = f"{text} {number}"
            began = time.thread_time()
            step(fresh)
            taken.append(time.thread_time() - began)
    return statistics.median(taken)


def _trained() -> Tagger:
    """A tagger whose model was trained just now on the sample sentences."""
    from workers.lab.training import train

    with tempfile.TemporaryDirectory() as folder:
        labelled, model = Path(folder, "labelled.jsonl"), Path(folder, "model")
        rows = ({"text": text, "label": label} for label, sentences in _SAMPLES.items() for text in sentences)
        labelled.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        train(labelled, model)
        return Tagger.load(model=model)
