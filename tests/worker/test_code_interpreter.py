"""Runs that execute code: outputs in steps and deltas, figures and files, state over runs, errors, cancel."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest

from assistants_api.domain.assistant import NewAssistant
from assistants_api.domain.event import (
    MessageDelta,
    MessageImage,
    ToolCallDelta,
    ToolCallStarted,
    ToolOutputAdded,
)
from assistants_api.domain.file import NewFile
from assistants_api.domain.prompt import Stop, Text, ToolCall
from assistants_api.domain.run import NewRun, RunStatus
from assistants_api.domain.step import StepStatus
from assistants_api.domain.thread import NewThread
from assistants_api.domain.usage import Usage
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.ports import Sandbox
from assistants_api.sandbox.pool import PoolConfig, SessionPool
from assistants_api.services.assistants import create_assistant
from assistants_api.services.files import create_file, read_file
from assistants_api.services.runs import RunLimits, cancel_run, create_run, create_thread_and_run
from assistants_api.services.traces import get_trace
from assistants_api.tools.code_interpreter import CodeInterpreter
from tests.conftest import until
from tests.sandbox.conftest import open_or_skip
from tests.worker.conftest import CATALOGUE, house_over, knowledge_over, user

NOW = datetime.now(UTC)
LIMITS = RunLimits(no_code=None)


@pytest.fixture(scope="module")
def jail() -> Iterator[Sandbox]:
    """The best tier of this machine."""
    opened = open_or_skip("auto")
    yield opened
    asyncio.run(opened.close())


@pytest.fixture
async def interpreter(jail: Sandbox) -> AsyncIterator[CodeInterpreter]:
    """The tool with sessions of its own."""
    pool = SessionPool(jail, PoolConfig(warm=0))
    await pool.start()
    yield CodeInterpreter(pool, 20)
    await pool.close()


def coding(code, id="call_1"):
    import json

    return [ToolCall(id, "code_interpreter", json.dumps({"code": code})), Stop("tool_calls", Usage(10, 3))]


def answered(*texts):
    return [*(Text(text) for text in texts), Stop("stop", Usage(20, 5))]


async def started(house, file_ids=(), question="Compute."):
    resources = {"code_interpreter": {"file_ids": list(file_ids)}} if file_ids else {}
    new = NewAssistant("m", tools=({"type": "code_interpreter"},), tool_resources=resources)
    assistant = await create_assistant(house.db, new, CATALOGUE, NOW)
    return await create_thread_and_run(
        house.db,
        NewThread((user(question),)),
        NewRun(assistant.id),
        CATALOGUE,
        house.engine.describe(),
        LIMITS,
        datetime.now(UTC),
    )


async def again(house, run, question="More."):
    return await create_run(
        house.db,
        run.thread_id,
        NewRun(run.assistant_id, additional_messages=(user(question),)),
        CATALOGUE,
        house.engine.describe(),
        LIMITS,
        datetime.now(UTC),
    )


async def spoken(house, run):
    return [m for m in await house.messages(run) if m.role == "assistant" and m.run_id == run.id]


async def test_input_and_output_are_in_the_step_and_in_its_deltas(db, interpreter):
    engine = ScriptedEngine([coding("print(37 * 43)"), answered("It is 1591.")])
    async with house_over(db, engine, interpreter=interpreter) as house:
        run = await started(house)
        entries = await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        step, _ = await house.steps(run)
        [call] = step.tool_calls
        assert call["code_interpreter"]["input"] == "print(37 * 43)"
        assert call["code_interpreter"]["outputs"] == [{"type": "logs", "logs": "1591\n"}]
        assert step.usage == Usage(10, 3)
        events = [entry.event for entry in entries]
        kinds = [type(e) for e in events if type(e) in (ToolCallStarted, ToolCallDelta, ToolOutputAdded)]
        assert kinds == [ToolCallStarted, ToolCallDelta, ToolOutputAdded]
        [shown] = [event for event in events if isinstance(event, ToolOutputAdded)]
        assert (shown.output_index, shown.output) == (0, {"type": "logs", "logs": "1591\n"})
        assert engine.prompts[1].messages[-1].content == "1591"
        trace = (await get_trace(db, run.thread_id, run.id))["turns"]
        assert trace[0]["code"] == [{"code": "print(37 * 43)", "output": "1591"}]


async def test_a_figure_is_a_file_and_a_part_of_the_message(db, interpreter):
    plot = "import matplotlib.pyplot as plt\nplt.bar(['a', 'b'], [1, 2])\nplt.show()"
    engine = ScriptedEngine([coding(plot), answered("Here", " it is.")])
    knowledge = knowledge_over(db)
    async with house_over(db, engine, interpreter=interpreter, knowledge=knowledge) as house:
        run = await started(house)
        entries = await house.events(run)

        step, _ = await house.steps(run)
        [image] = [o for o in step.tool_calls[0]["code_interpreter"]["outputs"] if o["type"] == "image"]
        file_id = image["image"]["file_id"]
        file, pieces = await read_file(db, knowledge.blobs, file_id)
        assert file.purpose == "assistants_output"
        assert b"".join([piece async for piece in pieces]).startswith(b"\x89PNG")
        [message] = await spoken(house, run)
        assert [part["type"] for part in message.content] == ["image_file", "text"]
        assert message.content[0]["image_file"]["file_id"] == file_id
        assert message.text == "Here it is."
        events = [entry.event for entry in entries]
        assert [e.part for e in events if isinstance(e, MessageImage)] == [0]
        assert [e.part for e in events if isinstance(e, MessageDelta)] == [1, 1]


async def test_a_file_that_code_made_can_be_linked_and_downloaded(db, interpreter):
    make = "open('/mnt/data/table.csv', 'w').write('a,b\\n1,2\\n')"
    link = "sandbox:/mnt/data/table.csv"
    engine = ScriptedEngine(
        [coding(make), answered("[Download](sand", "box:/mnt/da", "ta/table.csv", "). Done.")]
    )
    knowledge = knowledge_over(db)
    async with house_over(db, engine, interpreter=interpreter, knowledge=knowledge) as house:
        run = await started(house)
        await house.events(run)

        [message] = await spoken(house, run)
        assert message.text == f"[Download]({link}). Done."
        [annotation] = message.annotations
        assert (annotation["type"], annotation["text"]) == ("file_path", link)
        assert message.text[annotation["start_index"] : annotation["end_index"]] == link
        file, pieces = await read_file(db, knowledge.blobs, annotation["file_path"]["file_id"])
        assert file.filename == "table.csv"
        assert b"".join([piece async for piece in pieces]) == b"a,b\n1,2\n"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("my table.csv", "my%20table.csv"),
        ("表 1.csv", "表%201.csv"),
        ("表 1.csv", "%E8%A1%A8%201.csv"),
        ("50% (a).csv", "50%25%20%28a%29.csv"),
        ("sub/a b.csv", "sub/a%20b.csv"),
    ],
)
async def test_a_link_may_be_written_as_links_are_in_pages(db, interpreter, name: str, written: str):
    make = f"import os\nos.makedirs('/mnt/data/sub', exist_ok=True)\nopen('/mnt/data/{name}', 'w').write('1')"
    link = f"sandbox:/mnt/data/{written}"
    engine = ScriptedEngine([coding(make), answered(f"[Download]({link}).")])
    knowledge = knowledge_over(db)
    async with house_over(db, engine, interpreter=interpreter, knowledge=knowledge) as house:
        run = await started(house)
        await house.events(run)

        [message] = await spoken(house, run)
        [annotation] = message.annotations
        assert message.text[annotation["start_index"] : annotation["end_index"]] == link
        file, _ = await read_file(db, knowledge.blobs, annotation["file_path"]["file_id"])
        assert file.filename == name.rpartition("/")[2]


async def test_state_and_given_files_last_over_runs(db, interpreter):
    engine = ScriptedEngine(
        [
            coding("import csv\nrows = list(csv.reader(open('/mnt/data/data.csv')))\nlen(rows)"),
            answered("Two."),
            coding("rows[1]", "call_2"),
            answered("The second."),
        ]
    )
    knowledge = knowledge_over(db)
    async with house_over(db, engine, interpreter=interpreter, knowledge=knowledge) as house:

        async def pieces():
            yield b"a,b\n1,2\n"

        blob = await knowledge.blobs.write(pieces())
        file = await create_file(db, knowledge.blobs, NewFile("data.csv", "assistants"), blob, 8, NOW)
        first = await started(house, [file.id])
        await house.events(first)
        second = await again(house, first)
        await house.events(second)

        assert "data.csv" in engine.prompts[0].tools[0]["function"]["description"]
        assert engine.prompts[1].messages[-1].content == "2"
        assert engine.prompts[3].messages[-1].content == "['1', '2']"


async def test_after_a_restart_the_model_is_told_that_the_session_is_new(db, jail):
    engine = ScriptedEngine(
        [coding("x = 5"), answered("Set."), coding("x + 1", "call_2"), answered("It is gone.")]
    )
    run = None
    for _ in range(2):  # each time with sessions of its own, as after a restart
        pool = SessionPool(jail, PoolConfig(warm=0))
        await pool.start()
        async with house_over(db, engine, interpreter=CodeInterpreter(pool, 20)) as house:
            run = await (started(house) if run is None else again(house, run))
            await house.events(run)
        await pool.close()

    assert engine.prompts[1].messages[-1].content == "[no output]"
    told = engine.prompts[3].messages[-1].content
    assert told.startswith("[This is a new session: earlier variables, imports and files are gone.]")
    assert "NameError" in told


async def test_code_that_fails_is_no_failed_run_and_the_model_may_try_again(db, interpreter):
    engine = ScriptedEngine([coding("1 / 0"), coding("print('mended')", "call_2"), answered("Done.")])
    async with house_over(db, engine, interpreter=interpreter) as house:
        run = await started(house)
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.COMPLETED
        failed, mended, _ = await house.steps(run)
        [output] = failed.tool_calls[0]["code_interpreter"]["outputs"]
        assert "ZeroDivisionError" in output["logs"]
        assert "ZeroDivisionError" in engine.prompts[1].messages[-1].content
        assert mended.tool_calls[0]["code_interpreter"]["outputs"] == [{"type": "logs", "logs": "mended\n"}]


async def test_a_cancel_stops_the_code(db, interpreter):
    engine = ScriptedEngine([coding("print('begun')\nimport time\nwhile True: time.sleep(0.05)")])
    async with house_over(db, engine, interpreter=interpreter) as house:
        run = await started(house)

        async def is_running():
            async with db.read() as tx:
                entries = await tx.events.after(run.id, 0)
            return any(isinstance(entry.event, ToolOutputAdded) for entry in entries)

        await until(is_running)
        await cancel_run(db, run.thread_id, run.id, datetime.now(UTC))
        await house.events(run)

        assert (await house.run(run)).status is RunStatus.CANCELLED
        [step] = await house.steps(run)
        assert step.status is StepStatus.CANCELLED
        [call] = step.tool_calls
        assert call["code_interpreter"]["outputs"] == [{"type": "logs", "logs": "begun\n"}]


async def test_logs_that_come_in_pieces_are_one_output_in_the_stream_too(db, interpreter):
    code = "import time\nfor n in range(3):\n    print(n, flush=True)\n    time.sleep(0.3)"
    engine = ScriptedEngine([coding(code), answered("Done.")])
    async with house_over(db, engine, interpreter=interpreter) as house:
        run = await started(house)
        entries = await house.events(run)

        shown = [entry.event for entry in entries if isinstance(entry.event, ToolOutputAdded)]
        step, _ = await house.steps(run)
        assert {event.output_index for event in shown} == {0}
        assert step.tool_calls[0]["code_interpreter"]["outputs"] == [{"type": "logs", "logs": "0\n1\n2\n"}]
        assert "".join(event.output["logs"] for event in shown) == "0\n1\n2\n"


async def test_without_a_sandbox_the_run_fails_and_says_so(sqlite_db):
    engine = ScriptedEngine([answered("never")])
    async with house_over(sqlite_db, engine) as house:
        run = await started(house)
        await house.events(run)

        run = await house.run(run)
        assert run.status is RunStatus.FAILED
        assert "code_interpreter" in run.last_error["message"]
        assert engine.prompts == []
