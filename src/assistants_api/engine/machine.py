"""What this machine lets the model's process use, and how that process is tied to its parent."""

import contextlib
import ctypes
import os
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_LEAST_STATE = 64 << 20
_SPINS = "10000"  # about a tenth of a millisecond: from one product to the next, not to the next step


def _words(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").split()
    except (OSError, UnicodeDecodeError):
        return []


def cores() -> int:
    """The cores that this process may use: its affinity, cut by the container's quota."""
    has_affinity = hasattr(os, "sched_getaffinity")
    allowed = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    match _words("/sys/fs/cgroup/cpu.max"):
        case [quota, period] if quota != "max":
            return max(1, min(allowed, round(int(quota) / int(period))))
    match (_words("/sys/fs/cgroup/cpu/cpu.cfs_quota_us"), _words("/sys/fs/cgroup/cpu/cpu.cfs_period_us")):
        case ([quota], [period]) if int(quota) > 0:
            return max(1, min(allowed, round(int(quota) / int(period))))
    return allowed


def memory_limit() -> int | None:
    """Bytes that this container, or this machine, may use; None if unknown."""
    for path in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        match _words(path):
            case [limit] if limit.isdigit() and int(limit) < 1 << 50:
                return int(limit)
    words = _words("/proc/meminfo")
    return int(words[words.index("MemTotal:") + 1]) * 1024 if "MemTotal:" in words else None


def resident(pid: int | None = None) -> int:
    """Bytes of memory that a process holds, this one if none is named; 0 where the system does not tell."""
    words = _words(f"/proc/{'self' if pid is None else pid}/statm")
    return int(words[1]) * os.sysconf("SC_PAGE_SIZE") if len(words) > 1 else 0


def room_for_state() -> int:
    """Bytes for attention state: sixty per cent of what is left, less a gigabyte for everything else."""
    limit = memory_limit()
    if limit is None:
        return 2 << 30
    return max(_LEAST_STATE, int(0.6 * (limit - resident() - (1 << 30))))


def size_of_weights(model: str | Path) -> int:
    """Bytes of the weight files in a local folder; 0 for a model that is not there yet."""
    folder = Path(model)
    if not folder.is_dir():
        return 0
    return sum(file.stat().st_size for kind in ("*.safetensors", "*.bin") for file in folder.glob(kind))


def has_quick_bf16() -> bool:
    """Whether the processor multiplies bf16 in hardware."""
    words = set(_words("/proc/cpuinfo"))
    return bool(words & {"avx512_bf16", "amx_bf16"})


def environment(threads: int, *, dedicated: bool, offline: bool) -> dict[str, str]:
    """What must be set before torch is imported."""
    package = str(Path(__file__).resolve().parents[2])
    path = os.environ.get("PYTHONPATH")
    wanted = {
        "OMP_NUM_THREADS": str(threads),
        "TOKENIZERS_PARALLELISM": "false",
        "TRANSFORMERS_NO_ADVISORY_WARNINGS": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": f"{package}{os.pathsep}{path}" if path else package,
    }
    if not dedicated:
        wanted |= {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0", "GOMP_SPINCOUNT": _SPINS}
    if offline:
        wanted |= {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"}
    return {**os.environ, **wanted}


def tie_to_parent(parent: int) -> None:
    """This process ends when its parent does, is killed first when memory runs out, and ignores Ctrl-C.

    So it does with SIGTERM, which systemd sends to every process of a unit: the server drains, and ends it.
    """
    for asked in (signal.SIGINT, signal.SIGTERM):
        signal.signal(asked, signal.SIG_IGN)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        with contextlib.suppress(OSError):
            Path("/proc/self/oom_score_adj").write_text("500", encoding="ascii")
        if os.getppid() != parent:
            raise SystemExit(0)
