/* Follows work that goes on in another process: asks for the part of the page that tells of it until there is none. */
(() => {
  "use strict";
  const part = () => document.getElementById("progress");
  if (!part()) return;
  const look = async () => {
    const answer = await fetch(window.location.href, { headers: { "X-Live": "1" } }).catch(() => null);
    if (!answer?.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("progress");
    if (!fresh) {
      window.location.reload();
      return;
    }
    const said = part().querySelector("[data-said]");
    const next = fresh.querySelector("[data-said]");
    if (said && next && said.innerHTML !== next.innerHTML) said.innerHTML = next.innerHTML;
  };
  setInterval(look, 1000);
})();
