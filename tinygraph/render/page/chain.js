// A chosen value: its numbers, its gradient, and the chain of derivatives that leads from the result to it.

const WRITTEN = 4; // so many paths are written out
let chosen = null;
let chain = [];

// How many paths lead from each value to the result, counted backwards so that none is walked twice.
const made = (node) => nodes[node].values.map((id) => values[id]);
const pathCount = new Map([[root, 1n]]);
for (const node of [...nodes].reverse()) {
  for (const value of node.values.map((id) => values[id])) {
    let count = value === root ? 1n : 0n;
    for (const edge of value.contributions) for (const next of made(edge.node)) count += pathCount.get(next) ?? 0n;
    pathCount.set(value, count);
  }
}

// The first few paths, each a list of [edge, value that the edge's op made].
function pathsFrom(value) {
  const found = [];
  const pending = [[value, []]];
  while (pending.length && found.length < WRITTEN) {
    const [at, path] = pending.pop();
    if (at === root) found.push(path);
    const ways = at.contributions.flatMap((edge) => made(edge.node).map((next) => [edge, next]))
      .filter(([, next]) => pathCount.get(next) > 0n);
    for (const [edge, next] of ways.reverse()) pending.push([next, [...path, [edge, next]]]);
  }
  return found;
}

function product(value, path) {
  if (!path.length) return [["1", ""]];
  const factors = [];
  let at = value;
  for (const [, next] of path) {
    factors.unshift(partial(next.name, at.name));
    at = next;
  }
  return factors.flatMap((factor, i) => i ? [[" · ", ""], factor] : [factor]);
}

function links(path) {
  const rows = [...path].reverse().map(([edge]) => {
    const value = values[edge.value];
    const part = value.contributions.length > 1 ? [["+ ", ""]] : [derivative(value.name), [" = ", ""]];
    const same = part.length > 1 && plain(edge.formula) === plain(gradientOf(value));
    return make("li", {}, make("p", { class: "equation gradient" }, maths(same ? edge.formula : [...part, ...edge.formula])),
      make("div", { class: "gradient" }, array(edge.handed)));
  });
  return make("ol", { class: "links" }, rows);
}

function chainOf(value) {
  const count = pathCount.get(value);
  if (value === root && count === 1n) return [section("chain", make("p", {}, say("isRoot")))];
  if (!count) return [section("chain", make("p", {}, say("noChain")))];
  const paths = pathsFrom(value);
  const lines = paths.map((path, i) => equation([...(i ? [["+ ", ""]] : [derivative(value.name), [" = ", ""]]),
    ...product(value, path)], "gradient"));
  const more = count - BigInt(paths.length);
  return [section("chain", count > 1n ? make("p", {}, say("paths", { n: count.toLocaleString(language) })) : null, lines,
    more > 0n ? make("p", { class: "summary" }, say("more", { n: more.toLocaleString(language) })) : null),
  section("link", links(paths[0]))];
}

function choose(value) {
  chosen = value;
  for (const element of chain) element.classList.remove("chain");
  chain = [];
  chosenPanel.hidden = value === null;
  encircle(mark, value && ringed(nodes[value.node]), 7);
  if (value === null) return;
  const onPaths = new Set(pathsFrom(value).flat().map(([edge]) => edge.id));
  const passed = new Set([...onPaths].map((id) => edges[id].value)); // to where such a value branches leads no edge
  for (const [id, wire] of Object.entries(wires)) {
    const isTrunk = !wire.edges.length && wire.values.some((id) => passed.has(id) && values[id] !== root);
    if (!isTrunk && !wire.edges.some((edge) => onPaths.has(edge))) continue;
    chain.push(...wireParts.get(id).backward.filter((element) => element.matches("g.edge")));
  }
  for (const element of chain) element.classList.add("chain");
  explainChosen();
}

function explainChosen() {
  if (chosen === null) return;
  const close = make("button", { class: "icon close", "aria-label": say("close"), title: say("close"), id: "close" }, "✕");
  close.addEventListener("click", () => { choose(null); stage.focus({ preventScroll: true }); tell(); });
  const gradient = chosen.contributions.length > 1 ? sum(chosen, Infinity)
    : make("div", { class: "gradient" }, listed([[gradientOf(chosen), chosen.gradient]]));
  chosenPanel.replaceChildren(...[
    section(null, close, make("p", { class: "kind" }, say("chosen")), make("h2", {}, maths(chosen.name))),
    section("value", listed([[chosen.name, chosen.array]])),
    chosen.gradientAt < Infinity ? section("gradient", gradient, unknown()) : null,
    ...chainOf(chosen), chosen.node === null ? null : facts(nodes[chosen.node], true)].filter(Boolean));
}

function chooseAloud(value) {
  choose(value);
  document.querySelector("aside").scrollTop = 0;
  document.getElementById("spoken").textContent = `${say("chosen")}: ${plain(value.name)} = ${spoken(value.array)}`;
  tell();
}

// A click on a node or a wire chooses its value; a drag does not.
function valueAt(element) {
  const id = element.closest?.("g.node")?.id ?? "";
  const node = nodes[data.boxes[id] ?? -1];
  const [value] = wires[id]?.values ?? node?.values ?? [];
  return values[value] ?? null;
}

stage.addEventListener("click", (event) => {
  if (travelled > 4 || event.target.closest("button")) return;
  const value = valueAt(event.target);
  if (value === null) return;
  chooseAloud(value);
});
stage.addEventListener("keydown", (event) => {
  if (event.key !== "Enter" && event.key !== " ") return;
  const value = event.target === stage ? null : valueAt(event.target);
  if (value === null) return;
  event.preventDefault();
  event.stopPropagation();
  chooseAloud(value);
});
