// The graph as the page was given it, and what follows from it: when each value and each gradient is known.
//
// data.nodes   what the picture shows as a box: leaves, ops, collapsed groups, in an order in which they can be computed
// data.values  what they computed; data.edges  each use of one, as the picture shows it
// data.wires   by the id of a wire in the picture: the values on it, and the edges that it is, where it leads to a node
// data.boxes   by the id of a box in the picture: its node
// data.steps   [kind, node]: inputs, forward ..., seed, backward ...
// told.opened  the same of the picture with frames in place of collapsed boxes, where there are such and they can be opened

const told = JSON.parse(document.getElementById("data").textContent);
const isOpened = told.opened !== null && parameters.has("open"); // the address names the frames that are open
const data = isOpened ? told.opened : told;
const { nodes, values, edges, wires, steps } = data;
const root = values[data.root];
const LAST = steps.length - 1;

nodes.forEach((node, id) => Object.assign(node, { id, uses: [], forwardAt: 0, backwardAt: Infinity }));
values.forEach((value, id) => Object.assign(value, { id, uses: [], gradientAt: Infinity }));
edges.forEach((edge, id) => {
  Object.assign(edge, { id, handedAt: Infinity });
  values[edge.value].uses.push(edge);
  nodes[edge.node].uses.push(edge);
});
steps.forEach(([kind, id], at) => {
  if (kind === "forward") nodes[id].forwardAt = at;
  if (kind === "seed") root.gradientAt = at;
  if (kind === "backward") {
    nodes[id].backwardAt = at;
    for (const edge of nodes[id].uses) if (edge.formula) edge.handedAt = at;
  }
});
for (const value of values) {
  const flowing = value.uses.filter((edge) => edge.handedAt < Infinity);
  value.contributions = flowing;
  if (flowing.length && value !== root) value.gradientAt = Math.max(...flowing.map((edge) => edge.handedAt));
}
for (const value of values) value.forwardAt = value.node === null ? 0 : nodes[value.node].forwardAt;

// --- numbers, formulas and arrays as elements; user's text only ever becomes text ---

function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name === "class") element.className = value;
    else if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return element;
}

// Three significant digits, whole numbers below a million in full: as the figure writes them.
function brief(x) {
  return rounded(x).replaceAll("-", "−");
}

function rounded(x) {
  if (typeof x !== "number") return String(x).replace("Infinity", "∞");
  if (x === 0) return "0";
  const size = Math.abs(x);
  if (size >= 1e6 || size < 1e-4) return x.toExponential(2).replace(/\.?0+e/, "e").replace(/e([+-])(\d)$/, "e$10$2");
  return size >= 999.5 ? x.toFixed(0) : String(Number(x.toPrecision(3)));
}

// A formula is a list of runs [text, style], where style holds i and b, and of fractions {over, under}.
function maths(formula) {
  const line = make("span", { class: "maths" });
  for (const piece of formula) {
    if (!Array.isArray(piece)) {
      line.append(make("span", { class: "fraction" }, maths(piece.over), maths(piece.under)));
      continue;
    }
    const [text, style] = piece;
    let run = document.createTextNode(text);
    if (style.includes("i")) run = make("i", {}, run);
    if (style.includes("b")) run = make("b", {}, run);
    line.append(run);
  }
  return line;
}

function plain(formula) {
  return formula.map((piece) => Array.isArray(piece) ? piece[0] : ` ${plain(piece.over)}/${plain(piece.under)} `)
    .join("").trim();
}

const derivative = (of) => ({ over: [["∂", ""], ...data.loss], under: [["∂", ""], ...of] });
const partial = (of, by) => ({ over: [["∂", ""], ...of], under: [["∂", ""], ...by] });

function shapeText(shape) {
  return shape.length === 1 ? `(${shape[0]},)` : `(${shape.join(", ")})`;
}

const UNBROKEN = 8; // a row of more numbers is broken into lines

function cell(x) {
  return make("td", { title: String(x), "data-value": String(x) }, brief(x));
}

// An array: its elements in rows where it is small, otherwise what they come to.
function array(of) {
  if (!of) return make("span", { class: "summary" }, "–");
  if (of.data) {
    if (of.data.length === 0) return make("span", { class: "summary" }, say("empty"));
    const width = of.shape.length ? Math.max(1, of.shape[of.shape.length - 1]) : 1;
    if (width > UNBROKEN && of.data.length === width && of.data.every((x) => x === of.data[0])) { // a bias at first
      return make("span", { class: "summary" }, `${say("elements", { n: width })} · ${say("alike", { x: brief(of.data[0]) })}`);
    }
    const rows = [];
    for (let i = 0; i < of.data.length; i += width) {
      rows.push(make("tr", {}, of.data.slice(i, i + width).map(cell)));
    }
    const kind = of.data.length === 1 ? " one" : rows.length === 1 && width > UNBROKEN ? " broken" : "";
    return make("table", { class: `array${kind}`, role: "presentation" }, rows);
  }
  if (of.lines) return make("span", { class: "summary" }, of.lines.join(" · ") || "–");
  const lines = [say("elements", { n: of.size.toLocaleString(language) })];
  for (const key of ["least", "most", "mean"]) if (key in of) lines.push(say(key, { x: brief(of[key]) }));
  for (const key of ["zeros", "nan", "inf"]) if (of[key]) lines.push(say(key, { x: of[key].toLocaleString(language) }));
  return make("span", { class: "summary" }, lines.join(" · "));
}

function spoken(of) {
  if (!of) return "–";
  if (!of.data) return "mean" in of ? say("mean", { x: brief(of.mean) }) : say("hidden");
  const some = of.data.slice(0, 6).map(brief).join(", ");
  return of.data.length > 6 ? `${some}, …` : some;
}
