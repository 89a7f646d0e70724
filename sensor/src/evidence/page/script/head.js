// What it is about, in one sentence, and how much of it there is.

function buildHead(header) {
  const { severity } = timeline;
  document.title = plain(`${timeline.incident ? `Incident ${timeline.incident}` : timeline.asked} \u2013 Weir timeline`);
  const alerts = rows.filter(row => row.kind === "alert").length;
  const most = quantity => series.filter(({ one }) => one.quantity === quantity).reduce((sum, { last }) => sum + last, 0);
  const sent = most("sent");
  header.append(
    make("div", { class: "bar-top" },
      make("span", { class: "brand" }, make("b", {}, "Weir"), " timeline"),
      make("span", { class: "muted asked" }, timeline.asked),
      make("div", { class: "controls switches" }, clockSwitch(), themeSwitch()),
    ),
    make("div", { class: "about" }, severity ? severityBadge(severity) : null, make("h1", {}, timeline.sentence)),
    make("dl", { class: "facts" },
      fact("Sent", bytes(sent), "by all that is here", sent > 0),
      fact("Alerts", number(alerts), `${counted(rows.length - gaps.length, "entry", "entries")} in all`),
      fact("Processes", number(processes.length), counted(timeline.workloads.length, "container or unit", "containers or units")),
      fact("Gaps", number(gaps.length), missing(), gaps.length > 0),
      fact("Lasted", lasting(TO - FROM), fromTo()),
      fact("Host", timeline.host ?? "not known", timeline.incident ? `incident ${timeline.incident}` : ""),
    ),
  );
}

function fact(name, value, note, strong = false) {
  return make("div", { class: strong ? "fact strong" : "fact" },
    make("dt", {}, name),
    make("dd", {}, make("span", { class: "value" }, value), make("span", { class: "muted" }, note)),
  );
}

// From when until when, to the second.
function fromTo() {
  const [from, to] = [timeline.from, timeline.to].map(time => `${time.text.slice(0, 10)} ${time.text.slice(11, 19)}`);
  return `${from} to ${to.slice(0, 10) === from.slice(0, 10) ? to.slice(11) : to} UTC`;
}

// How much the gaps are, together.
function missing() {
  if (!gaps.length) return "nothing is known to be missing";
  const known = gaps.reduce((sum, { gap }) => sum + BigInt(gap.count ?? 0), 0n);
  return `${gaps.some(({ gap }) => gap.count === null) ? "at least " : ""}${counted(known, "event", "events")} missing`;
}

function severityBadge(severity) {
  const level = SEVERITIES.indexOf(severity) + 1;
  // As many bars as it is severe: told without colour too.
  const bar = (_, n) => draw("rect", { class: n < level ? "on" : "off", x: n * 4, y: 9 - n * 3, width: 3, height: 3 + n * 3 });
  const icon = draw("svg", { viewBox: "0 0 15 12", "aria-hidden": "true" }, ...SEVERITIES.map(bar));
  return make("span", { class: `severity ${SEVERITIES[level - 1] ?? "unknown"}` }, icon, severity);
}

// Buttons of which one is pressed.
function choice(name, options, chosen, choose) {
  const buttons = options.map(([value, label]) => {
    const element = button(label, label, () => {
      buttons.forEach(other => other.setAttribute("aria-pressed", other === element));
      choose(value);
    });
    element.setAttribute("aria-pressed", value === chosen);
    return element;
  });
  return make("div", { class: "choice", role: "group", "aria-label": name }, ...buttons);
}

function clockSwitch() {
  return choice("Times", [["relative", "Relative"], ["absolute", "UTC"]], view.clock, clock => change({ clock }));
}

// Light, dark, or as the system has it.
function themeSwitch() {
  return choice("Colours", [["", "System"], ["light", "Light"], ["dark", "Dark"]], "", theme => {
    document.documentElement.dataset.theme = theme;
  });
}

function buildNotes(section) {
  section.hidden = timeline.notes.length === 0;
  section.append(make("h2", { id: "notes-title" }, "Notes"), make("ul", {}, ...timeline.notes.map(note => make("li", {}, note))));
}

function buildFoot(footer) {
  const rules = timeline.rulesets.length ? `, rules ${timeline.rulesets.join(", ")}` : "";
  footer.append(
    make("p", {}, `Cut by Weir ${timeline.sensor}${rules}. Relative times count from ${fullTime(timeline.zero)}.`),
    make("p", {},
      "This page holds everything that it shows and loads nothing. ",
      make("span", { class: "odd" }, "\\u{1b}"),
      " and the like, underlined, stand for characters that cannot be seen or would move others.",
    ),
  );
}
