"""What of a query is worth looking for: its words without those that say nothing."""

from assistants_api.knowledge.chunking import keywords


def search_terms(query: str, most: int = 32) -> list[str]:
    """The different words of a query that are worth looking for, in their order; all, if none tells much."""
    words = list(dict.fromkeys(keywords(query).split()))
    telling = [word for word in words if word not in _EMPTY_WORDS]
    return (telling or words)[:most]


# Words that say nothing about what is looked for.
_EMPTY = """
a an and are as at be been but by can could did do does for from had has have how i if in into is it its me my
of on or our please should tell that the their them there these they this those to us was we were what when
where which who whom whose why will with would you your about
"""
_EMPTY_WORDS = frozenset(_EMPTY.split())
