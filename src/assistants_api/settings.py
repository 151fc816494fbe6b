"""Every setting, read once from the environment (`ASSISTANTS_*`) and `.env`; `.env.example` lists them."""

import os
import re
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import BaseModel, ConfigDict, Field, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from assistants_api.domain.webhook import host_of

BUNDLED = "bundled"
_PREFIX = "ASSISTANTS_"
_SQLITE = "sqlite:///"
_MOST = 2**31 - 1  # of whatever is counted: more than a database, a kernel or a clock takes
_TEN_YEARS = 10 * 365 * 86_400
_DEVICE = re.compile(r"auto|(cpu|cuda|mps)(:[0-9]+)?")
_BUCKET = re.compile(r"s3://[^/\s]+(/.*)?")
_ORIGIN = re.compile(r"""\*|null|[a-z][a-z0-9+.-]*://[^/?#@\s"']+""")


def _default_data_dir() -> Path:
    return Path(os.environ.get("XDG_DATA_HOME") or "~/.local/share") / "assistants-api"


def _has_host(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser()
    except RuntimeError:  # a user whom the machine does not know, as containers may have
        raise ValueError("there is no such home: give the whole path") from None


class Upstream(BaseModel):
    """One server of another's, as a setting names it: `URL [key=KEY] [model=NAME] [limit=N]`."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    key: str | None = None
    model: str | None = None
    limit: int | None = Field(None, ge=1)

    @classmethod
    def read(cls, text: str) -> "Upstream":
        """From the setting's form; `ValueError` names what is wrong, never a key."""
        url, *options = text.split()
        if not url.startswith(("http://", "https://")):
            raise ValueError("each server must begin with http:// or https://")
        if not _has_host(url):
            raise ValueError("each server must name a host, as in http://HOST:PORT")
        if "?" in url or "#" in url:  # the path of an operation follows it; and a key there would be shown
            raise ValueError("each server's address must have no ? and #")
        if any("=" not in option for option in options):  # it may be a key
            raise ValueError("each option must be key=, model= or limit=")
        given = dict(option.partition("=")[::2] for option in options)
        if unknown := sorted(given.keys() - {"key", "model", "limit"}):
            raise ValueError(f"unknown option {unknown[0]!r}: a server has key=, model= and limit=")
        if not given.get("limit", "1").isdecimal() or int(given.get("limit", 1)) < 1:
            raise ValueError("limit= must be a whole number of 1 or more")
        limit = int(given["limit"]) if "limit" in given else None
        return cls(url=url, key=given.get("key"), model=given.get("model"), limit=limit)


class Settings(BaseSettings):
    """The server's settings; a bad value stops the start and is named."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX,
        env_file=".env",
        env_ignore_empty=True,
        frozen=True,
        extra="ignore",
        allow_inf_nan=False,
    )

    host: str = Field("127.0.0.1", description="Address to listen on; another one needs API_KEYS.")
    port: int = Field(8000, ge=0, le=65535, description="Port to listen on.")
    data_dir: Path = Field(default_factory=_default_data_dir, description="Database file, blobs and caches.")
    database_url: str | None = Field(
        None, description="sqlite:///FILE or postgresql://…; empty means a SQLite file in DATA_DIR."
    )
    engine: Literal["transformers", "remote", "scripted"] = Field(
        "transformers", description="transformers (a local model), remote (an OpenAI-style server), scripted."
    )
    model: str = Field(
        BUNDLED, description="Hub id or local folder; 'bundled' is the small model in the package."
    )
    model_aliases: Annotated[dict[str, str], NoDecode] = Field(
        {"*": ""},
        description="Requested names that are served: '*' for every name, or a comma list.",
    )
    models: Annotated[dict[str, str], NoDecode] = Field(
        {}, description="Further local models, loaded when asked for: NAME=FOLDER-OR-ID, a comma list."
    )
    models_memory_mb: int | None = Field(
        None, ge=1, description="Memory for all local models; empty means most of what the machine has."
    )
    device: str = Field("auto", description="auto, cpu, cuda or mps.")
    dtype: Literal["auto", "float32", "bfloat16", "float16", "int8", "fp32", "bf16", "fp16"] = Field(
        "auto", description="auto, float32, bfloat16, float16, or int8 (CPU, few streams)."
    )
    adapter: Path | None = Field(
        None, description="Folder with a LoRA adapter for the model; needs the extra 'lora'."
    )
    dedicated: bool = Field(
        False, description="The cores are the model's alone: its threads spin. Slow on shared machines."
    )
    compile: bool = Field(
        False, description="Compile the decode step at load: quicker for small models and few streams."
    )
    draft_tokens: int = Field(
        8, ge=0, description="Tokens of an answer that a step guesses ahead from what was said; 0 for none."
    )
    upstream_url: Annotated[tuple[Upstream, ...], NoDecode] = Field(
        (),
        description="For ENGINE=remote: base URLs, a comma list; each may add ' key=… model=… limit=…'.",
    )
    upstream_api_key: str | None = Field(
        None, description="For ENGINE=remote: the API key of every server that names none."
    )
    upstream_limit: int = Field(
        64, ge=1, description="For ENGINE=remote: answers that one server is asked for at once."
    )
    upstream_silence_seconds: float = Field(
        300, gt=0, description="For ENGINE=remote: the longest silence of a server before and in an answer."
    )
    upstream_context: int = Field(
        32768, ge=512, description="For ENGINE=remote: the upstream model's context window in tokens."
    )
    script: Path | None = Field(None, description="For ENGINE=scripted: the file that it plays.")
    api_keys: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma list of accepted keys; empty on loopback: any key, or none, is accepted."
    )
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma list of web origins that may call the API from a browser."
    )
    max_concurrent_runs: int = Field(
        64, ge=1, description="Runs that one worker carries at once, and as many completions."
    )
    max_waiting_runs: int = Field(
        1000, ge=1, description="Runs, or completions, that may wait; more are refused with 429."
    )
    max_batch: int = Field(16, ge=1, le=512, description="Answers that the local model writes at once.")
    embedder: str = Field(
        "minilm",
        description="minilm (offline package), path:FOLDER, http:MODEL (and EMBEDDER_URL), or hash.",
    )
    embedder_url: Annotated[tuple[Upstream, ...], NoDecode] = Field(
        (), description="For EMBEDDER=http:…: base URLs of servers with that model, as in UPSTREAM_URL."
    )
    embedder_api_key: str | None = Field(
        None, description="For EMBEDDER=http:…: the API key of every server that names none."
    )
    search_cache_mb: int = Field(1024, ge=16, description="Memory for vectors of stores that are searched.")
    blobs: str = Field("", description="s3://BUCKET/PREFIX for files; empty means a folder in DATA_DIR.")
    s3_endpoint: str | None = Field(None, description="For BLOBS=s3:…: a store other than AWS.")
    max_concurrent_files: int = Field(2, ge=1, description="Files that one worker indexes at once.")
    parse_seconds: float = Field(60, gt=0, description="What reading the text of one file may take.")
    parse_memory_mb: int = Field(1024, ge=128, description="Memory that reading one file may take.")
    run_expiry_seconds: float = Field(
        600, gt=0, le=_TEN_YEARS, description="A run's published deadline after its creation."
    )
    drain_seconds: float = Field(
        20, ge=0, description="After SIGTERM: how long running work may take to end before it is handed over."
    )
    drain_notice_seconds: float = Field(
        0, ge=0, description="After SIGTERM: how long at least the server still answers, as not ready."
    )
    webhook_urls: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma list of addresses that hear when a run, a batch of files or a file ends."
    )
    webhook_hosts: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Comma list of hosts (host or host:port) that a run's own webhook_url may name."
    )
    webhook_secret: str | None = Field(
        None, description="Signs webhooks: whsec_ and 24 to 64 bytes in base64. Needed by the two above."
    )
    sandbox: Literal["auto", "bubblewrap", "landlock", "off"] = Field(
        "auto",
        description="Jail of code_interpreter: auto (the best that holds), bubblewrap, landlock, off.",
    )
    sandbox_env: Path | None = Field(
        None,
        description="Python environment shown in the jail; empty: .venv-sandbox beside the server's own.",
    )
    sandbox_sessions: int = Field(
        16, ge=1, description="Sandbox sessions at once; one per thread that runs code."
    )
    sandbox_warm: int = Field(
        2, ge=0, description="Sandbox sessions kept ready with the big libraries loaded."
    )
    sandbox_idle_seconds: float = Field(3600, gt=0, description="When an unused sandbox session ends.")
    sandbox_memory_mb: int = Field(1024, ge=128, description="Memory that one sandbox session may use.")
    sandbox_timeout_seconds: float = Field(60, gt=0, description="Time that one piece of code may run.")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="How much to log.")

    @field_validator("cors_origins", "webhook_urls", "webhook_hosts", mode="before")
    @classmethod
    def _comma_list(cls, value: Any) -> Any:
        return (
            tuple(part.strip() for part in value.split(",") if part.strip())
            if isinstance(value, str)
            else value
        )

    @field_validator("upstream_url", "embedder_url", mode="before")
    @classmethod
    def _upstreams(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        return tuple(Upstream.read(part) for part in value.split(",") if part.strip())

    @field_validator("model_aliases", "models", mode="before")
    @classmethod
    def _aliases(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        pairs = (part.strip().partition("=") for part in value.split(",") if part.strip())
        return {name.strip(): target.strip() for name, _, target in pairs}

    @field_validator("api_keys", mode="before")
    @classmethod
    def _keys(cls, value: Any) -> Any:
        keys = cls._comma_list(value)
        if isinstance(value, str) and not keys:  # a list of keys that are missing must not let everybody in
            raise ValueError("there is no key in it")
        if isinstance(value, str) and not value.isascii():  # a header holds no others
            raise ValueError("a key must be of ASCII characters")
        return keys

    @field_validator("models")
    @classmethod
    def _models(cls, value: dict[str, str]) -> dict[str, str]:
        if not all(name and source for name, source in value.items()):
            raise ValueError("each must be NAME=FOLDER-OR-ID")
        return value

    @field_validator("*")
    @classmethod
    def _in_bounds(cls, value: Any) -> Any:
        if isinstance(value, int | float) and value > _MOST:
            raise ValueError(f"must be {_MOST} or less")
        return value

    @field_validator("data_dir", "adapter", "script", "sandbox_env")
    @classmethod
    def _from_home(cls, value: Path | None) -> Path | None:
        return None if value is None else _expanded(value)

    @field_validator("device")
    @classmethod
    def _known_device(cls, value: str) -> str:
        if not _DEVICE.fullmatch(value):
            raise ValueError("must be auto, cpu, cuda or mps, or one of several as in cuda:1")
        return value

    @field_validator("embedder")
    @classmethod
    def _known_embedder(cls, value: str) -> str:
        if value not in ("minilm", "hash") and not value.startswith(("path:", "http:")):
            raise ValueError("must be minilm, hash, path:FOLDER or http:MODEL")
        return value

    @field_validator("blobs")
    @classmethod
    def _known_blobs(cls, value: str) -> str:
        if value and not _BUCKET.fullmatch(value):
            raise ValueError("must be empty or s3://BUCKET/PREFIX")
        return value

    @field_validator("s3_endpoint")
    @classmethod
    def _known_endpoint(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(
            ("sqlite:///", "postgresql://", "postgresql+asyncpg://")
        ):
            raise ValueError("must begin with sqlite:/// or postgresql://")
        if value in ("sqlite:///", "sqlite:///:memory:"):  # each connection would have one of its own
            raise ValueError("must name a file: sqlite:///FILE")
        if value is not None and value.startswith(_SQLITE):
            if "?" in value:
                raise ValueError("takes no parameters: sqlite:///FILE")
            return _SQLITE + str(_expanded(Path(value.removeprefix(_SQLITE))))
        try:
            make_url(value or "sqlite:///")
        except (ValueError, ArgumentError):  # their words may hold a password
            raise ValueError("must be SCHEME://USER:PASSWORD@HOST:PORT/DATABASE") from None
        return value

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(origin.lower() for origin in value)
        if not all(map(_ORIGIN.fullmatch, origins)):
            raise ValueError("each must be SCHEME://HOST or SCHEME://HOST:PORT, without a path, or *")
        return origins

    @field_validator("webhook_hosts")
    @classmethod
    def _hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        hosts = [host_of(f"http://{host}") for host in value]
        if any(host is None or host != given.lower() for host, given in zip(hosts, value, strict=True)):
            raise ValueError("each must be a host or host:port, without scheme and path")
        return tuple(host for host in hosts if host)


def mistaken_names() -> list[str]:
    """What is set in the environment or in `.env` as if it were a setting, and is none."""
    given = {name.upper() for name in (*os.environ, *dotenv_values(".env"))}
    settings = {f"{_PREFIX}{name.upper()}" for name in Settings.model_fields}
    return sorted(
        name
        for name in given - settings
        if name.startswith(_PREFIX) and not name.startswith(f"{_PREFIX}TEST_")
    )
