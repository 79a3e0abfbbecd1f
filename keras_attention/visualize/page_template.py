"""The page of `visualize.html`: `$title` and `$data` (JSON) are filled in."""

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'">
<title>$title</title>
<style>
body { font: 15px/1.5 sans-serif; max-width: 60em; margin: 1em auto; padding: 0 1em; color: #222; background: #fff; }
h1 { font-size: 1.3em; } h2 { font-size: 1em; margin: 1em 0 0.3em; }
#heads { overflow-x: auto; } table { border-spacing: 2px; }
th { font-weight: normal; text-align: right; padding-right: 0.4em; white-space: nowrap; }
thead th { text-align: center; }
canvas { display: block; width: 38px; height: 38px; image-rendering: pixelated;
 border: 2px solid #ccc; cursor: pointer; }
canvas[aria-pressed=true], canvas:focus { border-color: #d55e00; outline: none; }
.tokens span { display: inline-block; padding: 0.1em 0.3em; margin: 1px; border-radius: 3px; white-space: pre; }
#queries span { cursor: pointer; border: 1px solid #bbb; } #keys span { border: 1px solid #eee; }
#queries span.on { border-color: #d55e00; box-shadow: 0 0 0 1px #d55e00; }
</style>
</head>
<body>
<h1 dir="auto">$title</h1>
<div id="heads"></div>
<h2>Queries</h2><div class="tokens" id="queries" dir="auto"></div>
<h2>Keys <span id="says"></span></h2><div class="tokens" id="keys" dir="auto"></div>
<script type="application/json" id="data">$data</script>
<script>
"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const T = data.queries.length, S = data.keys.length;
const layers = data.layers.map(layer => ({name: layer.name, tops: layer.tops,
  bytes: Uint8Array.from(atob(layer.scores), c => c.charCodeAt(0))}));
let layer = 0, head = 0, pinned = 0;

function byteAt(l, n, t, s) { return layers[l].bytes[(n * T + t) * S + s]; }
function score(t, s) { return byteAt(layer, head, t, s) / 255 * layers[layer].tops[head]; }
function shade(part) { return [[247, 8], [251, 81], [255, 156]].map(([low, high]) => low + (high - low) * part); }
function add(parent, tag, text) {
  const made = parent.appendChild(document.createElement(tag));
  if (text !== undefined) made.textContent = text;
  return made;
}
function reachable(element, label, press) {
  element.tabIndex = 0;
  element.setAttribute("role", "button");
  element.setAttribute("aria-label", label);
  element.onclick = press;
  element.onkeydown = event => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); press(); } };
}
function draw(canvas, l, n) {
  canvas.width = S; canvas.height = T;
  const context = canvas.getContext("2d"), image = context.createImageData(S, T);
  for (let i = 0; i < T * S; i++)
    image.data.set([...shade(layers[l].bytes[n * T * S + i] / 255), 255], 4 * i);
  context.putImageData(image, 0, 0);
}
function show(t) {
  const row = data.keys.map((_, s) => score(t, s)), top = Math.max(...row, 1e-30);
  [...document.getElementById("queries").children].forEach((span, i) => span.classList.toggle("on", i === t));
  [...document.getElementById("keys").children].forEach((span, s) => {
    span.style.background = `rgb(${shade(row[s] / top)})`;
    span.style.color = row[s] / top > 0.55 ? "#fff" : "#222";
    span.title = row[s].toPrecision(2);
  });
  document.getElementById("says").textContent =
    `of “${data.queries[t]}”, ${layers[layer].name}, head ${head}; darkest: ${top.toPrecision(2)}`;
}
function choose(l, n) {
  [layer, head] = [l, n];
  document.querySelectorAll("canvas").forEach(c => c.setAttribute("aria-pressed", c.dataset.at === `${l},${n}`));
  show(pinned);
}
const table = add(document.getElementById("heads"), "table"), headings = add(add(table, "thead"), "tr");
add(headings, "th", "head");
for (let n = 0; n < Math.max(...layers.map(l => l.tops.length)); n++) add(headings, "th", n);
layers.forEach((one, l) => {
  const row = add(table, "tr");
  add(row, "th", one.name);
  one.tops.forEach((_, n) => {
    const canvas = add(add(row, "td"), "canvas");
    canvas.dataset.at = `${l},${n}`;
    reachable(canvas, `${one.name}, head ${n}`, () => choose(l, n));
    draw(canvas, l, n);
  });
});
data.queries.forEach((token, t) => {
  const span = add(document.getElementById("queries"), "span", token);
  reachable(span, token, () => { pinned = t; show(t); });
  span.onmouseenter = span.onfocus = () => show(t);
  span.onmouseleave = span.onblur = () => show(pinned);
});
data.keys.forEach(token => add(document.getElementById("keys"), "span", token));
choose(0, 0);
</script>
</body>
</html>
"""
