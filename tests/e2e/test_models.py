"""More than one model in one server: each is listed, loaded when it is asked for, and answers in its own words."""

import httpx
import pytest

from tests.conformance.serving import serving
from tests.engine import tiny

pytestmark = pytest.mark.model


def test_two_models_answer_in_the_memory_of_one(tmp_path):
    first, second = tiny.build(tmp_path / "first"), tiny.build(tmp_path / "second", seed=11, window=512)
    settings = {
        "model": str(first),
        "models": f"second={second}, small=bundled",
        "model_aliases": "gpt-4o=second,*=",
        "models_memory_mb": "1",
        "engine": "transformers",
    }
    beta = {"OpenAI-Beta": "assistants=v2"}
    with (
        serving(tmp_path / "data", **settings) as served,
        httpx.Client(base_url=served.base_url, timeout=60, headers=beta) as http,
    ):

        def models():
            return {each["id"]: each for each in http.get("/models").json()["data"]}

        def said(model):
            asked = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 12, "temperature": 0}
            answer = http.post("/chat/completions", json={"model": model, **asked}).json()
            return answer["choices"][0]["message"]["content"]

        listed = models()
        assert list(listed) == ["first", "second", "small", "gpt-4o"]
        assert [each["root"] for each in listed.values()] == ["first", "second", "small", "second"]
        assert [each["context_length"] for each in listed.values()] == [1024, 512, 4096, 512]
        assert listed["second"]["details"]["state"] == "stopped"

        one, two = said("first"), said("second")
        assert one != two
        assert models()["second"]["details"]["state"] == "ready"
        assert models()["first"]["details"]["state"] == "stopped"
        assert said("gpt-4o") == two
        assert said("some-other-name") == one

        # A run of an assistant on the second model, while the first one is loaded.
        assistant = http.post("/assistants", json={"model": "second"}).json()["id"]
        thread = {"messages": [{"role": "user", "content": "hello"}]}
        body = {"assistant_id": assistant, "thread": thread, "max_completion_tokens": 256}
        run = http.post("/threads/runs", json=body).json()
        path = f"/threads/{run['thread_id']}/runs/{run['id']}"
        ended = http.get(path, params={"wait": 60}).json()
        assert ended["status"] in ("completed", "incomplete"), ended
        ready = httpx.get(f"{served.root}/health/ready")
        assert ready.status_code == 200
        health = ready.json()["engine"]
        assert health["details"]["models"] == {"first": "stopped", "second": "ready", "small": "stopped"}
        text = httpx.get(f"{served.root}/metrics").text
        assert 'assistants_engine_generated_tokens_total{model="second"}' in text
