// What the server is, and how it does: numbers from `/health/ready`, drawn while the page is looked at.

import { html, size, t, useEffect, useState } from "../ui.js";

const EVERY = 1500;
const KEPT = 80;

function Chart({ label, values, unit = "", digits = 0 }) {
  const known = values.filter((value) => value != null);
  const now = known[known.length - 1];
  const most = Math.max(1e-9, ...known);
  const points = values.map((value, n) => `${(n / (KEPT - 1)) * 100},${38 - ((value ?? 0) / most) * 34}`).join(" ");
  return html`<figure class="chart">
    <figcaption>${label}</figcaption>
    <strong>${now == null ? "–" : `${now.toFixed(digits)} ${unit}`}</strong>
    <svg viewBox="0 0 100 40" preserveAspectRatio="none" role="img" aria-label=${`${label}: ${now == null ? "–" : now.toFixed(digits)} ${unit}, ${t("most")} ${most.toFixed(digits)}`}>
      <polyline points=${points} />
    </svg>
  </figure>`;
}

const Facts = ({ title, facts }) =>
  html`<section class="card">
    <h2>${title}</h2>
    <dl class="facts">
      ${Object.entries(facts).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value == null || value === "" ? "–" : String(value)}</dd></div>`)}
    </dl>
  </section>`;

const shown = (seconds) => (seconds < 1 ? `${(seconds * 1000).toFixed(seconds < 0.01 ? 1 : 0)} ms` : `${seconds.toFixed(1)} s`);
const half = ({ count, p50, p95 } = {}) => (count ? `${shown(p50)} · 95 %: ${shown(p95)}` : null);
const times = (measures) => ({
  [t("In the engine's queue")]: half(measures.queue_wait_seconds),
  [t("Time to first token")]: half(measures.first_token_seconds),
  [t("Between two tokens")]: half(measures.between_tokens_seconds),
});

export default function Server() {
  const [health, setHealth] = useState(null);
  const [past, setPast] = useState([]);
  const [lost, setLost] = useState(false);
  useEffect(() => {
    let timer = 0;
    let ended = false;
    const look = async () => {
      if (!document.hidden) {
        try {
          const body = await (await fetch("/health/ready")).json(); // 503 too has a body
          setHealth(body);
          setLost(false);
          setPast((before) => [...before.slice(1 - KEPT), { at: performance.now() / 1000, body }]);
        } catch {
          setLost(true);
        }
      }
      if (!ended) timer = setTimeout(look, EVERY);
    };
    look();
    return () => ((ended = true), clearTimeout(timer));
  }, []);
  if (!health) return html`<section class="page"><p class="muted">${lost ? t("The server does not answer.") : t("Loading …")}</p></section>`;
  const { engine, database, runs, sandbox, embedder, search, blobs } = health;
  const details = engine.details ?? {};
  const series = (read) => past.map(({ body }) => read(body));
  // What was generated between two looks: the speed that all runs have together.
  const speed = past.map(({ at, body }, n) => {
    if (n === 0) return null;
    const made = body.engine.details?.generated_tokens - past[n - 1].body.engine.details?.generated_tokens;
    return Number.isFinite(made) ? Math.max(0, made / (at - past[n - 1].at)) : null;
  });
  const running = (body) => (body.runs.in_progress ?? 0) + (body.runs.cancelling ?? 0);
  return html`<section class="page server">
    <header class="row">
      <h1>${t("Server")}</h1>
      <span class=${`state ${health.status === "ready" ? "completed" : "failed"}`}>${t(health.status)}</span>
      ${lost && html`<span class="bad" role="status">${t("The server does not answer.")}</span>`}
    </header>
    <p class="muted">assistants-api ${health.version} · ${engine.model} · ${engine.name}</p>
    ${engine.reason && html`<p class="bad" role="alert">${engine.reason}</p>`}
    <div class="charts">
      <${Chart} label=${t("Runs in progress")} values=${series(running)} />
      <${Chart} label=${t("Runs waiting")} values=${series((body) => body.runs.waiting)} />
      <${Chart} label=${t("Tokens per second")} values=${speed} digits=${1} />
      <${Chart} label=${t("Time to first token")} values=${series((body) => body.engine.details?.first_token_seconds * 1000 || null)} unit="ms" digits=${0} />
      <${Chart} label=${t("Rows in the batch")} values=${series((body) => body.engine.details?.active_rows)} />
      <${Chart} label=${t("Time of a step")} values=${series((body) => body.engine.details?.step_seconds * 1000 || null)} unit="ms" digits=${1} />
      <${Chart} label=${t("Parked context")} values=${series((body) => body.engine.details?.parked_bytes / (1 << 20) || 0)} unit="MB" digits=${1} />
      <${Chart} label=${t("Tokens reused")} values=${series((body) => body.engine.details?.reused_tokens)} />
    </div>
    <${Facts} title=${t("Times since the start")} facts=${times(details.measures ?? {})} />
    <${Facts}
      title=${t("Model")}
      facts=${{
        [t("Model")]: engine.model,
        [t("Engine")]: engine.name,
        [t("Context")]: engine.context_window,
        [t("Device")]: details.device,
        [t("Precision")]: details.dtype,
        [t("Parameters")]: details.parameters?.toLocaleString(),
        [t("Template")]: details.chat_template,
        [t("Loaded in")]: details.load_seconds && `${details.load_seconds} s`,
        [t("Context memory")]: details.kv_bytes != null && `${size(details.kv_bytes)} / ${size(details.kv_limit)}`,
        [t("Restarts")]: details.restarts,
      }}
    />
    <${Facts}
      title=${t("House")}
      facts=${{
        [t("Database")]: `${database.name} ${database.version ?? ""}`,
        [t("Sandbox")]: sandbox ? `${sandbox.tier}${sandbox.reason ? ` (${sandbox.reason})` : ""}` : null,
        [t("Python sessions")]: sandbox?.details?.sessions,
        [t("Embedder")]: embedder?.name,
        [t("Vector stores in memory")]: search?.stores,
        [t("Chunks")]: search?.windows,
        [t("Files kept in")]: blobs?.name,
      }}
    />
  </section>`;
}
