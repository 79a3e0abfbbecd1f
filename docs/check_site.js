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
  for (const { name } of view.performance.getEntriesByType("resource")) {
    if (!/^(data|blob):/.test(name) && new URL(name).origin !== location.origin) found.push(`requests ${name}`);
  }
  return found;
}

async function open(frame, path) {
  await new Promise((resolve) => {
    frame.onload = resolve;
    frame.src = path;
  });
  // Sidebars would still slide when the page is measured.
  const style = frame.contentDocument.head.appendChild(document.createElement("style"));
  style.textContent = "* { transition: none !important }";
}

// The paths of the pages that the search finds for a query, best first.
async function search(frame, query) {
  await open(frame, "/");
  frame.contentDocument.getElementById("__search").click();
  const input = frame.contentDocument.querySelector("[data-md-component=search-query]");
  input.value = query;
  for (let tries = 0; tries < 100; tries++) {
    input.dispatchEvent(new Event("keyup"));
    await new Promise((resolve) => setTimeout(resolve, 100));
    const links = [...frame.contentDocument.querySelectorAll(".md-search-result__link")];
    if (links.length) return links.map((link) => new URL(link.href).pathname);
  }
  return [];
}

async function check(paths, widths, searches) {
  const problems = [];
  const frame = document.body.appendChild(document.createElement("iframe"));
  frame.height = 900;
  frame.style.border = "none";
  for (const [query, path] of Object.entries(searches)) {
    const found = await search(frame, query);
    if (!found.includes(path)) problems.push(`search for ${query}: finds ${found}, not ${path}`);
  }
  for (const path of paths) {
    await open(frame, path);
    for (const width of widths) {
      frame.width = width;
      await frame.contentDocument.fonts.ready;
      problems.push(...problemsOf(frame.contentWindow).map((problem) => `${path} at ${width}: ${problem}`));
    }
  }
  await fetch("/report", { method: "POST", body: JSON.stringify(problems) });
}
