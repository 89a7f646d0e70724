"""A Python environment with the packages that a check needs, fetched once.

Two runs at a time wait for each other: the environment is made under a lock.
"""

import fcntl
import subprocess
import sys
from pathlib import Path

# What a check exits with that cannot be done.
CANNOT = 77


def python(directory, name, packages, what):
    """The Python that has the packages, in DIRECTORY/NAME-venv; without them it ends with CANNOT, and says that `what` is missing."""
    home = Path(directory) / f"{name}-venv"
    program = home / "bin" / "python"
    done = home / " ".join(packages)
    Path(directory).mkdir(parents=True, exist_ok=True)
    with open(Path(directory) / f"{name}-venv.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            for command in (
                [sys.executable, "-m", "venv", "--clear", str(home)],
                [str(program), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages],
            ):
                try:
                    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
                except (OSError, subprocess.SubprocessError) as error:
                    last = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
                    print(f"{what} cannot be fetched:", *last, file=sys.stderr)
                    sys.exit(CANNOT)
            done.touch()
    return str(program)
