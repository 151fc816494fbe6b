"""The tool over a real jail: what callers get, and what the model reads."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from assistants_api.blobs.disk import DiskBlobs
from assistants_api.domain.sandbox import Logs, SandboxOff
from assistants_api.ports import Sandbox
from assistants_api.sandbox.off import OffSandbox
from assistants_api.sandbox.pool import PoolConfig, SessionPool
from assistants_api.tools.code_interpreter import Answer, CodeInterpreter, Event, GivenFile, NewFile, Picture
from tests.sandbox.conftest import open_or_skip


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    """The best tier of this machine."""
    opened = open_or_skip("auto")
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
async def tool(jail: Sandbox) -> AsyncIterator[CodeInterpreter]:
    """The tool with a pool of its own."""
    pool = SessionPool(jail, PoolConfig(warm=0))
    await pool.start()
    yield CodeInterpreter(pool, 30)
    await pool.close()


def given(id: str, name: str, *parts: bytes) -> GivenFile:
    """A file as the caller has it."""

    async def read():
        for part in parts:
            yield part

    return GivenFile(id, name, read)


async def ran(
    tool: CodeInterpreter, code: str, files: list[GivenFile] | None = None, key: str = "t"
) -> list[Event]:
    """All events of a call."""
    return [event async for event in tool.run(key, code, files or [])]


async def test_output_and_last_value_are_the_answer(tool: CodeInterpreter):
    events = await ran(tool, "print('hello')\n6 * 7")

    assert events == [Logs("hello\n"), Logs("42\n"), Answer("hello\n42", False)]


async def test_silence_is_said(tool: CodeInterpreter):
    assert await ran(tool, "x = 1") == [Answer("[no output]", False)]


async def test_files_are_given_before_the_code_runs_and_only_once(tool: CodeInterpreter):
    file = given("file-1", "data.csv", b"a,b\n", b"1,2\n")

    first = await ran(
        tool, "text = open('/mnt/data/data.csv').read()\nopen('data.csv', 'w').write('changed')\ntext", [file]
    )
    second = await ran(tool, "open('/mnt/data/data.csv').read()", [file])
    third = await ran(tool, "open('/mnt/data/data.csv').read()", [given("file-2", "data.csv", b"other")])

    assert first[-1].text.startswith("'a,b\\n1,2\\n'")
    assert second[-1] == Answer("'changed'", False)
    assert third[-1] == Answer("'other'", False)


async def test_new_files_are_linked_and_can_be_read(tool: CodeInterpreter):
    data = {}

    async for event in tool.run("t", "open('/mnt/data/out.txt', 'w').write('result');"):
        match event:
            case NewFile(name, size, read):
                data[name, size] = b"".join([part async for part in read()])
            case Answer(text):
                assert text == "New files:\nsandbox:/mnt/data/out.txt"

    assert data == {("out.txt", 6): b"result"}


async def test_pictures_are_named_where_they_stand(tool: CodeInterpreter):
    events = await ran(tool, "from PIL import Image\nprint('a')\ndisplay(Image.new('L', (2, 2)))\nprint('b')")

    assert [type(event) for event in events] == [Logs, Picture, Logs, Answer]
    assert events[1].name == "image-1.png"
    assert events[-1].text == "a\n[image: image-1.png]\nb"


async def test_failing_code_is_an_answer(tool: CodeInterpreter):
    events = await ran(tool, "1 / 0")

    assert events[-1].has_failed
    assert "ZeroDivisionError" in events[-1].text


async def test_a_lost_session_is_told_when_it_is_lost_and_when_it_is_new(tool: CodeInterpreter):
    file = given("file-1", "data.csv", b"1")
    lost = await ran(tool, "x = 1\nimport os; os._exit(1)", [file])
    new = await ran(tool, "open('/mnt/data/data.csv').read()", [file])
    later = await ran(tool, "1")

    assert lost[-2] == Logs("[The session's process ended: its variables and files are gone.]\n")
    assert lost[-1].has_failed
    assert "The next code starts in a new session" in lost[-1].text
    assert lost[-1].text.count("The session's process ended") == 1
    assert "This is a new one: earlier variables" in new[-1].text
    assert new[-1].text.endswith("\n'1'")  # given again
    assert later[-1] == Answer("1", False)


async def test_a_file_that_does_not_fit_is_told_to_the_model(tool: CodeInterpreter):
    events = await ran(tool, "1", [given("file-1", "big.bin", *[bytes(2**20)] * 130)])

    assert "[/mnt/data/big.bin is not there: " in events[-1].text
    assert events[-1].text.endswith("\n1")


async def test_a_file_that_was_deleted_is_told_to_the_model(tool: CodeInterpreter, tmp_path: Path):
    gone = GivenFile("file-1", "data.csv", lambda: DiskBlobs(tmp_path).read("f" * 32))

    events = await ran(tool, "open('/mnt/data/more.csv').read()", [gone, given("file-2", "more.csv", b"1")])

    assert events[-1] == Answer("[/mnt/data/data.csv is not there: the file was deleted.]\n'1'", False)


async def test_long_output_keeps_both_ends_for_the_model(tool: CodeInterpreter):
    events = await ran(tool, "print('begin' + 'x' * 100_000 + 'end')")

    text = events[-1].text
    assert text.startswith("beginx")
    assert text.endswith("xend")
    assert len(text) < 16_100
    assert sum(len(event.text) for event in events[:-1]) == 100_009


async def test_threads_have_sessions_of_their_own(tool: CodeInterpreter):
    await ran(tool, "x = 1", key="t")

    assert "NameError" in (await ran(tool, "x", key="u"))[-1].text


async def test_an_off_sandbox_is_an_error_with_its_reason():
    tool = CodeInterpreter(SessionPool(OffSandbox("for a test"), PoolConfig()), 30)

    with pytest.raises(SandboxOff, match="for a test"):
        await ran(tool, "1")
