"""HTML: the title and the visible text, a line for each block."""

import re

from assistants_api.knowledge.formats import plain

_BLOCKS = (
    "p, div, br, hr, li, ul, ol, dir, menu, dl, dt, dd, tr, table, caption, pre, listing, xmp, blockquote, "
    "center, address, section, article, header, footer, hgroup, nav, main, aside, search, form, fieldset, "
    "legend, button, textarea, select, optgroup, option, details, summary, dialog, figure, figcaption, h1, "
    "h2, h3, h4, h5, h6, svg, svg > title, text"
)
# What stands for the white space of preformatted text while all other is being tidied.
_KEPT = {" ": "\ufdd0", "\t": "\ufdd1"}
_HELD, _BACK = str.maketrans(_KEPT), str.maketrans({mark: space for space, mark in _KEPT.items()})

_CHARSET = re.compile(rb"""<meta[^>]{1,200}charset\s*=\s*["']?([\w-]+)""", re.IGNORECASE)


def read(data: bytes) -> str:
    """The text that a reader of the page would see."""
    from selectolax.lexbor import LexborHTMLParser

    charset = _CHARSET.search(data[:4096])
    tree = LexborHTMLParser(plain.read(data, charset[1].decode().lower() if charset else ""))
    title = tree.css_first("head > title")
    named = title.text().strip() if title else ""
    tree.strip_tags(["script", "style", "template", "head"])
    seen: set[int] = set()  # those within each other are gone through once
    for block in tree.css("pre, listing, xmp, textarea"):
        if block.mem_id in seen:
            continue
        for node in list(block.traverse(include_text=True)):
            seen.add(node.mem_id)
            if node.tag == "-text":
                node.replace_with(node.text(deep=False).translate(_HELD))
    for node in tree.css(_BLOCKS):
        node.insert_before("\n")
        node.insert_after("\n")
    for cell in tree.css("td, th"):
        cell.insert_after("\t")
    body = tree.body.text() if tree.body else ""
    body = "\n".join(line.strip() for line in body.split("\n"))
    return _joined(named, body).translate(_BACK)


def _joined(title: str, body: str) -> str:
    return "\n\n".join(part for part in (title, re.sub(r"\n{3,}", "\n\n", body).strip()) if part)
