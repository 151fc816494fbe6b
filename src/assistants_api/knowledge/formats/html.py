"""HTML: the title and the visible text, a line for each block."""

import re

from assistants_api.knowledge.formats import plain

_BLOCKS = (
    "p, div, br, hr, li, ul, ol, dl, dt, dd, tr, table, pre, blockquote, section, article, header, footer, "
    "nav, main, aside, form, figure, figcaption, h1, h2, h3, h4, h5, h6"
)

_CHARSET = re.compile(rb"""<meta[^>]{1,200}charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)


def read(data: bytes) -> str:
    """The text that a reader of the page would see."""
    from selectolax.lexbor import LexborHTMLParser

    charset = _CHARSET.search(data[:4096])
    tree = LexborHTMLParser(plain.read(data, charset[1].decode().lower() if charset else ""))
    title = tree.css_first("head > title")
    named = title.text().strip() if title else ""
    tree.strip_tags(["script", "style", "template", "head"])
    for node in tree.css(_BLOCKS):
        node.insert_before("\n")
        node.insert_after("\n")
    for cell in tree.css("td, th"):
        cell.insert_after("\t")
    body = tree.body.text() if tree.body else ""
    body = re.sub(r"[^\S\n]*\n[^\S\n]*", "\n", body)
    return _joined(named, body)


def _joined(title: str, body: str) -> str:
    return "\n\n".join(part for part in (title, re.sub(r"\n{3,}", "\n\n", body).strip()) if part)
