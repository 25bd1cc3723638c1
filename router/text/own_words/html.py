"""What does an HTML mail say, read as lines of text?

In: the HTML source of a mail or message, however broken. Out: text, one line a block; what is hidden from the reader's
eye is left out (rules: security, 2.5). `marked` also keeps the quotes' structure: each line of a quote begins with
`> `, each line of a signature with `SIGNATURE`, so that one line scanner reads HTML and plain text alike.

One walk over the tree without recursion: time and memory grow linearly with the source.
"""

from __future__ import annotations

import re

from selectolax.lexbor import LexborHTMLParser, LexborNode

from router.text.own_words.quotes import marks

__all__ = ["SIGNATURE", "has_structure", "marked", "plain"]

#: Begins each line that stands in a signature by the mail's structure (a private-use character: no one writes it).
SIGNATURE = "\ue000"

_QUOTE = "> "
_BLOCKS = frozenset(
    re.findall(
        r"\w+",
        "address article aside blockquote body center dd details div dl dt fieldset figcaption figure footer form h1 h2"
        " h3 h4 h5 h6 header hr legend li main nav ol p pre section summary table tbody tfoot thead tr ul",
    )
)
_UNSEEN = frozenset(
    re.findall(r"\w+", "script style head title template noscript object embed iframe svg math select textarea")
)
_CELLS = frozenset(("td", "th"))
_TEXT, _COMMENT = "-text", "-comment"
_HIDDEN_BY = ("none", "hid", "size", "opacity", "height")
_HIDDEN_SELECTOR = "[hidden]" + "".join(f', [style*="{word}" i]' for word in _HIDDEN_BY)
_HIDING = re.compile(
    r"(?:^|;)(?:display:none|visibility:hidden|mso-hide:all|font-size:0(?:px|pt|em|rem|%)?|opacity:0(?:\.0+)?"
    r"|max-height:0(?:px)?)(?:!important)?(?:;|$)"
)
_SPACES = re.compile(r"[ \t\r\n\f\u00a0]+")
_STYLE_SPACES = re.compile(r"\s+")


def plain(html: str) -> str:
    """The visible words of an HTML source, one line a block, spaces collapsed, cells of a row side by side."""
    return _render(_tree(html), structure=False) if html.strip() else ""


def marked(html: str) -> str:
    """Like `plain`, with the lines of quotes begun by `> ` and those of signatures by `SIGNATURE`."""
    return _render(_tree(html), structure=True) if html.strip() else ""


def has_structure(html: str) -> bool:
    """Can this source hold a quote or signature that is told by its structure? (A cheap look, no parsing.)"""
    low = html.lower()
    return any(hint in low for hint in marks().hints)


def _tree(html: str) -> LexborHTMLParser:
    return LexborHTMLParser(html.replace(SIGNATURE, "").encode("utf-8", "replace"))


class _Sheet:
    """The lines written so far; each line takes the prefix that holds when its first word is written."""

    __slots__ = ("_fresh", "_line", "_lines", "_prefix", "prefix", "rest_is_quote")

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._line: list[str] = []
        self._fresh = True
        self._prefix = self.prefix = ""
        self.rest_is_quote = False

    def write(self, words: str, *, as_is: bool = False) -> None:
        """Add words to the present line; spaces at its beginning are dropped, unless they stand `as_is`."""
        if self._fresh and not as_is:
            words = words.lstrip(" ")
        if not words:
            return
        if self._fresh:
            self._prefix, self._fresh = self.prefix, False
        self._line.append(words)

    def end_line(self, *, always: bool = False) -> None:
        """Begin a new line, unless the present one is empty (`always`: even so)."""
        if self._line or always:
            words = "".join(self._line).rstrip(" ")
            self._lines.append((self._prefix if self._line else self.prefix) + words)
            self._line.clear()
            self._fresh = True

    def text(self) -> str:
        """All lines, without empty ones at both ends."""
        self.end_line()
        return "\n".join(self._lines).strip("\n")


def _render(tree: LexborHTMLParser, *, structure: bool) -> str:
    hidden = {node.mem_id for node in tree.css(_HIDDEN_SELECTOR) if _is_hidden(node)}
    prefixes, rests = _structure(tree) if structure else ({}, frozenset())
    sheet = _Sheet()
    open_nodes: list[tuple[LexborNode, str]] = []
    preformatted = 0
    node: LexborNode | None = tree.root
    while node is not None:
        tag = node.tag or ""
        child = None
        outer = sheet.prefix
        if tag == _TEXT:
            _write_text(sheet, node.text_content or "", bool(preformatted))
        elif tag not in _UNSEEN and tag != _COMMENT and not (hidden and node.mem_id in hidden):
            if (prefixes or rests) and outer != _QUOTE:
                _enter(sheet, node.mem_id, prefixes, rests)
            _open(sheet, tag)
            child = node.child
            preformatted += tag == "pre"
            if child is None:
                preformatted -= _close(sheet, tag, outer)
        if child is not None:
            open_nodes.append((node, outer))
            node = child
            continue
        while node.next is None and open_nodes:
            node, outer = open_nodes.pop()
            preformatted -= _close(sheet, node.tag or "", outer)
        node = node.next if open_nodes else None
    return sheet.text()


def _structure(tree: LexborHTMLParser) -> tuple[dict[int, str], frozenset[int]]:
    known = marks()
    prefixes = {node.mem_id: SIGNATURE for node in tree.css(known.signature_selector)}
    prefixes.update((node.mem_id, _QUOTE) for node in tree.css(known.quote_selector))
    return prefixes, frozenset(node.mem_id for node in tree.css(known.rest_selector))


def _enter(sheet: _Sheet, identity: int, prefixes: dict[int, str], rests: frozenset[int]) -> None:
    prefix = _QUOTE if identity in rests else prefixes.get(identity, "")
    if prefix:
        sheet.end_line()
        sheet.prefix = prefix
    if identity in rests:
        sheet.rest_is_quote = True


def _write_text(sheet: _Sheet, words: str, preformatted: bool) -> None:
    if not preformatted:
        sheet.write(_SPACES.sub(" ", words))
        return
    first, *others = words.replace("\r\n", "\n").split("\n")
    sheet.write(first, as_is=True)
    for line in others:
        sheet.end_line(always=True)
        sheet.write(line, as_is=True)


def _open(sheet: _Sheet, tag: str) -> None:
    if tag == "br":
        sheet.end_line(always=True)
    elif tag in _BLOCKS:
        sheet.end_line()
    elif tag in _CELLS:
        sheet.write(" ")


def _close(sheet: _Sheet, tag: str, outer: str) -> int:
    """End an element; gives 1 when it was preformatted."""
    outer = _QUOTE if sheet.rest_is_quote else outer
    if tag in _BLOCKS or sheet.prefix != outer:
        sheet.end_line()
    sheet.prefix = outer
    return int(tag == "pre")


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    return "hidden" in attributes or bool(_HIDING.search(_STYLE_SPACES.sub("", attributes.get("style") or "").lower()))
