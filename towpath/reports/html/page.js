"use strict";
// Draws the charts, shows what a mark stands for, and hides flows.
(() => {
  const font = getComputedStyle(document.body).fontFamily;
  const soft = "var(--soft)", line = "var(--line)";
  const config = {
    background: null, font, padding: 2,
    view: { stroke: null },
    bar: { color: "var(--c1)" }, rect: { color: "var(--c1)" }, text: { color: "var(--ink)", fontSize: 12 },
    axis: {
      labelColor: soft, titleColor: soft, gridColor: line, domainColor: line, tickColor: line,
      labelFontSize: 12, titleFontSize: 12, titleFontWeight: "normal", labelFont: font, titleFont: font,
    },
    legend: { labelColor: "var(--ink)", labelFontSize: 12, orient: "top", direction: "horizontal", offset: 4 },
  };

  const box = document.createElement("div");
  box.id = "tip";
  box.hidden = true;
  document.body.append(box);

  function show(_, event, item, value) {
    box.hidden = !value || !value.tip && typeof value !== "string";
    if (box.hidden) return;
    box.textContent = typeof value === "string" ? value : value.tip;
    const left = Math.min(event.clientX + 14, innerWidth - box.offsetWidth - 8);
    const below = event.clientY + 16 + box.offsetHeight < innerHeight;
    box.style.left = `${Math.max(8, left)}px`;
    box.style.top = `${below ? event.clientY + 16 : event.clientY - box.offsetHeight - 10}px`;
  }

  const waiting = new Set(document.querySelectorAll(".chart"));
  const visible = () => [...waiting].filter((place) => place.getClientRects().length);

  function draw(place) {
    waiting.delete(place);
    const spec = JSON.parse(place.querySelector("script").textContent);
    const logger = vega.logger(vega.Error);
    const runtime = vega.parse(vegaLite.compile(spec, { config, logger }).spec);
    new vega.View(runtime, { renderer: "svg", container: place, tooltip: show, logger }).run();
  }

  // One after the other, so that the page can be read and scrolled meanwhile.
  function next() {
    const [place] = visible();
    if (!place) return;
    draw(place);
    setTimeout(next);
  }
  addEventListener("beforeprint", () => visible().forEach(draw));

  const filter = document.getElementById("filter");
  function choose() {
    for (const flow of document.querySelectorAll(".flow")) {
      flow.hidden = filter.value !== "" && flow.id !== filter.value;
    }
    dispatchEvent(new Event("resize"));
    next();
  }
  if (filter) {
    filter.addEventListener("change", choose);
    choose();
  } else {
    next();
  }
})();
