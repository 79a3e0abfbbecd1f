// The page of check_site.py: opens each page in a frame of each width, and posts the problems.

const scrolls = (element) => getComputedStyle(element).overflowX !== "visible";

// Whether an element of the content sticks out of it, and no block between the two scrolls.
function sticksOut(element, content) {
  const edge = content.getBoundingClientRect().right + 1;
  if (element.getBoundingClientRect().right <= edge) return false;
  for (let block = element.parentElement; block !== content; block = block.parentElement) {
    if (scrolls(block)) return false;
  }
  return true;
}

function problemsOf(view) {
  const { document } = view;
  const found = [];
  if (document.documentElement.scrollWidth > view.innerWidth) {
    found.push(`is ${document.documentElement.scrollWidth} pixels wide`);
  }
  const content = document.querySelector(".md-content");
  if (!content) return [...found, "has no content"];
  const out = [...content.querySelectorAll("*")].find((element) => sticksOut(element, content));
  if (out) found.push(`sticks out: <${out.tagName.toLowerCase()}> ${out.textContent.trim().slice(0, 60)}`);
  for (const image of document.images) {
    if (!image.naturalWidth) found.push(`has no image ${image.src}`);
  }
  for (const { name } of view.performance.getEntriesByType("resource")) {
    if (!/^(data|blob):/.test(name) && new URL(name).origin !== location.origin) found.push(`requests ${name}`);
  }
  return found;
}

async function check(paths, widths) {
  const problems = [];
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.height = 900;
  for (const width of widths) {
    frame.width = width;
    frame.style.border = "none";
    for (const path of paths) {
      await new Promise((resolve) => {
        frame.onload = resolve;
        frame.src = path;
      });
      await frame.contentDocument.fonts.ready;
      problems.push(...problemsOf(frame.contentWindow).map((problem) => `${path} at ${width}: ${problem}`));
    }
  }
  await fetch("/report", { method: "POST", body: JSON.stringify(problems) });
}
