// Assistants: all their fields, with help. `#/assistants`, `#/assistants/new`, `#/assistants/<assistant_id>`.

import * as api from "../api.js";
import { Field, fail, html, t, useLoaded, useState } from "../ui.js";

const FORMATS = ["auto", "text", "json_object", "json_schema"];
const A_FUNCTION = {
  name: "get_weather",
  description: "Get the weather of a city",
  parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
};
const A_SCHEMA = { name: "answer", schema: { type: "object", properties: { answer: { type: "string" } }, required: ["answer"], additionalProperties: false }, strict: true };
const show = (value) => JSON.stringify(value, null, 2);

/** What is wrong with a JSON text, in words with its line; null when nothing is. */
function wrong(text, check = () => null) {
  try {
    return check(JSON.parse(text));
  } catch (error) {
    const place = /position (\d+)/.exec(error.message)?.[1];
    const line = place ? text.slice(0, +place).split("\n").length : null;
    return line ? `${t("Line")} ${line}: ${error.message}` : error.message;
  }
}
const isFunction = (value) =>
  !value?.name ? t("A function needs a `name`.") : value.parameters && value.parameters.type !== "object" ? t("`parameters` must be a schema of type object.") : null;
const isSchema = (value) => (!value?.name ? t("A schema needs a `name`.") : !value.schema ? t("The schema goes into `schema`.") : null);

/** The form's state from an assistant. */
const opened = (assistant) => ({
  name: assistant.name ?? "",
  description: assistant.description ?? "",
  instructions: assistant.instructions ?? "",
  model: assistant.model,
  temperature: assistant.temperature ?? 1,
  top_p: assistant.top_p ?? 1,
  searches: assistant.tools.some((tool) => tool.type === "file_search"),
  codes: assistant.tools.some((tool) => tool.type === "code_interpreter"),
  search: assistant.tools.find((tool) => tool.type === "file_search") ?? { type: "file_search" },
  functions: assistant.tools.filter((tool) => tool.type === "function").map((tool) => show(tool.function)),
  store: assistant.tool_resources?.file_search?.vector_store_ids?.[0] ?? "",
  files: (assistant.tool_resources?.code_interpreter?.file_ids ?? []).join(", "),
  format: typeof assistant.response_format === "object" ? (assistant.response_format?.type ?? "auto") : "auto",
  schema: show(assistant.response_format?.json_schema ?? A_SCHEMA),
  metadata: show(assistant.metadata ?? {}),
});

/** The request's body from the form. */
const body = (form) => ({
  model: form.model,
  name: form.name || null,
  description: form.description || null,
  instructions: form.instructions || null,
  temperature: +form.temperature,
  top_p: +form.top_p,
  tools: [
    ...(form.searches ? [form.search] : []),
    ...(form.codes ? [{ type: "code_interpreter" }] : []),
    ...form.functions.map((text) => ({ type: "function", function: JSON.parse(text) })),
  ],
  tool_resources: {
    ...(form.searches ? { file_search: { vector_store_ids: form.store ? [form.store] : [] } } : {}),
    ...(form.codes ? { code_interpreter: { file_ids: form.files.split(/[\s,]+/).filter(Boolean) } } : {}),
  },
  response_format:
    form.format === "auto" ? "auto" : form.format === "json_schema" ? { type: "json_schema", json_schema: JSON.parse(form.schema) } : { type: form.format },
  metadata: JSON.parse(form.metadata),
});

function Json({ label, help, text, onText, check, rows = 8, error }) {
  return html`<${Field} label=${label} help=${help} error=${wrong(text, check) ?? error}>
    <textarea class="mono" spellcheck="false" rows=${rows} value=${text} onInput=${(e) => onText(e.target.value)} />
  <//>`;
}

function Editor({ assistant, models, stores, onSaved, onDeleted, go }) {
  const [form, setForm] = useState(opened(assistant));
  const [problem, setProblem] = useState(null);
  const [saved, setSaved] = useState(false);
  const set = (news) => (setForm({ ...form, ...news }), setSaved(false));
  const at = (name) => (problem?.param?.startsWith(name) ? problem.message : null);
  const broken =
    form.functions.some((text) => wrong(text, isFunction)) || wrong(form.metadata) || (form.format === "json_schema" && wrong(form.schema, isSchema));
  const save = async (event) => {
    event.preventDefault();
    try {
      const made = await api.post(assistant.id ? `/assistants/${assistant.id}` : "/assistants", body(form));
      setProblem(null);
      setSaved(true);
      onSaved(made);
    } catch (error) {
      setProblem(error);
    }
  };
  const drop = () => confirm(t("Delete this assistant? Its threads stay.")) && api.remove(`/assistants/${assistant.id}`).then(onDeleted, fail);
  const text = (name, label, help, rows) =>
    html`<${Field} label=${label} help=${help} error=${at(name)}>
      ${rows
        ? html`<textarea name=${name} rows=${rows} value=${form[name]} onInput=${(e) => set({ [name]: e.target.value })} />`
        : html`<input name=${name} value=${form[name]} onInput=${(e) => set({ [name]: e.target.value })} />`}
    <//>`;
  const number = (name, label, help, most) =>
    html`<${Field} label=${label} help=${help} error=${at(name)}>
      <input type="number" name=${name} min="0" max=${most} step="0.05" value=${form[name]} onInput=${(e) => set({ [name]: e.target.value })} />
    <//>`;
  return html`<form class="editor" onSubmit=${save} aria-label=${t("Assistant")}>
    ${assistant.id && html`<p class="muted mono">${assistant.id}</p>`}
    ${text("name", t("Name"), t("Shown in lists; the model does not see it."))}
    ${text("description", t("Description"), t("For people."))}
    ${text("instructions", t("Instructions"), t("The system message: what the assistant is, does and never does."), 6)}
    <div class="columns">
      <${Field} label=${t("Model")} help=${t("What this server serves.")} error=${at("model")}>
        <select name="model" value=${form.model} onChange=${(e) => set({ model: e.target.value })}>
          ${[...new Set([form.model, ...models.map((model) => model.id)])].map((id) => html`<option key=${id} value=${id}>${id}</option>`)}
        </select>
      <//>
      ${number("temperature", t("Temperature"), t("0 takes the likeliest word; more is freer."), 2)}
      ${number("top_p", "top_p", t("Only words of this share of likelihood."), 1)}
    </div>
    <fieldset>
      <legend>${t("Tools")}</legend>
      <label class="check"><input type="checkbox" checked=${form.searches} onChange=${(e) => set({ searches: e.target.checked })} /> ${t("File search")}</label>
      ${form.searches &&
      html`<${Field} label=${t("Vector store")} help=${t("The documents it searches.")} error=${at("tool_resources")}>
        <select value=${form.store} onChange=${(e) => set({ store: e.target.value })}>
          <option value="">${t("None")}</option>
          ${stores.map((store) => html`<option key=${store.id} value=${store.id}>${store.name || store.id} (${store.file_counts.completed})</option>`)}
        </select>
      <//>`}
      <label class="check"><input type="checkbox" checked=${form.codes} onChange=${(e) => set({ codes: e.target.checked })} /> ${t("Python")}</label>
      ${form.codes &&
      html`<${Field} label=${t("Files for Python")} help=${t("Ids of files, with commas. They lie in /mnt/data.")}>
        <input value=${form.files} onInput=${(e) => set({ files: e.target.value })} />
      <//>`}
      ${form.functions.map(
        (each, n) => html`<div key=${n} class="function">
          <${Json}
            label=${`${t("Function")} ${n + 1}`}
            help=${t("Name, description, and parameters as a JSON schema; `strict: true` holds the model to it.")}
            text=${each}
            check=${isFunction}
            onText=${(value) => set({ functions: form.functions.map((old, m) => (m === n ? value : old)) })}
          />
          <button type="button" onClick=${() => set({ functions: form.functions.filter((_, m) => m !== n) })}>${t("Remove")}</button>
        </div>`,
      )}
      <button type="button" onClick=${() => set({ functions: [...form.functions, show(A_FUNCTION)] })}>${t("Add a function")}</button>
      ${at("tools") && html`<small class="bad" role="alert">${at("tools")}</small>`}
    </fieldset>
    <${Field} label=${t("Form of the answer")} help=${t("json_schema holds the model to your schema, word for word.")} error=${form.format === "json_schema" ? null : at("response_format")}>
      <select value=${form.format} onChange=${(e) => set({ format: e.target.value })}>
        ${FORMATS.map((name) => html`<option key=${name} value=${name}>${name}</option>`)}
      </select>
    <//>
    ${form.format === "json_schema" && html`<${Json} label=${t("Schema")} text=${form.schema} check=${isSchema} onText=${(schema) => set({ schema })} error=${at("response_format")} />`}
    <${Json} label=${t("Metadata")} help=${t("Up to 16 names with texts, for your own use.")} text=${form.metadata} rows=${3} onText=${(metadata) => set({ metadata })} error=${at("metadata")} />
    ${problem && html`<p class="bad" role="alert">${problem.message}</p>`}
    <p class="row end">
      ${saved && html`<span class="good" role="status">${t("Saved")}</span>`}
      ${assistant.id && html`<button type="button" class="danger" onClick=${drop}>${t("Delete")}</button>`}
      ${assistant.id && html`<button type="button" onClick=${() => (localStorage.setItem("assistants-api.assistant", assistant.id), go("chat"))}>${t("Chat with it")}</button>`}
      <button type="submit" class="primary" disabled=${Boolean(broken)}>${t("Save")}</button>
    </p>
  </form>`;
}

export default function Assistants({ route, go }) {
  const [id] = route.ids;
  const [found, reload, problem] = useLoaded(async () => {
    const [assistants, models, stores] = await Promise.all([api.all("/assistants"), api.get("/models"), api.all("/vector_stores")]);
    return { assistants, models: models.data, stores };
  }, []);
  if (problem) return html`<section class="page"><p class="bad" role="alert">${problem.message}</p></section>`;
  if (!found) return html`<section class="page"><p class="muted">${t("Loading …")}</p></section>`;
  const fresh = { tools: [], model: found.models[0]?.id ?? "" };
  const chosen = id === "new" ? fresh : found.assistants.find((each) => each.id === id);
  return html`<aside class="threads always" aria-label=${t("Assistants")}>
      <a class="button primary" href="#/assistants/new">${t("New assistant")}</a>
      <ul>
        ${found.assistants.map(
          (each) => html`<li key=${each.id}><a href=${`#/assistants/${each.id}`} aria-current=${each.id === id ? "true" : undefined}>${each.name || each.id}</a></li>`,
        )}
        ${!found.assistants.length && html`<li class="muted">${t("Nothing here yet.")}</li>`}
      </ul>
    </aside>
    <section class="page">
      <h1>${t("Assistants")}</h1>
      ${chosen
        ? html`<${Editor}
            key=${chosen.id ?? "new"}
            assistant=${chosen}
            models=${found.models}
            stores=${found.stores}
            go=${go}
            onSaved=${(made) => (reload(), go(`assistants/${made.id}`))}
            onDeleted=${() => (reload(), go("assistants"))}
          />`
        : html`<p class="muted">${id ? t("There is no such assistant.") : t("An assistant is a model with instructions, tools and files. Pick one, or make one.")}</p>`}
    </section>`;
}
