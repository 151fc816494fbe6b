"""Checks JSON against the protocol's machine-readable contract, where that file is there."""

import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

PROTOCOL = Path(__file__).resolve().parents[3] / "shared" / "protocol"
_URI = "urn:protocol"


def protocol_file(name: str) -> Any:
    """A file of the protocol folder; skips the test where the folder is absent."""
    path = PROTOCOL / name
    if not path.exists():
        if os.environ.get("CI"):
            pytest.fail(f"{path} must be there in CI")
        pytest.skip(f"the protocol folder is not beside this checkout ({name})")
    return json.loads(path.read_text())


@cache
def spec() -> Any:
    """The contract."""
    return protocol_file("openapi.assistants.json")


@cache
def _registry() -> Registry[Any]:
    resource = Resource.from_contents(spec(), default_specification=DRAFT202012)
    return Registry().with_resource(_URI, resource)


@cache
def _validator(pointer: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"{_URI}#{pointer}"}, registry=_registry())


def check_schema(name: str, value: Any) -> None:
    """`value` is what the contract's component `name` says."""
    error = next(iter(_validator(f"/components/schemas/{name}").iter_errors(value)), None)
    assert error is None, f"{name}: {error.message} at {list(error.absolute_path)}"


@cache
def _operations() -> dict[str, tuple[str, str]]:
    return {
        operation["operationId"]: (path, method)
        for path, methods in spec()["paths"].items()
        for method, operation in methods.items()
        if isinstance(operation, dict) and "operationId" in operation
    }


def check_body(operation: str, value: Any) -> None:
    """`value` is what the contract says that the operation answers with 200."""
    path, method = _operations()[operation]
    escaped = path.replace("~", "~0").replace("/", "~1")
    pointer = f"/paths/{escaped}/{method}/responses/200/content/application~1json/schema"
    pointer = pointer.replace("{", "%7B").replace("}", "%7D")
    error = next(iter(_validator(pointer).iter_errors(value)), None)
    assert error is None, f"{operation}: {error.message} at {list(error.absolute_path)}"


_EVENT_SCHEMAS = {
    "thread.created": "ThreadObject",
    "thread.message.delta": "MessageDeltaObject",
    "thread.run.step.delta": "RunStepDeltaObject",
}


def check_event(name: str, data: Any) -> None:
    """The event's payload is what the contract says."""
    if name == "error":
        return
    schema = _EVENT_SCHEMAS.get(name)
    if schema is None and name.startswith("thread.run.step."):
        schema = "RunStepObject"
    elif schema is None and name.startswith("thread.run."):
        schema = "RunObject"
    elif schema is None:
        schema = "MessageObject"
    check_schema(schema, data)
