"""Asks DuckDB what docs/evidence.md asks of an export.

    python3 tests/parquet/ask.py target PAGE EXPORT

The questions are the page's blocks of SQL, each by the name in its first line (`-- name`). DuckDB (MIT) is fetched once, into
DIRECTORY/parquet-venv.

Status 0: standard output has a JSON object, the rows of each question by its name. 1: a question cannot be asked, and standard error
says why. 77: it cannot be told, and why.
"""

import json
import os
import re
import sys
from pathlib import Path

PACKAGES = ["duckdb==1.4.4", "pytz==2025.2"]


def ask():
    import duckdb

    page, export = Path(sys.argv[1]).read_text(), sys.argv[2]
    os.chdir(export)
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    answers = {}
    for name, query in re.findall(r"```sql\n-- (\w+)\n(.*?)```", page, re.S):
        try:
            result = connection.execute(query)
        except duckdb.Error as error:
            print(f"{name}: {error}", file=sys.stderr)
            return 1
        names = [column[0] for column in result.description]
        answers[name] = [dict(zip(names, row)) for row in result.fetchall()]
    print(json.dumps(answers, default=str))
    return 0


if __name__ == "__main__":
    if len(sys.argv) == 4:
        # Beside the folders of the checks; nothing is to be left among the sources.
        sys.dont_write_bytecode = True
        sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
        import environment

        python = environment.python(sys.argv[1], "parquet", PACKAGES, "DuckDB")
        os.execv(python, [python, __file__, *map(os.path.abspath, sys.argv[2:])])
    sys.exit(ask())
