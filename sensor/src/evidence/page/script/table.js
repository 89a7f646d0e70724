// The table of what happened. Only rows that are in the window are in the document, with empty rows above and below for the rest, so
// that a hundred thousand are as quick as a hundred. All lines have one height; the row whose details are shown has them below.

// Rows beyond the window's edges, so that a small scroll shows no empty place.
const MARGIN = 12;

let found = [];
let table = null;

function buildTable(section) {
  const filters = buildFilters();
  const head = make("tr", {}, ...COLUMNS.map(column => columnHead(column)));
  const body = make("tbody");
  const element = make("table", { class: "entries", role: "grid", "aria-labelledby": "table-title" }, make("thead", {}, head), body);
  const title = make("h2", { id: "table-title" }, "What happened");
  section.append(make("div", { class: "title" }, title, filters.count), filters.element, element);
  table = { element, body, focus: 0, first: -1, last: -1, detailsHeight: 0 };

  const filter = () => {
    found = filtered();
    table.focus = clamp(table.focus, 0, Math.max(found.length - 1, 0));
    element.setAttribute("aria-rowcount", found.length + 1);
    filters.show();
    render(true);
  };
  watch(["text", "kind", "role", "process", "workload", "severity", "from", "to", "sort", "falling"], filter);
  watch(["clock", "open", "printing"], () => render(true));
  addEventListener("scroll", () => render(false), { passive: true });
  addEventListener("resize", () => render(true));
  body.addEventListener("click", event => {
    const at = indexOf(event.target);
    // Who marks text with the mouse wants the text.
    if (at !== null && getSelection().isCollapsed) toggle(at);
  });
  body.addEventListener("keydown", tableKeys);
  filter();
}

function columnHead({ name, title }) {
  if (!name) return make("th", { scope: "col", class: "what" }, title);
  const sort = button(title, `Sort by ${title.toLowerCase()}`, () => change({ falling: view.sort === name && !view.falling, sort: name }));
  const cell = make("th", { scope: "col", class: name }, sort);
  const show = () => cell.setAttribute("aria-sort", view.sort !== name ? "none" : view.falling ? "descending" : "ascending");
  watch(["sort", "falling"], show);
  show();
  return cell;
}

// Puts the rows that are in the window into the document. `always`: even if they are the same ones.
function render(always) {
  const height = lineHeight();
  const openAt = view.open ? found.indexOf(view.open) : -1;
  const top = -table.body.getBoundingClientRect().top;
  const extra = openAt >= 0 ? table.detailsHeight : 0;
  // The lines above the details; `end` is where they begin.
  const end = (openAt + 1) * height;
  const indexAt = y => Math.floor(Math.max(openAt >= 0 && y > end ? Math.max(y - extra, end) : y, 0) / height);
  let first = clamp(indexAt(top) - MARGIN, 0, found.length);
  let last = clamp(indexAt(top + innerHeight) + MARGIN, first, found.length);
  if (view.printing) [first, last] = [0, found.length];
  if (!always && first === table.first && last === table.last) return;
  [table.first, table.last] = [first, last];

  const hadFocus = table.body.contains(document.activeElement) && document.activeElement.matches(".line");
  const content = [space(first * height + (openAt >= 0 && openAt < first ? extra : 0))];
  for (let at = first; at < last; at += 1) content.push(...linesAt(at, at === openAt));
  content.push(space((found.length - last) * height + (openAt >= last ? extra : 0)));
  if (!found.length) {
    content.push(make("tr", {}, make("td", { colspan: columnsShown(), class: "empty" }, "Nothing matches these filters.")));
  }
  table.body.replaceChildren(...content);
  if (hadFocus) lineElement(table.focus)?.focus({ preventScroll: true });

  const details = table.body.querySelector(".details");
  if (details) table.detailsHeight = details.getBoundingClientRect().height;
}

// The line at an index, and its details if they are shown: on paper those of every alert are.
function linesAt(at, open) {
  const row = found[at];
  const line = lineOf(row);
  line.dataset.at = at;
  line.tabIndex = at === table.focus ? 0 : -1;
  line.setAttribute("aria-rowindex", at + 2);
  line.setAttribute("aria-expanded", open);
  return open || (view.printing && row.mark === "alert") ? [line, detailsOf(row)] : [line];
}

// A row for the place of those that are not in the document.
function space(height) {
  const row = make("tr", { class: "space", "aria-hidden": "true" }, make("td", { colspan: columnsShown() }));
  row.firstChild.style.height = `${height}px`;
  row.hidden = height === 0;
  return row;
}

// How many columns there are: a narrow window leaves some out, paper does not.
function columnsShown() {
  const heads = [...table.element.tHead.rows[0].cells];
  return view.printing ? heads.length : heads.filter(head => head.offsetWidth).length;
}

// The height of a line in pixels, as the style sheet has it for this width of the window.
function lineHeight() {
  return parseFloat(getComputedStyle(table.element).getPropertyValue("--line")) || 32;
}

function lineElement(at) {
  return table.body.querySelector(`[data-at="${at}"]`);
}

function indexOf(target) {
  const line = target.closest("tr.line");
  return line ? Number(line.dataset.at) : null;
}

function toggle(at) {
  table.focus = at;
  change({ open: view.open === found[at] ? null : found[at] });
}

// Moves to a line, and scrolls as little as shows it.
function focusLine(at) {
  table.focus = clamp(at, 0, found.length - 1);
  scrollToLine(table.focus, false);
  render(true);
  lineElement(table.focus)?.focus({ preventScroll: true });
}

function scrollToLine(at, centred) {
  const height = lineHeight();
  const openAt = view.open ? found.indexOf(view.open) : -1;
  const top = table.body.getBoundingClientRect().top + at * height + (openAt >= 0 && openAt < at ? table.detailsHeight : 0);
  const low = table.element.tHead.getBoundingClientRect().bottom;
  if (centred) scrollBy(0, top - innerHeight / 3);
  else if (top < low) scrollBy(0, top - low);
  else if (top + height > innerHeight) scrollBy(0, top + height - innerHeight);
}

// Shows a row from elsewhere on the page; filters that would hide it go.
function showRow(row) {
  if (!found.includes(row)) change({ ...NO_FILTER });
  change({ open: row });
  table.focus = found.indexOf(row);
  scrollToLine(table.focus, true);
  render(true);
  lineElement(table.focus)?.focus({ preventScroll: true });
}

function tableKeys(event) {
  const at = event.target.matches("tr.line") ? indexOf(event.target) : null;
  if (at === null) return;
  const page = Math.max(Math.floor(innerHeight / lineHeight()) - 4, 1);
  const next = { ArrowDown: at + 1, ArrowUp: at - 1, PageDown: at + page, PageUp: at - page, Home: 0, End: found.length - 1 }[event.key];
  if (next !== undefined) focusLine(next);
  else if (event.key === "Enter" || event.key === " ") toggle(at);
  else if (event.key === "Escape" && view.open) change({ open: null });
  else return;
  event.preventDefault();
}
