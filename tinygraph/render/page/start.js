// The page tells one picture at a time. To tell another it begins anew, its body too, so that nothing of the first
// is left but what the reader has set.

const untouched = document.body.cloneNode(true);
const addressed = () => new URLSearchParams(location.hash.slice(1));
const KEPT = ["search", "heat", "speed"]; // what the reader has set
let over = new AbortController();

function begin(parameters, focus = null) {
  over.abort();
  over = new AbortController();
  const chosen = KEPT.map((id) => document.getElementById(id).value);
  document.body.replaceWith(untouched.cloneNode(true));
  KEPT.forEach((id, i) => { document.getElementById(id).value = chosen[i]; });
  tellPicture(parameters, over.signal, focus);
}

tellPicture(addressed(), over.signal, null);
document.documentElement.dataset.ready = "";
