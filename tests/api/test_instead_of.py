"""`instead_of[]`: a run in the place of the newest messages of its thread, as a page's Retry asks for it."""

import pytest

from assistants_api.domain.prompt import Text
from assistants_api.engine.script import Turn
from assistants_api.engine.scripted import ScriptedEngine
from assistants_api.services.runs import RunLimits
from tests.api.conftest import client_over, made, refusal


class Asked:
    """A thread whose question was answered once, "first!"."""

    def __init__(self, http, assistant, thread):
        self.http, self.assistant, self.path = http, assistant["id"], f"/v1/threads/{thread['id']}"

    async def start(self, instead_of=(), **fields):
        return await self.http.post(
            f"{self.path}/runs",
            params=[("instead_of[]", id) for id in instead_of],
            json={"assistant_id": self.assistant, **fields},
        )

    async def ended(self, response):
        assert response.status_code == 200, response.text
        run = await self.http.get(f"{self.path}/runs/{response.json()['id']}", params={"wait": 30})
        return run.json()

    async def messages(self):
        listed = await self.http.get(f"{self.path}/messages", params={"order": "asc"})
        return [(each["id"], each["content"][0]["text"]["value"]) for each in listed.json()["data"]]

    async def said(self):
        return [text for _, text in await self.messages()]


async def asked(http):
    assistant = await made(http, "/v1/assistants", model="gpt-4o")
    thread = await made(http, "/v1/threads", messages=[{"role": "user", "content": "question"}])
    chat = Asked(http, assistant, thread)
    assert (await chat.ended(await chat.start()))["status"] == "completed"
    return chat


def engine_of(*words):
    return ScriptedEngine([Turn((Text(f"{word}!"),)) for word in words])


async def test_a_new_answer_takes_the_place_of_the_old_one(db):
    async with client_over(db, engine_of("first", "second"), works=True) as http:
        chat = await asked(http)
        (_, _), (answer, _) = await chat.messages()

        run = await chat.ended(await chat.start([answer]))

        assert await chat.said() == ["question", "second!"]
        trace = (await http.get(f"{chat.path}/runs/{run['id']}/trace")).json()
        assert "first!" not in str(trace["turns"][0]["messages"])


async def test_an_answer_stays_where_the_run_in_its_place_is_refused(db):
    async with client_over(db, engine_of("first"), works=True, limits=RunLimits(max_waiting=1)) as http:
        chat = await asked(http)
        (_, _), (answer, _) = await chat.messages()
        before = await chat.messages()

        refused = [
            await chat.start([answer], assistant_id="asst_none"),
            await chat.start([answer], tools=[{"type": "code_interpreter"}]),
            await chat.start([answer], additional_messages=[{"role": "user", "content": "x" * 256_001}]),
        ]

        assert [response.status_code for response in refused] == [404, 400, 400]
        assert await chat.messages() == before


async def test_only_the_newest_messages_of_a_thread_have_a_place_to_take(db):
    async with client_over(db, engine_of("first", "second"), works=True) as http:
        chat = await asked(http)
        (question, _), (answer, _) = await chat.messages()
        elsewhere = await asked(http)
        await made(http, f"{chat.path}/messages", role="user", content="another")
        before = await chat.messages()

        for ids in ([answer], [question, answer], [answer, answer], ["msg_none"], ["question"] * 101):
            status, _, param, code = refusal(await chat.start(ids))
            assert (status, param, code) == (400, "instead_of[]", "invalid_value")
        foreign = refusal(await chat.start([(await elsewhere.messages())[-1][0]]))

        assert foreign[0] == 400
        assert await chat.messages() == before


@pytest.mark.parametrize("mode", ["wait", "enqueue", "interrupt", "rollback"])
async def test_a_run_in_the_place_of_messages_waits_for_no_other(open_client, mode):
    async with open_client(engine_of("first"), works=True) as http:
        chat = await asked(http)
        (_, _), (answer, _) = await chat.messages()

        refused = await chat.start([answer], if_busy=mode)

        assert refusal(refused)[0::2] == (400, "instead_of[]")
        assert await chat.said() == ["question", "first!"]


async def test_a_run_in_the_place_of_an_answer_is_made_once_under_its_key(db):
    async with client_over(db, engine_of("first", "second"), works=True) as http:
        chat = await asked(http)
        (_, _), (answer, _) = await chat.messages()
        http.headers["Idempotency-Key"] = "k"

        first, again = await chat.start([answer]), await chat.start([answer])

        del http.headers["Idempotency-Key"]
        assert first.json()["id"] == again.json()["id"]
        await chat.ended(first)
        assert await chat.said() == ["question", "second!"]
