"""Chat completions by the official SDKs, old and new, and on the bundled model, over a real socket."""

import json
import sys
from pathlib import Path

import httpx
import pytest

from tests.checks.schema import check_body
from tests.conformance.serving import serving
from tests.conformance.test_sdks import CHINESE, flows

FLOWS = Path(__file__).parent / "chat_flows.py"
NODE_FLOWS = Path(__file__).parent / "node" / "chat_flows.mjs"
HELLO = "Hello, how can I help you today?"
AFTER = "It is cold in Oslo and warm in Rome."


@pytest.mark.parametrize("version", ["1.109.1", "3.54.0"])
def test_the_python_sdks_chat(server, version, request):
    python = sys.executable if version.startswith("3") else request.getfixturevalue("old_python")

    found = flows([python, str(FLOWS), server.base_url])

    assert found == {
        "version": version,
        "answer": HELLO,
        "streamed": HELLO,
        "helper": CHINESE,
        "parsed": {"city": "Oslo", "degrees": 3},
        "calls": ["Oslo", "Rome"],
        "after_outputs": AFTER,
        "talked": "Let me see. ",
        "not_found": [404, "req_"],
        "bad_request": ["unknown_parameter", "unheard_of", "invalid_request_error"],
        "broken": "The model broke.",
        "azure": HELLO,
        "asynchronous": HELLO,
    }


def test_the_node_sdks_chat(server, node_sdk):
    found = flows(["node", str(NODE_FLOWS), server.base_url], node_sdk)

    assert found.pop("version") in ("4.104.0", "7.57.0")
    assert found == {
        "answer": HELLO,
        "streamed": HELLO,
        "helper": CHINESE,
        "parsed": {"city": "Oslo", "degrees": 3},
        "afterTools": AFTER,
        "cities": ["Oslo", "Rome"],
        "notFound": [True, 404],
        "broken": "The model broke.",
        "azure": HELLO,
    }


@pytest.fixture(scope="module")
def bundled(tmp_path_factory):
    with serving(tmp_path_factory.mktemp("bundled")) as served:
        with httpx.Client(base_url=served.base_url, timeout=120) as http:
            yield http


def ask(http: httpx.Client, text: str, **given) -> dict:
    body = {"model": "any", "messages": [{"role": "user", "content": text}], "temperature": 0, **given}
    response = http.post("/chat/completions", json=body)
    assert response.status_code == 200, response.text
    value: dict = response.json()
    check_body("createChatCompletion", value)
    return value


@pytest.mark.model
def test_the_bundled_model_honours_what_is_asked_of_it(bundled):
    plain = ask(bundled, "Hello", max_tokens=12)
    likely = ask(bundled, "Hello", max_tokens=12, logprobs=True, top_logprobs=2)
    schema = {
        "type": "object",
        "properties": {"n": {"enum": [1, 2, 3]}},
        "required": ["n"],
        "additionalProperties": False,
    }
    form = {"type": "json_schema", "json_schema": {"name": "s", "strict": True, "schema": schema}}
    formed = ask(bundled, "A number as JSON", max_tokens=60, response_format=form)
    drawn = [ask(bundled, "Hello", max_tokens=12, temperature=1.5, seed=5, n=2) for _ in range(2)]
    first = likely["choices"][0]["logprobs"]["content"]

    assert likely["choices"][0]["message"] == plain["choices"][0]["message"]
    text = likely["choices"][0]["message"]["content"]
    assert b"".join(bytes(entry["bytes"]) for entry in first).decode("utf-8", "replace").startswith(text)
    assert all(entry["top_logprobs"][0]["logprob"] == entry["logprob"] for entry in first)
    assert set(json.loads(formed["choices"][0]["message"]["content"])) == {"n"}
    assert [choice["message"] for choice in drawn[0]["choices"]] == [
        choice["message"] for choice in drawn[1]["choices"]
    ]
    assert plain["usage"]["completion_tokens"] <= 12


@pytest.mark.model
def test_a_word_of_the_answer_can_be_forbidden(bundled):
    likely = ask(bundled, "Hello", max_tokens=1, logprobs=True, top_logprobs=1)
    word = likely["choices"][0]["message"]["content"]
    free = [str(number) for number in range(300)]

    biased = ask(bundled, "Hello", max_tokens=1, logit_bias=dict.fromkeys(free, -100))
    wrong = bundled.post(
        "/chat/completions",
        json={"model": "m", "messages": [{"role": "user", "content": "x"}], "logit_bias": {"99999999": 1}},
    )

    assert word
    assert biased["choices"][0]["message"]["content"] is not None
    assert wrong.status_code == 400
    assert wrong.json()["error"]["code"] == "invalid_prompt"


@pytest.mark.model
def test_a_conversation_that_is_too_long_is_refused_by_its_length(bundled):
    response = bundled.post(
        "/chat/completions",
        json={"model": "m", "messages": [{"role": "user", "content": "word " * 60_000}], "stream": True},
    )

    assert response.status_code == 400
    assert response.json()["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize("stream", [False, True])
def test_hanging_up_on_a_socket_ends_the_work(tmp_path, stream):
    script = [{"when": "on and on", "steps": ["Well. ", {"pause": 120}, "Done."]}]
    body = {"model": "m", "messages": [{"role": "user", "content": "on and on"}], "stream": stream}

    def open_completions() -> int:
        number: int = served.ready()["completions"]["open"]
        return number

    with serving(tmp_path, script) as served:
        with httpx.Client(
            base_url=served.base_url, timeout=httpx.Timeout(30, read=None if stream else 0.5)
        ) as http:
            if stream:
                with http.stream("POST", "/chat/completions", json=body) as response:
                    lines = response.iter_lines()
                    while "Well." not in next(lines):
                        pass
                    was_open = open_completions()
            else:
                with pytest.raises(httpx.ReadTimeout):
                    http.post("/chat/completions", json=body)
                was_open = 1
        while open_completions():
            assert served.process.poll() is None

    assert was_open == 1
