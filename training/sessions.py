"""Makes code_interpreter conversations: a line of Python for a question, its output, the answer that tells it."""

import calendar
import datetime
import statistics
from collections.abc import Callable
from typing import Any

from training import words
from training.draw import Draw
from training.problems import problem

Sample = dict[str, Any]
Turn = tuple[str, str, str, str]  # question, code, what the session prints, answer
Kinds = tuple[tuple[Callable[[Draw, bool], Turn], int], ...]

TOOL = {
    "type": "function",
    "function": {
        "name": "code_interpreter",
        "description": "Run Python in this thread's session. Files are in /mnt/data; plt.show() makes an image.",
        "parameters": {
            "type": "object",
            "properties": {"code": {"type": "string", "description": "Python source."}},
            "required": ["code"],
            "additionalProperties": False,
        },
    },
}
SYSTEMS = (
    "You are a helpful assistant.",
    "You are a personal math tutor. Write and run code to answer math questions.",
    "Use Python.",
    "You are a data analyst.",
    "Run code to answer.",
    "You write and run Python code.",
    "You are an expert in statistics.",
    "Calculate with the code interpreter.",
    "你是一个数学老师，用代码回答问题。",
    "You calculate for the user.",
)

SIGNS = {
    "+": (
        ("{a} plus {b}", "{a} + {b}", "the sum of {a} and {b}", "{a} added to {b}", "{a}+{b}"),
        ("{a}加{b}", "{a} + {b}", "{a}与{b}的和", "{a}和{b}相加", "{a}+{b}"),
    ),
    "-": (
        ("{a} minus {b}", "{a} - {b}", "{a} less {b}", "the difference of {a} and {b}", "{a}-{b}"),
        ("{a}减{b}", "{a} - {b}", "{a}减去{b}", "{a}与{b}的差", "{a}-{b}"),
    ),
    "*": (
        (
            "{a} times {b}",
            "{a} * {b}",
            "{a} x {b}",
            "{a} multiplied by {b}",
            "the product of {a} and {b}",
            "{a}*{b}",
        ),
        ("{a}乘以{b}", "{a} * {b}", "{a}乘{b}", "{a}与{b}的积", "{a}×{b}", "{a}*{b}"),
    ),
    "/": (
        ("{a} divided by {b}", "{a} / {b}", "{a} over {b}", "the quotient of {a} and {b}", "{a}/{b}"),
        ("{a}除以{b}", "{a} / {b}", "{a}÷{b}", "{a}与{b}的商", "{a}/{b}"),
    ),
    "**": (
        (
            "{a} to the power of {b}",
            "{a} ** {b}",
            "{a} raised to the power {b}",
            "{a} to the power {b}",
            "{a}^{b}",
        ),
        ("{a}的{b}次方", "{a} ** {b}", "{a}的{b}次幂", "{a}^{b}"),
    ),
    "%": (
        ("the remainder of {a} divided by {b}", "{a} modulo {b}", "{a} mod {b}", "{a} % {b}"),
        ("{a}除以{b}的余数", "{a}模{b}", "{a} % {b}"),
    ),
}
ASK = (
    "What is {x}?",
    "How much is {x}?",
    "Calculate {x}",
    "Compute {x}.",
    "what's {x}",
    "Please work out {x}.",
    "{x} = ?",
    "Tell me {x}",
    "I need {x}",
    "Can you calculate {x}?",
    "{x}",
    "Evaluate {x}",
    "Find {x}.",
    "Give me {x}",
    "What does {x} make?",
    "Could you compute {x} for me?",
    "Quick: {x}",
    "Do the math: {x}",
    "I would like to know {x}",
    "Use Python for {x}",
    "Run the numbers: {x}",
    "And {x}?",
    "Please tell me what {x} is",
    "solve {x}",
    "Can you tell me {x}?",
    "how much would {x} be",
    "Help me with {x}",
    "What do you get for {x}?",
    "Let Python compute {x}",
    "Do you know what {x} is?",
    "Show me {x}",
    "{x}, please",
    "My homework: {x}",
    "figure out {x}",
    "Let me know what {x} comes to.",
)
ASK_ZH = (
    "{x}等于多少？",
    "计算{x}",
    "{x}是多少？",
    "请算一下{x}",
    "帮我算{x}",
    "{x}=？",
    "{x}",
    "求{x}",
    "{x}的结果是什么？",
    "请问{x}等于几？",
    "{x}是几？",
    "用 Python 算{x}",
    "麻烦计算一下{x}",
    "我想知道{x}",
    "告诉我{x}",
    "{x}得多少？",
    "你能算{x}吗？",
    "请计算{x}的值",
    "请给出{x}",
    "作业题：{x}",
    "{x}，结果是？",
    "算算{x}",
    "用代码算一下{x}",
)
# name: words in English, in Chinese, code over [..], how it is computed
LISTS = {
    "mean": (
        ("mean", "average", "arithmetic mean", "average value", "mean value"),
        ("平均值", "平均数", "均值"),
        "import statistics\nprint(statistics.mean({v}))",
        lambda v: round(statistics.mean(v), 4),
    ),
    "median": (
        ("median", "middle value", "median value"),
        ("中位数", "中值"),
        "import statistics\nprint(statistics.median({v}))",
        statistics.median,
    ),
    "maximum": (
        ("maximum", "largest number", "biggest number", "max", "highest value"),
        ("最大值", "最大的数"),
        "print(max({v}))",
        max,
    ),
    "minimum": (
        ("minimum", "smallest number", "min", "lowest value"),
        ("最小值", "最小的数"),
        "print(min({v}))",
        min,
    ),
    "sum": (("sum", "total"), ("总和", "和"), "print(sum({v}))", sum),
    "standard deviation": (
        ("standard deviation", "stdev"),
        ("标准差",),
        "import statistics\nprint(statistics.stdev({v}))",
        lambda v: statistics.stdev(v),
    ),
    "sorted list": (("sorted list",), ("排序结果",), "print(sorted({v}))", sorted),
}
LIST_NAMES_ZH = {
    "mean": "平均值",
    "median": "中位数",
    "maximum": "最大值",
    "minimum": "最小值",
    "sum": "总和",
    "standard deviation": "标准差",
    "sorted list": "排序结果",
}
OF_LIST = (
    "What is the {w} of {v}?",
    "Find the {w} of {v}",
    "Compute the {w} of the numbers {v}",
    "{w} of {v}",
    "Calculate the {w} of these numbers: {v}",
    "Give me the {w} of {v}.",
    "Here are some numbers: {v}. What is their {w}?",
    "I have {v}. What is the {w}?",
    "{v}: what is the {w}?",
    "the {w} of {v} please",
    "From {v}, tell me the {w}",
    "My data: {v}. I need the {w}.",
    "Take {v} and compute the {w}",
    "What {w} do these values have: {v}?",
    "Use Python to get the {w} of {v}",
    "For the values {v}, what is the {w}?",
    "Could you give the {w} of {v}?",
    "Please determine the {w} of this list: {v}",
    "numbers {v}, {w}?",
    "Measured: {v}. The {w}?",
    "Can you work out the {w} for {v}?",
    "We got {v} this week; what is the {w}?",
    "List {v} - {w}?",
    "Tell me the {w} of {v}.",
    "Look at {v}. What would be the {w}?",
)
OF_LIST_ZH = (
    "{v}的{w}是多少？",
    "求{v}的{w}",
    "计算{v}的{w}",
    "请算出这些数的{w}：{v}",
    "这些数{v}的{w}是什么？",
    "帮我求{v}的{w}",
    "数据是{v}，{w}是多少？",
    "有一组数{v}，求{w}",
    "对于{v}，{w}是多少？",
    "用 Python 求{v}的{w}",
    "给出{v}的{w}",
    "我的数据：{v}。请算{w}。",
    "测得{v}，{w}呢？",
    "列表{v}的{w}是几？",
    "请告诉我{v}的{w}",
)
COUNT_LETTER = (
    "How many times does the letter {l} occur in {w}?",
    "How many {l}'s are in {w}?",
    "Count the letter {l} in {w}",
    "How often does {l} appear in the word {w}?",
    "How many {l} are in the word {w}?",
    "How many letters {l} does {w} have?",
    "{w}: how many {l}?",
    "How many times is {l} in {w}?",
    "Tell me how many {l} there are in {w}",
    "In {w}, how often is the letter {l}?",
    "Number of {l}'s in {w}?",
    "Please count how many times {l} occurs in {w}",
    "I want to know how many {l} {w} contains",
    "Does {w} have more than one {l}? Count them.",
    "count {l} in {w}",
)
COUNT_LETTER_ZH = (
    "{w}里有几个{l}？",
    "单词{w}中有多少个字母{l}？",
    "数一数{w}里的{l}",
    "{w}中{l}出现了几次？",
    "字母{l}在{w}里有几个？",
    "{w}含有几个{l}？",
    "请数出{w}中{l}的个数",
    "{l}在{w}中出现几次？",
    "{w}这个词里{l}有多少个？",
    "统计{w}里的字母{l}",
)
LENGTHS = (
    "How many letters does {w} have?",
    "How long is the word {w}?",
    "Count the letters of {w}",
    "What is the length of {w}?",
    "How many characters are in {w}?",
    "Number of letters in {w}?",
    "How many letters are there in {w}?",
    "Tell me how long {w} is",
    "{w}: how many letters?",
    "Please count the characters in {w}",
    "How many letters do I need to write {w}?",
    "Give me the length of the word {w}",
    "letter count of {w}",
    "Is {w} a long word? Count its letters.",
)
LENGTHS_ZH = (
    "{w}有多少个字母？",
    "{w}有多长？",
    "数一数{w}的字母",
    "单词{w}的长度是多少？",
    "{w}有几个字符？",
    "{w}由几个字母组成？",
    "请告诉我{w}的长度",
    "{w}一共多少个字母？",
    "统计{w}的字符数",
    "{w}的字母数",
)
REVERSE = (
    "Reverse the word {w}",
    "What is {w} backwards?",
    "Write {w} backwards",
    "Spell {w} in reverse",
    "Reverse {w}.",
    "Turn {w} around",
    "How do you write {w} from back to front?",
    "Give me {w} reversed",
    "{w} backwards, please",
    "Please reverse {w} letter by letter",
    "Say {w} backwards",
    "What does {w} read like from right to left?",
    "Flip the word {w}",
    "the reverse of {w}",
)
REVERSE_ZH = (
    "把{w}倒过来写", "{w}反过来是什么？", "反转{w}", "倒着写{w}", "请把{w}反转",
    "{w}从后往前怎么写？",
    "给出{w}的倒序",
    "{w}颠倒过来是什么？",
    "请倒序输出{w}",
    "把单词{w}反过来",
)
WORDS = (
    'How many words are in "{t}"?',
    'Count the words in "{t}"',
    'How many words does "{t}" have?',
    'What is the number of words in "{t}"?',
    'Number of words in "{t}"?',
    'Word count of "{t}"?',
    'Tell me how many words "{t}" has',
    '"{t}" - how many words is that?',
    'Please count the words: "{t}"',
    'How many words do you see in "{t}"?',
    'How long is "{t}" in words?',
    'I wrote "{t}". How many words is that?',
)
WORDS_ZH = (
    "“{t}”有多少个单词？",
    "数一数“{t}”里的单词",
    "“{t}”中有几个词？",
    "统计“{t}”的单词数",
    "“{t}”一共几个单词？",
    "“{t}”的单词数是多少？",
    "请数“{t}”有几个单词",
    "句子“{t}”有多少词？",
    "“{t}”里单词的个数",
    "我写了“{t}”，一共几个词？",
)
WEEKDAY = (
    "Which day of the week is {d}?",
    "What weekday is {d}?",
    "On which day of the week does {d} fall?",
    "What day was {d}?",
    "Tell me the weekday of {d}",
    "Was {d} a Monday? Which day was it?",
    "{d} is which weekday?",
    "I was born on {d}. What day of the week was it?",
    "Give me the day of the week for {d}",
    "{d}: what day of the week?",
    "Please find out the weekday of {d}",
    "We meet on {d}; which weekday is that?",
    "Which weekday does {d} fall on?",
    "weekday of {d}",
)
WEEKDAY_ZH = (
    "{d}是星期几？",
    "请问{d}是周几？",
    "{d}是哪一天？星期几？",
    "查一下{d}是星期几",
    "{d}那天是星期几？",
    "{d}是周几？",
    "我出生于{d}，那天星期几？",
    "{d}，星期几？",
    "帮我算{d}是星期几",
    "{d}对应星期几？",
)
DAYS = (
    "How many days are between {a} and {b}?",
    "How many days is it from {a} to {b}?",
    "Count the days from {a} until {b}",
    "Days between {a} and {b}?",
    "What is the number of days from {a} to {b}?",
    "How long is it from {a} to {b} in days?",
    "How many days lie between {a} and {b}?",
    "From {a} to {b}: how many days?",
    "The trip lasts from {a} until {b}. How many days is that?",
    "Number of days between {a} and {b}",
    "Tell me the days from {a} to {b}",
    "Between {a} and {b}, how many days pass?",
    "I started on {a} and finished on {b}. How many days did it take?",
    "days from {a} till {b}?",
)
DAYS_ZH = (
    "从{a}到{b}有多少天？",
    "{a}和{b}之间有几天？",
    "{a}到{b}相差多少天？",
    "计算{a}到{b}的天数",
    "{a}与{b}隔了几天？",
    "{a}至{b}一共多少天？",
    "{a}距离{b}有多少天？",
    "从{a}开始，到{b}结束，共几天？",
    "请算{a}与{b}之间的天数",
    "{a}到{b}多少天？",
)
ROOT = (
    "What is the square root of {a}?",
    "Square root of {a}",
    "Calculate the square root of {a}",
    "Find the square root of {a}.",
    "How much is the root of {a}?",
    "sqrt of {a}?",
    "What number squared gives {a}?",
    "Take the square root of {a}",
    "Please give me the square root of {a}",
    "root of {a}",
    "Which number times itself is {a}?",
    "sqrt({a})",
)
ROOT_ZH = (
    "{a}的平方根是多少？", "求{a}的平方根", "计算{a}的平方根", "{a}开平方等于多少？", "{a}的平方根",
    "{a}开方是多少？",
    "哪个数的平方是{a}？",
    "请开{a}的平方根",
    "根号{a}等于几？",
    "给出{a}的平方根",
)
FACTORIAL = (
    "What is {a} factorial?",
    "Compute {a}!",
    "Calculate the factorial of {a}",
    "What is the factorial of {a}?",
    "How much is {a} factorial?",
    "{a} factorial?",
    "Give me {a}!",
    "How big is {a}!?",
    "What do you get for {a} factorial?",
    "Please compute {a} factorial",
    "factorial of {a}",
)
FACTORIAL_ZH = (
    "{a}的阶乘是多少？", "计算{a}的阶乘", "{a}！等于多少？", "求{a}的阶乘", "{a}的阶乘",
    "{a}阶乘等于几？",
    "请算{a}的阶乘",
    "{a}的阶乘有多大？",
    "给出{a}!",
    "算一下{a}的阶乘",
)
PRIME = (
    "Is {a} a prime number?",
    "Is {a} prime?",
    "Check whether {a} is prime",
    "Tell me if {a} is a prime",
    "Is the number {a} prime?",
    "Could {a} be a prime?",
    "prime or not: {a}?",
    "Please check if {a} is a prime number",
    "{a}: is it prime?",
    "Would you say {a} is prime?",
    "Does {a} have divisors, or is it prime?",
    "test {a} for primality",
)
PRIME_ZH = (
    "{a}是质数吗？", "{a}是不是质数？", "判断{a}是否为质数", "{a}是素数吗？", "请检查{a}是不是质数",
    "{a}算不算质数？",
    "{a}是素数还是合数？",
    "看看{a}是不是素数",
    "请判断{a}是否是素数",
    "检验{a}是否为质数",
)
PLOT = (
    "Draw a {k} chart of {v}",
    "Make a {k} plot of {v}",
    "Plot {v} as a {k} chart",
    "Please show a {k} chart of {v}.",
    "Create a {k} graph of the numbers {v}",
    "I would like a {k} plot of {v}",
    "{k} chart: {v}",
    "Can you draw {v} as a {k} plot?",
    "Show {v} in a {k} chart",
    "Visualise {v} with a {k} chart",
    "Use Python to draw {v} as a {k} chart",
    "I need a {k} chart for {v}",
    "Make me a {k} graph: {v}",
    "Put {v} into a {k} plot",
    "Could you plot these numbers as a {k} chart: {v}?",
    "Here is my data: {v}. A {k} chart please.",
    "Generate a {k} chart from {v}",
    "Turn {v} into a {k} graph",
    "Sales were {v}; show them as a {k} chart",
    "A {k} plot for {v}",
    "draw me {v}, {k} chart",
    "Let me see {v} in a {k} plot.",
    "Chart {v} ({k})",
)
PLOT_ZH = (
    "画一个{v}的{k}",
    "用{k}显示{v}",
    "请把{v}画成{k}",
    "做一张{k}：{v}",
    "绘制{v}的{k}",
    "我想要{v}的{k}",
    "请为{v}生成{k}",
    "数据{v}，画{k}",
    "把这些数{v}做成{k}",
    "帮我画{k}，数据是{v}",
    "用 Python 绘制{v}的{k}",
    "给我看{v}的{k}",
    "将{v}可视化为{k}",
    "来一张{v}的{k}",
)
CSV = (
    (
        (
            "How many rows does {f} have?",
            "Count the rows of {f}",
            "How many lines are in {f}?",
            "What is the number of rows in {f}?",
            "How big is {f}?",
        ),
        ("{f}有多少行？", "数一数{f}的行数", "{f}一共几行？", "统计{f}的行数", "{f}的行数是多少？"),
        "print(len(df))",
    ),
    (
        (
            "Which columns does {f} have?",
            "Show the columns of {f}",
            "What are the column names in {f}?",
            "List the columns in {f}",
            "Name the columns of {f}.",
        ),
        ("{f}有哪些列？", "列出{f}的列名", "{f}的列是什么？", "显示{f}的列", "{f}包含哪些列？"),
        "print(list(df.columns))",
    ),
    (
        (
            "Show the first rows of {f}",
            "What does {f} look like?",
            "Print the head of {f}",
            "Give me the top of {f}",
            "Let me see {f}",
        ),
        ("显示{f}的前几行", "{f}里有什么？", "看看{f}", "打开{f}看一下", "{f}长什么样？"),
        "print(df.head())",
    ),
    (
        (
            "What is the mean of {c} in {f}?",
            "Average of {c} in {f}",
            "Compute the average {c} of {f}",
            "What is the average of the column {c} in {f}?",
            "In {f}, what is the mean {c}?",
        ),
        (
            "{f}中{c}的平均值是多少？",
            "计算{f}里{c}的平均值",
            "求{f}的{c}列的平均数",
            "{f}的{c}平均是多少？",
            "算一下{f}中{c}的均值",
        ),
        "print(df['{c}'].mean())",
    ),
    (
        (
            "What is the sum of {c} in {f}?",
            "Total {c} in {f}",
            "Add up the column {c} of {f}",
            "What is the total of {c} in {f}?",
            "Sum {c} in the file {f}",
        ),
        (
            "{f}中{c}的总和是多少？",
            "计算{f}里{c}的总和",
            "把{f}的{c}列加起来",
            "{f}的{c}合计多少？",
            "求{f}中{c}之和",
        ),
        "print(df['{c}'].sum())",
    ),
    (
        (
            "What is the highest {c} in {f}?",
            "Maximum of {c} in {f}",
            "Find the largest {c} in {f}",
            "What is the maximum of {c} in {f}?",
            "In {f}, which {c} is the biggest?",
        ),
        (
            "{f}中{c}的最大值是多少？",
            "找出{f}里最大的{c}",
            "求{f}的{c}最大值",
            "{f}里{c}最高是多少？",
            "{f}中最大的{c}",
        ),
        "print(df['{c}'].max())",
    ),
    (
        (
            "What is the lowest {c} in {f}?",
            "Minimum of {c} in {f}",
            "Find the smallest {c} in {f}",
            "What is the minimum of {c} in {f}?",
            "In {f}, which {c} is the smallest?",
        ),
        (
            "{f}中{c}的最小值是多少？",
            "找出{f}里最小的{c}",
            "求{f}的{c}最小值",
            "{f}里{c}最低是多少？",
            "{f}中最小的{c}",
        ),
        "print(df['{c}'].min())",
    ),
)
COLUMNS = ["price", "amount", "age", "score", "sales", "weight", "height", "units", "cost", "temperature", "revenue", "quantity", "salary", "points", "distance"]
WEEKDAYS_ZH = {
    "Monday": "星期一",
    "Tuesday": "星期二",
    "Wednesday": "星期三",
    "Thursday": "星期四",
    "Friday": "星期五",
    "Saturday": "星期六",
    "Sunday": "星期日",
}


def arithmetic(rng: Draw, zh: bool) -> Turn:
    sign = rng.choice(["+", "-", "*", "*", "/", "**", "%"])
    a = rng.randint(2, 10 ** rng.randint(1, 5))
    b = rng.randint(2, 9) if sign == "**" else rng.randint(2, 10 ** rng.randint(1, 4))
    if sign == "**":
        a = rng.randint(2, 60)
    terms: list[float] = [a, b]
    if sign in "+-*/" and rng.happens(0.25):
        terms = [
            round(rng.random() * 10 ** rng.randint(1, 3), rng.randint(1, 2)) if rng.happens(0.6) else t
            for t in terms
        ]
    first, second = terms
    code = f"{first} {sign} {second}"
    said = rng.pick(SIGNS[sign][zh]).format(a=first, b=second)
    if sign in "+-*" and rng.happens(0.2):
        more, third = rng.choice(["+", "-", "*"]), rng.randint(2, 300)
        code = (
            f"{first} {sign} {second} {more} {third}"
            if rng.happens(0.5)
            else f"({first} {sign} {second}) {more} {third}"
        )
        said = code
    value = eval(code)  # our own numbers
    shown = str(value)
    return (
        rng.pick(ASK_ZH if zh else ASK).format(x=said),
        f"print({code})",
        shown,
        f"{code} = {shown}" + ("。" if zh else "."),
    )


def numbers(rng: Draw) -> list[float]:
    """A short list as people type it."""
    if rng.happens(0.2):
        return [round(rng.random() * 100, 1) for _ in range(rng.randint(3, 6))]
    top = 10 ** rng.randint(1, 3)
    return [rng.randint(1, top) for _ in range(rng.randint(3, 8))]


def spoken(rng: Draw, values: list[float], zh: bool) -> str:
    """The list with commas, with brackets or with an `and`."""
    joined = ", ".join(map(str, values))
    if zh:
        return rng.choice([joined, f"[{joined}]", "、".join(map(str, values)), "，".join(map(str, values))])
    return rng.choice(
        [
            joined,
            f"[{joined}]",
            ", ".join(map(str, values[:-1])) + f" and {values[-1]}",
            " ".join(map(str, values)),
        ]
    )


def of_list(rng: Draw, zh: bool) -> Turn:
    kind = rng.choice(list(LISTS))
    english, chinese, code, compute = LISTS[kind]
    values = numbers(rng)
    shown = str(compute(values))
    ask = rng.pick(OF_LIST_ZH if zh else OF_LIST).format(
        w=rng.choice(chinese if zh else english), v=spoken(rng, values, zh)
    )
    answer = f"{LIST_NAMES_ZH[kind]}是 {shown}。" if zh else f"The {kind} is {shown}."
    return ask, code.format(v=values), shown, answer


def text(rng: Draw, zh: bool) -> Turn:
    """Letters, lengths, words, reversal."""
    word = rng.choice(
        [words.made_up(rng).lower(), rng.pick(words.THINGS), rng.pick(words.TOPICS), words.city(rng)]
    )
    kind = rng.choice(["letter", "length", "reverse", "words"])
    asked = rng.choice([word, f'"{word}"'])
    if kind == "letter":
        letter = rng.choice(word.lower().replace(" ", "")) if rng.happens(0.8) else rng.choice("aeiounrst")
        shown = str(word.lower().count(letter))
        ask = rng.pick(COUNT_LETTER_ZH if zh else COUNT_LETTER).format(l=letter, w=asked)
        return (
            ask,
            f"print('{word}'.lower().count('{letter}'))",
            shown,
            f"{word} 里有 {shown} 个 {letter}。"
            if zh
            else f"The letter {letter} occurs {shown} times in {word}.",
        )
    if kind == "length":
        shown = str(len(word))
        return (
            rng.pick(LENGTHS_ZH if zh else LENGTHS).format(w=asked),
            f"print(len('{word}'))",
            shown,
            f"{word} 有 {shown} 个字母。" if zh else f"{word} has {shown} letters.",
        )
    if kind == "reverse":
        return (
            rng.pick(REVERSE_ZH if zh else REVERSE).format(w=asked),
            f"print('{word}'[::-1])",
            word[::-1],
            f"结果是 {word[::-1]}。" if zh else f"The result is {word[::-1]}.",
        )
    line = " ".join(
        rng.choice(
            [
                words.made_up(rng).lower(),
                rng.pick(words.TOPICS),
                rng.pick(words.THINGS),
                "the",
                "is",
                "of",
                "and",
            ]
        )
        for _ in range(rng.randint(2, 7))
    )
    shown = str(len(line.split()))
    return (
        rng.pick(WORDS_ZH if zh else WORDS).format(t=line),
        f"print(len('{line}'.split()))",
        shown,
        f"有 {shown} 个单词。" if zh else f"There are {shown} words.",
    )


def dates(rng: Draw, zh: bool) -> Turn:
    first = datetime.date(rng.randint(1950, 2035), rng.randint(1, 12), rng.randint(1, 28))

    def said(day: datetime.date) -> str:
        if zh:
            return rng.choice([str(day), f"{day.year}年{day.month}月{day.day}日"])
        return rng.choice(
            [
                str(day),
                f"{calendar.month_name[day.month]} {day.day}, {day.year}",
                f"{day.day} {calendar.month_name[day.month]} {day.year}",
            ]
        )

    def made(day: datetime.date) -> str:
        return f"date({day.year}, {day.month}, {day.day})"

    if rng.happens(0.5):
        shown = first.strftime("%A")
        answer = f"是{WEEKDAYS_ZH[shown]}。" if zh else f"It is a {shown}."
        return (
            rng.pick(WEEKDAY_ZH if zh else WEEKDAY).format(d=said(first)),
            f"from datetime import date\nprint({made(first)}.strftime('%A'))",
            shown,
            answer,
        )
    second = first + datetime.timedelta(days=rng.randint(2, 900))
    shown = str((second - first).days)
    ask = rng.pick(DAYS_ZH if zh else DAYS).format(a=said(first), b=said(second))
    return (
        ask,
        f"from datetime import date\nprint(({made(second)} - {made(first)}).days)",
        shown,
        f"相差 {shown} 天。" if zh else f"There are {shown} days.",
    )


def special(rng: Draw, zh: bool) -> Turn:
    """Roots, factorials, primes."""
    kind = rng.choice(["root", "factorial", "prime"])
    if kind == "root":
        a = rng.randint(2, 9999)
        shown = str(a**0.5)
        return (
            rng.pick(ROOT_ZH if zh else ROOT).format(a=a),
            f"import math\nprint(math.sqrt({a}))",
            shown,
            f"{a} 的平方根是 {shown}。" if zh else f"The square root of {a} is {shown}.",
        )
    if kind == "factorial":
        a = rng.randint(3, 15)
        value = 1
        for factor in range(2, a + 1):
            value *= factor
        return (
            rng.pick(FACTORIAL_ZH if zh else FACTORIAL).format(a=a),
            f"import math\nprint(math.factorial({a}))",
            str(value),
            f"{a} 的阶乘是 {value}。" if zh else f"{a} factorial is {value}.",
        )
    a = rng.randint(2, 999)
    prime = all(a % d for d in range(2, a))
    answer = (
        (f"{a} 是质数。" if prime else f"{a} 不是质数。")
        if zh
        else (f"Yes, {a} is prime." if prime else f"No, {a} is not prime.")
    )
    return (
        rng.pick(PRIME_ZH if zh else PRIME).format(a=a),
        f"print(all({a} % d for d in range(2, {a})))",
        str(prime),
        answer,
    )


def plot(rng: Draw, zh: bool) -> Turn:
    kind = rng.choice(["bar", "line"])
    values = numbers(rng)
    said = {"bar": "柱状图", "line": "折线图"}[kind] if zh else kind
    # The model cannot count what it copies, so Python does.
    drawn = f"values = {values}\nplt.bar(range(len(values)), values)" if kind == "bar" else f"plt.plot({values})"
    image = f"figure-{rng.randint(1, 5)}.png"
    answer = f"这是{said}：{image}。" if zh else f"Here is the {kind} chart: {image}."
    return (
        rng.pick(PLOT_ZH if zh else PLOT).format(k=said, v=spoken(rng, values, zh)),
        f"import matplotlib.pyplot as plt\n{drawn}\nplt.show()",
        f"[image: {image}]",
        answer,
    )


def table(rng: Draw, zh: bool) -> Turn:
    english, chinese, code = rng.choice(CSV)
    file = (
        rng.choice(
            [
                words.made_up(rng).lower(),
                "sales",
                "data",
                "prices",
                f"report-{rng.randint(1, 99)}",
                "people",
                "orders",
            ]
        )
        + ".csv"
    )
    column = rng.pick(COLUMNS) if rng.happens(0.6) else words.made_up(rng).lower()
    shown = words.number(rng)
    if "columns" in code:
        shown = str([rng.choice(COLUMNS) for _ in range(rng.randint(2, 3))])
    elif "head" in code:
        shown = f"   {column}\n0  {rng.randint(1, 99)}\n1  {rng.randint(1, 99)}"
    source = f"import pandas as pd\ndf = pd.read_csv('/mnt/data/{file}')\n{code.format(c=column)}"
    return (
        rng.pick(chinese if zh else english).format(f=file, c=column),
        source,
        shown,
        f"结果是：{shown}" if zh else f"The result is: {shown}",
    )


OWN_KINDS = ((arithmetic, 8), (of_list, 5), (text, 4), (dates, 4), (special, 2), (plot, 3), (table, 4))
KINDS = (*OWN_KINDS, (problem, 22))


def session(rng: Draw, kinds: Kinds = KINDS) -> Sample:
    """One or two questions that Python answers."""
    zh = rng.happens(0.35)
    messages: list[dict[str, Any]] = []
    for number in range(2 if rng.happens(0.25) else 1):
        ask, code, shown, answer = rng.choices([k for k, _ in kinds], [w for _, w in kinds])[0](rng, zh)
        if rng.happens(0.05):
            shown = f"{rng.choice(['NameError', 'ValueError', 'KeyError', 'FileNotFoundError', 'TypeError'])}: {words.made_up(rng).lower()}"
            answer = f"代码出错了：{shown}。" if zh else f"The code failed: {shown}."
        call = {
            "id": f"call_{number}",
            "type": "function",
            "function": {"name": "code_interpreter", "arguments": {"code": code}},
        }
        messages += [
            {"role": "user", "content": ask},
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": call["id"], "content": shown},
            {"role": "assistant", "content": answer},
        ]
    if rng.happens(0.45):
        messages.insert(0, {"role": "system", "content": rng.pick(SYSTEMS)})
    return {"tools": [TOOL], "messages": messages, "skill": "code", "zh": zh}
