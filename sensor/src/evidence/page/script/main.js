// Builds the page.

buildHead(document.getElementById("head"));
buildNotes(document.getElementById("notes"));
buildTree(document.getElementById("tree"));
buildChart(document.getElementById("chart"));
buildTable(document.getElementById("table"));
buildFoot(document.getElementById("foot"));

// The first search should be as quick as the second: its texts are made when there is nothing else to do.
let prepared = 0;
function prepare(deadline) {
  while (prepared < rows.length && deadline.timeRemaining() > 1) searchText(rows[prepared++]);
  if (prepared < rows.length) requestIdleCallback(prepare);
}
globalThis.requestIdleCallback?.(prepare);

addEventListener("beforeprint", () => change({ printing: true }));
addEventListener("afterprint", () => change({ printing: false }));
addEventListener("keydown", event => {
  if (event.key === "/" && !event.target.matches("input, select")) {
    document.getElementById("search").focus();
    event.preventDefault();
  }
});
