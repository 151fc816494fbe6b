"""Which tier is chosen, and what is said when none is."""

import asyncio
import errno
import logging
import os
import shutil
import sys
import tempfile
from pathlib import Path

import pytest

from assistants_api.domain.sandbox import SandboxOff
from assistants_api.sandbox import bubblewrap, folders, landlock, probes
from assistants_api.sandbox.bubblewrap import BubblewrapSandbox
from assistants_api.sandbox.config import SandboxConfig, find_environment
from assistants_api.sandbox.landlock import LandlockSandbox
from assistants_api.sandbox.opening import open_sandbox
from tests.sandbox.conftest import environment, open_or_skip

CONFIG = SandboxConfig(environment())


async def test_off_is_off():
    facts = (await open_sandbox("off", CONFIG)).describe()

    assert (facts.tier, facts.reason) == ("off", "ASSISTANTS_SANDBOX=off")


async def test_without_its_environment_it_is_off_and_says_what_to_run(tmp_path: Path):
    for config in (SandboxConfig(None), SandboxConfig(tmp_path / "none")):
        facts = (await open_sandbox("auto", config)).describe()

        assert (facts.tier, facts.reason) == ("off", "its Python environment is missing; run `make install`")


async def needs(tier: str) -> None:
    """Skips where the tier cannot be had."""
    await (await asyncio.to_thread(open_or_skip, tier)).close()


@pytest.mark.parametrize("platform", ["darwin", "win32"])
async def test_other_systems_have_no_sandbox(monkeypatch: pytest.MonkeyPatch, platform: str):
    monkeypatch.setattr(sys, "platform", platform)

    facts = (await open_sandbox("auto", CONFIG)).describe()

    assert (facts.tier, facts.reason) == ("off", f"it needs Linux, and this is {platform}")


async def test_a_machine_without_bubblewrap_falls_to_landlock_and_says_so(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    await needs("landlock")
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)

    with caplog.at_level(logging.WARNING):
        opened = await open_sandbox("auto", CONFIG)

    reason = "bubblewrap: bubblewrap is not installed (apt-get install bubblewrap)"
    assert (opened.describe().tier, opened.describe().reason) == ("landlock", reason)
    assert reason in caplog.text
    await opened.close()


async def test_a_named_tier_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: None)

    facts = (await open_sandbox("bubblewrap", CONFIG)).describe()

    assert facts.tier == "off"
    assert "not installed" in facts.reason


@pytest.mark.parametrize(("abi", "root", "lowest"), [(2, True, 3), (5, False, 6), (0, False, 6)])
async def test_an_old_kernels_landlock_is_refused(
    monkeypatch: pytest.MonkeyPatch, abi: int, root: bool, lowest: int
):
    monkeypatch.setattr(LandlockSandbox, "_version", lambda self: abi)
    monkeypatch.setattr(landlock.os, "geteuid", lambda: 0 if root else 1000)

    with pytest.raises(SandboxOff, match=f"Landlock ABI {lowest} is needed here and the kernel has {abi}"):
        await LandlockSandbox(CONFIG).start()


async def test_a_machine_without_a_table_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.setattr("platform.machine", lambda: "riscv64")
    monkeypatch.setattr(bubblewrap.shutil, "which", lambda name: "/usr/bin/bwrap")

    for tier in (BubblewrapSandbox, LandlockSandbox):
        with pytest.raises(SandboxOff, match="no table for this machine"):
            await tier(CONFIG).start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only a root server has sessions with users of their own")
async def test_an_environment_that_sessions_cannot_reach_is_named(tmp_path: Path):
    tmp_path.chmod(0o700)
    (tmp_path / "env").mkdir()

    facts = (await open_sandbox("auto", SandboxConfig(tmp_path / "env"))).describe()

    assert facts.tier == "off"
    assert "is closed to the users that run the sessions of a root server" in facts.reason


LEAKS = {
    "a file of the host can be read": ('open(order["secret"]).read()', "len('leaked')"),
    "no system call is filtered": ("libc.prctl(21, 0, 0, 0, 0) != 2", "True"),
    "the guest is root": ("os.geteuid() == 0", "True"),
}


@pytest.mark.parametrize("leak", LEAKS)
async def test_a_tier_whose_self_test_finds_a_way_out_is_not_used(
    sandbox, monkeypatch: pytest.MonkeyPatch, leak: str
):
    # The jail holds, so the attempt is replaced by one that succeeds.
    attempt, success = LEAKS[leak]
    assert attempt in probes._TRY
    monkeypatch.setattr(probes, "_TRY", probes._TRY.replace(attempt, success))

    with pytest.raises(SandboxOff, match=f"found a way out: {leak}"):
        await probes.prove(sandbox)


async def test_a_jail_that_shows_the_hosts_place_for_temporary_files_is_not_used(
    monkeypatch: pytest.MonkeyPatch,
):
    """Though code that names it there means the session's own."""
    await needs("landlock")
    monkeypatch.setattr(landlock, "_READABLE", (*landlock._READABLE, tempfile.gettempdir()))

    with pytest.raises(SandboxOff, match="found a way out: a file of the host can be read"):
        await LandlockSandbox(CONFIG).start()


async def test_a_call_on_the_hosts_port_is_noticed(sandbox, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(probes, "_was_called", lambda listener: True)

    with pytest.raises(SandboxOff, match="network can be reached"):
        await probes.prove(sandbox)


def test_folders_of_killed_servers_are_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(folders.tempfile, "gettempdir", lambda: str(tmp_path))
    dead, alive = tmp_path / "assistants-sandbox-999999999-x", tmp_path / "assistants-sandbox-1-x"
    for folder in (dead, alive):
        (folder / "s" / "data").mkdir(parents=True)
        (folder / "s" / "data").chmod(0)
    (tmp_path / "assistants-sandbox-999999998-y").symlink_to(alive)

    folders.remove_leftovers()

    assert not dead.exists()
    assert alive.exists()


def test_a_leftover_that_another_server_removes_meanwhile_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dead = tmp_path / "assistants-sandbox-999999999-x"
    dead.mkdir()
    is_symlink = Path.is_symlink

    def removed_meanwhile(path: Path) -> bool:
        was = is_symlink(path)
        if path == dead:
            dead.rmdir()
        return was

    monkeypatch.setattr(Path, "is_symlink", removed_meanwhile)

    folders.remove_leftovers()

    assert not dead.exists()


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ENOSPC, errno.EROFS])
async def test_where_nothing_temporary_can_be_written_the_sandbox_is_off_and_the_server_starts(
    monkeypatch: pytest.MonkeyPatch, number: int
):
    def cannot(**given: object) -> str:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/bwrap")
    monkeypatch.setattr(tempfile, "mkdtemp", cannot)

    facts = (await open_sandbox("bubblewrap", CONFIG)).describe()

    assert (facts.tier, facts.reason) == ("off", f"bubblewrap: {os.strerror(number)}")


def test_the_environment_beside_the_servers_own_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.chdir(tmp_path)
    place = tmp_path / ".venv-sandbox"
    (place / "bin").mkdir(parents=True)
    (place / "bin" / "python3").touch(0o755)

    assert find_environment() in (None, Path("/opt/python-env"))  # not finished
    (place / "environment.json").touch()
    assert find_environment() == place
    assert find_environment(Path("elsewhere")) == tmp_path / "elsewhere"
