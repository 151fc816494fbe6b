"""What is asked of chat completions, on the wire."""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Discriminator, Field, Tag

from assistants_api.domain.completion import NewCompletion
from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import Sampling
from assistants_api.wire.base import MetadataField, Request, plain
from assistants_api.wire.chat_messages import ChatCompletionRequestMessage, conversation, instructed
from assistants_api.wire.shapes import (
    AnyFormat,
    FunctionTool,
    NamedFunction,
    Reasoning,
    Temperature,
    TopP,
    stored_format,
    stored_tools,
)

Penalty = Annotated[float | None, Field(ge=-2, le=2)]
TokenLimit = Annotated[int | None, Field(ge=1, le=2**53)]
Bias = Annotated[float, Field(ge=-100, le=100)]


class CustomTool(Request):
    """A tool with free text for input: known, and refused by name."""

    type: Literal["custom"]
    custom: dict[str, Any]


class FunctionChoice(Request):
    """Forces one function."""

    type: Literal["function"]
    function: NamedFunction


class AllowedTools(Request):
    """Those of the tools that may be called, and whether one must be."""

    mode: Literal["auto", "required"]
    tools: list[dict[str, Any]] = Field(max_length=128)


class AllowedToolsChoice(Request):
    """Restricts the tools."""

    type: Literal["allowed_tools"]
    allowed_tools: AllowedTools


class CustomChoice(Request):
    """Forces one custom tool: known, and refused by name."""

    type: Literal["custom"]
    custom: NamedFunction


def _word_or_object(value: object) -> str:
    return "~object" if isinstance(value, dict | BaseModel) else "~word"


ChatToolChoice = Annotated[
    Annotated[Literal["none", "auto", "required"], Tag("~word")]
    | Annotated[
        Annotated[FunctionChoice | AllowedToolsChoice | CustomChoice, Field(discriminator="type")],
        Tag("~object"),
    ],
    Discriminator(_word_or_object),
]


def _text_or_list(value: object) -> str | None:
    if isinstance(value, str):
        return "~text"
    return "~list" if isinstance(value, list) else None


Stop = Annotated[
    Annotated[str, Tag("~text")] | Annotated[list[str], Field(max_length=4), Tag("~list")],
    Discriminator(
        _text_or_list,
        custom_error_type="string_or_array",
        custom_error_message="expected one of a string or array of strings",
    ),
]


class StreamOptions(Request):
    """What a stream shows besides the answer."""

    include_usage: bool | None = None
    include_obfuscation: bool | None = None


# What is known and cannot be done here, and the words for it; a null is as good as nothing.
_VERBOSITY = {"low": "Answer briefly.", "high": "Answer at length and in detail."}
_REFUSED = {
    "audio": "Audio cannot be made by this server.",
    "functions": "'functions' is the old name of 'tools': send these functions as tools.",
    "function_call": "'function_call' is the old name of 'tool_choice': send that instead.",
    "moderation": "Moderation is not served.",
    "prediction": "Predicted outputs are not served.",
    "web_search_options": "Web search is not served.",
}


class CreateChatCompletionRequest(Request):
    """The body of createChatCompletion; `top_k` and `min_p` are extensions."""

    model: str = Field(min_length=1, max_length=256)
    messages: list[ChatCompletionRequestMessage] = Field(min_length=1, max_length=100_000)
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: int | None = Field(None, ge=1, le=128, description="How many answers to write.")
    max_completion_tokens: TokenLimit = None
    max_tokens: TokenLimit = Field(None, description="The old name of max_completion_tokens.")
    temperature: Temperature = None
    top_p: TopP = None
    top_k: int | None = Field(
        None, ge=-1, le=2**31, description="Extension: only so many likeliest tokens; 0 or -1 for all."
    )
    min_p: float | None = Field(
        None, ge=0, le=1, description="Extension: only tokens at least so likely, relative to the likeliest."
    )
    frequency_penalty: Penalty = None
    presence_penalty: Penalty = None
    logit_bias: dict[str, Bias] | None = Field(
        None, max_length=1024, description="By the served model's own token numbers."
    )
    logprobs: bool | None = None
    top_logprobs: int | None = Field(None, ge=0, le=20)
    seed: int | None = Field(None, ge=-(2**63), le=2**63 - 1)
    stop: Stop | None = None
    tools: list[Annotated[FunctionTool | CustomTool, Field(discriminator="type")]] | None = Field(
        None, max_length=128
    )
    tool_choice: ChatToolChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: AnyFormat | None = None
    reasoning_effort: Reasoning = None
    verbosity: Literal["low", "medium", "high"] | None = Field(
        None, description="'low' and 'high' are a sentence at the end of the instructions."
    )
    store: bool | None = None
    metadata: MetadataField = None
    user: str | None = None
    safety_identifier: str | None = Field(None, max_length=64)
    prompt_cache_key: str | None = None
    prompt_cache_retention: Literal["in_memory", "in-memory", "24h"] | None = None
    prompt_cache_options: dict[str, Any] | None = None
    service_tier: Literal["auto", "default", "flex", "scale", "priority", "fast"] | None = None
    modalities: list[Literal["text", "audio"]] | None = None
    audio: dict[str, Any] | None = Field(None, description=_REFUSED["audio"])
    prediction: dict[str, Any] | None = Field(None, description=_REFUSED["prediction"])
    web_search_options: dict[str, Any] | None = Field(None, description=_REFUSED["web_search_options"])
    moderation: dict[str, Any] | None = Field(None, description=_REFUSED["moderation"])
    functions: list[dict[str, Any]] | None = Field(None, description=_REFUSED["functions"])
    function_call: Any = Field(None, description=_REFUSED["function_call"])

    @property
    def shows_usage(self) -> bool:
        """Whether a stream ends with what was spent."""
        return self.stream_options is not None and bool(self.stream_options.include_usage)

    def to_new_completion(self) -> NewCompletion:
        """What the domain answers; raises `InvalidRequest` for what cannot be done, by name."""
        self._refuse()
        tools, choice = self._tools()
        return NewCompletion(
            model=self.model,
            messages=tuple(plain(message) for message in self.messages),
            shown=instructed(conversation(self.messages), _VERBOSITY.get(self.verbosity or "")),
            sampling=self._sampling(),
            tools=tools,
            tool_choice=choice,
            parallel_tool_calls=self.parallel_tool_calls is not False,
            response_format=stored_format(self.response_format),
            reasoning_effort=self.reasoning_effort,
            n=self.n or 1,
            cache_key=self.prompt_cache_key or self.user or "",
            is_stored=bool(self.store),
            metadata=self.metadata or {},
        )

    def _refuse(self) -> None:
        for name, words in _REFUSED.items():
            if getattr(self, name) is not None:
                raise InvalidRequest(words, param=name, code="unsupported_parameter")
        if "audio" in (self.modalities or ()):
            raise InvalidRequest(_REFUSED["audio"], param="modalities", code="unsupported_parameter")
        needs = (
            ("stream_options", self.stream_options is not None, "stream", self.stream),
            ("top_logprobs", self.top_logprobs is not None, "logprobs", self.logprobs),
            ("metadata", bool(self.metadata), "store", self.store),
        )
        for name, is_given, other, is_on in needs:
            if is_given and not is_on:
                raise InvalidRequest(
                    f"The '{name}' parameter is only allowed when '{other}' is enabled.",
                    param=name,
                    code="invalid_value",
                )

    def _sampling(self) -> Sampling:
        stop = (self.stop,) if isinstance(self.stop, str) else tuple(self.stop or ())
        limit = self.max_completion_tokens if self.max_completion_tokens is not None else self.max_tokens
        return Sampling(
            temperature=1.0 if self.temperature is None else self.temperature,
            top_p=1.0 if self.top_p is None else self.top_p,
            seed=self.seed,
            stop=tuple(words for words in stop if words),
            max_tokens=limit,
            top_k=None if self.top_k is None else max(0, self.top_k),
            min_p=self.min_p,
            frequency_penalty=self.frequency_penalty or 0.0,
            presence_penalty=self.presence_penalty or 0.0,
            logit_bias=tuple((_token(name), by) for name, by in (self.logit_bias or {}).items()),
            top_logprobs=(self.top_logprobs or 0) if self.logprobs else None,
        )

    def _tools(self) -> tuple[tuple[JsonObject, ...], str | JsonObject]:
        """The tools that may be called, and the choice among them."""
        for place, tool in enumerate(self.tools or ()):
            if isinstance(tool, CustomTool):
                raise InvalidRequest(
                    "Custom tools are not served: only function tools are.",
                    param=f"tools[{place}].type",
                    code="unsupported_tool",
                )
        tools = stored_tools(self.tools)
        names = {tool["function"]["name"] for tool in tools}
        match self.tool_choice:
            case CustomChoice():
                raise InvalidRequest(
                    "Custom tools are not served.", param="tool_choice.type", code="unsupported_tool"
                )
            case FunctionChoice(function=function):
                if function.name not in names:
                    raise InvalidRequest(
                        f"Tool choice '{function.name}' not found in 'tools' parameter.",
                        param="tool_choice",
                        code="invalid_value",
                    )
                return tools, plain(self.tool_choice)
            case AllowedToolsChoice(allowed_tools=allowed):
                wanted = _allowed(allowed.tools, names)
                tools = tuple(tool for tool in tools if tool["function"]["name"] in wanted)
                return tools, allowed.mode
            case "required" if not tools:
                raise InvalidRequest(
                    "'tool_choice' is 'required' but 'tools' is empty.",
                    param="tool_choice",
                    code="invalid_value",
                )
        return tools, "auto" if self.tool_choice is None else str(self.tool_choice)


def _token(name: str) -> int:
    if not name.isascii() or not name.isdigit() or len(name) > 9:
        raise InvalidRequest(
            f"Invalid key in 'logit_bias': '{name[:50]}'. Expected the number of a token.",
            param="logit_bias",
            code="invalid_value",
        )
    return int(name)


def _allowed(tools: Sequence[Mapping[str, Any]], names: set[str]) -> set[str]:
    wanted: set[str] = set()
    for place, tool in enumerate(tools):
        function = tool.get("function")
        name = function.get("name") if isinstance(function, Mapping) else None
        if not isinstance(name, str) or name not in names:
            raise InvalidRequest(
                "Allowed tools must be functions that the 'tools' parameter names.",
                param=f"tool_choice.allowed_tools.tools[{place}]",
                code="invalid_value",
            )
        wanted.add(name)
    if not wanted:
        raise InvalidRequest(
            "No tool is allowed: use the tool choice 'none' for that.",
            param="tool_choice.allowed_tools.tools",
            code="invalid_value",
        )
    return wanted


class DeploymentChatCompletionRequest(CreateChatCompletionRequest):
    """The same on an Azure path, which names the model."""

    model: str = Field("", max_length=256)


class UpdateChatCompletionRequest(Request):
    """The body of updateChatCompletion."""

    metadata: MetadataField

    def changes(self) -> dict[str, Any]:
        """The stored fields that change."""
        return {"metadata": self.metadata or {}}
