"""What all wire models share: strict requests, lean replies, times as epoch seconds."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, ClassVar, Self, cast

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from assistants_api.domain import ids
from assistants_api.domain.usage import Usage
from assistants_api.wire.problems import ID_PREFIX

METADATA_NOTE = "Up to 16 pairs; keys of at most 64 characters, values of at most 512."

Key = Annotated[str, Field(max_length=64)]
Value = Annotated[str, Field(max_length=512)]
MetadataField = Annotated[dict[Key, Value] | None, Field(max_length=16, description=METADATA_NOTE)]


def _of_kind(name: str) -> AfterValidator:
    """Refuses an id that does not begin as those of `name` do: it was meant for another field."""
    prefix = ids.PREFIX_OF[name]

    def checked(value: str) -> str:
        if not value.startswith(ids.beginning(prefix)):
            raise PydanticCustomError(
                ID_PREFIX, "expected an ID that begins with '{prefix}'", {"prefix": prefix}
            )
        return value

    return AfterValidator(checked)


FileId = Annotated[str, _of_kind("file_id")]
VectorStoreId = Annotated[str, _of_kind("vector_store_id")]


class Request(BaseModel):
    """A request body: unknown fields are refused, and no type is bent into another."""

    model_config = ConfigDict(extra="forbid", strict=True)

    def given(self, *names: str) -> dict[str, Any]:
        """Those of `names` that the caller sent, null or not."""
        return {name: getattr(self, name) for name in names if name in self.model_fields_set}


class Reply(BaseModel):
    """An object in a response; every key is there, nulls included.

    What it shows was checked when it came in, or made by ourselves: nothing is checked again on the way
    out, and JSON goes out as it is stored. The field types are the contract, and the tests hold it.
    """

    KIND: ClassVar[str]

    @classmethod
    def of(cls, thing: object) -> Self:
        """The reply that shows a domain object: same names, `object` added, times as epoch seconds."""
        return cls.showing(**{name: getattr(thing, name) for name in cls.model_fields if name != "object"})

    @classmethod
    def showing(cls, **values: Any) -> Self:
        """The reply with these values, all but `object`."""
        shown = {name: _shown(value) for name, value in values.items()}
        return cast(Self, cls.model_construct(object=cls.KIND, **shown))

    def json_bytes(self) -> bytes:
        """The response body."""
        return self.model_dump_json(warnings=False).encode()


def _shown(value: Any) -> Any:
    match value:
        case datetime():
            return int(value.timestamp())
        case Usage():
            return {
                "prompt_tokens": value.prompt_tokens,
                "completion_tokens": value.completion_tokens,
                "total_tokens": value.total_tokens,
            }
        case _:
            return value


Timestamp = Annotated[int, Field(description="Unix time in seconds.")]


class Page(BaseModel):
    """The list envelope."""

    @classmethod
    def over(cls, data: Sequence[Any], has_more: bool) -> Self:
        """A page of replies."""
        return cast(
            Self,
            cls.model_construct(
                object="list",
                data=data,
                first_id=data[0].id if data else None,
                last_id=data[-1].id if data else None,
                has_more=has_more,
            ),
        )

    def json_bytes(self) -> bytes:
        """The response body."""
        return self.model_dump_json(warnings=False).encode()


def plain(value: Any) -> Any:
    """A checked request part as JSON, with only the keys that the caller sent."""
    if isinstance(value, BaseModel):
        return value.model_dump(exclude_unset=True)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list):
        return [plain(each) for each in value]
    return value
