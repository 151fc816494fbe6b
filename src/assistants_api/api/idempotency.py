"""`Idempotency-Key`: a POST that is sent again has the effect, and the answer, of the first time.

After the IETF's draft of that header: the same key with another request is 422, with one that is still being
answered 409. The answer is kept in the same transaction as the effect, so that no crash can part them. Where
an answer takes a model, or many bytes, the key is claimed first and the answer kept after it: there a process
that dies in between leaves the key taken for fifteen minutes.
"""

import hashlib
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from fastapi import Request, Response
from starlette.types import Message

from assistants_api.api.auth import secret_of
from assistants_api.api.given import parts_of, read_bytes
from assistants_api.api.parts import Parts
from assistants_api.api.replies import RunStream, run_stream
from assistants_api.domain.errors import InvalidRequest, KeyInUse, KeyReused
from assistants_api.domain.secret import digest
from assistants_api.store.joined import JoinedDatabase
from assistants_api.store.replies import KeptReply

Handle = Callable[[Request], Awaitable[Response]]

LONGEST = 255
_CHANGES_NOTHING = frozenset({"searchVectorStore", "createEmbedding"})
_WAITS = frozenset({"createChatCompletion", "assist"})
_MOVES_BYTES = frozenset({"completeUpload", "cancelUpload"})
_WAITING_MODES = frozenset({"wait", "interrupt", "rollback"})
REPLAYED = "idempotent-replayed"


async def once(request: Request, key: str, operation: str, handle: Handle) -> Response:
    """The response of `handle`, or the one kept for `key`."""
    if not 0 < len(key) <= LONGEST or not key.isascii() or not key.isprintable():
        raise InvalidRequest(
            f"Invalid 'Idempotency-Key': 1 to {LONGEST} visible ASCII characters are expected.",
            param="Idempotency-Key",
            code="invalid_value",
        )
    if operation in _CHANGES_NOTHING:
        return await handle(request)
    parts = await parts_of(request)
    is_form = request.headers.get("content-type", "").startswith("multipart/")
    if is_form:  # too large to be held: told apart by its length
        body = request.headers.get("content-length", "").encode()
    else:
        body = await read_bytes(request)
        request = _again(request, body)
    secret = secret_of(dict(request.scope["headers"]))
    async with parts.db.read() as tx:
        now = await tx.now()
    what = f"{request.url.path}?{request.url.query}\n".encode() + body
    claim = KeptReply(digest(secret) if secret else "", key, hashlib.sha256(what).hexdigest(), now)
    if is_form or operation in _WAITS | _MOVES_BYTES or _waits_for_thread(operation, body):
        return await _claimed(request, parts, claim, body, operation, handle)
    async with parts.db.begin() as tx:
        kept = await tx.replies.claim(claim)
        if kept is None:
            request.scope["parts"] = replace(parts, db=JoinedDatabase(parts.db, tx))
            try:
                response = await handle(request)
            finally:
                del request.scope["parts"]
            await tx.replies.keep(_kept(claim, response))
    return response if kept is None else _replayed(parts, claim, kept)


async def _claimed(
    request: Request, parts: Parts, claim: KeptReply, body: bytes, operation: str, handle: Handle
) -> Response:
    if operation in _WAITS and _field(body, "stream") is True:
        raise InvalidRequest(
            "An 'Idempotency-Key' cannot go with 'stream' here: this stream is not kept."
            " The streams of runs on threads are.",
            param="stream",
            code="unsupported_parameter",
        )
    async with parts.db.begin() as tx:
        kept = await tx.replies.claim(claim)
    if kept is not None:
        return _replayed(parts, claim, kept)
    try:
        response = await handle(request)
    except BaseException:
        async with parts.db.begin() as tx:
            await tx.replies.drop(claim.owner, claim.key)
        raise
    async with parts.db.begin() as tx:
        if response.status_code >= 400:  # nobody was there to read an answer, so there is none
            await tx.replies.drop(claim.owner, claim.key)
        else:
            await tx.replies.keep(_kept(claim, response))
    return response


def _field(body: bytes, name: str) -> Any:
    try:
        value = json.loads(body)
    except ValueError:
        return None
    return value.get(name) if isinstance(value, dict) else None


def _waits_for_thread(operation: str, body: bytes) -> bool:
    """Whether the request may wait for another run: no transaction is held open for so long."""
    return operation == "createRun" and _field(body, "if_busy") in _WAITING_MODES


def _kept(claim: KeptReply, response: Response) -> KeptReply:
    if isinstance(response, RunStream):
        return replace(claim, status=response.status_code, run_id=response.run_id, after=response.after)
    return replace(claim, status=response.status_code, body=bytes(response.body).decode())


def _replayed(parts: Parts, claim: KeptReply, kept: KeptReply) -> Response:
    if kept.fingerprint != claim.fingerprint:
        raise KeyReused(
            "This 'Idempotency-Key' was used for another request:"
            " a key stands for one request, body included.",
            param="Idempotency-Key",
            code="idempotency_key_reused",
        )
    if kept.status is None:
        raise KeyInUse(
            "The first request with this 'Idempotency-Key' is still being answered. Try again in a moment.",
            param="Idempotency-Key",
            code="idempotency_key_in_use",
        )
    if kept.run_id is not None:
        response = run_stream(parts.log, kept.run_id, kept.after or 0)
    else:
        response = Response(kept.body, kept.status, media_type="application/json")
    response.headers[REPLAYED] = "true"
    return response


def _again(request: Request, body: bytes) -> Request:
    """The request with its body still to be read."""
    is_read = False

    async def receive() -> Message:
        nonlocal is_read
        if is_read:
            return await request.receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return Request(request.scope, receive)
