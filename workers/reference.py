"""Which tables and keys may stand in the configuration file? docs/configuration.md, in English and in Chinese.

`python -m workers.reference docs` writes both from the schema (types, defaults, what must be given), the settings of
the adapters that ship, and the meanings in docs/configuration.toml.
"""

from __future__ import annotations

import ast
import sys
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from inspect import get_annotations
from pathlib import Path
from typing import Any, Final, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

import adapters
from router.policy.tables import ARRAYS, NAMED, SINGLE
from router.policy.units import Span

__all__ = ["page", "tables", "write"]

_FILES: Final = ("configuration.md", "configuration.zh-CN.md")
_HEAD: Final = (
    """# Configuration

Every table and key of the one TOML file. Unknown keys are mistakes, and `omnirouter check` tells all mistakes of a file
at once. Durations are written `"90s"`, `"2m"`, `"1h30m"`, `"3d"` (24 hours each), sizes `"500 kB"`, `"1 MiB"`, secrets
by reference alone: `"env:NAME"` or `"file:PATH"`. This page is made by `python -m workers.reference docs`.
""",
    """# 配置

唯一的 TOML 配置文件中的所有表与键。未知的键视为错误；`omnirouter check` 一次列出文件的全部错误。时长写作 `"90s"`、
`"2m"`、`"1h30m"`、`"3d"`（每天 24 小时），大小写作 `"500 kB"`、`"1 MiB"`，机密只能引用：`"env:NAME"` 或 `"file:PATH"`。
本页由 `python -m workers.reference docs` 生成。
""",
)
_COLUMNS: Final = ("| key | value | default | meaning |", "| 键 | 值 | 默认 | 含义 |")
_MUST: Final = ("must be given", "必填")
#: Names of types in annotations, in words.
_WORDS: Final[Mapping[str, tuple[str, str]]] = {
    "str": ("text", "文本"), "Name": ("name", "名称"), "bool": ("true or false", "true 或 false"),
    "int": ("whole number", "整数"), "float": ("number", "数字"), "timedelta": ("duration", "时长"),
    "Duration": ("duration", "时长"), "Age": ('duration or "never"', '时长或 "never"'),
    "Length": ("duration or working days", "时长或工作日数"), "Promise": ("duration or working days", "时长或工作日数"),
    "Size": ("size", "大小"), "Secret": ("reference", "机密引用"), "Path": ("path", "路径"),
    "Any": ("condition", "条件"),
    "Network": ("address or network", "地址或网段"), "Address": ("web address", "网址"),
    "WebAddress": ("web address", "网址"), "Rows": ("hours", "时间段"),
    "Priority": ("whole number or change", "整数或增减"),
    "MailAddress": ("mail address", "邮件地址"), "Listen": ("host:port", "主机:端口"), "Domain": ("domain", "域名"),
    "Language": ("language tag", "语言标签"), "EventType": ("event type", "事件类型"), "Date": ("date", "日期"),
    "Database": ("database URL", "数据库地址"), "ListenDatabase": ("database URL", "数据库地址"),
    "LogPlace": ('"database"', '"database"'), "UnguessedPath": ("path", "路径"),
}  # fmt: skip
_LIST, _TABLE = ("list: {}", "列表：{}"), ("table", "表")
_LISTS: Final = ("list", "tuple", "Many")


def tables() -> Iterator[tuple[str, str, type[BaseModel]]]:
    """Each table: its place in docs/configuration.toml, its heading, its model."""
    for name, model in (SINGLE | NAMED | ARRAYS).items():
        place = f"{name}.NAME" if name in NAMED else name
        yield from _with_inner(place, f"[[{name}]]" if name in ARRAYS else f"[{place}]", model)
    for kind in adapters.available():
        for place, heading, model in _with_inner("channels.NAME", "[channels.NAME]", adapters.load(kind).Settings):
            yield f"{place} {kind}", f"{heading} {kind}", model


def _with_inner(place: str, heading: str, model: type[BaseModel]) -> Iterator[tuple[str, str, type[BaseModel]]]:
    yield place, heading, model
    for name, field in model.model_fields.items():
        for inner in _models(field.annotation):
            many = get_origin(field.annotation) is list or heading.startswith("[[")
            there = f"{place}.{name}"
            yield from _with_inner(there, f"[[{there}]]" if many else f"[{there}]", inner)


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def page(meanings: Mapping[str, Mapping[str, list[str]]], language: int) -> str:
    """The page in English (0) or Chinese (1). Raises KeyError for a key without a meaning."""
    parts = [_HEAD[language]]
    for place, heading, model in tables():
        table, _, kind = heading.partition(" ")
        rows = [f"## `{table}` {kind}".rstrip(), "", _COLUMNS[language], "|---|---|---|---|"]
        for name, field in model.model_fields.items():
            key = field.alias or name
            says = meanings[place][key][language]
            cells = (f"`{key}`", _value(model, name, language), _default(field, language), says)
            rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
        parts.append("\n".join(rows) + "\n")
    return "\n".join(parts)


def _value(model: type[BaseModel], name: str, language: int) -> str:
    """The type of a key in words, as its class annotates it."""
    home = next(one for one in model.__mro__ if name in get_annotations(one))
    return _words(ast.parse(str(get_annotations(home)[name]), mode="eval").body, home.__module__, language)


def _words(node: ast.expr, module: str, language: int) -> str:
    if isinstance(node, ast.BinOp):
        either = [_words(one, module, language) for one in (node.left, node.right)]
        return " / ".join(dict.fromkeys(words for words in either if words))
    if isinstance(node, ast.Constant):
        return ""
    if isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name):
        return _of(node.value.id, node.slice, module, language)
    name = node.id if isinstance(node, ast.Name) else ""
    if name in _WORDS:
        return _WORDS[name][language]
    known = getattr(sys.modules[module], name)
    if get_origin(known) is list:
        return _LIST[language].format(_choices(get_args(known)[0]))
    return _choices(known) or _TABLE[language]


def _of(outer: str, inner: ast.expr, module: str, language: int) -> str:
    """The words of `outer[inner]`."""
    first = inner.elts[0] if isinstance(inner, ast.Tuple) else inner
    if outer == "Literal":
        return ", ".join(f'"{word}"' for word in ast.literal_eval(ast.Tuple([*_elements(inner)], ast.Load())))
    if outer == "dict":
        return _TABLE[language]
    words = _words(first, module, language)
    return _LIST[language].format(words) if outer in _LISTS else words


def _elements(node: ast.expr) -> list[ast.expr]:
    return node.elts if isinstance(node, ast.Tuple) else [node]


def _choices(literal: Any) -> str:
    return ", ".join(f'"{word}"' for word in get_args(literal) if isinstance(word, str))


def _default(field: FieldInfo, language: int) -> str:
    if field.is_required():
        return _MUST[language]
    value = field.get_default(call_default_factory=False)
    if isinstance(value, BaseModel) or value is None or value in ("", (), [], {}):
        return ""
    if isinstance(value, Span):
        value = f"{value.workdays} working days" if value.workdays else timedelta(seconds=value.seconds)
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    if isinstance(value, timedelta):
        return f'`"{_length(int(value.total_seconds()))}"`'
    if isinstance(value, int):
        return f'`"{value >> 20} MiB"`' if value >= 1 << 20 else f"`{value}`"
    return f"`{_toml(value)}`"


def _length(seconds: int) -> str:
    """Seconds as the file would write them."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds % size == 0 and (seconds > size or size < 86400):
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def _toml(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_toml, value))}]"
    return f'"{value}"' if isinstance(value, str) else str(value)


def write(folder: Path) -> None:
    """Write both pages into a folder, from the meanings in docs/configuration.toml of this checkout."""
    source = Path(__file__).parents[1] / "docs" / "configuration.toml"
    meanings = tomllib.loads(source.read_text("utf-8"))
    for language, name in enumerate(_FILES):
        (folder / name).write_text(page(meanings, language), encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
