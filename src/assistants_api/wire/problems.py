"""The error envelope, and what a validation error is called in it."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

from assistants_api.domain.errors import InvalidRequest


class ErrorObject(BaseModel):
    """What is wrong; all four keys are always there."""

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorResponse(BaseModel):
    """The body of every error."""

    error: ErrorObject


def error_body(
    message: str, *, type: str = "invalid_request_error", param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The envelope as JSON."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


ID_PREFIX = "id_prefix"  # the error of an id of another kind; its context has the `prefix`
_EXPECTED = {
    "string_type": "a string",
    "string_sub_type": "a string",
    "int_type": "an integer",
    "int_from_float": "an integer",
    "int_parsing": "an integer",
    "int_parsing_size": "an integer",
    "float_type": "a decimal",
    "float_parsing": "a decimal",
    "finite_number": "a finite number",
    "bool_type": "a boolean",
    "bool_parsing": "a boolean",
    "list_type": "an array",
    "dict_type": "an object",
    "model_type": "an object",
    "model_attributes_type": "an object",
    "string_or_array": "one of a string or array of objects",
}


def problem_of(error: Mapping[str, Any], root: object) -> InvalidRequest:
    """The first pydantic error of a body or query, in the API's words; `root` is what was validated."""
    kind, ctx = str(error["type"]), error.get("ctx") or {}
    path = _path(error["loc"], root, is_missing=kind in ("missing", "extra_forbidden"))
    given = error.get("input")
    if kind == "missing":
        return _problem(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    if kind == "extra_forbidden":
        return _problem(f"Unknown parameter: '{path}'.", path, "unknown_parameter")
    if kind in ("literal_error", "enum", "union_tag_invalid"):
        if kind == "union_tag_invalid":
            # The context holds the tag as text: `null` and `true` would look like the words for them.
            discriminator = ctx["discriminator"].strip("'")
            path, given = f"{path}.{discriminator}", given[discriminator] if given else None
            if isinstance(given, bool) or not isinstance(given, str):
                return _wrong_type(path, "a string", given)
        elif not isinstance(given, str):
            return _wrong_type(path, "a string", given)
        values = re.findall(r"'([^']*)'", str(ctx.get("expected") or ctx.get("expected_tags")))
        return _problem(
            f"Invalid value: '{given}'. Supported values are: {_listed(values)}.", path, "invalid_value"
        )
    if kind == "union_tag_not_found":
        if not isinstance(given, Mapping):
            return _wrong_type(path, "an object", given)
        path = _inner(path, ctx["discriminator"])
        return _problem(f"Missing required parameter: '{path}'.", path, "missing_required_parameter")
    if kind in _EXPECTED:
        return _wrong_type(path, _EXPECTED[kind], given)
    if kind == "string_too_long" and "[key]" in error["loc"]:
        return _long_name(path, str(given), ctx["max_length"])
    if kind in ("string_too_long", "string_too_short"):
        return _size(path, "string", kind, ctx.get("max_length", ctx.get("min_length")), len(str(given)))
    if kind in ("too_long", "too_short"):
        limit = ctx.get("max_length", ctx.get("min_length"))
        if isinstance(given, Mapping):
            return _properties(path, kind, limit, len(given))
        actual = len(given) if isinstance(given, Sequence) else ctx.get("actual_length")
        return _size(path, "array", kind, limit, actual)
    if kind in ("greater_than_equal", "less_than_equal"):
        return _bounds(path, kind, ctx, given)
    if kind == ID_PREFIX:
        return _problem(
            f"Invalid '{path}': '{str(given)[:100]}'. Expected an ID that begins with '{ctx['prefix']}'.",
            path,
            "invalid_value",
        )
    if kind == "string_pattern_mismatch":
        return _problem(
            f"Invalid '{path}': string does not match pattern. Expected a string that matches the pattern"
            f" '{ctx['pattern']}'.",
            path,
            "invalid_value",
        )
    return _problem(f"Invalid '{path}': {error['msg']}.", path, "invalid_value")


def _path(loc: Sequence[Any], root: object, *, is_missing: bool) -> str:
    """`tools[0].function.name`: the location as the caller wrote it, without our union tags."""
    steps, is_whole = _steps(loc, root)
    if is_missing and not is_whole:
        steps = [*steps, loc[-1]]
    path = ""
    for part in steps:
        path += f"[{part}]" if isinstance(part, int) else (f".{part}" if path else str(part))
    return path or "body"


def _steps(loc: Sequence[Any], here: object) -> tuple[list[Any], bool]:
    """The parts of a location that lead somewhere in `here`, and whether the last one does.

    A tag may look like a key: in `{"type": "function", "function": {}, "strict": true}` the tag comes
    before the key. What leads further is the key.
    """
    if not loc:
        return [], True
    part, rest = loc[0], loc[1:]
    is_tag = part == "[key]" or (isinstance(part, str) and part.startswith("~")) or not _has(here, part)
    if is_tag:
        found, is_whole = _steps(rest, here)
        return found, is_whole and bool(rest)
    inner, is_whole = _steps(rest, here[part])  # type: ignore[index]
    as_key = [part, *inner], is_whole
    if not isinstance(here, Mapping) or part not in (here.get("type"), here.get("role")):
        return as_key
    as_tag = _steps(rest, here)
    return max((as_tag, as_key), key=lambda found: (len(found[0]), found[1]))


def _has(container: object, part: object) -> bool:
    if isinstance(container, Mapping):
        return part in container
    return isinstance(container, list) and isinstance(part, int) and part < len(container)


def _inner(path: str, discriminator: str) -> str:
    return f"{path}.{discriminator.strip(chr(39))}"


def _problem(message: str, path: str, code: str) -> InvalidRequest:
    return InvalidRequest(message, param=path, code=code)


def _wrong_type(path: str, expected: str, given: object) -> InvalidRequest:
    shown = {
        bool: "a boolean",
        int: "an integer",
        float: "a decimal number",
        str: "a string",
        list: "an array",
        dict: "an object",
        type(None): "null",
    }.get(type(given), "something else")
    return _problem(
        f"Invalid type for '{path}': expected {expected}, but got {shown} instead.", path, "invalid_type"
    )


def _size(path: str, noun: str, kind: str, limit: Any, actual: Any) -> InvalidRequest:
    is_long = kind.endswith("too_long")
    if not is_long and actual == 0:
        return _problem(
            f"Invalid '{path}': empty {noun}. Expected {_a(noun)} with minimum length {limit},"
            f" but got an empty {noun} instead.",
            path,
            f"empty_{noun}",
        )
    return _problem(
        f"Invalid '{path}': {noun} too {'long' if is_long else 'short'}. Expected {_a(noun)} with"
        f" {'maximum' if is_long else 'minimum'} length {limit}, but got {_a(noun)} with length {actual}"
        " instead.",
        path,
        f"{noun}_{'above_max' if is_long else 'below_min'}_length",
    )


def _a(noun: str) -> str:
    return f"an {noun}" if noun[0] in "ao" else f"a {noun}"


def _properties(path: str, kind: str, limit: Any, actual: int) -> InvalidRequest:
    is_many = kind == "too_long"
    return _problem(
        f"Invalid '{path}': too {'many' if is_many else 'few'} properties. Expected an object with at"
        f" {'most' if is_many else 'least'} {limit} properties, but got an object with {actual} properties"
        " instead.",
        path,
        f"object_{'above_max' if is_many else 'below_min'}_properties",
    )


def _long_name(path: str, name: str, limit: int) -> InvalidRequest:
    return _problem(
        f"Invalid property name in '{path.removesuffix(name).removesuffix('.')}': '{name}' is too long."
        f" Expected a string with maximum length {limit}, but got a string with length {len(name)} instead.",
        path,
        "property_name_above_max_length",
    )


def _bounds(path: str, kind: str, ctx: Mapping[str, Any], given: object) -> InvalidRequest:
    is_above = kind == "less_than_equal"
    limit = ctx["le"] if is_above else ctx["ge"]
    number = float(given) if isinstance(given, str) else given
    is_integer = isinstance(limit, int) or isinstance(number, int)
    noun = "integer" if is_integer and not isinstance(limit, float) else "decimal"
    side, sign = ("above maximum", "<=") if is_above else ("below minimum", ">=")
    shown = int(limit) if float(limit).is_integer() else limit
    return _problem(
        f"Invalid '{path}': {noun} {side} value. Expected a value {sign} {shown}, but got {given} instead.",
        path,
        f"{noun}_{'above_max' if is_above else 'below_min'}_value",
    )


def _listed(values: Sequence[str]) -> str:
    quoted = [f"'{value}'" for value in values]
    if len(quoted) < 2:
        return "".join(quoted)
    if len(quoted) == 2:
        return " and ".join(quoted)
    return ", ".join(quoted[:-1]) + ", and " + quoted[-1]
