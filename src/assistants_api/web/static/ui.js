// What the views share. A view is a file in views/ whose default export is a Preact component: `({route, go})`, where
// `route` is `{view, ids}` of the address after `#/`, and `go(path)` opens another. Words go through `t`, data is always text.

import { h } from "./vendor/preact.js";
import { useEffect, useLayoutEffect, useRef, useState } from "./vendor/hooks.js";
import htm from "./vendor/htm.js";
import { marked } from "./vendor/marked.js";
import "./vendor/purify.js";
import * as api from "./api.js";
import { t } from "./texts.js";

export { useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.js";
export { t };
export const html = htm.bind(h);

const purify = window.DOMPurify;
const ALLOWED = {
  USE_PROFILES: { html: true },
  FORBID_TAGS: ["style", "form", "input", "button", "textarea", "select", "iframe", "img", "svg", "math", "audio", "video"],
  FORBID_ATTR: ["style", "id", "name", "class"],
  ALLOWED_URI_REGEXP: /^(?:https?:|mailto:|#file-)/i,
};
purify.addHook("afterSanitizeAttributes", (node) => {
  if (node.tagName === "A" && !node.getAttribute("href")?.startsWith("#file-")) {
    node.setAttribute("target", "_blank");
    node.setAttribute("rel", "noopener noreferrer");
  }
});

const ESCAPES = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };
const escaped = (text) => text.replace(/[&<>"]/g, (mark) => ESCAPES[mark]);
const written = (text) => escaped(text).replaceAll("\n", "<br>");
const CLOSES = { "\\(": "\\)", "\\[": "\\]", $$: "$$" };
const LONGEST_FORMULA = 4000;
/** The formula that a text begins with, up to its first closing mark and over no empty line; else nothing. */
function formulaAt(text) {
  const closes = CLOSES[text.slice(0, 2)];
  const end = closes ? text.slice(0, LONGEST_FORMULA).indexOf(closes, 2) : -1;
  const raw = text.slice(0, end + 2);
  return end > 2 && !/\n[ \t]*\n/.test(raw) ? raw : "";
}
/** A formula stays as it was written: Markdown would take backslashes and stars out of it. */
const formula = (level, find, wrapped, start) => ({
  name: `${level}Formula`,
  level,
  start,
  tokenizer: (text) => {
    const raw = find(text);
    return raw ? { type: `${level}Formula`, raw } : undefined;
  },
  renderer: ({ raw }) => wrapped(written(raw.trim())),
});
/** One that is a paragraph of its own, whatever its lines begin with. */
function formulaBlock(text) {
  const raw = formulaAt(text);
  const rest = raw && /^[ \t]*(?:\n|$)/.exec(text.slice(raw.length, raw.length + LONGEST_FORMULA));
  return rest ? raw + rest[0] : "";
}
/** One in a line. A single dollar sign opens it only where a price does not. */
const formulaInline = (text) => formulaAt(text) || /^\$(?![\s$])[^$\n]*[^\s$\\]\$(?!\d)/.exec(text)?.[0];
// What looks like HTML was written to be read (`List<String>`, `<form>`); only a broken line is one. Images are not fetched.
marked.use({
  extensions: [
    formula("block", formulaBlock, (text) => `<p>${text}</p>`),
    formula("inline", formulaInline, (text) => text, (text) => text.match(/\\[([]|\$/)?.index),
  ],
  renderer: {
    html: ({ text, block }) => {
      const shown = escaped(text.trimEnd()).replace(/&lt;br ?\/?&gt;/gi, "<br>").replaceAll("\n", "<br>");
      return block ? `<p>${shown}</p>` : shown;
    },
    image: ({ href, text }) => `<a href="${escaped(href)}">${escaped(text || href)}</a>`,
    checkbox: ({ checked }) => (checked ? "☑ " : "☐ "),
  },
});

const SHAPES = {
  key: "M15 7a4 4 0 1 1-3.5 6H8v3H5v3H2v-3l6.6-6.6A4 4 0 0 1 15 7z",
  clip: "M20 11l-8.5 8.5a5 5 0 0 1-7-7L13 4a3.3 3.3 0 0 1 4.7 4.7l-8.500 8.500a1.700 1.700 0 0 1-2.400-2.400L14 8",
  search: "M10.500 4a6.500 6.500 0 1 1 0 13 6.500 6.500 0 0 1 0-13zM15.500 15.500L21 21",
  code: "M8 7l-5 5 5 5M16 7l5 5-5 5M14 4l-4 16",
  call: "M4 12h12M11 6l6 6-6 6M20 4v16",
  message: "M4 5h16v11H9l-5 4z",
};
/** A small drawing beside words that say the same. */
export const Icon = ({ name }) =>
  html`<svg class="icon" viewBox="0 0 24 24" aria-hidden="true"><path d=${SHAPES[name]} /></svg>`;

const PLACES = /(\uE000\d+\uE001|#file-\w+)/;

/** A numbered button that opens a source. */
function chip(place) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "chip cite";
  button.dataset.cite = place;
  button.setAttribute("aria-label", `${t("Source")} ${place + 1}`);
  button.textContent = place + 1;
  return button;
}

/** The path of a made file, as a link to it, or as it was written where it is one already. */
function made(path, isLinked) {
  const name = path.text.replace(/^sandbox:\/mnt\/data\//, "");
  if (isLinked) return name;
  const link = document.createElement("a");
  link.href = `#${path.file_path.file_id}`;
  link.textContent = name;
  return link;
}

/** Sanitised HTML of Markdown. A citation's marker becomes a numbered chip, a sandbox path a link to its file. */
function rendered(text, annotations) {
  let source = text.replace(/[\uE000\uE001]/g, "");
  const paths = annotations.filter((annotation) => annotation.type === "file_path");
  // The longest first: a path may begin another one.
  for (const path of paths.toSorted((a, b) => b.text.length - a.text.length))
    source = source.replaceAll(path.text, `#${path.file_path.file_id}`);
  annotations.forEach((annotation, place) => {
    if (annotation.type !== "file_path") source = source.replaceAll(annotation.text, `\uE000${place}\uE001`);
  });
  const clean = document.createElement("div");
  clean.append(purify.sanitize(marked.parse(source, { gfm: true, breaks: true }), { ...ALLOWED, RETURN_DOM_FRAGMENT: true }));
  // Only in text: a chip within an attribute would end its tag.
  const texts = document.createTreeWalker(clean, NodeFilter.SHOW_TEXT);
  const told = [];
  while (texts.nextNode()) if (PLACES.test(texts.currentNode.data)) told.push(texts.currentNode);
  for (const node of told)
    node.replaceWith(
      ...node.data.split(PLACES).map((part, n) => {
        if (n % 2 === 0) return part;
        if (part[0] === "\uE000") return chip(+part.slice(1, -1));
        const path = paths.find((each) => part === `#${each.file_path.file_id}`);
        return path ? made(path, node.parentElement.closest("a")) : part;
      }),
    );
  for (const node of clean.querySelectorAll("[title]")) node.title = node.title.replace(/\uE000\d+\uE001/g, "");
  // Each block in the direction of its own script; code has none.
  for (const block of clean.children) if (block.tagName !== "PRE") block.dir = "auto";
  return clean.innerHTML;
}

/** Saves a file of the server under a name. */
export async function download(fileId, name) {
  const file = name ?? (await api.get(`/files/${fileId}`)).filename.split("/").pop();
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await api.bytes(fileId));
  link.download = file;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

/** Text with Markdown; `onCite(annotation)` when a source is asked for. */
export function Markdown({ text, annotations = [], onCite = () => {} }) {
  const node = useRef();
  useLayoutEffect(() => {
    for (const block of node.current.querySelectorAll("pre")) {
      block.tabIndex = 0;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "copy";
      button.textContent = t("Copy");
      button.onclick = () => copy(block.querySelector("code")?.textContent ?? "", button);
      block.append(button);
    }
    for (const table of node.current.querySelectorAll("table")) {
      const frame = document.createElement("div");
      frame.className = "wide";
      table.replaceWith(frame);
      frame.append(table);
    }
  }, [text, annotations.length]);
  const click = (event) => {
    const chip = event.target.closest?.("[data-cite]");
    if (chip) return onCite(annotations[+chip.dataset.cite]);
    const link = event.target.closest?.("a[href^='#file-']");
    if (link) {
      event.preventDefault();
      download(link.getAttribute("href").slice(1)).catch(fail);
    }
  };
  return html`<div
    class="markdown"
    ref=${node}
    onClick=${click}
    dangerouslySetInnerHTML=${{ __html: rendered(text, annotations) }}
  />`;
}

/** Puts text on the clipboard, and says so on the button. */
export async function copy(text, button) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Over plain HTTP from another machine there is no clipboard for pages; a selection can be copied all the same.
    const area = document.createElement("textarea");
    area.className = "hidden";
    area.value = text;
    button.after(area);
    area.select();
    document.execCommand("copy");
    area.remove();
    button.focus();
  }
  const before = button.textContent;
  button.textContent = t("Copied");
  setTimeout(() => (button.textContent = before), 1200);
}

export const Copy = ({ text, label }) =>
  html`<button type="button" class="quiet" onClick=${(event) => copy(typeof text === "function" ? text() : text, event.currentTarget)}>
    ${label ?? t("Copy")}
  </button>`;

/** Code or data in a frame of its own, with a copy button. */
export const Code = ({ text, label }) =>
  html`<figure class="code">
    <pre tabindex="0" aria-label=${label ?? t("Code")}><code>${text}</code></pre>
    <${Copy} text=${text} />
  </figure>`;

/** An image that the server keeps; it may be saved, or was deleted since. */
export function ServerImage({ fileId, alt = t("Image made by code") }) {
  const [url, setUrl] = useState(null);
  const [problem, setProblem] = useState(null);
  useEffect(() => {
    let made = null;
    setProblem(null);
    api.bytes(fileId).then((blob) => setUrl((made = URL.createObjectURL(blob))), setProblem);
    return () => made && URL.revokeObjectURL(made);
  }, [fileId]);
  if (problem) return html`<p class="muted">${problem.status === 404 ? t("This image was deleted.") : problem.message}</p>`;
  return html`<figure class="image">
    ${url ? html`<img src=${url} alt=${alt} />` : html`<span class="muted">${t("Loading …")}</span>`}
    <button type="button" class="quiet" onClick=${() => download(fileId).catch(fail)}>${t("Download")}</button>
  </figure>`;
}

/** A modal window; Escape closes it. */
export function Dialog({ title, onClose, children }) {
  const node = useRef();
  useEffect(() => {
    node.current.showModal();
  }, []);
  return html`<dialog ref=${node} aria-label=${title} onClose=${onClose} onClick=${(e) => e.target === node.current && node.current.close()}>
    <header>
      <h2>${title}</h2>
      <button type="button" class="quiet" aria-label=${t("Close")} onClick=${() => node.current.close()}>✕</button>
    </header>
    <div class="dialog-body">${children}</div>
  </dialog>`;
}

/** A label, its field, a line of help, and what is wrong with it. */
export const Field = ({ label, help, error, children }) =>
  html`<div class="field">
    <label><span class="label">${label}</span>${children}</label>
    ${help && html`<small class="muted">${help}</small>`} ${error && html`<small class="bad" role="alert">${error}</small>`}
  </div>`;

/** Shows a problem at the foot of the page until it is closed. */
export const fail = (error) =>
  error?.name !== "AbortError" && window.dispatchEvent(new CustomEvent("problem", { detail: error?.message ?? String(error) }));

export const ago = (seconds) => new Date(seconds * 1000).toLocaleString();
export const ms = (seconds) =>
  seconds == null ? "–" : seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(seconds < 10 ? 2 : 1)} s`;
export const size = (count) =>
  count < 1024 ? `${count} B` : count < 1 << 20 ? `${(count / 1024).toFixed(1)} kB` : `${(count / (1 << 20)).toFixed(1)} MB`;

/** Loads once and again when `keys` change, and until the server is back: `[value, reload, problem]`. */
export function useLoaded(load, keys) {
  const [value, setValue] = useState(undefined);
  const [problem, setProblem] = useState(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let current = true;
    api.patiently(load, () => current, setProblem).then(
      (found) => current && (setValue(found), setProblem(null)),
      (error) => current && setProblem(error),
    );
    return () => (current = false);
  }, [...keys, turn]);
  return [value, () => setTurn((n) => n + 1), problem];
}
