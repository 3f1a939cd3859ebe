// Groups: the picture frames what was computed in one scope. A folded frame lies on top of its inside and covers it.
// What the drawing collapsed is one box. A click on it turns to the opened picture, which has a frame in place of each
// such box: all of them folded but this. Where the last of them is folded again, the page turns back.

const open = (parameters.get("open") ?? "").split(".");
const groups = data.groups.map((group) => ({ ...group, folded: group.boxed && !open.includes(group.id),
  element: svg.getElementById(group.id) })).filter((group) => group.element);
const hidden = new Map(); // node -> the folded frame that covers it

// What the ring goes round: the node's box, or the frame that covers it.
function ringed(node) {
  return hidden.get(node)?.element ?? boxes.get(node) ?? null;
}

for (const group of groups) {
  const { element } = group;
  group.label = element.querySelector("text");
  group.frame = element.querySelector("path, polygon, rect");
  group.behind = element.nextSibling; // where it goes back to
  group.place = ["x", "y", "font-size", "text-anchor"].map((name) => [name, group.label?.getAttribute(name)]);
  element.setAttribute("role", "button");
  element.setAttribute("tabindex", "0");
  element.addEventListener("click", () => { if (travelled <= 4) fold(group); });
  element.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    fold(group);
    element.focus({ preventScroll: true });
  });
}

for (const [node, box] of [...boxes].filter(([node]) => opens(node))) {
  const turn = () => turnTo(node.home, node.home);
  box.setAttribute("aria-expanded", "false");
  box.addEventListener("click", (event) => {
    if (travelled > 4) return;
    event.stopPropagation();
    turn();
  });
  box.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    turn();
  });
}

const opened = () => groups.filter((group) => group.boxed && !group.folded).map((group) => group.id).join(".");

function fold(group) {
  group.folded = !group.folded;
  if (group.boxed && !opened()) return turnTo(null, told.nodes.find((node) => node.home === group.id)?.box);
  redrawGroups();
  tell();
}

// To the opened picture with these frames open, or to the collapsed one, at the same moment.
function turnTo(open, focus = null) {
  const parameters = new URLSearchParams(address);
  for (const name of ["value", "open"]) parameters.delete(name);
  parameters.set("step", sameMoment(isOpened ? told : told.opened));
  if (open !== null) parameters.set("open", open);
  begin(parameters, focus);
}

// The last step of the other picture that tells of a box, or of the frame in its place, which this one has just told of.
function sameMoment(other) {
  const home = (of, id) => (id === null ? null : of.nodes[id].home);
  for (let at = current; at > 0; at--) {
    const [kind, id] = steps[at];
    const same = other.steps.findLastIndex((step) => step[0] === kind && home(other, step[1]) === home(data, id));
    if (same >= 0) return same;
  }
  return 0;
}

function redrawGroups() {
  hidden.clear();
  for (const group of [...groups].reverse()) canvas.insertBefore(group.element, group.behind);
  // Frames come before those within them, so the outermost folded one is the last to be put on top.
  for (const group of [...groups].reverse().filter((each) => each.folded)) {
    canvas.insertBefore(group.element, ring);
    for (const id of group.nodes) hidden.set(nodes[id], group);
  }
  const isCovered = (group) => group.folded || groups.some((other) => other.id === group.parent && isCovered(other));
  for (const group of groups) {
    const outer = groups.find((other) => other.id === group.parent);
    group.element.classList.toggle("away", outer !== undefined && isCovered(outer));
  }
  for (const [node, box] of boxes) box.classList.toggle("away", hidden.has(node));
  labelGroups();
  emphasise(steps[Math.max(0, shown)]);
}

function labelGroups() {
  for (const { element, frame, label, name, nodes: members, place, folded } of groups) {
    const ops = members.filter((id) => nodes[id].kind === "op").length;
    element.classList.toggle("folded", folded);
    element.setAttribute("aria-expanded", String(!folded));
    element.setAttribute("aria-label", say(folded ? "expand" : "collapse", { name }));
    if (!label) continue;
    for (const [key, value] of place) label.setAttribute(key, value);
    label.textContent = name;
    if (!folded) continue;
    const { x, y, width, height } = frame.getBBox();
    const size = Math.max(12, Math.min(26, height / 4));
    const middle = { x: x + width / 2, y: y + height / 2 + size / 3, "font-size": size, "text-anchor": "middle" };
    for (const [key, value] of Object.entries(middle)) label.setAttribute(key, value);
    label.textContent = `${name} · ${say(ops === 1 ? "opsOne" : "ops", { n: ops })}`;
  }
  const button = document.getElementById("groups");
  const closes = told.opened ? isOpened : groups.some((group) => !group.folded);
  button.hidden = !groups.length && !told.opened;
  button.textContent = say(closes ? "collapseAll" : "expandAll");
}

document.getElementById("groups").addEventListener("click", () => {
  const boxed = told.opened?.groups.filter((group) => group.boxed).map((group) => group.id);
  if (boxed) return turnTo(isOpened ? null : boxed.join("."), "groups");
  const closes = groups.some((group) => !group.folded);
  for (const group of groups) group.folded = closes;
  redrawGroups();
});
