// The console: who is not known yet logs in, who is known works.
import {html, render, useEffect} from "./html.js";
import {begin, busy, chosen, loadTalk, me, talk} from "./store.js";
import {choose, language} from "./words.js";
import {Desk} from "./screens/desk.js";
import {LogIn, Welcome} from "./screens/login.js";

function Console() {
  useEffect(() => {
    if (!welcoming()) begin().then(fromAddress);
  }, []);
  language.value;
  if (welcoming()) return html`<${Welcome} words=${location.hash.slice(1)} />`;
  if (me.value === undefined) return null;
  return me.value ? html`<${Desk} />` : html`<${LogIn} />`;
}

const welcoming = () => location.pathname.endsWith("/welcome");

/** The conversation that the address names is the open one. */
function fromAddress() {
  if (welcoming()) return;
  chosen.value = decodeURIComponent(location.hash.slice(1));
  if (me.value) loadTalk(); else talk.value = null;
}

addEventListener("popstate", fromAddress);
addEventListener("keydown", () => { busy.key = Date.now(); }, true);
choose("");
render(html`<${Console} />`, /** @type {HTMLElement} */ (document.getElementById("app")));
