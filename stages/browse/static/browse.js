// Keys, pictures to zoom, draws that are read when they are opened, and parts that refresh. Everything works without, but these.
(() => {
  "use strict";
  const one = (selector, from = document) => from.querySelector(selector);
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const filters = one("#filters");
  const narrow = matchMedia("(max-width: 860px)");
  const fold = () => { if (filters) filters.open = !narrow.matches; };
  fold();
  narrow.addEventListener("change", fold);

  const fill = async (place, address) => {
    const answer = await fetch(address, { credentials: "same-origin" });
    if (!answer.ok) throw new Error(`${answer.status}`);
    // The server escapes all texts; a page's policy runs none of them in any case.
    place.innerHTML = await answer.text();
  };

  document.addEventListener("toggle", (event) => {
    const details = event.target;
    const address = details.dataset && details.dataset.from;
    if (!details.open || !address) return;
    delete details.dataset.from;
    const place = one(".drawn", details);
    fill(place, address).catch(() => { details.dataset.from = address; place.textContent = "The draws could not be read: close and open again."; });
  }, true);

  const zoom = (picture) => picture && picture.classList.toggle("zoomed");
  document.addEventListener("click", (event) => {
    const target = event.target.closest("[data-zoom],[data-next-wrong],[data-keys],[data-close]");
    if (!target) return;
    if ("zoom" in target.dataset) zoom(target);
    if ("nextWrong" in target.dataset) wrong(1);
    if ("keys" in target.dataset) one("#keys").showModal();
    if ("close" in target.dataset) target.closest("dialog").close();
  });

  // Moves the focus among elements in the order of the page, from where it is; round at the ends.
  const move = (list, by) => {
    if (!list.length) return;
    const here = document.activeElement;
    let at = list.findIndex((item) => item === here || item.contains(here));
    if (at < 0) {
      const after = list.findIndex((item) => here.compareDocumentPosition(item) & Node.DOCUMENT_POSITION_FOLLOWING);
      at = by > 0 ? (after < 0 ? -1 : after - 1) : (after < 0 ? 0 : after);
    }
    const next = list[(at + by + list.length) % list.length];
    next.focus();
    next.scrollIntoView({ block: "nearest" });
  };
  const wrong = (by) => {
    const inside = document.activeElement.closest && document.activeElement.closest(".step");
    if (inside) inside.focus();
    move(all(".step[data-wrong]"), by);
  };
  const follow = (selector) => { const link = one(selector); if (link) location.href = link.href; };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || one("dialog[open]")) return;
    const target = event.target;
    if (/^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName)) { if (event.key === "Escape") target.blur(); return; }
    const items = one(".problem") ? all(".step") : all(".entry .question");
    const actions = {
      n: () => follow("a[rel=next]"), p: () => follow("a[rel=prev]"), u: () => follow("[data-up]"),
      j: () => move(items, 1), k: () => move(items, -1), w: () => wrong(1), W: () => wrong(-1),
      z: () => zoom(one("[data-zoom]")), "?": () => one("#keys").showModal(),
      "/": () => { const search = one("#q"); if (search) { if (filters) filters.open = true; search.focus(); } },
      Escape: () => all(".zoomed").forEach(zoom),
    };
    const open = () => {
      const details = target.classList.contains("step") && one("details.draws", target);
      if (details) details.open = !details.open;
      return details;
    };
    if (event.key === "o" || (event.key === "Enter" && target.classList.contains("step"))) { if (open()) event.preventDefault(); return; }
    if (actions[event.key]) { event.preventDefault(); actions[event.key](); }
  });

  // The next one is asked for five seconds after the last one came, so a slow answer is not asked for twice.
  const refreshed = one("[data-refresh]");
  const refresh = () => setTimeout(async () => {
    if (!document.hidden) await fill(refreshed, refreshed.dataset.refresh).catch(() => {});
    refresh();
  }, 5000);
  if (refreshed && refreshed.dataset.refresh) refresh();
})();
