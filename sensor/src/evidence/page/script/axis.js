// The axis of time that all plots share: where a time is, and which times are written under it.

// Distances of labels that people read easily, in seconds: up to 30 days.
const STEPS = [
  1e-6, 2e-6, 5e-6, 1e-5, 2e-5, 5e-5, 1e-4, 2e-4, 5e-4, 1e-3, 2e-3, 5e-3, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30,
  60, 120, 300, 600, 900, 1800, 3600, 7200, 10800, 21600, 43200, 86400, 172800, 604800, 2592000,
];
const LABEL_WIDTH = 110;

// Where a time is, in a plot of this width.
function place(seconds, width) {
  return ((seconds - view.from) / (view.to - view.from)) * width;
}

// The time at a place.
function timeAt(x, width) {
  return view.from + (x / width) * (view.to - view.from);
}

// The times to write: round ones of the clock that is chosen, far enough from each other.
function ticks(width) {
  const least = (view.to - view.from) / Math.max(width / LABEL_WIDTH, 1);
  const step = STEPS.find(size => size >= least) ?? Math.ceil(least / 2592000) * 2592000;
  const offset = view.clock === "relative" ? 0 : ((ZERO_DATE / 1000) % 86400) + Number(ZERO % 1000000n) / 1e9;
  const found = [];
  for (let n = Math.ceil((view.from + offset) / step); n * step - offset <= view.to; n += 1) {
    found.push({ at: n * step - offset, label: tickLabel(n * step, step) });
  }
  return found;
}

// A round time, with as many digits as the step needs: "0", "+1:30", "−0:02.5", or "14:03".
function tickLabel(seconds, step) {
  const digits = step >= 1 ? 0 : Math.min(6, Math.ceil(-Math.log10(step)));
  // Rounded as it is shown: 59.99999 is a minute.
  const size = Number((Math.round(Math.abs(seconds) / step) * step).toFixed(6));
  const two = value => String(Math.floor(value)).padStart(2, "0");
  const rest = digits ? (size % 60).toFixed(digits).padStart(digits + 3, "0") : two(size % 60);
  if (view.clock === "relative") {
    if (size < step / 2) return "0";
    const hours = size >= 3600 ? `${Math.floor(size / 3600)}:${two((size % 3600) / 60)}` : Math.floor(size / 60);
    return `${seconds < 0 ? "\u2212" : "+"}${hours}:${rest}`;
  }
  const day = Number((((seconds % 86400) + 86400) % 86400).toFixed(6));
  if (step >= 86400) return new Date(ZERO_DATE + (seconds - (ZERO_DATE / 1000) % 86400) * 1000).toISOString().slice(5, 10);
  const minutes = `${two(day / 3600)}:${two((day % 3600) / 60)}`;
  return step >= 60 ? minutes : `${minutes}:${digits ? (day % 60).toFixed(digits).padStart(digits + 3, "0") : two(day % 60)}`;
}

// Lines of the axis down a plot, and its labels at `baseline` if that is given.
function gridLines(width, height, baseline) {
  return ticks(width).flatMap(({ at, label }) => {
    const x = place(at, width);
    const line = draw("line", { class: label === "0" ? "zero" : "grid", x1: x, x2: x, y1: 0, y2: height });
    // A label at an edge is moved in, so that it is whole.
    const anchor = x < 24 ? "start" : x > width - 24 ? "end" : "middle";
    return baseline ? [line, draw("text", { class: "tick", x, y: baseline, "text-anchor": anchor }, label)] : [line];
  });
}

// Gaps as hatched stripes down a plot.
function gapStripes(width, height) {
  return gaps.filter(gap => gap.to >= view.from && gap.at <= view.to).map(gap => {
    const x = place(Math.max(gap.at, view.from), width);
    const end = place(Math.min(gap.to, view.to), width);
    const stripe = draw("rect", { class: "gap-stripe", x, y: 0, width: Math.max(end - x, 3), height });
    stripe.told = { title: "Gap", lines: [gapSentence(gap)], row: gap };
    return stripe;
  });
}

// The hatching, to be defined once in each SVG that has stripes, since a printed page may show one without the others.
function hatching() {
  const lines = draw("path", { d: "M-2 2 L2 -2 M0 8 L8 0 M6 10 L10 6", class: "hatch" });
  return draw("defs", {}, draw("pattern", { id: "hatching", width: 8, height: 8, patternUnits: "userSpaceOnUse" }, lines));
}
