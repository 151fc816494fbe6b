"""What the scripted engine plays for the conformance flows, chosen by words of the last message."""

from typing import Any

CHART = """import pandas as pd
import matplotlib.pyplot as plt
sales = pd.read_csv("/mnt/data/sales.csv")
total = sales["sum"].sum()
print("total", total)
sales.plot.bar(x="region", y="sum")
plt.show()
sales.to_csv("/mnt/data/copy.csv", index=False)
"""
SCRIPT: list[Any] = [
    {"when": "bar chart", "steps": [{"call": "code_interpreter", "arguments": {"code": CHART}, "by": 9}]},
    {"when": "[image", "steps": ["Here it is; the data: sandbox:/mnt/da", "ta/copy.csv."]},
    {
        "when": "total again",
        "steps": [{"call": "code_interpreter", "arguments": {"code": "print('again', total)"}}],
    },
    {"when": "again 8", "steps": ["It was 8."]},
    {
        "when": "weather",
        "steps": [
            {"call": "get_weather", "arguments": {"city": "Oslo"}, "by": 5},
            {"call": "get_weather", "arguments": {"city": "Rome"}, "by": 5},
        ],
    },
    {
        "when": "talk and call",
        "steps": ["Let me see. ", {"call": "get_weather", "arguments": {"city": "Oslo"}}],
    },
    {"when": "degrees", "steps": ["It is cold in Oslo and warm in Rome."]},
    {"when": "slowly", "steps": [step for n in range(200) for step in (f"word{n} ", {"pause": 0.02})]},
    {"when": "at length", "steps": ["many words " * 400]},
    {"when": "break", "steps": ["Well", {"fail": "The model broke."}]},
    {"when": "chinese", "steps": ['你好，世界。\U0001f600 done\n\n"quoted"']},
    {
        "when": "How much holiday",
        "steps": [{"call": "file_search", "arguments": {"query": "days of holiday"}}],
    },
    {"when": "Staff get 25", "steps": ["You get 25 days", "【0:", "0†source】", " a year【9:9†source】."]},
    {"when": "as data", "steps": ['{"city": "Oslo", "degrees": 3}']},
    {"when": "Hello", "steps": ["Hello, how can I help you today?"]},
    ["Something else."],
    *[["Something else."]] * 500,
]
