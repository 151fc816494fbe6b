"""The messages of a chat completion's request, and what the model is shown of them."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import ChatMessage, ToolCall
from assistants_api.wire.base import Request, plain

_ECHO = "Clients that send an answer back as they had it send this too; it is not used."
Name = Annotated[str | None, Field(max_length=256)]


class _Said(Request):
    """A part of the conversation. Clients send it as other servers gave it to them, or mark it for those.

    OpenAI's Swarm puts a `sender` into messages, LiteLLM `cache_control`, OpenRouter's clients
    `reasoning_details`: what is not of this API is left out.
    """

    model_config = ConfigDict(extra="ignore")


class ChatCompletionRequestMessageContentPartText(_Said):
    """Text."""

    type: Literal["text"]
    text: str


class ChatImageUrl(_Said):
    """An image by address; the address may hold the image itself."""

    url: str
    detail: Literal["auto", "low", "high", "original"] | None = None


class ChatCompletionRequestMessageContentPartImage(_Said):
    """An image."""

    type: Literal["image_url"]
    image_url: ChatImageUrl


class ChatCompletionRequestMessageContentPartAudio(_Said):
    """Audio: known, and refused by name."""

    type: Literal["input_audio"]
    input_audio: dict[str, Any]


class ChatCompletionRequestMessageContentPartFile(_Said):
    """A file: known, and refused by name."""

    type: Literal["file"]
    file: dict[str, Any]


class ChatCompletionRequestMessageContentPartRefusal(_Said):
    """A refusal by the model."""

    type: Literal["refusal"]
    refusal: str


def _text_or_parts(value: object) -> str | None:
    if isinstance(value, str):
        return "~text"
    return "~parts" if isinstance(value, list) else None


_KIND = Discriminator(
    _text_or_parts,
    custom_error_type="string_or_array",
    custom_error_message="expected one of a string or array of objects",
)
_Text = Annotated[str, Tag("~text")]
_TextPart = ChatCompletionRequestMessageContentPartText
_UserPart = Annotated[
    ChatCompletionRequestMessageContentPartText
    | ChatCompletionRequestMessageContentPartImage
    | ChatCompletionRequestMessageContentPartAudio
    | ChatCompletionRequestMessageContentPartFile,
    Field(discriminator="type"),
]
_AssistantPart = Annotated[
    ChatCompletionRequestMessageContentPartText | ChatCompletionRequestMessageContentPartRefusal,
    Field(discriminator="type"),
]
TextContent = Annotated[
    _Text | Annotated[list[_TextPart], Field(min_length=1, max_length=1000), Tag("~parts")], _KIND
]
UserContent = Annotated[
    _Text | Annotated[list[_UserPart], Field(min_length=1, max_length=1000), Tag("~parts")], _KIND
]
AssistantContent = Annotated[
    _Text | Annotated[list[_AssistantPart], Field(max_length=1000), Tag("~parts")], _KIND
]


class ChatCompletionRequestSystemMessage(_Said):
    """Instructions."""

    role: Literal["system"]
    content: TextContent
    name: Name = None


class ChatCompletionRequestDeveloperMessage(_Said):
    """Instructions, by their newer name; the model is shown them as the system's."""

    role: Literal["developer"]
    content: TextContent
    name: Name = None


class ChatCompletionRequestUserMessage(_Said):
    """What the user says."""

    role: Literal["user"]
    content: UserContent
    name: Name = None


class RequestFunction(_Said):
    """A function that was called, and its arguments, a JSON text."""

    name: str = Field(min_length=1, max_length=64)
    arguments: str
    parsed_arguments: Any = Field(None, description=_ECHO)


class RequestToolCall(_Said):
    """A call that the model made."""

    id: str = Field(min_length=1, max_length=256)
    type: Literal["function"]
    function: RequestFunction
    index: int | None = Field(None, description=_ECHO)


class ChatCompletionRequestAssistantMessage(_Said):
    """What the model said."""

    role: Literal["assistant"]
    content: AssistantContent | None = None
    refusal: str | None = None
    name: Name = None
    tool_calls: list[RequestToolCall] | None = Field(None, max_length=128)
    annotations: list[dict[str, Any]] | None = Field(None, description=_ECHO)
    reasoning_content: str | None = Field(None, description=_ECHO)
    parsed: Any = Field(None, description=_ECHO)
    audio: dict[str, Any] | None = None
    function_call: dict[str, Any] | None = None


class ChatCompletionRequestToolMessage(_Said):
    """What a call returned."""

    role: Literal["tool"]
    content: TextContent
    tool_call_id: str
    name: Name = None


class ChatCompletionRequestFunctionMessage(_Said):
    """What a call of the old kind returned: known, and refused by name."""

    role: Literal["function"]
    content: str | None
    name: str


ChatCompletionRequestMessage = Annotated[
    ChatCompletionRequestDeveloperMessage
    | ChatCompletionRequestSystemMessage
    | ChatCompletionRequestUserMessage
    | ChatCompletionRequestAssistantMessage
    | ChatCompletionRequestToolMessage
    | ChatCompletionRequestFunctionMessage,
    Field(discriminator="role"),
]


def conversation(messages: Sequence[Any]) -> tuple[ChatMessage, ...]:
    """What the model is shown; `InvalidRequest` for what it cannot be, and for calls without outputs."""
    shown: list[ChatMessage] = []
    open_calls: list[str] = []
    called_at = 0
    for place, message in enumerate(messages):
        path = f"messages[{place}]"
        if message.role == "tool":
            if message.tool_call_id not in open_calls:
                raise InvalidRequest(
                    "Invalid parameter: messages with role 'tool' must be a response to a preceeding message"
                    " with 'tool_calls'.",
                    param=f"{path}.role",
                )
            open_calls.remove(message.tool_call_id)
        elif open_calls:
            raise _unanswered(called_at, open_calls)
        shown.append(_shown(message, path))
        if message.role == "assistant" and message.tool_calls:
            open_calls, called_at = [call.id for call in message.tool_calls], place
    if open_calls:
        raise _unanswered(called_at, open_calls)
    return tuple(shown)


def instructed(shown: tuple[ChatMessage, ...], words: str | None) -> tuple[ChatMessage, ...]:
    """The conversation with these words at the end of the instructions with which it begins."""
    if not words:
        return shown
    if not shown or shown[0].role != "system":
        return (ChatMessage("system", words), *shown)
    said = shown[0].content
    content = f"{said}\n\n{words}" if isinstance(said, str) else (*said, {"type": "text", "text": words})
    return (replace(shown[0], content=content), *shown[1:])


def _unanswered(place: int, calls: Sequence[str]) -> InvalidRequest:
    return InvalidRequest(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each"
        f" 'tool_call_id'. The following tool_call_ids did not have response messages: {', '.join(calls)}",
        param=f"messages[{place}].role",
    )


def _shown(message: Any, path: str) -> ChatMessage:
    match message:
        case ChatCompletionRequestFunctionMessage():
            raise InvalidRequest(
                "Messages with role 'function' are of the old kind: send tool calls and their outputs.",
                param=f"{path}.role",
                code="unsupported_value",
            )
        case ChatCompletionRequestAssistantMessage():
            return _said(message, path)
        case ChatCompletionRequestToolMessage():
            content = _content(message.content, path)
            return ChatMessage("tool", content, tool_call_id=message.tool_call_id)
        case _:
            role = "system" if message.role == "developer" else message.role
            return ChatMessage(role, _content(message.content, path), name=message.name)


def _said(message: ChatCompletionRequestAssistantMessage, path: str) -> ChatMessage:
    for name in ("audio", "function_call"):
        if getattr(message, name) is not None:
            raise InvalidRequest(
                f"'{name}' in a message is not served.", param=f"{path}.{name}", code="unsupported_parameter"
            )
    if message.content is None and not message.tool_calls and message.refusal is None:
        raise InvalidRequest(
            f"Invalid value for '{path}.content': expected a string, got null.",
            param=f"{path}.content",
            code="invalid_type",
        )
    content = _content(message.content, path) if message.content else message.refusal or ""
    calls = tuple(
        ToolCall(call.id, call.function.name, call.function.arguments) for call in message.tool_calls or ()
    )
    return ChatMessage("assistant", content, tool_calls=calls, name=message.name)


def _content(content: str | list[Any], path: str) -> str | tuple[JsonObject, ...]:
    """Text, or parts where one of them is an image; text parts are paragraphs of one text."""
    if isinstance(content, str):
        return content
    for place, part in enumerate(content):
        if part.type in ("input_audio", "file"):
            raise InvalidRequest(
                f"Message parts of type '{part.type}' are not served: only text and images are.",
                param=f"{path}.content[{place}].type",
                code="unsupported_content",
            )
    if any(part.type == "image_url" for part in content):
        return tuple(plain(part) for part in content)
    return "\n\n".join(part.refusal if part.type == "refusal" else part.text for part in content)
