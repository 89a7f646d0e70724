// The timeline that is in the page, with what is looked up often made ready. Times are seconds since the timeline's zero from here on.

const timeline = JSON.parse(document.getElementById("timeline").textContent);
const ZERO = BigInt(timeline.zero.nanos);
// JavaScript's dates are milliseconds; what is finer is taken from the texts.
const ZERO_DATE = Number(ZERO / 1000000n);
const FROM = since(timeline.from.nanos);
const TO = Math.max(since(timeline.to.nanos), FROM + 1e-6);
const SEVERITIES = ["low", "medium", "high", "critical"];
const ROLES = ["cause", "subject", "effect"];

function since(nanos) {
  return Number(BigInt(nanos) - ZERO) / 1e9;
}

function clamp(value, low, high) {
  return Math.min(Math.max(value, low), high);
}

function workloadName(index) {
  return timeline.workloads[index]?.name ?? "";
}

// The last part of a path.
function fileName(path) {
  return path.slice(path.lastIndexOf("/") + 1) || path;
}

// What an entry is to the eye: one of five marks.
function markOf(entry) {
  const attributes = entry.attributes;
  switch (entry.kind) {
    case "alert":
    case "incident":
      return "alert";
    case "open": {
      const access = attributes["weir.file.access"];
      return access === "read" ? "read" : access === "write" || access === "read_write" ? "write" : "other";
    }
    case "rename":
    case "link":
    case "unlink":
    case "truncate":
      return "write";
    case "transfer":
      return attributes["weir.transfer.direction"] === "in" ? "read" : "write";
    case "connect":
    case "flow":
    case "egress":
      return "send";
    default:
      return "other";
  }
}

// Processes in the order of the tree, each with its depth; a parent that is not there, or comes later, is none.
const processes = [];
const byId = new Map();
for (const process of timeline.processes) {
  const parent = byId.get(process.parent) ?? null;
  const known = {
    process,
    children: [],
    depth: parent ? parent.depth + 1 : 0,
    begin: since(process.begin.nanos),
    end: process.end ? since(process.end.nanos) : null,
    name: fileName(process.executable),
    rows: [],
  };
  byId.set(process.id, known);
  if (parent) parent.children.push(known);
}
const waiting = [...byId.values()].filter(known => known.depth === 0).reverse();
while (waiting.length) {
  const known = waiting.pop();
  known.row = processes.push(known) - 1;
  waiting.push(...known.children.reverse());
}

// What happened and what is missing, by time: the rows of the table.
const rows = timeline.entries.map(entry => ({
  entry,
  gap: null,
  at: since(entry.time.nanos),
  kind: entry.kind,
  mark: markOf(entry),
  process: byId.get(entry.process) ?? null,
  workload: workloadName(entry.workload),
  severity: SEVERITIES.indexOf(entry.severity),
  role: ROLES.indexOf(entry.role),
  bytes: entry.bytes ?? -1,
}));
const gaps = timeline.gaps.map(gap => {
  // What is missing may reach further than what was asked for.
  const [from, to] = [clamp(since(gap.from), FROM, TO), clamp(since(gap.to), FROM, TO)];
  const nothing = { entry: null, process: null, workload: "", severity: -1, role: -1, bytes: -1 };
  return { ...nothing, gap, at: from, to, kind: "gap", mark: "gap" };
});
rows.push(...gaps);
rows.sort((one, other) => one.at - other.at);
rows.forEach((row, index) => {
  row.index = index;
  row.process?.rows.push(row);
});

// A gap as a sentence.
function gapSentence({ gap, at, to }) {
  const kind = gap.kind === null ? "" : `${gap.kind} `;
  const what = gap.count === null ? `An unknown number of ${kind}events` : counted(gap.count, `${kind}event`, `${kind}events`);
  return `${what} missing within ${lasting(Math.max(to - at, 0))} (${gap.place}): ${gap.cause}`;
}

// All that is said of a row, in small letters: what the search looks into. Made when first asked for.
function searchText(row) {
  row.text ??= (row.gap ? `gap ${gapSentence(row)}` : entryText(row)).toLowerCase();
  return row.text;
}

function entryText({ kind, entry, workload, process }) {
  const attributes = Object.entries(entry.attributes).map(([name, value]) => `${name}=${valueText(value)}`);
  return [kind, entry.sentence, workload, process?.process.executable, process?.process.command_line, ...attributes].join("\n");
}

// An attribute's value as text.
function valueText(value) {
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
