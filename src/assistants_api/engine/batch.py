"""Rows that are read together: which ones, how they lie side by side, and the token that each gets."""

from collections.abc import Sequence

import torch

from assistants_api.engine.rows import Row
from assistants_api.engine.sampler import choose, confine


def chosen(logits: torch.Tensor, rows: Sequence[Row]) -> list[int | None]:
    """The next token of each row, among those that its form allows, weighed as it asks."""
    allowed = [row.allowed() for row in rows]
    own = logits
    if any(bits is not None for bits in allowed) or any(row.weighs for row in rows):
        logits = logits.float().clone()
    for place, row in enumerate(rows):
        if row.weighs:
            row.weigh(logits[place])
    confine(logits, allowed)
    tokens = choose(logits, [row.draw for row in rows])
    for place, (row, token) in enumerate(zip(rows, tokens, strict=True)):
        if row.top_logprobs is not None and token is not None:
            row.note(own[place], token)
    return tokens


def alike(order: list[Row], size: int) -> list[Row]:
    """The first rows whose prompts, filled up to the longest of them, make a chunk of at most `size` tokens.

    None is less than half as long as the longest: filling up costs as much as reading.
    """
    group: list[Row] = []
    least = longest = 0
    for row in order:
        least = min(least or row.unread, row.unread)
        longest = max(longest, row.unread)
        if longest > 2 * least or longest * (len(group) + 1) > size:
            break
        group.append(row)
    return group


def side_by_side(
    rows: list[Row], drafts: list[list[int]], width: int
) -> tuple[list[list[int]], list[list[int]]]:
    """The last token of each row and its draft, `width` in all, and their places.

    A row with a shorter draft reads its last token several times, at the same place, which changes nothing.
    """
    ids, places = [], []
    for row, draft in zip(rows, drafts, strict=True):
        last, again = len(row.ids) - 1, width - len(draft)
        ids.append([row.ids[-1]] * again + draft)
        places.append([last] * again + list(range(last + 1, last + 1 + len(draft))))
    return ids, places
