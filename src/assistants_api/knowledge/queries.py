"""What of a query is worth looking for: its words without those that say nothing.

How telling a word is, a ranking learns from the store, and a store of few files teaches little: the one note
that happens to have "get" would come before those that answer the question. So such words are left out.
"""

import re

from assistants_api.knowledge.chunking import keywords, words

# Characters of a query: whoever gives a whole document as one must not hold up everybody else.
_MOST = 8_000


def search_terms(query: str, most: int = 32) -> list[str]:
    """The different words of a query that are worth looking for, in their order; all, if none tells much."""
    query = query[:_MOST]
    rest = keywords(_without_phrases(query)).split()
    telling = [word for word in rest if word not in _EMPTY_WORDS]
    return list(dict.fromkeys(telling or keywords(query).split()))[:most]


def rewritten(query: str) -> str:
    """The telling words of a query, as they were written, for people to read; the query, if none tells much.

    A word in capitals among others is a name: "the IT team" keeps IT.
    """
    has_names = not query.isupper()
    kept = [
        word
        for word in _without_phrases(query[:_MOST]).split()
        if word.lower() not in _EMPTY_WORDS or (has_names and len(word) > 1 and word.isupper())
    ]
    return " ".join(kept) or query


def is_mostly_latin(query: str) -> bool:
    """Whether at least half of its letters are Latin ones; a query without letters is."""
    letters = [char for char in query[:_MOST] if char.isalpha()]
    return 2 * sum(char < "\u0250" for char in letters) >= len(letters)


def _without_phrases(query: str) -> str:
    """The words of the query, without what says nothing and is not a word of its own; gaps part words."""
    text = " ".join(words(_CONTRACTED.sub(" ", query)))
    return text if _OTHER_CJK.search(text) else _CHINESE.sub(lambda match: match[1] or " ", text)


# Words that say nothing about what is looked for.
_EMPTY = """
a about all also am an and any are as at be because been being but by can cannot could did do does doing
done each either else etc every for from get gets getting give given go goes going got gotten had has have
having he her here hers him his how however i if in into is it its itself just know let like many may me
might mine more most much must my myself need needed needs not of on onto or other our ours ourselves per
please shall she should so some such tell than that the their theirs them themselves then there these they
this those though through thus to too upon us very want wanted wants was we were what whatever when where
whether which while who whom whose why will with would yes you your yours yourself
"""
_EMPTY_WORDS = frozenset(_EMPTY.split())
_CONTRACTED = re.compile(
    r"\b(?:(?:do|does|did|is|are|was|were|has|have|had|would|could|should|must|need|ca|wo)n['’]t"
    r"|how\s+(?:much|many|long|often|far))\b|(?<=\w)['’](?:s|m|re|ve|ll|d|t)\b",
    re.IGNORECASE,
)
_OTHER_CJK = re.compile("[\u3041-\u30fa\u31f0-\u31ff\uac00-\ud7a3]")  # Japanese and Korean
# The first group are words that hold a particle, and stay.
_CHINESE = re.compile(
    "((?<![项項题題节節])目的|的士|的确|的確|标的|標的|了解|为了|為了|除了|自我|我国|我國|酒吧|网吧|網吧|吧台)"
    "|请问|請問|请告诉|請告訴|告诉|告訴|请帮|請幫|想知道|一下|关于|關於"
    "|(?:什么|什麼|谁|誰|哪里|哪裡)是|为什么|為什麼|什么时候|什麼時候"
    "|(?:是|有|做)?(?:什么|什麼|哪些|哪个|哪個|多少[天个個次]?|几[天个個次]|幾[天個次]|谁|誰)"
    "|怎么办|怎麼辦|怎么样|怎麼樣|怎么|怎麼|怎样|怎樣|如何|为何|為何|何时|何時|在?哪里|在?哪裡|哪儿|哪兒"
    "|能不能|可不可以|可以|能否|是否|是不是|有没有|有沒有|应该|應該|需要"
    "|这个|這個|那个|那個|这些|這些|那些|[我你您他她它]们|[我你您他她它]們|[我你您的了吗嗎呢吧啊]"
)
