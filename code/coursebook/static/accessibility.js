/* What takes a script: names and focus of the theme's dialogs, and folded parts on paper. */

(() => {
  const dialogs = {
    "pst-primary-sidebar-modal": ".primary-toggle",
    "pst-secondary-sidebar-modal": ".secondary-toggle",
    "pst-search-dialog": ".search-button__button",
  };

  for (const [id, openers] of Object.entries(dialogs)) {
    const dialog = document.getElementById(id);
    const button = document.querySelector(openers);
    if (!dialog || !button) continue;
    if (!dialog.hasAttribute("aria-label")) dialog.setAttribute("aria-label", button.getAttribute("aria-label"));

    // The theme takes the focus off the button before it opens a dialog, and so can't give it back.
    let opener = null;
    document.addEventListener("click", (event) => { opener = event.target.closest(openers) ?? opener; }, true);
    dialog.addEventListener("close", () => {
      const target = opener;
      opener = null;
      setTimeout(() => target?.focus());
    });

    // A link to a place on this page leads there: the dialog would stay before it.
    dialog.addEventListener("click", (event) => {
      const link = event.target.closest("a");
      if (!link || link.pathname !== location.pathname || !link.hash) return;
      opener = null;
      dialog.close();
    });
  }

  // A script of Sphinx's takes Escape for itself, where the focus is in none of a dialog's fields.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") document.querySelector("dialog[open]")?.close();
  }, true);

  // On paper: everything folded is open, and colours are the light ones.
  const root = document.documentElement.dataset;
  let opened = [];
  let theme = null;

  addEventListener("beforeprint", () => {
    if (theme !== null) return;
    opened = [...document.querySelectorAll("details:not([open])")];
    for (const element of opened) element.open = true;
    theme = root.theme;
    root.theme = "light";
  });

  addEventListener("afterprint", () => {
    for (const element of opened) element.open = false;
    if (theme !== null) root.theme = theme;
    theme = null;
  });
})();
