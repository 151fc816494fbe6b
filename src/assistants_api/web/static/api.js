// Everything the page asks of the server goes through here: the public API, and nothing else.

const KEY = "assistants-api.key";

/** An answer that is no success: `message`, `status`, `code`, `param` as the server's error body has them. */
export class ApiError extends Error {
  constructor(status, body) {
    super(body?.error?.message ?? `The server answered ${status}.`);
    this.status = status;
    this.code = body?.error?.code ?? null;
    this.param = body?.error?.param ?? null;
  }
}

export const key = () => localStorage.getItem(KEY) ?? "";
export const setKey = (value) => (value ? localStorage.setItem(KEY, value) : localStorage.removeItem(KEY));

const headers = (more = {}) => ({
  "OpenAI-Beta": "assistants=v2",
  ...(key() ? { Authorization: `Bearer ${key()}` } : {}),
  ...more,
});

async function checked(response) {
  if (response.ok) return response;
  const body = await response.json().catch(() => null);
  if (response.status === 401) window.dispatchEvent(new Event("key-needed"));
  throw new ApiError(response.status, body);
}

/** One request; JSON in, JSON out. `path` begins after `/v1`, or with `/` + `/` for a path from the root. */
export async function call(method, path, body, { signal, more = {} } = {}) {
  const response = await fetch(path.startsWith("//") ? path.slice(1) : `/v1${path}`, {
    method,
    headers: headers({ ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...more }),
    body: body === undefined ? undefined : JSON.stringify(body),
    signal,
  });
  await checked(response);
  return response.json();
}

export const get = (path, options) => call("GET", path, undefined, options);
export const post = (path, body = {}, options) => call("POST", path, body, options);
export const remove = (path) => call("DELETE", path);

let asked = {};
/** As `post`. Where its answer was lost on the way, the same request is answered as it was the first time. */
export async function postOnce(path, body) {
  const what = JSON.stringify([path, body]);
  if (asked.what !== what) asked = { what, key: `${Date.now()}.${Math.random()}` };
  const answer = await post(path, body, { more: { "Idempotency-Key": asked.key } });
  asked = {};
  return answer;
}

/** All items of a list, page by page, up to `most`. */
export async function all(path, most = 1000) {
  const items = [];
  let after = "";
  while (items.length < most) {
    const page = await get(`${path}${path.includes("?") ? "&" : "?"}limit=100${after && `&after=${after}`}`);
    items.push(...page.data);
    if (!page.has_more) break;
    after = page.last_id;
  }
  return items;
}

/** The newest messages of a thread, up to `most`, oldest first. */
export const newest = async (threadId, most) => (await all(`/threads/${threadId}/messages?order=desc`, most)).reverse();

/** A file's bytes. */
export async function bytes(fileId) {
  return (await checked(await fetch(`/v1/files/${fileId}/content`, { headers: headers() }))).blob();
}

/** Sends a file; `onProgress` hears the share that is sent, from 0 to 1. */
export function upload(file, purpose, onProgress = () => {}) {
  return new Promise((done, failed) => {
    const form = new FormData();
    form.append("purpose", purpose);
    form.append("file", file, file.name || "pasted.png");
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/files");
    for (const [name, value] of Object.entries(headers())) request.setRequestHeader(name, value);
    request.responseType = "json";
    request.upload.onprogress = (event) => event.total && onProgress(event.loaded / event.total);
    request.onerror = () => failed(new ApiError(0, { error: { message: "The connection was lost." } }));
    request.onload = () => {
      if (request.status < 300) return done(request.response);
      if (request.status === 401) window.dispatchEvent(new Event("key-needed"));
      failed(new ApiError(request.status, request.response));
    };
    request.send(form);
  });
}

/** Server-sent events of a response: `{id, event, data}` each, `data` as text. */
async function* events(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    text += value;
    for (let end; (end = text.indexOf("\n\n")) >= 0; text = text.slice(end + 2)) {
      const event = { id: "", event: "message", data: [] };
      for (const line of text.slice(0, end).split("\n")) {
        const [, field, rest] = /^(\w+): ?(.*)$/.exec(line) ?? [];
        if (field === "data") event.data.push(rest);
        else if (field) event[field] = rest;
      }
      if (event.data.length) yield { ...event, data: event.data.join("\n") };
    }
  }
}

const pause = (ms, signal) =>
  new Promise((done) => {
    const timer = setTimeout(done, ms);
    signal?.addEventListener("abort", () => (clearTimeout(timer), done()));
  });

/** Does `work`, and again while the server is away and `wanted()`; `onAway(error)` hears of that once. */
export async function patiently(work, wanted, onAway) {
  for (let failures = 0; ; failures++) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof ApiError && error.status < 500) throw error;
      if (!wanted()) return;
      if (!failures) onAway(error);
    }
    await pause(Math.min(5000, 250 * 2 ** failures));
    if (!wanted()) return;
  }
}

/** Waits until every file of a vector store can be found, or has failed. */
export async function indexed(storeId) {
  while ((await get(`/vector_stores/${storeId}`)).file_counts.in_progress) await pause(300);
}

/**
 * Every event of a run from its first to its last, whatever happens to the line: a cut stream is taken up after the last
 * event that came. `onEvent(name, object)`; `onLine(isUp)` tells when the line is lost and found again.
 */
export async function follow(threadId, runId, onEvent, { signal, onLine = () => {} } = {}) {
  let last = "";
  for (let failures = 0; !signal?.aborted; ) {
    try {
      const response = await checked(
        await fetch(`/v1/threads/${threadId}/runs/${runId}/events`, {
          headers: headers(last ? { "Last-Event-ID": last } : {}),
          signal,
        }),
      );
      onLine(true);
      for await (const { id, event, data } of events(response)) {
        if (event === "done") return;
        failures = 0;
        onEvent(event, JSON.parse(data));
        if (id) last = id;
      }
    } catch (error) {
      if (signal?.aborted) return;
      if (error instanceof ApiError && error.status < 500) throw error;
    }
    onLine(false);
    await pause(Math.min(5000, 250 * 2 ** failures++), signal);
  }
}
