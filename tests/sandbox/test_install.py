"""The installer of the jail's Python environment: quick when there is nothing to do, never a failed `make`."""

import json
import os
import sys
from pathlib import Path

import pytest

from assistants_api.sandbox import install
from assistants_api.sandbox.config import is_environment
from tests.sandbox.conftest import environment


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the installer is told to install."""
    place = tmp_path / "env"
    monkeypatch.setattr(sys, "argv", ["install.py", str(place)])
    return place


def test_nothing_is_done_when_all_is_there(target: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    target.mkdir()
    (target / install.FACTS).write_text(json.dumps(install.wanted()))
    monkeypatch.setattr(install, "install", lambda place: pytest.fail("installed again"))

    assert install.main() == 0
    assert capsys.readouterr().out == ""


def test_an_option_is_no_folder(monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(sys, "argv", ["install.py", "--help"])
    monkeypatch.setattr(install, "install", lambda place: pytest.fail(f"installed at {place}"))

    assert install.main() == 2
    assert "install.py .venv-sandbox" in capsys.readouterr().err


def test_what_was_made_from_something_else_is_made_anew(target: Path, monkeypatch: pytest.MonkeyPatch):
    target.mkdir()
    (target / install.FACTS).write_text(json.dumps(install.wanted() | {"requirements": "older"}))
    made = []
    monkeypatch.setattr(install, "_reachable", lambda place: place)
    monkeypatch.setattr(install, "install", made.append)

    assert install.main() == 0
    assert made == [target]


def test_where_it_cannot_be_made_that_is_said_and_make_goes_on(
    target: Path, monkeypatch: pytest.MonkeyPatch, capsys
):
    def fail(place: Path) -> None:
        raise OSError("no space left")

    monkeypatch.setattr(install, "_reachable", lambda place: place)
    monkeypatch.setattr(install, "install", fail)

    assert install.main() == 0
    assert "not installed, code_interpreter stays off: no space left" in capsys.readouterr().err


def test_other_systems_are_told_that_it_stays_off(target: Path, monkeypatch: pytest.MonkeyPatch, capsys):
    monkeypatch.setattr(sys, "platform", "darwin")

    assert install.main() == 0
    assert "needs Linux and stays off on darwin" in capsys.readouterr().out


@pytest.mark.skipif(os.geteuid() != 0, reason="only root's sessions have users of their own")
def test_root_installs_where_others_can_read_and_leaves_a_link(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
):
    tmp_path.chmod(0o700)
    place = install._reachable(target)
    assert place.parent == Path("/opt/assistants-api")
    elsewhere = tmp_path / "open" / "env"
    monkeypatch.setattr(install, "_reachable", lambda _: elsewhere)
    monkeypatch.setattr(install, "install", lambda made: made.mkdir())

    assert install.main() == 0

    assert target.is_symlink()
    assert target.resolve() == elsewhere


def test_every_wanted_package_is_pinned_and_there():
    lines = [line for line in install.REQUIREMENTS.read_text().splitlines() if not line.startswith("#")]

    assert all(line.count("==") == 1 for line in lines)
    assert {"numpy", "pandas", "scipy", "matplotlib", "pillow", "openpyxl", "ipython"} <= {
        line.partition("==")[0] for line in lines
    }
    if not is_environment(environment()) and not os.environ.get("CI"):
        pytest.skip("the environment is not installed (make install)")
    packages = next(environment().resolve().glob("lib/python3*/site-packages"))
    there = {path.name.lower() for path in packages.glob("*.dist-info")}
    assert {f"{line.replace('-', '_').replace('==', '-')}.dist-info" for line in lines} <= there
