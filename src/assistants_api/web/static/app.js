// The shell: which view the address names, language, colours, key. Every view registers here.

import { render } from "./vendor/preact.js";
import { key, setKey } from "./api.js";
import { Dialog, Field, Icon, html, t, useEffect, useLayoutEffect, useState } from "./ui.js";
import { language, setLanguage } from "./texts.js";
import Assistants from "./views/assistants.js";
import Chat from "./views/chat.js";
import Run from "./views/run.js";
import Server from "./views/server.js";
import Stores from "./views/stores.js";

const VIEWS = { chat: Chat, assistants: Assistants, stores: Stores, run: Run, server: Server };
const TABS = [
  ["chat", "Chat"],
  ["assistants", "Assistants"],
  ["stores", "Files"],
  ["server", "Server"],
];

const decoded = (part) => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // a stray % in an address that somebody typed
  }
};
const parse = () => {
  const [view, ...ids] = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decoded);
  return Object.hasOwn(VIEWS, view ?? "") ? { view, ids } : { view: "chat", ids: [] };
};
const go = (path) => (location.hash = `#/${path}`);
const COLOURS = "assistants-api.colours";
const paint = (colours) => (document.documentElement.dataset.colours = colours);
paint(localStorage.getItem(COLOURS) ?? "auto");

function KeyDialog({ onClose }) {
  const [value, setValue] = useState(key());
  const save = (event) => {
    event.preventDefault();
    setKey(value.trim());
    location.reload();
  };
  return html`<${Dialog} title=${t("API key")} onClose=${onClose}>
    <form onSubmit=${save}>
      <${Field} label=${t("API key")} help=${t("This server asks for a key. It is kept in this browser only.")}>
        <input type="password" name="key" autocomplete="off" value=${value} onInput=${(e) => setValue(e.target.value)} autofocus />
      <//>
      <p class="row end"><button type="submit" class="primary">${t("Save")}</button></p>
    </form>
  <//>`;
}

function App() {
  const [route, setRoute] = useState(parse());
  const [asksKey, setAsksKey] = useState(false);
  const [problems, setProblems] = useState([]);
  const [colours, setColours] = useState(document.documentElement.dataset.colours);
  // A layout effect: a link that is followed before the first frame is heard of too.
  useLayoutEffect(() => {
    const moved = () => setRoute(parse());
    const keyNeeded = () => setAsksKey(true);
    const failed = (event) => setProblems((before) => [...before.slice(-2), event.detail]);
    window.addEventListener("hashchange", moved);
    window.addEventListener("key-needed", keyNeeded);
    window.addEventListener("problem", failed);
    return () => {
      window.removeEventListener("hashchange", moved);
      window.removeEventListener("key-needed", keyNeeded);
      window.removeEventListener("problem", failed);
    };
  }, []);
  useEffect(() => {
    document.documentElement.lang = language();
    document.title = `${t(TABS.find(([view]) => view === route.view)?.[1] ?? "Run")} · assistants-api`;
  }, [route]);
  const nextColours = () => {
    const next = { auto: "light", light: "dark", dark: "auto" }[colours];
    localStorage.setItem(COLOURS, next);
    paint(next);
    setColours(next);
  };
  const View = VIEWS[route.view];
  return html`
    <a class="skip" href="#main" onClick=${(e) => (e.preventDefault(), document.getElementById("main").focus())}>${t("Skip to content")}</a>
    <header class="top">
      <a class="brand" href="#/chat"><img src="/static/icon.svg" alt="" width="24" height="24" /><span>assistants-api</span></a>
      <nav aria-label=${t("Views")}>
        ${TABS.map(
          ([view, name]) =>
            html`<a href=${`#/${view}`} aria-current=${view === route.view ? "page" : undefined}>${t(name)}</a>`,
        )}
      </nav>
      <div class="row">
        <button type="button" class="quiet" onClick=${() => setAsksKey(true)} title=${t("API key")} aria-label=${t("API key")}><${Icon} name="key" /></button>
        <button type="button" class="quiet" onClick=${nextColours} title=${t("Colours")} aria-label=${`${t("Colours")}: ${t(colours)}`}>
          ${{ auto: "◐", light: "☀", dark: "☾" }[colours]}
        </button>
        <button type="button" class="quiet" lang=${language() === "zh" ? "en" : "zh"} onClick=${() => setLanguage(language() === "zh" ? "en" : "zh")}>
          ${language() === "zh" ? "English" : "中文"}
        </button>
      </div>
    </header>
    <main id="main" tabindex="0" class=${`view-${route.view}`}><${View} route=${route} go=${go} /></main>
    <div class="problems" role="alert">
      ${problems.map(
        (text, place) => html`<p key=${place}>
          <span>${text}</span>
          <button type="button" class="quiet" aria-label=${t("Close")} onClick=${() => setProblems((all) => all.filter((_, n) => n !== place))}>✕</button>
        </p>`,
      )}
    </div>
    ${asksKey && html`<${KeyDialog} onClose=${() => setAsksKey(false)} />`}
  `;
}

render(html`<${App} />`, document.getElementById("app"));
