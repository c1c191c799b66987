/* Listens for changes and asks for the parts of the page that show them; a form that somebody fills stays as it is. */
(() => {
  "use strict";
  const AGAIN = 5000;
  const parts = () => [...document.querySelectorAll("[data-live-part], #live")];
  const name = (summary) => summary.getAttribute("aria-label") ?? summary.textContent;
  /* After a form that was not taken the address is that of the act, which answers nobody who only looks. */
  const where = () => {
    const { pathname, href } = window.location;
    return told.page && told.page !== pathname ? told.page : href;
  };
  const refresh = async () => {
    const answer = await fetch(where(), { headers: { "X-Live": "1" }, redirect: "manual" });
    if (answer.type === "opaqueredirect") return;  // signed out
    if (!answer.ok) throw new Error("not told");
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    const focused = document.activeElement?.getAttribute?.("href");
    for (const part of parts()) {
      const next = part.id && fresh.getElementById(part.id);
      const busy = part.querySelector("form[data-typed]") || part.contains(document.activeElement?.closest?.("form"));
      if (next && !busy) {
        const open = new Set([...part.querySelectorAll("details[open] > summary")].map(name));
        part.replaceChildren(...next.childNodes);
        for (const one of part.querySelectorAll("details > summary")) {
          if (open.has(name(one))) one.parentElement.open = true;
        }
      }
    }
    document.body.dataset.now = fresh.body.dataset.now ?? document.body.dataset.now;
    if (focused) document.querySelector(`#live a[href="${CSS.escape(focused)}"]`)?.focus();
    document.dispatchEvent(new Event("holdfast:fresh"));
    const note = document.getElementById("changed");
    const edited = Number(fresh.querySelector("[data-live]")?.dataset.edited);
    if (note && edited > Number(told.revision)) note.hidden = false;
  };
  document.addEventListener("input", (event) => event.target.closest?.("form")?.setAttribute("data-typed", ""));
  const told = document.querySelector("[data-live]")?.dataset;
  const place = told?.live;
  if (!place || !window.EventSource) return;
  let waiting = false;
  const soon = (pause = Number(told.liveWait || 150)) => {
    if (waiting) return;
    waiting = true;
    setTimeout(() => {
      waiting = false;
      refresh().catch(() => soon(AGAIN));
    }, pause);
  };
  const stream = new EventSource(place);
  /* Nobody tells what changed before the stream began, or while it was broken. A page that says what it has `seen`
     is told that by the server when it first asks. */
  let sure = new URL(place, window.location.href).searchParams.has("seen");
  stream.addEventListener("open", () => {
    if (!sure) soon();
    sure = false;
  });
  stream.addEventListener("changed", () => soon());
  window.addEventListener("pagehide", () => stream.close());
  window.addEventListener("pageshow", (event) => event.persisted && window.location.reload());
})();
