"""PDF through PDFium: the text of its pages, in their order."""

from pathlib import Path

from assistants_api.knowledge.parsed import invalid

_MOST_PAGES = 20_000
_PASSWORD = 4  # FPDF_ERR_PASSWORD in PDFium's fpdfview.h


def read(path: Path, max_text: int) -> str:
    """The text, pages parted by an empty line. Raises ParseFailed when it is locked, broken or only
    pictures."""
    import pypdfium2

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) == _PASSWORD:
            raise invalid("because it is protected by a password") from None
        raise invalid("because it is not a readable PDF") from None
    try:
        if len(document) > _MOST_PAGES:
            raise invalid("because it is too large")
        pages: list[str] = []
        length = 0
        for number in range(len(document)):
            page = document[number]
            text = page.get_textpage().get_text_range()
            page.close()
            # PDFium marks a hyphen at a line's end with these; the word goes on in the next line.
            pages.append(text.replace("\ufffe", "").replace("\x02", ""))
            length += len(text)
            if length > max_text:
                raise invalid("because it is too large")
    finally:
        document.close()
    if not any(page.strip() for page in pages):
        raise invalid("because it has no text; scanned pages are not read")
    return "\n\n".join(pages)
