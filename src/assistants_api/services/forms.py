"""Forms of answers that the engine could not enforce are refused by name, before anything runs."""

from collections.abc import Iterable
from typing import Any

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.json import JsonObject
from assistants_api.domain.prompt import EngineFacts
from assistants_api.engine import schemas


def refuse_forms(response_format: str | JsonObject, tools: Iterable[JsonObject], engine: EngineFacts) -> None:
    """`InvalidRequest` for a response format or a strict function that this engine cannot hold answers to.

    Any function is refused whose schema no engine should read.
    """
    if not isinstance(response_format, str) and response_format["type"] != "text":
        _refuse_format(response_format, engine)
    if not engine.enforces_schemas:
        return
    for place, tool in enumerate(tools):
        if tool["type"] == "function":
            function: Any = tool["function"]
            schema = schemas.of_function(function)
            is_strict = bool(function.get("strict"))
            problem = schemas.problem(schema, is_strict=True) if is_strict else schemas.excess(schema)
            if problem:
                raise InvalidRequest(
                    f"Invalid schema for function '{function['name']}': {problem}",
                    param=f"tools[{place}].function.parameters",
                    code="invalid_function_parameters",
                )


def _refuse_format(wanted: JsonObject, engine: EngineFacts) -> None:
    if not engine.has_structured_output:
        raise InvalidRequest(
            f"The response format '{wanted['type']}' cannot be enforced by the '{engine.name}' engine.",
            param="response_format",
            code="unsupported_response_format",
        )
    if not engine.enforces_schemas or wanted["type"] != "json_schema":
        return
    named: Any = wanted["json_schema"]
    if problem := schemas.problem(named.get("schema") or {}, is_strict=bool(named.get("strict"))):
        raise InvalidRequest(
            f"Invalid schema for response_format '{named['name']}': {problem}", param="response_format"
        )
