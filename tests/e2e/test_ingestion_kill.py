"""A server that is killed while it indexes files: nothing is stranded, nothing is lost, counts agree."""

import asyncio

import httpx

from tests.conformance.serving import Served, serving
from tests.conftest import until

FILES = 50


async def _uploaded(http: httpx.AsyncClient, number: int) -> str:
    name, text = f"{number}.txt", f"Note {number}. " + "The zebra crosses. " * 400
    if number % 10 == 9:
        name, text = f"{number}.pdf", "%PDF-1.7 nonsense"
    form = {"files": {"file": (name, text.encode())}, "data": {"purpose": "assistants"}}
    response = await http.post("/files", **form)
    assert response.status_code == 200, response.text
    return str(response.json()["id"])


async def _counts(http: httpx.AsyncClient, path: str) -> dict[str, int]:
    counts: dict[str, int] = (await http.get(path)).json()["file_counts"]
    return counts


async def test_files_that_were_being_indexed_when_the_server_was_killed_are_finished(tmp_path):
    with serving(tmp_path, [["Hello."]]) as served:
        again: Served | None = None
        try:
            async with httpx.AsyncClient(base_url=served.base_url, timeout=60) as http:
                ids = await asyncio.gather(*(_uploaded(http, number) for number in range(FILES)))
                store = (await http.post("/vector_stores")).json()["id"]
                body = {"file_ids": list(ids)}
                batch = (await http.post(f"/vector_stores/{store}/file_batches", json=body)).json()["id"]
                path = f"/vector_stores/{store}/file_batches/{batch}"

                async def is_under_way():
                    return (await _counts(http, path))["completed"] >= 3

                await until(is_under_way, seconds=60)
                before = await _counts(http, path)
                served.kill()
            assert before["in_progress"] > 0, "the kill came too late to prove anything"
            again = served.again()
            again.ready()
            async with httpx.AsyncClient(base_url=again.base_url, timeout=60) as http:

                async def is_over():
                    return (await _counts(http, path))["in_progress"] == 0

                await until(is_over, seconds=60)
                counts = await _counts(http, path)
                assert counts == {
                    "in_progress": 0,
                    "completed": 45,
                    "failed": 5,
                    "cancelled": 0,
                    "total": FILES,
                }
                assert (await _counts(http, f"/vector_stores/{store}")) == counts
                listed = (await http.get(f"/vector_stores/{store}/files", params={"limit": 100})).json()[
                    "data"
                ]
                assert {file["id"] for file in listed} == set(ids)
                for file in listed:
                    reason = (file["last_error"] or {}).get("code")
                    assert (file["status"], reason) in {("completed", None), ("failed", "invalid_file")}
                for number in (0, 27, 48):
                    wanted = {"query": f"Note {number}", "max_num_results": 3}
                    found = (await http.post(f"/vector_stores/{store}/search", json=wanted)).json()["data"]
                    assert f"{number}.txt" in {item["filename"] for item in found}
        finally:
            if again is not None:
                again.stop()
