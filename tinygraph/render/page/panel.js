// The explanation beside the picture: of the step, and of a value that was chosen.

const stepPanel = document.getElementById("step");
const chosenPanel = document.getElementById("chosen");
const opSteps = { forward: [], backward: [] };
for (const [kind, id] of steps) if (kind in opSteps) opSteps[kind].push(id);
const LISTED = 60; // so many inputs are shown at the start

const equation = (formula, kind = "") => make("p", { class: `equation ${kind}` }, maths(formula));
const section = (key, ...content) => make("section", {}, key ? make("h3", {}, say(key)) : null, content);
const gradientOf = (value) => [derivative(value.name)];

// "name, shape" and the numbers, one value a row.
function listed(rows) {
  return make("dl", {}, rows.map(([name, of]) => [
    make("dt", {}, maths(name), " ", make("span", { class: "shape" }, of && of.shape.length ? shapeText(of.shape) : "")),
    make("dd", {}, array(of)),
  ]));
}

function given(input) {
  return input.value === null ? [input.name, input.array] : [values[input.value].name, values[input.value].array];
}

// What was added up at a fan-out: each contribution, by the value that it came through, and the total.
function sum(value, upTo) {
  const here = value.contributions.filter((edge) => edge.handedAt <= upTo);
  const rows = here.map((edge, i) => make("tr", {}, make("td", {}, i ? "+ " : "",
    nodes[edge.node].values.slice(0, 1).map((id) => maths(values[id].name))), make("td", {}, array(edge.handed))));
  if (!value.whole) rows.push(make("tr", {}, make("td", {}, "+ …"), make("td", {})));
  if (here.length === value.contributions.length) {
    rows.push(make("tr", {}, make("td", {}, "= ", maths(gradientOf(value))), make("td", {}, array(value.gradient))));
  }
  return make("table", { class: "sum gradient" }, rows);
}

function facts(node, withOp = false) {
  const rows = [];
  const add = (key, ...content) => rows.push(make("dt", {}, say(key)), make("dd", {}, content));
  if (withOp && node.op) add("op", node.op);
  if (node.remarks.length) add("remarks", node.remarks.map((remark) => make("div", {}, remark)));
  if (node.made) {
    add("made", `${node.made.file}:${node.made.line} `, make("span", { class: "shape" }, node.made.function),
      node.made.code ? make("code", {}, node.made.code) : null);
  }
  if (node.scope.length) add("group", node.scope.join(" › "));
  add("type", [...new Set(node.values.map((id) => values[id].dtype))].join(", "));
  add("cost", say("costText", { flops: node.flops.toLocaleString(language), bytes: node.bytes.toLocaleString(language) }));
  return section(null, make("dl", { class: "facts" }, rows));
}

function shapesLine(node) {
  const into = node.inputs.map((input) => given(input)[1]).filter((of) => of && of.shape.length);
  if (!into.length) return null;
  const out = node.values.map((id) => shapeText(values[id].shape)).join(", ");
  return section("shapes", make("p", { class: "shape" }, `${into.map((of) => shapeText(of.shape)).join("  ")}  →  ${out}`));
}

function title(kind, ...content) {
  return section(null, make("p", { class: "kind" }, kind), content);
}

function groupText(node) {
  const { size, largest } = told;
  const opening = opens(node) ? say("openText")
    : say("closedText", { size: size.toLocaleString(language), largest: largest.toLocaleString(language) });
  return make("p", {}, `${say("groupText", { n: node.size.toLocaleString(language) })} ${opening}`);
}

const EXPLAIN = {
  inputs() {
    const leaves = nodes.filter((node) => node.kind === "leaf").flatMap((node) => node.values.map((id) => values[id]));
    return [title(say("inputs"), make("h2", {}, say("inputsTitle")), make("p", {}, say("inputsText"))),
      section(null, listed(leaves.slice(0, LISTED).map((leaf) => [leaf.name, leaf.array])),
        leaves.length > LISTED ? make("p", { class: "summary" }, say("more", { n: leaves.length - LISTED })) : null)];
  },
  forward(node) {
    const place = { i: opSteps.forward.indexOf(node.id) + 1, n: opSteps.forward.length };
    return [title(say("forwardOf", place), make("h2", {}, node.op),
      node.kind === "group" ? groupText(node) : equation(node.formula),
      node.numbers.length ? equation(node.numbers, "numbers") : null),
    node.inputs.length ? section("from", listed(node.inputs.map(given))) : null,
    section("gives", listed(node.values.map((id) => [values[id].name, values[id].array]))),
    shapesLine(node), facts(node)];
  },
  seed() {
    return [title(say("seed"), make("h2", { class: "gradient" }, maths(gradientOf(root))), make("p", {}, say("seedText"))),
      section(null, listed([[gradientOf(root), root.gradient]]), unknown())];
  },
  backward(node, step) {
    const place = { i: opSteps.backward.indexOf(node.id) + 1, n: opSteps.backward.length };
    const arriving = node.values.map((id) => values[id]).filter((value) => value.gradientAt <= step);
    return [title(say("backwardOf", place), make("h2", {}, node.op)),
      section("arrives", arriving.map((value) => arrived(value, step))),
      section("handsOn", node.uses.map((edge) => handedOn(edge, step)), unknown()), facts(node)];
  },
};

const unknown = () => data.known ? null : make("p", { class: "summary" }, say("unknown"));

function arrived(value, step) {
  // Where formulas write it by the name of the value that it is handed on from, both are told.
  const name = value.same.length ? [...gradientOf(value), [" = ", ""], derivative(value.same)] : gradientOf(value);
  if (value.contributions.length < 2) return [make("div", { class: "gradient" }, listed([[name, value.gradient]]))];
  return [make("p", {}, say("added", { n: value.contributions.length })), sum(value, step)];
}

function handedOn(edge, step) {
  const value = values[edge.value];
  if (!edge.formula) return make("p", { class: "summary" }, say("noGradient", { name: plain(value.name) }));
  const n = value.contributions.length, i = value.contributions.filter((each) => each.handedAt <= step).length;
  // With several uses this is only one part of the derivative, so the equals sign would lie.
  const left = n > 1 ? [["+ ", ""]] : [derivative(value.name), [" = ", ""]];
  const same = n === 1 && plain(edge.formula) === plain(gradientOf(value));
  return make("div", { "data-edge": String(edge.id) },
    n > 1 ? make("p", { class: "shape" }, maths(gradientOf(value)), " ") : null,
    equation(same ? edge.formula : [...left, ...edge.formula]),
    edge.numbers.length ? equation([["= ", ""], ...edge.numbers], "numbers") : null,
    make("div", { class: "gradient" }, array(edge.handed)),
    n > 1 ? make("p", { class: "summary" }, say(i === n ? "complete" : "partly", { i, n })) : null,
    n > 1 && i === n ? sum(value, step) : null);
}

function explain(step) {
  const [kind, id] = steps[step];
  stepPanel.className = kind === "backward" || kind === "seed" ? "back" : "";
  stepPanel.replaceChildren(...EXPLAIN[kind](id === null ? null : nodes[id], step).filter(Boolean));
}

// What a screen reader is told.
function announce(step) {
  const [kind, id] = steps[step];
  const place = { i: step + 1, n: steps.length };
  const node = id === null ? null : nodes[id];
  const text = {
    inputs: () => say("spokenInputs", { ...place,
      names: nodes.filter((each) => each.kind === "leaf").slice(0, 12).map((each) => plain(values[each.values[0]].name)).join(", ") }),
    forward: () => say("spokenForward", { ...place, op: node.op,
      name: node.values.slice(0, 1).map((id) => plain(values[id].name)).join(""),
      value: spoken(values[node.values[0]]?.array) }),
    seed: () => say("spokenSeed", place),
    backward: () => say("spokenBackward", { ...place, op: node.op, handed: node.uses.filter((edge) => edge.formula)
      .map((edge) => say("spokenTo", { name: plain(values[edge.value].name), value: spoken(edge.handed) })).join("; ") }),
  };
  document.getElementById("spoken").textContent = text[kind]();
}
