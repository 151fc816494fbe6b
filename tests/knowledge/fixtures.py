"""Files of every format, written by the tests themselves."""

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

FREE, END, FAT = 0xFFFFFFFF, 0xFFFFFFFE, 0xFFFFFFFD
SECTOR = 512


def pdf(objects: list[bytes], trailer: bytes = b"") -> bytes:
    """A PDF of the given objects, numbered from 1; the first is the catalogue."""
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    end = b"trailer << /Size %d /Root 1 0 R %s >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        trailer,
        len(out),
    )
    return out + b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1) + table + end


def stream(content: bytes, entries: bytes = b"") -> bytes:
    return b"<< /Length %d %s >>\nstream\n%s\nendstream" % (len(content), entries, content)


def pdf_of(
    *pages: bytes, resources: bytes = b"", more: tuple[bytes, ...] = (), trailer: bytes = b""
) -> bytes:
    """A PDF of pages with these content streams; objects 3 and on are fonts and `more`."""
    latin = b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>"
    cmap = stream(
        b"/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <0000> <FFFF> endcodespacerange "
        b"4 beginbfchar <0001> <5BC6> <0002> <7801> <0003> <0072> <0004> <2010> endbfchar endcmap end"
    )
    cjk = (
        b"<< /Type /Font /Subtype /Type0 /BaseFont /Song /Encoding /Identity-H /ToUnicode 4 0 R /DescendantFonts "
        b"[<< /Type /Font /Subtype /CIDFontType2 /BaseFont /Song /CIDSystemInfo << /Registry (Adobe) /Ordering "
        b"(Identity) /Supplement 0 >> >>] >>"
    )
    fixed = [latin, cmap, cjk, *more]
    first = 3 + len(fixed)
    kids = b" ".join(b"%d 0 R" % (first + 2 * at) for at in range(len(pages)))
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [%s] /Count %d >>" % (kids, len(pages)),
        *fixed,
    ]
    for at, content in enumerate(pages):
        objects.append(
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents %d 0 R "
            b"/Resources << /Font << /F1 3 0 R /F2 5 0 R >> %s >> >>" % (first + 2 * at + 1, resources)
        )
        objects.append(stream(content))
    return pdf(objects, trailer)


def locked_pdf() -> bytes:
    """A PDF whose password is not the empty one: its hashes fit no password that a test would try."""
    lock = b"<< /Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s> >>" % (b"41" * 32, b"42" * 32)
    return pdf_of(b"BT ET", more=(lock,), trailer=b"/Encrypt 6 0 R /ID [<00112233> <00112233>]")


def form_pdf(value: bytes) -> bytes:
    """A page that says "Name:", with a form's field that holds a value."""
    field = (
        b"<< /Type /Annot /Subtype /Widget /FT /Tx /T (name) /V (%s) /Rect [100 690 300 710] /F 4 /P 3 0 R >>"
    )
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R /AcroForm << /Fields [6 0 R] /DA (/F1 12 Tf) /DR "
            b"<< /Font << /F1 5 0 R >> >> >> >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Annots [6 0 R] "
            b"/Resources << /Font << /F1 5 0 R >> >> >>",
            stream(b"BT /F1 12 Tf 50 700 Td (Name:) Tj ET"),
            b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
            field % value,
        ]
    )


def docx(picture: bytes = b"") -> bytes:
    import docx

    document = docx.Document()
    document.add_heading("Reset your password", 1)
    document.add_paragraph("Open the settings. 密码重置 👍")
    table = document.add_table(2, 2)
    for at, word in enumerate(("name", "value", "colour", "green")):
        table.cell(at // 2, at % 2).text = word
    document.add_paragraph("The end.")
    if picture:
        document.add_picture(io.BytesIO(picture))
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def docx_of(blocks: str, footnotes: str = "", endnotes: str = "") -> bytes:
    """A docx of these blocks in WordprocessingML, between two paragraphs of one word, with these notes."""
    import docx
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part
    from docx.oxml.ns import nsdecls
    from docx.oxml.parser import parse_xml

    document = docx.Document()
    document.add_paragraph("Before")
    last = document.add_paragraph("After")
    spaces = f'{nsdecls("w", "m")} xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
    for block in parse_xml(f"<w:body {spaces}>{blocks}</w:body>"):
        last._p.addprevious(block)
    for name, notes in (("footnotes", footnotes), ("endnotes", endnotes)):
        if notes:
            kind = f"application/vnd.openxmlformats-officedocument.wordprocessingml.{name}+xml"
            xml = f"<w:{name} {spaces}>{notes}</w:{name}>".encode()
            part = Part(PackURI(f"/word/{name}.xml"), kind, xml, document.part.package)
            document.part.relate_to(
                part, f"http://schemas.openxmlformats.org/officeDocument/2006/relationships/{name}"
            )
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def pptx(picture: bytes = b"") -> bytes:
    import pptx
    from pptx.util import Inches

    show = pptx.Presentation()
    for title in ("First slide", "第二页"):
        slide = show.slides.add_slide(show.slide_layouts[5])
        slide.shapes.title.text = title
    group = slide.shapes.add_group_shape()
    group.shapes.add_textbox(0, 0, Inches(1), Inches(1)).text_frame.text = "in a group"
    table = slide.shapes.add_table(1, 2, 0, 0, Inches(2), Inches(1)).table
    table.cell(0, 0).text, table.cell(0, 1).text = "left", "right"
    slide.notes_slide.notes_text_frame.text = "a note"
    if picture:
        slide.shapes.add_picture(io.BytesIO(picture), 0, 0)
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def pptx_of(shapes: str, diagram: str = "") -> bytes:
    """A pptx of one slide with these shapes in PresentationML; `rIdD` is a diagram's data with this text."""
    import pptx
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI
    from pptx.oxml import parse_xml
    from pptx.oxml.ns import nsdecls

    spaces = (
        f'{nsdecls("p", "a", "r")} xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math"'
        ' xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
        ' xmlns:a14="http://schemas.microsoft.com/office/drawing/2010/main"'
        ' xmlns:dgm="http://schemas.openxmlformats.org/drawingml/2006/diagram"'
    )
    show = pptx.Presentation()
    slide = show.slides.add_slide(show.slide_layouts[6])
    if diagram:
        xml = f"<dgm:dataModel {spaces}><dgm:ptLst>{diagram}</dgm:ptLst></dgm:dataModel>".encode()
        kind = "application/vnd.openxmlformats-officedocument.drawingml.diagramData+xml"
        part = Part(PackURI("/ppt/diagrams/data1.xml"), kind, show.part.package, xml)
        related = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/diagramData"
        shapes = shapes.replace("rIdD", slide.part.relate_to(part, related))
    for shape in parse_xml(f"<p:spTree {spaces}>{shapes}</p:spTree>"):
        slide.shapes._spTree.append(shape)
    out = io.BytesIO()
    show.save(out)
    return out.getvalue()


def ole(streams: dict[str, bytes]) -> bytes:
    """A compound file ([MS-CFB], version 3) with these streams, each padded past the small-stream limit."""
    fat: list[int] = [FAT]
    body: list[bytes] = []
    entries = []
    names = sorted(streams, key=lambda name: (len(name), name.upper()))
    for name in names:
        data = streams[name].ljust(4096, b"\0")
        count = -(-len(data) // SECTOR)
        first = len(fat)
        fat += [*range(first + 1, first + count), END]
        body.append(data.ljust(count * SECTOR, b"\0"))
        entries.append((name, 2, first, len(data)))
    folder = len(fat)
    directory = _entry("Root Entry", 5, END, 0, child=1)
    for number, entry in enumerate(entries, 1):
        directory += _entry(*entry, right=number + 1 if number < len(entries) else FREE)
    count = -(-len(directory) // SECTOR)
    fat += [*range(folder + 1, folder + count), END]
    assert len(fat) <= SECTOR // 4
    header = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(16) + struct.pack("<HHHHH6x", 0x3E, 3, 0xFFFE, 9, 6)
    header += struct.pack("<IIIIIIIIII", 0, 1, folder, 0, 4096, END, 0, END, 0, 0)[: 4 * 10]
    header = header.ljust(80, b"\xff")[:76] + struct.pack("<I", 0)
    table = struct.pack(f"<{len(fat)}I", *fat).ljust(SECTOR, b"\xff")
    return header.ljust(SECTOR, b"\xff") + table + b"".join(body) + directory.ljust(count * SECTOR, b"\0")


def _entry(name: str, kind: int, first: int, size: int, child: int = FREE, right: int = FREE) -> bytes:
    encoded = (name + "\0").encode("utf-16-le")
    return (
        encoded.ljust(64, b"\0")
        + struct.pack("<HBBIII", len(encoded), kind, 1, FREE, right, child)
        + bytes(36)
        + struct.pack("<IQ", first, size)
    )


def doc(*pieces: str, version: int = 0xC1, flags: int = 0x0200) -> bytes:
    """A Word 97 file of these pieces: a piece is narrow when Windows-1252 can say it, else UTF-16."""
    main = bytearray(0x600)
    places, wheres = [0], []
    for piece in pieces:
        try:
            data, mark = piece.encode("cp1252"), 0x40000000
            wheres.append((len(main) * 2) | mark)
            places.append(places[-1] + len(data))
        except UnicodeEncodeError:
            data = piece.encode("utf-16-le")
            wheres.append(len(main))
            places.append(places[-1] + len(data) // 2)
        main += data
        main += bytes(len(main) % 2)
    plc = struct.pack(f"<{len(places)}I", *places) + b"".join(struct.pack("<HIH", 0, w, 0) for w in wheres)
    clx = b"\x01" + struct.pack("<H", 2) + b"\0\0" + b"\x02" + struct.pack("<I", len(plc)) + plc
    struct.pack_into("<HH", main, 0, 0xA5EC, version)
    struct.pack_into("<H", main, 0x0A, flags)
    struct.pack_into("<II", main, 0x01A2, 16, len(clx))
    return ole({"WordDocument": bytes(main), "1Table": bytes(16) + clx})


def bitmap(side: int) -> bytes:
    """A white square as an uncompressed picture."""
    size = 3 * side * side
    header = struct.pack(
        "<IIIIiiHHIIiiII", 54 + size, 0, 54, 40, side, side, 1, 24, 0, size, 2835, 2835, 0, 0
    )
    return b"BM" + header + b"\xff" * size


def repacked(data: bytes, name: str, change: Callable[[bytes], bytes], new_name: str = "") -> bytes:
    """The package with one part changed, deflated, and perhaps renamed; the others are stored."""
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.namelist():
            if part == name:
                new.writestr(new_name or name, change(old.read(part)), zipfile.ZIP_DEFLATED)
            else:
                new.writestr(part, old.read(part))
    return out.getvalue()


def zip_bomb() -> bytes:
    """A docx whose document is 64 MiB of spaces."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("word/document.xml", b" " * (64 << 20))
    return out.getvalue()


def endless_pdf() -> bytes:
    """A page that draws a form eight times, which draws the next eight times, and so on for ten levels."""
    levels = [
        stream(
            b"/X Do " * 8,
            b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /XObject << /X %d 0 R >> >>"
            % (7 + at),
        )
        for at in range(10)
    ]
    last = stream(
        b"BT /F1 9 Tf (again) Tj ET",
        b"/Type /XObject /Subtype /Form /BBox [0 0 9 9] /Resources << /Font << /F1 3 0 R >> >>",
    )
    return pdf_of(b"/X Do", resources=b"/XObject << /X 6 0 R >>", more=(*levels, last))


TEXT_PDF = pdf_of(
    b"BT /F1 12 Tf 50 700 Td (Reset your password) Tj ET",
    b"BT /F1 12 Tf 50 700 Td (Second page) Tj ET BT /F2 12 Tf 50 600 Td <00010002> Tj ET",
)
HTML = (
    "<html><head><title>Help</title><style>p{}</style></head><body><p>Reset <b>pass</b>word</p>"
    "<script>evil()</script><table><tr><td>a</td><td>b</td></tr></table><p>&lt;密码&gt;</p></body></html>"
).encode()
DOC = doc("Reset your pass", "密码\r", 'see \x13 HYPERLINK "x" \x14the page\x15 caf\xe9\r', "cell\x07")


def write(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path
