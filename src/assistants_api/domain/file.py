"""The file: bytes that a user uploaded or a tool made, under a name that is only data."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from unicodedata import category

from assistants_api.domain.errors import InvalidRequest

MAX_FILE_BYTES = 512 * 1024 * 1024
MAX_NAME = 512
MAX_NAME_BYTES = 255  # of one that lies in a folder

# What can be parsed for file search (openai-docs of file search, "supported files").
_CODE = {"c", "cpp", "cs", "css", "go", "java", "js", "json", "php", "py", "rb", "sh", "ts"}
INDEXABLE = frozenset(_CODE | {"doc", "docx", "html", "md", "pdf", "pptx", "tex", "txt"})
BATCH_EXPIRY = timedelta(days=30)

_UNWRITABLE = frozenset({"Cc", "Cs", "Zl", "Zp"})  # control characters, halves of pairs, ends of lines
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")  # text runs the other way


@dataclass(frozen=True, slots=True)
class NewFile:
    """What a caller gives to make a file; `expires_after` counts from its creation."""

    filename: str
    purpose: str
    expires_after: timedelta | None = None


@dataclass(frozen=True, slots=True)
class File:
    """A file as stored; `blob` is where its `bytes` lie."""

    id: str
    created_at: datetime
    filename: str
    purpose: str
    bytes: int
    blob: str
    expires_at: datetime | None = None

    @classmethod
    def made(cls, id: str, new: NewFile, blob: str, size: int, now: datetime) -> "File":
        """The file over a blob of `size` bytes that was written."""
        return cls(id, now, new.filename, new.purpose, size, blob, expiry(new, now))

    @property
    def extension(self) -> str:
        """The name's last suffix in lower case, without its dot."""
        return PurePosixPath(self.filename).suffix.lower().removeprefix(".")

    @property
    def is_indexable(self) -> bool:
        """Whether file search can read such a file."""
        return self.extension in INDEXABLE

    @property
    def status(self) -> str:
        """A file is ready once it is there."""
        return "processed"

    @property
    def status_details(self) -> None:
        """Never anything: only fine-tuning files are examined when they are uploaded."""


def refuse_unsearchable(files: Iterable[File], param: str) -> None:
    """`InvalidRequest` when file search could not read some of the files, by the ends of their names."""
    unknown = {file.extension for file in files if not file.is_indexable}
    if unknown:
        given = ", ".join(f".{each}" if each else "none" for each in sorted(unknown))
        supported = ", ".join(f".{each}" for each in sorted(INDEXABLE))
        raise InvalidRequest(
            f"Files with extensions [{given}] are not supported for retrieval."
            f" Supported file types include: [{supported}].",
            param=param,
            code="unsupported_file",
        )


def expiry(new: NewFile, now: datetime) -> datetime | None:
    """When the file goes by itself: as asked, and batch files after thirty days."""
    if new.expires_after is not None:
        return now + new.expires_after
    return now + BATCH_EXPIRY if new.purpose == "batch" else None


def plain_name(filename: str) -> str:
    """The last component of a client's file name, without what controls or turns text; never a path."""
    last = filename.replace("\\", "/").rpartition("/")[2]
    name = "".join(filter(is_plain, last)).strip()
    return "file" if name in ("", ".", "..") else name


def is_plain(char: str) -> bool:
    """Whether a character may be in a name: it neither controls nor turns text."""
    return category(char) not in _UNWRITABLE and char not in _TURNING
