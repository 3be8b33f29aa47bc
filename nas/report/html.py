"""Writing HTML in which every text is escaped."""

import re
from collections.abc import Iterable, Sequence
from html import escape
from urllib.parse import quote


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def safe(value: object) -> Html:
    """Escape, unless it is HTML already."""
    return value if isinstance(value, Html) else Html(escape(str(value), quote=True))


def tag(name: str, *content: object, **attributes: str) -> Html:
    """Write an element.

    Args:
      name: such as `p`.
      *content: inside it; escaped unless it is HTML.
      **attributes: of the element; a trailing underscore of the name is dropped.

    Returns:
      The element.
    """
    written = "".join(
        f' {key.rstrip("_")}="{escape(value, quote=True)}"'
        for key, value in attributes.items()
    )
    return Html(f"<{name}{written}>{join(content)}</{name}>")


def join(parts: Iterable[object], between: str = "") -> Html:
    """Put parts one after another, each escaped unless it is HTML."""
    return Html(safe(between).join(safe(part) for part in parts))


def link(path: str, text: object) -> Html:
    """Write a link to a file beside the page."""
    return tag("a", text, href=quote(path))


def table(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Html:
    """Write a table, which scrolls where it is too wide; no headings, no such line."""
    top = tag("tr", *(tag("th", cell, scope="col") for cell in head))
    body = [tag("tr", *(tag("td", cell) for cell in row)) for row in rows]
    headings = tag("thead", top) if head else Html("")
    return tag("div", tag("table", headings, tag("tbody", *body)), class_="wide")


def bullets(items: Iterable[object]) -> Html:
    """Write a list."""
    return tag("ul", *(tag("li", item) for item in items))


def section(identity: str, title: str, *content: object) -> Html:
    """Write a section with its heading."""
    return tag("section", tag("h2", title), *content, id=identity)


def framed(svg: str, caption: str) -> Html:
    """Write a figure around an SVG element, with words below it."""
    words = [tag("figcaption", caption)] if caption else []
    return tag("figure", Html(svg), *words)


def identifier(text: str) -> str:
    """Make an id of the page out of any text, different for different texts."""
    return re.sub(r"[^A-Za-z0-9]", lambda m: f"_{ord(m[0]):x}_", text.replace("-", "."))


def small(text: object) -> Html:
    """Write a text that may take several lines of a cell."""
    return tag("small", text, class_="choices")
