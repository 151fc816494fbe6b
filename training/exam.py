"""Step 5, exam: items written by hand by somebody who had not seen the training material, greedy, one row per skill.

    python -m training.exam [--folder out/model | --base-url http://127.0.0.1:8000/v1] [--skill grounded]

`exam.jsonl` holds an item a line: messages, tools, and what is expected of the next thing that the assistant says. Nothing in it is
ever trained on. An item counts when the whole expectation holds: all calls with all their arguments, all words that must be there,
none that must not, JSON by its value, Python by what it prints.
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from training.evaluate import BATCH, Item, asked_for, parsed_calls

FILE = Path(__file__).parent / "exam.jsonl"
CLOSE = 0.01  # numbers that Python prints
PYTHON_SECONDS = 20


def same(wanted: Any, got: Any) -> bool:
    """Whether a value is the wanted one, or one of those that are as good."""
    match wanted:
        case {"any_of": list(options)}:
            return any(same(option, got) for option in options)
        case {"any": True}:
            return got not in (None, "")
        case {"contains": list(parts)}:
            return all(has(str(got), part) for part in parts)
        case {"contains": part}:
            return has(str(got), part)
        case dict():
            return isinstance(got, dict) and wanted.keys() == got.keys() and all(same(v, got[k]) for k, v in wanted.items())
        case list():
            return isinstance(got, list) and len(got) == len(wanted) and all(map(same, wanted, got))
        case str():
            return str(got).strip().lower() == wanted.strip().lower()
    return bool(got == wanted)


def has(text: str, part: str | list[str]) -> bool:
    """Whether the text contains the part, or one of several."""
    return any(one.lower() in text.lower() for one in ([part] if isinstance(part, str) else part))


def printed(code: str) -> str:
    """What the code prints, in a Python of its own; '' when it fails."""
    try:
        done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, timeout=PYTHON_SECONDS)
    except subprocess.TimeoutExpired:
        return ""
    return done.stdout.strip()


def prints(code: str, wanted: str) -> bool:
    """Whether the code prints the wanted number or words."""
    got = printed(code)
    try:
        return abs(float(got.split()[-1]) - float(wanted)) <= CLOSE
    except (ValueError, IndexError):
        return bool(got) and wanted.lower() in got.lower()


def is_right(expect: dict[str, Any], said: str) -> bool:
    """Whether all that is expected holds of what was said."""
    made = parsed_calls(said)
    if "calls" in expect:
        wanted = [(call["name"], call["arguments"]) for call in expect["calls"]]
        return len(made) == len(wanted) and all(
            name == got and same(arguments, given) for (name, arguments), (got, given) in zip(wanted, made, strict=True)
        )
    if "python" in expect or "python_contains" in expect:
        code = made[0][1].get("code", "") if len(made) == 1 and isinstance(made[0][1], dict) else ""
        if "python" in expect:
            return bool(code) and prints(code, expect["python"])
        return all(has(code, part) for part in expect["python_contains"])
    if "json" in expect:
        try:
            return same(expect["json"], json.loads(said))
        except ValueError:
            return False
    text = said.strip()
    return (
        all(has(text, part) for part in expect.get("contains", ()))
        and not any(has(text, part) for part in expect.get("excludes", ()))
        and not made
        and bool(text)
        and text.startswith(expect.get("starts_with", ""))
        and text.endswith(expect.get("ends_with", ""))
        and _size(text) <= expect.get("max_words", 10**9)
    )


def _size(text: str) -> int:
    """Words, or in Chinese characters."""
    return len(text.split()) if text.isascii() or " " in text.strip() else len(text)


def main() -> None:
    """Print the table, and what went wrong."""
    arguments, chat = asked_for(__doc__)
    rows = [json.loads(line) for line in FILE.read_text(encoding="utf-8").splitlines() if line]
    skills = list(dict.fromkeys(row["skill"] for row in rows if arguments.skill in row["skill"]))
    print("| skill | English | Chinese |\n|---|---|---|", flush=True)
    total = [0, 0]
    missed: list[str] = []
    for skill in skills:
        cells = []
        wrong = []
        for zh in (False, True):
            of_skill = [row for row in rows if row["skill"] == skill and row["zh"] == zh]
            of_skill.sort(key=lambda row: len(str(row["messages"])) + len(str(row.get("tools"))))
            right = 0
            for start in range(0, len(of_skill), BATCH):
                batch = of_skill[start : start + BATCH]
                items = [Item(row["messages"], row.get("tools"), "", False) for row in batch]
                for row, said in zip(batch, chat.answers(items), strict=True):
                    good = is_right(row["expect"], said)
                    right += good
                    if not good:
                        wrong.append(f"- {skill}: {row['messages'][-1]['content'][-160:]!r}\n  wanted {str(row['expect'])[:260]}\n  said   {said!r}")
            cells.append(f"{right} / {len(of_skill)}")
            total[0] += right
            total[1] += len(of_skill)
        missed += wrong[: arguments.failures]
        print(f"| {skill} | {cells[0]} | {cells[1]} |", flush=True)
    print(f"\n{total[0]} of {total[1]}. Some failures:\n" + "\n".join(missed))


if __name__ == "__main__":
    main()
