/* Small comforts; every core act works without them. Times come from the server: this only lets them run on. */
(() => {
  "use strict";
  const root = document.documentElement;
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const keep = (name, value) => {
    document.cookie = `${name}=${value}; path=/; max-age=31536000; samesite=lax`;
  };

  // Light and dark: the server reads the cookie, so that no page flashes.
  const dark = () =>
    root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  const toggleTheme = () => {
    root.dataset.theme = dark() ? "light" : "dark";
    keep("theme", root.dataset.theme);
  };

  // The curtain covers the screen at once; what was typed stays behind it.
  const hide = () => document.getElementById("curtain")?.showModal();

  // Time left. The server's clock is the clock: the page counts on from the moment it was made.
  let served = Date.now();
  let loaded = performance.now();
  const setClock = () => {
    const stamp = document.body.dataset.now;
    served = stamp ? Date.parse(stamp) : Date.now();
    loaded = performance.now();
  };
  const now = () => served + (performance.now() - loaded);
  const span = (seconds) => {
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.floor(seconds / 60);
    if (minutes < 60) return `${minutes} min`;
    const hours = Math.floor(minutes / 60);
    if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
    return hours % 24 ? `${Math.floor(hours / 24)} d ${hours % 24} h` : `${Math.floor(hours / 24)} d`;
  };
  const say = (text) => {
    const region = document.getElementById("announce");
    if (region) region.textContent = text;
  };
  const stateOf = (left, near) => (left <= 0 ? "late" : left <= near ? "near" : "");
  const tick = () => {
    for (const element of all("[data-due]")) {
      const left = Math.round((Date.parse(element.dataset.due) - now()) / 1000);
      const state = stateOf(left, Number(element.dataset.near || 1800));
      const before = element.dataset.state ?? state;
      element.textContent = left > 0 ? `${span(left)} left` : `${span(-left)} overdue`;
      element.classList.toggle("near", state === "near");
      element.classList.toggle("late", state === "late");
      element.dataset.state = state;
      if (state && state !== before && element.dataset.what) {
        say(state === "late" ? `${element.dataset.what} is overdue now` : `${element.dataset.what}: ${span(left)} left`);
      }
    }
  };

  // Lists: arrows move, Enter opens; single-letter shortcuts only where the person left them on.
  const shortcuts = () => !document.cookie.includes("shortcuts=off");
  const typing = (target) => target.closest?.("input, textarea, select, [contenteditable]");
  const move = (step) => {
    const links = all("[data-list] a[data-row]");
    if (!links.length) return false;
    const at = links.indexOf(document.activeElement);
    links[Math.min(Math.max(at + step, 0), links.length - 1)].focus();
    return true;
  };
  const press = (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.key === "ArrowDown" && event.target.closest?.("[data-list], body") && move(1)) event.preventDefault();
    else if (event.key === "ArrowUp" && move(-1)) event.preventDefault();
    else if (shortcuts() && event.key !== " ") {
      const goal = document.querySelector(`[data-key="${CSS.escape(event.key)}"]`);
      if (goal) {
        event.preventDefault();
        goal.click();
      }
    }
  };

  // One listener for buttons; no handler stands in the page.
  const acts = {
    theme: toggleTheme,
    hide,
    show: () => document.getElementById("curtain")?.close(),
    print: () => window.print(),
    shortcuts: () => {
      keep("shortcuts", shortcuts() ? "off" : "on");
      say(shortcuts() ? "Shortcuts are on" : "Shortcuts are off");
    },
    leave: (button) => window.location.replace(button.dataset.to),
  };
  document.addEventListener("click", (event) => {
    const button = event.target.closest?.("[data-act]");
    if (button && acts[button.dataset.act]) acts[button.dataset.act](button);
    for (const open of all("details.drop[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("keydown", press);
  document.addEventListener("keydown", (event) => {
    const open = event.key === "Escape" && document.querySelector("details.drop[open]");
    if (open) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });
  document.addEventListener("change", (event) => {
    if (event.target.closest?.("form[data-auto]")) event.target.form.requestSubmit();
  });
  const ready = () => {
    setClock();
    tick();
    const goal = location.hash && document.getElementById(location.hash.slice(1));
    if (goal && goal.tagName === "DETAILS") goal.open = true;
    document.querySelector(".problems")?.focus();
  };
  document.addEventListener("holdfast:fresh", () => {
    setClock();
    tick();
  });
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", ready);
  else ready();
  setInterval(tick, 5000);
})();
