"""HTML pages: their visible text, block by block."""

from pathlib import Path

from assistants_api.knowledge.formats import plain

_BLOCKS = """
address article aside blockquote br dd div dl dt figcaption footer form h1 h2 h3 h4 h5 h6 header hr li main
nav ol p pre section table tr ul title
"""


def read(path: Path) -> str:
    """The text that a reader of the page would see."""
    from selectolax.lexbor import LexborHTMLParser

    tree = LexborHTMLParser(plain.read(path))
    tree.strip_tags(["script", "style", "template", "noscript", "svg", "iframe"])
    root = tree.root
    if root is None:
        return ""
    for node in root.css(",".join(_BLOCKS.split())):
        node.insert_before("\n")
        node.insert_after("\n")
    for node in root.css("td, th"):
        node.insert_after("\t")
    lines = (" ".join(line.split(" ")).strip() for line in root.text(deep=True).splitlines())
    return "\n".join(line for line in lines if line)
