"""Everyday problems for code_interpreter, one row a kind: wordings, values, a line of Python, the answer that tells its output."""

import contextlib
import io
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from training import words
from training.draw import Draw

Turn = tuple[str, str, str, str]  # question, code, what the session prints, answer
Values = dict[str, str]


class Problem(NamedTuple):
    """A kind of problem. `{v}` in answers is what Python printed."""

    asks: tuple[str, ...]
    asks_zh: tuple[str, ...]
    draw: Callable[[Draw], Values]
    code: str
    answer: str
    answer_zh: str


@lru_cache(maxsize=4096)
def printed(code: str) -> str:
    """What CPython prints for our own code."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        exec(code, {})
    return out.getvalue().rstrip("\n")


def number(rng: Draw, most: int = 5) -> str:
    """A whole number of one to `most` digits, now and then a decimal one."""
    top = 10 ** rng.randint(1, most)
    return str(rng.randint(2, top + 1)) if rng.happens(0.75) else str(round(rng.uniform(1, top), rng.randint(1, 2)))


def whole(rng: Draw, low: int, high: int) -> str:
    return str(rng.randint(low, high))


def price(rng: Draw) -> str:
    return f"{rng.uniform(0.5, 10 ** rng.randint(1, 3)):.2f}"


def percent(rng: Draw) -> str:
    return whole(rng, 1, 99) if rng.happens(0.8) else str(round(rng.uniform(1, 30), 1))


def two(rng: Draw) -> Values:
    return {"a": number(rng), "b": number(rng, 3)}


def day(rng: Draw) -> date:
    return date(rng.randint(1950, 2035), rng.randint(1, 12), rng.randint(1, 28))


def one_day(rng: Draw) -> Values:
    made = day(rng)
    return {"d": made.isoformat(), "y": str(made.year), "m": str(made.month), "t": str(made.day), "n": whole(rng, 2, 400)}


def two_days(rng: Draw) -> Values:
    first = day(rng)
    last = first + timedelta(days=rng.randint(2, 900))
    return {"d": first.isoformat(), "e": last.isoformat()}


def listed(rng: Draw) -> Values:
    top = 10 ** rng.randint(1, 3)
    values = [rng.randint(1, top) for _ in range(rng.randint(4, 8))]
    plain = ", ".join(map(str, values))
    return {"l": rng.choice((plain, f"[{plain}]", " ".join(map(str, values)))), "c": plain, "n": str(rng.randint(1, top))}


def word(rng: Draw) -> Values:
    made = rng.choice((words.made_up(rng).lower(), rng.pick(words.THINGS), rng.pick(words.TOPICS)))
    return {"w": made, "k": rng.choice(made.replace(" ", ""))}


def wordlist(rng: Draw) -> Values:
    made = [rng.choice((words.made_up(rng).lower(), rng.pick(words.THINGS).split()[0])) for _ in range(rng.randint(3, 6))]
    return {"l": ", ".join(made), "c": ", ".join(f"'{one}'" for one in made)}


def goods(rng: Draw) -> Values:
    return {"a": whole(rng, 2, 40), "p": price(rng), "b": whole(rng, 2, 40), "q": price(rng), "x": rng.pick(words.THINGS), "z": rng.pick(words.FOODS)}


def dice(rng: Draw) -> Values:
    high = rng.randint(4, 60)
    return {"n": str(high), "k": str(rng.randint(2, min(high - 1, 9)))}


def speed(rng: Draw) -> Values:
    return {"a": number(rng, 4), "b": whole(rng, 2, 24), "c": whole(rng, 2, 90)}


DAY = "import datetime\nprint("
MATH = "import math\nprint("
STATISTICS = "import statistics\nprint(statistics."

PROBLEMS = (
    Problem(
        ("What is {p}% of {a}?", "How much is {p} percent of {a}?", "{p}% of {a}", "Take {p} percent of {a}.", "what's {p} % of {a} please", "I get {p}% of {a}, how much is that?", "Calculate {p} per cent of {a}", "Of {a}, {p}% are red. How many is that?"),
        ("{a}的{p}%是多少？", "百分之{p}的{a}是多少？", "计算{a}的{p}%", "{a}的百分之{p}等于几？", "算一下{a}的{p}%"),
        lambda rng: {"p": percent(rng), "a": number(rng)}, "print(round({a} * {p} / 100, 2))", "{p}% of {a} is {v}.", "{a} 的 {p}% 是 {v}。",
    ),
    Problem(
        ("A {x} costs {a} dollars and is reduced by {p}%. What do I pay?", "What is {a} with a discount of {p}%?", "{p}% off {a}, what's the price?", "Price {a}, discount {p} percent: what remains?", "I have a {p}% coupon for something that costs {a}. New price?", "How much is {a} after {p}% off?", "Reduce {a} by {p} percent", "what will {a} euros be with {p} % discount"),
        ("原价{a}元，打折{p}%后多少钱？", "{a}减去{p}%是多少？", "{a}元优惠{p}%，要付多少？", "{a}降价{p}%后的价格", "有{p}%的优惠券，{a}元的东西付多少钱？"),
        lambda rng: {"p": percent(rng), "a": number(rng), "x": rng.pick(words.THINGS)}, "print(round({a} * (1 - {p} / 100), 2))", "After {p}% off it is {v}.", "优惠 {p}% 后是 {v}。",
    ),
    Problem(
        ("Add {p}% VAT to {a}", "What is {a} plus {p} percent?", "{a} with {p}% tax, how much?", "Increase {a} by {p}%", "My rent of {a} goes up by {p} percent. New rent?", "Net {a}, VAT {p}%: gross?", "If {a} grows by {p}%, what is it then?", "how much is {a} incl. {p} % tax"),
        ("{a}加上{p}%的税是多少？", "{a}增加{p}%是多少？", "税前{a}，税率{p}%，含税多少？", "房租{a}涨了{p}%，现在多少？", "{a}上涨{p}%后是几？"),
        lambda rng: {"p": percent(rng), "a": number(rng)}, "print(round({a} * (1 + {p} / 100), 2))", "With {p}% more it is {v}.", "增加 {p}% 后是 {v}。",
    ),
    Problem(
        ("The bill is {a} and we are {n} people. What does each pay?", "Split {a} between {n} friends", "Divide {a} euros among {n} people", "{a} shared by {n}: how much for each?", "we were {n} at dinner, total {a}. per person?", "How much does everyone pay if {n} of us share {a}?", "Each person's share of {a} with {n} people", "Distribute {a} equally to {n} persons."),
        ("账单{a}元，{n}个人平分，每人多少？", "{n}个人分{a}，每人多少？", "把{a}平均分给{n}个人", "一共{a}元，{n}人AA，每人付多少？", "{a}由{n}人平摊，每人几元？"),
        lambda rng: {"a": number(rng), "n": whole(rng, 2, 30)}, "print(round({a} / {n}, 2))", "Each pays {v}.", "每人 {v}。",
    ),
    Problem(
        ("I buy {a} of {x} at {p} each and {b} of {z} at {q}. What do I pay?", "{a} times {p} plus {b} times {q}, what is the total?", "{a} {x} for {p} each and {b} {z} for {q} each: total?", "What do {a} {x} at {p} and {b} {z} at {q} cost together?", "Total of {a} x {p} and {b} x {q}", "Each {x} is {p}, each {z} is {q}. I take {a} and {b}. How much?", "Sum up my cart: {a} {x} ({p} each), {b} {z} ({q} each)", "How much for {a} tickets at {p} and {b} at {q}?"),
        ("我买{a}个，每个{p}元，又买{b}个，每个{q}元，一共多少？", "{a}件{p}元的和{b}件{q}元的总共多少钱？", "单价{p}买{a}个，单价{q}买{b}个，合计？", "{a}张{p}元的票和{b}张{q}元的票共多少？", "{a}乘{p}加{b}乘{q}是多少？"),
        goods, "print(round({a} * {p} + {b} * {q}, 2))", "Together it is {v}.", "一共是 {v}。",
    ),
    Problem(
        ("I buy {a} {x} at {p} each. How much is that?", "What do {a} {x} cost at {p} each?", "{a} pieces at {p} each, total?", "One {x} is {p}. What are {a}?", "How much are {a} units if one costs {p}?", "Price of {a} at {p} apiece", "{a} people pay {p} each, how much do we collect?", "a {x} costs {p}, I need {a}. total please"),
        ("每个{p}元，买{a}个多少钱？", "{a}件，每件{p}元，总价？", "单价{p}，数量{a}，合计多少？", "一张票{p}元，{a}张多少钱？", "{a}人每人交{p}元，一共多少？"),
        goods, "print(round({a} * {p}, 2))", "That is {v}.", "一共 {v}。",
    ),
    Problem(
        ("Convert {a} degrees Celsius to Fahrenheit", "What is {a} °C in Fahrenheit?", "{a} celsius in fahrenheit", "How many degrees Fahrenheit are {a} degrees Celsius?", "It is {a}°C. What is that in °F?", "Turn {a} C into F", "{a}C to F", "Fahrenheit for {a} Celsius?"),
        ("{a}摄氏度是多少华氏度？", "把{a}°C换算成华氏度", "{a}摄氏度等于几华氏度？", "{a}℃转成℉", "气温{a}摄氏度，华氏多少？"),
        lambda rng: {"a": str(rng.choice((rng.randint(1, 120), round(rng.uniform(0, 100), 1))))}, "print(round({a} * 9 / 5 + 32, 2))", "{a} °C is {v} °F.", "{a} °C 是 {v} °F。",
    ),
    Problem(
        ("Convert {a} degrees Fahrenheit to Celsius", "What is {a} °F in Celsius?", "{a} fahrenheit in celsius", "How many degrees Celsius are {a} degrees Fahrenheit?", "The oven says {a}°F. What is that in °C?", "Turn {a} F into C", "{a}F to C", "Celsius for {a} Fahrenheit?"),
        ("{a}华氏度是多少摄氏度？", "把{a}°F换算成摄氏度", "{a}华氏度等于几摄氏度？", "{a}℉转成℃", "烤箱{a}华氏度，摄氏多少？"),
        lambda rng: {"a": whole(rng, 1, 500)}, "print(round(({a} - 32) * 5 / 9, 2))", "{a} °F is {v} °C.", "{a} °F 是 {v} °C。",
    ),
    *(
        Problem(
            (f"Convert {{a}} {one} to {other}", f"How many {other} are {{a}} {one}?", f"{{a}} {one} in {other}", f"What is {{a}} {one} in {other}?", f"{{a}} {one} - that makes how many {other}?", f"Change {{a}} {one} into {other}.", f"i have {{a}} {one}, how much is it in {other}", f"Express {{a}} {one} in {other}"),
            (f"{{a}}{one_zh}是多少{other_zh}？", f"把{{a}}{one_zh}换算成{other_zh}", f"{{a}}{one_zh}等于几{other_zh}？", f"{{a}}{one_zh}转换为{other_zh}", f"{{a}}{one_zh}合多少{other_zh}？"),
            lambda rng: {"a": number(rng, 4)}, f"print(round({{a}} * {factor}, 2))", f"{{a}} {one} are {{v}} {other}.", f"{{a}}{one_zh}是 {{v}} {other_zh}。",
        )
        for one, other, one_zh, other_zh, factor in (
            ("miles", "kilometres", "英里", "公里", "1.609344"), ("kilometres", "miles", "公里", "英里", "0.621371"), ("inches", "centimetres", "英寸", "厘米", "2.54"), ("feet", "metres", "英尺", "米", "0.3048"),
            ("pounds", "kilograms", "磅", "公斤", "0.453592"), ("kilograms", "pounds", "公斤", "磅", "2.20462"), ("hours", "minutes", "小时", "分钟", "60"), ("days", "hours", "天", "小时", "24"), ("gigabytes", "megabytes", "GB", "MB", "1024"),
        )
    ),
    Problem(
        ("What is the interest on {a} at {p}% for {n} years?", "Simple interest: {a}, {p} percent, {n} years", "{a} at {p}% simple interest for {n} years, how much interest?", "How much interest do I get for {a} in {n} years at {p}%?", "Calculate simple interest on {a} over {n} years with {p}%", "I lend {a} for {n} years at {p}% simple interest. What do I earn?", "Interest for {n} years on {a} at {p} %", "simple interest of {a}, rate {p}%, time {n} years"),
        ("本金{a}，年利率{p}%，{n}年的单利是多少？", "{a}元存{n}年，利率{p}%，单利多少利息？", "计算单利：{a}，{p}%，{n}年", "{a}按{p}%单利{n}年，利息几何？", "借出{a}，{p}%单利，{n}年收多少利息？"),
        lambda rng: {"a": number(rng), "p": percent(rng), "n": whole(rng, 2, 30)}, "print(round({a} * {p} / 100 * {n}, 2))", "The interest is {v}.", "利息是 {v}。",
    ),
    Problem(
        ("What do {a} become in {n} years at {p}% compound interest?", "Compound interest: {a}, {p} percent, {n} years", "I invest {a} at {p}% a year. What do I have after {n} years?", "{a} at {p}% compounded yearly for {n} years", "How much is {a} after {n} years with {p}% growth per year?", "Savings of {a}, {p}% yearly, {n} years: final amount?", "If {a} grows {p}% each year, how much is it in {n} years?", "future value of {a}, rate {p}%, {n} years"),
        ("{a}元按{p}%复利存{n}年变成多少？", "本金{a}，年利率{p}%，复利{n}年后多少？", "投资{a}，每年{p}%，{n}年后有多少？", "计算复利：{a}，{p}%，{n}年", "{a}每年增长{p}%，{n}年后是多少？"),
        lambda rng: {"a": number(rng), "p": percent(rng), "n": whole(rng, 2, 30)}, "print(round({a} * (1 + {p} / 100) ** {n}, 2))", "After {n} years it is {v}.", "{n} 年后是 {v}。",
    ),
    Problem(
        ("I drive {a} km in {b} hours. What is my average speed?", "What speed is {a} kilometres in {b} hours?", "{a} km in {b} h, average speed?", "A train covers {a} km in {b} hours. How fast is it?", "How fast do I go if I make {a} km in {b} hours?", "Average speed over {a} km and {b} hours", "distance {a}, time {b}, speed?", "We walked {a} km and needed {b} hours, how fast were we?"),
        ("{b}小时走了{a}公里，平均速度是多少？", "火车{b}小时开{a}公里，时速多少？", "{a}公里用了{b}小时，速度？", "路程{a}，时间{b}，求速度", "我{b}小时骑了{a}公里，平均时速几公里？"),
        speed, "print(round({a} / {b}, 2))", "The average speed is {v} km/h.", "平均速度是 {v} 公里/小时。",
    ),
    Problem(
        ("How far do I get in {b} hours at {c} km/h?", "A car goes {c} km/h for {b} hours. How far is that?", "{b} hours at {c} km/h, distance?", "Distance at {c} km per hour in {b} hours", "I cycle at {c} km/h for {b} hours, how many km?", "How many kilometres does a train make in {b} hours at {c} km/h?", "speed {c}, time {b}, distance?", "If I drive {c} kilometres per hour for {b} hours, where am I?"),
        ("时速{c}公里，{b}小时走多远？", "以{c}公里/小时开{b}小时，路程多少？", "{b}小时，速度{c}，求路程", "火车时速{c}公里，{b}小时行多少公里？", "我以每小时{c}公里骑{b}小时，骑了多远？"),
        speed, "print({c} * {b})", "The distance is {v} km.", "路程是 {v} 公里。",
    ),
    Problem(
        ("How many words does this have: {l}", "Sort these words: {l}", "Put {l} in alphabetical order", "Alphabetical order of {l}?", "sort {l}", "Order the words {l} from a to z", "Please sort alphabetically: {l}", "Arrange {l} by the alphabet")[1:],
        ("把{l}按字母排序", "给这些词排序：{l}", "{l}的字母顺序是什么？", "按字母顺序排列{l}", "请排序：{l}"),
        wordlist, "print(sorted([{c}]))", "Sorted: {v}.", "排序后：{v}。",
    ),
    Problem(
        ("Which of these is the longest word: {l}?", "Longest word of {l}", "Find the longest word in {l}", "{l}: which word is longest?", "What's the longest among {l}", "Tell me the word with the most letters: {l}", "pick the longest one of {l}"),
        ("{l}里哪个词最长？", "找出最长的词：{l}", "这些词中最长的是哪个：{l}", "{l}，最长的是？", "请找出{l}中最长的单词"),
        wordlist, "print(max([{c}], key=len))", "The longest word is {v}.", "最长的词是 {v}。",
    ),
    Problem(
        ("Write {w} in capitals", "{w} in upper case", "Make {w} uppercase", "Turn {w} into capital letters", "Uppercase the word {w}", "What is {w} in all caps?", "Convert {w} to upper case please"),
        ("把{w}变成大写", "{w}的大写是什么？", "将{w}转换成大写字母", "用大写写出{w}", "{w}全部大写"),
        word, "print('{w}'.upper())", "In capitals: {v}.", "大写是 {v}。",
    ),
    Problem(
        ("How many vowels are in {w}?", "Count the vowels of {w}", "Number of vowels in {w}?", "how many vowels does {w} have", "Vowels in the word {w}?", "Tell me how many vowels {w} contains", "I need the vowel count of {w}"),
        ("{w}里有几个元音？", "数一数{w}的元音", "{w}有多少个元音字母？", "统计{w}中的元音", "单词{w}的元音个数是多少？"),
        word, "print(sum(c in 'aeiou' for c in '{w}'))", "{w} has {v} vowels.", "{w} 有 {v} 个元音。",
    ),
    *(
        Problem(
            (f"What is the {name} of {{l}}?", f"Find the {name} of {{l}}", f"{name} of {{l}}", f"Calculate the {name}: {{l}}", f"My values are {{l}}. What's the {name}?", f"Here is my data: {{l}}. I need the {name}.", f"give me the {name} for {{l}}", f"{{l}} - {name}?"),
            (f"{{l}}的{zh}是多少？", f"求{{l}}的{zh}", f"计算这些数的{zh}：{{l}}", f"数据{{l}}，{zh}是几？", f"请算出{{l}}的{zh}"),
            listed, code, f"The {name} is {{v}}.", f"{zh}是 {{v}}。",
        )
        for name, zh, code in (
            ("mode", "众数", STATISTICS + "mode([{c}]))"), ("variance", "方差", STATISTICS + "variance([{c}]))"), ("range", "极差", "print(max([{c}]) - min([{c}]))"),
            ("product", "乘积", MATH + "math.prod([{c}]))"), ("second largest number", "第二大的数", "print(sorted([{c}])[-2])"), ("number of values", "个数", "print(len([{c}]))"),
            ("running total", "累计和", "import itertools\nprint(list(itertools.accumulate([{c}])))"), ("sum of squares", "平方和", "print(sum(x * x for x in [{c}]))"),
        )
    ),
    Problem(
        ("Which of {l} are greater than {n}?", "Numbers above {n} in {l}", "Show the values over {n}: {l}", "From {l}, keep those larger than {n}", "filter {l} for > {n}", "Which numbers exceed {n}: {l}?", "{l}: which are bigger than {n}"),
        ("{l}中大于{n}的有哪些？", "找出{l}里超过{n}的数", "哪些数比{n}大：{l}", "从{l}中筛选大于{n}的", "{l}，大于{n}的是？"),
        listed, "print([x for x in [{c}] if x > {n}])", "Greater than {n}: {v}.", "大于 {n} 的是 {v}。",
    ),
    Problem(
        ("How many of {l} are even?", "Count the even numbers in {l}", "Even numbers in {l}: how many?", "how many even values: {l}", "Number of evens among {l}", "Tell me how many of these are even: {l}", "{l} - count evens"),
        ("{l}里有几个偶数？", "数一数{l}中的偶数", "这些数里偶数有多少个：{l}", "{l}，偶数个数？", "统计{l}的偶数"),
        listed, "print(sum(x % 2 == 0 for x in [{c}]))", "{v} of them are even.", "有 {v} 个偶数。",
    ),
    Problem(
        ("Sort {l} from large to small", "Descending order of {l}", "Put {l} in descending order", "sort descending: {l}", "Order these numbers from the biggest down: {l}", "{l}, largest first please", "Reverse-sort {l}"),
        ("把{l}从大到小排列", "{l}降序排列", "从大到小排序：{l}", "请将{l}按降序排", "{l}，大的在前"),
        listed, "print(sorted([{c}], reverse=True))", "From large to small: {v}.", "从大到小：{v}。",
    ),
    Problem(
        ("Remove the duplicates from {l}", "Unique values of {l}", "Which different numbers are in {l}?", "dedupe {l}", "{l} without repeats", "List every number of {l} only once", "Drop doubles in {l}"),
        ("去掉{l}里的重复数", "{l}去重", "{l}里有哪些不同的数？", "删除重复：{l}", "{l}中每个数只留一次"),
        listed, "print(sorted(set([{c}])))", "Without duplicates: {v}.", "去重后：{v}。",
    ),
    *(
        Problem(
            (f"What is the {name} of {{a}} and {{b}}?", f"{short}({{a}}, {{b}})", f"Find the {name} of {{a}} and {{b}}", f"{short} of {{a}} and {{b}}", f"Compute the {name} for {{a}} and {{b}}.", f"Give me {short} {{a}} {{b}}", f"{name}: {{a}}, {{b}}"),
            (f"{{a}}和{{b}}的{zh}是多少？", f"求{{a}}与{{b}}的{zh}", f"计算{{a}}、{{b}}的{zh}", f"{{a}}跟{{b}}的{zh}", f"{zh}：{{a}}，{{b}}"),
            lambda rng: {"a": whole(rng, 4, 900), "b": whole(rng, 4, 900)}, f"{MATH}math.{short}({{a}}, {{b}}))", f"The {name} is {{v}}.", f"{zh}是 {{v}}。",
        )
        for name, short, zh in (("greatest common divisor", "gcd", "最大公约数"), ("least common multiple", "lcm", "最小公倍数"))
    ),
    Problem(
        ("List the prime numbers up to {n}", "Which primes are there up to {n}?", "All primes until {n}", "primes <= {n}", "Show me every prime number up to {n}", "What are the primes up to {n}?", "Give me all prime numbers not above {n}"),
        ("列出{n}以内的质数", "{n}以内有哪些质数？", "不超过{n}的质数", "求{n}以内所有素数", "{n}以内的素数有哪些？"),
        lambda rng: {"n": whole(rng, 5, 60)}, "print([x for x in range(2, {n} + 1) if all(x % d for d in range(2, x))])", "The primes are {v}.", "质数是 {v}。",
    ),
    Problem(
        ("What are the divisors of {a}?", "List all factors of {a}", "Divisors of {a}", "Which numbers divide {a}?", "factors of {a}?", "Find every divisor of {a}", "By which numbers can {a} be divided?"),
        ("{a}的约数有哪些？", "列出{a}的因数", "哪些数能整除{a}？", "{a}的所有因数", "求{a}的约数"),
        lambda rng: {"a": whole(rng, 6, 400)}, "print([d for d in range(1, {a} + 1) if {a} % d == 0])", "The divisors of {a} are {v}.", "{a} 的约数是 {v}。",
    ),
    Problem(
        ("What is the sum of the numbers from 1 to {n}?", "Add up 1 to {n}", "1 + 2 + ... + {n}", "Sum of all integers up to {n}", "Sum 1..{n}", "How much is 1 plus 2 plus 3 and so on up to {n}?", "total of the first {n} numbers"),
        ("1到{n}的和是多少？", "从1加到{n}等于几？", "1+2+…+{n}", "求前{n}个自然数的和", "1加2一直加到{n}是多少？"),
        lambda rng: {"n": whole(rng, 5, 9999)}, "print(sum(range(1, {n} + 1)))", "The sum is {v}.", "和是 {v}。",
    ),
    *(
        Problem(
            (f"Convert {{a}} to {name}", f"What is {{a}} in {name}?", f"{{a}} in {name}", f"Write {{a}} as {name}", f"The {name} form of {{a}}?", f"Show {{a}} in {name} please", f"{name} of {{a}}"),
            (f"把{{a}}转成{zh}", f"{{a}}的{zh}是什么？", f"{{a}}用{zh}怎么写？", f"将{{a}}换成{zh}", f"{{a}}的{zh}表示"),
            lambda rng: {"a": whole(rng, 2, 5000)}, f"print({code}({{a}}))", f"{{a}} in {name} is {{v}}.", f"{{a}} 的{zh}是 {{v}}。",
        )
        for name, zh, code in (("binary", "二进制", "bin"), ("hexadecimal", "十六进制", "hex"), ("octal", "八进制", "oct"))
    ),
    Problem(
        ("What is the area of a circle with radius {a}?", "Area of a circle, radius {a}", "A circle has the radius {a}. How big is its area?", "circle r={a}, area?", "How large is a round table of radius {a}?", "Compute the circle area for r = {a}", "Find the surface of a circle of radius {a}"),
        ("半径为{a}的圆面积是多少？", "圆的半径是{a}，求面积", "计算半径{a}的圆的面积", "r={a}的圆面积", "一个半径{a}的圆有多大？"),
        lambda rng: {"a": number(rng, 3)}, MATH + "round(math.pi * {a} ** 2, 2))", "The area is {v}.", "面积是 {v}。",
    ),
    Problem(
        ("What is the circumference of a circle with radius {a}?", "Circumference for radius {a}", "A wheel has a radius of {a}. What is its circumference?", "circle r={a}, circumference?", "How long is the way around a circle of radius {a}?", "Compute the perimeter of a circle, r = {a}", "Perimeter of a round pond with radius {a}"),
        ("半径为{a}的圆周长是多少？", "圆的半径是{a}，求周长", "计算半径{a}的圆的周长", "r={a}的圆周长", "轮子半径{a}，周长多少？"),
        lambda rng: {"a": number(rng, 3)}, MATH + "round(2 * math.pi * {a}, 2))", "The circumference is {v}.", "周长是 {v}。",
    ),
    Problem(
        ("What is the area of a rectangle of {a} by {b}?", "A room is {a} by {b}. How big is it?", "Area of {a} x {b}", "rectangle with sides {a} and {b}, area?", "How many square metres has a garden of {a} m by {b} m?", "My room measures {a} times {b} metres; how large is the floor?", "Surface of a {a} by {b} field"),
        ("长{a}宽{b}的长方形面积是多少？", "房间{a}米乘{b}米，面积多大？", "矩形边长{a}和{b}，求面积", "{a}乘{b}的地有多大？", "花园长{a}米宽{b}米，多少平方米？"),
        two, "print(round({a} * {b}, 2))", "The area is {v}.", "面积是 {v}。",
    ),
    Problem(
        ("A right triangle has legs {a} and {b}. How long is the hypotenuse?", "Hypotenuse for {a} and {b}", "Pythagoras with {a} and {b}", "legs {a}, {b}: hypotenuse?", "What is the diagonal of a rectangle {a} by {b}?", "How long is the diagonal of a {a} x {b} screen?", "Find the longest side of a right triangle with sides {a} and {b}"),
        ("直角边是{a}和{b}，斜边多长？", "勾{a}股{b}，弦是多少？", "求直角三角形斜边：{a}，{b}", "长{a}宽{b}的长方形对角线多长？", "直角三角形两边{a}、{b}，斜边？"),
        two, MATH + "round(math.hypot({a}, {b}), 2))", "It is {v} long.", "长度是 {v}。",
    ),
    Problem(
        ("In how many ways can I choose {k} of {n}?", "{n} choose {k}", "How many combinations of {k} out of {n} are there?", "Number of teams of {k} from {n} people", "combinations: {n} over {k}", "From {n} books I take {k}. How many selections?", "How many groups of {k} can be made from {n}?"),
        ("从{n}个里选{k}个有多少种选法？", "组合数C({n},{k})是多少？", "{n}选{k}有几种？", "{n}个人选{k}个，多少种组合？", "求{n}取{k}的组合数"),
        dice, MATH + "math.comb({n}, {k}))", "There are {v} ways.", "有 {v} 种。",
    ),
    Problem(
        ("What date is {n} days after {d}?", "{d} plus {n} days", "Add {n} days to {d}", "which date comes {n} days after {d}", "My subscription starts on {d} and lasts {n} days. When does it end?", "{n} days from {d} is which date?", "Count {n} days forward from {d}", "If I start on {d}, what is the date {n} days later?"),
        ("{d}之后{n}天是哪天？", "{d}加{n}天", "从{d}起{n}天后是几号？", "{d}过{n}天是什么日期？", "{d}开始，{n}天后到期，是哪天？"),
        one_day, DAY + "datetime.date({y}, {m}, {t}) + datetime.timedelta(days={n}))", "It is {v}.", "是 {v}。",
    ),
    Problem(
        ("What date was {n} days before {d}?", "{d} minus {n} days", "Subtract {n} days from {d}", "which date is {n} days earlier than {d}", "{n} days before {d}?", "Go back {n} days from {d}", "It must arrive {n} days ahead of {d}. Which date is that?"),
        ("{d}之前{n}天是哪天？", "{d}减{n}天", "{d}往前{n}天是几号？", "比{d}早{n}天的日期", "{d}的{n}天前是什么日子？"),
        one_day, DAY + "datetime.date({y}, {m}, {t}) - datetime.timedelta(days={n}))", "It was {v}.", "是 {v}。",
    ),
    Problem(
        ("Is {y} a leap year?", "Was {y} a leap year?", "leap year {y}?", "Does {y} have 366 days?", "Tell me whether {y} is a leap year", "Does February {y} have 29 days?", "Check if {y} is a leap year."),
        ("{y}年是闰年吗？", "{y}是不是闰年？", "{y}年有366天吗？", "判断{y}年是否闰年", "{y}年2月有29天吗？"),
        one_day, "import calendar\nprint(calendar.isleap({y}))", "Leap year: {v}.", "是闰年：{v}。",
    ),
    Problem(
        ("I earn {a} a month. How much is that a year?", "{a} per month in a year?", "Yearly total of {a} a month", "rent is {a} monthly, what per year", "What do 12 months at {a} make?", "My salary is {a} a month; what's my annual salary?", "{a} every month: how much in a year?"),
        ("月薪{a}，一年多少？", "每月{a}，一年共多少？", "月租{a}，年租多少？", "每个月{a}元，十二个月多少？", "月收入{a}，年收入是几？"),
        lambda rng: {"a": number(rng)}, "print(round({a} * 12, 2))", "In a year it is {v}.", "一年是 {v}。",
    ),
    Problem(
        ("What percentage is {b} of {a}?", "{b} out of {a} in percent?", "How many percent of {a} is {b}?", "{b}/{a} as a percentage", "I got {b} of {a} points. What percent is that?", "{b} of {a} people came. Percentage?", "Express {b} of {a} in percent"),
        ("{b}占{a}的百分之几？", "{a}里有{b}，百分比是多少？", "{b}除以{a}是百分之多少？", "满分{a}得了{b}，百分之几？", "{a}人来了{b}人，占比多少？"),
        two, "print(round({b} / {a} * 100, 2))", "That is {v} percent.", "是百分之 {v}。",
    ),
    Problem(
        ("Round {a} to one decimal", "{a} rounded to 1 decimal place", "What is {a} with one digit after the point?", "round {a} to 1 place", "Please round {a} to tenths", "Give me {a} rounded to a single decimal", "One decimal of {a}"),
        ("把{a}四舍五入到一位小数", "{a}保留一位小数", "{a}取一位小数是多少？", "将{a}精确到十分位", "{a}保留小数点后一位"),
        lambda rng: {"a": str(round(rng.uniform(1, 10 ** rng.randint(1, 4)), 3))}, "print(round({a}, 1))", "Rounded it is {v}.", "约为 {v}。",
    ),
    Problem(
        ("How many days are there from {d} to {e}?", "Days between {d} and {e}", "{d} until {e}: how many days?", "number of days {d} - {e}", "I travel from {d} to {e}. How many days is that?", "How long is it from {d} to {e} in days?", "Count the days {d} to {e}"),
        ("{d}到{e}有多少天？", "从{d}至{e}几天？", "{d}和{e}相差几天？", "计算{d}到{e}的天数", "{d}到{e}之间多少天？"),
        two_days, "from datetime import date\nprint((date.fromisoformat('{e}') - date.fromisoformat('{d}')).days)", "There are {v} days.", "相差 {v} 天。",
    ),
    Problem(
        ("What are the first {n} Fibonacci numbers?", "List {n} Fibonacci numbers", "fibonacci sequence, {n} terms", "Show me the Fibonacci series up to {n} terms", "Give me {n} numbers of the Fibonacci sequence", "Compute the first {n} terms of Fibonacci", "{n} fibonacci numbers please"),
        ("前{n}个斐波那契数是什么？", "列出{n}个斐波那契数", "斐波那契数列前{n}项", "求斐波那契数列的前{n}个数", "写出{n}个斐波那契数"),
        lambda rng: {"n": whole(rng, 3, 25)}, "f = [1, 1]\nwhile len(f) < {n}: f.append(f[-1] + f[-2])\nprint(f)", "They are {v}.", "它们是 {v}。",
    ),
)


def problem(rng: Draw, zh: bool) -> Turn:
    """A problem of any kind."""
    kind = rng.choice(PROBLEMS)
    values = kind.draw(rng)
    code = kind.code.format(**values)
    shown = printed(code)
    answer = (kind.answer_zh if zh else kind.answer).format(**values, v=shown)
    return rng.pick(kind.asks_zh if zh else kind.asks).format(**values), code, shown, answer
