"""What answers under /desk? One page, its modules and styles, from our own wheel; nothing comes from another host.

The page asks only the public API. Its policy lets no script or style run that is not one of these files. A file is
read at the start; a browser keeps it as long as its digest stays.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

__all__ = ["console"]

_HERE: Final = Path(__file__).parent
_TYPES: Final = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html"}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}


class _File:
    """A file of the console, with its digest."""

    def __init__(self, path: Path) -> None:
        self.body = path.read_bytes()
        self.etag = f'"{hashlib.sha256(self.body).hexdigest()[:32]}"'
        self.media = _TYPES[path.suffix]

    def answer(self, request: Request) -> Response:
        """The file, or that the browser has it already."""
        headers = _HEADERS | {"etag": self.etag}
        if request.headers.get("if-none-match") == self.etag:
            return Response(status_code=304, headers=headers)
        return Response(self.body, media_type=self.media, headers=headers)


def _files(folder: str) -> dict[str, _File]:
    root = _HERE / folder
    return {p.relative_to(root).as_posix(): _File(p) for p in root.rglob("*") if p.suffix in _TYPES}


def console() -> list[BaseRoute]:
    """The routes of the console."""
    folders = {"static": _files("static"), "vendor": _files("vendor")}
    page = folders["static"]["index.html"]

    async def shown(request: Request) -> Response:
        return page.answer(request)

    async def part(request: Request) -> Response:
        found = folders.get(request.path_params["folder"], {}).get(request.path_params["path"])
        return found.answer(request) if found is not None else Response(status_code=404, headers=_HEADERS)

    return [
        *(Route(path, shown, methods=["GET"]) for path in ("/desk", "/desk/", "/desk/welcome")),
        Route("/desk/{folder}/{path:path}", part, methods=["GET"]),
    ]
