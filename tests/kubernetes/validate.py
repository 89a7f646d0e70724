"""Holds manifests against the schemas of Kubernetes, strictly: a field that a version does not know is an error.

    python validate.py versions          the versions that there are schemas for, one a line
    python validate.py < manifests       a JSON list of {"name": ..., "version": "1.30", "text": YAML}

Status 0: all are valid, and standard output says how many resources were looked at. 1: some are not, and standard error says which and why.
"""

import functools
import json
import sys

import yaml
from kubernetes_validate import utils

# Each resource asks for all definitions of its version again.
utils.schema_contents = functools.lru_cache(maxsize=None)(utils.schema_contents)


def versions():
    return [utils.major_minor(version) for version in dict.fromkeys(utils.all_versions())]


def validate():
    seen, count, wrong = set(), 0, 0
    for manifest in json.load(sys.stdin):
        name, version = manifest["name"], manifest["version"]
        for resource in yaml.safe_load_all(manifest["text"]):
            if resource is None:
                continue
            count += 1
            # Most are the same whatever the values.
            key = (version, json.dumps(resource, sort_keys=True))
            if key in seen:
                continue
            seen.add(key)
            reason = problem(resource, version)
            if reason:
                wrong += 1
                kind = resource.get("kind")
                print(f"{name}, Kubernetes {version}, {kind}: {reason}", file=sys.stderr)
    print(count)
    return 1 if wrong or count == 0 else 0


def problem(resource, version):
    try:
        utils.validate(resource, version, strict=True)
    except utils.ValidationError as error:
        return f"{'.'.join(map(str, error.path))}: {error.message[:300]}"
    except (utils.SchemaNotFoundError, utils.InvalidSchemaError, utils.VersionNotSupportedError) as error:
        return error.message
    return None


if __name__ == "__main__":
    if sys.argv[1:] == ["versions"]:
        print("\n".join(versions()))
    else:
        sys.exit(validate())
