// What both plots do: say what is under the pointer, and zoom where somebody drags.

const tip = document.getElementById("tip");

// Shows a note beside a place of the window: a title and lines, or what `content` gives.
function showTip({ title, lines }, x, y) {
  tip.replaceChildren(make("strong", {}, title), ...lines.map(line => (line instanceof Node ? line : make("div", {}, line))));
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  const left = x + 16 + width > innerWidth ? Math.max(x - width - 16, 8) : x + 16;
  const top = y + 16 + height > innerHeight ? Math.max(y - height - 16, 8) : y + 16;
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
}

function hideTip() {
  tip.hidden = true;
}

// The nearest element from `element` upwards that something is told of.
function toldOf(element, within) {
  for (let at = element; at && at !== within; at = at.parentNode) {
    if (at.told) return at.told;
  }
  return null;
}

// Has a plot react to the pointer. `elsewhere(x, y)`: what to tell where no element tells of itself; `chosen(told)`: on a click.
function reactive(svg, elsewhere, chosen) {
  let start = null;
  const band = draw("rect", { class: "band", y: 0, height: "100%" });
  const xOf = event => clamp(event.clientX - svg.getBoundingClientRect().left, 0, svg.clientWidth);

  svg.addEventListener("pointerdown", event => {
    if (event.button === 0 && event.pointerType !== "touch") start = xOf(event);
  });
  svg.addEventListener("pointermove", event => {
    const x = xOf(event);
    if (start !== null && Math.abs(x - start) > 4) {
      if (!band.isConnected) {
        svg.append(band);
        svg.setPointerCapture(event.pointerId);
      }
      band.setAttribute("x", Math.min(x, start));
      band.setAttribute("width", Math.abs(x - start));
      hideTip();
      return;
    }
    const told = toldOf(event.target, svg) ?? elsewhere(x, event);
    if (told) showTip(told, event.clientX, event.clientY);
    else hideTip();
  });
  svg.addEventListener("pointerup", event => {
    if (band.isConnected) {
      const [one, other] = [timeAt(start, svg.clientWidth), timeAt(xOf(event), svg.clientWidth)];
      band.remove();
      showTime(Math.min(one, other), Math.max(one, other));
    } else if (start !== null) {
      const told = toldOf(event.target, svg) ?? elsewhere(xOf(event), event);
      if (told) chosen(told);
    }
    start = null;
  });
  svg.addEventListener("pointercancel", () => {
    band.remove();
    start = null;
  });
  svg.addEventListener("pointerleave", hideTip);
  svg.addEventListener("dblclick", () => showTime(FROM, TO));
}

// The buttons that move through time, for those who do not drag.
function timeButtons() {
  const shift = part => showTime(view.from + (view.to - view.from) * part, view.to + (view.to - view.from) * part);
  const zoom = factor => {
    const [middle, half] = [(view.from + view.to) / 2, ((view.to - view.from) * factor) / 2];
    showTime(middle - half, middle + half);
  };
  const whole = button("Whole", "Show the whole time", () => showTime(FROM, TO));
  const state = make("span", { class: "muted span", role: "status" });
  const redraw = () => {
    whole.disabled = isWhole();
    state.textContent = isWhole() ? "Drag to zoom" : `${clockText(view.from)} to ${clockText(view.to)}`;
  };
  watch(["from", "to", "clock"], redraw);
  redraw();
  return make("div", { class: "controls buttons", role: "group", "aria-label": "Time shown" },
    state,
    button("\u2212", "Zoom out", () => zoom(2)),
    button("+", "Zoom in", () => zoom(0.5)),
    button("\u2190", "Earlier", () => shift(-0.25)),
    button("\u2192", "Later", () => shift(0.25)),
    whole,
  );
}

function button(label, name, action) {
  const element = make("button", { type: "button", title: name, "aria-label": name === label ? null : name }, label);
  element.addEventListener("click", action);
  return element;
}

// The width that a plot has. Paper gets a fixed one: its own is not known to scripts, and the SVG is scaled to it.
function plotWidth(box, onPaper) {
  return view.printing ? onPaper : Math.max(box.clientWidth, 120);
}
