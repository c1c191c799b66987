/* Says who would lead the episode as soon as a client is named. Without scripts the form says it in general. */
(() => {
  "use strict";
  const client = document.getElementById("f-client");
  client?.addEventListener("change", async () => {
    const body = new URLSearchParams(new FormData(client.form));
    const answer = await fetch("/report/lead", { method: "POST", body }).catch(() => null);
    if (!answer?.ok) return;
    const told = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("lead");
    if (told) document.getElementById("lead")?.replaceWith(told);
  });
})();
