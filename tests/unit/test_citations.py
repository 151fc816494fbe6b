"""Markers become annotations: whatever the answer, however it is split."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistants_api.agent.citations import Citations, marker, without_markers

FILES = {marker(0, 0): "file-a", marker(0, 1): "file-b", marker(3, 12): "file-c"}
LINK = "sandbox:/mnt/data/"
LINKS = {
    LINK + name: f"file-{number}"
    for number, name in enumerate(
        [
            "a.csv",
            "a.csv.gz",
            "Q1 report.xlsx",
            "plot (1).png",
            "old.xls",
            "【0:1】.txt",
            "报告\u30002024.csv",
        ]
    )
}
LINK_PIECES = st.one_of(
    st.sampled_from(
        [*LINKS, *LINKS, LINK, LINK + "a.csv.g", "s", "andbox:", "(", ")", " ", "【0:1†source】", "【0:"]
    ),
    st.text(max_size=5),
)
PIECES = st.one_of(
    st.sampled_from(
        [
            *FILES,
            "【9:9†source】",
            "【0:1】",
            "【 0 : 0 †handbook.md】",
            "【13†source】",
            "【注意】",
            "【12:30】",
            "【3：1】",
            "【",
            "】",
            "†source】",
            "【0:",
            "【4:0†",
            "\N{FAMILY}👩‍👩‍👧",
            "é",
            "\n",
        ]
    ),
    st.text(max_size=12),
)


def said(pieces: list[str], files=FILES, links=None):
    """What is shown of an answer that comes in these pieces."""
    citations = Citations(files, links=links)
    shown = [*(citations.feed(piece) for piece in pieces), citations.close()]
    text = "".join(piece.text for piece in shown)
    return text, [each for piece in shown for each in piece.annotations], shown


@given(st.lists(PIECES, max_size=12), st.data())
def test_markers_and_annotations_agree(parts, data):
    whole = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    text, annotations, shown = said(pieces)

    for number, each in enumerate(annotations):
        assert each["index"] == number
        assert text[each["start_index"] : each["end_index"]] == each["text"]
        assert FILES[each["text"]] == each["file_citation"]["file_id"]
    places = [(each["start_index"], each["end_index"]) for each in annotations]
    assert places == sorted(set(places))
    assert sum(text.count(name) for name in FILES) == len(annotations)
    assert "【9:9†source】" not in text
    assert "【13†source】" not in text
    for piece in shown:  # each comes with the piece that holds its text
        assert all(each["text"] in piece.text for each in piece.annotations)
    assert said([whole])[:2] == (text, annotations)


@given(st.text())
def test_text_without_markers_is_left_alone(text):
    if "【" not in text:
        assert said([text])[0] == text


@given(st.lists(LINK_PIECES, max_size=10), st.data())
def test_links_are_found_however_the_answer_is_split(parts, data):
    whole = "".join(parts)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(whole)), max_size=8)))
    pieces = [whole[a:b] for a, b in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    text, annotations, _ = said(pieces, links=LINKS)

    for each in annotations:
        assert text[each["start_index"] : each["end_index"]] == each["text"]
    assert said([whole], links=LINKS)[:2] == (text, annotations)
    assert said(list(whole), links=LINKS)[:2] == (text, annotations)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("after", ["", ") and more", "s", ".", "sandbox:"])
def test_a_link_is_annotated_whatever_its_name_is(link, after):
    whole = f"文件[file]({link}{after}"

    for pieces in ([whole], list(whole)):
        text, [annotation], _ = said(pieces, links=LINKS)
        assert text == whole
        assert (annotation["text"], annotation["file_path"]) == (link, {"file_id": LINKS[link]})


def test_a_link_is_held_back_only_while_it_may_become_one():
    citations = Citations({}, links=LINKS)

    assert citations.feed(f"See {LINK}Q1 rep").text == "See "
    assert citations.feed("lies: ").text == f"{LINK}Q1 replies: "
    assert citations.feed(f"{LINK}a.csv").text == ""
    [annotation] = citations.feed(", so").annotations
    assert annotation["text"] == f"{LINK}a.csv"


def test_a_marker_is_held_back_until_it_is_whole():
    citations = Citations(FILES)
    assert citations.feed("See 【0:").text == "See "
    assert citations.feed("1†sou").text == ""
    whole = citations.feed("rce】.")
    assert whole.text == "【0:1†source】."
    assert whole.annotations[0]["start_index"] == 4


def test_brackets_of_ordinary_chinese_stay():
    assert said(["【注意】请看【0:0†source】。"])[0] == "【注意】请看【0:0†source】。"


def test_times_and_ratios_in_such_brackets_stay():
    text = "予定【12:30】昼食、混合比【3：1】【 9:9 】"

    assert said([text + "【0:1】【9:9†source】。"])[0] == text + "【0:1†source】。"
    assert said([text, "【14:00"], files={})[0] == text + "【14:00"


def test_half_a_marker_at_the_end_is_cut():
    assert said(["See", "【0:1"])[0] == "See"
    assert said(["See", "【0:1†sou"], files={})[0] == "See"


def test_an_answer_that_goes_on_counts_from_what_was_shown():
    citations = Citations(FILES, shown="One【0:0†source】", count=1)
    [annotation] = citations.feed(" two【0:1†source】").annotations
    assert (annotation["index"], annotation["start_index"]) == (1, len("One【0:0†source】 two"))


def test_history_is_shown_without_markers():
    text, annotations, _ = said(["A【0:0†source】 and B【0:1†source】."])
    assert without_markers(text, tuple(annotations)) == "A and B."
