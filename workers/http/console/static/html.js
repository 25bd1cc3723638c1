// What every screen is written with: `html` (htm over preact), hooks and signals, and the two small parts that all share.
import {h, render} from "/desk/vendor/preact.js";
import {useEffect, useRef, useState} from "/desk/vendor/hooks.js";
import htm from "/desk/vendor/htm.js";
import {batch, computed, signal} from "/desk/vendor/signals.js";

export const html = htm.bind(h);
export {render, useEffect, useRef, useState, batch, computed, signal};

/** An icon of the set, without a name of its own: the word stands beside it. @param {{name: string, small?: boolean}} of */
export const Icon = ({name, small}) =>
  html`<svg class=${small ? "i s14" : "i"} aria-hidden="true"><use href=${`/desk/static/icons.svg#i-${name}`} /></svg>`;

/** Something to press. @param {Object} of */
export const Button = ({icon, kind = "", keys, children, ...more}) =>
  html`<button type="button" class=${`btn ${kind}`} aria-keyshortcuts=${keys} ...${more}>
    ${icon && html`<${Icon} name=${icon} />`}${children}${keys && html`<kbd>${keys}</kbd>`}
  </button>`;
