// Which rows the table shows, in which order, and the controls that choose.

// The rows that are let through. Gaps are what is missing whatever was asked for: only time, kind and text leave them out.
function filtered() {
  const words = view.text.toLowerCase().split(/\s+/).filter(word => word);
  const role = ROLES.indexOf(view.role);
  const severity = SEVERITIES.indexOf(view.severity);
  const found = rows.filter(row =>
    row.at <= view.to &&
    (row.to ?? row.at) >= view.from &&
    (!view.kind || row.kind === view.kind) &&
    (row.gap !== null ||
      ((role < 0 || row.role === role) &&
        (!view.process || row.process?.process.id === view.process) &&
        (!view.workload || row.workload === view.workload) &&
        (severity < 0 || row.severity >= severity))) &&
    words.every(word => searchText(row).includes(word)),
  );
  if (view.sort !== "at" || view.falling) {
    const sign = view.falling ? -1 : 1;
    const key = SORT_KEYS[view.sort];
    const keys = new Map(found.map(row => [row, key(row)]));
    found.sort((one, other) => {
      const [a, b] = [keys.get(one), keys.get(other)];
      return a === b ? one.index - other.index : (a < b ? -1 : 1) * sign;
    });
  }
  return found;
}

const SORT_KEYS = {
  at: row => row.at,
  kind: row => row.kind,
  process: row => row.process?.name ?? "",
  workload: row => row.workload,
  bytes: row => row.bytes,
  role: row => row.role,
};

function buildFilters() {
  const hint = "Search paths, arguments, peers, any attribute";
  const text = make("input", { type: "search", id: "search", placeholder: hint, "aria-label": "Search", autocomplete: "off", spellcheck: "false" });
  text.addEventListener("input", () => change({ text: text.value, open: null }));
  const busy = processes.filter(known => known.rows.length);
  const severe = n => rows.filter(row => row.severity >= n).length;
  const selects = [
    select("kind", "All kinds", tally(row => row.kind)),
    select("process", "All processes", busy.map(known => [known.process.id, `${known.name} (${known.process.pid})`, known.rows.length])),
    select("workload", "All containers", tally(row => row.workload)),
    select("role", "All roles", ROLES.map((role, n) => [role, role, rows.filter(row => row.role === n).length])),
    select("severity", "Any severity", SEVERITIES.map((severity, n) => [severity, n < 3 ? `${severity} or worse` : severity, severe(n)])),
  ];
  const count = make("span", { class: "count", id: "count", role: "status" });
  const all = button("Show all", "Take all filters away", () => change({ ...NO_FILTER, open: null }));
  const show = () => {
    text.value = view.text;
    const shown = found.filter(row => !row.gap).length;
    const whole = rows.length - gaps.length;
    count.textContent = shown === whole ? counted(whole, "entry", "entries") : `${number(shown)} of ${counted(whole, "entry", "entries")}`;
    all.disabled = Object.entries(NO_FILTER).every(([name, value]) => view[name] === value);
  };
  return { element: make("div", { class: "controls filters", role: "search" }, text, ...selects, all), count, show };
}

function select(name, everything, options) {
  const element = make("select", { "aria-label": everything.replace(/^(All|Any) /, "Filter by "), id: `filter-${name}` },
    make("option", { value: "" }, everything),
    ...options.filter(([, , count]) => count).map(([value, label, count]) => {
      const option = make("option", {}, `${plain(label)} (${number(count)})`);
      // Not by `make`, which shows what cannot be seen: this is compared.
      option.value = value;
      return option;
    }),
  );
  element.addEventListener("change", () => change({ [name]: element.value, open: null }));
  watch([name], () => {
    element.value = view[name];
    element.classList.toggle("set", view[name] !== "");
  });
  return element;
}

// [value, label, count] of what rows have, the most frequent first.
function tally(of) {
  const counts = new Map();
  for (const row of rows) {
    const value = of(row);
    if (value) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return [...counts].sort((one, other) => other[1] - one[1]).map(([value, count]) => [value, value, count]);
}
