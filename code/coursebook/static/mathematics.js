// A formula that is wider than the page scrolls. Then, and only then, the keyboard has to get to it.
const watch = new ResizeObserver((entries) => {
  for (const { target } of entries) {
    const scrolls = target.scrollWidth > target.clientWidth;
    target.tabIndex = scrolls ? 0 : -1;
    if (!scrolls) target.removeAttribute("tabindex");
  }
});
for (const formula of document.querySelectorAll(".math-scroll")) watch.observe(formula);
