// The picture: which of its parts are known at a step, what is ringed, heat, groups, zoom and pan.

const SVG = "http://www.w3.org/2000/svg";
const FOCUSABLE = 200; // in a larger graph the tab key would never come to an end; the search reaches every node
const stage = document.getElementById("stage");
if (isOpened) stage.querySelector("svg").replaceWith(document.getElementById("opened").content.cloneNode(true));
const svg = stage.querySelector("svg");
const canvas = svg.querySelector("g.node").parentNode;
const extent = svg.getAttribute("viewBox").split(/[\s,]+/).map(Number);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

function drawn(tag, attributes, parent, before = null) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  parent.insertBefore(element, before);
  return element;
}

// --- parts, each with the step from which it is known ---

const parts = []; // [step, element]
const boxes = new Map(); // node -> its element
const wireParts = new Map(); // wire id -> {forward: [...], backward: [...]}

for (const id of Object.keys(wires)) wireParts.set(id, { forward: [], backward: [] });

for (const line of svg.querySelectorAll("g.edge")) {
  const id = [...line.classList].find((name) => wireParts.has(name));
  if (id) wireParts.get(id)[line.classList.contains("backward") ? "backward" : "forward"].push(line);
}
for (const way of svg.querySelectorAll("g.way")) { // a point that a long wire goes through: a piece of either line
  const id = [...way.classList].find((name) => wireParts.has(name));
  const [forward, backward] = way.querySelectorAll("polygon");
  wireParts.get(id).forward.push(forward);
  wireParts.get(id).backward.push(backward);
}
for (const [id, at] of wireParts) {
  const group = svg.getElementById(id);
  if (!group) continue;
  // The two shafts are boxes; what is written lies above the first or below the second.
  const shafts = [...group.querySelectorAll("polygon")].filter((shaft) => shaft.getAttribute("fill") !== "none");
  const height = (shaft) => Number(shaft.getAttribute("points").split(/[\s,]+/)[1]);
  const turn = shafts.length > 1 ? (height(shafts[0]) + height(shafts[1])) / 2 : Infinity;
  for (const piece of group.querySelectorAll("polygon, polyline, text, path")) {
    const y = piece.tagName === "text" ? Number(piece.getAttribute("y")) : height(piece);
    at[y > turn ? "backward" : "forward"].push(piece);
  }
}

for (const [id, at] of wireParts) {
  const wire = wires[id];
  const forward = Math.max(0, ...wire.values.map((value) => values[value].forwardAt));
  const back = wire.edges.length ? wire.edges.map((edge) => edges[edge].handedAt)
    : wire.values.map((value) => values[value].gradientAt);
  // One of several values may have no gradient: the wire waits for those that have.
  const backward = Math.max(...back.filter((step) => step < Infinity), -1);
  for (const element of at.forward) parts.push([forward, element]);
  for (const element of at.backward) parts.push([backward < 0 ? Infinity : backward, element]);
}
for (const [id, number] of Object.entries(data.boxes)) {
  const box = svg.getElementById(id);
  if (!box || number === null) continue;
  parts.push([nodes[number].forwardAt, box]);
  if (nodes[number].box === id) boxes.set(nodes[number], box);
}
parts.sort((a, b) => a[0] - b[0]);

// What lies between two steps changes, and nothing else, so that a large graph steps as fast as a small one.
let shown = -1;
let reached = 0; // parts[0 .. reached) are known
for (const [, element] of parts) element.classList.add("later");

function showUpTo(step) {
  while (reached < parts.length && parts[reached][0] <= step) parts[reached++][1].classList.remove("later");
  while (reached > 0 && parts[reached - 1][0] > step) parts[--reached][1].classList.add("later");
  shown = step;
}

// --- rings ---

const ring = drawn("rect", { class: "ring" }, canvas);
const mark = drawn("rect", { class: "ring chosen" }, canvas);
ring.style.display = mark.style.display = "none";

function encircle(rect, element, gap) {
  rect.style.display = element ? "" : "none";
  if (!element) return;
  const { x, y, width, height } = element.querySelector(".backdrop, path, polygon, rect").getBBox();
  const at = { x: x - gap, y: y - gap, width: width + 2 * gap, height: height + 2 * gap };
  at.rx = element.querySelector("ellipse") ? at.width / 2 : 9;
  for (const [name, value] of Object.entries(at)) rect.setAttribute(name, value);
}

let active = [];

// The ring, and thicker lines for what the step reads and writes.
function emphasise([kind, id]) {
  for (const element of active) element.classList.remove("active");
  active = [];
  const node = kind === "seed" ? nodes[root.node] : id === null ? null : nodes[id];
  encircle(ring, node && ringed(node), 3);
  if (!node) return;
  const way = kind === "forward" ? "forward" : "backward";
  for (const [name, wire] of Object.entries(wires)) {
    const comes = wire.edges.some((edge) => edges[edge].node === node.id);
    const leaves = wire.values.some((value) => values[value].node === node.id);
    const counts = kind === "seed" ? leaves && !wire.edges.length : comes || leaves;
    if (counts) active.push(...wireParts.get(name)[way].filter((element) => element.matches("g.edge")));
  }
  for (const element of active) element.classList.add("active");
}

const opens = (node) => node.kind === "group" && told.opened !== null;

// --- a rectangle behind each node: to click, to find, to colour, to show the focus ---

// Measured at the scale 1, since letters of half a pixel are taken for wider than they are; and all before any is drawn,
// or each would have the whole picture laid out anew.
svg.setAttribute("viewBox", `0 0 ${stage.clientWidth} ${stage.clientHeight}`);
for (const [node, box, { x, y, width, height }] of [...boxes].map(([node, box]) => [node, box, box.getBBox()])) {
  const round = box.querySelector("ellipse");
  drawn("rect", { class: "backdrop", x: x - 4, y: y - 3, width: width + 8, height: height + 6,
    rx: round ? (width + 8) / 2 : 6 }, box, box.firstChild);
  box.setAttribute("role", "button");
  if (nodes.length <= FOCUSABLE || opens(node)) box.setAttribute("tabindex", "0");
}
svg.setAttribute("role", "group");
svg.querySelector("title")?.remove(); // it would hang over the whole picture as a tooltip

function labelBoxes() {
  svg.setAttribute("aria-label", say("picture"));
  for (const [node, box] of boxes) {
    const name = node.values.slice(0, 1).map((id) => plain(values[id].name)).join("");
    box.setAttribute("aria-label", opens(node) ? say("expand", { name: node.op }) : node.op && name ? say("label", { op: node.op, name }) : node.op ?? name);
  }
}

// --- heat ---

function paintHeat(key) {
  const amounts = [...boxes.keys()].map((node) => [node, key ? node[key] : 0]);
  const known = amounts.map(([, amount]) => amount).filter((amount) => typeof amount === "number" && amount > 0);
  const [least, most] = [known.reduce((a, b) => Math.min(a, b), Infinity), known.reduce((a, b) => Math.max(a, b), 0)];
  for (const [node, amount] of amounts) {
    const hot = typeof amount === "number" && amount > 0;
    boxes.get(node).classList.toggle("hot", hot);
    const part = !hot ? 0 : most === least ? 1 : Math.log(amount / least) / Math.log(most / least);
    boxes.get(node).style.setProperty("--heat", `${(100 * part).toFixed(1)}%`);
  }
  document.getElementById("legend").hidden = !known.length;
  if (!known.length) return;
  document.getElementById("least").textContent = brief(least);
  document.getElementById("most").textContent = brief(most);
}

// --- zoom and pan: where the middle is, and how many pixels a unit takes ---

const view = { x: extent[0] + extent[2] / 2, y: extent[1] + extent[3] / 2, scale: 1 };
const READABLE = 0.9;
const FOOT = 56; // pixels at the bottom, where the buttons are
let fitted = true;

function applyView() {
  const [width, height] = [stage.clientWidth / view.scale, stage.clientHeight / view.scale];
  if (width > 0 && height > 0) {
    svg.setAttribute("viewBox", `${view.x - width / 2} ${view.y - height / 2} ${width} ${height}`);
  }
}

function wholeScale() {
  return Math.min((stage.clientWidth - 32) / extent[2], (stage.clientHeight - 32 - FOOT) / extent[3], 2.2);
}

function showWhole() {
  const scale = wholeScale();
  Object.assign(view, { x: extent[0] + extent[2] / 2, y: extent[1] + extent[3] / 2 + FOOT / 2 / scale, scale });
  fitted = true;
  applyView();
}

function zoom(factor, x = stage.clientWidth / 2, y = stage.clientHeight / 2) {
  const scale = Math.min(8, Math.max(Math.min(wholeScale() / 2, 0.5), view.scale * factor));
  const [dx, dy] = [x - stage.clientWidth / 2, y - stage.clientHeight / 2];
  view.x += dx / view.scale - dx / scale;
  view.y += dy / view.scale - dy / scale;
  view.scale = scale;
  fitted = false;
  applyView();
}

function pan(dx, dy) {
  view.x -= dx / view.scale;
  view.y -= dy / view.scale;
  fitted = false;
  applyView();
}

// A figure too wide to be read as a whole starts readable, at its beginning, and follows the steps.
function firstView() {
  showWhole();
  if (view.scale >= 0.6) return;
  view.scale = Math.min(READABLE, Math.max(0.6, (stage.clientHeight - 32 - FOOT) / extent[3]));
  view.y = extent[1] + extent[3] / 2 + FOOT / 2 / view.scale;
  view.x = extent[0] + stage.clientWidth / view.scale / 2 - 16;
  fitted = false;
  applyView();
}

let glide = 0;

// Moves the picture just so far that the element is in sight.
function bringIntoSight(element) {
  if (!element || fitted) return;
  applyView(); // the stage may have another size since
  const [a, b] = [element.getBoundingClientRect(), stage.getBoundingClientRect()];
  const margin = Math.min(120, b.width / 5, b.height / 4);
  const shift = (low, high, from, to) => high - low > to - from - 2 * margin ? (from + to - low - high) / 2
    : low < from + margin ? from + margin - low : high > to - margin ? to - margin - high : 0;
  const dx = shift(a.left, a.right, b.left, b.right), dy = shift(a.top, a.bottom, b.top, b.bottom - FOOT);
  if (!dx && !dy) return;
  cancelAnimationFrame(glide);
  if (calm.matches) return pan(dx, dy);
  const from = { ...view }, start = performance.now();
  const move = (now) => {
    const part = Math.min(1, (now - start) / 250), eased = part * (2 - part);
    view.x = from.x - eased * dx / view.scale;
    view.y = from.y - eased * dy / view.scale;
    applyView();
    if (part < 1) glide = requestAnimationFrame(move);
  };
  glide = requestAnimationFrame(move);
}

const sizes = new ResizeObserver(() => (fitted ? showWhole() : applyView()));
sizes.observe(stage);
over.addEventListener("abort", () => sizes.disconnect());

stage.addEventListener("wheel", (event) => {
  event.preventDefault();
  const { left, top } = stage.getBoundingClientRect();
  zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), event.clientX - left, event.clientY - top);
}, { passive: false });

const fingers = new Map();
let travelled = 0;

stage.addEventListener("pointerdown", (event) => {
  if (event.button || event.target.closest("button")) return;
  fingers.set(event.pointerId, event);
  travelled = 0;
});
stage.addEventListener("pointermove", (event) => {
  const before = fingers.get(event.pointerId);
  if (!before) return;
  const other = [...fingers.values()].find((finger) => finger.pointerId !== event.pointerId);
  const [dx, dy] = [event.clientX - before.clientX, event.clientY - before.clientY];
  travelled += Math.abs(dx) + Math.abs(dy);
  if (travelled > 4 && !stage.hasPointerCapture(event.pointerId)) stage.setPointerCapture(event.pointerId);
  stage.classList.toggle("dragged", travelled > 4);
  cancelAnimationFrame(glide);
  pan(dx / fingers.size, dy / fingers.size);
  if (other) {
    const apart = (finger) => Math.hypot(finger.clientX - other.clientX, finger.clientY - other.clientY);
    const { left, top } = stage.getBoundingClientRect();
    zoom(apart(event) / Math.max(1, apart(before)), (event.clientX + other.clientX) / 2 - left,
      (event.clientY + other.clientY) / 2 - top);
  }
  fingers.set(event.pointerId, event);
});
for (const end of ["pointerup", "pointercancel"]) {
  stage.addEventListener(end, (event) => {
    fingers.delete(event.pointerId);
    stage.classList.remove("dragged");
  });
}
