// One row of the table, and all that is known of it.

const COLUMNS = [
  { name: "at", title: "Time" },
  { name: "kind", title: "Kind" },
  { name: "process", title: "Process" },
  { name: "workload", title: "Container" },
  { name: null, title: "What happened" },
  { name: "bytes", title: "Bytes" },
  { name: "role", title: "Role" },
];

function lineOf(row) {
  return row.gap ? gapLine(row) : entryLine(row);
}

function entryLine(row) {
  const { entry } = row;
  const process = row.process;
  const told = () => [severityBadge(entry.severity), make("span", { class: "spoken" }, entry.kind)];
  const kind = row.severity < 0 ? [markIcon(row.mark), entry.kind] : told();
  return make("tr", { class: `line ${row.mark} ${row.severity < 0 ? "" : SEVERITIES[row.severity]}` },
    timeCell(row.at, entry.time.text),
    make("td", { class: "kind" }, ...kind),
    make("td", { class: "process" }, ...(process ? [process.name, " ", make("span", { class: "muted" }, process.process.pid)] : [])),
    make("td", { class: "workload" }, row.workload),
    make("td", { class: "what" }, make("div", { class: "sentence" }, entry.sentence)),
    make("td", { class: "bytes" }, bytes(entry.bytes)),
    make("td", { class: "role" }, entry.role),
  );
}

function gapLine(row) {
  return make("tr", { class: "line gap" },
    timeCell(row.at),
    make("td", { class: "kind" }, "gap"),
    make("td", { colspan: columnsShown() - 2, class: "what" }, make("div", { class: "sentence" }, gapSentence(row))),
  );
}

function timeCell(seconds, text) {
  return make("td", { class: "at" }, (view.printing ? clockTexts : clockText)(seconds, text));
}

// All attributes of a row, by name.
function attributesOf({ entry, gap, at, to }) {
  if (gap) {
    const { place, cause, kind, count } = gap;
    return Object.entries({ place, cause, kind: kind ?? "any", count: count ?? "not known", from: clockText(at), to: clockText(to) });
  }
  const known = Object.entries(entry.attributes).sort(([one], [other]) => (one < other ? -1 : 1));
  return [["time", `${entry.time.text} (${entry.relative} s)`], ...known];
}

function detailsOf(row) {
  const { entry, gap, process } = row;
  const attribute = ([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, valueText(value)));
  const list = make("dl", { class: "attributes" }, ...attributesOf(row).map(attribute));
  const show = () => change({ process: process.process.id });
  const only = process && button(`Only what ${process.name} (${process.process.pid}) did`, "Filter by this process", show);
  const near = () => showTime(row.at - 30, row.at + 30);
  const around = button("A minute around it", "Show the time from 30 seconds before to 30 seconds after", near);
  return make("tr", { class: "details" }, make("td", { colspan: columnsShown() },
    make("p", { class: "sentence" }, gap ? gapSentence(row) : entry.sentence),
    list,
    make("div", { class: "controls buttons" }, only, around),
  ));
}
