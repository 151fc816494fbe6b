"""What honest code gets: a notebook's ways, files in and out, cancelling."""

import asyncio
import os
import re
import tempfile
import textwrap
from pathlib import Path

import pytest

from assistants_api.domain.errors import InvalidRequest, NotFound, Unavailable
from assistants_api.domain.sandbox import Done, FileMade, Image, Logs
from assistants_api.ports import Sandbox
from assistants_api.sandbox.channel import Frame, is_name
from assistants_api.sandbox.config import SandboxConfig
from assistants_api.sandbox.session import JailedSession
from assistants_api.sandbox.watchdog import descendants
from tests.conftest import until
from tests.sandbox.conftest import run

PNG = b"\x89PNG\r\n\x1a\n"


async def source(*parts: bytes):
    """Bytes as they come from a store."""
    for part in parts:
        yield part


async def test_a_session_keeps_its_variables_and_imports(session: JailedSession):
    first = await run(session, "import math\nx = 20\nprint('hello')\nx + 1")
    second = await run(session, "math.floor(2.5) + x")

    assert first.text == "hello\n21\n"
    assert first.done == Done(is_new=True, has_failed=False)
    assert second.text == "22\n"
    assert second.done == Done(is_new=False, has_failed=False)


async def test_an_error_is_told_with_its_place_and_without_colours(session: JailedSession):
    ran = await run(session, "x = 1\nx / 0")

    assert ran.done.has_failed
    assert ran.done.ended is None
    assert "Cell In[1], line 2" in ran.text
    assert ran.text.endswith("ZeroDivisionError: division by zero\n")
    assert "\x1b" not in ran.text


async def test_code_that_does_not_parse_is_told_so(session: JailedSession):
    ran = await run(session, "def f(:\n    pass")

    assert ran.done.has_failed
    assert "SyntaxError" in ran.text


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_code_that_spoils_its_streams_harms_that_cell_alone(session: JailedSession, stream: str):
    await run(session, f"import sys\nsys.{stream}.close()")
    closed = await run(session, f"print('one', file=sys.{stream})")
    await run(session, f"sys.{stream} = None")
    unset = await run(session, f"print('two', file=sys.{stream})")
    await run(session, f"del sys.{stream}")
    gone = await run(session, f"print('three', file=sys.{stream})")

    assert [ran.text for ran in (closed, unset, gone)] == ["one\n", "two\n", "three\n"]
    assert not any(ran.done.has_failed for ran in (closed, unset, gone))


async def test_an_error_is_told_while_the_code_keeps_its_output_to_itself(session: JailedSession):
    ran = await run(session, "import io, sys\nsys.stdout = io.StringIO()\nprint('kept')\n1 / 0")
    kept = await run(session, "sys.stdout.getvalue()")

    assert ran.text.endswith("ZeroDivisionError: division by zero\n")
    assert kept.text == "'kept\\n'\n"


async def test_exit_stops_the_cell_and_keeps_the_session(session: JailedSession):
    ran = await run(session, "x = 1\nexit()\nx = 2")

    assert ran.done.ended is None
    assert "SystemExit" in ran.text
    assert "AttributeError" not in ran.text
    assert "Ctrl-D" not in ran.text
    assert (await run(session, "x")).text == "1\n"


async def test_output_keeps_its_order_whoever_prints(session: JailedSession):
    code = """
    import os, subprocess, sys
    print("one")
    os.write(1, b"two\\n")
    print("three", file=sys.stderr)
    subprocess.run(["echo", "four"])
    !echo five
    print("six", end="")
    """

    ran = await run(session, textwrap.dedent(code))

    assert ran.text == "one\ntwo\nthree\nfour\nfive\nsix"


async def test_output_comes_while_the_code_still_runs(session: JailedSession):
    code = "import os, time\nprint('now')\nwhile not os.path.exists('/mnt/data/go'): time.sleep(0.01)"

    outputs = session.execute(code + "\nprint('after')", 30)
    first = await anext(outputs)

    assert first == Logs("now\n")
    await outputs.aclose()


async def test_text_of_other_scripts_and_broken_bytes_arrive(session: JailedSession):
    ran = await run(session, "import os\nprint('北京 🙂 \\udc80')\nos.write(1, b'\\xff\\n');")

    assert ran.text.startswith("北京 🙂 ")
    assert "�" in ran.text


async def test_figures_and_pictures_come_as_png(session: JailedSession):
    code = """
    import matplotlib.pyplot as plt
    print("before")
    plt.plot([1, 2, 3])
    plt.title("北京")
    plt.show()
    print("between")
    from PIL import Image
    display(Image.new("RGB", (4, 4)))
    """
    kinds = []

    async for output in session.execute(textwrap.dedent(code), 60):
        match output:
            case Logs(text):
                kinds.append(
                    [line for line in text.splitlines() if not re.search("Warning|Glyph|fig|show", line)]
                )
            case Image(png):
                assert png.startswith(PNG)
                kinds.append("image")

    assert [kind for kind in kinds if kind] == [["before"], "image", ["between"], "image"]


async def test_a_picture_in_the_colours_of_print_comes_as_png(session: JailedSession):
    ran = await run(session, "from PIL import Image\nImage.new('CMYK', (4, 4))", 60)

    assert not ran.done.has_failed, ran.text
    assert [image[:8] for image in ran.images] == [PNG]


async def test_a_font_that_is_missing_is_told_once_in_a_cell(session: JailedSession):
    code = """
    import matplotlib.pyplot as plt
    plt.rcParams["font.sans-serif"] = ["SimHei"]
    plt.plot([1, 2, 3])
    plt.title("x")
    plt.show()
    """

    ran = [await run(session, textwrap.dedent(code), 60) for _ in range(2)]

    assert [each.text.count("families were found: SimHei") for each in ran] == [1, 1]


async def test_the_last_value_of_a_table_is_shown_as_text(session: JailedSession):
    ran = await run(session, "import pandas as pd\npd.DataFrame({'a': [1, 2], 'b': [3, 4]})", 60)

    assert ran.text == "   a  b\n0  1  3\n1  2  4\n"


@pytest.mark.parametrize(
    "code",
    [
        "import numpy as np; float(np.linalg.norm(np.ones((300, 300)) @ np.ones((300, 300))))",
        "import scipy.stats as s; round(float(s.norm.cdf(0)), 3)",
        "import pandas as pd; pd.DataFrame({'a': [1]}).to_excel('/mnt/data/t.xlsx'); pd.read_excel('t.xlsx').shape",
        "import zipfile; zipfile.ZipFile('/mnt/data/z.zip', 'w').writestr('a', 'b'); zipfile.is_zipfile('z.zip')",
        "import sqlite3; sqlite3.connect('/mnt/data/d.db').execute('select 6 * 7').fetchone()",
        "import tempfile, shutil; f = tempfile.NamedTemporaryFile(); shutil.copy(f.name, '/mnt/data/c')",
        "import subprocess; subprocess.check_output(['ls', '/mnt/data'], cwd='/mnt/data').decode()",
        "from concurrent.futures import ThreadPoolExecutor as T; list(T(4).map(abs, [-1, -2]))",
        "import sys, subprocess; subprocess.check_output([sys.executable, '-c', 'import numpy; print(1)'])",
        "import getpass; getpass.getuser()",
        "import shutil; shutil.make_archive('/tmp/z', 'zip', '/mnt/data'); shutil.move('/tmp/z.zip', '/mnt/data')",
        "!echo one > /tmp/a.txt; cat /tmp/a.txt",
        "import pathlib; pathlib.Path('/mnt/data/x.txt').write_text('a'); open(f'/mnt/data/{\"x\"}.txt').read()",
    ],
    ids=[
        "numpy",
        "scipy",
        "excel",
        "zip",
        "sqlite",
        "temporary",
        "programs",
        "threads",
        "python",
        "user",
        "archives",
        "shells",
        "paths",
    ],
)
async def test_common_work_is_not_in_the_filters_way(session: JailedSession, code: str):
    ran = await run(session, code, 60)

    assert not ran.done.has_failed, ran.text
    assert ran.text


async def test_the_places_that_code_names_are_shown_by_their_names(session: JailedSession):
    code = """
    import os, tempfile
    os.chdir("/tmp")
    print(os.getcwd(), os.path.dirname(tempfile.mkstemp()[1]), "/mnt/data", "http://a.b/tmp/c /tmpfs x/tmp")
    """

    ran = await run(session, textwrap.dedent(code))

    assert ran.text == "/tmp /tmp /mnt/data http://a.b/tmp/c /tmpfs x/tmp\n"


async def test_files_made_or_changed_are_named_once(session: JailedSession):
    first = await run(
        session,
        "open('/mnt/data/a.txt', 'w').write('1'); import os; os.makedirs('d'); open('d/b', 'w').close()",
    )
    second = await run(session, "open('a.txt', 'a').write('23')")
    third = await run(session, "open('a.txt').read()")

    assert first.done.files == (FileMade("a.txt", 1), FileMade("d/b", 0))
    assert second.done.files == (FileMade("a.txt", 3),)
    assert third.done.files == ()
    assert await session.list() == (FileMade("a.txt", 3), FileMade("d/b", 0))


async def test_a_file_is_handed_over_whatever_its_mode(session: JailedSession):
    ran = await run(session, "import os; open('a', 'w').write('1'); os.chmod('a', 0)")

    assert ran.done.files == (FileMade("a", 1),)
    assert [part async for part in session.read("a")] == [b"1"]


async def test_a_new_file_is_named_however_many_there_are(session: JailedSession):
    many = "for n in range(600): open(f'a{n:03}.txt', 'w').close()"

    first = await run(session, many)
    second = await run(session, "open('summary.csv', 'w').close()")

    assert [file.name for file in first.done.files] == [f"a{n:03}.txt" for n in range(512)]
    assert first.text == "[88 more new files are left out.]\n"
    assert second.done.files == (FileMade("summary.csv", 0),)
    assert second.text == ""


async def test_files_with_names_too_long_for_use_outside_are_no_harm(session: JailedSession):
    code = """
    import os
    deep = "/".join(["表" * 80] * 14)
    os.makedirs(deep)
    for n in range(400): open(f"{deep}/{n}", "w").close()
    for n in range(100): open(b"\\xff" * 200 + b"%d" % n, "w").close()
    open("result.txt", "w").close()
    """

    ran = await run(session, textwrap.dedent(code))

    assert ran.done == Done(is_new=True, has_failed=False, files=(FileMade("result.txt", 0),))


async def test_what_a_thread_shows_after_its_cell_is_not_taken_for_a_file(session: JailedSession):
    code = """
    import threading
    from PIL import Image
    ended = threading.Event()
    def show():
        while not ended.is_set(): display(Image.new("L", (2, 2)))
    for n in range(30): open(f"{n:02}.txt", "w").write(f"of {n}")
    threading.Thread(target=show).start()
    """
    async for output in session.execute(textwrap.dedent(code), 30):
        assert not isinstance(output, Done) or len(output.files) == 30

    read = [b"".join([part async for part in session.read(f"{n:02}.txt")]) for n in range(30)]
    await run(session, "ended.set()")
    later = await run(session, "6 * 7")

    assert read == [b"of %d" % n for n in range(30)]
    assert later.text == "42\n"


async def test_files_go_in_and_out_whole(session: JailedSession):
    data = os.urandom(3 * 2**20 + 7)

    await session.put("folder/data.bin", source(data[:5], data[5:]))
    await session.put("empty", source())
    ran = await run(session, "import hashlib; len(open('/mnt/data/folder/data.bin', 'rb').read())")

    assert ran.text == f"{len(data)}\n"
    assert ran.done.files == ()  # what was put in was not made by the code
    assert b"".join([part async for part in session.read("folder/data.bin")]) == data
    assert [part async for part in session.read("empty")] == []
    with pytest.raises(NotFound):
        [part async for part in session.read("missing")]


@pytest.mark.parametrize(
    "name",
    [
        "Screenshot 2025-01-02 at 9.41.00\u202fAM.png",
        "报告\u30002024.csv",
        "a\u00a0b.csv",
        "👩\u200d💻.md",
        "می\u200cخواهم.csv",
        "表" * 83 + ".xlsx",
    ],
)
async def test_names_that_users_give_go_in_and_come_out(session: JailedSession, name: str):
    await session.put(name, source(b"given"))
    ran = await run(session, f"import os, shutil\nos.mkdir('made')\nshutil.copy({name!r}, 'made')")

    assert ran.done.files == (FileMade(f"made/{name}", 5),)
    assert b"".join([part async for part in session.read(name)]) == b"given"


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "../x", "/x", "x/", "a//b", "a/../b"),
        *("a\0b", "a\nb", "a\x1bb", "a\x85b", "a\u2028b", "a\u202eb", "a\u2066b", "a\udc80b"),
        *("x" * 256, "表" * 86, "/".join(["x" * 171] * 3), None, 7),
    ],
)
def test_a_name_that_could_lead_astray_is_none(name: object):
    assert not is_name(name)


async def test_a_file_that_does_not_fit_is_refused_and_not_left_half(session: JailedSession):
    async def endless():
        while True:
            yield bytes(2**20)

    with pytest.raises(InvalidRequest, match="does not fit"):
        await session.put("big", endless())

    assert await session.list() == ()
    assert (await run(session, "1")).text == "1\n"


async def test_giving_up_a_cell_interrupts_it_and_keeps_the_state(session: JailedSession):
    outputs = session.execute("y = 5\nprint('go')\nwhile True: pass", 60)
    assert await anext(outputs) == Logs("go\n")

    await outputs.aclose()

    assert (await run(session, "y")).text == "5\n"


async def test_a_cancelled_task_interrupts_its_cell(session: JailedSession):
    begun = asyncio.Event()

    async def work():
        async for _ in session.execute("z = 6\nprint('go')\nwhile True: pass", 60):
            begun.set()

    task = asyncio.create_task(work())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert (await run(session, "z")).text == "6\n"


@pytest.mark.parametrize("steps", range(6))
async def test_a_start_that_is_given_up_leaves_no_process(sandbox: Sandbox, steps: int):
    before = set(descendants(os.getpid()))
    opening = asyncio.create_task(sandbox.open())
    for _ in range(1 + steps):
        await asyncio.sleep(0)
    started = set(descendants(os.getpid())) - before
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening

    assert started
    assert not started & set(descendants(os.getpid()))


async def test_giving_up_code_that_does_not_stop_ends_the_session(session: JailedSession):
    code = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('go')\nwhile True: pass"
    outputs = session.execute(code, 60)
    assert await anext(outputs) == Logs("go\n")

    await outputs.aclose()

    assert session.ended == "The code was cancelled and did not stop: the session was ended."


async def test_two_cells_of_one_session_run_one_after_the_other(session: JailedSession):
    await run(session, "n = 0")
    code = "m = n; import time; time.sleep(0.05); n = m + 1"

    await asyncio.gather(*(run(session, code) for _ in range(3)))

    assert (await run(session, "n")).text == "3\n"


async def test_closing_a_session_ends_the_cell_that_runs(session: JailedSession):
    outputs = session.execute("print('go')\nwhile True: pass", 60)
    await anext(outputs)

    await session.close()

    assert [output async for output in outputs] == [Done(True, True, ended="The session was closed.")]


async def test_sessions_do_not_see_each_other(sandbox: Sandbox, session: JailedSession):
    other = await sandbox.open()
    await run(session, "open('/mnt/data/mine.txt', 'w').write('x'); open('/tmp/mine.txt', 'w').write('x')")

    seen = await run(other, "import glob; glob.glob('/mnt/data/*') + glob.glob('/tmp/mine*')")

    assert seen.text == "[]\n"
    await other.close()


async def test_a_guest_that_cannot_start_says_why(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch):
    with tempfile.TemporaryDirectory() as folder:
        python = Path(folder, "bin", "python3")
        python.parent.mkdir()
        python.write_text("#!/bin/sh\necho the reason >&2\nexit 3\n")
        for path in (python, python.parent, Path(folder)):
            path.chmod(0o755)
        monkeypatch.setattr(sandbox, "_config", SandboxConfig(Path(folder)))

        with pytest.raises(Unavailable, match="the reason"):
            await sandbox.open()


async def test_a_warm_session_has_the_libraries_loaded(sandbox: Sandbox):
    warm = await sandbox.open(preload=True)

    ran = await run(
        warm, "import sys; {'pandas', 'matplotlib.pyplot', 'numpy'} <= set(sys.modules), 'plt' in globals()"
    )

    assert ran.text == "(True, False)\n"
    assert ran.done.is_new
    await warm.close()
    await until(lambda: warm.jail.process.returncode is not None)


async def test_half_a_surrogate_pair_is_shown_as_the_replacement_character(session: JailedSession):
    """A Python string may hold one, and so may what an object says of itself."""
    ran = await run(session, "class Half:\n    def __repr__(self): return 'a\\ud83dx'\nHalf()")

    assert not ran.done.has_failed
    assert ran.text == "a\ufffdx\n"


def test_text_of_a_frame_is_whole():
    assert Frame("text", {"text": "a\ud83dx\ud83d\ude00"}, b"").text() == "a\ufffdx\U0001f600"
