"""Step 4, evaluation: items drawn with another seed, greedy, one row per skill and language.

    python -m training.evaluate [--folder out/model] [--items 60]

Cities, names, numbers and schemas are drawn with another seed, made-up words among them; a call counts when
name and arguments are exactly right, an answer when it is exactly the expected one.
Greetings, glossary and help are drawn from the wordings that training uses, so those rows show recall.
"""

import argparse
import json
import random
from collections import defaultdict
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from training import calls, talk
from training.prepare import OUT

SEED = 999_331
SKILLS = {
    "greeting": talk.greeting,
    "glossary": talk.term,
    "help": talk.help_,
    "honest about the rest": talk.unknown,
    "repeat": talk.repeat,
    "memory": talk.memory,
    "no call needed": talk.with_idle_tools,
    "call": calls.call,
    "tell a result": calls.call,
}


class Chat:
    """A model folder, asked greedily."""

    def __init__(self, folder: Path) -> None:
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()

    def answer(self, messages: list[dict], tools: list[dict] | None = None) -> str:
        """What the assistant says next."""
        text = self.tokenizer.apply_chat_template(
            messages, tools=tools, tokenize=False, add_generation_prompt=True
        )
        ids = self.tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.inference_mode():
            made = self.model.generate(
                ids, attention_mask=torch.ones_like(ids), do_sample=False, min_p=None, max_new_tokens=160
            )
        return self.tokenizer.decode(made[0, ids.shape[1] :], skip_special_tokens=True)


def parsed_calls(text: str) -> list[tuple[str, dict]]:
    """The calls in an answer; malformed ones count as none."""
    found = []
    for part in text.split("<tool_call>")[1:]:
        try:
            value = json.loads(part.split("</tool_call>")[0])
            found.append((value["name"], value["arguments"]))
        except (ValueError, KeyError, TypeError):
            continue
    return found


def is_right(chat: Chat, skill: str, made: dict) -> tuple[bool, str]:
    """Whether the model does what is expected, and what it said."""
    messages, tools = made["messages"], made.get("tools")
    if skill == "call":
        wanted = [(c["function"]["name"], c["function"]["arguments"]) for c in messages[1]["tool_calls"]]
        said = chat.answer(messages[:1], tools)
        return parsed_calls(said) == wanted, said
    said = chat.answer(messages[:-1], tools)
    return said.strip() == messages[-1]["content"], said


def main() -> None:
    """Print the table, and some of what went wrong."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, default=OUT / "model")
    parser.add_argument("--items", type=int, default=60, help="items per skill")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    chat = Chat(arguments.folder)
    rng = random.Random(SEED)
    print("| skill | English | Chinese |\n|---|---|---|")
    wrong = []
    for skill, maker in SKILLS.items():
        right: dict[bool, list[bool]] = defaultdict(list)
        for _ in range(arguments.items):
            made = maker(rng)
            good, said = is_right(chat, skill, made)
            right[made["zh"]].append(good)
            if not good:
                wrong.append((skill, made["messages"][-2 if skill != "call" else 0]["content"], said))
        cells = [
            f"{100 * sum(r) / len(r):.0f} % of {len(r)}" if (r := right[zh]) else "–" for zh in (False, True)
        ]
        print(f"| {skill} | {cells[0]} | {cells[1]} |")
    print("\nSome failures:")
    for skill, asked, said in rng.sample(wrong, min(12, len(wrong))):
        print(f"- {skill}: {asked!r} → {said!r}")


if __name__ == "__main__":
    main()
