"""Files and uploads over HTTP."""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from assistants_api.services.sweeping import expire_files, forget_old
from assistants_api.services.uploads import expire_upload
from tests.api.conftest import client_over, made, refusal
from tests.worker.conftest import knowledge_over


@pytest.fixture
def blobs(tmp_path):
    """The folder of the blobs."""
    return tmp_path / "blobs"


def kept_in(folder):
    """Every file below a folder."""
    return [path for path in folder.rglob("*") if path.is_file()]


async def upload(http, name="notes.txt", content=b"Hello.", purpose="assistants", **fields):
    """What an upload answers."""
    return await http.post("/v1/files", files={"file": (name, content)}, data={"purpose": purpose, **fields})


async def uploaded(http, name="notes.txt", content=b"Hello.", **given):
    """The file that an upload made."""
    response = await upload(http, name, content, **given)
    assert response.status_code == 200, response.text
    return response.json()


async def test_a_file_comes_back_byte_for_byte(http):
    content = bytes(range(256)) * 9000
    file = await uploaded(http, "数据 x.bin", content)

    assert file == {
        "id": file["id"],
        "object": "file",
        "bytes": len(content),
        "created_at": file["created_at"],
        "expires_at": None,
        "filename": "数据 x.bin",
        "purpose": "assistants",
        "status": "processed",
        "status_details": None,
    }
    assert file["id"].startswith("file-")
    assert (await http.get(f"/v1/files/{file['id']}")).json() == file
    response = await http.get(f"/v1/files/{file['id']}/content")
    assert response.content == content
    assert response.headers["content-type"] == "application/octet-stream"
    assert response.headers["content-disposition"].startswith("attachment; filename")


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\plan.doc", "plan.doc"),
        ("..", "file"),
        ("a\r\nb.txt", "ab.txt"),
        ("报告\u30002024.txt", "报告\u30002024.txt"),
        ("Screenshot 1.00.00\u202fPM.txt", "Screenshot 1.00.00\u202fPM.txt"),
        ("a\u00a0b.txt", "a\u00a0b.txt"),
        ("👩\u200d💻.md", "👩\u200d💻.md"),
        ("cod\u202efdp.exe", "codfdp.exe"),
    ],
)
async def test_names_are_data_never_paths(sqlite_db, tmp_path, blobs, given, kept):
    from assistants_api.domain.file import plain_name

    assert plain_name(given) == kept
    async with client_over(sqlite_db, knowledge=knowledge_over(sqlite_db, blobs)) as http:
        file = await uploaded(http, given.replace("\r\n", ""), b"x")
        assert (await http.get(f"/v1/files/{file['id']}/content")).content == b"x"
    assert len(kept_in(blobs)) == 1
    assert not [path for path in tmp_path.rglob("*") if kept in path.name]


async def test_fields_may_come_in_any_order_and_expiry_is_bracketed(http):
    parts = [
        ("expires_after[seconds]", (None, "3600")),
        ("file", ("a.txt", b"x")),
        ("expires_after[anchor]", (None, "created_at")),
        ("purpose", (None, "user_data")),
    ]
    file = (await http.post("/v1/files", files=parts)).json()

    assert file["expires_at"] == file["created_at"] + 3600


async def test_expiry_may_be_one_part_of_json_as_generated_clients_send_it(http):
    expiry = '{"anchor": "created_at", "seconds": 3600}'
    parts = [
        ("file", ("a.txt", b"x")),
        ("purpose", (None, "user_data")),
        ("expires_after", ("blob", expiry, "application/json")),
    ]
    file = (await http.post("/v1/files", files=parts)).json()
    parts[2] = ("expires_after", (None, "null"))
    kept = (await http.post("/v1/files", files=parts)).json()

    assert file["expires_at"] == file["created_at"] + 3600
    assert kept["expires_at"] is None


async def test_a_batch_file_expires_after_thirty_days(http):
    file = await uploaded(http, purpose="batch")
    assert file["expires_at"] == file["created_at"] + 30 * 24 * 3600


@pytest.mark.parametrize(
    ("parts", "message", "param", "code"),
    [
        (
            [("purpose", (None, "assistants"))],
            "Missing required parameter: 'file'.",
            "file",
            "missing_required_parameter",
        ),
        (
            [("file", ("a", b"x"))],
            "Missing required parameter: 'purpose'.",
            "purpose",
            "missing_required_parameter",
        ),
        (
            [("file", ("a", b"x")), ("purpose", (None, "fun"))],
            "Invalid value: 'fun'. Supported values are: 'assistants', 'batch', 'fine-tune', 'vision', 'user_data', and 'evals'.",
            "purpose",
            "invalid_value",
        ),
        (
            [("file", ("a", b"x")), ("purpose", (None, "vision")), ("color", (None, "red"))],
            "Unknown parameter: 'color'.",
            "color",
            "unknown_parameter",
        ),
        (
            [("file", ("a", b"x")), ("file", ("b", b"y")), ("purpose", (None, "vision"))],
            "The form gives 'file' twice.",
            "file",
            "invalid_value",
        ),
        (
            [
                ("file", ("a", b"x")),
                ("purpose", (None, "vision")),
                ("expires_after[anchor]", (None, "created_at")),
                ("expires_after[seconds]", (None, "soon")),
            ],
            "Invalid type for 'expires_after.seconds': expected an integer, but got a string instead.",
            "expires_after.seconds",
            "invalid_type",
        ),
        (
            [
                ("file", ("a", b"x")),
                ("purpose", (None, "vision")),
                ("expires_after", (None, '{"anchor": "created_at"}')),
            ],
            "Missing required parameter: 'expires_after.seconds'.",
            "expires_after.seconds",
            "missing_required_parameter",
        ),
        (
            [
                ("file", ("a", b"x")),
                ("purpose", (None, "vision")),
                ("expires_after", (None, "[" * 20_000)),
            ],
            "Invalid type for 'expires_after': expected an object, but got a string instead.",
            "expires_after",
            "invalid_type",
        ),
        (
            [
                ("file", ("a", b"x")),
                ("purpose", (None, "vision")),
                ("expires_after", (None, '{"anchor": "created_at", "seconds": 3600}')),
                ("expires_after[seconds]", (None, "3600")),
            ],
            "The form gives 'expires_after' twice.",
            "expires_after",
            "invalid_value",
        ),
    ],
)
async def test_a_bad_form_is_refused_by_name_and_leaves_no_bytes(
    sqlite_db, blobs, parts, message, param, code
):
    async with client_over(sqlite_db, knowledge=knowledge_over(sqlite_db, blobs)) as http:
        response = await http.post("/v1/files", files=parts)

        assert refusal(response) == (400, message, param, code)
        assert (await http.get("/v1/files")).json()["data"] == []
    assert kept_in(blobs) == []


async def test_broken_forms_are_refused(http):
    kind = {"content-type": "multipart/form-data; boundary=x"}
    for body in (b"", b"--x\r\n", b"nonsense", b"--x\r\nContent-Disposition: form-data; name=a\r\n\r\nv"):
        assert refusal(await http.post("/v1/files", content=body, headers=kind))[0] == 400
    status, message, *_ = refusal(await http.post("/v1/files", json={"purpose": "assistants"}))
    assert (status, message) == (400, "This operation takes a multipart/form-data body.")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ('filename="plain.txt"', "plain.txt"),
        ('filename="数据.txt"', "数据.txt"),
        ('filename="quo%22te.txt"', 'quo"te.txt'),  # browsers, curl, httpx, requests
        ('filename="100%.txt"', "100%.txt"),
        (
            "filename=\"=?utf-8?B?5Lit5paHLnR4dA==?=\"; filename*=utf-8''%E4%B8%AD%E6%96%87.txt",
            "中文.txt",
        ),  # .NET
        ("filename*=UTF-8''%E4%B8%AD%E6%96%87.txt", "中文.txt"),
        ('filename="=?utf-8?B?5Lit5paHLnR4dA==?="', "中文.txt"),
        ("filename*=nonsense''%FF.txt; filename=\"kept.txt\"", "kept.txt"),
    ],
)
async def test_file_names_are_read_as_clients_write_them(http, given, name):
    disposition = f'form-data; name="file"; {given}'
    body = (
        '--x\r\ncontent-disposition: form-data; name="purpose"\r\n\r\nassistants\r\n'
        f"--x\r\ncontent-disposition: {disposition}\r\n\r\nwords\r\n--x--\r\n"
    )

    response = await http.post(
        "/v1/files", content=body.encode(), headers={"content-type": "multipart/form-data; boundary=x"}
    )

    assert response.json()["filename"] == name


async def test_a_file_that_is_too_large_is_refused_while_it_comes(sqlite_db, blobs, monkeypatch):
    monkeypatch.setattr("assistants_api.api.files.MAX_FILE_BYTES", 1000)
    async with client_over(sqlite_db, knowledge=knowledge_over(sqlite_db, blobs)) as http:
        response = await upload(http, content=b"x" * 1001)
        assert refusal(response) == (400, "The file is larger than 1000 bytes.", "file", "file_too_large")
        assert (await upload(http, content=b"x" * 1000)).status_code == 200
    assert len(kept_in(blobs)) == 1


async def test_files_are_listed_by_page_and_purpose(http):
    ids = [(await uploaded(http, f"{i}.txt"))["id"] for i in range(3)]
    other = (await uploaded(http, purpose="vision"))["id"]

    everything = (await http.get("/v1/files")).json()
    assert [file["id"] for file in everything["data"]] == [other, *ids[::-1]]
    some = (await http.get("/v1/files", params={"purpose": "assistants", "order": "asc", "limit": 2})).json()
    assert [file["id"] for file in some["data"]] == ids[:2]
    assert some["has_more"]
    rest = (
        await http.get("/v1/files", params={"purpose": "assistants", "order": "asc", "after": ids[1]})
    ).json()
    assert [file["id"] for file in rest["data"]] == ids[2:]


async def test_a_deleted_file_is_gone_from_everywhere(sqlite_db, blobs):
    async with client_over(sqlite_db, knowledge=knowledge_over(sqlite_db, blobs)) as http:
        file = await uploaded(http)
        kept = await uploaded(http, "kept.txt")
        store = await made(http, "/v1/vector_stores", file_ids=[file["id"], kept["id"]])
        resources = {"code_interpreter": {"file_ids": [file["id"], kept["id"]]}}
        assistant = await made(http, "/v1/assistants", model="m", tool_resources=resources)
        thread = await made(http, "/v1/threads", tool_resources=resources)

        gone = await http.delete(f"/v1/files/{file['id']}")

        assert gone.json() == {"id": file["id"], "object": "file", "deleted": True}
        missing = (404, f"No such File object: {file['id']}", "id", None)
        assert refusal(await http.get(f"/v1/files/{file['id']}")) == missing
        assert refusal(await http.get(f"/v1/files/{file['id']}/content")) == missing
        assert refusal(await http.delete(f"/v1/files/{file['id']}")) == missing
        files = (await http.get(f"/v1/vector_stores/{store['id']}/files")).json()["data"]
        assert [each["id"] for each in files] == [kept["id"]]
        for path in (f"/v1/assistants/{assistant['id']}", f"/v1/threads/{thread['id']}"):
            shown = (await http.get(path)).json()["tool_resources"]
            assert shown["code_interpreter"]["file_ids"] == [kept["id"]]
    assert len(kept_in(blobs)) == 1


async def test_an_expired_file_goes_by_itself(sqlite_db, blobs):
    knowledge = knowledge_over(sqlite_db, blobs)
    async with client_over(sqlite_db, knowledge=knowledge) as http:
        parts = {"expires_after[anchor]": "created_at", "expires_after[seconds]": "3600"}
        file = await uploaded(http, **parts)
        await expire_files(sqlite_db, knowledge.blobs)
        assert (await http.get(f"/v1/files/{file['id']}")).status_code == 200
        async with sqlite_db.begin() as tx:
            from dataclasses import replace

            stored = await tx.files.get(file["id"])
            await tx.files.save(replace(stored, expires_at=datetime.now(UTC) - timedelta(seconds=1)))

        await expire_files(sqlite_db, knowledge.blobs)

        assert (await http.get(f"/v1/files/{file['id']}")).status_code == 404
    assert kept_in(blobs) == []


async def test_bytes_that_no_file_names_are_swept_once_they_are_old(sqlite_db, blobs, monkeypatch):
    knowledge = knowledge_over(sqlite_db, blobs)

    async def pieces():
        yield b"left behind"

    orphan = await knowledge.blobs.write(pieces())
    async with client_over(sqlite_db, knowledge=knowledge) as http:
        file = await uploaded(http)
        await forget_old(sqlite_db, knowledge.blobs)
        assert b"".join([piece async for piece in knowledge.blobs.read(orphan)]) == b"left behind"

        monkeypatch.setattr("assistants_api.services.sweeping._ORPHAN_SECONDS", -1.0)
        await forget_old(sqlite_db, knowledge.blobs)

        with pytest.raises(FileNotFoundError):
            [piece async for piece in knowledge.blobs.read(orphan)]
        assert (await http.get(f"/v1/files/{file['id']}/content")).content == b"Hello."


async def started(http, total, **given):
    return await made(
        http,
        "/v1/uploads",
        filename="big.txt",
        purpose="assistants",
        bytes=total,
        mime_type="text/plain",
        **given,
    )


async def part(http, upload_id, data):
    response = await http.post(f"/v1/uploads/{upload_id}/parts", files={"data": ("blob", data)})
    assert response.status_code == 200, response.text
    return response.json()


async def test_an_upload_is_put_together_in_the_order_of_its_completion(sqlite_db, blobs):
    async with client_over(sqlite_db, knowledge=knowledge_over(sqlite_db, blobs)) as http:
        upload = await started(http, 9)
        assert upload["object"] == "upload"
        assert upload["status"] == "pending"
        assert upload["file"] is None
        assert upload["expires_at"] == upload["created_at"] + 3600
        b, a = await asyncio.gather(part(http, upload["id"], b"world"), part(http, upload["id"], b"big "))
        assert a["object"] == "upload.part"
        assert a["upload_id"] == upload["id"]

        done = await made(
            http,
            f"/v1/uploads/{upload['id']}/complete",
            part_ids=[a["id"], b["id"]],
            md5=hashlib.md5(b"big world").hexdigest(),
        )

        assert done["status"] == "completed"
        assert done["file"]["bytes"] == 9
        content = await http.get(f"/v1/files/{done['file']['id']}/content")
        assert content.content == b"big world"
        late = await http.post(f"/v1/uploads/{upload['id']}/parts", files={"data": ("x", b"x")})
        assert refusal(late)[0] == 400
        assert "completed" in refusal(late)[1]
    assert len(kept_in(blobs)) == 1


@pytest.mark.parametrize(
    ("total", "md5", "parts", "param"),
    [(5, None, 1, "part_ids"), (4, "0" * 32, 1, "md5"), (8, None, 2, "part_ids")],
)
async def test_an_upload_that_does_not_agree_is_refused_and_stays(http, total, md5, parts, param):
    upload = await started(http, total)
    one = await part(http, upload["id"], b"abcd")

    body = {"part_ids": [one["id"]] * parts, **({"md5": md5} if md5 else {})}
    refused = await http.post(f"/v1/uploads/{upload['id']}/complete", json=body)

    assert refusal(refused)[0] == 400
    assert refusal(refused)[2] == param
    if total == 4:
        done = await made(http, f"/v1/uploads/{upload['id']}/complete", part_ids=[one["id"]])
        assert done["status"] == "completed"


async def test_a_cancelled_or_expired_upload_takes_nothing_more(sqlite_db, blobs):
    knowledge = knowledge_over(sqlite_db, blobs)
    async with client_over(sqlite_db, knowledge=knowledge) as http:
        cancelled, expired = await started(http, 1), await started(http, 1)
        await part(http, cancelled["id"], b"x")
        await part(http, expired["id"], b"x")
        assert (await http.post(f"/v1/uploads/{cancelled['id']}/cancel")).json()["status"] == "cancelled"
        async with sqlite_db.begin() as tx:
            from dataclasses import replace

            stored = await tx.uploads.get(expired["id"])
            await tx.uploads.save(replace(stored, expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        await expire_files(sqlite_db, knowledge.blobs)

        for upload, word in ((cancelled, "cancelled"), (expired, "expired")):
            late = await http.post(f"/v1/uploads/{upload['id']}/parts", files={"data": ("x", b"x")})
            assert refusal(late)[1] == f"Upload '{upload['id']}' is {word} and takes no more changes."
    assert kept_in(blobs) == []


@pytest.mark.parametrize("end", ["complete", "cancel"])
async def test_a_sweep_that_comes_late_leaves_an_upload_as_it_ended(sqlite_db, end):
    """It saw the upload pending, just before its caller ended it."""
    knowledge = knowledge_over(sqlite_db)
    async with client_over(sqlite_db, knowledge=knowledge) as http:
        upload = await started(http, 1)
        body = {"part_ids": [(await part(http, upload["id"], b"x"))["id"]]} if end == "complete" else {}
        ended = (await http.post(f"/v1/uploads/{upload['id']}/{end}", json=body)).json()

        await expire_upload(sqlite_db, knowledge.blobs, upload["id"], datetime.now(UTC) + timedelta(hours=1))

        async with sqlite_db.read() as tx:
            stored = await tx.uploads.get(upload["id"])
        assert stored.status == ended["status"]
        assert stored.file_id == (ended["file"]["id"] if end == "complete" else None)
