// The glass box: what one run was given, what it did, and what it said. `#/run/<thread_id>/<run_id>`.

import * as api from "../api.js";
import { Code, Icon, ago, fail, html, ms, t, useEffect, useLoaded, useState } from "../ui.js";
import { ENDED } from "../live.js";
import { Calls } from "./steps.js";

const RESULTS = "include[]=step_details.tool_calls[*].file_search.results[*].content";
const STAGES = ["Request received", "Input prepared", "Model inference", "Output generated", "Response sent"];

/** The five stages with their times in seconds from the first; null where the run has not come so far. */
function stages(run, trace) {
  const turns = trace.turns;
  const first = turns[0];
  const last = turns[turns.length - 1];
  return [
    trace.request_received_at,
    first?.input_prepared_at,
    first?.inference_started_at,
    last?.output_generated_at,
    ENDED.has(run.status) ? trace.ended_at : null,
  ].map((at) => (at == null ? null : Math.max(0, at - trace.request_received_at)));
}

function Timeline({ run, trace }) {
  const at = stages(run, trace);
  return html`<ol class="timeline" aria-label=${t("Stages")}>
    ${STAGES.map(
      (name, n) => html`<li key=${name} class=${at[n] === null ? "ahead" : ""}>
        <span class="dot" aria-hidden="true" />
        <strong>${t(name)}</strong>
        <span class="muted">${at[n] === null ? "–" : n === 0 ? ago(trace.request_received_at) : `+ ${ms(at[n])}`}</span>
      </li>`,
    )}
  </ol>`;
}

function Search({ search }) {
  const shown = new Set(search.shown.map((each) => each.file_id));
  return html`<section class="card">
    <h4><${Icon} name="search" /> ${search.query}</h4>
    <p class="muted">
      ${search.candidates.length} ${t("candidates")} · ${search.shown.length} ${t("shown to the model")} · ${search.tokens} / ${search.token_budget} ${t("tokens")}
    </p>
    <div class="wide">
      <table>
        <thead>
          <tr><th>${t("File")}</th><th>${t("Place")}</th><th>${t("By meaning")}</th><th>${t("By words")}</th><th>${t("Together")}</th><th>${t("Shown")}</th></tr>
        </thead>
        <tbody>
          ${search.candidates.map(
            (each, n) => html`<tr key=${n}>
              <td class="mono">${each.file_id}</td>
              <td>${each.start}–${each.end}</td>
              <td>${each.dense?.toFixed(3) ?? "–"}</td>
              <td>${each.keyword?.toPrecision(3) ?? "–"}</td>
              <td>${each.score?.toFixed(3)}</td>
              <td>${shown.has(each.file_id) ? "✓" : ""}</td>
            </tr>`,
          )}
        </tbody>
      </table>
    </div>
    ${search.shown.map((each) => html`<details key=${each.marker}><summary>${each.marker}</summary><blockquote>${each.text}</blockquote></details>`)}
  </section>`;
}

function Turn({ turn, number }) {
  const took = turn.output_generated_at && turn.inference_started_at ? turn.output_generated_at - turn.inference_started_at : null;
  const waited = turn.first_token_at && turn.inference_started_at ? turn.first_token_at - turn.inference_started_at : null;
  const made = turn.usage?.completion_tokens;
  return html`<section class="card" aria-label=${`${t("Model call")} ${number}`}>
    <h3>${t("Model call")} ${number}</h3>
    <dl class="facts">
      <div><dt>${t("Prompt")}</dt><dd>${turn.prompt_tokens ?? "–"} ${t("tokens")}</dd></div>
      <div><dt>${t("From the cache")}</dt><dd>${turn.cached_tokens ?? 0}</dd></div>
      <div><dt>${t("Answer")}</dt><dd>${made ?? "–"} ${t("tokens")}</dd></div>
      <div><dt>${t("First token")}</dt><dd>${ms(waited)}</dd></div>
      <div><dt>${t("Took")}</dt><dd>${ms(took)}</dd></div>
      <div><dt>${t("Speed")}</dt><dd>${took && made ? `${(made / took).toFixed(1)} /s` : "–"}</dd></div>
    </dl>
    ${[["messages", turn.left_out_messages], ["steps of calls", turn.left_out_steps]].map(
      ([what, ids]) =>
        ids?.length > 0 && html`<p key=${what} class="warning">${t("Truncation left out")} ${ids.length} ${t(what)}: <span class="mono">${ids.join(", ")}</span></p>`,
    )}
    ${turn.prompt && html`<details><summary>${t("The exact prompt")}</summary><${Code} text=${turn.prompt} label=${t("The exact prompt")} /></details>`}
    <details><summary>${turn.messages.length} ${t("messages")}</summary><${Code} text=${JSON.stringify(turn.messages, null, 2)} /></details>
    ${turn.answer_start && html`<details><summary>${t("The answer so far, which was continued")}</summary><${Code} text=${turn.answer_start} /></details>`}
    ${(turn.searches ?? []).map((search, n) => html`<${Search} key=${n} search=${search} />`)}
    ${(turn.code ?? []).map((each, n) => html`<details key=${n}><summary><${Icon} name="code" /> ${t("Code")}</summary><${Code} text=${JSON.stringify(each, null, 2)} /></details>`)}
  </section>`;
}

function again(run, messages) {
  const asked = messages
    .filter((message) => message.role === "user" && message.created_at <= run.created_at)
    .flatMap((message) => message.content.filter((part) => part.type === "text").map((part) => part.text.value))
    .pop();
  const text = JSON.stringify(asked ?? "Hello");
  const root = `${location.origin}/v1`;
  const shell = JSON.stringify({ assistant_id: run.assistant_id, thread: { messages: [{ role: "user", content: asked ?? "Hello" }] }, stream: true }).replaceAll("'", "'\\''");
  return {
    curl: `curl -N ${root}/threads/runs \\\n  -H 'Content-Type: application/json' -H 'OpenAI-Beta: assistants=v2' \\\n  -H "Authorization: Bearer $OPENAI_API_KEY" \\\n  -d '${shell}'`,
    Python: `from openai import OpenAI\n\nclient = OpenAI(base_url=${JSON.stringify(root)}, api_key="any")\nthread = client.beta.threads.create(messages=[{"role": "user", "content": ${text}}])\nwith client.beta.threads.runs.stream(thread_id=thread.id, assistant_id=${JSON.stringify(run.assistant_id)}) as stream:\n    for piece in stream.text_deltas:\n        print(piece, end="", flush=True)\n`,
    Node: `import OpenAI from "openai";\n\nconst client = new OpenAI({ baseURL: ${JSON.stringify(root)}, apiKey: "any" });\nconst thread = await client.beta.threads.create({ messages: [{ role: "user", content: ${text} }] });\nconst stream = client.beta.threads.runs.stream(thread.id, { assistant_id: ${JSON.stringify(run.assistant_id)} });\nstream.on("textDelta", (delta) => process.stdout.write(delta.value ?? ""));\nawait stream.finalRun();\n`,
  };
}

function Events({ run }) {
  const [events, setEvents] = useState([]);
  useEffect(() => {
    const stop = new AbortController();
    const heard = [];
    let frame = 0;
    api
      .follow(
        run.thread_id,
        run.id,
        (name, object) => {
          heard.push([name, object]);
          frame ||= requestAnimationFrame(() => ((frame = 0), setEvents([...heard])));
        },
        { signal: stop.signal },
      )
      .catch(fail);
    return () => stop.abort();
  }, [run.id]);
  return html`<ol class="events mono">
    ${events.map(
      ([name, object], n) => html`<li key=${n}>
        <details>
          <summary>${n + 1} ${name} <span class="muted">${object.id}</span></summary>
          <${Code} text=${JSON.stringify(object, null, 2)} label=${name} />
        </details>
      </li>`,
    )}
  </ol>`;
}

export default function Run({ route }) {
  const [threadId, runId] = route.ids;
  const base = `/threads/${threadId}/runs/${runId}`;
  const [found, reload, problem] = useLoaded(async () => {
    if (!runId) throw new Error(t("No run is named in the address."));
    // The run first: what it did is read when it is known whether more will come.
    const run = await api.get(base);
    const [trace, steps, messages] = await Promise.all([
      api.get(`${base}/trace`),
      api.all(`${base}/steps?order=asc&${RESULTS}`),
      api.newest(threadId, 500),
    ]);
    return { run, trace, steps, messages };
  }, [threadId, runId]);
  const [language, setLanguage] = useState("curl");
  const [showsEvents, setShowsEvents] = useState(false);
  useEffect(() => {
    if (!found || ENDED.has(found.run.status) || (problem instanceof api.ApiError && problem.status < 500)) return;
    const timer = setTimeout(reload, 1000);
    return () => clearTimeout(timer);
  }, [found, problem]);
  if (problem) return html`<section class="page"><p class="bad" role="alert">${problem.message}</p></section>`;
  if (!found) return html`<section class="page"><p class="muted">${t("Loading …")}</p></section>`;
  const { run, trace, steps, messages } = found;
  const ways = again(run, messages);
  return html`<section class="page run">
    <header class="row">
      <h1>${t("Run")}</h1>
      <span class=${`state ${run.status}`}>${t(run.status)}</span>
      <a class="button" href=${`#/chat/${threadId}`}>${t("Back to the chat")}</a>
    </header>
    <p class="muted mono">${run.id} · ${run.model}</p>
    ${run.last_error && html`<p class="bad">${run.last_error.code}: ${run.last_error.message}</p>`}
    <${Timeline} run=${run} trace=${trace} />
    <dl class="facts">
      <div><dt>${t("Prompt")}</dt><dd>${run.usage?.prompt_tokens ?? "–"}</dd></div>
      <div><dt>${t("Answer")}</dt><dd>${run.usage?.completion_tokens ?? "–"}</dd></div>
      <div><dt>${t("Together")}</dt><dd>${run.usage?.total_tokens ?? "–"}</dd></div>
      <div><dt>${t("Model calls")}</dt><dd>${trace.turns.length}</dd></div>
    </dl>
    <h2>${t("Steps")}</h2>
    <${Calls} steps=${steps} open />
    ${steps.length === 0 && html`<p class="muted">${t("Nothing here yet.")}</p>`}
    ${steps.filter((step) => step.type === "message_creation").map((step) => html`<p key=${step.id} class="muted"><${Icon} name="message" /> ${t("Message")} <span class="mono">${step.step_details.message_creation.message_id}</span> · ${t(step.status)}</p>`)}
    <h2>${t("What the model was shown")}</h2>
    ${trace.turns.map((turn, n) => html`<${Turn} key=${n} turn=${turn} number=${n + 1} />`)}
    <h2>${t("Do it again")}</h2>
    <div class="tabs" role="group" aria-label=${t("Language")}>
      ${Object.keys(ways).map((name) => html`<button key=${name} type="button" aria-pressed=${name === language} onClick=${() => setLanguage(name)}>${name}</button>`)}
    </div>
    <${Code} text=${ways[language]} label=${language} />
    <h2>${t("Events")}</h2>
    ${showsEvents ? html`<${Events} run=${run} />` : html`<button type="button" onClick=${() => setShowsEvents(true)}>${t("Show every event")}</button>`}
  </section>`;
}
