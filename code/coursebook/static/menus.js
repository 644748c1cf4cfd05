/* The menus above a page, and the way back to its top: all that the theme needs of Bootstrap's
   script, which is forty times as long. */

(() => {
  const opener = '[data-bs-toggle="dropdown"]';
  const menuOf = (button) => button.parentElement.querySelector(".dropdown-menu");

  const set = (button, open) => {
    button.setAttribute("aria-expanded", open);
    menuOf(button).classList.toggle("show", open);
  };
  const closeAll = (but) => {
    for (const button of document.querySelectorAll(`${opener}[aria-expanded="true"]`)) if (button !== but) set(button, false);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest(opener);
    closeAll(button);
    if (button) set(button, button.getAttribute("aria-expanded") !== "true");
  });

  for (const button of document.querySelectorAll(opener)) {
    const around = button.parentElement;
    around.addEventListener("focusout", (event) => {
      if (event.relatedTarget && !around.contains(event.relatedTarget)) set(button, false);
    });
    around.addEventListener("keydown", (event) => {
      const items = [...menuOf(button).querySelectorAll("a, button")];
      if (event.key === "Escape" && button.getAttribute("aria-expanded") === "true") {
        set(button, false);
        button.focus();
      } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
        event.preventDefault();
        set(button, true);
        const next = items.indexOf(document.activeElement) + (event.key === "ArrowDown" ? 1 : -1);
        items.at(next < 0 ? -1 : next % items.length)?.focus();
      }
    });
  }

  const back = document.getElementById("pst-back-to-top");
  let last = 0;
  addEventListener("scroll", () => {
    if (back) back.style.display = scrollY < last && scrollY > innerHeight ? "block" : "none";
    last = scrollY;
  }, { passive: true });
  back?.addEventListener("click", () => scrollTo(0, 0));
})();
