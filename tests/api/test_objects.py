"""Paging, filters, modifying and deleting over HTTP."""

import json
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from assistants_api.domain.event import ToolCallDelta
from assistants_api.domain.prompt import CallPiece
from assistants_api.engine.script import Fail, Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.sweeping import expire_run
from tests.api.conftest import client_over, made, refusal
from tests.api.test_files import uploaded
from tests.api.test_waiting import TOOL, started
from tests.conftest import until


async def test_pages_cover_everything_once_in_both_orders(http):
    names = [f"a{number}" for number in range(5)]
    for name in names:
        await made(http, "/v1/assistants", model="m", name=name)

    async def walk(order):
        seen, query = [], f"order={order}&limit=2"
        while True:
            page = (await http.get(f"/v1/assistants?{query}")).json()
            seen += [each["name"] for each in page["data"]]
            assert (page["first_id"], page["last_id"]) == (page["data"][0]["id"], page["data"][-1]["id"])
            if not page["has_more"]:
                return seen
            query = f"order={order}&limit=2&after={page['last_id']}"

    assert await walk("asc") == names
    assert await walk("desc") == names[::-1]


async def test_an_unknown_cursor_is_refused_by_name(http):
    response = await http.get("/v1/assistants?after=asst_none")

    assert refusal(response)[0::2] == (404, "after")


async def test_threads_are_found_by_all_of_their_metadata(http):
    both = await made(http, "/v1/threads", metadata={"user": "1", "a]b": "x"})
    await made(http, "/v1/threads", metadata={"user": "1"})

    found = await http.get("/v1/threads", params={"metadata[user]": "1", "metadata[a]b]": "x"})
    all_of_one = await http.get("/v1/threads", params={"metadata[user]": "1"})

    assert [thread["id"] for thread in found.json()["data"]] == [both["id"]]
    assert len(all_of_one.json()["data"]) == 2


@pytest.mark.parametrize("name", ["metadata[k", "metadata[]", "metadata"])
async def test_a_filter_must_be_whole(http, name):
    assert refusal(await http.get("/v1/threads", params={name: "1"}))[2:] == (name, "unknown_parameter")


async def test_modifying_changes_what_is_given_and_replaces_metadata(http):
    before = await made(http, "/v1/assistants", model="m", name="n", metadata={"a": "1"}, temperature=0.5)

    after = await made(http, f"/v1/assistants/{before['id']}", metadata={"b": "2"})
    cleared = await made(http, f"/v1/assistants/{before['id']}", name=None)

    assert after == {**before, "metadata": {"b": "2"}}
    assert cleared == {**after, "name": None}


async def with_tools(http, kind):
    """Where a new object with a store and a file lies, and its tool resources."""
    file = await uploaded(http, "a.txt", b"words")
    store = await made(http, "/v1/vector_stores")
    both = {
        "file_search": {"vector_store_ids": [store["id"]]},
        "code_interpreter": {"file_ids": [file["id"]]},
    }
    body = {"model": "m"} if kind == "assistants" else {}
    thing = await made(http, f"/v1/{kind}", **body, tool_resources=both)
    return f"/v1/{kind}/{thing['id']}", both


@pytest.mark.parametrize("kind", ["assistants", "threads"])
async def test_modifying_tool_resources_replaces_the_lists_that_are_given(http, kind):
    """agency-swarm sends `"file_search": {}` with every update, and counts on its store after it."""
    url, both = await with_tools(http, kind)

    async def changed(resources):
        return (await made(http, url, tool_resources=resources))["tool_resources"]

    assert await changed({"file_search": {}}) == both
    assert await changed({"code_interpreter": {"file_ids": []}}) == {
        **both,
        "code_interpreter": {"file_ids": []},
    }
    assert await changed({"file_search": None}) == {"code_interpreter": {"file_ids": []}}
    assert await changed(None) == {}


@pytest.mark.parametrize("kind", ["assistants", "threads"])
async def test_a_store_that_is_deleted_leaves_the_lists_that_name_it(http, kind):
    url, both = await with_tools(http, kind)
    [store] = both["file_search"]["vector_store_ids"]

    await http.delete(f"/v1/vector_stores/{store}")

    left = {**both, "file_search": {"vector_store_ids": []}}
    assert (await http.get(url)).json()["tool_resources"] == left
    assert (await made(http, url, tool_resources=left))["tool_resources"] == left


@pytest.mark.parametrize("kind", ["assistants", "threads"])
@pytest.mark.parametrize("lists", [({}, {}), ({"vector_store_ids": None}, {"file_ids": None})])
async def test_tools_without_anything_to_work_on_have_empty_lists(http, kind, lists):
    body = {"model": "m"} if kind == "assistants" else {}
    resources = dict(zip(("file_search", "code_interpreter"), lists, strict=True))

    thing = await made(http, f"/v1/{kind}", **body, tool_resources=resources)

    assert thing["tool_resources"] == {
        "file_search": {"vector_store_ids": []},
        "code_interpreter": {"file_ids": []},
    }


async def test_an_assistant_shows_a_list_for_each_tool_that_works_on_something(http):
    """Apps look for `assistant.tool_resources.file_search.vector_store_ids` before they add a store."""
    searching = [{"type": "file_search"}]
    assistant = await made(http, "/v1/assistants", model="m", tools=searching)
    url = f"/v1/assistants/{assistant['id']}"

    assert assistant["tool_resources"] == {"file_search": {"vector_store_ids": []}}
    assert (await http.get(url)).json() == assistant
    assert (await http.get("/v1/assistants")).json()["data"] == [assistant]
    assert await made(http, url, tool_resources=None) == assistant
    both = await made(http, url, tools=[{"type": "code_interpreter"}, *searching])
    assert both["tool_resources"] == {
        "code_interpreter": {"file_ids": []},
        "file_search": {"vector_store_ids": []},
    }


async def test_files_can_be_attached_where_the_list_was_null(http):
    form = {"file": ("a.txt", b"x"), "purpose": (None, "assistants")}
    file = (await http.post("/v1/files", files=form)).json()
    attached = [{"file_id": file["id"], "tools": [{"type": "code_interpreter"}]}]

    thread = await made(
        http,
        "/v1/threads",
        tool_resources={"code_interpreter": {"file_ids": None}},
        messages=[{"role": "user", "content": "x", "attachments": attached}],
    )

    assert thread["tool_resources"]["code_interpreter"] == {"file_ids": [file["id"]]}


async def test_null_in_place_of_options_of_file_search_is_their_default(http):
    options = {"ranking_options": None, "max_num_results": None}

    assistant = await made(
        http, "/v1/assistants", model="m", tools=[{"type": "file_search", "file_search": options}]
    )

    [tool] = assistant["tools"]
    assert tool["file_search"]["ranking_options"]["ranker"] == "default_2024_08_21"
    assert tool["file_search"].get("max_num_results", 20) == 20


async def five_of(http, kind):
    """Where five objects are listed, and where each of them is deleted."""
    match kind:
        case "assistants" | "threads" | "vector_stores":
            url, body = f"/v1/{kind}", {"model": "m"} if kind == "assistants" else {}
        case "messages":
            url = f"/v1/threads/{(await made(http, '/v1/threads'))['id']}/messages"
            body = {"role": "user", "content": "x"}
        case "files":
            for number in range(5):
                await uploaded(http, f"{number}.txt")
            return "/v1/files", "/v1/files"
        case "files of a store" | "files of a batch":
            _, files = await five_of(http, "files")
            ids = [file["id"] for file in (await http.get(files)).json()["data"]]
            store = f"/v1/vector_stores/{(await made(http, '/v1/vector_stores'))['id']}"
            batch = await made(http, f"{store}/file_batches", file_ids=ids)
            of_batch = f"{store}/file_batches/{batch['id']}/files"
            return f"{store}/files" if kind == "files of a store" else of_batch, f"{store}/files"
    for _ in range(5):
        await made(http, url, **body)
    return url, url


@pytest.mark.parametrize("order", ["asc", "desc"])
@pytest.mark.parametrize(
    ("kind", "deleted_at"),
    [
        ("assistants", None),
        ("threads", None),
        ("vector_stores", None),
        ("messages", None),
        ("files", None),
        ("files of a store", None),
        ("files of a store", "/v1/files"),
        ("files of a batch", None),
        ("files of a batch", "/v1/files"),
    ],
)
async def test_who_deletes_while_listing_reaches_the_end(http, kind, deleted_at, order):
    """As clean-up scripts do with the SDKs, which ask for what follows the last one that they were given."""
    url, own = await five_of(http, kind)

    query, seen = {"limit": 2, "order": order}, 0
    while page := (await http.get(url, params=query)).json()["data"]:
        for each in page:
            assert (await http.delete(f"{deleted_at or own}/{each['id']}")).status_code == 200
        query["after"], seen = page[-1]["id"], seen + len(page)

    assert seen == 5


async def test_an_empty_cursor_is_none(http):
    await made(http, "/v1/assistants", model="m")

    assert len((await http.get("/v1/assistants?after=&before=")).json()["data"]) == 1
    assert (await http.get("/v1/files?after=")).json()["data"] == []


async def test_what_is_deleted_is_gone(http):
    assistant = await made(http, "/v1/assistants", model="m")
    thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "Hi"}])
    messages = f"/v1/threads/{thread['id']}/messages"
    message = (await http.get(messages)).json()["data"][0]
    paths = {
        f"/v1/assistants/{assistant['id']}": "assistant.deleted",
        f"{messages}/{message['id']}": "thread.message.deleted",
        f"/v1/threads/{thread['id']}": "thread.deleted",
    }

    for path, kind in paths.items():
        deleted = await http.delete(path)
        again = await http.delete(path)

        assert deleted.json() == {"id": path.rpartition("/")[2], "object": kind, "deleted": True}
        assert again.status_code == 404


async def test_a_thread_needs_no_body(http):
    response = await http.post("/v1/threads")

    assert response.json()["metadata"] == {}


@pytest.mark.parametrize("raw", ['{"model":"m","model":"n"}', '{"model":"m","metadata":{"k":"1","k":"2"}}'])
async def test_a_key_given_twice_is_refused(http, raw):
    status, message, _, _ = refusal(await http.post("/v1/assistants", content=raw))

    assert status == 400
    assert message.startswith("We could not parse the JSON body of your request.")
    assert (await http.get("/v1/assistants")).json()["data"] == []


@pytest.mark.parametrize("end", ["cancelled", "failed", "expired"])
async def test_a_step_keeps_what_was_shown_of_a_call_that_never_was_whole(sqlite_db, end):
    piece = CallPiece("call_1", "get_weather", '{"city": "Par')
    engine = ScriptedEngine([[piece, Fail("Broke.") if end == "failed" else Wait("never")]])
    async with client_over(sqlite_db, engine, works=True) as http:
        path = await started(http, tools=[TOOL])
        run_id = path.rpartition("/")[2]

        async def is_shown():
            async with sqlite_db.read() as tx:
                return any(isinstance(entry.event, ToolCallDelta) for entry in await tx.events.all(run_id))

        await until(is_shown)
        if end == "cancelled":
            await made(http, f"{path}/cancel")
        if end == "expired":
            async with sqlite_db.begin() as tx:
                run = await tx.runs.hold(run_id)
                await tx.runs.move(run, replace(run, deadline=datetime(2026, 1, 1, tzinfo=UTC)))
            await expire_run(sqlite_db, run_id)
        run = (await http.get(path, params={"wait": 60})).json()
        [step] = (await http.get(f"{path}/steps")).json()["data"]
        events = (await http.get(f"{path}/events")).text

    told = next(part for part in events.split("\n\n") if part.startswith(f"event: thread.run.step.{end}\n"))
    function = {"name": "get_weather", "arguments": '{"city": "Par', "output": None}
    assert (run["status"], step["status"]) == (end, end)
    assert step["step_details"]["tool_calls"] == [{"id": "call_1", "type": "function", "function": function}]
    assert json.loads(told.splitlines()[1].removeprefix("data: ")) == step
