"""Webhooks: who hears of what, signed so that the official SDK believes it, and tried again until it is taken."""

import asyncio
import base64
import json
import shutil
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from openai import InvalidWebhookSignatureError, OpenAI

from assistants_api.domain.errors import InvalidRequest
from assistants_api.domain.job import JobKind
from assistants_api.domain.prompt import Text, ToolCall
from assistants_api.domain.vector_store import NewStoreFile, NewVectorStore
from assistants_api.domain.webhook import DeliveryStatus, host_of
from assistants_api.engine.script import Wait
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.files import delete_file
from assistants_api.services.runs import RunLimits, cancel_run
from assistants_api.services.sweeping import sweep
from assistants_api.services.vector_stores import (
    cancel_file_batch,
    create_file_batch,
    create_vector_store,
    create_vector_store_file,
    delete_vector_store_file,
    get_file_batch,
    get_vector_store_file,
)
from assistants_api.worker import delivering
from assistants_api.worker.delivering import WebhookCarrier, read_secret
from assistants_api.worker.worker import Desk
from tests.conftest import until
from tests.worker.conftest import NO_BLOBS, house_over, knowledge_over
from tests.worker.test_file_search import filed

SECRET = "whsec_" + base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
TOOL = {"type": "function", "function": {"name": "get_weather", "parameters": {"type": "object"}}}


class Receiver:
    """An address on loopback: keeps what it is sent, and answers as it is told to, then with 200."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.heard: list[tuple[dict[str, str], bytes]] = []
        self.url = ""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = dict(line.split(": ", 1) for line in head.split("\r\n")[1:] if line)
        headers = {name.lower(): value for name, value in headers.items()}
        body = await reader.readexactly(int(headers["content-length"]))
        self.heard.append((headers, body))
        answer = self.answers.pop(0) if self.answers else "200 OK"
        writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    def payloads(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _, body in self.heard]

    def types(self) -> list[str]:
        return [payload["type"] for payload in self.payloads()]


class Dripper(Receiver):
    """Begins its answer as it is told to, and goes on line by line until nobody listens."""

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(self.answers[0].encode())
        with closing(writer), suppress(ConnectionError):
            while True:
                writer.write(b"x: y\r\n")
                await writer.drain()
                await asyncio.sleep(0.02)


@asynccontextmanager
async def receiving(*answers: str, by: type[Receiver] = Receiver) -> AsyncIterator[Receiver]:
    receiver = by(*answers)
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0)
    receiver.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    try:
        yield receiver
    finally:
        server.close()


@asynccontextmanager
async def house_with(db, receiver, engine=None, *, pauses=(0.0, 0.0, 0.0)):
    """A worker that delivers to `receiver`."""
    db.webhooks = (receiver.url,)
    desk = Desk(WebhookCarrier(db, read_secret(SECRET), pauses=pauses), 4)
    async with house_over(
        db, engine or ScriptedEngine([[Text("Hello.")]]), desks={JobKind.WEBHOOK: desk}
    ) as house:
        yield house


async def settled(db) -> list[Any]:
    """Every delivery, once none is pending."""

    async def read() -> list[Any]:
        async with db.read() as tx:
            result = await tx.execute(tx.deliveries._select())
            return [tx.deliveries.thing(row) for row in result]

    async def is_settled() -> bool:
        found = await read()
        return bool(found) and all(each.status is not DeliveryStatus.PENDING for each in found)

    await until(is_settled)
    return await read()


async def test_a_receiver_is_believed_by_the_certificates_that_the_environment_names(
    sqlite_db, tmp_path, monkeypatch
):
    """As upstream servers are: an organisation's own receivers have an authority of its own."""
    if (openssl := shutil.which("openssl")) is None:
        pytest.skip("needs openssl from the distribution's packages")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=hooks -addext subjectAltName=IP:127.0.0.1"
    command = [openssl, *made.split(), "-keyout", key, "-out", certificate]
    await asyncio.to_thread(subprocess.run, command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    receiver = Receiver()
    server = await asyncio.start_server(receiver.handle, "127.0.0.1", 0, ssl=context)
    receiver.url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}/hook"
    async with server, house_with(sqlite_db, receiver, pauses=()) as house:
        run = await house.start()
        await house.events(run)
        [delivery] = await settled(sqlite_db)

    assert (delivery.status, delivery.last_error) == (DeliveryStatus.DELIVERED, None)


async def test_the_trusted_certificates_are_read_once_and_not_for_every_delivery(sqlite_db, monkeypatch):
    """Reading them takes as long as many tokens, and all streams of the process would wait for it."""
    async with receiving() as receiver, house_with(sqlite_db, receiver) as house:
        made: list[object] = []
        monkeypatch.setattr("ssl.create_default_context", lambda *given, **named: made.append(given))
        run = await house.start()
        await house.events(run)
        [delivery] = await settled(sqlite_db)

    assert delivery.status is DeliveryStatus.DELIVERED
    assert made == []


async def test_the_end_of_a_run_is_told_and_the_official_sdk_believes_it(db):
    async with receiving() as receiver, house_with(db, receiver) as house:
        run = await house.start()
        await house.events(run)
        [delivery] = await settled(db)

    [(headers, body)] = receiver.heard
    event = json.loads(body)
    assert event["object"] == "event"
    assert event["id"] == headers["webhook-id"] == delivery.event_id
    assert event["type"] == "thread.run.completed"
    assert event["data"] == {
        "id": run.id,
        "object": "thread.run",
        "thread_id": run.thread_id,
        "assistant_id": run.assistant_id,
        "status": "completed",
        "metadata": {},
    }
    client = OpenAI(api_key="x", webhook_secret=SECRET)
    client.webhooks.verify_signature(body, headers)
    assert client.webhooks.unwrap(body, headers).id == event["id"]
    with pytest.raises(InvalidWebhookSignatureError):
        client.webhooks.verify_signature(body.replace(b"completed", b"cancelled"), headers)


async def test_an_action_that_is_required_and_every_other_end_are_told(db):
    call = ToolCall(id="call_a", name="get_weather", arguments="{}")
    engine = ScriptedEngine([[call], [Wait("never")]])
    async with receiving() as receiver, house_with(db, receiver, engine) as house:
        run = await house.start(tools=[TOOL])
        await house.events(run)
        await cancel_run(db, run.thread_id, run.id, datetime.now(UTC))
        late = await house.start(expiry=-1)
        await sweep(db)
        await settled(db)

    told = {(payload["type"], payload["data"]["id"]) for payload in receiver.payloads()}
    assert ("thread.run.requires_action", run.id) in told
    assert ("thread.run.cancelled", run.id) in told
    assert ("thread.run.expired", late.id) in told
    assert len(told) == 3


async def test_what_is_not_taken_is_sent_again_with_the_same_id(db):
    answers = ("500 Oops", "302 Found", "429 Slow down")
    async with receiving(*answers) as receiver, house_with(db, receiver) as house:
        await house.events(await house.start())
        [delivery] = await settled(db)

    assert delivery.status is DeliveryStatus.DELIVERED
    assert delivery.attempts == 4
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1
    assert len({body for _, body in receiver.heard}) == 1


@pytest.mark.parametrize(
    ("answers", "attempts"), [(["410 Gone"], 1), (["500 Oops"] * 9, 4)], ids=["gone", "never"]
)
async def test_it_is_given_up_at_last_and_the_reason_is_kept(db, answers, attempts):
    async with receiving(*answers) as receiver, house_with(db, receiver) as house:
        await house.events(await house.start())
        [delivery] = await settled(db)

    assert (delivery.status, delivery.attempts) == (DeliveryStatus.FAILED, attempts)
    assert delivery.last_error == f"It answered {answers[0][:3]}."
    assert len(receiver.heard) == attempts


async def test_the_head_of_an_answer_is_enough(sqlite_db):
    async with receiving("HTTP/1.1 200 OK\r\n\r\n", by=Dripper) as receiver:
        async with house_with(sqlite_db, receiver) as house:
            await house.events(await house.start())
            [delivery] = await settled(sqlite_db)

    assert (delivery.status, delivery.attempts) == (DeliveryStatus.DELIVERED, 1)


async def test_an_answer_that_never_comes_whole_is_a_failed_attempt(sqlite_db, monkeypatch):
    monkeypatch.setattr(delivering, "_TIMEOUT", 0.2)
    async with receiving("HTTP/1.1 200 OK\r\n", by=Dripper) as receiver:
        async with house_with(sqlite_db, receiver, pauses=(0.0,)) as house:
            await house.events(await house.start())
            [delivery] = await settled(sqlite_db)

    assert (delivery.status, delivery.attempts) == (DeliveryStatus.FAILED, 2)
    assert delivery.last_error == "It did not answer within 0.2 seconds."


async def test_a_pause_lets_others_work_and_survives_its_worker(db):
    """The job of a delivery that waits for its next attempt is held by nobody."""
    async with receiving("503 Later") as receiver:
        async with house_with(db, receiver, pauses=(3600.0,)) as house:
            await house.events(await house.start())
            await until(lambda: len(receiver.heard) == 1)

            async def waits() -> bool:
                async with db.read() as tx:
                    jobs = [job for job in await all_jobs(tx) if job.kind == JobKind.WEBHOOK]
                return bool(jobs) and jobs[0].owner is None and jobs[0].lease_until is not None

            await until(waits)
        async with db.begin() as tx:
            assert await tx.jobs.claim("w", JobKind.WEBHOOK, 5) == []
            [job] = [job for job in await all_jobs(tx) if job.kind == JobKind.WEBHOOK]
            ahead = (job.lease_until - await tx.now()).total_seconds()

        assert (job.attempt, job.is_done) == (0, False)
        assert 3500 < ahead <= 3600


async def all_jobs(tx) -> list[Any]:
    return [tx.jobs.thing(row) for row in await tx.execute(tx.jobs._select())]


async def test_a_delivery_whose_workers_die_is_given_up(db):
    async with db.begin() as tx:
        tx.webhooks = ("http://127.0.0.1:9/hook",)
        await tx.deliveries.announce("thread.run.completed", {"id": "run_a"})
    for attempt in range(3):
        async with db.begin() as tx:
            [_] = await tx.jobs.claim(f"w{attempt}", JobKind.WEBHOOK, 5, -1)
    await sweep(db)

    [delivery] = await settled(db)
    assert delivery.status is DeliveryStatus.FAILED
    assert "3 workers" in delivery.last_error


async def test_files_and_batches_that_end_are_told(db):
    async with receiving() as receiver:
        db.webhooks = (receiver.url,)
        desk = Desk(WebhookCarrier(db, read_secret(SECRET)), 4)
        knowledge = knowledge_over(db)
        async with house_over(db, ScriptedEngine(), knowledge=knowledge, desks={JobKind.WEBHOOK: desk}):
            good = await filed(db, knowledge, "good.txt", "The sky is blue.")
            empty = await filed(db, knowledge, "empty.txt", "")
            now = datetime.now(UTC)
            store = (await create_vector_store(db, NewVectorStore(), now)).store
            new = [NewStoreFile(good.id), NewStoreFile(empty.id)]
            batch = (await create_file_batch(db, store.id, new, now)).batch
            await until(lambda: len(receiver.heard) == 3)
            await settled(db)

    told = {payload["type"]: payload["data"] for payload in receiver.payloads()}
    assert told["vector_store.file.completed"]["id"] == good.id
    assert told["vector_store.file.failed"]["id"] == empty.id
    assert told["vector_store.file.failed"]["last_error"]["message"]
    assert told["vector_store.file_batch.completed"] == {
        "id": batch.id,
        "object": "vector_store.file_batch",
        "vector_store_id": store.id,
        "file_counts": {"in_progress": 0, "completed": 1, "failed": 1, "cancelled": 0, "total": 2},
    }


async def test_a_batch_that_is_cancelled_is_told(db):
    db.webhooks = ("http://127.0.0.1:9/hook",)
    knowledge = knowledge_over(db)
    file = await filed(db, knowledge, "good.txt", "The sky is blue.")
    now = datetime.now(UTC)
    store = (await create_vector_store(db, NewVectorStore(), now)).store
    batch = (await create_file_batch(db, store.id, [NewStoreFile(file.id)], now)).batch
    await cancel_file_batch(db, store.id, batch.id)

    async with db.read() as tx:
        rows = await tx.execute(tx.deliveries._select())
        types = [tx.deliveries.thing(row).type for row in rows]
    assert types == ["vector_store.file_batch.cancelled"]


async def test_the_end_of_a_batch_is_told_once(db):
    """Also when its last file is taken away, and when a file of it comes again afterwards."""
    db.webhooks = ("http://127.0.0.1:9/hook",)
    knowledge = knowledge_over(db)
    now = datetime.now(UTC)
    files = [await filed(db, knowledge, f"{name}.txt", "The sky is blue.") for name in "abc"]
    new = [NewStoreFile(file.id) for file in files]
    store = (await create_vector_store(db, NewVectorStore(), now)).store
    batch = (await create_file_batch(db, store.id, new, now)).batch
    again = (await create_file_batch(db, store.id, new[2:], now)).batch
    await delete_vector_store_file(db, store.id, files[0].id)
    await delete_file(db, NO_BLOBS, files[1].id)
    await cancel_file_batch(db, store.id, again.id)
    async with house_over(db, ScriptedEngine(), knowledge=knowledge):

        async def is_indexed():
            return (await get_file_batch(db, store.id, batch.id)).status == "completed"

        await until(is_indexed)
        await create_vector_store_file(db, store.id, new[2], now)

        async def is_indexed_again():
            place = await get_vector_store_file(db, store.id, files[2].id)
            return place.status == "completed"

        await until(is_indexed_again)

    async with db.read() as tx:
        rows = await tx.execute(tx.deliveries._select())
        told = [(each.type, each.data) for each in map(tx.deliveries.thing, rows)]
    of_batches = [(type_, data["id"], data["file_counts"]) for type_, data in told if "batch" in type_]
    none = {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0}
    assert of_batches == [
        ("vector_store.file_batch.cancelled", again.id, {**none, "cancelled": 1, "total": 1}),
        ("vector_store.file_batch.completed", batch.id, {**none, "completed": 1, "cancelled": 2, "total": 3}),
    ]
    assert [type_ for type_, _ in told].count("vector_store.file.completed") == 2


async def test_a_batch_of_a_file_that_the_store_has_is_told_at_once(db):
    db.webhooks = ("http://127.0.0.1:9/hook",)
    knowledge = knowledge_over(db)
    now = datetime.now(UTC)
    new = [NewStoreFile((await filed(db, knowledge)).id)]
    store = (await create_vector_store(db, NewVectorStore(files=tuple(new)), now)).store
    async with house_over(db, ScriptedEngine(), knowledge=knowledge):

        async def is_indexed():
            return (await get_vector_store_file(db, store.id, new[0].file_id)).status == "completed"

        await until(is_indexed)
    batch = await create_file_batch(db, store.id, new, now)

    async with db.read() as tx:
        rows = await tx.execute(tx.deliveries._select())
        told = [(each.type, each.data["id"]) for each in map(tx.deliveries.thing, rows)]
    assert batch.status == "completed"
    assert told == [
        ("vector_store.file.completed", new[0].file_id),
        ("vector_store.file.completed", new[0].file_id),
        ("vector_store.file_batch.completed", batch.batch.id),
    ]


async def test_a_run_may_name_an_address_of_its_own_where_the_host_is_allowed(db):
    async with receiving() as receiver, house_with(db, receiver) as house:
        db.webhooks = ()
        limits = RunLimits(webhook_hosts=frozenset({host_of(receiver.url)}))
        run = await house.start(limits=limits, webhook_url=receiver.url)
        await house.events(run)
        await settled(db)

        assert receiver.types() == ["thread.run.completed"]
        with pytest.raises(InvalidRequest) as refused:
            await house.start(limits=limits, webhook_url="http://169.254.169.254/latest")
        assert refused.value.param == "webhook_url"


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://hooks.example.com/a", "hooks.example.com"),
        ("https://HOOKS.example.com:8443/a", "hooks.example.com:8443"),
        ("https://allowed.example.com@evil.example.com/", None),
        ("file:///etc/passwd", None),
        ("http://[::1", None),
        ("https://", None),
    ],
)
def test_hosts_of_addresses(url, host):
    assert host_of(url) == host


@pytest.mark.parametrize("secret", ["", "abc", "whsec_", "whsec_!!!", "whsec_" + "QUJD"])
def test_a_secret_that_is_none_is_refused(secret):
    with pytest.raises(ValueError, match="it must"):
        read_secret(secret)


async def test_without_addresses_nothing_is_written(db):
    async with house_over(db, ScriptedEngine([[Text("Hello.")]])) as house:
        await house.events(await house.start())
    async with db.read() as tx:
        assert (await tx.execute(tx.deliveries._select())).all() == []
