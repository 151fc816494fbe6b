"""The examples, as a newcomer runs them: on the bundled model, against a server with its defaults."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from openai import OpenAI

from tests.conformance.serving import Served, serving
from tests.sandbox.conftest import environment

pytestmark = [
    pytest.mark.model,
    pytest.mark.filterwarnings("ignore:.*:DeprecationWarning"),
]
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with serving(
        tmp_path_factory.mktemp("examples"), sandbox="auto", sandbox_warm="0", sandbox_env=str(environment())
    ) as served:
        yield served


@pytest.fixture
def coding(server: Served) -> Served:
    """The server, where it can run code; elsewhere the test is skipped, and fails in CI."""
    tier = server.ready()["sandbox"]
    if tier["tier"] == "off":
        assert not os.environ.get("CI"), f"in CI a sandbox must be there: {tier}"
        pytest.skip(f"no sandbox on this machine: {tier}")
    return server


def printed(name: str, served: Served, folder: Path) -> str:
    """What the example prints."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", str(EXAMPLES / name)],
        cwd=folder,
        env={**os.environ, "BASE_URL": served.base_url},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_question_is_answered(server, tmp_path):
    assert "A token is a piece of text" in printed("quickstart.py", server, tmp_path)


def test_functions_are_called_and_their_outputs_told(server, tmp_path):
    said = printed("functions.py", server, tmp_path)

    assert 'get_current_temperature({"location": "San Francisco"})' in said
    assert 'get_rain_probability({"location": "San Francisco"})' in said
    assert "completed" in said
    assert "57" in said.rpartition("completed")[2]


def test_chat_completions_call_a_function_and_answer_in_json(server, tmp_path):
    said = printed("chat.py", server, tmp_path)

    assert '[get_weather {"city": "Oslo"}]' in said
    assert "umbrella=" in said


def test_a_document_is_searched_and_cited(server, tmp_path):
    said = printed("documents.py", server, tmp_path)

    assert "18:30" in said
    assert "【0:0†source】 is handbook.md" in said


def test_arithmetic_is_computed_by_python(coding, tmp_path):
    said = printed("data_analysis.py", coding, tmp_path)

    assert ">>> print(37 * 43)" in said
    assert "37 * 43 = 1591." in said


def test_a_chart_is_drawn(coding):
    client = OpenAI(base_url=coding.base_url, api_key="any")
    assistant = client.beta.assistants.create(model="gpt-4o", tools=[{"type": "code_interpreter"}])
    thread = client.beta.threads.create(messages=[{"role": "user", "content": "Draw a bar chart of 3, 5, 8"}])

    run = client.beta.threads.runs.create_and_poll(
        thread_id=thread.id, assistant_id=assistant.id, temperature=0
    )

    assert run.status == "completed", run.last_error
    parts = client.beta.threads.messages.list(thread.id).data[0].content
    image = next(part.image_file.file_id for part in parts if part.type == "image_file")
    assert client.files.content(image).read().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("customer_service.py", "intents:"),
        ("health_information.py", "This is general information and no diagnosis."),
        ("product_copy.py", "tokens]"),
        ("shop.py", "[search_products"),
        ("tutor.py", "has 6 messages"),
    ],
)
def test_what_takes_a_larger_model_runs_to_its_end_all_the_same(server, tmp_path, name, words):
    assert words in printed(name, server, tmp_path)


def test_sampled_answers_cite_the_sentence_that_answers(server):
    """The README's lines have no temperature: what is a little less likely than the right word must not be drawn."""
    client = OpenAI(base_url=server.base_url, api_key="any")
    store = client.vector_stores.create(name="handbook")
    text = b"The office opens at 8:00. The office closes at 18:30."
    client.vector_stores.files.upload_and_poll(vector_store_id=store.id, file=("handbook.md", text))
    assistant = client.beta.assistants.create(
        model="gpt-4o",
        tools=[{"type": "file_search"}],
        tool_resources={"file_search": {"vector_store_ids": [store.id]}},
    )
    said = set()
    for _ in range(8):
        thread = client.beta.threads.create(
            messages=[{"role": "user", "content": "When does the office close?"}]
        )
        client.beta.threads.runs.create_and_poll(thread_id=thread.id, assistant_id=assistant.id)
        said.add(client.beta.threads.messages.list(thread.id).data[0].content[0].text.value)

    assert said == {"The office closes at 18:30.【0:0†source】"}
