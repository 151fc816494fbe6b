// The tool calls of a run, for the chat and for the run view; and the form in which a person answers a function call.

import * as api from "../api.js";
import { Code, Field, Icon, ServerImage, fail, html, t, useEffect, useRef, useState } from "../ui.js";

const pretty = (text) => {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text ?? "";
  }
};

function Call({ call, open }) {
  if (call.code_interpreter)
    return html`<details class="call" open=${open}>
      <summary><${Icon} name="code" /> ${t("Python")} <span class="muted">${call.code_interpreter.input.split("\n")[0].slice(0, 60)}</span></summary>
      <${Code} text=${call.code_interpreter.input} label=${t("Code that ran")} />
      ${(call.code_interpreter.outputs ?? []).map((output, n) =>
        output.type === "logs"
          ? html`<pre key=${n} class="logs" tabindex="0" aria-label=${t("Output")}>${output.logs}</pre>`
          : html`<${ServerImage} key=${n} fileId=${output.image.file_id} />`,
      )}
    </details>`;
  if (call.function)
    return html`<details class="call" open=${open}>
      <summary><${Icon} name="call" /> ${call.function.name}</summary>
      <${Code} text=${pretty(call.function.arguments)} label=${t("Arguments")} />
      ${call.function.output != null && html`<pre class="logs" tabindex="0" aria-label=${t("Output")}>${call.function.output}</pre>`}
    </details>`;
  const results = call.file_search?.results ?? [];
  return html`<details class="call" open=${open}>
    <summary><${Icon} name="search" /> ${t("File search")} <span class="muted">${results.length} ${t("results")}</span></summary>
    <ol class="results">
      ${results.map(
        (result, n) => html`<li key=${n}>
          <strong>${result.file_name}</strong> <span class="muted">${t("score")} ${result.score.toFixed(3)}</span>
          ${result.content?.map((part, m) => html`<blockquote key=${m}>${part.text}</blockquote>`)}
        </li>`,
      )}
    </ol>
  </details>`;
}

/** Every tool call of these steps. */
export const Calls = ({ steps, open = false }) =>
  steps
    .filter((step) => step.type === "tool_calls")
    .map((step) =>
      (step.step_details.tool_calls ?? [])
        .filter(Boolean)
        .map((call) => html`<${Call} key=${call.id} call=${call} open=${open} />`),
    );

/** Runs a person's JavaScript in a frame that has no origin, no network and no cookies; `output` as text. */
function runSnippet(source, call) {
  return new Promise((done, failed) => {
    const frame = document.createElement("iframe");
    frame.setAttribute("sandbox", "allow-scripts");
    frame.hidden = true;
    const finish = (act, value) => {
      clearTimeout(limit);
      window.removeEventListener("message", heard);
      frame.remove();
      act(value);
    };
    const heard = ({ source: from, data }) => {
      if (from !== frame.contentWindow) return;
      if (data.ready)
        frame.contentWindow.postMessage({ source, name: call.function.name, arguments: call.function.arguments }, "*");
      else if ("output" in data) finish(done, data.output);
      else finish(failed, new Error(data.problem));
    };
    const limit = setTimeout(() => finish(failed, new Error(t("The snippet took longer than ten seconds."))), 10_000);
    window.addEventListener("message", heard);
    frame.src = "/static/snippet.html";
    document.body.append(frame);
  });
}

/** The form for `requires_action`: one output for each call. */
export function RequiredAction({ run }) {
  const calls = run.required_action.submit_tool_outputs.tool_calls;
  const [outputs, setOutputs] = useState({});
  const [snippets, setSnippets] = useState({});
  const [busy, setBusy] = useState(false);
  const form = useRef();
  useEffect(() => form.current?.querySelector("textarea")?.focus(), [run.id]);
  const set = (id, value) => setOutputs((before) => ({ ...before, [id]: value }));
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    try {
      await api.post(`/threads/${run.thread_id}/runs/${run.id}/submit_tool_outputs`, {
        tool_outputs: calls.map(({ id }) => ({ tool_call_id: id, output: outputs[id] ?? "" })),
      });
    } catch (error) {
      fail(error);
      setBusy(false);
    }
  };
  return html`<form class="action" ref=${form} onSubmit=${submit} aria-label=${t("Function outputs")}>
    <p>${t("The model calls your functions. What do they return?")}</p>
    ${calls.map(
      (call) => html`<fieldset key=${call.id}>
        <legend><code>${call.function.name}</code></legend>
        <${Code} text=${pretty(call.function.arguments)} label=${t("Arguments")} />
        <${Field} label=${t("Output")}>
          <textarea name="output" rows="2" value=${outputs[call.id] ?? ""} onInput=${(e) => set(call.id, e.target.value)} />
        <//>
        <details>
          <summary>${t("Let JavaScript answer")}</summary>
          <${Field} label=${t("JavaScript")} help=${t("The body of a function of `args` and `name`; what it returns is the output. It runs in a frame without network.")}>
            <textarea
              class="mono"
              rows="3"
              placeholder="return { ok: true, ...args }"
              value=${snippets[call.id] ?? ""}
              onInput=${(e) => setSnippets({ ...snippets, [call.id]: e.target.value })}
            />
          <//>
          <button type="button" onClick=${() => runSnippet(snippets[call.id] ?? "", call).then((output) => set(call.id, output), fail)}>
            ${t("Run")}
          </button>
        </details>
      </fieldset>`,
    )}
    <p class="row end"><button type="submit" class="primary" disabled=${busy}>${t("Submit outputs")}</button></p>
  </form>`;
}
