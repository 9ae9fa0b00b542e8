"use strict";
// The picture answers three questions on a click: what is this cell, what did it need, who needs it.
(() => {
  const graph = JSON.parse(document.getElementById("graph").textContent);
  const svg = document.querySelector("svg.nbdag");
  const panel = document.getElementById("panel");
  const search = document.getElementById("search");
  const found = document.getElementById("found");
  const rows = [...svg.querySelectorAll(".row")];
  const dots = [...svg.querySelectorAll(".dot")];
  const needs = [...svg.querySelectorAll(".need")];
  const before = graph.cells.map(() => []);
  const after = graph.cells.map(() => []);
  for (const need of graph.needs) {
    before[need.to].push(need);
    after[need.from].push(need);
  }
  let chosen = -1;
  let matches = [];

  const closure = (start, edges, end) => {
    const seen = new Set([start]);
    const waiting = [start];
    while (waiting.length) {
      for (const need of edges[waiting.pop()]) {
        if (!seen.has(need[end])) {
          seen.add(need[end]);
          waiting.push(need[end]);
        }
      }
    }
    return seen;
  };

  const element = (tag, text, className) => {
    const made = document.createElement(tag);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  };

  const cellButton = (index, names) => {
    const button = element("button", `${graph.cells[index].label}: ${names.join(", ")}`);
    button.onclick = () => choose(index, true);
    return button;
  };

  const show = (index) => {
    panel.replaceChildren();
    const cell = graph.cells[index];
    panel.append(element("h2", `Cell ${cell.label}${cell.time ? ` \u00b7 ${cell.time}` : ""}`));
    if (cell.error) panel.append(element("p", cell.error, "error"));
    panel.append(element("pre", cell.source));
    if (cell.names.length) {
      panel.append(element("h3", "makes"));
      const list = element("dl");
      for (const name of cell.names) {
        const term = element("dt");
        term.append(element("code", name.name), element("span", [name.type, name.size].filter(Boolean).join(", "), "dim"));
        const word = { store: "stored", replay: "replayed", lose: "lost" }[name.action] || (name.current || !graph.ran ? "" : "bound again later");
        list.append(term);
        if (word) list.append(element("dd", word + (name.reason ? `: ${name.reason}` : ""), name.action || "dim"));
      }
      panel.append(list);
    }
    const more = [...cell.changes.map((name) => `changes ${name}`), ...cell.tags];
    if (more.length) panel.append(element("h3", "also"), element("div", more.join(", "), "dim"));
    for (const [title, edges, end] of [["needs", before, "from"], ["is needed by", after, "to"]]) {
      if (!edges[index].length) continue;
      panel.append(element("h3", title));
      for (const need of edges[index]) panel.append(cellButton(need[end], need.names));
    }
    const slice = closure(index, before, "from");
    panel.append(element("h3", "to make it again"), element("div",
      slice.size === 1 ? "this cell alone" : [...slice].sort((a, b) => a - b).map((i) => graph.cells[i].label).join(", "), "dim"));
  };

  const reveal = (index) => {
    // Not scrollIntoView: a row may be wider than the window, and the lanes on its left must stay in sight.
    const box = rows[index].getBoundingClientRect();
    const top = document.querySelector("header").getBoundingClientRect().bottom + 20;
    if (box.top < top) window.scrollBy(0, box.top - top);
    else if (box.bottom > window.innerHeight - 20) window.scrollBy(0, box.bottom - window.innerHeight + 20);
  };

  const choose = (index, scroll) => {
    chosen = index;
    const all = index < 0;
    const back = all ? new Set() : closure(index, before, "from");
    const forth = all ? new Set() : closure(index, after, "to");
    svg.classList.toggle("slicing", !all);
    const inside = (i) => back.has(i) || forth.has(i);
    for (const row of rows) {
      row.classList.toggle("in", inside(+row.dataset.cell));
      row.classList.toggle("chosen", +row.dataset.cell === index);
    }
    for (const dot of dots) dot.classList.toggle("in", inside(+dot.dataset.cell));
    for (const need of needs) {
      const [from, to] = [+need.dataset.from, +need.dataset.to];
      need.classList.toggle("in", (back.has(from) && back.has(to)) || (forth.has(from) && forth.has(to)));
    }
    if (all) panel.replaceChildren();
    else show(index);
    if (scroll && !all) reveal(index);
    if (!all) rows[index].focus({ preventScroll: true });
    const anchor = all ? location.pathname + location.search : `#cell-${graph.cells[index].label}`;
    try { history.replaceState(null, "", anchor); } catch (refused) { /* a page in a sandbox has no history */ }
  };

  const look = () => {
    const wanted = search.value.trim().toLowerCase();
    matches = [];
    graph.cells.forEach((cell, index) => {
      const hit = wanted && (cell.source.toLowerCase().includes(wanted)
        || cell.names.some((name) => name.name.toLowerCase().includes(wanted)));
      rows[index].classList.toggle("found", Boolean(hit));
      if (hit) matches.push(index);
    });
    found.textContent = wanted ? `${matches.length} found` : "";
    if (matches.length) reveal(matches[0]);
  };

  for (const row of rows) {
    row.addEventListener("click", () => choose(+row.dataset.cell === chosen ? -1 : +row.dataset.cell, false));
  }
  search.addEventListener("input", look);
  search.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && matches.length) choose(matches.find((i) => i > chosen) ?? matches[0], true);
    if (event.key === "Escape") { search.value = ""; look(); search.blur(); }
  });
  document.addEventListener("keydown", (event) => {
    if (event.target === search || event.ctrlKey || event.metaKey || event.altKey) return;
    const last = graph.cells.length - 1;
    const focused = rows.indexOf(document.activeElement);
    const here = chosen >= 0 ? chosen : focused;
    if (event.key === "/") search.focus();
    else if (event.key === "Escape") choose(-1, false);
    else if (event.key === "ArrowDown" || event.key === "j") choose(Math.min(last, here + 1), true);
    else if (event.key === "ArrowUp" || event.key === "k") choose(Math.max(0, here - 1), true);
    else if ((event.key === "Enter" || event.key === " ") && focused >= 0) choose(focused, false);
    else if (event.key === "n" && matches.length) choose(matches.find((i) => i > here) ?? matches[0], true);
    else return;
    event.preventDefault();
  });
  const anchor = /^#cell-(\d+)$/.exec(location.hash);
  if (anchor && graph.cells[anchor[1] - 1]) choose(anchor[1] - 1, true);
})();
