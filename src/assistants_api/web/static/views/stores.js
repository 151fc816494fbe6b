// Vector stores: what is in them, how far it is, and what a search finds. `#/stores/<vector_store_id>`.

import * as api from "../api.js";
import { Dialog, Field, ago, fail, html, size, t, useEffect, useLoaded, useRef, useState } from "../ui.js";

function Search({ store }) {
  const [query, setQuery] = useState("");
  const [found, setFound] = useState(null);
  const search = async (event) => {
    event.preventDefault();
    try {
      setFound((await api.post(`/vector_stores/${store.id}/search`, { query, max_num_results: 10 })).data);
    } catch (error) {
      fail(error);
    }
  };
  return html`<section class="card">
    <h2>${t("Search")}</h2>
    <form class="row" onSubmit=${search} role="search">
      <input type="search" aria-label=${t("Search this store")} placeholder=${t("Search this store")} value=${query} onInput=${(e) => setQuery(e.target.value)} />
      <button type="submit" class="primary" disabled=${!query.trim()}>${t("Search")}</button>
    </form>
    <div role="status">
      ${found &&
      html`<ol class="results">
        ${found.map(
          (each, n) => html`<li key=${n}>
            <strong>${each.filename}</strong> <meter min="0" max="1" value=${each.score} aria-label=${t("score")} /> <span class="muted">${each.score.toFixed(3)}</span>
            ${each.content.map((part, m) => html`<blockquote key=${m}>${part.text}</blockquote>`)}
          </li>`,
        )}
        ${!found.length && html`<li class="muted">${t("Nothing was found.")}</li>`}
      </ol>`}
    </div>
  </section>`;
}

function Attributes({ store, file, onClose }) {
  const [text, setText] = useState(JSON.stringify(file.attributes ?? {}, null, 2));
  const [problem, setProblem] = useState(null);
  const save = async (event) => {
    event.preventDefault();
    try {
      await api.post(`/vector_stores/${store.id}/files/${file.id}`, { attributes: JSON.parse(text) });
      onClose();
    } catch (error) {
      setProblem(error.message);
    }
  };
  return html`<${Dialog} title=${t("Attributes")} onClose=${onClose}>
    <form onSubmit=${save}>
      <${Field} label=${t("Attributes")} help=${t("Names with texts, numbers or truths; searches may filter by them.")} error=${problem}>
        <textarea class="mono" rows="6" value=${text} onInput=${(e) => setText(e.target.value)} />
      <//>
      <p class="row end"><button type="submit" class="primary">${t("Save")}</button></p>
    </form>
  <//>`;
}

function Store({ store, onChanged, onDeleted }) {
  const names = useRef({}); // by the file's id; they do not change
  const nameOf = async ({ id }) => (names.current[id] ??= (await api.get(`/files/${id}`).catch(() => null))?.filename) ?? id;
  const [files, reload, problem] = useLoaded(async () => {
    const kept = await api.all(`/vector_stores/${store.id}/files`);
    return Promise.all(kept.map(async (file) => ({ ...file, filename: await nameOf(file) })));
  }, [store.id]);
  const [sending, setSending] = useState({});
  const [edited, setEdited] = useState(null);
  const [name, setName] = useState(store.name ?? "");
  const [days, setDays] = useState(store.expires_after?.days ?? "");
  const picker = useRef();
  useEffect(() => {
    if (!files?.some((file) => file.status === "in_progress")) return;
    const timer = setTimeout(() => (reload(), onChanged()), 700);
    return () => clearTimeout(timer);
  }, [files, problem]);
  const add = async (list) => {
    for (const file of list) {
      try {
        const made = await api.upload(file, "assistants", (share) => setSending((all) => ({ ...all, [file.name]: share })));
        await api.post(`/vector_stores/${store.id}/files`, { file_id: made.id });
        reload();
      } catch (error) {
        fail(error);
      }
      setSending(({ [file.name]: _, ...others }) => others);
    }
    onChanged();
  };
  const drop = (file) => api.remove(`/vector_stores/${store.id}/files/${file.id}`).then(() => (reload(), onChanged()), fail);
  const save = (event) => {
    event.preventDefault();
    const expires = days ? { anchor: "last_active_at", days: +days } : null;
    api.post(`/vector_stores/${store.id}`, { name, expires_after: expires }).then(onChanged, fail);
  };
  const dropStore = () => confirm(t("Delete this store? Its files stay.")) && api.remove(`/vector_stores/${store.id}`).then(onDeleted, fail);
  return html`<div onDragOver=${(e) => e.preventDefault()} onDrop=${(e) => (e.preventDefault(), add(e.dataTransfer.files))}>
    <p class="muted mono">${store.id} · ${t(store.status)} · ${size(store.usage_bytes)}${store.expires_at ? ` · ${t("expires")} ${ago(store.expires_at)}` : ""}</p>
    <form class="row" onSubmit=${save}>
      <${Field} label=${t("Name")}><input value=${name} onInput=${(e) => setName(e.target.value)} /><//>
      <${Field} label=${t("Expires after idle days")}><input type="number" min="1" max="365" value=${days} onInput=${(e) => setDays(e.target.value)} /><//>
      <button type="submit">${t("Save")}</button>
      <button type="button" class="danger" onClick=${dropStore}>${t("Delete")}</button>
    </form>
    <section class="card">
      <h2>${t("Files")} <span class="muted">${store.file_counts.completed} / ${store.file_counts.total}</span></h2>
      <p class="row">
        <button type="button" class="primary" onClick=${() => picker.current.click()}>${t("Add files")}</button>
        <span class="muted">${t("or drop them here")}</span>
        <input type="file" multiple hidden ref=${picker} onChange=${(e) => (add([...e.target.files]), (e.target.value = ""))} />
      </p>
      ${problem && html`<p class="bad" role="alert">${problem.message}</p>`}
      ${Object.entries(sending).map(([each, share]) => html`<p key=${each}>${each} <progress value=${share} aria-label=${`${t("Sent")} ${each}`} /></p>`)}
      <div class="wide">
        <table>
          <thead><tr><th>${t("File")}</th><th>${t("State")}</th><th>${t("Size")}</th><th>${t("Attributes")}</th><th><span class="hidden">${t("Delete")}</span></th></tr></thead>
          <tbody>
            ${(files ?? []).map(
              (file) => html`<tr key=${file.id}>
                <td>${file.filename}</td>
                <td><span class=${`state ${file.status}`}>${t(file.status)}</span> ${file.last_error && html`<small class="bad">${file.last_error.message}</small>`}</td>
                <td>${size(file.usage_bytes)}</td>
                <td><button type="button" class="quiet" onClick=${() => setEdited(file)}>${Object.keys(file.attributes ?? {}).length || t("None")}</button></td>
                <td><button type="button" class="quiet" aria-label=${`${t("Remove")} ${file.filename}`} onClick=${() => drop(file)}>✕</button></td>
              </tr>`,
            )}
          </tbody>
        </table>
      </div>
      ${files && !files.length && html`<p class="muted">${t("Nothing here yet.")}</p>`}
    </section>
    <${Search} key=${store.id} store=${store} />
    ${edited && html`<${Attributes} store=${store} file=${edited} onClose=${() => (setEdited(null), reload())} />`}
  </div>`;
}

export default function Stores({ route, go }) {
  const [id] = route.ids;
  const [stores, reload, problem] = useLoaded(() => api.all("/vector_stores"), []);
  const create = () => api.post("/vector_stores", { name: t("Documents") }).then((made) => (reload(), go(`stores/${made.id}`)), fail);
  if (problem && !stores) return html`<section class="page"><p class="bad" role="alert">${problem.message}</p></section>`;
  if (!stores) return html`<section class="page"><p class="muted">${t("Loading …")}</p></section>`;
  const store = stores.find((each) => each.id === id);
  return html`<aside class="threads always" aria-label=${t("Vector stores")}>
      <button type="button" class="primary" onClick=${create}>${t("New store")}</button>
      <ul>
        ${stores.map(
          (each) => html`<li key=${each.id}><a href=${`#/stores/${each.id}`} aria-current=${each.id === id ? "true" : undefined}>${each.name || each.id}</a></li>`,
        )}
        ${!stores.length && html`<li class="muted">${t("Nothing here yet.")}</li>`}
      </ul>
    </aside>
    <section class="page">
      <h1>${t("Files")}</h1>
      ${store
        ? html`<${Store} key=${store.id} store=${store} onChanged=${reload} onDeleted=${() => (reload(), go("stores"))} />`
        : html`<p class="muted">${id ? t("There is no such store.") : t("A vector store holds documents that assistants search. Pick one, or make one.")}</p>`}
    </section>`;
}
