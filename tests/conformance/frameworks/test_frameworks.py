"""Agent frameworks that were written for the original, as they come from their makers."""

from pathlib import Path

import pytest

from tests.conformance.script import SCRIPT
from tests.conformance.serving import serving
from tests.conformance.test_sdks import flows
from tests.sandbox.conftest import environment

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
HELLO = "Hello, how can I help you today?"
WEATHER = "It is cold in Oslo and warm in Rome."
HOLIDAY = "You get 25 days【0:0†source】 a year."
CHART = "Here it is; the data: sandbox:/mnt/data/copy.csv."
SAYS = {
    "langchain": {
        "plain": HELLO,
        "function": WEATHER,
        "function_v2": WEATHER,
        "files": HOLIDAY,
        "sources": 1,
        "chat": HELLO,
        "streamed": HELLO,
        "calls": [{"city": "Oslo"}, {"city": "Rome"}],
        "structured": {"city": "Oslo", "degrees": 3},
        "vector": True,
    },
    "litellm": {
        "status": "completed",
        "said": HELLO,
        "streamed": HELLO,
        "last_event": "thread.run.completed",
        "is_listed": True,
        "is_deleted": True,
        "chat": HELLO,
    },
    "autogen": {"function": WEATHER, "plain": HELLO, "files": HOLIDAY, "code": CHART, "after_reset": HELLO},
    "semantic_kernel": {
        "plain": HELLO,
        "streamed": HELLO,
        "roles": ["AuthorRole.ASSISTANT", "AuthorRole.USER"] * 2,
        "kinds": ["AnnotationContent", "FileReferenceContent", "TextContent"],
    },
    "llama_index": {
        "function": WEATHER,
        "plain": HELLO,
        "history": ["weather please", WEATHER, "Hello", HELLO],
        "after_reset": [],
    },
    "gpt_assistant": {"said": [WEATHER, HELLO]},
    "agency_swarm": {"function": WEATHER, "plain": HELLO},
}
OLD = {"llama_index", "gpt_assistant", "agency_swarm"}


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """A server that plays a script and runs code."""
    folder = tmp_path_factory.mktemp("frameworks")
    with serving(folder, SCRIPT, sandbox="auto", sandbox_warm="0", sandbox_env=str(environment())) as served:
        yield served


@pytest.mark.long
@pytest.mark.parametrize("name", SAYS)
def test_a_framework_does_what_it_did_with_the_original(server, name):
    python = ROOT / f".venv-frameworks-{'old' if name in OLD else 'new'}" / "bin" / "python"
    if not python.exists():
        pytest.skip("the frameworks are not installed: bash tests/conformance/frameworks/install.sh")

    assert flows([str(python), str(HERE / f"{name}_flows.py"), server.base_url]) == SAYS[name]
