"""Parsing in this process: every format, every way to fail, and mutated files."""

import codecs
import io
import json
import random
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from assistants_api.knowledge.formats import package
from assistants_api.knowledge.parsed import Parsed, ParseFailed
from assistants_api.knowledge.parsing import EXTENSIONS, parse
from tests.knowledge import fixtures
from tests.knowledge.fixtures import write

PLAIN = sorted(EXTENSIONS - {"doc", "docx", "html", "pdf", "pptx"})


def failure(folder: Path, name: str, data: bytes, **limits: int) -> ParseFailed:
    with pytest.raises(ParseFailed) as caught:
        parse(write(folder, "upload", data), name, **limits)
    return caught.value


def test_there_are_21_extensions() -> None:
    assert len(EXTENSIONS) == 21


@pytest.mark.parametrize("extension", PLAIN)
def test_plain_text_is_kept_as_it_is(tmp_path: Path, extension: str) -> None:
    text = "  Grüße, 密码 👍 e\u0301\n\tend \n"
    path = write(tmp_path, "upload", text.replace("\n", "\r\n").encode())
    assert parse(path, f"A File.{extension.upper()}") == Parsed(text)


def test_lines_end_in_a_newline_alone(tmp_path: Path) -> None:
    path = write(tmp_path, "a", b"one\rtwo\r\nthree\n\rfour")
    assert parse(path, "a.txt").text == "one\ntwo\nthree\n\nfour"


@pytest.mark.parametrize(
    "data",
    [
        codecs.BOM_UTF8 + "Grüße 密码 👍".encode(),
        codecs.BOM_UTF16_LE + "Grüße 密码 👍".encode("utf-16-le"),
        codecs.BOM_UTF16_BE + "Grüße 密码 👍".encode("utf-16-be"),
        codecs.BOM_UTF32_LE + "Grüße 密码 👍".encode("utf-32-le"),
    ],
)
def test_marks_tell_the_encoding(tmp_path: Path, data: bytes) -> None:
    assert parse(write(tmp_path, "a", data), "a.txt").text == "Grüße 密码 👍"


CHINESE = "密码重置的方法如下：请打开设置页面，然后点击重置按钮。如果没有收到邮件，请联系管理员。"
TAIWANESE = "密碼重置的方法如下：請打開設定頁面，然後點擊重置按鈕。如果沒有收到郵件，請聯絡管理員。"
JAPANESE = "パスワードを再設定するには、設定ページを開いてボタンを押してください。"
KOREAN = "비밀번호를 재설정하려면 설정 페이지를 열고 버튼을 누르십시오."
RUSSIAN = "Чтобы сменить пароль, откройте страницу настроек и нажмите кнопку."
POLISH = "Zażółć gęślą jaźń. Pracownicy mają prawo do urlopu. Aby zmienić hasło, naciśnij przycisk."
CZECH = "Příliš žluťoučký kůň úpěl ďábelské ódy. Zaměstnanci mají nárok na dvacet pět dní dovolené."
GREEK = "Οι εργαζόμενοι δικαιούνται είκοσι ημέρες άδεια κάθε χρόνο."
TURKISH = "Çalışanlar her yıl yirmi gün izin hakkına sahiptir. Şifrenizi değiştirmek için sayfayı açın."


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("gbk", CHINESE),
        ("gb18030", CHINESE * 5),
        ("big5", TAIWANESE),
        ("shift_jis", JAPANESE),
        ("euc_jp", JAPANESE),
        ("euc_kr", KOREAN),
        ("cp1251", RUSSIAN),
        ("cp1251", "Договор аренды квартиры"),
        ("cp1251", "Сотрудники получают отпуск"),
        ("koi8_r", RUSSIAN),
        ("cp1250", POLISH),
        ("iso8859_2", POLISH),
        ("cp1250", CZECH),
        ("cp1253", GREEK),
        ("cp1254", TURKISH),
        ("cp1252", "El niño come piñas en España."),
        ("cp1252", "déjà vu … où êtes-vous €"),
        ("cp1252", "São Paulo"),
        ("cp1252", "naïve façade"),
        ("cp1252", "café"),
        ("cp1252", "MÜNCHEN"),
        ("cp1252", "La città è più bella: “perché no?” — 20 m² à £5"),
        ("cp1252", "Plain English text. " * 50 + "Only one café here and naïve."),
        ("cp1252", "Plain English text. " * 50_000 + "Only one café, and it’s naïve."),
        ("cp1252", "Ångström, São Paulo, El Niño and Gauß met in a café."),
        ("mac_roman", "Les employés ont droit à vingt-cinq jours de congés payés par année."),
    ],
)
def test_other_encodings_are_guessed(tmp_path: Path, encoding: str, text: str) -> None:
    assert parse(write(tmp_path, "a", text.encode(encoding)), "a.txt").text == text


@pytest.mark.parametrize("name", ["a.css", "a.html"])
def test_one_long_line_does_not_take_long(tmp_path: Path, name: str) -> None:
    filler = {"a.css": "url(data:QUJD" + "QUJD" * 500_000, "a.html": "x" + " " * 2_000_000}[name]
    text = parse(write(tmp_path, "a", f"café {filler})".encode("cp1252")), name).text
    assert text == f"café {filler})"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("Größe: the room is 20 m² large ".encode() + b"\xff ok", "Größe: the room is 20 m² large \ufffd ok"),
        ("Die Prüfung für Schüler".encode() + b"\xe4", "Die Prüfung für Schüler\ufffd"),
        (("Größe " * 20).encode() + b"\xff", "Größe " * 20 + "\ufffd"),
        ("Good ünïcödé".encode() + b"\xf0 end", "Good ünïcödé\ufffd end"),
        ("密码重置".encode()[:-1], "密码重\ufffd"),
        ((CHINESE * 500).encode()[:-2], CHINESE * 499 + CHINESE[:-1] + "\ufffd"),
        ("密码重置".encode()[1:] + "密码重置".encode(), "\ufffd\ufffd码重置密码重置"),
    ],
)
def test_damaged_utf8_loses_what_is_damaged_alone(tmp_path: Path, data: bytes, text: str) -> None:
    assert parse(write(tmp_path, "a", data), "a.txt").text == text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (codecs.BOM_UTF8 + b"Plain text \xff here", "Plain text \ufffd here"),
        (codecs.BOM_UTF8 + ("Größe " * 200).encode() + b"\xe4", "Größe " * 200 + "\ufffd"),
        (codecs.BOM_UTF16_LE + b"a\0\x3d\xd8b\0", "a\ufffdb"),
        (codecs.BOM_UTF16_BE + b"\0a\xdc\x4d\0b", "a\ufffdb"),
        (codecs.BOM_UTF16_LE + b"a\0b\0c", "ab\ufffd"),
        (codecs.BOM_UTF32_LE + b"a\0\0\0\xff\xff\xff\xffb\0\0\0", "a\ufffdb"),
    ],
)
def test_damaged_text_with_a_mark_loses_what_is_damaged_alone(tmp_path: Path, data: bytes, text: str) -> None:
    assert parse(write(tmp_path, "a", data), "a.txt").text == text


@pytest.mark.parametrize(
    "mark", [codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE]
)
def test_a_mark_does_not_make_text_of_binary_data(tmp_path: Path, mark: bytes) -> None:
    data = mark + random.Random(1).randbytes(4_000)
    assert "encoding is not known" in failure(tmp_path, "a.txt", data).message


def test_a_character_cut_at_the_end_does_not_change_the_guess(tmp_path: Path) -> None:
    data = CHINESE.encode("gbk")[:-1]
    assert parse(write(tmp_path, "a", data), "a.txt").text == CHINESE[:-1] + "\ufffd"


@pytest.mark.parametrize(
    ("encoding", "text"), [("iso2022_jp", JAPANESE), ("iso2022_jp_2", JAPANESE), ("iso2022_kr", KOREAN)]
)
def test_encodings_that_are_written_in_ascii_are_told_by_their_escapes(
    tmp_path: Path, encoding: str, text: str
) -> None:
    written = f"Subject: 1\n\n{text}\n"
    assert parse(write(tmp_path, "a", written.encode(encoding)), "a.txt").text == written


def test_other_escapes_are_no_encoding(tmp_path: Path) -> None:
    text = "\x1b[31mfailed\x1b[0m: 2 \x1b$ of \x1b(3"
    assert parse(write(tmp_path, "a", text.encode()), "a.txt").text == text


@pytest.mark.parametrize("data", ["年假".encode("gbk"), "отпуск".encode("cp1251"), bytes(range(128, 256))])
def test_what_may_be_several_encodings_fails(tmp_path: Path, data: bytes) -> None:
    caught = failure(tmp_path, "a.txt", data)
    assert (caught.code, "encoding is not known" in caught.message) == ("invalid_file", True)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (json.dumps({"深": "中文值 👍 café", "n": 1}, indent=1), '{\n "深": "中文值 👍 café",\n "n": 1\n}'),
        (r'{"a": "\u4e2d\u6587 \\u4e2d \n \u0022 \u003c"}', r'{"a": "中文 \\u4e2d \n \u0022 \u003c"}'),
        (r'["\ud83d \uD83D\uDC4D \u12"]', '["\ufffd 👍 \\u12"]'),
    ],
)
def test_characters_that_json_escapes_are_read(tmp_path: Path, written: str, read: str) -> None:
    assert parse(write(tmp_path, "a", written.encode()), "a.json").text == read
    assert parse(write(tmp_path, "a", written.encode()), "a.py").text == written


def test_html_is_what_a_reader_sees(tmp_path: Path) -> None:
    text = parse(write(tmp_path, "a", fixtures.HTML), "a.html").text
    assert text.split() == ["Help", "Reset", "password", "a", "b", "<密码>"]


@pytest.mark.parametrize(
    ("page", "lines"),
    [
        ("<details><summary>How do I pay?</summary>By card.</details>", ["How do I pay?", "By card."]),
        ("<select><optgroup label=x><option>red<option>blue</select>end", ["red", "blue", "end"]),
        ("<fieldset><legend>You</legend>your name</fieldset>end", ["You", "your name", "end"]),
        ("<address>12 Road</address><center>Town</center>end", ["12 Road", "Town", "end"]),
        ("<button>Go</button><button>Stop</button><textarea>why</textarea>", ["Go", "Stop", "why"]),
        ("<dialog open>Hello</dialog><menu><li>cut<li>paste</menu>", ["Hello", "cut", "paste"]),
        ("<svg><title>Plan</title><text>east</text><text>west</text></svg>", ["Plan", "east", "west"]),
        ("wi<wbr>thin <b>a</b><i>bove</i>", ["within above"]),
    ],
)
def test_words_of_two_parts_of_a_page_do_not_become_one(tmp_path: Path, page: str, lines: list[str]) -> None:
    text = parse(write(tmp_path, "a", page.encode()), "a.html").text
    assert [line for line in text.split("\n") if line] == lines


def test_preformatted_text_keeps_its_indentation(tmp_path: Path) -> None:
    page = "<p>  see\n   below:</p><pre><b>def</b> f():\n    <i>if</i> x:\n\treturn  1\n\n</pre>  <p>end"
    text = parse(write(tmp_path, "a", page.encode()), "a.html").text
    assert text == "see\nbelow:\n\ndef f():\n    if x:\n\treturn  1\n\nend"


@pytest.mark.parametrize(
    ("named", "encoding"), [("gb2312", "gbk"), ("iso-8859-1", "cp1252"), ("windows-1251", "cp1251")]
)
def test_html_is_read_in_the_encoding_that_it_names(tmp_path: Path, named: str, encoding: str) -> None:
    word = {"gbk": "年假", "cp1252": "à €", "cp1251": "отпуск"}[encoding]
    page = f"<meta charset='{named}'><p>{word}</p>".encode(encoding)
    assert parse(write(tmp_path, "a", page), "a.html").text == word


@pytest.mark.parametrize("named", ["no-such", "utf-8", "base64", "utf-16"])
def test_a_name_that_html_does_not_keep_to_is_no_help(tmp_path: Path, named: str) -> None:
    page = f"<meta charset={named}><p>café</p>".encode("cp1252")
    assert parse(write(tmp_path, "a", page), "a.html").text == "café"


def test_pdf(tmp_path: Path) -> None:
    text = parse(write(tmp_path, "a", fixtures.TEXT_PDF), "a.pdf").text
    assert text.split() == ["Reset", "your", "password", "Second", "page", "密码"]


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [
        (b"infor-", b"mation", "information"),
        (b"COVID-", b"19", "COVID-19"),
        (b"English-", b"French", "English-French"),
        (b"non-", b"EU", "non-EU"),
        (b"2019-", b"2020", "2019-\n2020"),
    ],
)
def test_a_hyphen_at_a_lines_end_goes_where_it_may_have_parted_a_word(
    tmp_path: Path, first: bytes, second: bytes, text: str
) -> None:
    page = b"BT /F1 12 Tf 50 700 Td (It is %s) Tj 0 -14 Td (%s here) Tj ET" % (first, second)
    path = write(tmp_path, "a", fixtures.pdf_of(page))
    assert parse(path, "a.pdf").text == f"It is {text} here"


@pytest.mark.parametrize(
    ("first", "second", "text"),
    [(b"info", b"mation", "information"), (b"Weste", b"European", "Wester\u2010\nEuropean")],
)
def test_so_does_the_hyphen_that_is_nothing_else(
    tmp_path: Path, first: bytes, second: bytes, text: str
) -> None:
    begun = b"BT /F1 12 Tf 50 700 Td (It is %s) Tj /F2 12 Tf <00030004> Tj" % first
    page = begun + b" /F1 12 Tf 0 -14 Td (%s here) Tj ET" % second
    path = write(tmp_path, "a", fixtures.pdf_of(page))
    assert parse(path, "a.pdf").text == f"It is {text} here"


def test_what_a_pdfs_form_was_filled_with_is_read(tmp_path: Path) -> None:
    text = parse(write(tmp_path, "a", fixtures.form_pdf(b"Ada Lovelace")), "a.pdf").text
    assert text.split() == ["Name:", "Ada", "Lovelace"]


def test_a_damaged_page_of_a_pdf_costs_no_other(tmp_path: Path) -> None:
    # The same number of bytes, so that no place in the file changes.
    data = fixtures.TEXT_PDF.replace(b"/Kids [6 0 R", b"/Kids [1 0 R")
    assert data != fixtures.TEXT_PDF
    assert parse(write(tmp_path, "a", data), "a.pdf").text.split() == ["Second", "page", "密码"]


def test_docx(tmp_path: Path) -> None:
    text = parse(write(tmp_path, "a", fixtures.docx()), "a.docx").text
    assert text == "Reset your password\nOpen the settings. 密码重置 👍\nname\tvalue\ncolour\tgreen\nThe end."


def paragraph(inside: str) -> str:
    return f"<w:p><w:pPr><w:tabs><w:tab w:val='left'/></w:tabs></w:pPr>{inside}</w:p>"


def run(text: str) -> str:
    return f"<w:r><w:rPr><w:b/></w:rPr><w:t xml:space='preserve'>{text}</w:t></w:r>"


def control(inside: str) -> str:
    return f"<w:sdt><w:sdtPr><w:text/></w:sdtPr><w:sdtContent>{inside}</w:sdtContent></w:sdt>"


def cell(text: str, properties: str = "") -> str:
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{paragraph(run(text))}</w:tc>"


def table(*rows: str) -> str:
    return f"<w:tbl><w:tblPr/><w:tblGrid><w:gridCol/><w:gridCol/></w:tblGrid>{''.join(rows)}</w:tbl>"


def row(*cells: str) -> str:
    return f"<w:tr>{''.join(cells)}</w:tr>"


WIDE, TALL, GOES_ON = "<w:gridSpan w:val='2'/>", "<w:vMerge w:val='restart'/>", "<w:vMerge/>"
BOX = f"<w:txbxContent>{paragraph(run('in a'))}{table(row(cell('box'), cell('too')))}</w:txbxContent>"


@pytest.mark.parametrize(
    ("blocks", "text"),
    [
        (control(paragraph(run("a control"))), "a control"),
        (paragraph(run("by ") + control(run("Ada"))), "by Ada"),
        (control(table(row(cell("a"), control(cell("b"))), control(row(cell("c"))))), "a\tb\nc"),
        (paragraph(run("in ") + f"<w:ins>{run('ninety')}</w:ins>" + run(" days")), "in ninety days"),
        (paragraph("<w:del><w:r><w:delText>ten</w:delText></w:r></w:del>" + run("kept")), "kept"),
        (
            paragraph(f"<w:moveFrom>{run('moved')}</w:moveFrom>")
            + paragraph(f"<w:moveTo>{run('moved')}</w:moveTo>"),
            "\nmoved",
        ),
        (paragraph(f"<w:hyperlink>{run('a link')}</w:hyperlink>"), "a link"),
        (paragraph(f"<w:fldSimple w:instr='PAGE'>{run('7')}</w:fldSimple>"), "7"),
        (paragraph("<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t></w:r>"), "a\tb\nc"),
        (paragraph("<w:r><w:t>a</w:t><w:noBreakHyphen/><w:t>b</w:t><w:br w:type='page'/></w:r>"), "a-b"),
        (
            paragraph(f"<w:r><w:t>ar</w:t><w:pict>{BOX}</w:pict><w:t>ound</w:t></w:r>"),
            "around\nin a\nbox\ttoo",
        ),
        (
            paragraph(
                f"<w:r><mc:AlternateContent><mc:Choice Requires='wps'>{BOX}</mc:Choice>"
                f"<mc:Fallback>{BOX}</mc:Fallback></mc:AlternateContent></w:r>"
            ),
            "\nin a\nbox\ttoo",
        ),
        (
            paragraph(
                f"<w:r><w:ruby><w:rt>{run('とう')}</w:rt><w:rubyBase>{run('東')}</w:rubyBase></w:ruby></w:r>"
                + run("京")
            ),
            "東京",
        ),
    ],
)
def test_all_that_word_shows_in_the_body_is_read(tmp_path: Path, blocks: str, text: str) -> None:
    path = write(tmp_path, "a", fixtures.docx_of(blocks))
    assert parse(path, "a.docx").text == f"Before\n{text}\nAfter"


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([row(cell("a", TALL), cell("b")), row(cell("c", GOES_ON), cell("d"))], "a\tb\n\td"),
        ([row(cell("a", WIDE)), row(cell("b"), cell("c"))], "a\nb\tc"),
        ([row(cell("a", GOES_ON), cell("b"))], "\tb"),
        ([row(cell("a", WIDE)), row(cell("b"), cell("c", GOES_ON))], "a\nb\t"),
        (
            [row(f"<w:tc>{table(row(cell('in'), cell('ner')))}{paragraph('')}</w:tc>", cell("b"))],
            "in\tner\n\tb",
        ),
    ],
)
def test_merged_cells_are_read_where_they_begin(tmp_path: Path, rows: list[str], text: str) -> None:
    path = write(tmp_path, "a", fixtures.docx_of(table(*rows)))
    assert parse(path, "a.docx").text == f"Before\n{text}\nAfter"


def level(depth: int, form: str, text: str, more: str = "") -> str:
    return (
        f"<w:lvl w:ilvl='{depth}'><w:start w:val='1'/><w:numFmt w:val='{form}'/>{more}"
        f"<w:lvlText w:val='{text}'/></w:lvl>"
    )


def counted(text: str, list_id: int, depth: int = 0) -> str:
    place = f"<w:numPr><w:ilvl w:val='{depth}'/><w:numId w:val='{list_id}'/></w:numPr>"
    return f"<w:p><w:pPr>{place}</w:pPr>{run(text)}</w:p>"


LEGAL = level(0, "decimal", "%1.") + level(1, "decimal", "%1.%2") + level(2, "lowerLetter", "(%3)")
AGAIN = "<w:lvlOverride w:ilvl='0'><w:startOverride w:val='1'/></w:lvlOverride>"


@pytest.mark.parametrize(
    ("levels", "blocks", "lines"),
    [
        (
            LEGAL,
            counted("Terms", 1)
            + counted("Price", 1, 1)
            + paragraph(run("as agreed"))
            + counted("Term", 1, 1)
            + counted("in Oslo", 1, 2)
            + counted("Law", 1)
            + counted("Norway's", 1, 1),
            ["1. Terms", "1.1 Price", "as agreed", "1.2 Term", "(a) in Oslo", "2. Law", "2.1 Norway's"],
        ),
        (
            LEGAL,
            counted("a", 1) + counted("b", 3) + counted("c", 2) + counted("d", 2),
            ["1. a", "2. b", "1. c", "2. d"],
        ),
        (
            LEGAL,
            counted("none", 0) + counted("no such", 9) + counted("too deep", 1, 5),
            ["none", "no such", "too deep"],
        ),
        (level(0, "bullet", "\uf0b7"), counted("a", 1), ["a"]),
        (
            level(0, "upperRoman", "Article %1"),
            counted("a", 1) * 4,
            ["Article I a", "Article II a", "Article III a", "Article IV a"],
        ),
        (
            level(0, "chineseCounting", "第%1条", "<w:suff w:val='nothing'/>"),
            counted("年假", 1) * 2,
            ["第一条年假", "第二条年假"],
        ),
        (
            level(0, "upperRoman", "%1") + level(1, "decimal", "%1.%2", "<w:isLgl/>"),
            counted("a", 1) + counted("b", 1, 1),
            ["I a", "1.1 b"],
        ),
        (
            level(0, "decimal", "%1", "<w:pStyle w:val='Heading1'/>"),
            "<w:p><w:pPr><w:pStyle w:val='Heading1'/><w:numPr><w:numId w:val='1'/></w:numPr></w:pPr></w:p>",
            ["1 "],
        ),
    ],
)
def test_numbers_that_word_counts_stand_before_their_paragraphs(
    tmp_path: Path, levels: str, blocks: str, lines: list[str]
) -> None:
    lists = "".join(
        f"<w:num w:numId='{id}'><w:abstractNumId w:val='7'/>{more}</w:num>"
        for id, more in ((1, ""), (2, AGAIN), (3, ""))
    )
    numbering = (
        "<w:numbering xmlns:w='http://schemas.openxmlformats.org/wordprocessingml/2006/main'>"
        f"<w:abstractNum w:abstractNumId='7'>{levels}</w:abstractNum>{lists}</w:numbering>"
    )
    data = fixtures.repacked(fixtures.docx_of(blocks), "word/numbering.xml", lambda part: numbering.encode())
    assert parse(write(tmp_path, "a", data), "a.docx").text.split("\n") == ["Before", *lines, "After"]


def test_a_style_numbers_the_paragraphs_that_have_it(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.styles.add_style("Mine", 1).base_style = document.styles["List Number"]
    for style in ("List Number", "Normal", "Mine", "List Bullet"):
        document.add_paragraph(style, style)
    path = tmp_path / "a"
    document.save(str(path))
    assert parse(path, "a.docx").text.split("\n") == ["1. List Number", "Normal", "2. Mine", "List Bullet"]


def note(kind: str, id: int, text: str) -> str:
    return f"<w:{kind} w:id='{id}'>{paragraph(f'<w:r><w:{kind}Ref/></w:r>' + run(text))}</w:{kind}>"


def refers(kind: str, id: int) -> str:
    return f"<w:r><w:{kind}Reference w:id='{id}'/></w:r>"


def test_notes_of_word_follow_the_paragraph_that_refers_to_them(tmp_path: Path) -> None:
    blocks = (
        paragraph(run("Two years") + refers("footnote", 2) + run(" on all") + refers("endnote", 2))
        + paragraph(f"<w:del>{refers('footnote', 3)}</w:del>" + run("Parts") + refers("footnote", 3))
        + table(row(cell("a"), f"<w:tc>{paragraph(run('b') + refers('footnote', 4))}</w:tc>"))
    )
    footnotes = (
        "<w:footnote w:type='separator' w:id='-1'><w:p><w:r><w:separator/></w:r></w:p></w:footnote>"
        + note("footnote", 2, "Not on batteries.")
        + note("footnote", 3, "Except toner.")
        + note("footnote", 4, "In a table.")
        + note("footnote", 5, "Of nothing.")
    )
    data = fixtures.docx_of(blocks, footnotes, note("endnote", 2, "Since 2020."))

    text = parse(write(tmp_path, "a", data), "a.docx").text

    assert text.split("\n") == [
        "Before",
        *("Two years on all", "Not on batteries.", "Since 2020."),
        *("Parts", "Except toner."),
        *("a\tb", "In a table."),
        "After",
    ]


def test_each_header_and_footer_of_word_is_read_once(tmp_path: Path) -> None:
    import docx

    document = docx.Document()
    document.add_paragraph("Body")
    for section in (document.sections[0], document.add_section(), document.add_section()):
        section.header.is_linked_to_previous = section.footer.is_linked_to_previous = False
        section.header.paragraphs[0].text = "Contract 4711"
    document.sections[2].footer.paragraphs[0].text = "Confidential"
    path = tmp_path / "a"
    document.save(str(path))

    lines = parse(path, "a.docx").text.split("\n")

    assert [line for line in lines if line] == ["Body", "Contract 4711", "Confidential"]


def math(tag: str, *inside: str) -> str:
    return f"<m:{tag}>{''.join(inside)}</m:{tag}>"


def said(text: str) -> str:
    return math("r", math("t", text))


@pytest.mark.parametrize(
    ("inside", "text"),
    [
        (said("E=m") + math("sSup", math("e", said("c")), math("sup", said("2"))), "E=mc^2"),
        (math("f", math("num", said("a+b")), math("den", said("2"))), "(a+b)/2"),
        (math("sSub", math("e", said("x")), math("sub", said("i+1"))), "x_(i+1)"),
        (math("d", math("e", said("a+b"))), "(a+b)"),
        (math("d", "<m:dPr><m:begChr m:val='['/><m:endChr m:val=''/></m:dPr>", math("e", said("x"))), "[x"),
        (math("rad", math("deg"), math("e", said("x+1"))), "√(x+1)"),
        (math("rad", math("deg", said("3")), math("e", said("x"))), "3√x"),
        (
            math(
                "nary",
                "<m:naryPr><m:chr m:val='∑'/></m:naryPr>",
                *(math("sub", said("i=1")), math("sup", said("n")), math("e", said("i"))),
            ),
            "∑_(i=1)^ni",
        ),
        (math("func", math("fName", said("sin")), math("e", said("x"))), "sin x"),
        (math("m", math("mr", math("e", said("a")), math("e", said("b")))), "a\tb\n"),
    ],
)
def test_formulas_of_word_are_read_as_a_line(tmp_path: Path, inside: str, text: str) -> None:
    block = paragraph(run("As ") + math("oMathPara", math("oMath", inside)) + run("!"))
    path = write(tmp_path, "a", fixtures.docx_of(block))
    assert parse(path, "a.docx").text == f"Before\nAs {text}!\nAfter"


def test_a_cell_may_be_merged_over_many_rows(tmp_path: Path) -> None:
    rows = [row(cell("tall", GOES_ON if at else TALL), cell(f"row {at}")) for at in range(1_200)]
    text = parse(write(tmp_path, "a", fixtures.docx_of(table(*rows))), "a.docx").text
    assert text.splitlines()[-2:] == ["\trow 1199", "After"]


def test_pptx(tmp_path: Path) -> None:
    text = parse(write(tmp_path, "a", fixtures.pptx()), "a.pptx").text
    assert text == "First slide\n\n第二页\nin a group\nleft\tright\na note"


def box(inside: str) -> str:
    return f"<p:sp><p:txBody><a:bodyPr/><a:p>{inside}</a:p></p:txBody></p:sp>"


def words(text: str) -> str:
    return f"<a:r><a:rPr/><a:t>{text}</a:t></a:r>"


TWO_WAYS = (
    "<mc:AlternateContent><mc:Choice Requires='a14'>{0}</mc:Choice>"
    "<mc:Fallback>{1}</mc:Fallback></mc:AlternateContent>"
)
ENERGY = math(
    "oMathPara", math("oMath", said("E=m") + math("sSup", math("e", said("c")), math("sup", said("2"))))
)


@pytest.mark.parametrize(
    ("shapes", "text"),
    [
        (TWO_WAYS.format(box(words("As ") + f"<a14:m>{ENERGY}</a14:m>"), box(words(" "))), "As E=mc^2"),
        (box(words("a") + "<a:br/>" + words("b") + f"<a:fld type='slidenum'>{words('7')}</a:fld>"), "a\nb7"),
        (
            f"<p:grpSp><p:grpSpPr/>{box(words('in'))}<p:grpSp>{box(words('ner'))}</p:grpSp></p:grpSp>",
            "in\nner",
        ),
        (
            "<p:graphicFrame><a:graphic><a:graphicData><dgm:relIds r:dm='rIdD'/></a:graphicData></a:graphic>"
            "</p:graphicFrame>",
            "Plan\nDo",
        ),
    ],
)
def test_all_that_powerpoint_shows_of_text_is_read(tmp_path: Path, shapes: str, text: str) -> None:
    steps = "".join(f"<dgm:pt><dgm:t><a:p>{words(step)}</a:p></dgm:t></dgm:pt>" for step in ("Plan", "Do"))
    path = write(tmp_path, "a", fixtures.pptx_of(shapes, steps if "rIdD" in shapes else ""))
    assert parse(path, "a.pptx").text == text


def test_doc(tmp_path: Path) -> None:
    text = parse(write(tmp_path, "a", fixtures.DOC), "a.doc").text
    assert text == "Reset your pass密码\nsee the page café\ncell\t"


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("a.txt", b"", "empty"),
        ("a.txt", b" \r\n\t", "no text"),
        ("a.html", b"<script>x</script>", "no text"),
        ("a.txt", b"text\0more", "binary"),
        ("a.txt", bytes(range(1, 32)) * 9, "binary"),
        ("a.txt", fixtures.TEXT_PDF, "do not match"),
        ("a.py", fixtures.docx(), "do not match"),
        ("a.pdf", b"just text", "do not match"),
        ("a.docx", b"just text", "do not match"),
        ("a.docx", fixtures.pptx(), "do not match"),
        ("a.docx", fixtures.DOC, "password"),
        ("a.doc", b"{\\rtf1 text}", "do not match"),
        ("a.doc", fixtures.ole({"Workbook": b"x"}), "do not match"),
        ("a.doc", fixtures.doc("old", version=0x65), "older than Word 97"),
        ("a.doc", fixtures.doc("locked", flags=0x0300), "password"),
        ("a.pdf", fixtures.locked_pdf(), "password"),
        ("a.pdf", fixtures.pdf_of(b"0 0 9 9 re f"), "scanned"),
        ("a.pdf", b"%PDF-1.4\nnothing", "not a readable PDF"),
        ("a.pdf", fixtures.pdf_of(b"BT ET").replace(b"/Kids [6 0 R", b"/Kids [1 0 R"), "not a readable PDF"),
        ("a.docx", fixtures.zip_bomb(), "too large"),
    ],
)
def test_what_has_no_text_fails_with_its_reason(tmp_path: Path, name: str, data: bytes, reason: str) -> None:
    caught = failure(tmp_path, name, data)
    assert caught.code == "invalid_file"
    assert caught.message.startswith("The file could not be parsed")
    assert reason in caught.message


@pytest.mark.parametrize("name", ["a.csv", "noextension", "a.", ".txt", "a.txt.exe"])
def test_other_extensions_are_not_supported(tmp_path: Path, name: str) -> None:
    caught = failure(tmp_path, name, b"text")
    assert (caught.code, caught.message) == ("unsupported_file", "The file type is not supported.")


@pytest.mark.parametrize(
    ("name", "data"), [("a.txt", b"x" * 50), ("a.pdf", fixtures.TEXT_PDF), ("a.doc", fixtures.DOC)]
)
def test_too_much_text_is_too_large(tmp_path: Path, name: str, data: bytes) -> None:
    assert (
        failure(tmp_path, name, data, max_text=8).message
        == "The file could not be parsed because it is too large."
    )


@pytest.mark.parametrize(("name", "make"), [("a.docx", fixtures.docx), ("a.pptx", fixtures.pptx)])
def test_a_plain_picture_is_no_zip_bomb(tmp_path: Path, name: str, make: Callable[[bytes], bytes]) -> None:
    path = write(tmp_path, "a", make(fixtures.bitmap(1_200)))
    assert parse(path, name).text.rstrip() == parse(write(tmp_path, "b", make(b"")), name).text


@pytest.mark.parametrize(("name", "make"), [("a.docx", fixtures.docx), ("a.pptx", fixtures.pptx)])
def test_pictures_are_never_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, make: Callable[[bytes], bytes]
) -> None:
    stored = fixtures.repacked(make(fixtures.bitmap(1_200)), "[Content_Types].xml", bytes)
    broken = stored.replace(
        b"\xff" * 99, b"\xfe" * 99
    )  # unpacking it would raise, for its checksum is another
    monkeypatch.setattr(package, "_MOST_UNPACKED", 2 << 20)
    assert parse(write(tmp_path, "a", broken), name).text


def padded(part: bytes) -> bytes:
    """The part with a comment of 64 MiB before its last tag."""
    at = part.rindex(b"</")
    return part[:at] + b"<!--" + b" " * (64 << 20) + b"-->" + part[at:]


@pytest.mark.parametrize("part", ["word/document.xml", "word/styles.xml", "word/_rels/document.xml.rels"])
def test_a_zip_bomb_in_any_part_that_is_read_is_too_large(tmp_path: Path, part: str) -> None:
    data = fixtures.repacked(fixtures.docx(), part, padded)
    assert "too large" in failure(tmp_path, "a.docx", data).message


def test_a_large_table_of_equal_rows_is_no_zip_bomb(tmp_path: Path) -> None:
    rows = table(*[row(*[cell("0.00")] * 8)] * 4_000).encode()
    data = fixtures.repacked(
        fixtures.docx(), "word/document.xml", lambda part: part.replace(b"</w:body>", rows + b"</w:body>")
    )
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        part = archive.getinfo("word/document.xml")
    assert part.file_size > 200 * part.compress_size
    assert parse(write(tmp_path, "a", data), "a.docx").text.count("0.00") == 32_000


def test_a_zip_bomb_by_another_name_stays_packed(tmp_path: Path) -> None:
    data = fixtures.repacked(fixtures.docx(), "word/document.xml", padded, "word/document.bin")
    for part in ("[Content_Types].xml", "_rels/.rels"):
        data = fixtures.repacked(
            data, part, lambda xml: xml.replace(b"word/document.xml", b"word/document.bin")
        )
    assert failure(tmp_path, "a.docx", data).code == "invalid_file"


def test_an_entity_bomb_in_a_docx_stays_folded(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(fixtures.docx())) as old, zipfile.ZipFile(out, "w") as new:
        for part in old.infolist():
            data = old.read(part)
            if part.filename == "word/document.xml":
                head, rest = data.split(b"?>", 1)
                bomb = b'<!DOCTYPE d [<!ENTITY a "BOOM"><!ENTITY b "&a;&a;&a;">]>'
                data = head + b"?>" + bomb + rest.replace(b"The end.", b"The &b;end.")
            new.writestr(part.filename, data)
    path = write(tmp_path, "a", out.getvalue())
    try:
        assert "BOOM" not in parse(path, "a.docx").text
    except ParseFailed as failed:
        assert failed.code == "invalid_file"


VALID = {
    "a.txt": "Grüße 密码 👍\n".encode() * 20,
    "a.docx": fixtures.docx(),
    "a.pptx": fixtures.pptx(),
    "a.doc": fixtures.DOC,
    "a.html": fixtures.HTML,
    "a.pdf": fixtures.TEXT_PDF,
    "form.pdf": fixtures.form_pdf(b"Ada Lovelace"),
}


def mutated(data: bytes, dice: random.Random) -> bytes:
    """A damaged copy; in a zip file mostly one part is damaged, for damage outside only ever meets the unzipping."""
    if not data.startswith(b"PK") or dice.random() < 0.2:
        return scratched(data, dice)
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
        parts = old.namelist()
        told = [part for part in parts if "document.xml" in part or "slides/" in part]
        hit = dice.choice(told if dice.random() < 0.7 else parts)
        for part in parts:
            new.writestr(part, scratched(old.read(part), dice) if part == hit else old.read(part))
    return out.getvalue()


def scratched(data: bytes, dice: random.Random) -> bytes:
    """The data with a few bytes changed, a stretch cut out or doubled, or its end missing."""
    out = bytearray(data)
    for _ in range(dice.randint(1, 6)):
        if not out:
            break
        at, length = dice.randrange(len(out)), dice.randint(1, 64)
        match dice.randrange(5):
            case 0 | 1:
                out[at] = dice.randrange(256)
            case 2:
                del out[at : at + length]
            case 3:
                out[at:at] = out[at : at + length]
            case _ if dice.random() < 0.3:
                del out[at:]
    return bytes(out)


def try_mutations(folder: Path, name: str, count: int, seed: int) -> set[type]:
    dice = random.Random(f"{name} {seed}")
    outcomes: set[type] = set()
    for _ in range(count):
        path = write(folder, "upload", mutated(VALID[name], dice))
        try:
            parsed = parse(path, name, max_text=1_000_000)
            assert parsed.text.strip()
            assert "\0" not in parsed.text
            parsed.text.encode()
            outcomes.add(Parsed)
        except ParseFailed:
            outcomes.add(ParseFailed)
    assert [entry.name for entry in folder.iterdir()] == ["upload"]
    return outcomes


@pytest.mark.parametrize("name", VALID)
def test_a_mutated_file_is_parsed_or_fails_cleanly(tmp_path: Path, name: str) -> None:
    assert try_mutations(tmp_path, name, 40, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("name", VALID)
def test_thousands_of_mutated_files(tmp_path: Path, name: str) -> None:
    assert try_mutations(tmp_path, name, 2_000, seed=2) == {Parsed, ParseFailed}
