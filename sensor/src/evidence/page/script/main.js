// Builds the page.

buildHead(document.getElementById("head"));
buildNotes(document.getElementById("notes"));
buildTree(document.getElementById("tree"));
buildChart(document.getElementById("chart"));
buildTable(document.getElementById("table"));
buildFoot(document.getElementById("foot"));
addEventListener("beforeprint", () => change({ printing: true }));
addEventListener("afterprint", () => change({ printing: false }));
addEventListener("keydown", event => {
  if (event.key === "/" && !event.target.matches("input, select")) {
    document.getElementById("search").focus();
    event.preventDefault();
  }
});
