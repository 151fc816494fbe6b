"""A real server process, shared by the tests of this folder."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.script import SCRIPT
from tests.conformance.serving import Served, serving

ROOT = Path(__file__).resolve().parents[2]
NODE = Path(__file__).parent / "node"


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that plays the conformance script."""
    with serving(tmp_path_factory.mktemp("server"), SCRIPT) as served:
        yield served


def _need(is_there: bool, what: str) -> None:
    if not is_there:
        if os.environ.get("CI"):
            pytest.fail(f"{what} must be there in CI: tests/conformance/install.sh")
        pytest.skip(f"needs {what}: run tests/conformance/install.sh")


@pytest.fixture
def old_python() -> str:
    """The interpreter that has the 1.x SDK."""
    python = ROOT / ".venv-sdk1" / "bin" / "python"
    _need(python.exists(), "the old Python SDK")
    return str(python)


@pytest.fixture(params=["v4", "v7"])
def node_sdk(request: pytest.FixtureRequest) -> Path:
    """A folder with one of the Node SDKs installed."""
    folder = NODE / str(request.param)
    _need(shutil.which("node") is not None and (folder / "node_modules" / "openai").exists(), "the Node SDKs")
    return folder
