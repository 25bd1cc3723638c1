// How does a person come in? By name and password; the first time by a link that sets the password.
import {html, useState} from "../html.js";
import {ask} from "../api.js";
import {begin, me} from "../store.js";
import {t} from "../words.js";

/** @param {{title: string, more?: string, fields: any[], word: string, send: (given: Record<string, string>) => Promise<any>}} of */
function Door({title, more, fields, word, send}) {
  const [mistake, setMistake] = useState("");
  /** @param {any} event */
  const submit = async (event) => {
    event.preventDefault();
    const given = Object.fromEntries(new FormData(event.target));
    try {
      await send(/** @type {any} */ (given));
    } catch (problem) { setMistake(/** @type {any} */ (problem).message || t("offline", "—")); }
  };
  return html`<main class="door"><form onSubmit=${submit} aria-labelledby="door-title">
    <h1 id="door-title">${title}</h1>
    ${more && html`<p class="meta">${more}</p>`}
    ${fields.map((field) => html`<label>${t(field.label)}<input name=${field.name} type=${field.type} autocomplete=${field.complete} required /></label>`)}
    ${mistake && html`<p class="mistake" role="alert">${mistake}</p>`}
    <button class="btn main">${word}</button>
  </form></main>`;
}

export const LogIn = () => html`<${Door} title=${t("desk")} word=${t("log_in")}
  fields=${[{name: "name", label: "name", type: "text", complete: "username"}, {name: "password", label: "password", type: "password", complete: "current-password"}]}
  send=${async (/** @type {any} */ given) => { await ask("POST", "/session", given); await begin(); }} />`;

/** @param {{words: string}} of */
export const Welcome = ({words}) => html`<${Door} title=${t("welcome")} more=${t("welcome_why")} word=${t("set_password")}
  fields=${[{name: "password", label: "password", type: "password", complete: "new-password"}]}
  send=${async (/** @type {any} */ given) => {
    await ask("PUT", "/password", {link: words, password: given.password});
    me.value = undefined;
    location.replace("/desk");
  }} />`;
