"""Step 1a, tokens: a byte-level BPE tokenizer in which a word is cut alike wherever it stands.

A model copies by finding where the token that it has just said stood before. So ` Kitchen` in a question, `kitchen` in an argument and
`_kitchen` in a name must be the same tokens but for their first, and the first ones must be kin. Hence: merges are learned on words in
lower case and without the space before them; each merge then holds for a capital first letter too; and the space is merged last,
with whatever the word begins with. `forms` tells which tokens are forms of one, and `model.Net` gives them one embedding and two
differences (a space before, a capital). A Chinese character is always one token, a digit too. JSON's marks stand together (`": "`).

With ordinary byte-level BPE one in five English values had the same tokens in the question and in the call, and one in six was cut elsewhere.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import torch
from tokenizers import Regex, Tokenizer, decoders, models, trainers
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from torch import Tensor
from transformers import PreTrainedTokenizerFast

TEMPLATE = (Path(__file__).parent / "chat_template.jinja").read_text()
SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
MARKS = ["<tools>", "</tools>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"]
PIECES = 2600  # learned on words in lower case; their other forms are added
SEEN_AT_START = 2  # a piece that begins a word so often in the texts has the other forms too
SPACE = "Ġ"  # how byte-level tokens write a space
WORDS = "|".join((
    r"\\n *",  # a new line of code within JSON, and its indentation
    r"[\u3400-\u9fff]",  # a Chinese character
    r" ?\p{Lu}+(?!\p{Ll})",  # EUR
    r" ?\p{Lu}?\p{Ll}+",  # Kitchen, kitchen; maxPrice is two
    r"\p{L}",
    r"\p{N}",
    r'(?:(?:(?!\\n)[{}\[\]":,\\])+ ?)+',  # JSON's marks: ": ", {"
    r" ?[=+*/%<>-]+ ?",
    r"\n+ *",
    r" +",
    r"\s",
    r"[^\s\p{L}\p{N}]",
))  # fmt: skip


class Forms(NamedTuple):
    """For each token: the one whose form it is (itself, if none), whether a space comes first, whether it is a capital's."""

    root: Tensor  # (vocabulary,) of ids
    marks: Tensor  # (vocabulary, 2): a space before, a capital


def train_tokenizer(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """The tokenizer of these texts."""
    split = Split(Regex(WORDS), "isolated")
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(piece for piece, _ in split.pre_tokenize_str(text))
    merges = list(_cased(_learned(counts), _starts(counts))) + list(_characters(counts))
    names = [*SPECIAL, *sorted(ByteLevel.alphabet()), *(first + second for first, second in merges)]
    tokenizer = _built(dict.fromkeys(names), merges)
    first = {_tokens(tokenizer, piece.strip(" "))[0] for piece, count in counts.items() if count >= SEEN_AT_START and _is_word(piece)}
    first |= {capital(token) for token in first} | {token.lower() for token in first if token[1:].islower()}
    merges += [(SPACE, token) for token in sorted(first & set(names))]
    names += [SPACE + token for token in sorted(first & set(names))]
    return _fast(_built(dict.fromkeys(names), merges))


def capital(token: str) -> str:
    """The token with a capital first letter."""
    return token[0].upper() + token[1:]


def forms(fast: PreTrainedTokenizerFast) -> Forms:
    """Which tokens are forms of one."""
    vocabulary = fast.get_vocab()
    root, marks = torch.arange(len(vocabulary)), torch.zeros(len(vocabulary), 2)
    for token, number in vocabulary.items():
        word = token.removeprefix(SPACE)
        if not (word.isascii() and word.isalpha()):
            continue
        lower = word.lower() if len(word) == 1 or word[1:].islower() else word
        if lower in vocabulary:
            root[number] = vocabulary[lower]
            marks[number] = torch.tensor([float(word != token), float(word != lower)])
    return Forms(root, marks)


def siblings(kin: Forms) -> Tensor:
    """For each token another form of it, or itself if it has none: (vocabulary,) of ids."""
    groups: dict[int, list[int]] = defaultdict(list)
    for number, root in enumerate(kin.root.tolist()):
        groups[root].append(number)
    others = torch.arange(len(kin.root))
    for group in groups.values():
        others[torch.tensor(group)] = torch.tensor(group[1:] + group[:1])
    return others


def carried(before: PreTrainedTokenizerFast, table: Tensor, after: PreTrainedTokenizerFast) -> Tensor:
    """Embeddings for other tokens: those of the same tokens before, or the mean of the longest pieces that make one up."""
    known, made = before.get_vocab(), torch.zeros(len(after), table.shape[1])
    for token, number in after.get_vocab().items():
        pieces, rest = [], token
        while rest:
            size = next((n for n in range(len(rest), 0, -1) if rest[:n] in known), 1)
            pieces += [known[rest[:size]]] if rest[:size] in known else []
            rest = rest[size:]
        made[number] = table[pieces].mean(0)
    return made


def _is_word(piece: str) -> bool:
    word = piece.removeprefix(" ")
    return word.isascii() and word.isalpha()


def _learned(counts: Counter[str]) -> Iterator[tuple[str, str]]:
    """The merges of words in lower case without their space, and of marks."""
    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = Sequence([Split("\0", "removed"), ByteLevel(add_prefix_space=False, use_regex=False)])
    bases: Counter[str] = Counter()
    for piece, count in counts.items():
        if "\u3400" <= piece <= "\u9fff":
            continue
        word = piece.removeprefix(" ") if _is_word(piece) else piece
        bases[word.lower() if word[1:].islower() or len(word) == 1 else word] += count
    lines = ("\0".join([piece] * min(count, 20_000)) for piece, count in bases.items())
    trainer = trainers.BpeTrainer(
        vocab_size=PIECES, initial_alphabet=ByteLevel.alphabet(), show_progress=False, min_frequency=8
    )
    trained.train_from_iterator(lines, trainer)
    for merge in json.loads(trained.to_str())["model"]["merges"]:
        yield tuple(merge)


def _starts(counts: Counter[str]) -> set[str]:
    """All that a word begins with."""
    words = {piece.removeprefix(" ").lower() for piece in counts if _is_word(piece)}
    return {word[:size] for word in words for size in range(1, len(word) + 1)}


def _cased(learned: Iterator[tuple[str, str]], starts: set[str]) -> Iterator[tuple[str, str]]:
    """Each merge, and the same with a capital first letter if a word can begin so."""
    for first, second in learned:
        yield first, second
        if first + second in starts:
            yield capital(first), second


def _characters(counts: Counter[str]) -> Iterator[tuple[str, str]]:
    """The merges of bytes into characters: the 3,755 most usual Chinese ones, and all of the texts that are not letters of words."""
    usual = [bytes((high, low)).decode("gb2312", "ignore") for high in range(0xB0, 0xD8) for low in range(0xA1, 0xFF)]
    written = [piece for piece, count in counts.items() if len(piece) == 1 and not piece.isascii() and count > 1]
    made: set[str] = set()
    for character in dict.fromkeys((*written, *usual)):
        tokens = [token for token, _ in ByteLevel(add_prefix_space=False, use_regex=False).pre_tokenize_str(character)]
        whole = "".join(tokens)
        for size in range(1, len(whole)):
            if whole[: size + 1] not in made:
                made.add(whole[: size + 1])
                yield whole[:size], whole[size]


def _tokens(tokenizer: Tokenizer, text: str) -> list[str]:
    return tokenizer.encode(text, add_special_tokens=False).tokens


def _built(names: Iterable[str], merges: list[tuple[str, str]]) -> Tokenizer:
    vocabulary = {name: number for number, name in enumerate(names)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=merges))
    tokenizer.pre_tokenizer = Sequence([Split(Regex(WORDS), "isolated"), ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(SPECIAL)
    return tokenizer


def _fast(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    fast = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        eos_token="<|im_end|>",
        pad_token="<|endoftext|>",
        bos_token=None,
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )
    fast.add_tokens(MARKS, special_tokens=False)
    fast.chat_template = TEMPLATE
    return fast
