"""Makes the Python environment that the jail shows to its guests: a copied interpreter plus pinned packages.

    python src/assistants_api/sandbox/install.py .venv-sandbox

Copied, not linked: a virtual environment would need the host's own interpreter and its paths inside the jail.
Does nothing when the environment is there already. Exits with 0 also where it cannot be made, and says why:
the server runs without it, with `code_interpreter` off. Knows nothing but the standard library.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

REQUIREMENTS = Path(__file__).with_name("requirements.txt")
FACTS = "environment.json"
_LEFT_OUT = shutil.ignore_patterns(
    "site-packages", "dist-packages", "test", "tests", "idlelib", "tkinter", "turtledemo", "ensurepip",
    "lib2to3", "config-*", "__pycache__", "_tkinter*.so",
)  # fmt: skip
_CJK = (
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Noto Sans JP", "Noto Sans KR",
    "Source Han Sans SC", "Source Han Sans CN", "WenQuanYi Micro Hei", "WenQuanYi Zen Hei", "AR PL UMing CN",
    "IPAexGothic", "IPAGothic", "TakaoGothic", "VL Gothic", "UnDotum", "NanumGothic", "Droid Sans Fallback",
)  # fmt: skip
_FONTS = """
import matplotlib.font_manager as fm, sys
known = {font.name for font in fm.fontManager.ttflist}
print("\\n".join(["DejaVu Sans", *[name for name in sys.argv[1:] if name in known]]))
"""


def wanted() -> dict[str, str]:
    """What the environment is made from; equal to what is stored in it when nothing is to be done."""
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "requirements": hashlib.sha256(REQUIREMENTS.read_bytes()).hexdigest(),
        "installer": hashlib.sha256(Path(__file__).read_bytes()).hexdigest(),
    }


def install(target: Path) -> None:
    """Makes the environment at `target`, in place of what is there. Raises OSError or CalledProcessError."""
    making = target.with_name(target.name + ".making")
    shutil.rmtree(making, ignore_errors=True)
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = making / "lib" / name / "site-packages"
    _copy_interpreter(making, name)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "-q", "--disable-pip-version-check", "--no-deps",
         "--only-binary=:all:", "--no-compile", "--target", packages, "-r", REQUIREMENTS],
        check=True,
    )  # fmt: skip
    for folder in packages.rglob("tests"):
        if folder.is_dir() and folder.parent.name != "numpy":
            shutil.rmtree(folder)
    _compile(making, name)
    shutil.rmtree(target, ignore_errors=True)
    making.rename(target)
    # Named after the final place: the font list holds paths.
    _prepare_matplotlib(target, name)
    (target / FACTS).write_text(json.dumps(wanted(), indent=1))
    _readable(target)


def _copy_interpreter(target: Path, name: str) -> None:
    base = Path(sys.base_prefix)
    stdlib = Path(sysconfig.get_path("stdlib", vars={"installed_base": str(base)}))
    shutil.copytree(stdlib, target / "lib" / name, ignore=_LEFT_OUT, symlinks=False)
    (target / "lib" / name / "site-packages").mkdir()
    (target / "bin").mkdir()
    shutil.copy(base / "bin" / name, target / "bin" / name)
    (target / "bin" / "python3").symlink_to(name)
    (target / "bin" / "python").symlink_to(name)
    places = {base / "lib", Path(sysconfig.get_config_var("LIBDIR") or base / "lib")}
    for library in {library for place in places for library in place.glob(f"lib{name}.so*")}:
        shutil.copy(library, target / "lib" / library.name)


def _environment(target: Path, **more: str) -> dict[str, str]:
    return {
        "PATH": "/usr/bin:/bin",
        "LD_LIBRARY_PATH": str(target / "lib"),
        "PYTHONHOME": str(target),
        "LC_ALL": "C.UTF-8",
        **more,
    }


def _compile(target: Path, name: str) -> None:
    # The jail cannot write byte code, so all of it is made now; paths inside name the place in the jail.
    subprocess.run(
        [target / "bin" / name, "-s", "-m", "compileall", "-q", "-j", "0",
         "--invalidation-mode", "unchecked-hash",
         "-s", target, "-p", "/opt/python-env", target / "lib" / name],
        env=_environment(target), check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def _prepare_matplotlib(target: Path, name: str) -> None:
    cache = target / "matplotlib"
    cache.mkdir()
    run = subprocess.run(
        [target / "bin" / name, "-s", "-c", _FONTS, *_CJK],
        env=_environment(target, MPLCONFIGDIR=str(cache), HOME=str(cache)),
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    fonts = run.stdout.split("\n")
    (cache / "matplotlibrc").write_text(
        f"font.sans-serif: {', '.join(font for font in fonts if font)}\naxes.unicode_minus: False\n"
    )


def _readable(target: Path) -> None:
    """Everyone may read it: sessions of a server that runs as root have user ids of their own."""
    for folder, _, files in os.walk(target):
        os.chmod(folder, 0o755)
        for file in files:
            path = Path(folder, file)
            if not path.is_symlink():
                path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)


def _reachable(target: Path) -> Path:
    """`target`, or a place under /opt that it will link to: for root, where others cannot walk to it.

    Sessions of a server that runs as root have users of their own.
    """
    if os.geteuid() != 0 or all(place.stat().st_mode & 0o001 for place in target.parents if place.exists()):
        return target
    return Path("/opt/assistants-api", f"python-env-{hashlib.sha256(bytes(target)).hexdigest()[:8]}")


def main() -> int:
    """Installs where `argv` says, unless nothing has changed."""
    given = sys.argv[1] if len(sys.argv) > 1 else ".venv-sandbox"
    if given.startswith("-"):
        print(__doc__, file=sys.stderr)
        return 2
    target = Path(given).absolute()
    if sys.platform != "linux":
        print(f"sandbox: code_interpreter needs Linux and stays off on {sys.platform}")
        return 0
    facts = target / FACTS
    if facts.is_file() and json.loads(facts.read_text()) == wanted():
        return 0
    place = _reachable(target)
    print(f"sandbox: installing the packages for code_interpreter into {place} (about a minute)", flush=True)
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        install(place)
        if place != target:
            if target.is_symlink() or not target.exists():
                target.unlink(missing_ok=True)
            else:
                shutil.rmtree(target)
            target.symlink_to(place)
    except (OSError, subprocess.CalledProcessError) as error:
        print(f"sandbox: not installed, code_interpreter stays off: {error}", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
