// The controls: steps, playing, the address, search, colours, language, theme, downloads. It ties the rest together.

const $ = (id) => document.getElementById(id);
const slider = $("slider");
let current = 0;
let timer = null;

// --- steps ---

function goTo(step, speaks = true) {
  current = Math.min(LAST, Math.max(0, Math.round(step) || 0));
  showUpTo(current);
  emphasise(steps[current]);
  explain(current);
  const [kind, id] = steps[current];
  // What is given stands where the first op does: a corner of a large figure may be empty.
  bringIntoSight(ringed(nodes[(kind === "inputs" ? steps[Math.min(1, LAST)][1] : id) ?? root.node]));
  slider.value = current;
  $("count").textContent = say("count", { i: current, n: LAST });
  slider.setAttribute("aria-valuetext", stepPanel.querySelector(".kind").textContent);
  $("first").disabled = $("previous").disabled = current === 0;
  $("last").disabled = $("next").disabled = current === LAST;
  if (speaks) announce(current);
  tell();
}

function step(by) {
  stop();
  goTo(beyond(current, by));
}

// The step after or before one; of those that go on under the same folded frame the last is told alone.
function beyond(at, by) {
  const covering = (step) => hidden.get(nodes[steps[step]?.[1]]);
  const goesOn = (step) => covering(step) && covering(step) === covering(step + 1) && steps[step][0] === steps[step + 1][0];
  do at += by; while (goesOn(at));
  return at;
}

function stop() {
  clearTimeout(timer);
  timer = null;
  $("play").classList.remove("playing");
  labelPlay();
}

function play() {
  if (timer !== null) return stop();
  if (current === LAST) goTo(0);
  $("play").classList.add("playing");
  timer = setTimeout(tick, pause());
  labelPlay();
}

function tick() {
  goTo(beyond(current, 1));
  if (current === LAST) stop();
  else timer = setTimeout(tick, pause());
}

const pause = () => 1500 / parseFloat($("speed").value);

function labelPlay() {
  const key = timer === null ? "play" : "pause";
  $("play").setAttribute("aria-label", say(key));
  $("play").title = say(key);
}

$("first").addEventListener("click", () => { stop(); goTo(0); });
$("previous").addEventListener("click", () => step(-1));
$("next").addEventListener("click", () => step(1));
$("last").addEventListener("click", () => { stop(); goTo(LAST); });
$("play").addEventListener("click", play);
slider.addEventListener("input", () => { stop(); goTo(Number(slider.value)); });

// --- the address: #step=12&lang=ja links to a step; nothing else is remembered ---

function tell() {
  const parameters = new URLSearchParams({ step: current });
  if (isOpened) parameters.set("open", opened());
  if (chosen !== null) parameters.set("value", chosen.id);
  if (address.has("lang")) parameters.set("lang", language);
  if (document.documentElement.dataset.theme) parameters.set("theme", document.documentElement.dataset.theme);
  address = parameters;
  try {
    history.replaceState(null, "", `#${parameters}`);
  } catch {
    // A page in a sandbox may have no address to change, or be told that it changes too often: the steps go on.
  }
}

let address = new URLSearchParams();

function readAddress(parameters) {
  address = parameters;
  const wanted = address.get("lang") ?? navigator.language.slice(0, 2);
  setLanguage(wanted);
  if (["light", "dark"].includes(address.get("theme"))) document.documentElement.dataset.theme = address.get("theme");
  const value = values[address.get("value") ?? -1] ?? null;
  const at = Number(address.get("step"));
  relabel();
  choose(value);
  goTo(at, false);
}

addEventListener("hashchange", () => {
  const wanted = addressed();
  if (wanted.get("open") === address.get("open")) readAddress(wanted);
  else begin(wanted);
}, { signal: over });

// --- what the language changes ---

function relabel() {
  const { ops } = data;
  $("name").replaceChildren(maths(data.name));
  $("size").textContent = say(ops === 1 ? "opsOne" : "ops", { n: ops.toLocaleString(language) });
  labelBoxes();
  labelGroups();
  labelPlay();
  lookFor();
}

$("language").addEventListener("click", () => {
  setLanguage(language === "en" ? "ja" : "en");
  address.set("lang", language);
  relabel();
  explainChosen();
  goTo(current, false);
});

$("theme").addEventListener("click", () => {
  const now = document.documentElement.dataset.theme
    ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
  document.documentElement.dataset.theme = now === "dark" ? "light" : "dark";
  tell();
});

// --- search ---

let hits = [];
let hit = -1;

function lookFor() {
  const words = $("search").value.trim().toLowerCase().split(/\s+/).filter(Boolean);
  hits = words.length === 0 ? [] : nodes.filter((node) => {
    const text = [node.op ?? "", node.label, ...node.values.map((id) => plain(values[id].name)),
      node.made ? `${node.made.file}:${node.made.line}` : "", ...node.scope].join("\n").toLowerCase();
    return words.every((word) => text.includes(word));
  });
  hit = -1;
  for (const [node, box] of boxes) box.classList.toggle("found", hits.includes(node));
  $("found").textContent = !words.length ? "" : hits.length ? String(hits.length) : say("foundNone");
}

function nextHit(by) {
  if (!hits.length) return;
  hit = (hit + by + hits.length) % hits.length;
  $("found").textContent = say("found", { i: hit + 1, n: hits.length });
  const node = hits[hit];
  choose(values[node.values[0]] ?? null);
  bringIntoSight(ringed(node));
  tell();
}

$("search").addEventListener("input", lookFor);
$("search").addEventListener("keydown", (event) => {
  if (event.key === "Enter") nextHit(event.shiftKey ? -1 : 1);
  if (event.key === "Escape") { $("search").value = ""; lookFor(); stage.focus({ preventScroll: true }); }
});
$("heat").addEventListener("change", () => paintHeat($("heat").value));

// --- keys ---

const KEYS = {
  ArrowRight: () => step(1), ArrowDown: () => step(1), ArrowLeft: () => step(-1), ArrowUp: () => step(-1),
  Home: () => { stop(); goTo(0); }, End: () => { stop(); goTo(LAST); }, " ": play,
  "+": () => zoom(1.25), "=": () => zoom(1.25), "-": () => zoom(0.8), 0: showWhole,
  "/": () => $("search").focus(), Escape: () => { stop(); choose(null); tell(); },
};
const MOVES = { ArrowRight: [-60, 0], ArrowLeft: [60, 0], ArrowDown: [0, -60], ArrowUp: [0, 60] };

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, select, textarea")) return;
  if (event.key === " " && event.target.closest("button")) return;
  const move = event.shiftKey && MOVES[event.key];
  if (!move && !KEYS[event.key]) return;
  event.preventDefault();
  if (move) pan(...move);
  else KEYS[event.key]();
}, { signal: over });
$("closer").addEventListener("click", () => zoom(1.25));
$("further").addEventListener("click", () => zoom(0.8));
$("whole").addEventListener("click", showWhole);

// --- downloads: the picture as it stands, whole, with its colours ---

const LARGEST = 8192; // pixels: browsers refuse a larger canvas

function pictureSource() {
  const copy = svg.cloneNode(true);
  const colours = getComputedStyle(document.documentElement);
  const names = ["ink", "backward", "quiet", "op", "highlight", "paper", "hot"];
  const style = document.createElementNS(SVG, "style");
  style.textContent = `.tinygraph{${names.map((name) => `--tg-${name}:${colours.getPropertyValue(`--tg-${name}`)}`).join(";")}}`
    + $("picture-style").textContent;
  copy.prepend(style);
  copy.setAttribute("viewBox", extent.join(" "));
  copy.setAttribute("width", extent[2]);
  copy.setAttribute("height", extent[3]);
  return new XMLSerializer().serializeToString(copy);
}

function download(blob, name) {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
}

$("save-svg").addEventListener("click", () => {
  download(new Blob([pictureSource()], { type: "image/svg+xml" }), "graph.svg");
});
$("save-png").addEventListener("click", async () => {
  const image = new Image();
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(pictureSource())}`;
  await image.decode();
  const scale = Math.min(3, LARGEST / Math.max(extent[2], extent[3]));
  const bitmap = make("canvas", { width: Math.round(extent[2] * scale), height: Math.round(extent[3] * scale) });
  bitmap.getContext("2d").drawImage(image, 0, 0, bitmap.width, bitmap.height);
  bitmap.toBlob((blob) => download(blob, "graph.png"), "image/png");
});

// --- and off it goes ---

const turn = steps.findIndex(([kind]) => kind === "seed");
slider.max = LAST;
document.body.style.setProperty("--split", turn < 0 ? "100%" : `${(100 * (turn - 0.5) / Math.max(1, LAST)).toFixed(2)}%`);
document.querySelector(".passes .back").hidden = turn < 0;
document.body.classList.toggle("wide", extent[2] > 3 * extent[3]);
// The stage of a wide figure is as high as the figure: shown whole, or where that would be too small to read, readable.
document.body.style.setProperty("--high", `${(extent[3] * Math.max(Math.min(innerWidth / extent[2], 1.2), READABLE)).toFixed(0)}px`);
firstView();
over.addEventListener("abort", stop);
if (groups.some((group) => group.folded)) redrawGroups();
readAddress(parameters);
paintHeat($("heat").value);
if (focus !== null) {
  const element = document.getElementById(focus);
  element?.focus({ preventScroll: true });
  if (stage.contains(element)) bringIntoSight(element);
}
