// The page tells one picture at a time. To tell another it begins anew, its body too, so that nothing of the first is left.

const untouched = document.body.cloneNode(true);
const addressed = () => new URLSearchParams(location.hash.slice(1));
let over = new AbortController();

function begin(parameters, focus = null) {
  over.abort();
  over = new AbortController();
  document.body.replaceWith(untouched.cloneNode(true));
  tellPicture(parameters, over.signal, focus);
}

tellPicture(addressed(), over.signal, null);
document.documentElement.dataset.ready = "";
