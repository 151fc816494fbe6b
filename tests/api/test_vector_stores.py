"""Vector stores over HTTP: files are read, found, filtered, and gone again, on both databases."""

import pytest

from tests.api.conftest import client_over, made, refusal
from tests.api.test_files import uploaded
from tests.conftest import until
from tests.worker.conftest import knowledge_over

PLANETS = {
    "mercury.txt": "Mercury is the smallest planet. It has no moons. A year there takes 88 days.",
    "venus.md": "# Venus\n\nVenus is the hottest planet. Its clouds are made of sulfuric acid.",
    "mars.html": "<h1>Mars</h1><p>Mars is red because of iron oxide.</p><p>It has two moons.</p>",
    "地球.txt": "地球是太阳系中唯一已知有生命的行星。月球是地球的卫星。",
}


@pytest.fixture
async def http(db):
    """A client of an application whose worker indexes files without a model."""
    async with client_over(db, works=True) as client:
        yield client


async def finished(http, path):
    """The object at `path`, once nothing of it is in progress."""

    async def is_done():
        return (await http.get(path)).json()["status"] != "in_progress"

    await until(is_done)
    return (await http.get(path)).json()


async def planets(http, **given):
    """A store of four documents, and their file ids by name."""
    ids = {name: (await uploaded(http, name, text.encode()))["id"] for name, text in PLANETS.items()}
    store = await made(http, "/v1/vector_stores", file_ids=list(ids.values()), **given)
    return store["id"], ids


async def search(http, store_id, query, **given):
    return await made(http, f"/v1/vector_stores/{store_id}/search", query=query, **given)


async def test_a_store_reads_its_files_and_counts_them(http):
    ids = [(await uploaded(http, name, text.encode()))["id"] for name, text in PLANETS.items()]
    store = await made(
        http,
        "/v1/vector_stores",
        name="Planets",
        file_ids=ids,
        metadata={"a": "b"},
        expires_after={"anchor": "last_active_at", "days": 2},
    )

    assert store["object"] == "vector_store"
    assert store["id"].startswith("vs_")
    assert store["status"] == "in_progress"
    assert store["file_counts"] == {"in_progress": 4, "completed": 0, "failed": 0, "cancelled": 0, "total": 4}
    assert store["expires_at"] == store["last_active_at"] + 2 * 24 * 3600
    done = await finished(http, f"/v1/vector_stores/{store['id']}")
    assert done["file_counts"] == {"in_progress": 0, "completed": 4, "failed": 0, "cancelled": 0, "total": 4}
    assert done["usage_bytes"] > 0
    listed = (await http.get(f"/v1/vector_stores/{store['id']}/files", params={"order": "asc"})).json()
    assert [file["id"] for file in listed["data"]] == ids
    first = listed["data"][0]
    assert first == {
        "id": ids[0],
        "object": "vector_store.file",
        "usage_bytes": first["usage_bytes"],
        "created_at": first["created_at"],
        "vector_store_id": store["id"],
        "status": "completed",
        "last_error": None,
        "chunking_strategy": {
            "type": "static",
            "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400},
        },
        "attributes": {},
    }


async def test_an_empty_store_is_complete_at_once(http):
    store = (await http.post("/v1/vector_stores")).json()
    assert store["status"] == "completed"
    assert store["name"] is None
    assert store["file_counts"]["total"] == 0
    assert (await search(http, store["id"], "anything"))["data"] == []


async def test_search_finds_by_words_in_english_and_chinese(http):
    store_id, ids = await planets(http)
    await finished(http, f"/v1/vector_stores/{store_id}")

    for query, name in (
        ("Which planet is the hottest?", "venus.md"),
        ("iron oxide", "mars.html"),
        ("How long is a year on Mercury?", "mercury.txt"),
        ("月球是什么？", "地球.txt"),
    ):
        page = await search(http, store_id, query)
        assert page["object"] == "vector_store.search_results.page"
        assert page["search_query"] == [query]
        best = page["data"][0]
        assert (best["filename"], best["file_id"]) == (name, ids[name]), query
        assert 0 < best["score"] <= 1
        scores = [item["score"] for item in page["data"]]
        assert scores == sorted(scores, reverse=True)
    assert (
        "sulfuric acid"
        in (await search(http, store_id, ["clouds", "sulfuric"]))["data"][0]["content"][0]["text"]
    )


async def test_a_search_finds_as_many_large_chunks_as_it_is_asked_for(http):
    """Twenty chunks of ten windows each: all windows of the first eleven are better than any of the others."""
    often, once, never = ["invoice " * 5 + "word " * 105], ["invoice " + "word " * 109], ["word " * 110]
    text = "\n\n".join(often * 110 + (once + never * 9) * 9)
    sizes = {"type": "static", "static": {"max_chunk_size_tokens": 1100, "chunk_overlap_tokens": 0}}
    file = await uploaded(http, "long.txt", text.encode())
    store = await made(http, "/v1/vector_stores", file_ids=[file["id"]], chunking_strategy=sizes)
    await finished(http, f"/v1/vector_stores/{store['id']}")

    few = (await search(http, store["id"], "invoice", max_num_results=5))["data"]
    many = (await search(http, store["id"], "invoice", max_num_results=20))["data"]

    assert many[:5] == few
    assert len({item["content"][0]["text"] for item in many[:11]}) == 1
    assert sum("invoice" in item["content"][0]["text"] for item in many) == 20
    scores = [item["score"] for item in many]
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0


async def test_search_takes_a_limit_a_threshold_and_rewrites(http):
    store_id, _ = await planets(http)
    await finished(http, f"/v1/vector_stores/{store_id}")

    assert len((await search(http, store_id, "planet", max_num_results=2))["data"]) == 2
    strict = await search(http, store_id, "hottest planet", ranking_options={"score_threshold": 0.99})
    assert [item["filename"] for item in strict["data"]] == ["venus.md"]
    rewritten = await search(http, store_id, "What is the hottest planet?", rewrite_query=True)
    assert rewritten["search_query"] == ["hottest planet"]
    assert rewritten["data"][0]["filename"] == "venus.md"
    chinese = await search(http, store_id, "请问月球是什么？", rewrite_query=True)
    assert chinese["search_query"] == ["月球"]
    assert chinese["data"][0]["filename"] == "地球.txt"
    plain = await search(http, store_id, "hottest planet", ranking_options={"ranker": "none"})
    assert plain["data"][0]["filename"] == "venus.md"


@pytest.mark.parametrize(
    ("filters", "names"),
    [
        ({"type": "eq", "key": "rank", "value": 2}, {"b"}),
        ({"type": "ne", "key": "rank", "value": 2}, {"a", "c", "d"}),
        ({"type": "gt", "key": "rank", "value": 1.5}, {"b", "c"}),
        ({"type": "lte", "key": "rank", "value": 2}, {"a", "b"}),
        ({"type": "in", "key": "color", "value": ["red", "blue"]}, {"a", "b"}),
        ({"type": "nin", "key": "color", "value": ["red", "blue"]}, {"c", "d"}),
        ({"type": "eq", "key": "is_big", "value": True}, {"a"}),
        ({"type": "eq", "key": "rank", "value": "2"}, set()),
        ({"type": "eq", "key": "rank", "value": True}, set()),
        (
            {
                "type": "or",
                "filters": [
                    {"type": "eq", "key": "color", "value": "red"},
                    {
                        "type": "and",
                        "filters": [
                            {"type": "gte", "key": "rank", "value": 2},
                            {"type": "lt", "key": "rank", "value": 3},
                        ],
                    },
                ],
            },
            {"a", "b"},
        ),
    ],
)
async def test_filters_are_exact(http, filters, names):
    attributes = {
        "a": {"rank": 1, "color": "red", "is_big": True},
        "b": {"rank": 2, "color": "blue", "is_big": False},
        "c": {"rank": 3, "color": "green"},
        "d": {},
    }
    store = await made(http, "/v1/vector_stores")
    files = []
    for name, given in attributes.items():
        file = await uploaded(http, f"{name}.txt", f"The same sentence, said by {name}.".encode())
        files.append({"file_id": file["id"], "attributes": given})
    batch = await made(http, f"/v1/vector_stores/{store['id']}/file_batches", files=files)
    await finished(http, f"/v1/vector_stores/{store['id']}/file_batches/{batch['id']}")

    page = await search(http, store["id"], "same sentence", filters=filters)

    assert {item["filename"].removesuffix(".txt") for item in page["data"]} == names


async def test_changed_attributes_and_removed_files_count_at_once(http):
    store_id, ids = await planets(http)
    await finished(http, f"/v1/vector_stores/{store_id}")
    assert (await search(http, store_id, "moons"))["data"]
    mars = f"/v1/vector_stores/{store_id}/files/{ids['mars.html']}"
    only = {"type": "eq", "key": "kind", "value": "red"}

    assert (await search(http, store_id, "moons", filters=only))["data"] == []
    changed = await made(http, mars, attributes={"kind": "red"})
    assert changed["attributes"] == {"kind": "red"}
    assert len((await search(http, store_id, "moons", filters=only))["data"]) == 1

    gone = (await http.delete(mars)).json()
    assert gone == {"id": ids["mars.html"], "object": "vector_store.file.deleted", "deleted": True}
    assert refusal(await http.get(mars))[1].startswith("No file found with id")
    assert "mars.html" not in {
        item["filename"] for item in (await search(http, store_id, "Mars iron"))["data"]
    }
    assert (await http.get(f"/v1/files/{ids['mars.html']}")).status_code == 200
    await http.delete(f"/v1/files/{ids['venus.md']}")
    assert "venus.md" not in {item["filename"] for item in (await search(http, store_id, "Venus"))["data"]}


async def test_a_file_in_two_stores_is_cut_for_each(http):
    text = " ".join(f"Sentence number {i} is here." for i in range(300))
    file = await uploaded(http, "long.txt", text.encode())
    sizes = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
    coarse = await made(http, "/v1/vector_stores", file_ids=[file["id"]])
    fine = await made(http, "/v1/vector_stores", file_ids=[file["id"]], chunking_strategy=sizes)
    contents = {}
    for store in (coarse, fine):
        await finished(http, f"/v1/vector_stores/{store['id']}")
        path = f"/v1/vector_stores/{store['id']}/files/{file['id']}/content"
        page = (await http.get(path)).json()
        assert page["object"] == "vector_store.file_content.page"
        contents[store["id"]] = [part["text"] for part in page["data"]]
        best = (await search(http, store["id"], "number 217"))["data"][0]["content"][0]["text"]
        assert "number 217 " in best
        assert best in contents[store["id"]]
        assert best in text
    assert len(contents[fine["id"]]) > 2 * len(contents[coarse["id"]])


async def test_a_long_text_comes_in_one_page(http, monkeypatch):
    """The official SDKs ask for no second one."""
    text = " ".join(f"Sentence number {i} is here." for i in range(1200))
    sizes = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 50}}
    file = await uploaded(http, "long.txt", text.encode())
    store = await made(http, "/v1/vector_stores", file_ids=[file["id"]], chunking_strategy=sizes)
    await finished(http, f"/v1/vector_stores/{store['id']}")
    path = f"/v1/vector_stores/{store['id']}/files/{file['id']}/content"

    whole = (await http.get(path)).json()
    monkeypatch.setattr("assistants_api.api.vector_stores._CHUNKS_PER_PAGE", 100)
    first = (await http.get(path)).json()
    second = (await http.get(path, params={"page": first["next_page"]})).json()

    assert len(whole["data"]) > 100
    assert (whole["has_more"], whole["next_page"]) == (False, None)
    assert whole["data"][-1]["text"].endswith("number 1199 is here.")
    assert (first["has_more"], first["next_page"]) == (True, "100")
    assert first["data"] + second["data"] == whole["data"][:200]


async def test_a_status_that_there_is_not_is_refused_in_the_apis_words(idle):
    store, _, batch = await batched(idle)

    for files in (f"{store}/files", f"{batch}/files"):
        assert refusal(await idle.get(files, params={"filter": "x"})) == (
            400,
            "Invalid value: 'x'. Supported values are: 'in_progress', 'completed', 'failed', and 'cancelled'.",
            "filter",
            "invalid_value",
        )


async def test_files_whose_names_no_search_can_read_are_refused_at_once(idle):
    """The service looked at the ends of names before it added anything, at the rest later."""
    names = ("note.txt", "Table.CSV", "picture.png", "bare")
    note, table, picture, bare = [(await uploaded(idle, name, b"a,b"))["id"] for name in names]
    store = f"/v1/vector_stores/{(await made(idle, '/v1/vector_stores'))['id']}"
    helper = {"file_search": {"vector_stores": [{"file_ids": [note, table]}]}}

    async def refused(path, **body):
        status, message, param, code = refusal(await idle.post(path, json=body))
        assert (status, param, code) == (400, "file_ids", "unsupported_file")
        first, _, second = message.partition(". ")
        assert second.startswith("Supported file types include: [.c, .cpp, ")
        return first

    said = "Files with extensions [{}] are not supported for retrieval"
    assert await refused(f"{store}/files", file_id=table) == said.format(".csv")
    assert await refused(f"{store}/file_batches", file_ids=[note, table, picture]) == said.format(
        ".csv, .png"
    )
    assert await refused(f"{store}/file_batches", files=[{"file_id": bare}]) == said.format("none")
    assert await refused("/v1/vector_stores", file_ids=[note, picture]) == said.format(".png")
    assert await refused("/v1/assistants", model="m", tool_resources=helper) == said.format(".csv")
    assert (await idle.get(store)).json()["file_counts"]["total"] == 0
    assert len((await idle.get("/v1/vector_stores")).json()["data"]) == 1


@pytest.mark.parametrize(
    ("name", "content", "code", "words"),
    [
        ("empty.txt", b"", "invalid_file", "empty"),
        ("blank.md", b" \n ", "invalid_file", "no text"),
        ("broken.pdf", b"%PDF-1.7 nonsense", "invalid_file", "could not be parsed"),
        ("picture.txt", b"\x89PNG\r\n\x1a\n\x00\x00", "invalid_file", "binary data"),
        ("no.docx", b"PK\x03\x04 nonsense", "invalid_file", "could not be parsed"),
    ],
)
async def test_a_file_that_cannot_be_read_fails_with_a_reason(http, name, content, code, words):
    file = await uploaded(http, name, content)
    good = await uploaded(http, "good.txt", b"Good text.")
    store = await made(http, "/v1/vector_stores", file_ids=[file["id"], good["id"]])

    done = await finished(http, f"/v1/vector_stores/{store['id']}")

    assert done["status"] == "completed"
    assert done["file_counts"] == {"in_progress": 0, "completed": 1, "failed": 1, "cancelled": 0, "total": 2}
    failed = (await http.get(f"/v1/vector_stores/{store['id']}/files/{file['id']}")).json()
    assert failed["status"] == "failed"
    assert failed["last_error"]["code"] == code
    assert words in failed["last_error"]["message"]
    by_status = (await http.get(f"/v1/vector_stores/{store['id']}/files", params={"filter": "failed"})).json()
    assert [each["id"] for each in by_status["data"]] == [file["id"]]


async def test_a_batch_counts_lists_and_cancels(db):
    async with client_over(db) as http:  # nobody works, so all stays in progress
        ids = [(await uploaded(http, f"{i}.txt"))["id"] for i in range(3)]
        store = await made(http, "/v1/vector_stores")
        path = f"/v1/vector_stores/{store['id']}/file_batches"
        batch = await made(http, path, file_ids=ids[:2], attributes={"k": "v"})
        other = await made(http, path, file_ids=ids[2:])
        assert batch["object"] == "vector_store.files_batch"
        assert batch["id"].startswith("vsfb_")
        assert batch["status"] == "in_progress"
        assert batch["file_counts"]["in_progress"] == 2

        listed = (await http.get(f"{path}/{batch['id']}/files", params={"order": "asc"})).json()["data"]
        assert [file["id"] for file in listed] == ids[:2]
        assert listed[0]["attributes"] == {"k": "v"}
        cancelled = (await http.post(f"{path}/{batch['id']}/cancel")).json()
        assert cancelled["status"] == "cancelled"
        assert cancelled["file_counts"]["cancelled"] == 2
        assert (await http.get(f"{path}/{other['id']}")).json()["file_counts"]["in_progress"] == 1
        counts = (await http.get(f"/v1/vector_stores/{store['id']}")).json()["file_counts"]
        assert (counts["cancelled"], counts["in_progress"]) == (2, 1)
        again = (await http.post(f"{path}/{batch['id']}/cancel")).json()
        assert again == cancelled
        both = await http.post(path, json={"file_ids": ids, "files": [{"file_id": ids[0]}]})
        assert refusal(both)[2] == "files"


@pytest.fixture
async def idle(db):
    """A client of an application in which nobody works: every file stays in progress."""
    async with client_over(db) as client:
        yield client


async def batched(http, count=2):
    """A store, the ids of its files, and a batch of them all."""
    ids = [(await uploaded(http, f"{i}.txt", f"Text {i}.".encode()))["id"] for i in range(count)]
    store = f"/v1/vector_stores/{(await made(http, '/v1/vector_stores'))['id']}"
    batch = await made(http, f"{store}/file_batches", file_ids=ids)
    return store, ids, f"{store}/file_batches/{batch['id']}"


async def shown(http, batch):
    """A batch's status, the counts that are not zero, and the status of each file that it lists."""
    told = (await http.get(batch)).json()
    counts = {name: count for name, count in told["file_counts"].items() if count}
    listed = (await http.get(f"{batch}/files", params={"order": "asc"})).json()["data"]
    return told["status"], counts, [file["status"] for file in listed]


async def test_a_file_that_comes_again_leaves_a_cancelled_batch_as_it_was(idle):
    store, ids, batch = await batched(idle)
    await idle.post(f"{batch}/cancel")
    ended = await shown(idle, batch)

    again = await made(idle, f"{store}/files", file_id=ids[0])

    assert again["status"] == "in_progress"
    assert ended == ("cancelled", {"cancelled": 2, "total": 2}, ["cancelled"] * 2)
    assert await shown(idle, batch) == ended
    by_status = (await idle.get(f"{batch}/files", params={"filter": "cancelled"})).json()["data"]
    assert sorted(file["id"] for file in by_status) == sorted(ids)


async def test_cancelling_a_batch_leaves_the_files_to_the_other_batch_that_waits_for_them(idle):
    store, ids, first = await batched(idle)
    second = f"{store}/file_batches/{(await made(idle, f'{store}/file_batches', file_ids=ids))['id']}"

    await idle.post(f"{second}/cancel")

    assert await shown(idle, second) == ("cancelled", {"cancelled": 2, "total": 2}, ["cancelled"] * 2)
    assert await shown(idle, first) == ("in_progress", {"in_progress": 2, "total": 2}, ["in_progress"] * 2)
    await idle.post(f"{first}/cancel")
    assert (await shown(idle, first))[0] == "cancelled"
    assert (await idle.get(store)).json()["file_counts"]["cancelled"] == 2


async def test_a_file_that_is_searched_stays_so_when_a_batch_names_it_again_and_is_cancelled(db):
    knowledge = knowledge_over(db)
    async with client_over(db, works=True, knowledge=knowledge) as http:
        store, [id], batch = await batched(http, 1)
        before = await finished(http, f"{store}/files/{id}")
        await finished(http, batch)
    async with client_over(db, knowledge=knowledge) as idle:  # nobody works
        new = await uploaded(idle, "new.txt")
        files = [{"file_id": id, "attributes": {"k": "v"}}, {"file_id": new["id"]}]
        again = f"{store}/file_batches/{(await made(idle, f'{store}/file_batches', files=files))['id']}"
        begun = await shown(idle, again)
        await idle.post(f"{again}/cancel")

        assert begun == (
            "in_progress",
            {"in_progress": 1, "completed": 1, "total": 2},
            ["completed", "in_progress"],
        )
        assert await shown(idle, again) == (
            "cancelled",
            {"completed": 1, "cancelled": 1, "total": 2},
            ["completed", "cancelled"],
        )
        assert (await idle.get(f"{store}/files/{id}")).json() == {**before, "attributes": {"k": "v"}}
        only = {"type": "eq", "key": "k", "value": "v"}
        found = await made(idle, f"{store}/search", query="Text", filters=only)
        assert [item["file_id"] for item in found["data"]] == [id]


async def test_a_file_that_comes_again_to_be_cut_otherwise_is_cut_anew(http):
    file = await uploaded(http, "long.txt", " ".join(f"Sentence number {i}." for i in range(100)).encode())
    store = f"/v1/vector_stores/{(await made(http, '/v1/vector_stores', file_ids=[file['id']]))['id']}"
    await finished(http, store)
    sizes = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}}

    again = await made(http, f"{store}/files", file_id=file["id"], chunking_strategy=sizes)
    done = await finished(http, f"{store}/files/{file['id']}")

    assert (again["status"], done["status"]) == ("in_progress", "completed")
    assert done["chunking_strategy"] == sizes
    assert len((await http.get(f"{store}/files/{file['id']}/content")).json()["data"]) > 1


async def test_files_that_a_full_store_has_may_come_again_and_no_others(idle, monkeypatch):
    monkeypatch.setattr("assistants_api.services.vector_stores.MAX_FILES", 2)
    store, ids, _ = await batched(idle)
    other = await uploaded(idle, "other.txt")

    again = await made(idle, f"{store}/file_batches", file_ids=ids)
    refused = await idle.post(f"{store}/file_batches", json={"file_ids": [ids[0], other["id"]]})

    assert again["file_counts"]["total"] == 2
    assert refusal(refused)[:2] == (400, "A vector store holds at most 2 files.")
    assert (await idle.get(store)).json()["file_counts"]["total"] == 2


async def test_a_completed_batch_keeps_its_counts(http):
    store, ids, batch = await batched(http, 3)
    await finished(http, batch)

    await http.delete(f"{store}/files/{ids[0]}")
    await http.delete(f"/v1/files/{ids[1]}")
    again = await made(http, f"{store}/file_batches", file_ids=ids[2:])
    status, counts, listed = await shown(http, batch)

    assert (status, counts) == ("completed", {"completed": 3, "total": 3})
    assert listed == ["completed"]
    assert again["file_counts"]["total"] == 1


@pytest.mark.parametrize("path", ["{store}/files/{id}", "/v1/files/{id}"])
async def test_a_file_that_is_taken_away_unread_counts_as_cancelled(idle, path):
    store, ids, batch = await batched(idle)

    await idle.delete(path.format(store=store, id=ids[0]))
    one_left = await shown(idle, batch)
    await idle.delete(path.format(store=store, id=ids[1]))
    await made(idle, f"{store}/files", file_id=(await uploaded(idle, "other.txt"))["id"])

    assert one_left == ("in_progress", {"in_progress": 1, "cancelled": 1, "total": 2}, ["in_progress"])
    assert await shown(idle, batch) == ("completed", {"cancelled": 2, "total": 2}, [])


async def test_a_file_that_was_taken_out_still_says_where_a_list_goes_on(idle):
    store, ids, _ = await batched(idle, 3)

    async def after(id):
        listed = await idle.get(f"{store}/files", params={"after": id, "order": "asc"})
        return [file["id"] for file in listed.json()["data"]]

    await idle.delete(f"{store}/files/{ids[0]}")
    first = await after(ids[0])
    await made(idle, f"{store}/files", file_id=ids[0])
    again = await after(ids[1])
    await idle.delete(f"{store}/files/{ids[0]}")

    assert first == ids[1:]
    assert again == [ids[2], ids[0]]
    assert await after(ids[0]) == []
    other = await made(idle, "/v1/vector_stores")
    unknown = await idle.get(f"/v1/vector_stores/{other['id']}/files", params={"after": ids[0]})
    assert refusal(unknown)[0::2] == (404, "after")


async def test_deleting_a_store_keeps_its_files(http):
    store_id, ids = await planets(http)
    gone = (await http.delete(f"/v1/vector_stores/{store_id}")).json()
    assert gone == {"id": store_id, "object": "vector_store.deleted", "deleted": True}
    missing = (404, f"No vector store found with id '{store_id}'.", None, None)
    assert refusal(await http.get(f"/v1/vector_stores/{store_id}")) == missing
    for file_id in ids.values():
        assert (await http.get(f"/v1/files/{file_id}")).status_code == 200


async def test_stores_are_listed_modified_and_refused(http):
    first = await made(http, "/v1/vector_stores", name="a")
    second = await made(http, "/v1/vector_stores", name="b")
    listed = (await http.get("/v1/vector_stores", params={"limit": 1})).json()
    assert [store["id"] for store in listed["data"]] == [second["id"]]
    assert listed["has_more"]
    changed = await made(http, f"/v1/vector_stores/{first['id']}", name=None, metadata={"x": "y"})
    assert (changed["name"], changed["metadata"]) == (None, {"x": "y"})

    missing = await http.post("/v1/vector_stores", json={"file_ids": ["file-nothere"]})
    assert refusal(missing) == (404, "No such File object: file-nothere", "id", None)
    sizes = {"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 51}}
    overlap = await http.post("/v1/vector_stores", json={"chunking_strategy": sizes})
    assert refusal(overlap)[0::2] == (400, "chunking_strategy.static.chunk_overlap_tokens")
    deep = {"type": "eq", "key": "a", "value": 1}
    for _ in range(9):
        deep = {"type": "and", "filters": [deep]}
    nested = await http.post(f"/v1/vector_stores/{first['id']}/search", json={"query": "x", "filters": deep})
    assert refusal(nested)[0] == 400
    blank = await http.post(f"/v1/vector_stores/{first['id']}/search", json={"query": " "})
    assert refusal(blank)[2] == "query"


async def test_embeddings_come_as_numbers_and_as_base64(http):
    import base64
    import struct

    numbers = await made(http, "/v1/embeddings", model="text-embedding-3-small", input=["Hello", "Bye"])
    assert numbers["object"] == "list"
    assert [item["index"] for item in numbers["data"]] == [0, 1]
    assert numbers["usage"]["total_tokens"] == 2
    packed = await made(http, "/v1/embeddings", model="m", input="Hello", encoding_format="base64")
    raw = base64.b64decode(packed["data"][0]["embedding"])
    assert struct.unpack(f"<{len(raw) // 4}f", raw) == pytest.approx(
        numbers["data"][0]["embedding"], abs=1e-6
    )
    tokens = await http.post("/v1/embeddings", json={"model": "m", "input": [1, 2]})
    assert refusal(tokens)[2] == "input"
    long = await http.post("/v1/embeddings", json={"model": "m", "input": "x", "dimensions": 4000})
    assert refusal(long)[2] == "dimensions"


@pytest.mark.parametrize("url", ["/v1/embeddings", "/openai/deployments/any/embeddings?api-version=1"])
async def test_fewer_dimensions_are_the_first_ones_at_length_one(http, url):
    whole = (await made(http, "/v1/embeddings", model="m", input="Hello"))["data"][0]["embedding"]

    short = (await made(http, url, model="m", input="Hello", dimensions=200))["data"][0]["embedding"]

    length = sum(number**2 for number in whole[:200]) ** 0.5
    assert short == pytest.approx([number / length for number in whole[:200]], abs=1e-5)


async def test_a_search_takes_nulls_for_what_is_not_said(http):
    """LiteLLM sends every key of a search."""
    store_id, _ = await planets(http)
    await finished(http, f"/v1/vector_stores/{store_id}")
    nulls = dict.fromkeys(("filters", "max_num_results", "ranking_options", "rewrite_query"))

    assert (await search(http, store_id, "hottest planet", **nulls))["data"]


async def test_who_waits_for_a_file_is_told_how_long(http):
    """The Node SDK asks every five seconds unless it is told."""
    store_id, ids = await planets(http)
    url = f"/v1/vector_stores/{store_id}"
    more = await uploaded(http, "pluto.txt", b"Pluto is no planet any more.")
    batch = await http.post(f"{url}/file_batches", json={"file_ids": [more["id"]]})
    places = (f"{url}/files/{next(iter(ids.values()))}", f"{url}/file_batches/{batch.json()['id']}")
    begun = [batch, *[await http.get(place) for place in places]]

    for place in places:
        await finished(http, place)
    done = [await http.get(place) for place in places]

    for response in begun:
        told = response.headers.get("openai-poll-after-ms")
        assert told is None if response.json()["status"] != "in_progress" else int(told) < 1000
    assert batch.json()["status"] == "in_progress"
    assert all("openai-poll-after-ms" not in response.headers for response in done)
