"""Holds a STIX 2.1 bundle against the specification: JSON on standard input.

    python3 tests/stix/validate.py target < bundle.json

stix2-validator (OASIS, BSD-3-Clause) does; it is fetched once, into DIRECTORY/stix-venv. 3.3.1 came without its schemas, so that it is
3.2.0.

Status 0: it is valid, and standard output has the number of its objects. 1: it is not, and standard error says why. 77: it cannot be
told, and why.
"""

import fcntl
import json
import os
import subprocess
import sys
from pathlib import Path

PACKAGES = ["stix2-validator==3.2.0"]
CANNOT = 77


def environment(directory):
    """The Python that has the packages; made if it is not there."""
    home = Path(directory) / "stix-venv"
    python = home / "bin" / "python"
    done = home / " ".join(PACKAGES)
    Path(directory).mkdir(parents=True, exist_ok=True)
    with open(Path(directory) / "stix-venv.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            for command in (
                [sys.executable, "-m", "venv", "--clear", str(home)],
                [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *PACKAGES],
            ):
                try:
                    subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
                except (OSError, subprocess.SubprocessError) as error:
                    last = (getattr(error, "stderr", None) or str(error)).strip().splitlines()[-1:]
                    print("stix2-validator cannot be fetched:", *last, file=sys.stderr)
                    sys.exit(CANNOT)
            done.touch()
    return str(python)


def validate():
    from stix2validator import ValidationOptions, validate_string

    text = sys.stdin.read()
    results = validate_string(text, ValidationOptions(version="2.1"))
    for error in results.errors:
        print(str(error)[:500], file=sys.stderr)
    # The validator does not ask whether what is referred to is there.
    objects = json.loads(text)["objects"]
    known = {each["id"] for each in objects}
    missing = 0
    for each in objects:
        for name, value in each.items():
            if name.endswith("_ref") or name.endswith("_refs"):
                for reference in [value] if isinstance(value, str) else value:
                    if reference not in known:
                        missing += 1
                        print(f"{each['id']}: {name} is {reference}, which is not in the bundle", file=sys.stderr)
    if len(known) != len(objects):
        missing += 1
        print("an id is there twice", file=sys.stderr)
    print(len(objects))
    return 0 if results.is_valid and not missing else 1


if __name__ == "__main__":
    if len(sys.argv) == 2:
        python = environment(sys.argv[1])
        os.execv(python, [python, __file__])
    sys.exit(validate())
