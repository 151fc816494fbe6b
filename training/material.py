"""Reads the hand-written files in `material/`, and draws values for their slots.

A slot is `{name:kind}`, then `{name}` for the same value again. Values are real words and made-up ones: what is drawn must be copied.
"""

import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from training import words
from training.draw import Draw

FOLDER = Path(__file__).parent / "material"
SLOT = re.compile(r"\{(\w+)(?::([^{}]+))?\}")
NUMBER = re.compile(r"\d+")
OPTIONAL = re.compile(r"\[([^\[\]]*)\]")
MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
DAYS_ZH = ("星期一", "星期二", "星期三", "星期四", "星期五", "星期六", "星期日", "周一", "周二", "周三", "周五", "周日")
ANIMALS = ("cat", "dog", "horse", "parrot", "rabbit", "turtle", "goat", "hamster", "owl", "fox", "otter", "llama", "goose", "hedgehog", "lizard")
ANIMALS_ZH = ("猫", "狗", "马", "鹦鹉", "兔子", "乌龟", "山羊", "仓鼠", "猫头鹰", "狐狸", "羊驼", "鹅", "刺猬", "蜥蜴")
JOBS = ("nurse", "teacher", "carpenter", "engineer", "baker", "lawyer", "pilot", "gardener", "accountant", "plumber", "designer", "farmer", "chef", "librarian", "translator", "electrician", "dentist", "journalist")
JOBS_ZH = ("护士", "老师", "木匠", "工程师", "面包师", "律师", "飞行员", "园丁", "会计", "水管工", "设计师", "农民", "厨师", "图书管理员", "翻译", "电工", "牙医", "记者")
FOODS_ZH = ("面条", "米饭", "饺子", "苹果", "豆腐", "鱼", "包子", "披萨", "寿司", "火锅", "草莓", "酸奶", "烤鸭", "汤圆", "牛肉面")
COLORS_ZH = ("红色", "蓝色", "绿色", "黄色", "黑色", "白色", "紫色", "橙色", "粉色", "灰色", "银色", "棕色")
LANGUAGES_ZH = ("法语", "德语", "西班牙语", "意大利语", "英语", "日语", "韩语", "荷兰语", "波兰语", "希腊语", "俄语", "葡萄牙语")
COUNTRIES = ("France", "Norway", "Peru", "Kenya", "Japan", "Canada", "Chile", "Poland", "Egypt", "Vietnam", "Portugal", "Iceland", "Mexico", "Ghana", "New Zealand", "South Korea", "Finland", "Morocco", "Brazil", "Austria")
COUNTRIES_ZH = ("法国", "挪威", "秘鲁", "肯尼亚", "日本", "加拿大", "智利", "波兰", "埃及", "越南", "葡萄牙", "冰岛", "墨西哥", "新西兰", "韩国", "芬兰", "摩洛哥", "巴西")
SURNAMES = ("Smith", "Garcia", "Müller", "Okafor", "Novak", "Jensen", "Rossi", "Tanaka", "Kowalski", "Silva", "Dubois", "Patel", "Andersson", "O'Brien", "Nguyen", "Haddad", "Schneider", "Costa", "Ivanova", "Baker", "Wood", "Hughes", "Larsen", "Moreau", "Bianchi", "Fischer", "Lopez", "Kim", "Chen", "Singh")
COMPANY_ENDS = ("Ltd", "GmbH", "Inc", "Labs", "& Sons", "Group", "Systems", "Foods", "Travel", "Energy", "Books", "Media", "Bank", "Logistics", "Motors", "Studio", "Café", "Pharma", "Airlines", "Insurance")
COMPANY_ENDS_ZH = ("公司", "集团", "科技", "食品", "银行", "书店", "物流", "航空", "电器", "医药", "传媒", "餐厅")
PLACE_ENDS = ("Park", "Tower", "Hall", "Street", "Bridge", "House", "Centre", "Square", "Garden", "Valley", "Harbour", "Hill", "School", "Station", "Lodge", "Island")
PLACE_ENDS_ZH = ("公园", "大厦", "广场", "路", "花园", "中心", "小区", "学校", "车站", "岛", "山庄", "大桥")
SUBJECTS = ("quarterly planning", "the new website", "office safety", "summer sales", "data protection", "the budget review", "solar panels", "staff training", "water quality", "the product launch", "customer feedback", "electric buses", "bird migration", "old maps", "remote work", "school meals", "coffee farming", "the annual audit", "night trains", "urban gardening", "packaging design", "winter tyres", "open source licences", "the hiring plan")
SUBJECTS_ZH = ("季度计划", "新网站", "办公安全", "夏季促销", "数据保护", "预算审查", "太阳能", "员工培训", "水质检测", "产品发布", "客户反馈", "电动公交", "候鸟迁徙", "远程办公", "校园午餐", "年度审计", "城市园艺", "包装设计")
TITLE_WORDS = ("Silent", "River", "Last", "Glass", "Winter", "Garden", "Stone", "Letters", "Night", "Golden", "Harbour", "Paper", "Moon", "Second", "Road", "Blue", "Hour", "Broken", "Island", "Summer", "Shadow", "Clock", "Window", "Bread", "North", "Fire", "Little", "Salt")
QUOTES = ("I will be ten minutes late", "the meeting has moved to room four", "please bring the signed contract", "happy birthday and all the best", "we are out of milk", "the parcel is at the front desk", "can you call me back after lunch", "thank you for your help yesterday", "do not forget the keys", "the train is delayed again", "dinner is ready", "see you on the other side", "the printer is out of paper", "I agree with the offer", "let us meet at the usual place", "the report is finished", "my flight was cancelled", "keep up the good work")
QUOTES_ZH = ("我会晚到十分钟", "会议改到四号房间", "请带上签好的合同", "生日快乐", "牛奶喝完了", "快递放在前台", "午饭后给我回电话", "谢谢你昨天的帮助", "别忘了带钥匙", "火车又晚点了", "晚饭做好了", "打印机没纸了", "我同意这个报价", "报告写完了", "航班取消了")
FREE = {"thing", "topic", "title", "quote", "one", "food", "animal", "job"}  # any words may stand here
NUMBERS = dict(enumerate("two three four five six seven eight nine ten eleven twelve".split(), start=2))
NUMBERS_ZH = dict(enumerate("三 四 五 六 七 八 九 十 十一 十二".split(), start=3))  # 二 or 两 depends on what is counted
UNITS = ("minutes", "hours", "days", "weeks", "months", "years")
UNITS_ZH = ("分钟", "小时", "天", "周", "个月", "年")


@cache
def vocabulary(*, zh: bool) -> tuple[str, ...]:
    """Every word (in Chinese: every character) of the material: what stands in a slot cannot be known by heart."""
    text = "".join(file.read_text(encoding="utf-8") for file in sorted(FOLDER.glob("*.txt")))
    found = re.findall(r"[\u4e00-\u9fff]", text) if zh else re.findall(r"(?<![\w{])[A-Za-z][a-z]{2,}(?![\w}])", text)
    return tuple(sorted(set(found)))


def any_words(rng: Draw, zh: bool, most: int = 3) -> str:
    """A few words without sense."""
    if zh:
        return "".join(rng.pick(vocabulary(zh=True)) for _ in range(rng.randint(2, 2 * most)))
    return " ".join(rng.pick(vocabulary(zh=False)) for _ in range(rng.randint(1, most)))


def _name(rng: Draw, zh: bool) -> str:
    """A name that must be copied: made up, a word with a capital, or random characters."""
    if zh:
        return any_words(rng, True, 1) + (rng.pick(words.CHARACTERS_ZH) if rng.happens(0.3) else "")
    return words.made_up(rng) if rng.happens(0.65) else any_words(rng, False, 1).capitalize()


def _person(rng: Draw, zh: bool) -> str:
    if zh:
        return rng.pick(words.NAMES_ZH) if rng.happens(0.3) else _name(rng, zh)
    first = words.person(rng)
    return first if rng.happens(0.5) else f"{first} {rng.pick(SURNAMES) if rng.happens(0.5) else words.made_up(rng)}"


def _company(rng: Draw, zh: bool) -> str:
    name = _name(rng, zh)
    if zh:
        return name + (rng.pick(COMPANY_ENDS_ZH) if rng.happens(0.6) else "")
    if rng.happens(0.25):
        name = f"{name} {words.made_up(rng)}"
    return name + (f" {rng.pick(COMPANY_ENDS)}" if rng.happens(0.35) else "")


def _place(rng: Draw, zh: bool) -> str:
    name = _name(rng, zh)
    if zh:
        return name + (rng.pick(PLACE_ENDS_ZH) if rng.happens(0.6) else "")
    return f"{name} {rng.pick(PLACE_ENDS)}" if rng.happens(0.5) else name


def _city(rng: Draw, zh: bool) -> str:
    if zh:
        return rng.pick(words.CITIES_ZH) if rng.happens(0.5) else _name(rng, zh)
    return words.city(rng)


def _date(rng: Draw, zh: bool) -> str:
    day, month, year = rng.randint(1, 28), rng.randint(1, 12), rng.randint(1990, 2035)
    if zh:
        return rng.choice((f"{month}月{day}日", f"{year}年{month}月{day}日", rng.choice(DAYS_ZH), "明天", "后天", f"{year}-{month:02d}-{day:02d}"))
    name = MONTHS[month - 1]
    return rng.choice((f"{day} {name}", f"{name} {day}", f"{year}-{month:02d}-{day:02d}", f"{name} {day}, {year}", f"{day} {name} {year}", rng.choice(DAYS), "tomorrow", "next " + rng.choice(DAYS)))


def _time(rng: Draw, zh: bool) -> str:
    hour, minute = rng.randint(0, 23), rng.choice(("00", "15", "30", "45", f"{rng.randint(0, 59):02d}"))
    if zh:
        return rng.choice((f"{hour}:{minute}", f"{rng.choice(('上午', '下午', '晚上'))}{rng.randint(1, 12)}点", f"{rng.randint(1, 12)}点半"))
    return rng.choice((f"{hour}:{minute}", f"{hour:02d}:{minute}", f"{rng.randint(1, 12)} {rng.choice(('am', 'pm'))}", f"{rng.randint(1, 12)}:{minute} {rng.choice(('am', 'pm'))}", f"{rng.randint(1, 12)}{rng.choice(('am', 'pm'))}"))


def _money(rng: Draw, zh: bool) -> str:
    amount = rng.randint(2, 10 ** rng.randint(1, 5) + 2)
    if zh:
        return rng.choice((f"{amount}元", f"{amount}.50元", f"¥{amount}", f"{rng.randint(2, 900)}万元"))
    return rng.choice((f"{amount} euros", f"${amount}", f"{amount}.50 dollars", f"€{amount}", f"£{amount}.99", f"{amount:,} dollars", f"{amount} pounds"))


def _title(rng: Draw, zh: bool) -> str:
    if zh:
        return "".join(rng.pick(words.CHARACTERS_ZH) for _ in range(rng.randint(3, 5)))
    parts = [rng.pick(TITLE_WORDS) if rng.happens(0.7) else words.made_up(rng) for _ in range(rng.randint(1, 3))]
    return ("The " if rng.happens(0.4) else "") + " ".join(parts)


def _topic(rng: Draw, zh: bool) -> str:
    return rng.pick(SUBJECTS_ZH if zh else SUBJECTS) if rng.happens(0.7) else rng.pick(words.TOPICS_ZH if zh else words.TOPICS)


def _range(kind: str, low: int, high: int) -> tuple[int, int]:
    """The numbers of `n(2,12)`."""
    if "(" in kind:
        first, last = kind[kind.index("(") + 1 : -1].split(",")
        return int(float(first)), int(float(last))
    return low, high


def spoken(rng: Draw, kind: str, zh: bool) -> str:
    """A value of a kind, as people write it."""
    plain = kind.split("(")[0].strip()
    if plain in FREE and rng.happens(0.25):
        return any_words(rng, zh)
    match plain:
        case "person":
            return _person(rng, zh)
        case "company":
            return _company(rng, zh)
        case "city":
            return _city(rng, zh)
        case "country":
            return rng.pick(COUNTRIES_ZH if zh else COUNTRIES)
        case "place":
            return _place(rng, zh)
        case "thing":
            return rng.pick(words.THINGS_ZH if zh else words.THINGS)
        case "word":
            return _name(rng, zh) if rng.happens(0.8) else words.made_up(rng).lower()
        case "code":
            return words.code(rng) if rng.happens(0.7) else words.ticker(rng) + str(rng.randint(1, 999))
        case "email":
            return words.email(rng)
        case "url":
            return f"{rng.choice(('https://', 'www.', ''))}{words.made_up(rng).lower()}.{rng.choice(('com', 'org', 'io', 'net'))}{rng.choice(('', '/help', '/' + words.made_up(rng).lower()))}"
        case "phone":
            return rng.choice((f"0{rng.randint(100, 999)} {rng.randint(1000, 999999)}", f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(1000, 99999)}", f"{rng.randint(100, 999)}-{rng.randint(1000, 9999)}"))
        case "date":
            return _date(rng, zh)
        case "time":
            return _time(rng, zh)
        case "day":
            return rng.choice(DAYS_ZH if zh else DAYS)
        case "month":
            return f"{rng.randint(1, 12)}月" if zh else rng.choice(MONTHS)
        case "year":
            return str(rng.randint(1700, 2040))
        case "duration":
            return f"{rng.randint(2, 40)}{rng.choice(UNITS_ZH)}" if zh else f"{rng.randint(2, 40)} {rng.choice(UNITS)}"
        case "money":
            return _money(rng, zh)
        case "n":
            low, high = _range(kind, 2, 10 ** rng.randint(1, 4))
            return str(rng.randint(low, high))
        case "dec":
            low, high = _range(kind, 0, 10 ** rng.randint(1, 3))
            return str(round(rng.uniform(low, high), rng.randint(1, 2)))
        case "percent":
            low, high = _range(kind, 1, 99)
            return f"{rng.randint(low, high)}{rng.choice(('%', '%', ' %' if not zh else '%'))}"
        case "color":
            return rng.pick(COLORS_ZH if zh else words.COLORS)
        case "food":
            return rng.pick(FOODS_ZH if zh else words.FOODS)
        case "animal":
            return rng.pick(ANIMALS_ZH if zh else ANIMALS)
        case "language":
            return rng.pick(LANGUAGES_ZH if zh else words.LANGUAGES)
        case "job":
            return rng.pick(JOBS_ZH if zh else JOBS)
        case "file":
            return f"{rng.choice((words.made_up(rng).lower(), rng.pick(words.THINGS), 'report_' + str(rng.randint(1, 2030))))}.{rng.choice(('csv', 'pdf', 'txt', 'docx', 'xlsx', 'md', 'png', 'json'))}"
        case "topic":
            return _topic(rng, zh)
        case "title":
            return _title(rng, zh)
        case "quote":
            return rng.pick(QUOTES_ZH if zh else QUOTES)
        case "one":
            english, _, chinese = kind[kind.index("(") + 1 : kind.rindex(")")].partition(" / ")
            options = [o.strip() for o in (chinese if zh and chinese else english).split(";") if o.strip()]
            return rng.pick(options)
    raise ValueError(f"no such kind: {kind}")


def filled(rng: Draw, text: str, values: dict[str, str], zh: bool) -> str:
    """The text with its slots filled; new values go into `values`."""

    def value(slot: re.Match[str]) -> str:
        name, kind = slot.groups()
        if name not in values:
            if kind is None:
                return slot.group(0)
            values[name] = spoken(rng, kind, zh)
        return values[name]

    return SLOT.sub(value, text)


def settled(rng: Draw, text: str) -> str:
    """The text with each part in square brackets kept or left out."""
    return OPTIONAL.sub(lambda part: part.group(1) if rng.happens(0.5) else "", text).strip()


def blocks(name: str) -> list[list[str]]:
    """The blocks of a file, as lines; comments are left out."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    return [
        lines
        for block in re.split(r"\n\s*\n", text.strip())
        if (lines := [line.strip() for line in block.split("\n") if line.strip() and not line.startswith("#")])
    ]


@dataclass(frozen=True, slots=True)
class Argument:
    """One argument of a hand-written function."""

    name: str
    is_required: bool
    kind: str
    description: str

    def draw(self, rng: Draw, zh: bool) -> tuple[Any, str]:
        """A value for the call, and as people say it."""
        if self.kind.startswith(("enum:", "bool:")):
            value, said = rng.choice(list(_options(self.kind)))
            english, _, chinese = said.partition("/")
            phrase = rng.choice([p.strip() for p in (chinese if zh and chinese else english).split("|")])
            return (value == "true" if self.kind.startswith("bool") else value), phrase
        if self.kind.startswith("list("):
            items = [spoken(rng, self.kind[5:-1], zh) for _ in range(rng.randint(2, 4))]
            if self.kind.startswith("list(n"):
                return [int(item) for item in items], ", ".join(items)
            joined = ("、" if zh else ", ").join(items[:-1]) + ("和" if zh else " and ") + items[-1]
            return items, joined if rng.happens(0.6) else ", ".join(items)
        said = spoken(rng, self.kind, zh)
        plain = self.kind.split("(")[0]
        if plain == "n":
            number = int(said)
            written = (NUMBERS_ZH if zh else NUMBERS).get(number)
            return number, written if written and rng.happens(0.25) else said
        if plain == "dec":
            return float(said), said
        if plain == "percent":
            return int(said.rstrip("% ")), said
        return said, said

    def schema(self) -> dict[str, Any]:
        """Its JSON schema."""
        plain = self.kind.split("(")[0].split(":")[0]
        made: dict[str, Any] = {
            "n": {"type": "integer"},
            "percent": {"type": "number"},
            "dec": {"type": "number"},
            "bool": {"type": "boolean"},
            "list": {"type": "array", "items": {"type": "integer" if self.kind.startswith("list(n") else "string"}},
        }.get(plain, {"type": "string"})
        if plain == "enum":
            made = {"type": "string", "enum": [value for value, _ in _options(self.kind)]}
        return {**made, "description": self.description} if self.description else made


def _options(kind: str) -> list[tuple[str, str]]:
    """Value and spoken forms of an enum or a boolean."""
    pairs = (part.split("=", 1) for part in kind.split(":", 1)[1].split(";") if "=" in part)
    return [(value.strip(), said.strip()) for value, said in pairs]


@dataclass(frozen=True, slots=True)
class Function:
    """A hand-written function, and how people ask for it."""

    name: str
    says: str
    arguments: tuple[Argument, ...]
    asks: tuple[tuple[str, ...], tuple[str, ...]]  # English, Chinese
    bare: tuple[tuple[str, ...], tuple[str, ...]]
    outputs: tuple[str, ...]

    @property
    def required(self) -> list[str]:
        """The names of the arguments that a call must have."""
        return [a.name for a in self.arguments if a.is_required]


def _function(lines: list[str]) -> Function:
    parts: dict[str, list[str]] = {key: [] for key in ("says", "arg", "en", "zh", "bare", "bare_zh", "out")}
    for line in lines[1:]:
        head, _, rest = line.partition(" ")
        parts[head].append(rest)
    arguments = []
    for line in parts["arg"]:
        name, kind = line.split(" ", 1)
        kind, _, description = kind.rpartition(" | ") if " | " in kind else (kind, "", "")
        arguments.append(Argument(name.rstrip("*"), name.endswith("*"), kind.strip(), description.strip()))
    return Function(
        lines[0].removeprefix("function ").strip(),
        " ".join(parts["says"]),
        tuple(arguments),
        (tuple(parts["en"]), tuple(parts["zh"])),
        (tuple(parts["bare"]), tuple(parts["bare_zh"])),
        tuple(parts["out"]),
    )


@cache
def functions() -> tuple[Function, ...]:
    """All hand-written functions; neighbours are of one domain."""
    return tuple(_function(lines) for file in sorted(FOLDER.glob("functions_*.txt")) for lines in blocks(file.name))


Family = tuple[tuple[str, ...], tuple[str, ...]]  # sentences, questions


@cache
def facts(*, zh: bool) -> tuple[tuple[Family, ...], tuple[str, ...]]:
    """The families of facts, and the sentences that answer nothing."""
    families: list[Family] = []
    fillers: list[str] = []
    for lines in blocks("facts_zh.txt" if zh else "facts_en.txt"):
        if fillers or lines[0] == "FILLERS":
            fillers += [line for line in lines if line != "FILLERS"]
            continue
        if "FILLERS" in lines:
            fillers += lines[lines.index("FILLERS") + 1 :]
            lines = lines[: lines.index("FILLERS")]
        questions = tuple(line[1:].strip() for line in lines if line.startswith("?"))
        families.append((tuple(line for line in lines if not line.startswith("?")), questions))
    return tuple(families), tuple(fillers)


@dataclass(frozen=True, slots=True)
class Intent:
    """What a customer may want: names for it, its entities, messages."""

    names: tuple[str, ...]
    entities: tuple[tuple[tuple[str, ...], str], ...]  # names, kind
    messages: tuple[tuple[str, ...], tuple[str, ...]]


@cache
def domains() -> tuple[tuple[Intent, ...], ...]:
    """The intents of each domain."""
    made: list[tuple[Intent, ...]] = []
    for block in re.split(r"^domain ", (FOLDER / "intents.txt").read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]:
        intents = []
        for part in re.split(r"^intent ", block, flags=re.MULTILINE)[1:]:
            lines = [line.strip() for line in part.split("\n") if line.strip() and not line.startswith("#")]
            entities = []
            for line in lines[1:]:
                if line.startswith("entity "):
                    name, rest = line.removeprefix("entity ").split(" ", 1)
                    kind, *others = re.split(r"\s+\|\s+", rest)
                    entities.append(((name, *(o.strip() for o in others)), kind.strip()))
            messages = tuple(tuple(line[3:] for line in lines if line.startswith(f"{language} ")) for language in ("en", "zh"))
            intents.append(Intent(tuple(n.strip() for n in lines[0].split("|")), tuple(entities), messages))
        made.append(tuple(intents))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Told:
    """Something that people tell of themselves: told, acknowledged, asked for, answered; English and Chinese."""

    kind: str
    tells: tuple[tuple[str, ...], tuple[str, ...]]
    acks: tuple[str, str]
    asks: tuple[tuple[str, ...], tuple[str, ...]]
    answers: tuple[str, str]


@cache
def memories() -> tuple[Told, ...]:
    """The things that people tell."""
    made = []
    for lines in blocks("memory.txt"):
        parts: dict[str, list[str]] = {}
        for line in lines:
            head, _, rest = line.partition(" ")
            parts.setdefault(head, []).append(rest)
        both = [(tuple(parts[key]), tuple(parts[f"{key}_zh"])) for key in ("tell", "ack", "ask", "answer")]
        tells, acks, asks, answers = both
        made.append(Told(parts["kind"][0], tells, (acks[0][0], acks[1][0]), asks, (answers[0][0], answers[1][0])))
    return tuple(made)


@cache
def small_talk(*, zh: bool) -> tuple[tuple[tuple[str, ...], str], ...]:
    """What people say in passing, and the answer."""
    made = []
    for lines in blocks("talk_zh.txt" if zh else "talk_en.txt"):
        asks = tuple(line[2:] for line in lines if line.startswith("? "))
        answers = [line[2:] for line in lines if line.startswith("! ")]
        made.append((asks, answers[0]))
    return tuple(made)


@cache
def unknown(*, zh: bool) -> tuple[str, ...]:
    """Questions that nothing here can answer."""
    return tuple(line for lines in blocks("unknown_zh.txt" if zh else "unknown_en.txt") for line in lines)


@cache
def wordings(*, zh: bool) -> tuple[str, ...]:
    """Ways to ask what `{t}` is."""
    lines = [line for block in blocks("wordings_en.txt") for line in block]
    place = lines.index("ZH")
    return tuple(lines[place + 1 :] if zh else lines[:place])


@cache
def forms() -> dict[str, tuple[str, str, str, str]]:
    """Of each term: short and long, in English; short and long, in Chinese."""
    rows = (line.split("\t") for line in (FOLDER / "glossary_forms.txt").read_text(encoding="utf-8").splitlines())
    return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows if len(row) == 5}
