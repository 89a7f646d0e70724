"""Holds a STIX 2.1 bundle against the specification: JSON on standard input.

    python3 tests/stix/validate.py target < bundle.json

stix2-validator (OASIS, BSD-3-Clause) does; it is fetched once, into DIRECTORY/stix-venv. 3.3.1 came without its schemas, so that it is
3.2.0.

Status 0: it is valid, and standard output has the number of its objects. 1: it is not, and standard error says why. 77: it cannot be
told, and why.
"""

import json
import os
import sys
from pathlib import Path

PACKAGES = ["stix2-validator==3.2.0"]


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
        # Beside the folders of the checks; nothing is to be left among the sources.
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        import environment

        python = environment.python(sys.argv[1], "stix", PACKAGES, "stix2-validator")
        os.execv(python, [python, __file__])
    sys.exit(validate())
