"""Words of a query: common ones do not count, names and numbers do."""

import pytest

from assistants_api.knowledge.queries import is_mostly_latin, rewritten, search_terms


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("How much vacation do I get?", "vacation"),
        ("How much time off do I get?", "time off"),
        ("How many vacation days do I get per year?", "vacation days year"),
        ("How long can I stay home?", "stay home"),
        ("Why doesn't the printer work, and what's Ann's PIN?", "printer work ann pin"),
        ("I don’t have a key; we've lost it", "key lost"),
        ("Does Don have a can of 7 beans in the US?", "don 7 beans"),
        ("is_valid returns what?", "isvalid valid returns"),
        ("什么是向量？", "向量"),
        ("请问我每年有多少天年假？", "每年 年假"),
        ("請問我們怎麼重設密碼呢？", "重設 設密 密碼"),
        ("如何重置 VPN 的密码", "重置 vpn 密码"),
        ("这个项目的目的是什么", "项目 目的"),
        ("为了了解公司", "为了 了了 了解 解公 公司"),
        ("パスワードとは何ですか", "パス スワ ワー ード ドと とは は何 何で です すか"),
    ],
)
def test_common_words_are_not_looked_for(query: str, terms: str) -> None:
    assert search_terms(query) == terms.split()


@pytest.mark.parametrize(
    ("query", "terms"),
    [
        ("To be or not to be", "to be or not"),
        ("The Who", "the who"),
        ("什么", "什么"),
        ("是什么？", "是什 什么"),
        ("?!", ""),
    ],
)
def test_a_query_of_nothing_but_common_words_is_looked_for_whole(query: str, terms: str) -> None:
    assert search_terms(query) == terms.split()


def test_only_so_many_terms_are_looked_for() -> None:
    assert search_terms(" ".join(f"w{number}" for number in range(50)), most=3) == ["w0", "w1", "w2"]


@pytest.mark.parametrize(
    ("query", "telling"),
    [
        ("请问我每年有多少天年假？", "每年 年假"),
        ("如何重置 VPN 的密码？", "重置 VPN 密码"),
        ("What is the hottest planet?", "hottest planet"),
        ("Does the IT team in Oslo have read_only keys?", "IT team Oslo read_only keys"),
        ("WHAT IS THE CODE", "CODE"),
        ("是什么？", "是什么？"),
        ("to be or not", "to be or not"),
    ],
)
def test_a_rewritten_query_is_its_telling_words_as_they_were_written(query: str, telling: str) -> None:
    assert rewritten(query) == telling


def test_of_a_query_as_long_as_a_document_the_beginning_is_looked_for() -> None:
    query = "tax law " * 2_000
    assert search_terms(f"{query} holiday") == ["tax", "law"]
    assert rewritten(f"{query} holiday").split()[-2:] == ["tax", "law"]
    assert rewritten("of the " * 2_000) == "of the " * 2_000


@pytest.mark.parametrize(
    ("query", "is_latin"),
    [
        ("Où est la clé ?", True),
        ("ngày nghỉ phép", True),
        ("42?", True),
        ("VPN 密码", True),
        ("如何重置 VPN 的密码", False),
        ("Сколько дней отпуска?", False),
        ("パスワード", False),
    ],
)
def test_a_query_is_of_the_script_that_most_of_its_letters_have(query: str, is_latin: bool) -> None:
    assert is_mostly_latin(query) is is_latin
