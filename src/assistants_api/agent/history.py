"""What was said and called, as messages to a model."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from assistants_api.agent.citations import without_markers
from assistants_api.domain.json import JsonObject
from assistants_api.domain.message import Message, MessageStatus
from assistants_api.domain.prompt import ChatMessage, ToolCall
from assistants_api.domain.step import RunStep, StepStatus


@dataclass(frozen=True, slots=True)
class Past:
    """A message of the thread, or a step of calls on the way to one: its id, its run, and how it is told."""

    id: str
    run_id: str | None
    messages: tuple[ChatMessage, ...]

    @property
    def is_calls(self) -> bool:
        """Whether this is a step of calls."""
        return bool(self.messages[0].tool_calls)


def past_of(messages: Sequence[Message], steps: Iterable[RunStep], names: Collection[str]) -> Iterator[Past]:
    """The messages, each behind what its run called for it, of the functions and tools in `names`.

    `steps` are those of the runs that wrote the messages, oldest first.
    """
    waiting: dict[str, list[Past]] = {}
    calls_for: dict[str, list[Past]] = {}
    for step in steps:
        if step.message_id is not None:
            calls_for[step.message_id] = waiting.pop(step.run_id, [])
        elif step.status is StepStatus.COMPLETED:
            calls = [call for call in step.tool_calls if asked(call).name in names]
            if calls:
                waiting.setdefault(step.run_id, []).append(Past(step.id, step.run_id, _called(calls)))
    for message in messages:
        if message.content:
            yield from calls_for.get(message.id, ())
            yield Past(message.id, message.run_id, (_chat_message(message),))


def told(history: Iterable[Past]) -> list[ChatMessage]:
    """The messages as models take them: text and calls of one model call are one."""
    messages: list[ChatMessage] = []
    run_id: str | None = None
    for past in history:
        if past.is_calls and past.run_id == run_id:
            _join(messages, past.messages)
        else:
            messages += [shown for message in past.messages for shown in _as_shown(message)]
        run_id = past.run_id
    return messages


def _as_shown(message: ChatMessage) -> list[ChatMessage]:
    """Only a user shows images."""
    if message.role == "user" or isinstance(message.content, str):
        return [message]
    text = "".join(part["text"] for part in message.content if part["type"] == "text")
    images = tuple(part for part in message.content if part["type"] != "text")
    said = [replace(message, content=text)] if text else []
    return [*said, ChatMessage("user", images)]


def own_turns(own: Sequence[Message], steps: Sequence[RunStep]) -> list[ChatMessage]:
    """What a run has said and called so far, and what it got."""
    by_id = {message.id: message for message in own}
    turns: list[ChatMessage] = []
    for step in steps:
        if step.status is not StepStatus.COMPLETED:
            continue
        if step.message_id is not None:
            message = by_id.get(step.message_id)
            if message is not None and message.status is not MessageStatus.IN_PROGRESS:
                turns.append(ChatMessage("assistant", message.text))
            continue
        _join(turns, _called(step.tool_calls))
    return turns


def asked(call: Mapping[str, Any]) -> ToolCall:
    """A step's call as the model made it."""
    if call["type"] == "function":
        return ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
    return ToolCall(call["id"], call["type"], call["arguments"])


def answered(call: Mapping[str, Any]) -> str:
    """What a step's call brought the model."""
    return str(call["function"]["output"] if call["type"] == "function" else call["output"])


def _called(calls: Iterable[Mapping[str, Any]]) -> tuple[ChatMessage, ...]:
    """The assistant's message with these calls, and their outputs."""
    calls = tuple(calls)
    outputs = (ChatMessage("tool", answered(call), tool_call_id=call["id"]) for call in calls)
    return (ChatMessage("assistant", "", tool_calls=tuple(map(asked, calls))), *outputs)


def _join(messages: list[ChatMessage], called: Sequence[ChatMessage]) -> None:
    """Appends calls and their outputs; the calls to what the assistant has said just before."""
    first, *outputs = called
    spoke = messages and messages[-1].role == "assistant" and not messages[-1].tool_calls
    text = messages.pop().content if spoke else ""
    messages += [replace(first, content=text), *outputs]


def _chat_message(message: Message) -> ChatMessage:
    # Figures of a run's answer are known by its text.
    if message.has_images and message.run_id is None:
        return ChatMessage(message.role, tuple(_chat_part(part) for part in message.content))
    return ChatMessage(message.role, without_markers(message.text, message.annotations))


def _chat_part(part: JsonObject) -> JsonObject:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    return part
