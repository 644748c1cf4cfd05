// Formulas in the reader's browser. Without this script they show as well.

// One that is wider than the page scrolls. Then, and only then, the keyboard has to get to it,
// and its edges fade where there is more.
function mark(formula) {
  const more = formula.scrollWidth - formula.clientWidth;
  if (more > 0) formula.tabIndex = 0;
  else formula.removeAttribute("tabindex");
  formula.classList.toggle("more-before", formula.scrollLeft > 1);
  formula.classList.toggle("more-after", formula.scrollLeft < more - 1);
}

const formulas = document.querySelectorAll(".math-scroll");
const sizes = new ResizeObserver((entries) => entries.forEach((entry) => mark(entry.target)));
for (const formula of formulas) {
  sizes.observe(formula);
  formula.addEventListener("scroll", () => mark(formula), { passive: true });
}
// A font that arrives makes a formula wider, and the box around it stays as it was.
document.fonts.addEventListener("loadingdone", () => formulas.forEach(mark));

// What the search shows of a page has each formula once.
if (typeof Search !== "undefined") {
  const htmlToText = Search.htmlToText;
  Search.htmlToText = (html, anchor) => {
    const page = new DOMParser().parseFromString(html, "text/html");
    for (const twin of page.querySelectorAll(".katex-html, annotation")) twin.remove();
    return htmlToText(page.documentElement.outerHTML, anchor);
  };
}
