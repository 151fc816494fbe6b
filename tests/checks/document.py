"""Checks replies against our own OpenAPI document, strictly: no key, status or kind that it does not name."""

import json
import re
from typing import Any

import httpx
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

_URI = "urn:document"


class Document:
    """A served document."""

    def __init__(self, made: Any) -> None:
        """`made` is the document as JSON."""
        self._paths = made["paths"]
        resource = Resource.from_contents(_closed(made), default_specification=DRAFT202012)
        self._registry: Registry[Any] = Registry().with_resource(_URI, resource)
        # Fixed words come before ids: `/threads/runs` is no thread's.
        self._patterns = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), path)
            for path in sorted(self._paths, key=lambda path: path.count("{"))
        ]

    def check_reply(self, response: httpx.Response) -> None:
        """The reply is one that the document tells of its operation."""
        method, given = response.request.method.lower(), response.request.url.path
        path = next(
            path
            for pattern, path in self._patterns
            if pattern.fullmatch(given) and method in self._paths[path]
        )
        operation = self._paths[path][method]
        name, status = operation["operationId"], str(response.status_code)
        assert status in operation["responses"], f"{name} answers {status}: {response.text}"
        kind = response.headers["content-type"].partition(";")[0]
        assert kind in operation["responses"][status]["content"], f"{name} answers {status} with {kind}"
        if kind == "application/json":
            self._check(
                ("paths", path, method, "responses", status, "content", kind, "schema"), response.json()
            )
        elif kind == "text/event-stream":
            for shown in events_of(response.text):
                if set(shown) == {"error"}:  # of a stream whose events have no names
                    self._check(("components", "schemas", "ErrorResponse"), shown)
                else:
                    self._check(
                        ("paths", path, method, "responses", status, "content", kind, "schema"), shown
                    )

    def _check(self, place: tuple[str, ...], value: Any) -> None:
        steps = [step.replace("~", "~0").replace("/", "~1") for step in place]
        pointer = "/".join(steps).replace("{", "%7B").replace("}", "%7D")
        validator = Draft202012Validator({"$ref": f"{_URI}#/{pointer}"}, registry=self._registry)
        error = next(iter(validator.iter_errors(value)), None)
        while error is not None and error.context:
            error = max(error.context, key=lambda inner: len(inner.absolute_path))
        assert error is None, f"{place}: {error.message} at {list(error.absolute_path)}"


def events_of(raw: str) -> list[Any]:
    """A stream's events as the document has them: a name and data where there is a name, else the data."""
    events: list[Any] = []
    for block in raw.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if line and line[0] != ":")
        if "data" not in fields or (fields["data"] == "[DONE]" and "event" not in fields):
            continue
        data = fields["data"] if fields["data"] == "[DONE]" else json.loads(fields["data"])
        events.append({"event": fields["event"], "data": data} if "event" in fields else data)
    return events


def _closed(node: Any) -> Any:
    """The document, with every object closed that does not say what else it may hold."""
    if isinstance(node, list):
        return [_closed(part) for part in node]
    if not isinstance(node, dict):
        return node
    closed = {name: _closed(part) for name, part in node.items()}
    if "properties" in node and node.get("type") == "object":
        closed.setdefault("additionalProperties", False)
    return closed
