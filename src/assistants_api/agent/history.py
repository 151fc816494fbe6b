"""What was said and called, as messages to a model."""

from collections.abc import Sequence
from dataclasses import replace

from assistants_api.agent.citations import without_markers
from assistants_api.domain.json import JsonObject
from assistants_api.domain.message import Message, MessageStatus
from assistants_api.domain.prompt import ChatMessage, ToolCall
from assistants_api.domain.step import RunStep, StepStatus


def chat_message(message: Message) -> ChatMessage:
    """A message of the thread as its part of a prompt."""
    # Figures of a run's answer are known by its text.
    if message.has_images and message.run_id is None:
        return ChatMessage(message.role, tuple(_chat_part(part) for part in message.content))
    return ChatMessage(message.role, without_markers(message.text, message.annotations))


def as_shown(message: ChatMessage) -> list[ChatMessage]:
    """The message as models take it: only a user shows images."""
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
        calls = tuple(asked(call) for call in step.tool_calls)
        # Text and calls of one model call are one message to the model.
        spoke = turns and turns[-1].role == "assistant" and not turns[-1].tool_calls
        text = turns.pop().content if spoke else ""
        turns.append(ChatMessage("assistant", text, tool_calls=calls))
        turns += [ChatMessage("tool", _answered(call), tool_call_id=call["id"]) for call in step.tool_calls]
    return turns


def asked(call: JsonObject) -> ToolCall:
    """A step's call as the model made it."""
    if call["type"] == "function":
        return ToolCall(call["id"], call["function"]["name"], call["function"]["arguments"])
    return ToolCall(call["id"], call["type"], call["arguments"])


def _chat_part(part: JsonObject) -> JsonObject:
    if part["type"] == "text":
        return {"type": "text", "text": part["text"]["value"]}
    return part


def _answered(call: JsonObject) -> str:
    return str(call["function"]["output"] if call["type"] == "function" else call["output"])
