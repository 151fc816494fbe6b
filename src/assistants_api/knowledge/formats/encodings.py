"""Guesses the encoding of text that is not UTF-8: each candidate is read, and what it gives is judged.

A reading is judged by its characters outside ASCII alone: how many of them does some language use often, and
do they stand where such characters stand? Readings that are nearly as likely as another give no answer, for
wrong text in an index is worse than a file that is refused. Among Latin alphabets the western one wins ties.
"""

import codecs
import re
import string
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

_SAMPLE = 8 * 1024  # bytes of words that have any beyond ASCII
# From where a word begins only, or one long word without any would be gone through once for each byte.
_WORDS = re.compile(rb"(?<![^\0-\x20])[\x21-\x7f]*[\x80-\xff][^\0-\x20]*")

_ASCII = bytes(range(128))

_LEAST = 0.6
"""The mean score of a reading that may be true; a character has 0 to 1."""
_LEAD = 1.5
"""Characters' worth by which a reading must be better than one of another family."""

_LATIN_LEAD = 0.4
"""The same between the western Latin alphabet and another one."""

_SYMBOLS = frozenset("\xa0«»§©®°±·…–—‘’‚“”„•€™‹›№¿¡£²³½¼¾×ªºµ‰†")
_JOINERS = frozenset("’‘·–—…\xa0\xad")  # symbols that may stand between two letters

# Each language's letters: the usual ones, then rarer ones.
_WESTERN = (
    "äöüß",
    "éèêàçùôœ âîïûëüÿæ",
    "áéíñóúüçªº",
    "ãõáâàéêíóôúçª",
    "åäöæøéü",
    "àèéìòùîí",
    "áðéíóúýþæö",
    "àèéíïòóúüç",
    "äëéèêïöüóáí",
)
_CENTRAL = ("ąćęłńóśźż", "áčďéěíňóřšťúůýžäľĺŕô", "áéíóöőúüű", "ăâîşţ", "čćđšž")
_TURKISH = ("çğıöşüâîi̇",)
_BALTIC = ("ąčęėįšųūž", "āčēģīķļņšūž", "äõöüšž")

_CYRILLIC = ("оеаинтсрвлкмдпуяыьі", "абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґў")
_GREEK = ("αοιετσνηυρπκςόίάέή", "αβγδεζηθικλμνξοπρςστυφχψωάέήίόύώϊϋΐΰ")
_HEBREW = ("יוהלאתרמבש", "אבגדהוזחטיךכלםמןנסעףפץצקרשת")
_ARABIC = ("النيموترةعبد", "ءآأؤإئابةتثجحخدذرزسشصضطظعغفقكلمنهوىي،؟")
_THAI = ("านรอกเงวมยลทส่้ัี", "".join(map(chr, range(0xE01, 0xE5B))))

_OFTEN_CHINESE = frozenset(
    "的一是不了在人有我他这中大来上国个到说们为子和你地出道也时年得就那要下以生会自着去之过家学对可她里后小么心多天而能"
    "好都然没日于起还发成事只作当想看文无开手十用主行方又如前所本见经头面公同三已老从动两长知民样现分将外但身些与高意"
    "进把法此实回二理美点月明其种声全工己话儿者向情部正名定女问力机给等几很业最间新什打便位因重被走电四第门相次东政海口"
    "使教西再平真听世气信北少关并内加化由却代军产入先山五太水万市眼体别处总才场师书比住员九笑性通目华报立马命张活难神数"
    "件安表原车白应路期叫死常提感金何更反合放做系计或司利受光王果亲界及今京务制解各任至清物台象记边共风战干接它许八特觉"
    "望直服毛林题建南度统色字请交爱让认算论百吃义科怎元社术结六功指思非流每青管夫连远资队跟带花快条院变联言权往展该领传"
    "近留红治决周保达办运武半候七必城父强步完革深区即求品士转量空甚众技轻程告江语英基派满式李息写呢识极令黄德收脸钱党倒"
    "未持取设始版双历越史商千片容研像找友孩站广改议形委早房音火际则首单据导影失拿网香似斯专石若兵弟谁校读志飞观争究包组"
    "造落视济喜离虽坏户密码费假薪同们邮件按钮置项目签约合客服务"
    "這來國個說們為時會過學對裡後麼沒於還發當開經頭動兩長樣現將與進實點種聲話兒問機給幾業間電門東聽氣關內產萬體處總場師書"
    "員報馬張難數車應親務計統華見題愛讓認論義術結條連遠資隊帶變聯權傳決達辦運員區轉眾輕語滿寫識極錢黨設雙歷網導專讀觀爭"
    "組視濟喜離雖壞戶碼費郵鈕項簽約請單據議廣際則顧險須"
)
_OFTEN_KOREAN = frozenset(
    "이다는을의에가를은지하고기로한사나도자리어시대인으서해일라정아수들보만그여과있었했부있게면전오제주공상장모소거스"
    "것니까요습합원우구금신경동성조안비물내마세려터된되할없무와중않각위실선직용휴계약문년간회국"
)


_Score = Callable[[str], Iterable[float]]


@dataclass(frozen=True, slots=True)
class _Candidate:
    encoding: str
    family: str
    score: _Score


@dataclass(frozen=True, slots=True)
class _Reading:
    encoding: str
    family: str
    text: str
    mean: float


def guess(data: bytes) -> str | None:
    """The encoding of text that is not UTF-8, or None where nothing is likely enough."""
    sample = b" ".join(_some_words(data))
    readings = [reading for candidate in _CANDIDATES if (reading := _read(candidate, sample))]
    if not readings:
        return None
    best = max(readings, key=lambda reading: reading.mean)  # of equals the first
    if best.mean < _LEAST:
        return None
    if best.family == "latin":
        best = next((r for r in readings if r.encoding == "cp1252" and _lead(best, r) < _LATIN_LEAD), best)
        if _is_mostly_ascii(data):
            return best.encoding
    rivals = [r for r in readings if r.family != best.family and r.text != best.text]
    return best.encoding if all(_lead(best, rival) >= _LEAD for rival in rivals) else None


def _lead(best: _Reading, rival: _Reading) -> float:
    """How many characters' worth the one is better than the other."""
    return (best.mean - rival.mean) * sum(char > "\x7f" for char in best.text)


def is_nearly_utf8(data: bytes) -> bool:
    """Is this UTF-8 but for a few bytes? A whole character of several bytes seldom stands there by chance."""
    good = data.decode(errors="ignore")
    follow = len(good.encode()) - len(good)
    damaged = data.decode(errors="replace").count("\ufffd") - data.count("\ufffd".encode())
    return follow >= 3 * damaged


def decode(data: bytes, encoding: str) -> str:
    """The text; a character cut at the end is U+FFFD. Raises UnicodeDecodeError for anything else amiss."""
    decoder = codecs.getincrementaldecoder(encoding)()
    text = decoder.decode(data)
    return text + "\ufffd" if decoder.getstate()[0] else text


def _some_words(data: bytes) -> Iterator[bytes]:
    left = _SAMPLE
    for match in _WORDS.finditer(data):
        yield match[0][:left]
        left -= len(match[0])
        if left <= 0:
            return


def _is_mostly_ascii(data: bytes) -> bool:
    beyond = len(data.translate(None, _ASCII))
    letters = len(data) - len(data.translate(None, string.ascii_letters.encode()))
    return letters >= 2 * beyond


def _read(candidate: _Candidate, sample: bytes) -> _Reading | None:
    try:
        text = decode(sample, candidate.encoding)
    except UnicodeDecodeError:
        return None
    scores = list(candidate.score(text.rstrip("\ufffd")))
    mean = sum(scores) / len(scores) if scores else 0.0
    return _Reading(candidate.encoding, candidate.family, text, mean)


def _letters(often: str, known: str, rare: float = 0.6) -> _Score:
    """Scores of an alphabet: letters by how usual they are, nothing for those that stand amiss."""
    worth = dict.fromkeys(known, rare) | dict.fromkeys(often, 1.0)
    return lambda text: _by_letter(text, worth)


def _by_letter(text: str, worth: dict[str, float]) -> Iterator[float]:
    is_latin = "a" in worth
    is_amiss = False  # from a capital after a small letter to the word's end
    text = f" {text} "
    for at in range(1, len(text) - 1):
        before, char, after = text[at - 1], text[at], text[at + 1]
        is_amiss = char.isalpha() and (is_amiss or (char.isupper() and before.islower() and char > "\x7f"))
        if char <= "\x7f":
            continue
        if char in _SYMBOLS:
            yield float(_stands(before, char, after))
        elif is_amiss or not _fits(before, after, is_latin):
            yield 0.0
        else:
            yield worth.get(char.lower(), 0.0) * (0.85 if char.isupper() and before.isupper() else 1.0)


def _stands(before: str, char: str, after: str) -> bool:
    """May a symbol stand between these?"""
    if char in _JOINERS:
        return True
    if char in "ªº²³":
        return not after.isalpha()
    return not before.isalpha() or not (after.isalpha() or char in "±¼½¾¿¡£")


def _fits(before: str, after: str, is_latin: bool) -> bool:
    """May a letter stand between these? Latin words are mostly ASCII, other scripts' have none."""
    if is_latin:
        return not (before > "\x7f" and before.isalpha() and after > "\x7f" and after.isalpha())
    return not any(char.isascii() and char.isalpha() for char in (before, after))


def _latin(languages: tuple[str, ...], borrowed: str = "") -> _Score:
    """Scores by the one language that explains most; `borrowed` are letters that any text may have."""
    worths = [
        {"a": 1.0}
        | dict.fromkeys(borrowed, 0.75)
        | dict.fromkeys(language, 0.9)
        | dict.fromkeys(language.split()[0], 1.0)
        for language in languages
    ]
    return lambda text: max((list(_by_letter(text, worth)) for worth in worths), key=sum)


def _chinese(lead: int, last: int, encoding: str) -> _Score:
    def scores(text: str) -> Iterator[float]:
        for char in text:
            if char <= "\x7f":
                continue
            if char in _OFTEN_CHINESE or char in "，。、：；？！“”‘’（）《》「」『』【】—…·　":
                yield 1.0
            else:
                yield 0.65 if _has_lead(char, encoding, lead, last) else 0.0

    return scores


def _japanese(lead: int, last: int, encoding: str) -> _Score:
    def scores(text: str) -> Iterator[float]:
        for char in text:
            if char <= "\x7f":
                continue
            if "\u3041" <= char <= "\u30fc" or char in "、。「」『』（）・？！：　":
                yield 1.0
            elif "\uff61" <= char <= "\uff9f":
                yield 0.2
            else:
                yield 0.65 if _has_lead(char, encoding, lead, last) else 0.0

    return scores


def _korean(text: str) -> Iterator[float]:
    for char in text:
        if char <= "\x7f":
            continue
        if char in _OFTEN_KOREAN or char in "·“”‘’…「」":
            yield 1.0
        else:
            yield 0.65 if _has_lead(char, "euc_kr", 0xB0, 0xC8) else 0.0


def _has_lead(char: str, encoding: str, first: int, last: int) -> bool:
    """Does the character lie in the part of its set that holds the usual ones?"""
    try:
        raw = char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return len(raw) == 2 and first <= raw[0] <= last


_BORROWED = "".join(_WESTERN)
_CANDIDATES = (
    _Candidate("cp1252", "latin", _latin(_WESTERN, _BORROWED)),
    _Candidate("cp1250", "latin", _latin(_CENTRAL)),
    _Candidate("iso8859_2", "latin", _latin(_CENTRAL)),
    _Candidate("cp1254", "latin", _latin(_TURKISH)),
    _Candidate("cp1257", "latin", _latin(_BALTIC)),
    _Candidate("mac_roman", "latin", _latin(_WESTERN)),
    _Candidate("cp1251", "cyrillic", _letters(*_CYRILLIC)),
    _Candidate("koi8_u", "cyrillic", _letters(*_CYRILLIC)),
    _Candidate("cp866", "cyrillic", _letters(*_CYRILLIC)),
    _Candidate("iso8859_5", "cyrillic", _letters(*_CYRILLIC)),
    _Candidate("cp1253", "greek", _letters(*_GREEK)),
    _Candidate("cp1255", "hebrew", _letters(*_HEBREW)),
    _Candidate("cp1256", "arabic", _letters(*_ARABIC)),
    _Candidate("cp874", "thai", _letters(*_THAI)),
    _Candidate("gb18030", "gb", _chinese(0xB0, 0xD7, "gb2312")),
    _Candidate("cp950", "big5", _chinese(0xA4, 0xC6, "big5")),
    _Candidate("cp932", "sjis", _japanese(0x88, 0x97, "shift_jis")),
    _Candidate("euc_jp", "euc_jp", _japanese(0xB0, 0xCF, "euc_jp")),
    _Candidate("cp949", "korean", _korean),
)
