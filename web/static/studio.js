/* The editor of a draft: line numbers, completion from the schema, findings as one types, saved as one types.
   Without this file the text area and its buttons do the same, one press at a time. */
(() => {
  "use strict";
  const LINT_AFTER = 250;
  const SAVE_AFTER = 1200;
  const form = document.getElementById("editing");
  const area = document.getElementById("f-text");
  if (!form || !area || !window.CodeMirror) return;
  const cm = window.CodeMirror;
  const address = form.dataset.studio;
  const nonce = document.querySelector("script[nonce]")?.nonce ?? "";
  const place = (id) => document.getElementById(id);

  // Completion: where the cursor stands in the document, the schema says what may stand there.
  let schema = null;
  fetch("/studio/schema.json").then((answer) => (answer.ok ? answer.json() : null)).then((found) => (schema = found)).catch(() => {});
  const indentOf = (line) => line.match(/^ */)[0].length;
  const keyOf = (line) => line.replace(/^(\s*-\s+)+/, (lead) => " ".repeat(lead.length)).match(/^\s*([A-Za-z_][\w.]*)\s*:/)?.[1];
  const pathTo = (doc, number, indent) => {
    const path = [];
    let below = indent;
    for (let at = number - 1; at > 0 && below > 0; at -= 1) {
      const line = doc.line(at).text;
      if (!line.trim() || line.trim().startsWith("#")) continue;
      const dash = /^\s*-\s/.test(line);
      const here = dash ? indentOf(line) + 2 : indentOf(line);
      if (here < below && keyOf(line)) {
        path.unshift(keyOf(line));
        below = indentOf(line);
      } else if (dash && indentOf(line) < below) below = indentOf(line) + 1;
    }
    return path;
  };
  const inFlow = (text) => {
    const keys = [];
    let name = "";
    for (const [, open, close, key] of text.replace(/"[^"]*"/g, '""').matchAll(/([{[])|([}\]])|([A-Za-z_][\w.]*)\s*:/g)) {
      if (open) keys.push(name);
      else if (close) keys.pop();
      if (key) name = key;
      if (open || close) name = "";
    }
    return keys;
  };
  const resolve = (part) => {
    let found = part;
    for (let turn = 0; found?.$ref && turn < 9; turn += 1) {
      found = found.$ref.slice(2).split("/").reduce((within, key) => within?.[key], schema);
    }
    return found ?? {};
  };
  const options = (part) => {
    const found = resolve(part);
    return found.anyOf || found.oneOf ? (found.anyOf ?? found.oneOf).flatMap(options) : [found];
  };
  const within = (parts, key) =>
    parts.flatMap((part) => {
      const one = part.items ? options(part.items) : [part];
      return one.flatMap((inner) => {
        const next = inner.properties?.[key] ?? Object.values(inner.patternProperties ?? {})[0] ?? inner.additionalProperties;
        return next && typeof next === "object" ? options(next) : [];
      });
    });
  const NAMED = { facts: "fact", stages: "stage", steps: "step", roles: "role", obligations: "obligation", ladders: "ladder", decisions: "decision", tables: "table", techniques: "technique", instruments: "instrument", references: "reference" };
  const namesIn = (doc) => {
    const found = [];
    let section = "";
    for (let at = 1; at <= doc.lines && found.length < 2000; at += 1) {
      const line = doc.line(at).text;
      const top = line.match(/^([a-z_]+):/)?.[1];
      if (top) section = top;
      const name = NAMED[section] && line.match(/^ {2}([A-Za-z]\w*):/)?.[1];
      if (name) found.push({ label: name, type: "variable", detail: NAMED[section] });
    }
    return found;
  };
  const complete = (context) => {
    if (!schema) return null;
    const word = context.matchBefore(/[\w.]*/);
    if (word.from === word.to && !context.explicit) return null;
    const line = context.state.doc.lineAt(context.pos);
    const before = line.text.slice(0, word.from - line.from);
    if (/^\s*#/.test(before) || (before.match(/"/g) ?? []).length % 2) return null;
    const lead = before.match(/^(\s*-\s+)*\s*/)[0];
    const path = pathTo(context.state.doc, line.number, lead.length);
    const flow = inFlow(before);
    const first = keyOf(line.text.slice(0, word.from - line.from));
    const steps = flow.length ? [...path, ...(first ? [first] : []), ...flow.slice(first ? 1 : 0)].filter(Boolean) : path;
    let parts = steps.reduce(within, options(schema));
    const valueOf = before.match(/([A-Za-z_][\w.]*)\s*:\s*$/)?.[1];
    const listed = /\[[^\]]*$/.test(before);
    if (valueOf && !listed) parts = within(parts, valueOf);
    parts = parts.flatMap((part) => (part.items ? options(part.items) : [part]));
    const values = parts.flatMap((part) => (part.enum ?? (part.const ? [part.const] : [])).map((value, at) => ({ label: String(value), type: "enum", info: part.enumDescriptions?.[at] })));
    const keys = parts.flatMap((part) => Object.entries(part.properties ?? {}).map(([name, told]) => ({ label: name, type: "property", apply: `${name}: `, info: resolve(told).description ?? told.description })));
    const told = valueOf || listed ? (values.length ? values : namesIn(context.state.doc)) : keys;
    const seen = new Set();
    const list = told.filter((one) => !seen.has(one.label) && seen.add(one.label));
    return list.length ? { from: word.from, options: list, validFor: /^[\w.]*$/ } : null;
  };

  // Looks come from the page's tokens.
  const theme = cm.EditorView.theme({
    "&": { backgroundColor: "var(--surface)", color: "var(--ink)", fontSize: ".875rem", border: "1.5px solid var(--edge)", borderRadius: "8px", height: "var(--editor-height)" },
    "&.cm-focused": { outline: "3px solid var(--focus)", outlineOffset: "1px" },
    ".cm-scroller": { fontFamily: 'ui-monospace, "Cascadia Mono", "SF Mono", Menlo, Consolas, monospace', lineHeight: "1.55" },
    ".cm-gutters": { backgroundColor: "var(--sunken)", color: "var(--soft)", border: "0", borderRight: "1px solid var(--line)" },
    ".cm-activeLine, .cm-activeLineGutter": { backgroundColor: "color-mix(in srgb, var(--tint) 70%, transparent)" },
    ".cm-cursor": { borderLeftColor: "var(--ink)", borderLeftWidth: "2px" },
    "&.cm-focused > .cm-scroller > .cm-selectionLayer .cm-selectionBackground, .cm-selectionBackground": { backgroundColor: "var(--tint-edge)" },
    ".cm-tooltip, .cm-panels": { backgroundColor: "var(--surface)", color: "var(--ink)", border: "1px solid var(--edge)", borderRadius: "8px", fontFamily: "inherit" },
    ".cm-tooltip-autocomplete > ul > li[aria-selected]": { backgroundColor: "var(--go)", color: "var(--on-go)" },
    ".cm-completionInfo": { maxWidth: "22rem", padding: ".5rem .75rem", whiteSpace: "pre-wrap" },
    ".cm-diagnostic": { padding: ".375rem .75rem" },
    ".cm-diagnostic-error": { borderLeft: "5px solid var(--warn)" },
    ".cm-diagnostic-warning": { borderLeft: "5px solid var(--calm)" },
    ".cm-lintRange-error": { backgroundImage: "none", textDecoration: "underline wavy var(--warn)", textUnderlineOffset: "3px" },
    ".cm-lintRange-warning": { backgroundImage: "none", textDecoration: "underline dotted var(--calm)", textUnderlineOffset: "3px" },
    ".cm-lint-marker-error": { content: '"▲"', color: "var(--warn)" },
    ".cm-lint-marker-warning": { content: '"◇"', color: "var(--calm)" },
    ".cm-lintPoint-error:after": { borderBottomColor: "var(--warn)" },
    ".cm-lintPoint-warning:after": { borderBottomColor: "var(--calm)" },
    ".cm-searchMatch": { backgroundColor: "var(--warn-tint)", outline: "1px solid var(--warn-edge)" },
  });
  const colours = cm.HighlightStyle.define([
    { tag: cm.tags.propertyName, color: "var(--link)", fontWeight: "600" },
    { tag: cm.tags.comment, color: "var(--soft)", fontStyle: "italic" },
    { tag: cm.tags.string, color: "var(--calm)" },
    { tag: [cm.tags.punctuation, cm.tags.separator, cm.tags.brace, cm.tags.squareBracket], color: "var(--soft)" },
    { tag: cm.tags.invalid, color: "var(--warn)" },
  ]);

  // Findings, in the margin and as a list that leads to the place.
  const rangeOf = (doc, one) => {
    const line = doc.line(Math.min(Math.max(one.line, 1), doc.lines));
    const from = Math.min(line.from + Math.max(one.column - 1, 0), line.to);
    const word = line.text.slice(from - line.from).match(/^[^\s:,{}[\]]+/)?.[0].length ?? 0;
    return { from, to: Math.max(Math.min(from + word, line.to), from) };
  };
  const element = (kind, className, text) => {
    const made = document.createElement(kind);
    made.className = className;
    if (text) made.textContent = text;
    return made;
  };
  const listed = (one) => {
    const item = element("li", one.severity);
    const link = element("a", "");
    link.href = "#f-text";
    Object.assign(link.dataset, { line: one.line, column: one.column });
    link.append(element("span", "place", `Line ${one.line}`), " ", element("span", "what", one.message));
    item.append(link, element("span", "remedy", one.remedy));
    return item;
  };
  const show = (view, told) => {
    const diagnostics = told.found.map((one) => ({
      ...rangeOf(view.state.doc, one),
      severity: one.severity,
      message: `${one.message} → ${one.remedy}`,
    }));
    view.dispatch(cm.setDiagnostics(view.state, diagnostics.sort((a, b) => a.from - b.from)));
    const nothing = element("li", "none", "Nothing. Prove and test it next.");
    place("finding-list").replaceChildren(...(told.found.length ? told.found.map(listed) : [nothing]));
    place("findings-count").textContent = told.found.length;
    if (place("counted").textContent !== told.counted) place("counted").textContent = told.counted;
  };

  // Sending. One question of a kind at a time; a later text asks again.
  const fields = (view) => {
    const sent = new FormData(form);
    sent.set("text", view.state.doc.toString());
    return sent;
  };
  const ask = (path, view) => fetch(`${address}/${path}`, { method: "POST", body: fields(view), headers: { Accept: "application/json" } });
  const later = (wait, work) => {
    let timer = 0;
    let busy = false;
    let again = false;
    const go = async () => {
      if (busy) {
        again = true;
        return;
      }
      busy = true;
      await work();
      busy = false;
      if (again) {
        again = false;
        go();
      }
    };
    return { soon: () => { clearTimeout(timer); timer = setTimeout(go, wait); }, now: () => { clearTimeout(timer); return go(); } };
  };
  const lint = later(LINT_AFTER, async () => {
    const text = view.state.doc.toString();
    const answer = await ask("lint", view).catch(() => null);
    if (answer?.ok && text === view.state.doc.toString()) show(view, await answer.json());
  });
  let unsaved = false;
  const save = later(SAVE_AFTER, async () => {
    const text = view.state.doc.toString();
    const answer = await ask("save", view).catch(() => null);
    if (!answer) {
      place("saved").textContent = "Not saved: no connection. It is still here.";
      return;
    }
    if (answer.status === 401) {
      document.dispatchEvent(new CustomEvent("holdfast:signed-out", { detail: () => save.now() }));
      return;
    }
    const told = await answer.json().catch(() => ({ said: "Not saved. It is still here." }));
    place("saved").textContent = told.said ?? "Not saved. It is still here.";
    if (!answer.ok) return;
    form.elements.revision.value = told.revision;
    if (text === view.state.doc.toString()) {
      unsaved = false;
      show(view, told);
      refresh();
    }
  });

  // Beside the editor: the same page, asked for again; its picture brings its own style, which needs our nonce.
  let side = place("beside").dataset.side;
  const refresh = async () => {
    const answer = await fetch(`${address}?side=${side}`).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("besides");
    if (!fresh) return;
    for (const style of fresh.querySelectorAll("style")) style.nonce = nonce;
    const at = place("beside").querySelector(".chart")?.scrollTop ?? 0;
    place("besides").replaceChildren(...fresh.childNodes);
    const chart = place("beside").querySelector(".chart");
    if (chart) chart.scrollTop = at;
  };
  place("besides").addEventListener("click", (event) => {
    const link = event.target.closest?.('a[href^="?side="]');
    if (!link) return;
    event.preventDefault();
    side = link.getAttribute("href").slice(6);
    refresh().then(() => place("besides").querySelector('[aria-current="page"]')?.focus());
  });

  const go = (line, column) => {
    const at = rangeOf(view.state.doc, { line: Number(line), column: Number(column) });
    view.dispatch({ selection: { anchor: at.from, head: at.to }, effects: cm.EditorView.scrollIntoView(at.from, { y: "center" }) });
    view.focus();
  };
  place("findings").addEventListener("click", (event) => {
    const link = event.target.closest?.("a[data-line]");
    if (!link) return;
    event.preventDefault();
    go(link.dataset.line, link.dataset.column);
  });

  const first = [...document.querySelectorAll("#finding-list a[data-line]")].map((one) => ({
    line: Number(one.dataset.line),
    column: Number(one.dataset.column),
    severity: one.parentElement.className,
    message: one.querySelector(".what").textContent,
    remedy: one.parentElement.querySelector(".remedy").textContent,
  }));
  const view = new cm.EditorView({
    state: cm.EditorState.create({
      doc: area.value,
      extensions: [
        cm.EditorView.cspNonce.of(nonce),
        cm.lineNumbers(),
        cm.foldGutter(),
        cm.lintGutter(),
        cm.highlightSpecialChars(),
        cm.history(),
        cm.drawSelection(),
        cm.indentOnInput(),
        cm.highlightActiveLine(),
        cm.highlightActiveLineGutter(),
        cm.indentUnit.of("  "),
        cm.yaml(),
        cm.syntaxHighlighting(colours),
        cm.autocompletion({ override: [complete], icons: false }),
        cm.search({ top: true }),
        cm.EditorView.lineWrapping,
        theme,
        cm.EditorView.contentAttributes.of({ "aria-label": "The protocol as YAML", "aria-describedby": "editor-keys", tabindex: "0", spellcheck: "false" }),
        cm.keymap.of([
          { key: "Mod-s", run: () => { save.now(); return true; } },
          ...cm.completionKeymap, ...cm.searchKeymap, ...cm.foldKeymap, ...cm.lintKeymap, ...cm.historyKeymap, ...cm.defaultKeymap,
        ]),
        cm.EditorView.updateListener.of((update) => {
          if (!update.docChanged) return;
          unsaved = true;
          place("saved").textContent = "";
          lint.soon();
          save.soon();
        }),
      ],
    }),
  });
  area.hidden = true;
  area.before(view.dom);
  form.querySelector('label[for="f-text"]')?.remove();
  if (first.length) show(view, { found: first, counted: place("counted").textContent });
  form.addEventListener("submit", () => {
    area.value = view.state.doc.toString();
    unsaved = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault();
  });
  const wanted = location.hash.match(/^#line-(\d+)$/);
  if (wanted) go(wanted[1], 1);
})();
