"""Runs the fleet-wide rules of deploy/siem over log records, in SQLite: JSON lines on standard input.

    python3 tests/siem/fleet.py DIRECTORY < records.jsonl

A line is a record as the tests' receiver prints it: `resource`, `attributes`, `event_name`, `time_unix_nano`. Once each `log.record.uid`, as
a store has it that deduplicates. pySigma (LGPL-2.1; a tool of this check, no part of Weir) and its backends are fetched once, into
DIRECTORY/siem-venv; all shipped rules and the fleet's are converted for each target of deploy/siem/convert.py on the way.

Status 0: standard output has, as JSON, `fired` (what each rule's query found: group, how many, the hosts it is about) and `converted` (how
many rules of each target, and those that are not). 77: it cannot be told, and why.
"""

import datetime
import json
import os
import sqlite3
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PACKAGES = [
    "pysigma==1.5.1",
    "pysigma-backend-sqlite==2.0.0",
    "pysigma-backend-splunk==2.1.0",
    "pysigma-backend-elasticsearch==2.1.1",
    "pysigma-backend-opensearch==2.0.3",
    "pysigma-backend-loki==0.15.1",
]


def table(database):
    """All records in a table `logs`, a column a field."""
    rows = {}
    for line in sys.stdin:
        record = json.loads(line)
        row = {**(record["resource"] or {}), **record["attributes"], "event_name": record["event_name"]}
        moment = datetime.datetime.fromtimestamp(int(record["time_unix_nano"]) / 1e9, datetime.UTC)
        row["timestamp"] = moment.strftime("%Y-%m-%d %H:%M:%S.%f")
        rows[row["log.record.uid"]] = {
            name: value if isinstance(value, (str, int, float)) and not isinstance(value, bool) else json.dumps(value)
            for name, value in row.items()
        }
    columns = sorted({name for row in rows.values() for name in row})
    quoted = ", ".join(f"`{name}`" for name in columns)
    database.execute(f"CREATE TABLE logs ({quoted})")
    marks = ", ".join("?" for _ in columns)
    database.executemany(
        f"INSERT INTO logs VALUES ({marks})", [[row.get(name) for name in columns] for row in rows.values()]
    )


def run():
    sys.path.insert(0, str(ROOT / "deploy" / "siem"))
    import convert

    fleet = sorted((ROOT / "deploy" / "siem" / "rules").glob("*.yml"))
    others = {"classes.yml", "roles.yml", "policy.example.yml"}
    shipped = [path for path in sorted((ROOT / "rules").glob("*.yml")) if path.name not in others]
    database = sqlite3.connect(":memory:")
    database.row_factory = sqlite3.Row
    table(database)
    fired = {}
    queries, failed = convert.convert("sqlite", fleet)
    assert not failed, failed
    for name, (query,) in queries.items():
        fired[name] = []
        for found in database.execute(query):
            rows = [int(event.rsplit(":", 1)[1]) for event in json.loads(found["event_ids"])]
            marks = ", ".join("?" for _ in rows)
            hosts = database.execute(f"SELECT DISTINCT `host.name` FROM logs WHERE rowid IN ({marks}) ORDER BY 1", rows)
            fired[name].append(
                {
                    "group": json.loads(found["group_keys"]),
                    "count": found["metric_value"],
                    "hosts": [host for (host,) in hosts],
                }
            )
    converted = {}
    for target in convert.PLUGINS:
        whole, none = convert.convert(target, fleet)
        queries, failed = convert.convert(target, shipped)
        converted[target] = {"fleet": sorted(whole), "shipped": len(queries), "failed": failed, "fleet_failed": none}
    json.dump({"fired": fired, "converted": converted}, sys.stdout)
    return 0


if __name__ == "__main__":
    # Nothing is to be left among the sources.
    sys.dont_write_bytecode = True
    if len(sys.argv) == 2:
        sys.path.insert(0, str(ROOT / "tests"))
        import environment

        python = environment.python(sys.argv[1], "siem", PACKAGES, "pySigma")
        os.execv(python, [python, __file__])
    sys.exit(run())
