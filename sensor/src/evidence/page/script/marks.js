// Marks: what a process did, as shapes on its bar. Shape and colour say the same, so that either is enough.

const MARKS = {
  read: { name: "Read", plural: "reads", path: "M0 -4.5 A4.5 4.5 0 1 1 0 4.5 A4.5 4.5 0 1 1 0 -4.5 Z" },
  write: { name: "Write", plural: "writes", path: "M-4 -4 H4 V4 H-4 Z" },
  send: { name: "Send", plural: "sends", path: "M0 -5 L5.4 4.4 H-5.4 Z" },
  alert: { name: "Alert", plural: "alerts", path: "M0 -6.8 L6.8 0 L0 6.8 L-6.8 0 Z" },
  other: { name: "Other", plural: "other events", path: "M-1 -5 H1 V5 H-1 Z" },
};
// Those later in this list are drawn over those before.
const MARK_ORDER = ["other", "write", "read", "send", "alert"];
// Reads and writes are beside the bar, since a copy is both at once.
const MARK_OFFSET = { read: -8, write: 8 };
// Marks of a kind that are closer than this are one.
const MARK_DISTANCE = 6;
const LINES_IN_TIP = 6;

// "read", or "reads" of several.
function markName(mark, count) {
  return count === 1 ? MARKS[mark].name.toLowerCase() : MARKS[mark].plural;
}

function markShape(mark, x, y) {
  return draw("path", { class: `mark ${mark}`, d: MARKS[mark].path, transform: `translate(${x.toFixed(1)} ${y})` });
}

// A mark by itself, for legends and the table; what it means stands beside it.
function markIcon(mark) {
  return draw("svg", { class: "icon", viewBox: "-8 -8 16 16", "aria-hidden": "true" }, markShape(mark, 0, 0));
}

// The marks of these rows at height `y`, those that would cover each other taken together.
function marksOf(found, width, y) {
  const groups = [];
  for (const mark of MARK_ORDER) {
    let group = null;
    for (const row of found) {
      if (row.mark !== mark || row.at < view.from || row.at > view.to) continue;
      const x = place(row.at, width);
      if (!group || x - group.x > MARK_DISTANCE) groups.push((group = { mark, x, rows: [] }));
      group.rows.push(row);
    }
  }
  return groups.map(group => {
    const shape = markShape(group.mark, group.x, y + (MARK_OFFSET[group.mark] ?? 0));
    shape.told = toldOfMarks(group);
    return shape;
  });
}

function toldOfMarks({ mark, rows: found }) {
  const lines = found.slice(0, LINES_IN_TIP).map(row => {
    const time = make("span", { class: "muted" }, clockText(row.at, row.entry.time.text));
    return make("div", {}, time, " ", row.entry.sentence);
  });
  if (found.length > LINES_IN_TIP) lines.push(`and ${number(found.length - LINES_IN_TIP)} more`);
  const title = found.length === 1 ? MARKS[mark].name : `${number(found.length)} ${MARKS[mark].plural}`;
  return { title, lines, row: found[0] };
}
