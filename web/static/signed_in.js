/* Tells the page that waits in another window, then closes this one. */
(() => {
  "use strict";
  new BroadcastChannel("holdfast").postMessage("signed in");
  window.close();
})();
