"""What routes are given: the parts, the time, ids from the path, pages and bodies from the request.

Every dependency is a coroutine: a plain function would be run in a thread, which costs more than the work.
"""

import json
import math
from collections import Counter
from datetime import UTC, datetime
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Depends, Query, Request
from pydantic import ValidationError

from assistants_api.api.parts import Parts
from assistants_api.domain import ids
from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.page import PageQuery
from assistants_api.wire import base
from assistants_api.wire.problems import problem_of

MAX_BODY_BYTES = 8 * 1024 * 1024  # a text of 256,000 characters takes up to 3 MB as JSON
MAX_DEPTH = 64

R = TypeVar("R", bound=base.Request)


class BodyTooLarge(Exception):
    """The body is larger than any request may be."""


class BodyCut(Exception):
    """The client went away before it had sent its body."""


async def parts_of(request: Request) -> Parts:
    """The parts that this application was built over."""
    parts: Parts = request.scope.get("parts") or request.app.state.parts
    return parts


async def _now() -> datetime:
    return datetime.now(UTC)


async def page_query(
    limit: Annotated[int, Query(ge=1, le=100, description="How many to return.")] = 20,
    order: Annotated[Literal["asc", "desc"], Query(description="By creation.")] = "desc",
    after: Annotated[str | None, Query(description="The id after which the page begins.")] = None,
    before: Annotated[str | None, Query(description="The id before which the page ends.")] = None,
) -> PageQuery:
    """The page that was asked for."""
    return PageQuery(limit, order, after or None, before or None)


def _id(name: str) -> Any:
    async def check(request: Request) -> str:
        return ids.check(name, request.path_params[name])

    return Depends(check)


Given = Annotated[Parts, Depends(parts_of)]
Now = Annotated[datetime, Depends(_now)]
PageGiven = Annotated[PageQuery, Depends(page_query)]
AssistantId = Annotated[str, _id("assistant_id")]
ThreadId = Annotated[str, _id("thread_id")]
MessageId = Annotated[str, _id("message_id")]
RunId = Annotated[str, _id("run_id")]
StepId = Annotated[str, _id("step_id")]
FileId = Annotated[str, _id("file_id")]
UploadId = Annotated[str, _id("upload_id")]
VectorStoreId = Annotated[str, _id("vector_store_id")]
BatchId = Annotated[str, _id("batch_id")]


def path_ids(*names: str) -> dict[str, Any]:
    """The document's words for path ids, which the checks above read by themselves."""
    parameters = [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": {"type": "string", "pattern": f"^{ids.beginning(ids.PREFIX_OF[name])}[a-zA-Z0-9]+$"},
        }
        for name in names
    ]
    return {"parameters": parameters}


def metadata_wanted(request: Request) -> dict[str, str]:
    """The pairs of every `metadata[key]=value` in the query."""
    wanted: dict[str, str] = {}
    for name, value in request.query_params.items():
        if name.startswith("metadata["):
            key = name.removeprefix("metadata[").removesuffix("]")
            if not key or not name.endswith("]"):
                raise InvalidRequest(f"Unknown parameter: '{name}'.", param=name, code="unknown_parameter")
            wanted[key] = value
    return wanted


async def read_body(request: Request, model: type[R], *, may_be_absent: bool = False) -> R:
    """The checked body; raises `InvalidRequest` in the API's words."""
    raw = await read_bytes(request)
    if not raw and may_be_absent:
        return model()
    kind = request.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        raise InvalidRequest("This operation takes a JSON body, not a multipart form.")
    value = parse_json(raw)
    if value in (None, []) and may_be_absent:
        value = {}  # axios writes no body as null, and PHP cannot tell an empty object from an empty array
    try:
        return model.model_validate(value)
    except ValidationError as error:
        raise problem_of(error.errors(include_url=False)[0], value) from error


def parse_json(raw: bytes) -> Any:
    """The JSON value of a body: no NaN, no lone surrogates, no NULs, not too deep."""
    try:
        text = raw.decode("utf-8")
        value = json.loads(
            text, parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_unique
        )
    except RecursionError as error:
        raise _too_deep() from error
    except ValueError as error:
        raise InvalidRequest(
            "We could not parse the JSON body of your request. (HINT: This likely means you aren't using"
            " your HTTP library correctly. This API expects a JSON payload, but what was sent was not"
            f" valid JSON: {_reason(error)})"
        ) from error
    lowered = text.lower()
    if "\\ud" in lowered or "\\u0000" in lowered or text.count("[") + text.count("{") > MAX_DEPTH:
        _check_tree(value, "", 1)
    return value


def _check_tree(value: Any, path: str, depth: int) -> None:
    if depth > MAX_DEPTH + 1:
        raise _too_deep()
    match value:
        case str():
            _check_text(value, path)
        case dict():
            for key, part in value.items():
                _check_text(key, path)
                _check_tree(part, f"{path}.{key}" if path else key, depth + 1)
        case list():
            for place, part in enumerate(value):
                _check_tree(part, f"{path}[{place}]", depth + 1)


def _check_text(text: str, path: str) -> None:
    if "\x00" in text or any("\ud800" <= char <= "\udfff" for char in text):
        where = path.encode("utf-8", "replace").decode()
        raise InvalidRequest(
            f"Invalid '{where or 'body'}': the text holds a character that cannot be stored"
            " (a NUL or half of a surrogate pair).",
            param=where or None,
            code="invalid_value",
        )


def _too_deep() -> InvalidRequest:
    return InvalidRequest(f"The JSON body is nested deeper than {MAX_DEPTH} levels.", code="invalid_value")


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object; which of two values with one name was meant, nobody can say."""
    value = dict(pairs)
    if len(value) != len(pairs):
        counts = Counter(name for name, _ in pairs)
        twice = counts.most_common(1)[0][0]
        raise ValueError(f"the key {twice[:64]!a} is given twice in one object")
    return value


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"{text[:20]} is too large a number")
    return number


def _reason(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    if isinstance(error, json.JSONDecodeError):
        return f"{error.msg} at character {error.pos}"
    return str(error)[:200]


async def read_bytes(request: Request) -> bytes:
    """The whole body, once; raises `BodyTooLarge` and `BodyCut`."""
    declared = request.headers.get("content-length", "0")
    if declared.isdigit() and int(declared) > MAX_BODY_BYTES:
        raise BodyTooLarge
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await request.receive()
        if message["type"] == "http.disconnect":
            raise BodyCut
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_BODY_BYTES:
            raise BodyTooLarge
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)
