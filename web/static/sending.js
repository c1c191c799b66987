/* Sends a form once, and only when the server can be reached: a browser's own page about a missing connection would
   take away what was typed, and the number to call. */
(() => {
  "use strict";
  const PATIENCE = 4000;
  const SOON = 1000;
  // Slow is not away: after that time it is sent all the same.
  const reached = async () => {
    const signal = AbortSignal.timeout(PATIENCE);
    const answer = await fetch("/static/icon.svg", { method: "HEAD", cache: "no-store", signal }).catch((error) => {
      if (error.name !== "TimeoutError") throw error;
    });
    if (answer && !answer.ok) throw new Error("away");
  };
  const within = async (promises) => {
    const all = Promise.allSettled(promises);
    await Promise.race([all, new Promise((done) => setTimeout(done, PATIENCE))]);
    if (document.querySelector("dialog.curtain[open]")) await all;  // somebody is signing in again to go on
  };

  const unreached = (form) => {
    document.getElementById("unreached")?.remove();
    const told = Object.assign(document.createElement("div"), { id: "unreached", className: "problems", tabIndex: -1 });
    told.setAttribute("role", "alert");
    const urgent = (form.getAttribute("action") ?? "").endsWith("/emergency");
    told.innerHTML = urgent
      ? "<h2>No connection: call by phone now</h2><p>The emergency is not written down yet. Press again when the connection is back.</p>"
      : "<h2>No connection</h2><p>Nothing was sent. Everything is still here. Press again when the connection is back.</p>";
    const number = urgent && document.querySelector('#whom a[href^="tel:"]');
    if (number) told.append(Object.assign(document.createElement("a"), { className: "btn", href: number.href, textContent: `Call ${number.textContent}` }));
    if (urgent) document.getElementById("main").prepend(told);
    else form.before(told);
    told.focus();
  };

  // The engine may take its time; the page says that it was heard.
  const unanswered = (form) => {
    const place = form.querySelector(".saved");
    if (place) place.textContent = "Sending …";
  };

  // A double press sends once; the key would see to it anyway.
  document.addEventListener("submit", async (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method !== "post" || form.target) return;
    if (form.dataset.reached) return void delete form.dataset.reached;
    event.preventDefault();
    if (form.dataset.sent) return;
    form.dataset.sent = "1";
    const wait = [];
    document.dispatchEvent(new CustomEvent("holdfast:sending", { detail: wait }));
    try {
      await Promise.all([reached(), within(wait)]);
    } catch {
      delete form.dataset.sent;
      return unreached(form);
    }
    document.getElementById("unreached")?.remove();
    if (!form.isConnected) {  // the page was made anew around it meanwhile
      form.hidden = true;
      document.body.append(form);
    }
    setTimeout(() => delete form.dataset.sent, PATIENCE);
    setTimeout(() => unanswered(form), SOON);
    form.dataset.reached = "1";
    form.requestSubmit(event.submitter);
  });
})();
