/* Saves what is typed, shows previews in place, and signs in again without leaving the page. */
(() => {
  "use strict";
  const WAIT = 1200;
  const AGAIN = 5000;
  const timers = new Map();
  const saving = new Set();
  let asking = null;
  const said = (form, text) => {
    const place = form.querySelector(".saved");
    if (place) place.textContent = text;
  };
  const body = (form) => new URLSearchParams(new FormData(form));
  const episode = () => window.location.pathname.split("/").slice(0, 3).join("/");
  const later = (form, wait) => {
    clearTimeout(timers.get(form));
    timers.set(form, setTimeout(() => save(form), wait));
  };
  const kept = (form, more) => fetch(form.dataset.draft || `${episode()}/draft`, { method: "POST", body: body(form), headers: { Accept: "application/json" }, ...more });
  const save = (form) => {
    clearTimeout(timers.get(form));
    timers.delete(form);
    const promise = saved(form).finally(() => saving.delete(promise));
    saving.add(promise);
    return promise;
  };
  const saved = async (form) => {
    if (!form.querySelector('[name="draft"]')) return;
    let answer;
    try {
      answer = await kept(form);
    } catch {
      said(form, "Not saved: no connection. It is still here.");
      later(form, AGAIN);
      return;
    }
    if (answer.status === 401) await askAgain(() => save(form));
    else if (answer.ok) said(form, (await answer.json()).said);
    else said(form, "Not saved. It is still here.");
  };
  document.addEventListener("input", (event) => {
    const form = event.target.closest?.("form[data-draft]");
    if (form) later(form, WAIT);
  });
  const saveAll = () => [...timers.keys()].map(save);
  window.addEventListener("online", saveAll);

  // Whatever is sent or left: what was typed a moment ago is kept first, also in the other forms of the page.
  document.addEventListener("holdfast:sending", (event) => event.detail.push(...saveAll(), ...saving));
  window.addEventListener("pagehide", () => {
    for (const form of timers.keys()) if (form.querySelector('[name="draft"]')) kept(form, { keepalive: true }).catch(() => {});
  });

  // More than a field may hold stays in it, and is said while one can still see to it.
  const tooLong = (field) => {
    const most = Number(field.dataset?.most);
    if (!most) return;
    const length = [...field.value].length, id = `${field.id}-over`;
    let told = document.getElementById(id);
    if (length <= most) return void told?.remove();
    told ??= Object.assign(document.createElement("p"), { id, className: "wrong" });
    told.setAttribute("role", "status");
    told.textContent = `${length} characters; ${most} are the most. Shorten it, or write the rest elsewhere: nothing was cut off.`;
    field.after(told);
  };
  document.addEventListener("input", (event) => tooLong(event.target));

  // What a submit will trigger, in place.
  document.addEventListener("submit", async (event) => {
    const button = event.submitter;
    if (!button?.formAction?.includes("/preview/")) return;
    event.preventDefault();
    const answer = await fetch(button.formAction, { method: "POST", body: body(event.target) }).catch(() => null);
    if (!answer) return said(event.target, "No connection: what this would do can't be told now. It is still here.");
    if (answer.status === 401) return void askAgain(() => button.click());
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const found = page.querySelector(".problems") ?? page.getElementById("preview");
    const place = document.getElementById("preview");
    if (!found || !place) return;
    found.id = "preview";
    found.tabIndex = -1;
    place.replaceWith(found);
    found.focus();
  });

  // Nobody has touched the page for a while: it locks before somebody else reads it.
  const idle = Number(document.querySelector("[data-idle]")?.dataset.idle ?? 0) * 1000;
  let touched = Date.now();
  for (const kind of ["pointerdown", "keydown", "input"]) document.addEventListener(kind, () => (touched = Date.now()), true);
  const lock = async () => {
    if (!idle || asking || Date.now() - touched < idle) return;
    await Promise.all(saveAll());
    const fields = new URLSearchParams({ form_token: document.querySelector('[name="form_token"]')?.value ?? "" });
    await fetch("/lock", { method: "POST", body: fields, redirect: "manual" }).catch(() => {});
    await askAgain(() => (touched = Date.now()));
  };
  setInterval(lock, 10000);

  // A form that is longer than the server takes is not sent: everything stays in it.
  const length = (form) => {
    const parts = [...new FormData(form)];
    if (form.enctype !== "multipart/form-data") return new URLSearchParams(parts).toString().length;
    return parts.reduce((sum, [, value]) => sum + (value.size ?? new Blob([value]).size), 0);
  };
  document.addEventListener("submit", (event) => {
    if (event.target.method !== "post" || length(event.target) <= Number(document.body.dataset.most)) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    document.getElementById("too-long")?.remove();
    const told = document.createElement("div");
    Object.assign(told, { id: "too-long", className: "problems", tabIndex: -1 });
    told.setAttribute("role", "alert");
    told.innerHTML =
      "<h2>That is more than a form may hold</h2><p>Nothing was sent: 512 KB is the most. Everything is still here. Shorten the text, or send a list in parts.</p>";
    event.target.before(told);
    told.focus();
  }, true);

  // The session was locked or ended: sign in within the page; everything typed stays. The page belongs to one
  // account: nobody else goes on with it.
  const mine = document.body.dataset.person ?? "";
  const ask = (address, more) =>
    fetch(address, { ...more, headers: { Accept: "application/json" } }).then((answer) => answer.json());
  document.addEventListener("holdfast:signed-out", (event) => askAgain(event.detail));
  const askAgain = (then) => {
    asking ??= new Promise((done) => {
      const dialog = document.createElement("dialog");
      dialog.className = "curtain";
      dialog.setAttribute("aria-label", "Sign in to go on");
      dialog.innerHTML =
        '<div><h2>Sign in to go on</h2><p>What you typed is still here.</p><p class="wrong" role="alert" hidden></p>' +
        '<form method="post" action="/sign-in/provider" target="_blank" data-provider hidden><button class="btn go"></button></form>' +
        '<form method="dialog" data-own><div class="field" data-account><label for="again-account">Account</label>' +
        '<input id="again-account" name="account" autocomplete="username"></div><div class="field" data-password>' +
        '<label for="again-password">Password</label><input id="again-password" name="password" type="password" autocomplete="current-password"></div>' +
        '<div class="field" data-code hidden><label for="again-code">Code from your authenticator app</label>' +
        '<input id="again-code" name="code" inputmode="numeric" autocomplete="one-time-code"></div><button class="btn go">Go on</button></form></div>';
      document.body.append(dialog);
      const part = (name) => dialog.querySelector(`[data-${name}]`);
      const provider = part("provider");
      for (const [name, value] of [["to", "/sign-in/done"], ["of", mine]]) {
        const field = Object.assign(document.createElement("input"), { type: "hidden", name, value });
        provider.append(field);
      }
      part("account").querySelector("input").value = mine;
      part("account").querySelector("input").readOnly = mine !== "";
      const heard = new BroadcastChannel("holdfast");
      const closed = () => {
        heard.close();
        dialog.close();
        dialog.remove();
        asking = null;
        done();
      };
      const show = (told) => {
        const wrong = dialog.querySelector(".wrong");
        const another = told.missing !== "account" && told.account && mine && told.account !== mine;
        if (!told.missing && !another) {
          for (const one of document.querySelectorAll('[name="form_token"]')) one.value = told.form_token;
          return closed();
        }
        const missing = another ? "account" : told.missing;
        const said = told.error || (another ? "Somebody else is signed in in this browser. Sign in as the one whose page this is." : "");
        wrong.hidden = !said;
        wrong.textContent = said;
        dialog.dataset.token = told.form_token ?? "";
        provider.hidden = !told.provider || missing === "code" || (missing === "password" && !told.by_provider);
        provider.querySelector("button").textContent = `Sign in with ${told.provider}`;
        part("own").hidden = missing === "password" && told.by_provider === true;
        part("account").hidden = missing !== "account";
        part("password").hidden = missing === "code" || missing === "enrolment";
        part("code").hidden = missing !== "code";
        dialog.querySelector("form:not([hidden]) .field:not([hidden]) input:not([readonly])")?.focus();
      };
      const look = () => ask("/sign-in").then(show).catch(() => {});
      heard.onmessage = look;
      dialog.addEventListener("cancel", (event) => event.preventDefault());
      part("own").addEventListener("submit", async (event) => {
        event.preventDefault();
        const coding = !part("code").hidden;
        const fields = body(event.target);
        fields.set("of", mine);
        fields.set("form_token", dialog.dataset.token ?? "");
        await ask(coding ? "/sign-in/code" : "/sign-in", { method: "POST", body: fields }).then(show).catch(() => {
          show({ missing: coding ? "code" : "account", account: mine, error: "No connection. Try again." });
        });
      });
      dialog.showModal();
      look();
    });
    return asking.then(then);
  };
})();
