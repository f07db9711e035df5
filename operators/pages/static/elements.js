// The Elements tab of a task: a square for each array element, or for several of a large array.
import {
  Age, COLOURS, QUIET, React, Section, Table, count, duration, h, useData,
} from "./common.js";

const FILL = {
  d: COLOURS.good, f: COLOURS.bad, r: COLOURS.open, p: COLOURS.waiting, h: "rgba(128,128,128,.25)",
};
const SAID = {
  d: "done", f: "failed", r: "running", p: "pending", h: "not submitted yet",
};
const SQUARE = { width: 11, height: 11, border: "none", padding: 0, cursor: "pointer" };

// What is worst in a square decides its colour; what is merely done shows when all of it is.
function letterOf(square, states) {
  if (square.length === 1) return square;
  const counts = square.split(",").map(Number);
  return ["f", "r", "p", "h", "d"].find((letter) => counts[states.indexOf(letter)] > 0);
}

function label(page, index) {
  const square = page.squares[index], first = page.first + index * page.size;
  if (page.size === 1) return `${page.names[first] || `element ${first}`}: ${SAID[square]}`;
  const last = Math.min(first + page.size - 1, page.elements - 1);
  const counts = square.split(",").map((n, i) => [Number(n), SAID[page.states[i]]]);
  const said = counts.filter(([n]) => n > 0).map(([n, word]) => `${count(n)} ${word}`);
  return `elements ${first} to ${last}: ${said.join(", ")}`;
}

function Grid({ page, choose }) {
  return h("div", {
    id: "elements-grid", style: { display: "flex", flexWrap: "wrap", gap: 2, maxWidth: 1040 },
  }, page.squares.map((square, index) => h("button", {
    key: index, title: label(page, index), "aria-label": label(page, index),
    style: { ...SQUARE, background: FILL[letterOf(square, page.states)] },
    onClick: () => choose(page.first + index * page.size, page.size),
  })));
}

function Legend({ page }) {
  return h("div", { style: { margin: "6px 0 10px" } }, [...page.states].map((letter) =>
    h("span", { key: letter, style: { marginRight: 16 } },
      h("span", { style: { ...SQUARE, display: "inline-block", background: FILL[letter] } }),
      ` ${count(page.counts[letter])} ${SAID[letter]}`)));
}

function Failures({ page, choose }) {
  if (!page.failures.length) return null;
  return h(Section, { title: "Failures by cause" }, page.failures.map((group) =>
    h("div", { key: group.cause, style: { marginBottom: 8 } },
      h("b", { style: { color: COLOURS.bad } },
        `${count(group.count)} ${group.count === 1 ? "element" : "elements"} ` +
        `(${group.elements}) `),
      h("button", {
        style: { textDecoration: "underline", cursor: "pointer" },
        onClick: () => choose(group.first, 1),
      }, `log of element ${group.first}`),
      h("pre", { style: { whiteSpace: "pre-wrap", fontFamily: "inherit" } }, group.cause))));
}

function Element({ query, element }) {
  const { page, asOf, trouble } = useData(
    "hpc/elements/element", { ...query, element }, (one) => ["d", "f"].includes(one.state));
  const title = page ? page.name : `element ${element}`;
  if (!page) return h(Section, { title }, h("div", { style: QUIET }, trouble || "Looking …"));
  const rows = [
    ["state", SAID[page.state]], ["try", page.tries], ["job", page.job_id], ["node", page.node],
    ["time", page.wall_s === null ? "" : duration(page.wall_s)], ["waits for", page.waits],
    ["failed because of", page.cause],
  ].filter(([, value]) => value !== "" && value !== 0);
  return h(Section, { title },
    h(Table, { head: ["", ""], rows }), h(Age, { since: asOf }),
    h("pre", {
      id: "element-log",
      ref: (box) => { if (box) box.scrollTop = box.scrollHeight; },  // the end says most
      style: {
        whiteSpace: "pre-wrap", maxHeight: 420, overflow: "auto", padding: 8, marginTop: 6,
        background: "rgba(128,128,128,.12)", fontSize: "0.85em",
      },
    }, page.log || "(nothing was written yet)"));
}

function Elements({ dagId, runId, taskId, mapIndex }) {
  const query = { dag_id: dagId, run_id: runId, task_id: taskId, map_index: mapIndex ?? -1 };
  const [range, zoom] = React.useState({});
  const [chosen, pick] = React.useState(null);
  const ended = (page) =>
    page.array === false || ["success", "failed", "skipped"].includes(page.state);
  const { page, asOf, trouble } = useData("hpc/elements/data", { ...query, ...range }, ended);
  if (!page) return h("div", { style: QUIET }, trouble || "Looking …");
  if (!page.array) return h("div", { style: QUIET }, "This task is no array job.");
  if (!page.elements) return h("div", { style: QUIET }, "Nothing was submitted yet.");
  const choose = (first, size) =>
    (size > 1 ? zoom({ first, last: first + size - 1 }) : pick(first));
  return h("div", { id: "elements-page", style: { padding: 16, overflow: "auto" } },
    h("h2", { style: { fontSize: "1.2em", fontWeight: 600 } },
      `${count(page.elements)} ${page.elements === 1 ? "element" : "elements"} of ${page.job}`),
    trouble ? h("div", { style: { color: COLOURS.bad } }, trouble) : h(Age, { since: asOf }),
    page.trouble ? h("div", { style: { color: COLOURS.bad } }, page.trouble) : null,
    page.waits.map((words) => h("div", { key: words }, `Pending: ${words}`)),
    h(Legend, { page }),
    range.last === undefined ? null : h("button", {
      style: { textDecoration: "underline", cursor: "pointer", marginBottom: 6 },
      onClick: () => zoom({}),
    }, "all elements"),
    page.size > 1 ? h("div", { style: { opacity: 0.7 } },
      `Each square is ${count(page.size)} elements; click one to see them.`) : null,
    h(Grid, { page, choose }),
    chosen === null ? null : h(Element, { key: chosen, query, element: chosen }),
    h(Failures, { page, choose }));
}

globalThis.Elements = Elements;
