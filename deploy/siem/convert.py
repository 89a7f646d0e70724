"""Converts Sigma rules to the language of another engine: those of deploy/siem/rules, and those of rules/.

    python3 deploy/siem/convert.py TARGET FILE...     sqlite, splunk, esql, eql, lucene, opensearch_lucene, loki
    python3 deploy/siem/convert.py sqlite deploy/siem/rules/*.yml
    python3 deploy/siem/convert.py splunk rules/*.yml

Needs `pip install pysigma` and the package of the target: pysigma-backend-sqlite, -splunk, -elasticsearch, -opensearch, -loki. Field names
stay as they are: they are the attributes of Weir's log records. What a rule leaves to its log source becomes a condition on the kind of
the record; `|expand` is filled from rules/lists.

Queries are on standard output, what was not converted and why on standard error. Status 0: all were. 1: some were not.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PLUGINS = {
    "sqlite": ("sigma.backends.sqlite", "sqliteBackend"),
    "splunk": ("sigma.backends.splunk", "SplunkBackend"),
    "esql": ("sigma.backends.elasticsearch", "ESQLBackend"),
    "eql": ("sigma.backends.elasticsearch", "EqlBackend"),
    "lucene": ("sigma.backends.elasticsearch", "LuceneBackend"),
    "opensearch_lucene": ("sigma.backends.opensearch", "OpensearchLuceneBackend"),
    "loki": ("sigma.backends.loki", "LogQLBackend"),
}
# `weir.event.kind` of each category of rules/README.md; `sensor/src/detection/category.rs` is the same in the agent.
KINDS = {
    "process_creation": ["exec"],
    "file_access": ["open"],
    "file_event": ["open"],
    "network_connection": ["connect"],
    "network_flow": ["flow"],
    "egress": ["flow", "egress"],
    "file_rename": ["rename"],
    "file_delete": ["unlink"],
    "file_change": ["link", "truncate"],
    "transfer": ["transfer"],
    "process_access": ["process_access"],
    "driver_load": ["module"],
    "socket_creation": ["socket"],
    "bpf": ["bpf"],
    "mount": ["mount"],
    "namespace": ["namespace"],
    "network_listen": ["listen"],
    "dns_query": ["dns"],
    "sensor_tampering": ["tamper"],
}


def lists():
    """The lists of rules/lists by name, comments and what stands behind a blank left out."""
    found = {}
    for path in sorted((ROOT / "rules" / "lists").glob("*.txt")):
        lines = (line.strip() for line in path.read_text().splitlines())
        found[path.stem] = [line.split()[0] for line in lines if line and not line.startswith("#")]
    return found


def words():
    """Truth values as words, as Loki keeps them."""
    from sigma.processing.transformations.base import ValueTransformation
    from sigma.types import SigmaBool, SigmaString

    class Words(ValueTransformation):
        def apply_value(self, field, val):
            return SigmaString(str(val.boolean).lower()) if isinstance(val, SigmaBool) else None

    return Words()


def pipeline(target):
    from sigma.processing.conditions import LogsourceCondition
    from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
    from sigma.processing.transformations import AddConditionTransformation, ValueListPlaceholderTransformation

    items = [ProcessingItem(ValueListPlaceholderTransformation())]
    for category, kinds in KINDS.items():
        items.append(
            ProcessingItem(
                AddConditionTransformation({"weir.event.kind": kinds}),
                rule_conditions=[LogsourceCondition(category=category, product="linux")],
            )
        )
    items.append(
        ProcessingItem(
            AddConditionTransformation({"event_name": "weir.alert"}),
            rule_conditions=[LogsourceCondition(service="alert", product="weir")],
        )
    )
    if target == "loki":
        items.append(ProcessingItem(words()))
    return ProcessingPipeline(name="weir", items=items, vars=lists())


def backend(target):
    module, name = PLUGINS[target]
    return getattr(__import__(module, fromlist=[name]), name)(pipeline(target), collect_errors=True)


def convert(target, paths):
    """The queries by the name of the rule, and why there is none for the others. Files are one collection: rules name each other."""
    import yaml
    from sigma.collection import SigmaCollection
    from sigma.correlations import SigmaCorrelationRule

    documents = [document for path in paths for document in yaml.safe_load_all(Path(path).read_text())]
    collection = SigmaCollection.from_dicts(documents, collect_errors=True)
    parts = {part.rule.name for rule in collection.rules if isinstance(rule, SigmaCorrelationRule) for part in rule.rules}
    engine = backend(target)
    queries, failed = {}, {}
    engine.last_processing_pipeline = engine.backend_processing_pipeline + engine.processing_pipeline
    for rule in sorted(collection.rules, key=lambda rule: isinstance(rule, SigmaCorrelationRule)):
        errors = len(engine.errors)
        try:
            is_correlation = isinstance(rule, SigmaCorrelationRule)
            found = engine.convert_correlation_rule(rule) if is_correlation else engine.convert_rule(rule)
        except Exception as error:  # whatever a backend says is a reason
            failed[rule.name or rule.title] = str(error)
            continue
        new = engine.errors[errors:] or [(rule, error) for error in rule.errors]
        if new:
            failed[rule.name or rule.title] = str(new[0][1])
        elif is_correlation or rule.name not in parts or str(rule.level).lower() != "informational":
            queries[rule.name or rule.title] = [str(query) for query in found]
    return queries, failed


def main(target, paths):
    queries, failed = convert(target, paths)
    print(json.dumps(queries, indent=1, ensure_ascii=False))
    for name, reason in failed.items():
        print(f"{name}: {reason.split(' (while')[0][:200]}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    if len(sys.argv) < 3 or sys.argv[1] not in PLUGINS:
        sys.exit(__doc__)
    sys.exit(main(sys.argv[1], sys.argv[2:]))
