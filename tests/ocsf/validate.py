"""Holds findings against the published OCSF schema: one JSON object a line on standard input.

    python3 tests/ocsf/validate.py target < findings

The schema is that of ocsf-json-schema (the official export of each OCSF version, Apache-2.0, made into JSON Schema); jsonschema holds
findings against it. Both are fetched once, into DIRECTORY/ocsf-venv. What is no attribute of the schema is an error, too.

Status 0: all are valid. 1: some are not, and standard error says which and why. 77: it cannot be told, and why.
"""

import json
import os
import sys
from pathlib import Path

PACKAGES = ["ocsf-json-schema==1.2.0", "jsonschema==4.26.0"]
# The version that findings are written in, and the newest: within 1.x each only adds to the one before.
VERSIONS = ["1.5.0", "1.8.0"]


def validate():
    from jsonschema import Draft202012Validator
    from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

    schemas = {version: OcsfJsonSchemaEmbedded(get_ocsf_schema(version=version)) for version in VERSIONS}
    validators = {}
    findings = errors = 0
    for line in sys.stdin:
        finding = json.loads(line)
        findings += 1
        profiles = finding.get("metadata", {}).get("profiles", [])
        for version, schema in schemas.items():
            key = (version, *profiles)
            if key not in validators:
                shape = schema.get_class_schema(class_name="detection_finding", profiles=profiles)
                validators[key] = Draft202012Validator(shape)
            for error in validators[key].iter_errors(finding):
                errors += 1
                place = "/".join(map(str, error.absolute_path))
                print(f"finding {findings}, OCSF {version}: {place}: {error.message[:500]}", file=sys.stderr)
    if findings == 0:
        print("no finding was given", file=sys.stderr)
    print(findings)
    return 1 if errors or findings == 0 else 0


if __name__ == "__main__":
    if len(sys.argv) == 2:
        # Beside the folders of the checks; nothing is to be left among the sources.
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        import environment

        python = environment.python(sys.argv[1], "ocsf", PACKAGES, "the schema of OCSF")
        os.execv(python, [python, __file__])
    sys.exit(validate())
