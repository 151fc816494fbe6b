"""Settings: read once, named when wrong, listed in `.env.example`."""

import errno
import socket
import sqlite3
import stat
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError
from scripts.env_example import text
from typer.testing import CliRunner

from assistants_api.bootstrap import BadSettings, build_blobs, check
from assistants_api.cli import _announce, app
from assistants_api.domain.prompt import EngineFacts
from assistants_api.settings import Settings
from assistants_api.store import sqlite

ROOT = Path(__file__).resolve().parents[2]


SECRET = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="


@pytest.fixture(autouse=True)
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the tests are run may lie an `.env` of somebody's own; and a width or colours that its terminal has."""
    monkeypatch.chdir(tmp_path)
    for name in ("COLUMNS", "FORCE_COLOR", "NO_COLOR", "TTY_COMPATIBLE"):
        monkeypatch.delenv(name, raising=False)


def test_the_example_file_lists_every_setting_with_its_default():
    assert (ROOT / ".env.example").read_text() == text()


def test_lists_and_aliases_are_read_from_commas(monkeypatch):
    monkeypatch.setenv("ASSISTANTS_API_KEYS", "a, b,")
    monkeypatch.setenv("ASSISTANTS_MODEL_ALIASES", "gpt-4o, gpt-4=served")

    settings = Settings(_env_file=None)

    assert settings.api_keys == ("a", "b")
    assert settings.model_aliases == {"gpt-4o": "", "gpt-4": "served"}


@pytest.mark.parametrize("name", ["DATA_DIR", "ADAPTER", "SCRIPT", "SANDBOX_ENV"])
def test_paths_may_begin_at_home(monkeypatch, name):
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setenv(f"ASSISTANTS_{name}", "~/folder")

    assert getattr(Settings(_env_file=None), name.lower()) == Path("/home/somebody/folder")


def test_who_has_no_home_is_told_which_setting_needs_one(monkeypatch):
    def no_home(path: Path) -> Path:
        if path.parts[:1] == ("~",):
            raise RuntimeError("Could not determine home directory.")
        return path

    monkeypatch.setattr(Path, "expanduser", no_home)

    result = CliRunner().invoke(app, ["migrate"])

    assert result.exit_code == 2
    assert "ASSISTANTS_DATA_DIR: Value error, there is no such home" in result.output


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "x"),
        ("ENGINE", "vllm"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "sqlite:///"),
        ("DATABASE_URL", "sqlite:///a.db?mode=ro"),
        ("DATABASE_URL", "mysql://x"),
        ("DATABASE_URL", "postgresql://me:sk-secret@host:port/x"),
        ("RUN_EXPIRY_SECONDS", "inf"),
        ("RUN_EXPIRY_SECONDS", "1e12"),
        ("DRAIN_SECONDS", "nan"),
        ("WEBHOOK_HOSTS", "a, http://b"),
        ("CORS_ORIGINS", '["https://app.example"]'),
        ("CORS_ORIGINS", "https://app.example/"),
        ("CORS_ORIGINS", "app.example"),
        ("API_KEYS", " , "),
        ("API_KEYS", "sk-secret-é"),
        ("MODELS", "small"),
        ("MODELS", "small=, =folder"),
        ("UPSTREAM_URL", "http://"),
        ("UPSTREAM_URL", "http://[::1"),
        ("EMBEDDER_URL", "http://host:port"),
        ("MAX_CONCURRENT_RUNS", "9" * 20),
        ("PARSE_MEMORY_MB", "9" * 20),
        ("PARSE_SECONDS", "1e300"),
        ("DATA_DIR", "~nobody-of-this-name/folder"),
        ("DATABASE_URL", "sqlite:///~nobody-of-this-name/x"),
        ("DEVICE", "gpu"),
        ("DTYPE", "float8"),
        ("BLOBS", "s3://"),
        ("BLOBS", "s3:///prefix"),
        ("S3_ENDPOINT", "minio:9000"),
    ],
)
def test_a_bad_value_stops_the_start_and_is_named(monkeypatch, name, value):
    monkeypatch.setenv(f"ASSISTANTS_{name}", value)
    with pytest.raises(ValidationError):
        Settings(_env_file=None)

    result = CliRunner().invoke(app, ["serve"])

    assert result.exit_code == 2
    assert f"ASSISTANTS_{name}" in result.output
    assert "sk-secret" not in result.output


def test_hosts_of_webhooks_are_compared_as_hosts_are(monkeypatch):
    monkeypatch.setenv("ASSISTANTS_WEBHOOK_HOSTS", "Hooks.Example.com, b:8080")

    assert Settings(_env_file=None).webhook_hosts == ("hooks.example.com", "b:8080")


@pytest.mark.parametrize(
    "given", ["*", "https://App.Example, http://[::1]:3000", "tauri://localhost", "null"]
)
def test_origins_are_compared_as_browsers_send_them(monkeypatch, given):
    monkeypatch.setenv("ASSISTANTS_CORS_ORIGINS", given)

    expected = tuple(origin.strip().lower() for origin in given.split(","))
    assert Settings(_env_file=None).cors_origins == expected


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_data_directory_that_is_made_is_its_owners_alone(monkeypatch, tmp_path, database):
    """What people write to assistants is nobody else's on the machine; one that is there stays as it is."""
    (tmp_path / "there").mkdir(mode=0o755)
    made = [tmp_path / "deep" / "new", tmp_path / "there"]
    for folder in made:
        if database == "sqlite":
            monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(folder))
            assert CliRunner().invoke(app, ["migrate"]).exit_code == 0
        else:  # only files lie there
            build_blobs(Settings(_env_file=None, data_dir=folder))

    assert [stat.S_IMODE(folder.stat().st_mode) for folder in made] == [0o700, 0o755]


@pytest.mark.parametrize("folder", ["file", "file/inside", "odd"])
def test_a_data_directory_that_cannot_be_used_is_told_in_one_line(monkeypatch, tmp_path, folder):
    (tmp_path / "file").write_text("no folder")
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "assistants.sqlite3").write_text("no database " * 100)
    monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(tmp_path / folder))

    result = CliRunner().invoke(app, ["migrate"])

    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert str(tmp_path / folder) in result.output


@pytest.mark.parametrize("content", [None, "no JSON", '{"a": 1}'])
def test_a_script_that_cannot_be_played_is_told_in_one_line(monkeypatch, tmp_path, content):
    script = tmp_path / "script.json"
    if content is not None:
        script.write_text(content)
    monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSISTANTS_ENGINE", "scripted")
    monkeypatch.setenv("ASSISTANTS_SCRIPT", str(script))

    result = CliRunner().invoke(app, ["serve", "--port", "0"])

    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert "ASSISTANTS_SCRIPT" in result.output


@pytest.mark.parametrize(
    ("name", "value"), [("SANDBOX_ENV", "{}/gone"), ("SANDBOX_ENV", "{}"), ("EMBEDDER", "path:{}/gone")]
)
def test_a_folder_that_is_not_what_it_should_be_is_told_in_one_line(monkeypatch, tmp_path, name, value):
    (tmp_path / "script.json").write_text("[]")
    monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSISTANTS_ENGINE", "scripted")
    monkeypatch.setenv("ASSISTANTS_SCRIPT", str(tmp_path / "script.json"))
    monkeypatch.setenv(f"ASSISTANTS_{name}", value.format(tmp_path))

    result = CliRunner().invoke(app, ["serve", "--port", "0"])

    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 1
    assert f"ASSISTANTS_{name}" in result.output


@pytest.mark.parametrize(
    "given", [{"engine": "remote"}, {"engine": "scripted"}, {"engine": "remote", "upstream_url": "http://x"}]
)
def test_settings_that_miss_their_other_half_are_refused(given):
    with pytest.raises(BadSettings, match="needs ASSISTANTS_"):
        check(Settings(_env_file=None, **given))


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"webhook_urls": "http://a/b"}, "need ASSISTANTS_WEBHOOK_SECRET"),
        ({"webhook_hosts": "a"}, "need ASSISTANTS_WEBHOOK_SECRET"),
        ({"webhook_secret": "abc"}, "SECRET: it must begin with whsec_"),
        ({"webhook_secret": SECRET, "webhook_urls": "ftp://a"}, "'ftp://a' is not an http address"),
    ],
)
def test_webhooks_that_cannot_be_sent_are_refused(given, words):
    with pytest.raises(BadSettings, match=words):
        check(Settings(_env_file=None, **given))
    check(Settings(_env_file=None, webhook_secret=SECRET, webhook_urls="http://a/b", webhook_hosts="a,b:1"))


def test_upstream_servers_are_a_list_with_their_own_keys_models_and_limits(monkeypatch):
    monkeypatch.setenv(
        "ASSISTANTS_UPSTREAM_URL", "http://a:1/v1 key=sk-1 model=small limit=4, https://ann:pw@b,"
    )

    first, second = Settings(_env_file=None).upstream_url

    assert (first.url, first.key, first.model, first.limit) == ("http://a:1/v1", "sk-1", "small", 4)
    assert (second.url, second.key, second.model, second.limit) == ("https://ann:pw@b", None, None, None)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("localhost:8000", "each server must begin with http://"),
        ("http://a/v1?token=sk-secret", "each server's address must have no ? and #"),
        ("http://a/v1#sk-secret", "each server's address must have no ? and #"),
        ("http://a cost=3", "unknown option 'cost'"),
        ("http://a limit=many", "limit= must be a whole number"),
        ("http://a limit=0", "limit= must be a whole number"),
        ("http://a key=x cost=sk-secret", "unknown option 'cost'"),
        ("http://a sk-secret", "each option must be key=, model= or limit="),
    ],
)
def test_a_server_that_cannot_be_read_is_refused_without_showing_its_key(monkeypatch, value, words):
    monkeypatch.setenv("ASSISTANTS_UPSTREAM_URL", value)

    result = CliRunner().invoke(app, ["serve"])

    assert result.exit_code == 2
    assert f"ASSISTANTS_UPSTREAM_URL: Value error, {words}" in result.output
    assert "sk-secret" not in result.output


def test_a_name_that_is_no_setting_is_told(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path(".env").write_text("ASSISTANTS_PROT=8080\nOTHER=1\n")
    monkeypatch.setenv("ASSISTANTS_API_KEY", "sk-secret")
    monkeypatch.setenv("ASSISTANTS_DTYPE", "float32")

    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0", "--port", "99999"])

    told = [line for line in result.output.splitlines() if "is no setting" in line]
    assert [line.split()[0] for line in told] == ["ASSISTANTS_API_KEY", "ASSISTANTS_PROT"]
    assert "sk-secret" not in result.output


def test_an_env_file_that_cannot_be_read_is_told_in_one_line(monkeypatch):
    Path(".env").write_bytes("# 设置\n".encode("gbk"))
    other = CliRunner().invoke(app, ["migrate"])

    def closed(path: Path) -> bool:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    Path(".env").unlink()
    monkeypatch.setattr(Path, "is_file", closed)
    shut = CliRunner().invoke(app, ["migrate"])

    assert (other.exit_code, shut.exit_code) == (2, 2)
    assert other.output.splitlines() == [".env in this folder cannot be read: it is not in UTF-8."]
    assert shut.output.splitlines() == [".env in this folder cannot be read: Permission denied."]


def test_a_server_that_is_named_twice_is_refused():
    given = {"engine": "remote", "model": "m", "upstream_url": "http://a model=x, http://a model=y"}
    check(Settings(_env_file=None, **given))

    with pytest.raises(BadSettings, match="UPSTREAM_URL names a server twice"):
        check(Settings(_env_file=None, **{**given, "upstream_url": "http://a, http://a"}))


def test_another_address_needs_a_key(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSISTANTS_ENGINE", "scripted")
    (tmp_path / "s.json").write_text("[]")
    monkeypatch.setenv("ASSISTANTS_SCRIPT", str(tmp_path / "s.json"))

    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0", "--port", "0"])

    assert result.exit_code == 2
    assert "without a key" in result.output


def test_an_address_that_cannot_be_had_is_told(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("ASSISTANTS_ENGINE", "scripted")
    monkeypatch.setenv("ASSISTANTS_SANDBOX", "off")
    (tmp_path / "s.json").write_text("[]")
    monkeypatch.setenv("ASSISTANTS_SCRIPT", str(tmp_path / "s.json"))

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(app, ["serve", "--port", str(port)])

    assert result.exit_code == 2
    assert result.output.splitlines()[-1] == f"Cannot listen on 127.0.0.1:{port}."


def test_keys_are_made_listed_and_revoked(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(tmp_path))
    run = CliRunner().invoke

    secret = run(app, ["keys", "create", "the phone in the hall"]).output.strip()
    # A terminal's width: what is to be copied from the list must stand there whole.
    listed = run(app, ["keys", "list"], env={"COLUMNS": "80"}).output
    id = next(word for word in listed.split() if word.startswith("key_"))
    revoked = run(app, ["keys", "revoke", id])
    again = run(app, ["keys", "revoke", id])

    assert secret.startswith("sk-aa-")
    assert secret not in listed
    assert "in force" in listed
    assert "…" not in listed
    assert revoked.exit_code == 0
    assert (again.exit_code, "No key found" in again.output) == (2, True)


def test_a_key_that_cannot_be_kept_is_told_in_one_line(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(sqlite, "_BUSY_TRIES", 1)
    run = CliRunner().invoke
    run(app, ["migrate"])

    with closing(sqlite3.connect(tmp_path / "assistants.sqlite3", isolation_level=None)) as tool:
        tool.execute("BEGIN IMMEDIATE")
        result = run(app, ["keys", "create"])

    assert result.exit_code == 2
    assert result.output.splitlines() == ["The database cannot be opened: database is locked."]


def test_a_keys_name_is_shown_as_it_was_given(monkeypatch, tmp_path):
    monkeypatch.setenv("ASSISTANTS_DATA_DIR", str(tmp_path))
    run = CliRunner().invoke
    run(app, ["keys", "create", "a[/b]"])

    listed = run(app, ["keys", "list"])

    assert listed.exit_code == 0, listed.exception
    assert "a[/b]" in listed.output


async def test_why_a_model_is_not_ready_is_told_as_it_is(capsys):
    engine = SimpleNamespace(
        describe=lambda: EngineFacts("transformers", "a[/b]", "failed", 1, reason="no folder [c][/d]")
    )
    parts = SimpleNamespace(engine=engine)
    listener = SimpleNamespace(getsockname=lambda: ("127.0.0.1", 8000))
    http = SimpleNamespace(started=True, servers=[SimpleNamespace(sockets=[listener])])

    await _announce(http, SimpleNamespace(parts=parts, worker=object()))

    assert "model a[/b] is not ready: no folder [c][/d]" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("address", "url"),
    [
        (("127.0.0.1", 8000), "http://127.0.0.1:8000/v1"),
        (("fe80::1", 8000, 0, 0), "http://[fe80::1]:8000/v1"),
    ],
)
async def test_where_the_server_is_can_be_copied_into_a_client(capsys, address, url):
    listener = SimpleNamespace(getsockname=lambda: address)
    http = SimpleNamespace(started=True, servers=[SimpleNamespace(sockets=[listener])])

    await _announce(http, SimpleNamespace(worker=None))

    assert capsys.readouterr().err.rstrip().endswith(f" serves {url}")


def test_the_version_is_told():
    assert CliRunner().invoke(app, ["version"]).output.strip() == "0.1.0"
