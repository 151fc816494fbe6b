"""From a prompt to the exact text that a model reads, by the chat template of its tokenizer.

A template that knows no tools, or whose calls could not be read here, is told of them in plain words, in the
Hermes form; a model without a template is given a plain one. docs/models.md shows both.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import Any

from jinja2.exceptions import TemplateError

from assistants_api.domain.errors import EngineFailed
from assistants_api.domain.prompt import ChatMessage, Prompt, ToolCall
from assistants_api.engine.calls import HERMES, LLAMA, CallParser, Family, family_of, short_id

_PLAIN = (
    "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
_PLAIN_STOPS = ("\nuser:", "\nsystem:", "\nassistant:")
_HOW_TO_CALL = (
    "# Tools\n\nYou may call functions. They are described within <tools></tools>:\n"
    "<tools>\n{tools}\n</tools>\n\n"
    "To call one, answer with its name and arguments as JSON within these tags:\n"
    '<tool_call>\n{{"name": <name>, "arguments": <arguments>}}\n</tool_call>'
)
_FORM = "Answer in JSON that fits this schema: {schema}"

# A conversation with a call, to learn what a template shows of it.
_CALL = {"name": "look_up", "arguments": {"word": "token"}}
_PROOF: list[dict[str, Any]] = [
    {"role": "user", "content": "Meaning?"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [{"id": "call00001", "type": "function", "function": _CALL}],
    },
    {"role": "tool", "content": "Text-piece", "tool_call_id": "call00001", "name": "look_up"},
    {"role": "assistant", "content": "Thus."},
    {"role": "user", "content": "Thanks."},
]
_PROOF_TOOL = {
    "type": "function",
    "function": {
        "name": "look_up",
        "description": "Explains words.",
        "parameters": {"type": "object", "properties": {"word": {"type": "string"}}},
    },
}


@dataclass(frozen=True, slots=True)
class Rendered:
    """The text before the answer, and the text with which the answer begins.

    `start` was shown before; `opening` is put into the model's mouth so that a call comes out.
    """

    text: str
    start: str
    opening: str
    in_reasoning: bool


class Template:
    """Renders prompts for one tokenizer."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        source = default = tokenizer.chat_template
        if isinstance(source, dict):
            default = source.get("default")
            source = source.get("tool_use") or default
        self.source: str = source or _plain(tokenizer)
        self._without_tools: str = default or self.source
        self.is_plain = not source
        self.stops: tuple[str, ...] = _PLAIN_STOPS if self.is_plain else ()
        added = tokenizer.added_tokens_decoder.values()
        self._special = [token.content for token in added if token.special and len(token.content) > 1]
        self.reasons = "<think>" in self.source or "<think>" in tokenizer.get_vocab()
        self.family: Family = family_of(self.source)
        self.knows_tools = "tools" in self.source
        if not (self.knows_tools and self._is_understood()):
            self.knows_tools, self.family = False, HERMES

    def describe(self) -> dict[str, str]:
        """Which forms are used, and whose they are, for model details."""
        return {
            "chat_template": "plain" if self.is_plain else "own",
            "tool_template": self.family.name if self.knows_tools else "generic",
            "reasoning": "apart" if self.reasons else "none",
        }

    def render(self, prompt: Prompt) -> Rendered:
        """The text for this prompt; `EngineFailed` when the template refuses it."""
        may_call = prompt.tool_choice != "none"
        tools = _throughout([dict(tool) for tool in prompt.tools if may_call], self._defused)
        messages = _messages(prompt.messages, self._defused)
        if form := _form(prompt.response_format):
            messages = _told_about_form(messages, self._defused(form))
        if not self.knows_tools:
            messages = _told_about_tools(messages, tools)
        text = printable(self._try(messages, tools, prompt.reasoning_effort))
        in_reasoning = text.rstrip().endswith("<think>")
        start = printable(prompt.answer_start)
        opening = self._opening(prompt) if tools else ""
        has_form = prompt.response_format not in ("auto", {"type": "text"})
        if in_reasoning and (start or opening or has_form):
            text = text.rstrip() + "\n\n</think>\n\n"
            in_reasoning = False
        return Rendered(text, start, opening, in_reasoning)

    def _is_understood(self) -> bool:
        """Whether the template shows tools, calls and results, the calls so that they can be read again."""
        try:
            text = self._try(_PROOF, [_PROOF_TOOL], None)
        except Exception:  # whatever a template is up to: prompts without tools may do
            return False
        _, _, rest = text.partition("Meaning?")
        said, result, _ = rest.partition("Text-piece")
        if not result or "Explains words." not in text:
            return False
        if self.family.bare and not any(marker in said for marker in self.family.markers):
            said = said[max(0, said.find("{")) :]
        parser = CallParser(self.family, ["look_up"])
        found = [*parser.feed(said), *parser.finish()]
        calls = [call for call in found if isinstance(call, ToolCall)]
        return [json.loads(call.arguments) for call in calls] == [_CALL["arguments"]]

    def _defused(self, text: str) -> str:
        """Words of the template's own, said by somebody, are words and not the end of their turn."""
        for word in self._special:
            if word in text:
                text = text.replace(word, f"{word[0]}\u200b{word[1:]}")
        return text

    def _opening(self, prompt: Prompt) -> str:
        match prompt.tool_choice:
            case "required":
                names = [tool["function"]["name"] for tool in prompt.tools]
                return self.family.opening(names[0] if len(names) == 1 else None)
            case {"function": {"name": str(name)}}:
                return self.family.opening(name)
        return ""

    def _try(self, messages: list[dict[str, Any]], tools: list[dict[str, Any]], effort: str | None) -> str:
        """What some templates refuse, or leave out, is put in another way.

        Refused are: ids of calls that are not nine letters (Mistral), several calls in one message (Llama 3),
        two messages of one role in a row (Mistral, Gemma), a system message (Gemma), an assistant that speaks
        first (Mistral, Gemma). Some take arguments for text and fail over an object; some fail over no tools.
        Left out are a system's words where no user speaks behind them.
        """
        problem: Exception | None = None
        incomplete: str | None = None
        if tools and self.family is LLAMA:  # shows tools in the first message, whoever said it
            messages = _begun_by_user(messages)
        for given in (tools,) if tools or not self.knows_tools else (None, []):
            for shape in _shapes(messages):
                try:
                    text = self._apply(shape, given, effort)
                except (TemplateError, TypeError, ValueError, LookupError) as error:
                    problem = problem or error
                    continue
                if all(m["content"].strip() in text for m in messages if m["role"] == "system"):
                    return text
                incomplete = text if incomplete is None else incomplete
        if incomplete is not None:
            return incomplete
        raise EngineFailed(
            f"The model's chat template refuses these messages: {problem}", code="invalid_prompt"
        )

    def _apply(
        self, messages: list[dict[str, Any]], tools: list[dict[str, Any]] | None, effort: str | None
    ) -> str:
        options: dict[str, Any] = {}
        if effort is not None:
            options = {"enable_thinking": effort not in ("none", "minimal"), "reasoning_effort": effort}
        has_calls = any("tool_calls" in message for message in messages)
        text = self._tokenizer.apply_chat_template(
            messages,
            tools=tools if self.knows_tools else None,
            chat_template=self.source if tools or has_calls else self._without_tools,
            add_generation_prompt=True,
            tokenize=False,
            **options,
        )
        return str(text)


def _plain(tokenizer: Any) -> str:
    """The template of a model without one; its texts begin as the tokenizer begins texts."""
    first = tokenizer.bos_token_id
    begins = first is not None and tokenizer("a")["input_ids"][:1] == [first]
    return f"{{{{ bos_token }}}}{_PLAIN}" if begins else _PLAIN


def printable(text: str) -> str:
    """The text without half surrogate pairs, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _content(message: ChatMessage) -> str:
    if isinstance(message.content, str):
        return message.content
    texts: list[str] = []
    for part in message.content:
        if part.get("type") != "text":
            raise EngineFailed(
                "This model cannot see images. Remove the image from the thread, or use a model with vision.",
                code="invalid_prompt",
            )
        texts.append(part["text"])
    return "\n\n".join(texts)


def _throughout(value: Any, change: Callable[[str], str]) -> Any:
    """The JSON value, changed as text: of special tokens, none can stand but in its strings."""
    text = json.dumps(value, ensure_ascii=False)
    changed = change(text)
    return value if changed == text else json.loads(changed)


def _arguments(text: str) -> Any:
    """An object where the text is one, or nothing at all: that is what templates expect."""
    try:
        read = json.loads(text.strip() or "{}")
    except (ValueError, RecursionError):
        return text
    return read if isinstance(read, dict) else text


def _messages(messages: Sequence[ChatMessage], defused: Callable[[str], str]) -> list[dict[str, Any]]:
    shaped: list[dict[str, Any]] = []
    names: dict[str, str] = {}
    for message in messages:
        one: dict[str, Any] = {"role": message.role, "content": defused(_content(message))}
        if message.tool_calls:
            names |= {call.id: call.name for call in message.tool_calls}
            one["tool_calls"] = [
                {
                    "id": call.id,
                    "type": "function",
                    "function": {
                        "name": call.name,
                        "arguments": _throughout(_arguments(call.arguments), defused),
                    },
                }
                for call in message.tool_calls
            ]
        if message.tool_call_id is not None:
            one["tool_call_id"] = message.tool_call_id
            one["name"] = names.get(message.tool_call_id, "")
        elif message.name is not None:
            one["name"] = message.name
        shaped.append(one)
    return shaped


def _merged(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Neighbours of one role become one message."""
    merged: list[dict[str, Any]] = []
    for message in messages:
        last = merged[-1] if merged else None
        plain = not (message.get("tool_calls") or message["role"] == "tool")
        if last and plain and last["role"] == message["role"] and not last.get("tool_calls"):
            merged[-1] = {**last, "content": f"{last['content']}\n\n{message['content']}".strip()}
        else:
            merged.append(message)
    return merged


def _shapes(messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """The messages, then the same in other ways: none is made before it is asked for."""
    made = []
    for shape in _told_otherwise(messages):
        made.append(shape)
        yield shape
    begun = [begun for shape in made if (begun := _begun_by_user(shape)) is not shape]
    yield from begun
    yield from map(_with_arguments_as_text, (*made, *begun))


def _told_otherwise(messages: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    yield messages
    yield (short := _with_short_ids(messages))
    yield (single := _with_single_calls(messages))
    yield (short_single := _with_short_ids(single))
    yield _merged(messages)
    yield _merged(short)
    yield _merged(_without_system(short))
    yield _merged(single)
    yield _merged(_without_system(short_single))


def _with_short_ids(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The ids of calls as nine letters and digits; a call and its result keep the same one."""
    changed: list[dict[str, Any]] = []
    for message in messages:
        one = dict(message)
        if "tool_calls" in one:
            one["tool_calls"] = [{**call, "id": short_id(call["id"])} for call in one["tool_calls"]]
        if "tool_call_id" in one:
            one["tool_call_id"] = short_id(one["tool_call_id"])
        changed.append(one)
    return changed


def _with_arguments_as_text(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The arguments of calls as JSON texts."""
    changed: list[dict[str, Any]] = []
    for message in messages:
        calls: list[dict[str, Any]] = []
        for call in message.get("tool_calls", ()):
            given = call["function"]["arguments"]
            text = given if isinstance(given, str) else json.dumps(given, ensure_ascii=False)
            calls.append({**call, "function": {**call["function"], "arguments": text}})
        changed.append({**message, "tool_calls": calls} if calls else message)
    return changed


def _with_single_calls(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each call in a message of its own, with its result behind it."""
    told: set[int] = set()
    changed: list[dict[str, Any]] = []
    for place, message in enumerate(messages):
        calls = message.get("tool_calls", ())
        if len(calls) < 2:
            if place not in told:
                changed.append(message)
            continue
        behind = takewhile(lambda later: messages[later]["role"] == "tool", range(place + 1, len(messages)))
        results = {messages[later].get("tool_call_id"): later for later in behind}
        for number, call in enumerate(calls):
            content = "" if number else message["content"]
            changed.append({**message, "content": content, "tool_calls": [call]})
            if (result := results.get(call["id"])) is not None:
                changed.append(messages[result])
                told.add(result)
    return changed


def _begun_by_user(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Before what anybody else has said first, the user says nothing."""
    first = next((place for place, m in enumerate(messages) if m["role"] != "system"), len(messages))
    if first < len(messages) and messages[first]["role"] == "user":
        return messages
    return [*messages[:first], {"role": "user", "content": ""}, *messages[first:]]


def _without_system(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """System messages are said by the user instead."""
    return [{**m, "role": "user"} if m["role"] == "system" else m for m in messages]


def _form(wanted: Any) -> str:
    """What a model is told of the schema that its answer must fit; empty where there is none."""
    match wanted:
        case {"type": "json_schema", "json_schema": {"schema": dict(schema)}} if schema:
            return _FORM.format(schema=json.dumps(schema, ensure_ascii=False))
    return ""


def _told_about_form(messages: list[dict[str, Any]], form: str) -> list[dict[str, Any]]:
    """The form is said at the end of the system message."""
    if messages and messages[0]["role"] == "system":
        first = messages[0]
        return [{**first, "content": f"{first['content']}\n{form}".lstrip("\n")}, *messages[1:]]
    return [{"role": "system", "content": form}, *messages]


def _told_about_tools(messages: list[dict[str, Any]], tools: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """For templates that know no tools: descriptions, calls and results in plain words."""
    told: list[dict[str, Any]] = []
    if tools:
        lines = "\n".join(json.dumps(tool, ensure_ascii=False) for tool in tools)
        told.append({"role": "system", "content": _HOW_TO_CALL.format(tools=lines)})
    for message in messages:
        content = message["content"]
        for call in message.get("tool_calls", ()):
            body = json.dumps(call["function"], ensure_ascii=False)
            content = f"{content}\n<tool_call>\n{body}\n</tool_call>".lstrip("\n")
        role = message["role"]
        if role == "tool":
            role, content = "user", f"<tool_response>\n{content}\n</tool_response>"
        told.append({"role": role, "content": content})
    return _merged(told)
