"""Makes file_search conversations: the search call, results with markers, the sentence that answers, its marker."""

from typing import Any

from training import material, words
from training.draw import Draw

Sample = dict[str, Any]
Fact = tuple[str, str]  # a sentence, a question that it answers

TOOL = {
    "type": "function",
    "function": {
        "name": "file_search",
        "description": "Search the files that the user has uploaded. Cite what you use by its marker, for example 【0:0†source】.",
        "parameters": {
            "type": "object",
            "properties": {"query": {"type": "string", "description": "What to look for."}},
            "required": ["query"],
            "additionalProperties": False,
        },
    },
}
NOT_FOUND, NOT_FOUND_ZH = "The files do not say that.", "文件里没有提到。"
NO_RESULTS = "No results."
NOT_IN_TEXT, NOT_IN_TEXT_ZH = "The text does not say that.", "文中没有提到。"
READ = ("{t}\n\n{q}", "{t}\n{q}", "{t} {q}", "Here is a text:\n{t}\n\n{q}", "Text: {t}\nQuestion: {q}", "{q}\n\n{t}", "Read this: {t}\n{q}", "Given: {t}\n{q}", "Notes:\n{t}\n\nAnswer this: {q}", "{q} Here is what I know: {t}")
READ_ZH = ("{t}\n\n{q}", "{t}\n{q}", "文字：{t}\n问题：{q}", "请看这段话：{t}\n{q}", "{q}\n\n{t}", "资料如下：{t}\n请问{q}", "已知：{t}\n{q}", "阅读：{t}\n\n{q}", "{t}\n根据上文，{q}", "{q}\n参考：{t}")

# Slots: e a made-up name, p a person, c a city, n a number, m money, d a date, h a time, w a thing, k a colour, x a code.
# The slots in braces with a capital (E, P, C, W) are what the question asks with; each family has its sentence first.
FAMILIES = (
    (
        "Staff at {E} get {n} days of holiday a year.",
        "How many days of holiday do staff at {E} get?",
        "How much holiday does {E} give?",
    ),
    (
        "The {E} office closes at {h}.",
        "When does the {E} office close?",
        "At what time does the {E} office close?",
    ),
    ("A {W} from {E} costs {m}.", "How much is a {W} from {E}?", "What does a {W} from {E} cost?"),
    ("{E} was founded in {y} by {P}.", "Who founded {E}?", "When was {E} founded?"),
    ("The capital of {E} is {e}.", "What is the capital of {E}?", "Which city is the capital of {E}?"),
    ("{P} is the manager of the {E} team.", "Who is the manager of the {E} team?", "Who manages {E}?"),
    (
        "The {E} bridge is {n} metres long.",
        "How long is the {E} bridge?",
        "What is the length of the {E} bridge?",
    ),
    (
        "Returns of {E} products are accepted within {n} days.",
        "Within how many days can I return {E} products?",
        "How long can I return something to {E}?",
    ),
    (
        "The password of the {E} network is {x}.",
        "What is the password of the {E} network?",
        "How do I log in to the {E} network?",
    ),
    (
        "The {E} train to {C} leaves from platform {n}.",
        "From which platform does the {E} train to {C} leave?",
        "Where does the train to {C} leave?",
    ),
    ("The {W} of {P} is {k}.", "What colour is the {W} of {P}?", "Which colour does the {W} of {P} have?"),
    (
        "{P} lives in {c} and works for {e}.",
        "Where does {P} live?",
        "For whom does {P} work?",
        "In which city does {P} live?",
    ),
    (
        "The meeting about {E} takes place on {d}.",
        "When is the meeting about {E}?",
        "On which day is the {E} meeting?",
    ),
    (
        "The warranty of the {E} {W} lasts {n} months.",
        "How long is the warranty of the {E} {W}?",
        "How many months of warranty does the {E} {W} have?",
    ),
    (
        "The {E} museum is open from {h} to {h2}.",
        "When is the {E} museum open?",
        "What are the opening hours of the {E} museum?",
    ),
    (
        "Shipping to {C} takes {n} days.",
        "How long does shipping to {C} take?",
        "How many days does it take to ship to {C}?",
    ),
    (
        "The project {E} has a budget of {m}.",
        "What is the budget of {E}?",
        "How much money does the project {E} have?",
    ),
    (
        "To restart the {E} {W}, press the {k} button for {n} seconds.",
        "How do I restart the {E} {W}?",
        "How can the {E} {W} be restarted?",
    ),
    (
        "The {E} plan includes {n} gigabytes of storage.",
        "How much storage does the {E} plan include?",
        "How many gigabytes are in the {E} plan?",
    ),
    ("{P} wrote the book {e} in {y}.", "Which book did {P} write?", "What did {P} write?"),
    (
        "The lake of {E} is {n} metres deep.",
        "How deep is the lake of {E}?",
        "What is the depth of the lake of {E}?",
    ),
    (
        "Support for {E} can be reached at {mail}.",
        "How can I reach the support for {E}?",
        "What is the mail address of the {E} support?",
    ),
    (
        "The {E} engine needs {n} litres of oil.",
        "How much oil does the {E} engine need?",
        "How many litres of oil does the {E} engine take?",
    ),
    (
        "The key of the {W} room is kept by {P}.",
        "Who keeps the key of the {W} room?",
        "Who has the key of the {W} room?",
    ),
    (
        "{E} has {n} inhabitants and lies north of {c}.",
        "How many inhabitants does {E} have?",
        "How many people live in {E}?",
        "Where does {E} lie?",
    ),
    (
        "The recipe for {E} soup needs {n} grams of {w2}.",
        "What do I need for {E} soup?",
        "How much {w2} is in {E} soup?",
    ),
    (
        "The {E} contract ends on {d}.",
        "When does the {E} contract end?",
        "What is the end date of the {E} contract?",
    ),
    (
        "Employees must report {W} damage to {P} within {n} hours.",
        "To whom must {W} damage be reported?",
        "Who should hear about {W} damage?",
    ),
    (
        "The {E} server runs on port {n}.",
        "On which port does the {E} server run?",
        "What is the port of the {E} server?",
    ),
    (
        "The maximum weight of the {E} {W} is {n} kilograms.",
        "What is the maximum weight of the {E} {W}?",
        "How heavy may the {E} {W} be?",
    ),
    (
        "Children under {n} enter the {E} park for free.",
        "Who enters the {E} park for free?",
        "Is the {E} park free for children?",
    ),
    (
        "The invoice {X} was paid by {p} on {d}.",
        "Who paid the invoice {X}?",
        "When was the invoice {X} paid?",
    ),
    (
        "{P} won the {E} prize in {y}.",
        "Who won the {E} prize?",
        "Which prize did {P} win?",
        "When did {P} win the {E} prize?",
    ),
    (
        "The {E} river flows through {c}.",
        "Through which city does the {E} river flow?",
        "Where does the {E} river flow?",
    ),
    (
        "Parking at {E} is free after {h}.",
        "When is parking at {E} free?",
        "From what time is parking at {E} free?",
    ),
    (
        "The {W} department is on floor {n}.",
        "On which floor is the {W} department?",
        "Where is the {W} department?",
    ),
    (
        "The emergency number of {E} is {n}.",
        "What is the emergency number of {E}?",
        "Which number do I call in an emergency at {E}?",
    ),
    (
        "Members of {E} receive a discount of {n} percent.",
        "What discount do members of {E} receive?",
        "How much discount do {E} members get?",
    ),
    (
        "The {E} is a {k} bird that eats {w2}.",
        "What does the {E} eat?",
        "What is the {E}?",
        "What colour is the {E}?",
    ),
    ("The deadline for {E} is {d}.", "What is the deadline for {E}?", "When must {E} be finished?"),
)
FAMILIES_ZH = (
    ("{E}的员工每年有{n}天假期。", "{E}的员工每年有多少天假期？", "{E}的假期有几天？"),
    ("{E}办公室{h}关门。", "{E}办公室几点关门？", "{E}办公室什么时候关门？"),
    ("{E}的{W}售价{n}元。", "{E}的{W}多少钱？", "{E}的{W}卖多少元？"),
    ("{E}由{P}于{y}年创立。", "谁创立了{E}？", "{E}是哪一年创立的？"),
    ("{E}的首都是{c}。", "{E}的首都是哪里？", "哪个城市是{E}的首都？"),
    ("{P}是{E}团队的经理。", "谁是{E}团队的经理？", "{E}团队由谁管理？"),
    ("{E}大桥长{n}米。", "{E}大桥有多长？", "{E}大桥长多少米？"),
    ("{E}的商品可以在{n}天内退货。", "{E}的商品几天内可以退货？", "{E}的退货期限是多久？"),
    ("{E}网络的密码是{x}。", "{E}网络的密码是什么？", "怎么登录{E}网络？"),
    ("去{C}的火车从{n}号站台出发。", "去{C}的火车从几号站台出发？", "去{C}的火车在哪里上车？"),
    ("{P}住在{c}，在{e}工作。", "{P}住在哪里？", "{P}在哪里工作？"),
    ("关于{E}的会议在{d}举行。", "关于{E}的会议什么时候举行？", "{E}会议在哪一天？"),
    ("{E}{W}的保修期是{n}个月。", "{E}{W}的保修期多长？", "{E}{W}保修几个月？"),
    ("{E}博物馆{h}开放。", "{E}博物馆几点开放？", "{E}博物馆什么时候开门？"),
    ("寄到{C}需要{n}天。", "寄到{C}需要多久？", "寄到{C}要几天？"),
    ("{E}项目的预算是{n}万元。", "{E}项目的预算是多少？", "{E}项目有多少钱？"),
    ("{P}在{y}年写了《{e}》。", "{P}写了什么书？", "{P}写了什么？"),
    ("{E}湖深{n}米。", "{E}湖有多深？", "{E}湖深多少米？"),
    ("{E}的客服邮箱是{mail}。", "怎么联系{E}的客服？", "{E}的客服邮箱是什么？"),
    ("{E}有{n}万人口。", "{E}有多少人口？", "{E}的人口是多少？"),
    ("{E}合同在{d}到期。", "{E}合同什么时候到期？", "{E}合同的到期日是哪天？"),
    ("{E}服务器使用端口{n}。", "{E}服务器使用哪个端口？", "{E}服务器的端口是多少？"),
    ("{W}部在{n}楼。", "{W}部在几楼？", "{W}部在哪里？"),
    ("{E}的会员享受{n}%的折扣。", "{E}的会员有多少折扣？", "{E}会员打几折？"),
    ("{P}在{y}年获得了{E}奖。", "谁获得了{E}奖？", "{P}获得了什么奖？"),
)
ATTRIBUTES = ["price", "colour", "weight", "length", "height", "width", "owner", "author", "director", "address", "phone", "code", "number", "name", "size", "speed", "capacity", "temperature", "pressure", "voltage", "version", "license", "status", "priority", "category", "supplier", "origin", "destination", "budget", "deadline", "location", "language", "currency", "population", "area", "depth", "age", "rank", "score", "limit", "fee", "salary", "rent", "deposit", "discount", "tax", "duration", "distance", "frequency", "power", "material", "shape", "brand", "model", "serial", "format"]
ATTRIBUTES_ZH = ["价格", "颜色", "重量", "长度", "高度", "宽度", "主人", "作者", "导演", "地址", "电话", "编号", "名称", "大小", "速度", "容量", "温度", "压力", "电压", "版本", "状态", "类别", "供应商", "产地", "目的地", "预算", "截止日期", "位置", "语言", "货币", "人口", "面积", "深度", "年龄", "排名", "分数", "费用", "工资", "租金", "押金", "折扣", "时长", "距离", "功率", "材料", "形状", "品牌", "型号", "格式"]
# base, third person, past, the particle before its object
VERBS = tuple(
    tuple(v.split())
    for v in ["open opens opened", "close closes closed", "start starts started", "end ends ended", "arrive arrives arrived", "leave leaves left", "meet meets met", "begin begins began", "stop stops stopped", "return returns returned", "launch launches launched", "expire expires expired", "land lands landed", "depart departs departed", "run runs ran", "renew renews renewed", "finish finishes finished", "ship ships shipped", "appear appears appeared", "update updates updated"]
)
ACTIONS = tuple(
    tuple(v.split())
    for v in ["sell sells sold", "build builds built", "make makes made", "buy buys bought", "use uses used", "grow grows grew", "repair repairs repaired", "import imports imported", "design designs designed", "teach teaches taught", "collect collects collected", "study studies studied", "paint paints painted", "own owns owned", "need needs needed", "produce produces produced", "offer offers offered", "deliver delivers delivered", "store stores stored", "rent rents rented"]
)
VERBS_ZH = ["开门", "关门", "开始", "结束", "出发", "到达", "返回", "停止", "更新", "关闭", "打烊", "集合"]
SUBJECTS = ["office", "shop", "library", "pool", "gym", "clinic", "school", "bakery", "station", "garden", "theatre", "factory", "course", "conference", "festival", "market", "archive", "laboratory", "bus", "ferry"]
SUBJECTS_ZH = ["办公室", "商店", "图书馆", "游泳池", "健身房", "诊所", "学校", "面包店", "车站", "花园", "剧院", "工厂", "课程", "大会", "市场", "档案馆", "实验室", "食堂", "渡轮", "仓库"]
FILLERS = (
    "This document was last changed on {d}.",
    "Please read it with care.",
    "Further details follow in the next section.",
    "The team of {e} thanks all readers.",
    "See also the notes about {e}.",
    "Everything else stays as it was.",
    "Questions are welcome.",
    "The following rules apply to everyone.",
    "Some of this may change in {y}.",
    "More can be found in the appendix.",
    "We hope that this helps.",
    "{e} and {e2} are not covered here.",
    "Chapter {n}: {e}",
    "# {e}",
    "Notes about {e} and {w}",
)
FILLERS_ZH = (
    "本文件最后修改于{d}。",
    "请仔细阅读。",
    "详情见下一节。",
    "以下规定适用于所有人。",
    "其他内容不变。",
    "欢迎提问。",
    "更多内容见附录。",
    "部分内容可能在{y}年调整。",
    "参见关于{e}的说明。",
    "第{n}章：{e}",
)
FILE_WORDS = ["handbook", "prices", "notes", "manual", "report", "guide", "rules", "contract", "menu", "catalogue", "minutes", "faq", "policy", "travel", "staff", "history", "plan", "readme", "overview", "letter"]
EXTENSIONS = ["md", "txt", "pdf", "docx", "html", "json", "csv", "tex"]
LEADS = (
    "{q}",
    "{q}",
    "{q}",
    "According to the files: {q}",
    "Look in my files: {q}",
    "Please check the documents. {q}",
    "I need to know: {q}",
    "Search the files. {q}",
    "From the document: {q}",
    "Can you tell me? {q}",
)
LEADS_ZH = (
    "{q}",
    "{q}",
    "{q}",
    "根据文件，{q}",
    "请查一下文件：{q}",
    "在文档里找找，{q}",
    "请问{q}",
    "看看我的文件：{q}",
    "我想知道，{q}",
    "根据资料，{q}",
)
SYSTEMS = (
    "You are a helpful assistant.",
    "Answer from the files.",
    "Use the uploaded files to answer.",
    "You answer questions about our documents.",
    "Use file_search and cite your sources.",
    "You help employees to find things in the handbook.",
    "You are a research assistant.",
    "Answer with citations.",
    "请根据文件回答。",
    "You are a customer support bot. Use the files.",
)
MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November", "December"]


def slots(rng: Draw, zh: bool) -> dict[str, str]:
    """A value for every slot; names are mostly made up, so that they can only be copied."""

    def name() -> str:
        roll = rng.random()
        if zh and roll < 0.6:
            return (
                rng.pick(words.CITIES_ZH)
                if roll < 0.2
                else "".join(rng.pick(words.CHARACTERS_ZH) for _ in range(rng.randint(2, 3)))
            )
        if roll < 0.25:
            return f"{words.made_up(rng)} {words.made_up(rng)}"
        return words.made_up(rng) if roll < 0.85 else words.code(rng)

    person = (
        rng.pick(words.NAMES_ZH)
        if zh
        else words.person(rng) + (f" {words.made_up(rng)}" if rng.happens(0.5) else "")
    )
    thing = rng.pick(words.THINGS_ZH if zh else words.THINGS)
    place = rng.pick(words.CITIES_ZH) if zh else rng.choice([rng.pick(words.CITIES), words.made_up(rng)])
    day = rng.randint(1, 28)
    date = (
        f"{rng.randint(1, 12)}月{day}日"
        if zh
        else rng.choice(
            [
                f"{day} {rng.choice(MONTHS)}",
                f"{rng.choice(MONTHS)} {day}",
                f"{rng.randint(2020, 2030)}-{rng.randint(1, 12):02d}-{day:02d}",
                rng.choice(["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]),
            ]
        )
    )
    amount = rng.randint(2, 10 ** rng.randint(1, 4) + 2)
    hour = f"{rng.randint(0, 23)}:{rng.choice(['00', '15', '30', '45'])}"
    entity, other = name(), name()
    return {"E": entity, "e": other, "e2": name(), "P": person, "p": words.person(rng), "C": place, "c": place if zh else words.city(rng), "n": str(amount), "m": rng.choice([f"{amount} euros", f"${amount}", f"{amount}.50 dollars", f"{amount} {words.made_up(rng).lower()}"]), "d": date, "h": hour, "h2": f"{rng.randint(0, 23)}:00", "W": thing, "w": rng.pick(words.THINGS), "w2": rng.pick(words.FOODS), "k": rng.pick(words.COLORS), "x": words.code(rng), "X": words.code(rng), "y": str(rng.randint(1500, 2026)), "mail": words.email(rng)}  # fmt: skip


def written(rng: Draw, zh: bool) -> tuple[str, str, list[str]]:
    """A sentence of the hand-written families, a question that it answers, and sentences of the same form about something else."""
    sentences, questions = rng.pick(material.facts(zh=zh)[0])
    question, sentence = rng.choice(questions), rng.choice(sentences)
    near = []
    for _ in range(1 + (rng.choice([0, 0, 1, 2]) if material.SLOT.search(question) else 0)):
        values: dict[str, str] = {}
        for text in sentences:  # the kinds stand where a slot comes first
            material.filled(rng, text, values, zh)
        near.append((material.filled(rng, sentence, values, zh), material.filled(rng, question, values, zh)))
    (told, ask), *rest = near
    return told, ask, [other for other, same in rest if same != ask]


def filler(rng: Draw, zh: bool) -> str:
    """A sentence that answers nothing."""
    if rng.happens(0.5):
        return rng.pick(FILLERS_ZH if zh else FILLERS).format(**slots(rng, zh))
    return material.filled(rng, rng.pick(material.facts(zh=zh)[1]), {}, zh)


def fact(rng: Draw, zh: bool) -> Fact:
    """A sentence and a question about it."""
    if rng.happens(0.5):
        return written(rng, zh)[:2]
    v = slots(rng, zh)
    roll = rng.random()
    if zh:
        if roll < 0.55:
            family = rng.pick(FAMILIES_ZH)
            return family[0].format(**v), rng.choice(family[1:]).format(**v)
        attribute, value = rng.pick(ATTRIBUTES_ZH), rng.choice([v["e"], v["n"], v["x"], v["c"], v["W"]])
        sentence = rng.pick(
            [
                "{e}的{a}是{v}。",
                "{e}的{a}为{v}。",
                "{a}：{v}（{e}）",
                "关于{e}，{a}是{v}。",
                "{e}：{a}是{v}。",
            ]
        ).format(e=v["E"], a=attribute, v=value)
        return sentence, rng.pick(
            ["{e}的{a}是什么？", "{e}的{a}是多少？", "{e}的{a}？", "请告诉我{e}的{a}。", "我想知道{e}的{a}"]
        ).format(e=v["E"], a=attribute)
    if roll < 0.4:
        family = rng.pick(FAMILIES)
        return family[0].format(**v), rng.choice(family[1:]).format(**v)
    if roll < 0.65:
        attribute, value = (
            rng.pick(ATTRIBUTES),
            rng.choice([v["e"], v["n"], v["x"], v["c"], v["P"], v["k"], v["d"], v["m"]]),
        )
        sentence = rng.pick(
            [
                "The {a} of {e} is {v}.",
                "{e} has the {a} {v}.",
                "The {a} of the {e} is {v}.",
                "{e}: {a} {v}.",
                "For {e}, the {a} is {v}.",
                "{A} of {e}: {v}.",
                "{e}'s {a} is {v}.",
                "As {a} of {e}, {v} was chosen.",
                "We set the {a} of {e} to {v}.",
                "The {e} {a} is {v}.",
            ]
        ).format(a=attribute, A=attribute.capitalize(), e=v["E"], v=value)
        ask = rng.pick(
            [
                "What is the {a} of {e}?",
                "What {a} does {e} have?",
                "Which {a} does the {e} have?",
                "Tell me the {a} of {e}",
                "What's the {e} {a}?",
                "What is {e}'s {a}?",
                "{e} {a}?",
                "Give me the {a} of {e}.",
                "Do you know the {a} of {e}?",
                "what is the {a} for {e}",
            ]
        )
        return sentence, ask.format(a=attribute, e=v["E"])
    if roll < 0.82:
        (base, third, past), subject = rng.pick(VERBS), rng.pick(SUBJECTS)
        subject = rng.choice(
            [f"The {subject}", f"The {v['E']} {subject}", f"The {subject} in {v['C']}", v["E"]]
        )
        low = subject[:1].lower() + subject[1:] if subject.startswith("The ") else subject
        when = rng.choice(
            [f"at {v['h']}", f"on {v['d']}", f"in {v['y']}", f"at {v['h']} on {v['d']}", f"every {v['d']}"]
        )
        if rng.happens(0.4):
            return f"{subject} {past} {when}.", rng.choice(
                [f"When did {low} {base}?", f"At what time did {low} {base}?", f"When has {low} {past}?"]
            )
        sentence = rng.choice(
            [
                f"{subject} {third} {when}.",
                f"{subject} always {third} {when}.",
                f"{when.capitalize()} {low} {third}.",
            ]
        )
        return sentence, rng.choice(
            [
                f"When does {low} {base}?",
                f"What time does {low} {base}?",
                f"On which day does {low} {base}?",
                f"when will {low} {base}",
            ]
        )
    (base, third, past), who = rng.pick(ACTIONS), rng.choice([v["P"], v["E"]])
    what = rng.choice([f"{v['k']} {v['W']}s", f"{v['n']} {v['W']}s", f"the {v['e']}", f"{v['w2']}"])
    if rng.happens(0.4):
        return f"{who} {past} {what} in {v['y']}.", rng.choice(
            [f"What did {who} {base}?", f"Who {past} {what}?", f"When did {who} {base} {what}?"]
        )
    return f"{who} {third} {what} in {v['c']}.", rng.choice(
        [f"What does {who} {base}?", f"Where does {who} {base} {what}?", f"Who {third} {what}?"]
    )


def results(rng: Draw, zh: bool, wanted: str | None, near: list[str]) -> tuple[str, str]:
    """The tool's message, and the marker of the chunk that holds `wanted` ('' for none)."""
    chunks = rng.choice([1, 1, 2, 2, 3, 3, 4])
    size = rng.choice([1, 1, 2, 3]) if chunks > 2 else rng.choice([1, 1, 2, 4, 7])
    if rng.happens(0.06):
        chunks = rng.randint(1, 8)
        size = rng.randint(10, 40) // chunks
    made: list[list[str]] = []
    for _ in range(chunks):
        lines = []
        for _ in range(rng.randint(1, size)):
            lines.append(
                filler(rng, zh)
                if rng.happens(0.35)
                else fact(rng, zh)[0]
            )
        made.append(lines)
    for line in near:
        lines = rng.choice(made)
        lines.insert(rng.randint(0, len(lines)), line)
    place = rng.randrange(chunks)
    if wanted is not None:
        made[place].insert(rng.randint(0, len(made[place])), wanted)
    first = rng.randint(0, 12)
    joint = rng.choice(["\n", " ", " ", " "]) if not zh else rng.choice(["\n", "", ""])
    name = rng.pick(FILE_WORDS)
    text = []
    for number, lines in enumerate(made):
        if rng.happens(0.5):
            name = rng.choice(
                [
                    rng.pick(FILE_WORDS),
                    words.made_up(rng).lower(),
                    f"{rng.pick(FILE_WORDS)}-{rng.randint(1, 2030)}",
                ]
            )
        text.append(f"【{first}:{number}†source】 {name}.{rng.pick(EXTENSIONS)}\n" + joint.join(lines))
    return "\n\n".join(text), f"【{first}:{place}†source】" if wanted is not None else ""


def query_of(question: str) -> str:
    """What to search for: the question's own words without its mark."""
    return question.rstrip("?.？。 ")


def _near(rng: Draw, zh: bool, sentence: str, question: str) -> list[str]:
    """Sentences of the same form about something else."""
    found = []
    for _ in range(rng.choice([0, 0, 1, 2])):
        state = rng.getstate()
        for _ in range(40):
            other, _ = fact(rng, zh)
            if other[:8] == sentence[:8] or other.split()[-3:-1] == sentence.split()[-3:-1]:
                found.append(other)
                break
        else:
            rng.setstate(state)
            rng.random()
    return [line for line in found if line != sentence]


def twins(rng: Draw, zh: bool) -> tuple[str, str, list[str]]:
    """A sentence, its question, and sentences of the same thing that answer something else, often with a value that looks alike."""
    v = slots(rng, zh)
    roll = rng.random()
    if zh and roll < 0.6:
        values = _alike(rng, _value(rng, zh))
        told = [(f"{v['E']}的{a}是{value}。", f"{v['E']}的{a}是什么？") for a, value in zip(_two(rng, ATTRIBUTES_ZH), values, strict=False)]
    elif zh:
        subject, values = rng.choice([v["E"], v["E"] + rng.pick(SUBJECTS_ZH), rng.pick(SUBJECTS_ZH)]), _alike(rng, v["h"])
        told = [(f"{subject}{value}{verb}。", rng.choice([f"{subject}几点{verb}？", f"{subject}什么时候{verb}？"])) for verb, value in zip(_two(rng, VERBS_ZH), values, strict=False)]
    elif roll < 0.6:
        subject = rng.pick(SUBJECTS)
        subject = rng.choice([f"The {subject}", f"The {subject}", f"The {v['E']} {subject}", v["E"]])
        low = subject[:1].lower() + subject[1:] if subject.startswith("The ") else subject
        at, values = ("at", _alike(rng, v["h"])) if rng.happens(0.67) else ("on", _alike(rng, v["d"]))
        told = [
            (f"{subject} {third} {at} {value}.", rng.choice([f"When does {low} {base}?", f"What time does {low} {base}?", f"when will {low} {base}"]))
            for (base, third, _), value in zip(_two(rng, VERBS), values, strict=False)
        ]
    else:
        values = _alike(rng, _value(rng, zh))
        told = [(f"The {a} of {v['E']} is {value}.", rng.choice([f"What is the {a} of {v['E']}?", f"What's the {v['E']} {a}?"])) for a, value in zip(_two(rng, ATTRIBUTES), values, strict=False)]
    rng.shuffle(told)
    (sentence, question), *others = told
    return sentence, question, [other for other, _ in others]


def _alike(rng: Draw, value: str) -> list[str]:
    """The value and two others; of numbers some begin or end alike, as 8:00 and 18:30 do."""
    numbers = material.NUMBER.findall(value)
    made = [value]
    while len(made) < 3:
        other = value
        for number in numbers:
            new = rng.choice([number, "1" + number, number[1:] or "7", number + rng.choice("0123456789"), str(rng.randint(0, 99)), number[:-1] + rng.choice("0123456789")])
            other = other.replace(number, new, 1)
        if ":" in value and value[0].isdigit():
            hour, minutes = int(value.split(":")[0]), rng.choice(["00", "15", "30", "45", "10", "20", "40", "50"])
            other = f"{rng.choice([(hour + 10) % 24, (hour + 10) % 20, rng.randint(0, 23)])}:{minutes}"
        if not numbers:
            other = words.made_up(rng)
        if other not in made or rng.happens(0.05):
            made.append(other)
    return made


def _two(rng: Draw, options: Any) -> list[Any]:
    """Two or three of them, no two alike."""
    chosen: list[Any] = []
    while len(chosen) < rng.choice([2, 2, 3]):
        if (one := rng.pick(options)) not in chosen:
            chosen.append(one)
    return chosen


def _value(rng: Draw, zh: bool) -> str:
    v = slots(rng, zh)
    return str(rng.choice([v["e"], v["n"], v["x"], v["c"], v["W"]]))


def turn(rng: Draw, zh: bool, number: int = 0) -> list[dict[str, Any]]:
    """Question, search, results, answer."""
    others: list[str] | None = None
    if rng.happens(0.3):
        sentence, question, others = twins(rng, zh)
    elif rng.happens(0.6):
        sentence, question, others = written(rng, zh)
    else:
        sentence, question = fact(rng, zh)
    ask = rng.pick(LEADS_ZH if zh else LEADS).format(q=question)
    roll = rng.random()
    near = []
    if roll < 0.14:
        found, answer = (
            results(rng, zh, None, _near(rng, zh, sentence, question) if others is None else others)[0],
            NOT_FOUND_ZH if zh else NOT_FOUND,
        )
    elif roll < 0.19:
        found, answer = NO_RESULTS, NOT_FOUND_ZH if zh else NOT_FOUND
    else:
        near = _near(rng, zh, sentence, question) if others is None else others
        found, marker = results(rng, zh, sentence, near)
        answer = sentence + marker
    call = {
        "id": f"call_{number}",
        "type": "function",
        "function": {"name": "file_search", "arguments": {"query": query_of(question)}},
    }
    return [
        {"role": "user", "content": ask},
        {"role": "assistant", "content": "", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": call["id"], "content": found},
        {"role": "assistant", "content": answer},
    ]


def grounded(rng: Draw) -> Sample:
    """One or two questions to the files."""
    zh = rng.happens(0.35)
    messages = turn(rng, zh)
    if rng.happens(0.2):
        messages += turn(rng, zh, 1)
    if rng.happens(0.5):
        messages.insert(0, {"role": "system", "content": rng.pick(SYSTEMS)})
    return {"tools": [TOOL], "messages": messages, "skill": "files", "zh": zh}


def reading(rng: Draw) -> Sample:
    """A text in the user's own message and several questions about it: which sentence answers, without a search."""
    zh = rng.happens(0.35)
    facts: list[Fact] = []
    while len(facts) < rng.choice([2, 3, 4, 5, 6, 8]):
        if rng.happens(0.4):
            sentence, question, others = twins(rng, zh)
            facts += [(sentence, question), *((other, "") for other in others)]
        else:
            facts.append(fact(rng, zh))
    lines = [sentence for sentence, _ in facts] + [filler(rng, zh) for _ in range(rng.choice([0, 0, 1, 2]))]
    rng.shuffle(lines)
    text = (rng.choice(["\n", "", ""]) if zh else rng.choice(["\n", " ", " "])).join(lines)
    asked = [(question, sentence) for sentence, question in facts if question]
    rng.shuffle(asked)
    messages: list[dict[str, Any]] = []
    for question, sentence in asked[: rng.randint(2, 6)]:
        if rng.happens(0.12):
            other = twins(rng, zh) if rng.happens(0.5) else fact(rng, zh)
            if other[0] not in lines:
                question, sentence = other[1], NOT_IN_TEXT_ZH if zh else NOT_IN_TEXT
        messages += [{"role": "user", "content": question}, {"role": "assistant", "content": sentence}]
    if rng.happens(0.3):
        order = rng.choice(["根据下面的文字回答：\n", "资料：\n", "只根据这些内容回答。\n"] if zh else ["Answer from this text:\n", "Context:\n", "You answer questions about this text.\n\n"])
        messages.insert(0, {"role": "system", "content": order + text})
    else:
        lead = rng.pick(READ_ZH if zh else READ)
        messages[0] = {"role": "user", "content": lead.format(t=text, q=messages[0]["content"])}
    return {"messages": messages, "skill": "reading", "zh": zh}


def copied(rng: Draw) -> Sample:
    """Whole sentences said again: the copying under every grounded answer."""
    zh = rng.happens(0.4)
    text = " ".join(fact(rng, zh)[0] for _ in range(rng.randint(1, 3)))
    order = rng.pick(
        ["重复：", "请重复：", "跟我说：", "复述：", "照抄："]
        if zh
        else ["Repeat: ", "Say again: ", "Please repeat: ", "Copy this: ", "Echo "]
    )
    return {
        "messages": [{"role": "user", "content": order + text}, {"role": "assistant", "content": text}],
        "skill": "repeat",
        "zh": zh,
    }
