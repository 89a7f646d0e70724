// Bytes held and bytes sent over time, as steps.

const CHART_HEIGHT = 230;
const MOST_CHART_HEIGHT = 420;
const CHART_TOP = 18;
const CHART_BOTTOM = 26;
const MOST_ALERT_LINES = 24;
// Lines that a person can tell apart; what is beyond is said, not drawn.
const LINES = 8;

function nameOfSeries({ quantity, workload, destination }) {
  const by = workload === null ? "" : ` by ${workloadName(workload)}`;
  return `${quantity === "held" ? "Held" : "Sent"}${by}${destination ? ` to ${destination}` : ""}`;
}

const series = timeline.series
  .map(one => ({
    one,
    name: nameOfSeries(one),
    points: one.points.map(point => ({ at: since(point.time.nanos), bytes: Number(point.bytes) })),
    last: Number(one.points.at(-1)?.bytes ?? 0),
  }))
  .sort((one, other) => other.last - one.last);
const drawn = series.slice(0, LINES);

function buildChart(section) {
  section.append(make("div", { class: "title" }, make("h2", { id: "chart-title" }, "Bytes held and sent")));
  if (!series.length) {
    section.append(make("p", { class: "empty" }, "Nothing was held or sent."));
    return;
  }
  const said = series.map(({ name, last }) => `${name}: ${bytes(last)}`).join("; ");
  const svg = draw("svg", { class: "chart", role: "img", "aria-label": `Bytes over time. ${said}` });
  const legend = chartLegend();
  section.append(make("div", { class: "chart-body" }, legend, svg));

  // As high as the names of the lines beside it, within reason.
  const redraw = () => {
    const beside = legend.getBoundingClientRect().right <= svg.getBoundingClientRect().left + 1 && !view.printing;
    drawChart(svg, plotWidth(svg, BAR_WIDTH_ON_PAPER), clamp(beside ? legend.scrollHeight : 0, CHART_HEIGHT, MOST_CHART_HEIGHT));
  };
  watch(["from", "to", "clock", "printing"], redraw);
  new ResizeObserver(redraw).observe(svg);
  reactive(svg, x => toldAt(svg, x), told => told.row && showRow(told.row));
  svg.addEventListener("pointerleave", () => moveCursor(svg, null));
}

// Which line is which, and how far it got.
function chartLegend() {
  const line = ({ one, name, last }, index) => make("li", {},
    lineIcon(one, index),
    make("span", { class: "text" }, make("span", {}, name), make("b", {}, bytes(last))),
  );
  const rest = series.length - drawn.length;
  const more = rest ? make("li", { class: "muted" }, `${counted(rest, "smaller one is", "smaller ones are")} not drawn`) : null;
  return make("ul", { class: "lines" }, ...drawn.map(line), more);
}

function lineIcon(one, index) {
  const path = draw("path", { class: `line line-${index} ${one.quantity}`, d: "M0 6H28" });
  return draw("svg", { class: "line-icon", viewBox: "0 0 28 12", "aria-hidden": "true" }, path);
}

// What every line is at the place of the pointer.
function toldAt(svg, x) {
  moveCursor(svg, x);
  const at = timeAt(x, svg.clientWidth);
  const lines = drawn.map((one, index) => make("div", { class: "value" },
    lineIcon(one.one, index),
    make("span", {}, one.name),
    make("b", {}, bytes(valueAt(one, at))),
  ));
  return { title: clockText(at), lines };
}

function moveCursor(svg, x) {
  const cursor = svg.querySelector(".cursor");
  if (x !== null) cursor?.setAttribute("transform", `translate(${x} 0)`);
  cursor?.setAttribute("visibility", x === null ? "hidden" : "visible");
}

// What a series is at a time.
function valueAt({ points }, seconds) {
  let [low, high] = [0, points.length];
  while (low < high) {
    const half = (low + high) >> 1;
    if (points[half].at <= seconds) low = half + 1;
    else high = half;
  }
  return low ? points[low - 1].bytes : 0;
}

function drawChart(svg, width, whole) {
  const height = whole - CHART_BOTTOM;
  const most = Math.max(...drawn.map(one => valueAt(one, view.to)), 1);
  const step = roundStep(most / 5);
  const top = Math.ceil(most / step) * step;
  const y = count => height - (count / top) * (height - CHART_TOP);
  const levels = Array.from({ length: Math.round(top / step) + 1 }, (_, n) => n * step);
  svg.setAttribute("viewBox", `0 0 ${width} ${whole}`);
  svg.style.height = `${whole}px`;
  svg.replaceChildren(
    hatching(),
    draw("rect", { class: "ground", width, height }),
    ...gapStripes(width, height),
    ...gridLines(width, height, height + 18),
    ...levels.map(count => draw("line", { class: count ? "grid" : "floor", x1: 0, x2: width, y1: y(count), y2: y(count) })),
    ...drawn.map((one, index) => draw("path", { class: `line line-${index} ${one.one.quantity}`, d: steps(one, width, y) })).reverse(),
    ...alertLines(width, height),
    ...levels.map(count => draw("text", { class: "tick", x: -8, y: y(count) + 4, "text-anchor": "end" }, bytes(count))),
    draw("line", { class: "cursor", x1: 0, x2: 0, y1: 0, y2: height, visibility: "hidden" }),
  );
}

// A path that goes level from point to point, and up at each; points of one pixel are one.
function steps(one, width, y) {
  let path = "";
  let column = null;
  const low = y(valueAt(one, view.from));
  for (const { at, bytes: count } of one.points) {
    if (at <= view.from || at > view.to) continue;
    const x = place(at, width).toFixed(1);
    path += x === column ? `V${y(count).toFixed(1)}` : `H${x}V${y(count).toFixed(1)}`;
    column = x;
  }
  return `M0 ${low.toFixed(1)}${path}H${place(Math.min(TO, view.to), width).toFixed(1)}`;
}

// Alerts above the lines, and where they are along them, unless there are so many that nothing else could be seen.
function alertLines(width, height) {
  const marks = marksOf(rows.filter(row => row.kind === "alert"), width, 9);
  if (marks.length > MOST_ALERT_LINES) return marks;
  const line = ({ told: { row } }) => {
    const x = place(row.at, width);
    return draw("line", { class: "alert-line", x1: x, x2: x, y1: 0, y2: height });
  };
  return [...marks.map(line), ...marks];
}

// 1, 2 or 5 times a power of ten, at least this much.
function roundStep(least) {
  const power = 10 ** Math.floor(Math.log10(Math.max(least, 1)));
  return [1, 2, 5, 10].map(factor => factor * power).find(step => step >= least);
}
