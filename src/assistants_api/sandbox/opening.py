"""Chooses the tier: the best that passes its self-test, or the one named, or none, with the reason."""

import logging
import os
import sys
from collections.abc import Callable
from typing import Literal

from assistants_api.domain.sandbox import SandboxOff
from assistants_api.ports import Sandbox
from assistants_api.sandbox.config import SandboxConfig
from assistants_api.sandbox.folders import closed_to_others
from assistants_api.sandbox.off import OffSandbox

log = logging.getLogger(__name__)

Wish = Literal["auto", "bubblewrap", "landlock", "off"]


async def open_sandbox(wish: Wish, config: SandboxConfig) -> Sandbox:
    """The active tier, started. Never fails and never runs code without a proven jail."""
    sandbox = await _choose(wish, config)
    facts = sandbox.describe()
    level = logging.INFO if wish == "off" or not facts.reason else logging.WARNING
    log.log(level, "sandbox: %s%s", facts.tier, f" ({facts.reason})" if facts.reason else "")
    return sandbox


async def _choose(wish: Wish, config: SandboxConfig) -> Sandbox:
    if wish == "off":
        return OffSandbox("ASSISTANTS_SANDBOX=off")
    if sys.platform != "linux":
        return OffSandbox(f"it needs Linux, and this is {sys.platform}")
    if config.environment is None or not config.environment.is_dir():
        return OffSandbox("its Python environment is missing; run `make install`")
    if os.geteuid() == 0 and (closed := closed_to_others(config.environment)):
        return OffSandbox(f"{closed} is closed to the users that run the sessions of a root server")
    reasons: list[str] = []
    for tier, make in _tiers(config).items():
        if wish not in ("auto", tier):
            continue
        sandbox = make("; ".join(reasons))
        try:
            await sandbox.start()
        except SandboxOff as error:
            reasons.append(f"{tier}: {error.message}")
        except OSError as error:  # no place for temporary files, or no room there
            reasons.append(f"{tier}: {error.strerror or error}")
            await sandbox.close()
        else:
            return sandbox
    return OffSandbox("; ".join(reasons))


def _tiers(config: SandboxConfig) -> dict[str, Callable[[str], Sandbox]]:
    from assistants_api.sandbox.bubblewrap import BubblewrapSandbox
    from assistants_api.sandbox.landlock import LandlockSandbox

    return {
        "bubblewrap": lambda why: BubblewrapSandbox(config),
        "landlock": lambda why: LandlockSandbox(config, why_not_better=why or "it is the one that is set"),
    }
