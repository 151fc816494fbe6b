"""PDF through PDFium: the text of its pages and of their filled forms, in the order of the pages."""

import contextlib
import re
from pathlib import Path
from typing import Any

from assistants_api.knowledge.parsed import invalid

_MOST_PAGES = 20_000
_PASSWORD = 4  # FPDF_ERR_PASSWORD in PDFium's fpdfview.h
# Stands for a hyphen at a line's end; the next line's first character tells what it is.
_HYPHEN = re.compile("[\ufffe\x02](?=(.?))")
# One that PDFium leaves as it is, though browsers and typesetters part words with it alone.
_PARTED = re.compile(r"(?<=[^\W\d_])\u2010\s*\n(?=([^\W\d_]))")


def read(path: Path, max_text: int) -> str:
    """The text, pages parted by an empty line; a damaged page is left out.

    Raises ParseFailed when the file is locked, broken or only pictures.
    """
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD:
            raise invalid("because it is protected by a password") from None
        raise invalid("because it is not a readable PDF") from None
    try:
        with contextlib.suppress(pypdfium2.PdfiumError):  # a broken form costs its own text alone
            document.init_forms()
        if len(document) > _MOST_PAGES:
            raise invalid("because it is too large")
        pages: list[str] = []
        length = 0
        for number in range(len(document)):
            try:
                text = _page_text(document, number)
            except pypdfium2.PdfiumError:
                continue
            pages.append(_PARTED.sub(_parted, _HYPHEN.sub(_hyphen, text)))
            length += len(text)
            if length > max_text:
                raise invalid("because it is too large")
    finally:
        document.close()
    if not pages:
        raise invalid("because it is not a readable PDF")
    if not any(page.strip() for page in pages):
        raise invalid("because it has no text; scanned pages are not read")
    return "\n\n".join(pages)


def _page_text(document: Any, number: int) -> str:
    import pypdfium2

    if document.formenv:
        page = document[number]
        with contextlib.suppress(pypdfium2.PdfiumError):
            page.flatten()  # what its fields hold becomes text of the page, once it is opened anew
        page.close()
    page = document[number]
    text: str = page.get_textpage().get_text_range()
    page.close()
    return text


def _hyphen(match: re.Match[str]) -> str:
    """Nothing where it parted a word, which goes on with a small letter: `non-EU` keeps its own."""
    return "" if match[1].islower() else "-"


def _parted(match: re.Match[str]) -> str:
    return "" if match[1].islower() else match[0]
