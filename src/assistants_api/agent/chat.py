"""What a completion's model is shown: the request's own messages, once for each choice."""

from dataclasses import asdict
from typing import Any

from assistants_api.domain.completion import Choice, Completion, NewCompletion
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import ChatMessage, Prompt, Sampling, ToolCall


def settings_of(new: NewCompletion) -> JsonObject:
    """How to ask the engine, as plain JSON; `prompt_of` reads it."""
    return {
        "shown": [asdict(message) for message in new.shown],
        "sampling": asdict(new.sampling),
        "tools": list(new.tools),
        "tool_choice": new.tool_choice,
        "parallel_tool_calls": new.parallel_tool_calls,
        "response_format": new.response_format,
        "reasoning_effort": new.reasoning_effort,
        "cache_key": new.cache_key,
    }


def prompt_of(completion: Completion, model: str, index: int, choice: Choice) -> Prompt:
    """The prompt of one choice, to go on after the text that it has.

    Choices differ by their seed: with a seed, choice `index` is drawn with `seed + index`.
    """
    settings = completion.settings
    sampling: dict[str, Any] = dict(settings["sampling"])
    if sampling["seed"] is not None:
        sampling["seed"] += index
    sampling["stop"] = tuple(sampling["stop"])
    sampling["logit_bias"] = tuple((token, by) for token, by in sampling["logit_bias"])
    return Prompt(
        request_id=completion.id if index == 0 else f"{completion.id}-{index}",
        model=model,
        messages=tuple(_message(message) for message in settings["shown"]),
        tools=tuple(settings["tools"]),
        tool_choice=settings["tool_choice"],
        parallel_tool_calls=settings["parallel_tool_calls"],
        response_format=settings["response_format"],
        sampling=Sampling(**sampling),
        answer_start=choice.text,
        cache_key=settings["cache_key"],
        reasoning_effort=settings["reasoning_effort"],
    )


def _message(stored: dict[str, Any]) -> ChatMessage:
    content = stored["content"]
    return ChatMessage(
        role=stored["role"],
        content=content if isinstance(content, str) else tuple(content),
        tool_calls=tuple(ToolCall(**call) for call in stored["tool_calls"]),
        tool_call_id=stored["tool_call_id"],
        name=stored["name"],
    )
