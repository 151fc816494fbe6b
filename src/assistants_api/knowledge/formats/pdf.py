"""PDF documents, through PDFium."""

from pathlib import Path

from assistants_api.knowledge.reading import ParseFailed


def read(path: Path) -> str:
    """The text of all pages; a scanned document has none, which is an error."""
    import pypdfium2
    import pypdfium2.raw

    try:
        document = pypdfium2.PdfDocument(path)
    except pypdfium2.PdfiumError as error:
        if "password" in str(error).lower():
            raise ParseFailed(
                "invalid_file", "The file could not be parsed because it is encrypted."
            ) from error
        raise ParseFailed("invalid_file", "The file could not be parsed.") from error
    try:
        pages = []
        for number in range(len(document)):
            try:
                page = document[number]
                pages.append(page.get_textpage().get_text_bounded())
                page.close()
            except pypdfium2.PdfiumError:
                continue  # one broken page is no reason to lose the others
        count = len(document)
    finally:
        document.close()
    text = "\n\n".join(page for page in pages if page.strip())
    if not text:
        reason = "it has no pages" if not count else "it holds no text; scanned pages need OCR first"
        raise ParseFailed("invalid_file", f"The file could not be parsed: {reason}.")
    return text
