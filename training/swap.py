"""Swaps words of a conversation for others, everywhere in it: what is copied must be read, it cannot be known by heart.

Without it the model learns the few hundred words of the lists: it then says a word it knows where the context holds one that
it has never said. Swapping works on token ids, on the forms of a word together (`name`, ` name`, `Name`, ` Name`), so that a function
name and the question about it stay alike.
"""

from collections import Counter, defaultdict

from transformers import PreTrainedTokenizerFast

from training import documents, schemas, sessions, talk
from training.draw import Draw

SKILLS = {"files", "schemas", "missing", "json", "memory", "frames", "repeat", "functions"}
COPIED_ONLY = {"memory", "frames", "repeat"}  # here the other words tell what is meant
SHARED_ONLY = {"functions"}  # here a word of the user's that stands nowhere else tells what is meant
SHARE = 0.3
# Words that carry a meaning of their own: the schema's, answers that are always the same, what stands for true and false.
KEPT = (
    "code code_interpreter system user assistant name arguments type string function parameters properties description required object integer number boolean "
    "array items enum strict true false null yes no on off role content query file_search additionalProperties "
    "Repeat Say again Please repeat Copy this Echo JSON json only start end begin finish answer reply with first last",
    documents.TOOL["function"]["description"],
    sessions.TOOL["function"]["description"],
    documents.NOT_FOUND,
    documents.NOT_FOUND_ZH,
    documents.NO_RESULTS,
    schemas.ASKS_BACK,
    schemas.ASKS_BACK_ZH,
    talk.UNKNOWN,
    talk.UNKNOWN_ZH,
    "重复请跟我说照抄复述开头结尾回答是否文件里没有提到的",
)


class Swap:
    """Knows which tokens are forms of one word, and which words have the same forms."""

    def __init__(self, tokenizer: PreTrainedTokenizerFast) -> None:
        self._tokenizer = tokenizer
        self._user = tokenizer("<|im_start|>user", add_special_tokens=False)["input_ids"]
        self._end = tokenizer.convert_tokens_to_ids("<|im_end|>")
        forms: dict[str, dict[str, int]] = defaultdict(dict)
        for token, number in tokenizer.get_vocab().items():
            text = tokenizer.convert_tokens_to_string([token])
            word = text.strip()
            if not word.isalpha():
                continue
            shape = ("_" if text[0] == " " else "") + ("A" if word[0].isupper() else "a")
            if word.isupper() and len(word) > 1:
                shape += "A"
            forms[word.lower()].setdefault(shape, number)
        kept = {
            number for text in KEPT for word in (text, *text.split(), *(" " + w for w in text.split()))
            for number in tokenizer(word, add_special_tokens=False)["input_ids"]
        }  # fmt: skip
        self._word_of: dict[int, str] = {}
        self._forms: dict[str, dict[str, int]] = {}
        self._alike: dict[tuple[object, ...], list[str]] = defaultdict(list)
        for word, tokens in sorted(forms.items()):
            if kept & set(tokens.values()):
                continue
            self._forms[word] = tokens
            self._alike[self._kind(word)].append(word)
            for number in tokens.values():
                self._word_of[number] = word

    def _kind(self, word: str) -> tuple[object, ...]:
        """Words of one kind may take each other's place: the same forms, both Chinese or both not."""
        return (word.isascii(), *sorted(self._forms[word]))

    def __call__(self, ids: list[int], said: list[bool], rng: Draw, skill: str = "") -> list[int]:
        """The same ids, some words swapped. `said`: which ids the assistant says; a word that it says first is
        kept (for some skills: and one that it never says, or that the user does not share), and so is one that is also written in other tokens,
        or within another word: its copies would no longer agree.
        """
        first: dict[str, bool] = {}
        copied: set[str] = set()
        seen: Counter[str] = Counter()
        for number, by_assistant in zip(ids, said, strict=True):
            if word := self._word_of.get(number):
                first.setdefault(word, by_assistant)
                seen[word] += 1
                if by_assistant or skill not in COPIED_ONLY:
                    copied.add(word)
        if skill in SHARED_ONLY:
            copied &= {word for word in self._words_of_the_user(ids) if seen[word] > 1}
        share, text = rng.uniform(0.1, 0.7), self._tokenizer.decode(ids).lower()
        chosen = [
            word
            for word, by_assistant in first.items()
            if not by_assistant and word in copied and rng.happens(share) and text.count(word) == seen[word]
        ]
        taken = set(first)
        into: dict[int, int] = {}
        for word in chosen:
            other = rng.choice(self._alike[self._kind(word)])
            if other in taken:
                continue
            taken.add(other)
            into |= {number: self._forms[other][shape] for shape, number in self._forms[word].items()}
        return [into.get(number, number) for number in ids]

    def _words_of_the_user(self, ids: list[int]) -> set[str]:
        """The words in the user's turns."""
        found: set[str] = set()
        is_user = False
        for place, number in enumerate(ids):
            is_user = (is_user or ids[place : place + len(self._user)] == self._user) and number != self._end
            if is_user and (word := self._word_of.get(number)):
                found.add(word)
        return found
