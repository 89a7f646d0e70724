// What is looked at now. Parts of the page change it and are told of changes; no part knows another.

const view = {
  // The time that plots and table show.
  from: FROM,
  to: TO,
  // Whether times are told since zero, or as time of day (UTC).
  clock: "relative",
  // What the table lets through; empty: everything.
  text: "",
  kind: "",
  role: "",
  process: "",
  workload: "",
  severity: "",
  // What the table is ordered by.
  sort: "at",
  falling: false,
  // The row whose details are shown.
  open: null,
  // While it is printed, nothing is left out for the sake of speed or place.
  printing: false,
};
const NO_FILTER = { text: "", kind: "", role: "", process: "", workload: "", severity: "", from: FROM, to: TO };
const watchers = [];

// Calls `redraw` when one of these changes.
function watch(names, redraw) {
  watchers.push({ names, redraw });
}

function change(what) {
  const changed = Object.keys(what).filter(name => view[name] !== what[name]);
  Object.assign(view, what);
  for (const { names, redraw } of watchers) {
    if (changed.some(name => names.includes(name))) redraw();
  }
}

// Shows this much of the time, as far as there is any; never less than a microsecond.
function showTime(from, to) {
  const span = clamp(to - from, 1e-6, TO - FROM);
  const start = clamp(from, FROM, TO - span);
  change({ from: start, to: Math.min(start + span, TO) });
}

const isWhole = () => view.from === FROM && view.to === TO;

// A time as the clock that is chosen tells it. `text`: the same time as RFC 3339, if there is one, which is exact.
function clockText(seconds, text) {
  return view.clock === "relative" ? relativeText(seconds) : absoluteText(seconds, text);
}

// Both, for paper, where nothing can be chosen.
function clockTexts(seconds, text) {
  return `${relativeText(seconds)}  ${absoluteText(seconds, text)}`;
}

function relativeText(seconds) {
  return `${seconds < 0 ? "\u2212" : "+"}${Math.abs(seconds).toFixed(6)} s`;
}

function absoluteText(seconds, text) {
  const whole = text ?? new Date(ZERO_DATE + seconds * 1000).toISOString();
  const severalDays = timeline.from.text.slice(0, 10) !== timeline.to.text.slice(0, 10);
  return `${severalDays ? `${whole.slice(0, 10)} ` : ""}${whole.slice(11, 26).replace("Z", "")}`;
}

// A time to the microsecond with its day: "2026-07-14 14:03:12.481203 UTC".
function fullTime(time) {
  return `${time.text.slice(0, 10)} ${time.text.slice(11, 26)} UTC`;
}
