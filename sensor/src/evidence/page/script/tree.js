// The process tree on the axis of time: who started whom, how long each lived, and what it did when.

const ROW_HEIGHT = 40;
const AXIS_HEIGHT = 26;
const BAR_HEIGHT = 8;
const BAR_WIDTH_ON_PAPER = 620;
// Rows are drawn in blocks of this many: what a page of paper does not part.
const BLOCK = 8;

function buildTree(section) {
  const axis = draw("svg", { class: "axis", "aria-hidden": "true" });
  const blocks = [];
  for (let first = 0; first < processes.length; first += BLOCK) {
    blocks.push(buildBlock(first, Math.min(first + BLOCK, processes.length)));
  }
  const names = make("div", { role: "tree", "aria-label": "Processes" }, ...blocks.map(block => block.element));
  const head = make("div", { class: "tree-head" }, make("div", { class: "corner muted" }, "Process"), axis);
  const scroller = make("div", { class: "scroller" }, head, names);
  section.append(make("div", { class: "title" }, make("h2", { id: "tree-title" }, "Processes"), timeButtons()));
  if (!processes.length) {
    section.append(make("p", { class: "empty" }, "No processes."));
    return;
  }
  section.append(scroller, treeLegend(), processTable());

  const redraw = () => {
    // The scroll bar takes from the card's edge, not from the plot, whose axis is that of the chart below.
    scroller.style.setProperty("--scrollbar", `${scroller.offsetWidth - scroller.clientWidth}px`);
    const width = plotWidth(axis, BAR_WIDTH_ON_PAPER);
    drawAxis(axis, width);
    for (const block of blocks) drawBars(block, width);
  };
  const items = [...names.querySelectorAll(".name")];
  watch(["from", "to", "clock", "printing", "process"], redraw);
  watch(["process"], () => {
    items.forEach((item, row) => item.setAttribute("aria-selected", processes[row].process.id === view.process));
  });
  new ResizeObserver(redraw).observe(axis);
  reactive(axis, () => null, () => {});
  keys(names, items);
}

// The names and the place for the bars of some processes.
function buildBlock(first, last) {
  const svg = draw("svg", { class: "bars", "aria-hidden": "true" });
  const names = make("div", { role: "none", class: "names" }, ...processes.slice(first, last).map(nameOf));
  const under = (_, event) => {
    const known = processes[first + Math.floor((event.clientY - svg.getBoundingClientRect().top) / ROW_HEIGHT)];
    return known ? toldOfProcess(known) : null;
  };
  reactive(svg, under, told => (told.row ? showRow(told.row) : chooseProcess(told.known)));
  return { element: make("div", { role: "none", class: "block" }, names, svg), svg, first, last };
}

function nameOf(known) {
  const { process } = known;
  const amounts = make("span", { class: "amounts" },
    process.sent ? make("span", {}, `sent ${bytes(process.sent)}`) : null,
    process.held ? make("span", { class: "muted" }, `held ${bytes(process.held)}`) : null,
  );
  const where = workloadName(process.workload);
  const item = make("div", { role: "treeitem", class: "name", "aria-level": known.depth + 1, "aria-selected": "false", "aria-label": spoken(known) },
    make("span", { class: "text" },
      make("span", { class: "first" }, make("b", {}, known.name), " ", make("span", { class: "muted" }, process.pid)),
      make("span", { class: "second muted" }, where ? `${where} \u00b7 ` : "", process.command_line),
    ),
    amounts,
  );
  item.tabIndex = known.row === 0 ? 0 : -1;
  item.style.setProperty("--depth", Math.min(known.depth, 12));
  item.addEventListener("click", () => chooseProcess(known));
  item.addEventListener("pointermove", event => showTip(toldOfProcess(known), event.clientX, event.clientY));
  item.addEventListener("pointerleave", hideTip);
  item.addEventListener("focus", () => {
    const box = item.getBoundingClientRect();
    if (item.matches(":focus-visible")) showTip(toldOfProcess(known), box.left + 40, box.bottom - 12);
  });
  item.addEventListener("blur", hideTip);
  return item;
}

function spoken(known) {
  const { process } = known;
  const amounts = `held ${bytes(process.held)}, sent ${bytes(process.sent)}, ${counted(known.rows.length, "entry", "entries")}`;
  return `${known.name}, process ${process.pid}, ${process.role}, ${workloadName(process.workload)}, ${amounts}`;
}

function toldOfProcess(known) {
  const { process } = known;
  const counts = Object.keys(MARKS).map(mark => [mark, known.rows.filter(row => row.mark === mark).length]);
  const did = counts.filter(([, count]) => count).map(([mark, count]) => `${number(count)} ${markName(mark, count)}`);
  const end = known.end === null ? "not seen to end" : `${clockText(known.end, process.end.text)}, ${process.ended ?? "how is not known"}`;
  const line = (name, value) => make("div", {}, make("span", { class: "muted" }, `${name} `), value);
  return {
    title: `${known.name} (${process.pid})`,
    known,
    lines: [
      make("code", {}, process.command_line || process.executable),
      line("Program", process.executable),
      line("In", workloadName(process.workload) || "the host"),
      line("Role", process.role),
      line("From", clockText(known.begin, process.begin.text)),
      line("Until", end),
      line("Held", bytes(process.held)),
      line("Sent", bytes(process.sent)),
      line("Did", did.join(", ") || "nothing here"),
    ],
  };
}

// Shows in the table only what this process did; chosen again, everything.
function chooseProcess(known) {
  change({ process: view.process === known.process.id ? "" : known.process.id, open: null });
}

function keys(names, items) {
  names.addEventListener("keydown", event => {
    const at = items.indexOf(event.target);
    const next = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
    if (next !== undefined && items[next]) {
      items[at].tabIndex = -1;
      items[next].tabIndex = 0;
      items[next].focus();
    } else if (event.key === "Enter" || event.key === " ") {
      chooseProcess(processes[at]);
    } else if (event.key === "Escape") {
      hideTip();
    } else {
      return;
    }
    event.preventDefault();
  });
}

function drawAxis(svg, width) {
  svg.setAttribute("viewBox", `0 0 ${width} ${AXIS_HEIGHT}`);
  svg.replaceChildren(...gridLines(width, 0, AXIS_HEIGHT - 9));
}

function drawBars({ svg, first, last }, width) {
  const height = (last - first) * ROW_HEIGHT;
  const here = processes.slice(first, last);
  // A branch may come from a block above, and go on below.
  const branches = processes.slice(first).filter(known => (byId.get(known.process.parent)?.row ?? last) < last);
  const lane = known => {
    const chosen = known.process.id === view.process ? " chosen" : "";
    return draw("rect", { class: `lane${chosen}`, x: 0, y: known.row * ROW_HEIGHT, width, height: ROW_HEIGHT });
  };
  const transform = `translate(0 ${-first * ROW_HEIGHT})`;
  const under = draw("g", { transform }, ...here.map(lane));
  const over = draw("g", { transform },
    ...branches.map(known => branch(known, width)),
    ...here.map(known => bar(known, width)),
    ...here.flatMap(known => marksOf(known.rows, width, middle(known))),
  );
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.style.height = `${height}px`;
  svg.replaceChildren(hatching(), under, ...gapStripes(width, height), ...gridLines(width, height), over);
}

const middle = known => known.row * ROW_HEIGHT + ROW_HEIGHT / 2;

// From begin to end; open at the side where it goes on.
function bar(known, width) {
  const end = known.end ?? Infinity;
  if (end < view.from || known.begin > view.to) return null;
  const x = Math.max(place(known.begin, width), -8);
  const right = Math.min(place(end, width), width + 8);
  const style = `bar ${known.process.role}${known.end === null ? " endless" : ""}`;
  const y = middle(known) - BAR_HEIGHT / 2;
  const element = draw("rect", { class: style, x, y, width: Math.max(right - x, 4), height: BAR_HEIGHT, rx: 3 });
  element.told = toldOfProcess(known);
  return element;
}

// The line from a parent down to the bar of its child.
function branch(known, width) {
  const parent = byId.get(known.process.parent);
  if (!parent || known.begin < view.from || known.begin > view.to) return null;
  const x = place(known.begin, width);
  return draw("line", { class: "branch", x1: x, x2: x, y1: middle(parent) + BAR_HEIGHT / 2, y2: middle(known) - BAR_HEIGHT / 2 });
}

function treeLegend() {
  const icon = (...content) => draw("svg", { class: "icon", viewBox: "0 0 16 16", "aria-hidden": "true" }, ...content);
  const swatch = role => icon(draw("rect", { class: `bar ${role}`, x: 1, y: 4, width: 14, height: 8, rx: 2 }));
  const stripe = icon(hatching(), draw("rect", { class: "gap-stripe", width: 16, height: 16 }));
  const item = (picture, text) => make("span", { class: "key" }, picture, text);
  return make("div", { class: "legend" },
    item(swatch("cause"), "led there"), item(swatch("subject"), "asked about"), item(swatch("effect"), "came of it"),
    ...Object.keys(MARKS).map(mark => item(markIcon(mark), MARKS[mark].name.toLowerCase())),
    gaps.length ? item(stripe, "gap: something is missing") : null,
  );
}

// The same on paper, where nothing can be pointed at.
function processTable() {
  const line = known => {
    const { process } = known;
    const cells = [
      process.pid, process.command_line || process.executable, workloadName(process.workload), process.role,
      fullTime(process.begin), process.end ? fullTime(process.end) : "not seen", process.ended ?? "",
      bytes(process.held), bytes(process.sent),
    ];
    // Who wrote the second and the third may have made them long.
    return make("tr", {}, ...cells.map((cell, n) => make("td", { class: n === 1 || n === 2 || n === 6 ? null : "short" }, cell)));
  };
  const heads = ["PID", "Command line", "Container", "Role", "Begin", "End", "Ended by", "Held", "Sent"];
  const head = make("tr", {}, ...heads.map(name => make("th", { scope: "col" }, name)));
  return make("table", { class: "paper" }, make("thead", {}, head), make("tbody", {}, ...processes.map(line)));
}
