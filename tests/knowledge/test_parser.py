"""Parsing in a child process: limits, crashes, cancelling."""

import asyncio
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from assistants_api.knowledge import parser
from assistants_api.knowledge.parsed import ParseFailed
from assistants_api.knowledge.parser import parse_limited
from assistants_api.knowledge.parsing import parse
from tests.knowledge import fixtures
from tests.knowledge.fixtures import write
from tests.knowledge.test_parsing import VALID, mutated


@pytest.mark.parametrize("name", VALID)
async def test_the_child_reads_what_this_process_reads(tmp_path: Path, name: str) -> None:
    path = write(tmp_path, "upload", VALID[name])
    assert await parse_limited(path, name) == parse(path, name)


async def test_a_failure_comes_back_whole(tmp_path: Path) -> None:
    with pytest.raises(ParseFailed) as caught:
        await parse_limited(write(tmp_path, "a", b"x"), "a.csv")
    assert (caught.value.code, caught.value.message) == (
        "unsupported_file",
        "The file type is not supported.",
    )


async def test_an_endless_pdf_ends_at_the_timeout(tmp_path: Path) -> None:
    path = write(tmp_path, "a", fixtures.endless_pdf())
    with pytest.raises(ParseFailed) as caught:  # it grows as it goes, so memory must not run out first
        await parse_limited(path, "a.pdf", timeout=0.5, memory_bytes=8 << 30)
    assert caught.value.message == "The file could not be parsed because reading it takes too long."


async def test_a_pdf_that_grows_without_end_dies_of_its_memory_limit(tmp_path: Path) -> None:
    path = write(tmp_path, "a", fixtures.endless_pdf())
    with pytest.raises(ParseFailed) as caught:  # PDFium aborts when an allocation fails, and says nothing
        await parse_limited(path, "a.pdf", timeout=250, memory_bytes=200 << 20)
    assert (caught.value.code, caught.value.message) == ("invalid_file", "The file could not be parsed.")


async def test_a_memory_hog_fails(tmp_path: Path) -> None:
    path = write(tmp_path, "a", b"word " * (40 << 18))
    with pytest.raises(ParseFailed) as caught:
        await parse_limited(path, "a.txt", memory_bytes=100 << 20, max_text=1 << 30)
    assert caught.value.message == "The file could not be parsed because reading it takes too much memory."


async def test_a_word_file_that_takes_too_much_memory_says_so(tmp_path: Path) -> None:
    body = b"".join(b"<w:p><w:r><w:t>%d</w:t></w:r></w:p>" % at for at in range(400_000))
    data = fixtures.repacked(
        fixtures.docx(), "word/document.xml", lambda part: part.replace(b"</w:body>", body + b"</w:body>")
    )
    with pytest.raises(ParseFailed) as caught:
        await parse_limited(write(tmp_path, "a", data), "a.docx", memory_bytes=256 << 20)
    assert caught.value.message == "The file could not be parsed because reading it takes too much memory."


def test_a_files_name_may_have_characters_that_the_servers_locale_has_not(tmp_path: Path) -> None:
    path = write(tmp_path, "a", b"text")
    code = (
        "import asyncio, sys, pathlib; from assistants_api.knowledge.parser import parse_limited; "
        "assert sys.getfilesystemencoding() != 'utf-8'; "
        "print(asyncio.run(parse_limited(pathlib.Path(sys.argv[1]), '\\u6587\\U0001f600.txt')).text)"
    )
    other = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

    read = subprocess.run(
        [sys.executable, "-c", code, str(path)], env={**os.environ, **other}, capture_output=True, text=True
    )

    assert (read.returncode, read.stdout.strip()) == (0, "text"), read.stderr


async def test_a_missing_file_is_the_servers_fault(tmp_path: Path) -> None:
    with pytest.raises(ParseFailed) as caught:
        await parse_limited(tmp_path / "gone", "a.txt")
    assert caught.value.code == "server_error"


PRELUDE = "import sys, os, ctypes, socket; sys.path.insert(0, sys.argv.pop(1)); from assistants_api.knowledge import parse_process; "


@pytest.mark.parametrize("signal", ["SEGV", "ABRT", "KILL", "XCPU"])
async def test_a_crash_is_the_files_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, signal: str
) -> None:
    monkeypatch.setattr(parser, "_START", f"import os, signal; os.kill(os.getpid(), signal.SIG{signal})")
    with pytest.raises(ParseFailed) as caught:
        await parse_limited(write(tmp_path, "a", b"text"), "a.txt")
    assert caught.value.code == "invalid_file"


async def test_a_child_that_is_stopped_with_the_server_says_nothing_of_its_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As systemd does: it sends SIGTERM to every process of a unit, and the server goes on for a while."""
    mark = tmp_path / "stopped"
    stopped_once = (
        "import os, signal, pathlib\n"
        f"mark = pathlib.Path({str(mark)!r})\n"
        "if not mark.exists():\n"
        "    mark.touch()\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
    )
    monkeypatch.setattr(parser, "_START", stopped_once + parser._START)

    parsed = await parse_limited(write(tmp_path, "a", b"text"), "a.txt")

    assert mark.exists()
    assert parsed.text == "text"


async def test_the_child_can_write_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "written"
    code = (
        "parse_process._limit(1 << 30, 60, os.getppid()); "
        f"f = os.open({str(target)!r}, os.O_CREAT | os.O_WRONLY); os.write(f, b'x')"
    )
    monkeypatch.setattr(parser, "_START", PRELUDE + code)
    with pytest.raises(ParseFailed):
        await parse_limited(write(tmp_path, "a", b"text"), "a.txt")
    assert target.stat().st_size == 0


async def test_cancelling_kills_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started: asyncio.Future[asyncio.subprocess.Process] = asyncio.get_running_loop().create_future()
    start = asyncio.create_subprocess_exec

    async def noted(*args: str, **options: object) -> asyncio.subprocess.Process:
        started.set_result(await start(*args, **options))  # type: ignore[arg-type]
        return started.result()

    monkeypatch.setattr(asyncio, "create_subprocess_exec", noted)
    path = write(tmp_path, "a", fixtures.endless_pdf())
    task = asyncio.create_task(parse_limited(path, "a.pdf"))
    process = await started
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert process.returncode is not None


async def test_mutated_files_in_the_child(tmp_path: Path) -> None:
    dice = random.Random(3)
    for name, data in VALID.items():
        for _ in range(2):
            try:
                await parse_limited(write(tmp_path, "upload", mutated(data, dice)), name, timeout=30)
            except ParseFailed as failed:
                assert failed.code == "invalid_file"
    assert os.listdir(tmp_path) == ["upload"]
