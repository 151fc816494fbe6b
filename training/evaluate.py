"""Step 4, evaluation: wordings, names, schemas and documents kept from training, greedy, one row per skill and language.

    python -m training.evaluate [--folder out/model | --base-url http://127.0.0.1:8000/v1] [--items 60] [--skill files]

With `--base-url` the items are asked of a running server through the official SDK, as an application would.

Items come from `Draw(seed, held=True)`: every fifth template and word of each list, which training never draws, with
fresh made-up names. An item counts when the next thing that the assistant says is exactly the expected one: a call by its
name and every argument, JSON by its value, words by every character, the citation marker included. Rows marked
*recall* have too few wordings to keep any back.
"""

import argparse
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import torch
from openai import OpenAI
from transformers import AutoModelForCausalLM, AutoTokenizer

from training import bank, calls, documents, orders, schemas, sessions, talk
from training.draw import Draw
from training.prepare import OUT

SEED = 999_331
BATCH = 16
Sample = dict[str, Any]
Call = tuple[str, dict[str, Any]]


class Item(NamedTuple):
    """What the model is shown, and what it should say next."""

    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]] | None
    wanted: str | list[Call]
    as_json: bool


class Skill(NamedTuple):
    """A row: how a conversation is drawn, and which of its assistant messages is asked for."""

    maker: Callable[[Draw], Sample]
    place: Callable[[list[dict[str, Any]]], int]
    as_json: bool = False


def last(messages: list[dict[str, Any]]) -> int:
    """The closing answer."""
    return len(messages) - 1


def first_call(messages: list[dict[str, Any]]) -> int:
    """The first assistant message that calls."""
    return next(place for place, m in enumerate(messages) if m.get("tool_calls"))


def first_answer(messages: list[dict[str, Any]]) -> int:
    """The first assistant message."""
    return next(place for place, m in enumerate(messages) if m["role"] == "assistant")


def found(rng: Draw, *, wanted: bool) -> Sample:
    """A search whose results hold the answer, or do not."""
    while True:
        made = documents.grounded(rng)
        if made["messages"][-1]["content"].endswith("source】") == wanted:
            return made


SKILLS = {
    "search call": Skill(documents.grounded, first_call),
    "grounded answer with its marker": Skill(lambda rng: found(rng, wanted=True), last),
    "not in the files": Skill(lambda rng: found(rng, wanted=False), last),
    "function call, functions never seen": Skill(bank.function_call, first_call),
    "function call, made-up functions": Skill(schemas.one, first_call),
    "two calls": Skill(bank.two_calls, first_call),
    "asks for a missing argument": Skill(bank.missing, first_answer),
    "no function fits": Skill(bank.none_fits, last),
    "tells the output": Skill(bank.function_call, last),
    "Python call": Skill(sessions.session, first_call),
    "tells what Python printed": Skill(sessions.session, last),
    "intent and entities, trades never seen": Skill(bank.intents, last, as_json=True),
    "extraction by a schema": Skill(bank.extraction, last, as_json=True),
    "JSON only": Skill(orders.json_only, last, as_json=True),
    "length": Skill(bank.length, last),
    "tone": Skill(bank.tone, last),
    "opening and closing": Skill(orders.framed, last),
    "answers in the other language": Skill(orders.language, last),
    "memory": Skill(bank.memory, last),
    "glossary, other wordings": Skill(bank.wordings, last),
    "small talk": Skill(talk.greeting, last),
    "help (recall)": Skill(talk.help_, last),
    "honest about the rest": Skill(bank.unknown, last),
    "repeat made-up words (recall)": Skill(talk.repeat, last),
    "weather and rain (recall)": Skill(calls.call, first_call),
}


class Chat:
    """A model folder, asked greedily."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="left")
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answers(self, items: list[Item]) -> list[str]:
        """What the assistant says next, for each item."""
        texts = [
            self.tokenizer.apply_chat_template(
                i.messages, tools=i.tools, tokenize=False, add_generation_prompt=True
            )
            for i in items
        ]
        shown = self.tokenizer(texts, add_special_tokens=False, return_tensors="pt", padding=True)
        with torch.inference_mode():
            made = self.model.generate(
                shown["input_ids"],
                attention_mask=shown["attention_mask"],
                do_sample=False,
                min_p=None,
                max_new_tokens=200,
            )
        return self.tokenizer.batch_decode(made[:, shown["input_ids"].shape[1] :], skip_special_tokens=True)


class Served:
    """A running server, asked greedily through the official SDK; its calls are written as the template writes them."""

    def __init__(self, base_url: str) -> None:
        self.client = OpenAI(base_url=base_url, api_key="any")

    def answers(self, items: list[Item]) -> list[str]:
        """What the assistant says next, for each item; they are asked at once."""
        with ThreadPoolExecutor(BATCH) as pool:
            return list(pool.map(self._answer, items))

    def _answer(self, item: Item) -> str:
        tools: Any = {"tools": item.tools} if item.tools else {}
        said = self.client.chat.completions.create(
            model="any",
            messages=[sent(message) for message in item.messages],
            temperature=0,
            max_completion_tokens=200,
            **tools,
        ).choices[0].message
        calls_made = [
            {"name": each.function.name, "arguments": json.loads(each.function.arguments)}
            for each in said.tool_calls or ()
        ]
        written = [f"<tool_call>\n{json.dumps(call, ensure_ascii=False)}\n</tool_call>" for call in calls_made]
        return "\n".join([said.content or "", *written] if said.content else written)


def sent(message: dict[str, Any]) -> Any:
    """A message in the API's form: arguments as text."""
    made = [
        {**call, "function": {**call["function"], "arguments": _as_text(call["function"]["arguments"])}}
        for call in message.get("tool_calls", ())
    ]
    return {**message, "tool_calls": made} if made else message


def _as_text(arguments: Any) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def item_of(skill: Skill, made: Sample) -> Item:
    """The conversation up to the message that is asked for."""
    place = skill.place(made["messages"])
    message = made["messages"][place]
    if message.get("tool_calls"):
        wanted: str | list[Call] = [
            (c["function"]["name"], c["function"]["arguments"]) for c in message["tool_calls"]
        ]
    else:
        wanted = message["content"]
    return Item(made["messages"][:place], made.get("tools"), wanted, skill.as_json)


def parsed_calls(text: str) -> list[Call]:
    """The calls in an answer; malformed ones count as none."""
    calls_found = []
    for part in text.split("<tool_call>")[1:]:
        try:
            value = json.loads(part.split("</tool_call>")[0])
            calls_found.append((value["name"], value["arguments"]))
        except (ValueError, KeyError, TypeError):
            continue
    return calls_found


def is_right(item: Item, said: str) -> bool:
    """Whether the model said what is expected."""
    if not isinstance(item.wanted, str):
        return parsed_calls(said) == item.wanted
    if item.as_json:
        try:
            return bool(json.loads(said) == json.loads(item.wanted))
        except ValueError:
            return False
    return said.strip() == item.wanted


def asked_for(description: str | None, *, items: int | None = None) -> tuple[argparse.Namespace, Chat | Served]:
    """The options of an evaluation, and the model that they name."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--folder", type=Path, default=OUT / "model")
    parser.add_argument("--base-url", help="of a running server; in place of the folder")
    if items is not None:
        parser.add_argument("--items", type=int, default=items, help="items per skill and language")
    parser.add_argument("--skill", default="", help="only the rows with this in their name")
    parser.add_argument("--failures", type=int, default=2, help="shown per skill")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    return arguments, Served(arguments.base_url) if arguments.base_url else Chat(arguments.folder)


def main() -> None:
    """Print the table, and some of what went wrong."""
    arguments, chat = asked_for(__doc__, items=60)
    print(
        f"| skill | English, of {arguments.items} | Chinese, of {arguments.items} |\n|---|---|---|",
        flush=True,
    )
    wrong: list[tuple[str, Item, str]] = []
    for number, (name, skill) in enumerate(SKILLS.items()):
        if arguments.skill not in name:
            continue
        rng = Draw(SEED + number, held=True)
        items: dict[bool, list[Item]] = {False: [], True: []}
        for _ in range(arguments.items * 12):
            made = skill.maker(rng)
            if len(items[made["zh"]]) < arguments.items:
                items[made["zh"]].append(item_of(skill, made))
        cells, missed = [], []
        for drawn in items.values():
            right = 0
            drawn.sort(key=lambda item: len(str(item.messages)))
            for start in range(0, len(drawn), BATCH):
                batch = drawn[start : start + BATCH]
                for item, said in zip(batch, chat.answers(batch), strict=True):
                    right += (good := is_right(item, said))
                    if not good:
                        missed.append((name, item, said))
            cells.append(f"{100 * right / len(drawn):.0f} %" if drawn else "–")
        print(f"| {name} | {cells[0]} | {cells[1]} |", flush=True)
        wrong += rng.sample(missed, min(arguments.failures, len(missed)))
    print("\nSome failures:")
    for name, item, said in wrong:
        print(
            f"- {name}: {item.messages[-1]['content'][-200:]!r}\n  wanted {item.wanted!r}\n  said   {said!r}"
        )


if __name__ == "__main__":
    main()
