"""How does a Core statement become fast? Compiled once a dialect, then run as text on the driver's own cursor.

Statements are built at import from `router.store.tables`; values travel as plain driver values (instants as
microseconds, JSON as text). A list travels as one parameter: `member(column, name)` is `json_each` on SQLite and `=
ANY` on PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import inf
from typing import Any

import msgspec
from sqlalchemy import BigInteger, ColumnElement, Table, Text, any_, bindparam, column, func, literal, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import insert as insert_into
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.types import NullType

__all__ = ["Statement", "Tx", "among", "as_json", "insert", "insert_into", "member", "upsert"]

_DIALECTS: Mapping[str, Any] = {
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.psycopg.dialect(paramstyle="pyformat"),  # type: ignore[no-untyped-call]
}
#: What travels as one list.
_LISTS = frozenset({list, tuple, set})
_encoder = msgspec.json.Encoder()


def as_json(value: Any) -> str:
    """JSON text of a value, as the ledger's JSON columns hold it."""
    return _encoder.encode(value).decode()


class member(ColumnElement[Any]):  # noqa: N801  (reads like a Core function)
    """`column` is among the values of the list parameter `name`."""

    inherit_cache = False
    type = NullType()  # not Boolean: SQLite would compare with 1

    def __init__(self, what: ColumnElement[Any], name: str) -> None:
        self.what, self.name = what, name


def among(what: ColumnElement[Any], *words: str) -> ColumnElement[bool]:
    """`column` is one of these constants. (`in_` of plain values would be spelt out only when it is executed.)"""
    return what.in_([literal(word) for word in words])


@compiles(member, "sqlite")
def _member_sqlite(element: member, compiler: SQLCompiler, **kw: Any) -> str:
    values = func.json_each(bindparam(element.name, type_=Text)).table_valued(column("value"))
    return str(compiler.process(element.what.in_(select(values.c.value)), **kw))


@compiles(member, "postgresql")
def _member_postgresql(element: member, compiler: SQLCompiler, **kw: Any) -> str:
    kind = BigInteger() if isinstance(element.what.type, BigInteger) else element.what.type
    return str(compiler.process(element.what == any_(bindparam(element.name, type_=postgresql.ARRAY(kind))), **kw))


class Statement:
    """A Core statement that runs as text. Parameters are those of its `bindparam`s; lists are those of `member`.
    `sqlite`: how the same is asked there, where that must be put in another way."""

    __slots__ = ("_core", "_sqlite", "_texts")

    def __init__(self, core: Any, *, sqlite: Any = None) -> None:
        self._core = core
        self._sqlite = core if sqlite is None else sqlite
        self._texts: dict[str, tuple[str, dict[str, Any]]] = {}

    def text(self, dialect: str) -> tuple[str, dict[str, Any]]:
        """The SQL of a dialect and the values of its constants."""
        known = self._texts.get(dialect)
        if known is None:
            core = self._sqlite if dialect == "sqlite" else self._core
            compiled = core.compile(dialect=_DIALECTS[dialect])
            constants = {name: bind.effective_value for bind, name in compiled.bind_names.items() if not bind.required}
            known = self._texts[dialect] = (str(compiled), constants)
        return known


def insert(table: Table, *, unless_there: bool = False) -> Statement:
    """Insert whole rows of a table; columns that the database numbers itself are left out."""
    names = [c.name for c in table.columns if not _serial(table, c.name)]
    core = insert_into(table).values({name: bindparam(name, type_=table.c[name].type) for name in names})
    return Statement(core.on_conflict_do_nothing() if unless_there else core)


def upsert(table: Table, *, keep: Sequence[str] = ()) -> Statement:
    """Insert whole rows, or replace what stands under the same primary key but the columns to `keep`."""
    names = [c.name for c in table.columns]
    core = insert_into(table).values({name: bindparam(name, type_=table.c[name].type) for name in names})
    keys = [c.name for c in table.primary_key.columns]
    changes = {name: core.excluded[name] for name in names if name not in keys and name not in keep}
    return Statement(core.on_conflict_do_update(index_elements=keys, set_=changes))


def _serial(table: Table, name: str) -> bool:
    return table.autoincrement_column is not None and table.autoincrement_column.name == name


class Tx:
    """One transaction on one driver cursor: `rows`, `one`, `run`, `many`. `statements`: how many there were."""

    __slots__ = ("_cursor", "dialect", "statements")

    def __init__(self, cursor: Any, dialect: str) -> None:
        self._cursor = cursor
        self.dialect = dialect
        self.statements = 0

    def rows(self, statement: Statement, **values: Any) -> list[tuple[Any, ...]]:
        """All rows of a query (or of a RETURNING)."""
        self._execute(statement, values)
        found: list[tuple[Any, ...]] = self._cursor.fetchall()
        return found

    def one(self, statement: Statement, **values: Any) -> tuple[Any, ...] | None:
        """The first row, or None."""
        self._execute(statement, values)
        found: tuple[Any, ...] | None = self._cursor.fetchone()
        return found

    def run(self, statement: Statement, **values: Any) -> int:
        """Run a change; the number of rows it met."""
        self._execute(statement, values)
        return int(self._cursor.rowcount)

    def many(self, statement: Statement, rows: Sequence[Mapping[str, Any]]) -> int:
        """Run a change for each row, as one executemany; the number of rows it met in all."""
        if not rows:
            return 0
        self.statements += 1
        sql, constants = statement.text(self.dialect)
        if len(rows) == 1:  # psycopg makes a pipeline for many, which one is quicker without
            self._cursor.execute(sql, {**constants, **rows[0]} if constants else rows[0])
        else:
            self._cursor.executemany(sql, [{**constants, **row} for row in rows] if constants else rows)
        return int(self._cursor.rowcount)

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Let the statements of this transaction take as long as they must (PostgreSQL)."""
        connection = self._cursor.connection
        self._cursor.execute("SET LOCAL statement_timeout = 0")
        connection.patience = inf
        try:
            yield
        finally:
            del connection.patience  # what its class has

    def _execute(self, statement: Statement, values: dict[str, Any]) -> None:
        self.statements += 1
        sql, constants = statement.text(self.dialect)
        for name, value in values.items():
            if type(value) in _LISTS:
                values[name] = as_json(value) if self.dialect == "sqlite" else list(value)
        self._cursor.execute(sql, {**constants, **values} if constants else values)

    def stream(self, statement: Statement, page: int = 500, **values: Any) -> Iterable[tuple[Any, ...]]:
        """The rows of a query, fetched `page` at a time."""
        self._execute(statement, values)
        while chunk := self._cursor.fetchmany(page):
            yield from chunk
