// Puts a button on a page that opens the desk's live chat: <script src="https://DESK/chat/NAME/widget.js" defer></script>
"use strict";
(() => {
  const own = document.currentScript;
  if (!own) return;
  const words = /* words */ {};
  const page = own.src.replace(/\/widget\.js.*$/, "");
  const button = document.createElement("button");
  const frame = document.createElement("iframe");
  Object.assign(button.style, {
    position: "fixed", right: "1rem", bottom: "1rem", zIndex: "2147483000", padding: ".75rem 1.1rem", border: "0",
    borderRadius: "2rem", background: "#0b5cad", color: "#fff", font: "16px system-ui, sans-serif", cursor: "pointer",
  });
  Object.assign(frame.style, {
    position: "fixed", right: "1rem", bottom: "4.5rem", zIndex: "2147483000", width: "min(24rem, calc(100vw - 2rem))",
    height: "min(36rem, calc(100vh - 6rem))", border: "1px solid #c9d1da", borderRadius: ".6rem", display: "none",
    background: "#fff",
  });
  button.type = "button";
  button.textContent = words.widget;
  button.setAttribute("aria-expanded", "false");
  frame.title = words.title;
  button.addEventListener("click", () => {
    const opens = frame.style.display === "none";
    if (opens && !frame.src) frame.src = page;
    frame.style.display = opens ? "block" : "none";
    button.textContent = opens ? words.hide : words.widget;
    button.setAttribute("aria-expanded", String(opens));
    if (opens) frame.focus();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && frame.style.display !== "none") { button.click(); button.focus(); }
  });
  // Browsers that give embedded pages no storage: the chat's token is kept in this site's own.
  const desk = new URL(page).origin, name = `omnirouter ${page}`;
  addEventListener("message", (event) => {
    if (event.source !== frame.contentWindow || event.origin !== desk) return;
    const { omnirouter, token } = event.data || {};
    try {
      if (omnirouter === "keep") localStorage.setItem(name, String(token));
      if (omnirouter === "hello") frame.contentWindow.postMessage({ omnirouter: "visitor", token: localStorage.getItem(name) }, desk);
    } catch { /* this site has no storage either */ }
  });
  document.body.append(frame, button);
})();
