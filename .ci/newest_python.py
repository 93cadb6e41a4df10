"""Print the newest released Python of this machine that can make virtual environments: on PATH or kept by pyenv."""

import os
import re
import subprocess
import sys
from pathlib import Path

PROBE = """
import ensurepip, sys, sysconfig, venv
if sys.version_info.releaselevel == "final" and not sysconfig.get_config_var("Py_GIL_DISABLED"):
    print(*sys.version_info[:3])
"""


def candidates() -> list[str]:
    """Interpreters by full path, this one first, so that it is kept among equals."""
    folders = [Path(folder) for folder in os.environ.get("PATH", "").split(os.pathsep) if folder]
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv"))
    folders += [version / "bin" for version in sorted((pyenv / "versions").glob("*"))]
    found = [path for folder in folders if folder.is_dir() for path in sorted(folder.iterdir())]
    return [sys.executable, *(str(path) for path in found if re.fullmatch(r"python3\.\d+", path.name))]


def version_of(python: str) -> tuple[int, ...]:
    """Its version, or () where it does not start or cannot make environments."""
    try:
        made = subprocess.run([python, "-c", PROBE], capture_output=True, text=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return ()
    return tuple(map(int, made.stdout.split()))


if __name__ == "__main__":
    print(max(candidates(), key=version_of))
