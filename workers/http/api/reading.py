"""How does a person read the API? A page made of its schema: every route, what it takes, what it answers; no script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from html import escape
from typing import Any

__all__ = ["STYLE", "page"]

STYLE = """\
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif; }
body { max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
summary { cursor: pointer; padding: .35rem 0; }
summary code { font-weight: 600; }
code, pre { font-family: ui-monospace, monospace; font-size: .9em; }
pre { overflow: auto; padding: .75rem; border: 1px solid #8886; border-radius: 6px; }
h2 { margin-top: 2rem; text-transform: capitalize; }
"""


def page(schema: Mapping[str, Any]) -> str:
    """The page of an OpenAPI schema. Its style sheet is `/api/docs.css`."""
    by_tag: dict[str, list[str]] = {}
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault((operation.get("tags") or ["more"])[0], []).append(_operation(path, method, operation))
    parts = "".join(f"<h2>{escape(tag)}</h2>{''.join(rows)}" for tag, rows in by_tag.items())
    forms = "".join(_form(name, form) for name, form in sorted(schema["components"]["schemas"].items()))
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>omnirouter API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="docs.css">'
        f"<main><h1>omnirouter API</h1><p>{escape(schema['info'].get('summary', ''))} The same as "
        '<a href="openapi.json">OpenAPI 3.1</a>. Send a token: <code>Authorization: Bearer omt_…</code></p>'
        f"{parts}<h2>forms</h2>{forms}</main></html>"
    )


def _operation(path: str, method: str, operation: Mapping[str, Any]) -> str:
    takes = [
        f"<li><code>{escape(p['name'])}</code> in {escape(p['in'])}{' (required)' if p.get('required') else ''}: "
        f"{_type(p.get('schema', {}))}</li>"
        for p in operation.get("parameters", ())
    ]
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        takes.append(f"<li>body, {escape(media)}: {_type(body.get('schema', {}))}</li>")
    answers = [
        f"<li>{status}: {escape(answer.get('description', ''))} {_answer(answer)}</li>"
        for status, answer in operation["responses"].items()
    ]
    return (
        f"<details><summary><code>{method.upper()} /api{escape(path)}</code> "
        f"{escape(operation.get('description', '').strip())}</summary>"
        f"<p>Takes</p><ul>{''.join(takes) or '<li>nothing</li>'}</ul>"
        f"<p>Answers</p><ul>{''.join(answers)}</ul></details>"
    )


def _answer(answer: Mapping[str, Any]) -> str:
    return " ".join(_type(body.get("schema", {})) for body in answer.get("content", {}).values())


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{escape(name)}">{escape(name)}</a>'
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {_type(schema.get('items', {}))}"
    return escape(str(schema.get("type", "anything")))


def _form(name: str, form: Mapping[str, Any]) -> str:
    name, shown = escape(name), escape(json.dumps(form, indent=2, ensure_ascii=False))
    return f'<details id="{name}"><summary><code>{name}</code></summary><pre>{shown}</pre></details>'
