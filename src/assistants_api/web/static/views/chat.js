// The chat: threads at the side, the conversation, the line to write on. `#/chat/<thread_id>`.

import * as api from "../api.js";
import { ENDED, changed, nothing } from "../live.js";
import { Copy, Dialog, Icon, Markdown, ServerImage, ago, fail, html, ms, t, useEffect, useLayoutEffect, useLoaded, useRef, useState } from "../ui.js";
import { language } from "../texts.js";
import { Calls, RequiredAction } from "./steps.js";

const LAST_ASSISTANT = "assistants-api.assistant";
const RESULTS = "include[]=step_details.tool_calls[*].file_search.results[*].content";
const SHOWN = 500; // messages of a thread, the newest
const plain = (message) =>
  message.content
    .filter((part) => part.type === "text")
    .map((part) => part.text.value)
    .join("\n");
const named = (thread) => thread.metadata?.title || t("Untitled");

function Threads({ current, threads, onDelete, isOpen, onClose }) {
  const [search, setSearch] = useState("");
  const shown = (threads ?? []).filter((thread) => named(thread).toLowerCase().includes(search.toLowerCase()));
  // A layout effect: it hears a key from the moment on which the drawer is seen.
  useLayoutEffect(() => {
    if (!isOpen) return;
    const pressed = (event) => event.key === "Escape" && onClose();
    window.addEventListener("keydown", pressed);
    return () => window.removeEventListener("keydown", pressed);
  }, [isOpen]);
  return html`${isOpen && html`<button type="button" class="shade" aria-label=${t("Close")} onClick=${onClose} />`}
  <aside class=${`threads ${isOpen ? "open" : ""}`} aria-label=${t("Threads")}>
    <a class="button primary" href="#/chat" onClick=${onClose}>${t("New chat")}</a>
    <input type="search" placeholder=${t("Search threads")} aria-label=${t("Search threads")} value=${search} onInput=${(e) => setSearch(e.target.value)} />
    <ul>
      ${shown.map(
        (thread) => html`<li key=${thread.id}>
          <a href=${`#/chat/${thread.id}`} dir="auto" aria-current=${thread.id === current ? "true" : undefined} title=${ago(thread.created_at)} onClick=${onClose}>
            ${named(thread)}
          </a>
          <button type="button" class="quiet" aria-label=${`${t("Delete")} ${named(thread)}`} onClick=${() => onDelete(thread)}>✕</button>
        </li>`,
      )}
      ${threads && !shown.length && html`<li class="muted">${t("Nothing here yet.")}</li>`}
    </ul>
  </aside>`;
}

function RunLine({ run, isUp }) {
  const [now, setNow] = useState(Date.now());
  const ended = ENDED.has(run.status);
  useEffect(() => {
    if (ended) return;
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [ended]);
  // A run tells the second of its end, and not when it expired or was cut.
  const end = run.completed_at ?? run.failed_at ?? run.cancelled_at ?? (ended ? null : now / 1000);
  const took = end === null ? null : Math.max(0, end - run.created_at);
  return html`<p class="run-line muted">
    <span class=${`state ${run.status}`}>${t(run.status)}</span>
    ${took !== null && html`<span>${ended ? `${took || "< 1"} s` : ms(took)}</span>`}
    ${run.usage && html`<span>${run.usage.prompt_tokens} → ${run.usage.completion_tokens} ${t("tokens")}</span>`}
    ${!isUp && html`<span class="bad" role="status">${t("Line lost; reconnecting …")}</span>`}
    <a href=${`#/run/${run.thread_id}/${run.id}`}>${t("Look inside")}</a>
    ${run.last_error && html`<span class="bad" role="alert">${run.last_error.message}</span>`}
    ${run.incomplete_details && html`<span class="bad">${run.incomplete_details.reason}</span>`}
  </p>`;
}

function Message({ message, onCite, onEdit, onRetry }) {
  const [text, setText] = useState(null);
  const files = message.attachments ?? [];
  const send = async (event) => {
    event.preventDefault();
    setText(null);
    if (!(await onEdit(text))) setText(text);
  };
  return html`<article class=${`message ${message.role}`} aria-label=${message.role === "user" ? t("You") : t("Assistant")}>
    <div class="bubble">${text === null
      ? message.content.filter(Boolean).map((part, n) =>
          part.type === "text"
            ? html`<${Markdown} key=${n} text=${part.text.value} annotations=${part.text.annotations} onCite=${onCite} />`
            : part.type === "image_file"
              ? html`<${ServerImage} key=${n} fileId=${part.image_file.file_id} />`
              : html`<p key=${n} class="muted">${part.type}</p>`,
        )
      : html`<form class="edit" onSubmit=${send}>
          <textarea aria-label=${t("Edit")} rows="3" dir="auto" value=${text} onInput=${(e) => setText(e.target.value)} autofocus />
          <p class="row end">
            <button type="button" onClick=${() => setText(null)}>${t("Cancel")}</button>
            <button type="submit" class="primary" disabled=${!text.trim()}>${t("Ask in a new branch")}</button>
          </p>
        </form>`}</div>
    ${files.length > 0 && html`<p class="muted"><${Icon} name="clip" /> ${files.length} ${t("files")}</p>`}
    <footer class="row">
      <${Copy} text=${() => plain(message)} />
      ${onEdit && text === null && html`<button type="button" class="quiet" onClick=${() => setText(plain(message))}>${t("Edit")}</button>`}
      ${onRetry && html`<button type="button" class="quiet" onClick=${onRetry}>${t("Retry")}</button>`}
    </footer>
  </article>`;
}

let draft = { text: "", files: [] }; // what is written and attached, while another view is looked at

function Composer({ isBusy, onSend, onStop, first }) {
  const [text, setText] = useState(first || draft.text);
  const [files, setFiles] = useState(draft.files);
  const field = useRef();
  const picker = useRef();
  useEffect(() => {
    if (first) setText(first);
  }, [first]);
  useEffect(() => {
    draft = { text, files: files.filter((file) => file.id) };
  }, [text, files]);
  useEffect(() => field.current.focus(), []);
  useLayoutEffect(() => {
    // As high as what is written, and then what the style allows.
    const { style } = field.current;
    style.height = "auto";
    style.height = `${field.current.scrollHeight + field.current.offsetHeight - field.current.clientHeight}px`;
  }, [text]);
  const change = (item, news) => setFiles((all) => all.map((each) => (each.key === item.key ? { ...each, ...news } : each)));
  const add = (list) => {
    for (const file of list) {
      const table = /\.(csv|xlsx?|png|jpe?g)$/i.test(file.name);
      const item = { key: Math.random(), name: file.name || "pasted.png", share: 0, tool: table ? "code_interpreter" : "file_search" };
      setFiles((all) => [...all, item]);
      api.upload(file, "assistants", (share) => change(item, { share })).then(
        (made) => change(item, { id: made.id, share: 1 }),
        (error) => (change(item, { problem: error.message }), fail(error)),
      );
    }
  };
  const waits = files.some((file) => !file.id && !file.problem);
  const send = async (event) => {
    event?.preventDefault();
    if (!text.trim() || isBusy || waits) return;
    const sent = files.filter((file) => file.id);
    setText("");
    setFiles([]);
    if (await onSend(text.trim(), sent.map((file) => ({ file_id: file.id, tools: [{ type: file.tool }] })))) return;
    const before = (since) => (since ? `${text}\n${since}` : text);
    draft = { text: before(draft.text), files: [...sent, ...draft.files] };
    setText(before);
    setFiles((since) => [...sent, ...since]);
  };
  const pressed = (event) => {
    if (event.isComposing || event.keyCode === 229) return; // an input method's own; Safari tells by the code only
    if (event.key === "Enter" && !event.shiftKey) send(event);
    if (event.key === "Escape" && isBusy) onStop();
  };
  return html`<form
    class="composer"
    onSubmit=${send}
    onDragOver=${(e) => e.preventDefault()}
    onDrop=${(e) => (e.preventDefault(), add(e.dataTransfer.files))}
  >
    ${files.length > 0 &&
    html`<ul class="files" aria-label=${t("Attachments")}>
      ${files.map(
        (file) => html`<li key=${file.key} class=${file.problem ? "bad" : ""}>
          <span>${file.name}</span>
          ${file.id || file.problem ? null : html`<progress value=${file.share} aria-label=${`${t("Sent")} ${file.name}`} />`}
          <select aria-label=${`${t("Tool for")} ${file.name}`} value=${file.tool} onChange=${(e) => change(file, { tool: e.target.value })}>
            <option value="file_search">${t("File search")}</option>
            <option value="code_interpreter">${t("Python")}</option>
          </select>
          <button type="button" class="quiet" aria-label=${`${t("Remove")} ${file.name}`} onClick=${() => setFiles((all) => all.filter((each) => each.key !== file.key))}>✕</button>
        </li>`,
      )}
    </ul>`}
    <div class="row">
      <button type="button" class="quiet" aria-label=${t("Attach files")} title=${t("Attach files")} onClick=${() => picker.current.click()}><${Icon} name="clip" /></button>
      <input type="file" multiple hidden ref=${picker} onChange=${(e) => (add(e.target.files), (e.target.value = ""))} />
      <textarea
        ref=${field}
        name="message"
        rows="1"
        dir="auto"
        aria-label=${t("Message")}
        placeholder=${t("Ask something. Enter sends, Shift+Enter breaks the line.")}
        value=${text}
        onInput=${(e) => setText(e.target.value)}
        onKeyDown=${pressed}
        onPaste=${(e) => e.clipboardData.files.length && (e.preventDefault(), add(e.clipboardData.files))}
      />
      ${isBusy
        ? html`<button type="button" class="primary stop" onClick=${onStop}>${t("Stop")}</button>`
        : html`<button type="submit" class="primary" disabled=${!text.trim() || waits}>${t("Send")}</button>`}
    </div>
  </form>`;
}

function Source({ annotation, message, onClose }) {
  const fileId = annotation.file_citation.file_id;
  const run = `/threads/${message.thread_id}/runs/${message.run_id}`;
  const [found] = useLoaded(async () => {
    const [file, steps] = await Promise.all([
      api.get(`/files/${fileId}`).catch(() => ({ filename: fileId })),
      api.all(`${run}/steps?order=asc&${RESULTS}`),
    ]);
    // A marker names the search and the place of the chunk among its results.
    const [, search, place] = /(\d+):(\d+)/.exec(annotation.text) ?? [];
    const searches = steps.flatMap((step) => step.step_details.tool_calls ?? []).filter((call) => call.file_search);
    const results = searches.flatMap((call) => call.file_search.results ?? []).filter((result) => result.file_id === fileId);
    const named = searches[search]?.file_search.results?.[place];
    return { file, results: named?.file_id === fileId ? [named] : results };
  }, [annotation, message.id]);
  return html`<${Dialog} title=${found?.file.filename ?? "…"} onClose=${onClose}>
    ${found?.results.map((result, n) => html`<p key=${n} class="muted">${annotation.text} · ${t("score")} ${result.score.toFixed(3)}</p>
      ${result.content?.map((part, m) => html`<blockquote key=${`${n}.${m}`}>${part.text}</blockquote>`)}`)}
    ${found && !found.results.length && html`<p class="muted">${t("The quoted text is in the run's own view.")}</p>`}
    <p class="row end"><a class="button" href=${`#/run/${message.thread_id}/${message.run_id}`}>${t("Look inside")}</a></p>
  <//>`;
}

function Starters({ onPick }) {
  const [starters] = useLoaded(() => fetch("/static/starters.json").then((response) => response.json()), []);
  const speech = language();
  return html`<section class="starters" aria-label=${t("Starters")}>
    <h1>${t("What shall we try?")}</h1>
    <p class="muted">${t("Everything stays on this machine. Pick a starter, or just write.")}</p>
    <ul>
      ${(starters ?? []).map(
        (starter) => html`<li key=${starter.id}>
          <button type="button" onClick=${() => onPick(starter)}>
            <strong>${starter.title[speech]}</strong><span>${starter.about[speech]}</span>
          </button>
        </li>`,
      )}
    </ul>
  </section>`;
}

/** An assistant to talk to where there is none. */
async function firstAssistant() {
  const [model] = (await api.get("/models")).data;
  return api.post("/assistants", { model: model.id, name: t("Assistant"), instructions: "You are a helpful assistant." });
}

export default function Chat({ route, go }) {
  const threadId = route.ids[0] ?? null;
  const [assistants, reloadAssistants] = useLoaded(() => api.all("/assistants"), []);
  const [threads, reloadThreads] = useLoaded(() => api.all("/threads", 300), []);
  const [assistantId, setAssistantId] = useState(localStorage.getItem(LAST_ASSISTANT) ?? "");
  const [messages, setMessages] = useState([]);
  const [runs, setRuns] = useState({});
  const [newest, setNewest] = useState(null); // the id of the thread's newest run: two may tell one second
  const [live, setLive] = useState(nothing);
  const [isUp, setIsUp] = useState(true);
  const [source, setSource] = useState(null);
  const [isOpen, setIsOpen] = useState(false);
  const [isSending, setIsSending] = useState(false);
  const [first, setFirst] = useState("");
  const following = useRef(null);
  const place = useRef(); // the thread that is looked at; undefined in another view
  const foot = useRef();
  const assistant = assistants?.find((each) => each.id === assistantId) ?? assistants?.[0];
  const isBusy = isSending || (live.run !== null && !ENDED.has(live.run.status));
  const busy = useRef(false); // as it is now, for what was begun earlier
  busy.current = isBusy;
  const sending = useRef(false);
  sending.current = isSending;

  const choose = (id) => {
    localStorage.setItem(LAST_ASSISTANT, id);
    setAssistantId(id);
  };

  /** Hears a run to its end, and shows every event on the next frame. */
  const hear = (run) => {
    following.current?.abort();
    const stop = (following.current = new AbortController());
    // What the run waits for is told again at its place among the events: a form shown before that would
    // be taken away, and what was opened or written in it with it.
    const waits = run.status === "requires_action";
    let state = { ...nothing, run: waits ? { ...run, status: "in_progress", required_action: null } : run };
    let frame = 0;
    setLive(state);
    const show = () => {
      frame = 0;
      if (stop.signal.aborted) return;
      if (ENDED.has(state.run.status)) keep(state);
      else setLive(state);
    };
    const heard = (name, object) => {
      state = changed(state, name, object);
      frame ||= requestAnimationFrame(show);
    };
    return api
      .follow(run.thread_id, run.id, heard, { signal: stop.signal, onLine: (up) => !stop.signal.aborted && setIsUp(up) })
      .then(() => {
        cancelAnimationFrame(frame); // it would come after what is settled, in a tab that nobody looks at
        if (frame) show();
        return settle(run.thread_id, run.id, stop.signal);
      })
      .catch((error) => stop.signal.aborted || lost(error));
  };
  /** Says what went wrong; a thread that is not there any more is left. */
  const lost = (error) => (fail(error), error.status === 404 && go("chat"));

  /** What a run that is over has said, in the thread: it can be tried again, and followed, from its last event on. */
  const keep = ({ run, steps, messages: said }) => {
    const isNew = ({ id }) => !said.some((each) => each.id === id);
    setMessages((all) => [...all.filter(isNew), ...said.filter((message) => message.role === "assistant")]);
    setRuns((all) => ({ ...all, [run.id]: { run, steps } }));
    setNewest(run.id);
    setLive(nothing);
  };

  /** The thread as the server keeps it, once a run is over; what is being asked by then is not in it, and its run will tell. */
  const settle = async (thread, runId, signal) => {
    const [kept, run, steps] = await Promise.all([
      api.newest(thread, SHOWN),
      api.get(`/threads/${thread}/runs/${runId}`),
      api.all(`/threads/${thread}/runs/${runId}/steps?order=asc&${RESULTS}`),
    ]);
    if (signal.aborted || sending.current) return;
    setMessages(kept);
    setRuns((all) => ({ ...all, [runId]: { run, steps } }));
    setNewest(runId);
    setLive(nothing);
  };

  useEffect(() => {
    let current = true;
    place.current = threadId;
    following.current?.abort();
    setLive(nothing);
    setMessages([]);
    setRuns({});
    setIsUp(true);
    if (!threadId) return;
    let seen = "";
    const look = async (isFirst) => {
      const heard = following.current;
      // One after the other: what a run that has ended wrote is among messages that are asked for afterwards.
      const latest = await api.get(`/threads/${threadId}/runs?limit=20`);
      const kept = await api.newest(threadId, SHOWN);
      const found = JSON.stringify([latest.data, kept]);
      if (!current || found === seen || (!isFirst && (busy.current || following.current !== heard))) return;
      seen = found;
      setMessages(kept);
      const [last, ...others] = latest.data;
      setNewest(last?.id ?? null);
      if (last && isFirst) choose(last.assistant_id);
      if (last && !ENDED.has(last.status)) hear(last);
      for (const run of last && ENDED.has(last.status) ? latest.data : others)
        api.all(`/threads/${threadId}/runs/${run.id}/steps?order=asc&${RESULTS}`).then(
          (steps) => current && setRuns((all) => ({ ...all, [run.id]: { run, steps } })),
          fail,
        );
    };
    const failed = (error) => current && lost(error);
    api.patiently(() => look(true), () => current, fail).catch(failed);
    // The thread may have gone on in another window.
    const again = () => busy.current || look(false).catch((error) => error instanceof api.ApiError && failed(error));
    window.addEventListener("focus", again);
    return () => {
      current = false;
      window.removeEventListener("focus", again);
      place.current = undefined;
      following.current?.abort();
    };
  }, [threadId]);

  // Reads along at the foot, unless the reader has scrolled up.
  const reading = useRef(true);
  const scrolled = ({ currentTarget: box }) => (reading.current = box.scrollHeight - box.scrollTop - box.clientHeight < 160);
  const toFoot = () => reading.current && foot.current?.scrollIntoView({ block: "end" });
  useLayoutEffect(toFoot, [live, messages]);

  /**
   * A run of the chosen assistant on `thread`, or with `asked.thread` on a new one; shown unless the reader has gone elsewhere.
   * The newest messages of the thread may go for it, once it is accepted.
   */
  const start = async (thread, asked = {}, insteadOf = []) => {
    const from = place.current;
    const known = assistants ?? (await api.all("/assistants"));
    const chosen = known.find((each) => each.id === assistantId) ?? known[0] ?? (await firstAssistant());
    if (!known.length) reloadAssistants();
    choose(chosen.id);
    const body = { assistant_id: chosen.id, ...asked };
    // What was attached can be used by any assistant.
    const said = [...(thread ? messages : asked.thread.messages), ...(asked.additional_messages ?? [])];
    const brought = said.filter((each) => each.role === "user");
    const needed = new Set(brought.flatMap((each) => each.attachments ?? []).flatMap((each) => (each.tools ?? []).map((tool) => tool.type)));
    const missing = [...needed].filter((type) => !chosen.tools.some((tool) => tool.type === type));
    if (missing.length) body.tools = [...chosen.tools, ...missing.map((type) => ({ type }))];
    const replaced = insteadOf.map(({ id }) => `instead_of[]=${id}`).join("&");
    const run = await api.postOnce(thread ? `/threads/${thread}/runs${replaced && `?${replaced}`}` : "/threads/runs", body);
    if (place.current === from) {
      setMessages((all) => all.filter((each) => !insteadOf.includes(each)));
      if (run.thread_id === from) hear(run);
      else go(`chat/${run.thread_id}`); // which finds the run, and follows it
    }
    reloadThreads();
  };
  /** Whether the work was done; if not, it was said why. */
  const working = async (work) => {
    setIsSending(true);
    try {
      await work();
      return true;
    } catch (error) {
      fail(error);
      return false;
    } finally {
      setIsSending(false);
    }
  };
  const title = (text) => ({ title: [...text.replace(/\s+/g, " ")].slice(0, 60).join("") });
  const send = (text, attachments) =>
    working(async () => {
      const message = { role: "user", content: text, attachments };
      setFirst("");
      if (!threadId) return start(null, { thread: { messages: [message], metadata: title(text) } });
      // Message and run come together or not at all; until the thread is read again this stands for the message.
      const sent = { ...message, id: `sent.${Math.random()}`, content: [{ type: "text", text: { value: text, annotations: [] } }] };
      setMessages((all) => [...all, sent]);
      reading.current = true;
      try {
        await start(threadId, { additional_messages: [message] });
      } catch (error) {
        setMessages((all) => all.filter((each) => each !== sent));
        throw error;
      }
    });
  /** What is attached to a message and was not deleted since. */
  const attached = async ({ attachments }) => {
    const there = (each) => api.get(`/files/${each.file_id}`).then(() => each, (error) => error.status === 404 ? null : Promise.reject(error));
    return (await Promise.all((attachments ?? []).map(there))).filter(Boolean);
  };
  const branch = (at, text) =>
    working(async () => {
      const before = messages.slice(0, at).filter((message) => plain(message));
      const copies = before.map(async (message) => ({
        role: message.role,
        content: plain(message),
        attachments: message.role === "user" ? await attached(message) : [],
      }));
      const asked = { role: "user", content: text, attachments: await attached(messages[at]) };
      return start(null, { thread: { messages: [...(await Promise.all(copies)), asked], metadata: title(text) } });
    });
  /** Runs again in the place of an answer, with all that its run had said before it called something; or for a question without one. */
  const retry = (message) => {
    const said = messages.filter((each) => each === message || (each.run_id && each.run_id === message.run_id));
    return working(() => start(threadId, {}, message.role === "user" ? [] : said));
  };
  const stop = () => live.run && api.post(`/threads/${live.run.thread_id}/runs/${live.run.id}/cancel`).catch(fail);
  const drop = async (thread) => {
    try {
      await api.remove(`/threads/${thread.id}`);
    } catch (error) {
      return fail(error);
    }
    reloadThreads();
    if (thread.id === threadId) go("chat");
  };
  const pick = (starter) =>
    working(async () => {
      const body = { ...starter.assistant };
      const [model] = (await api.get("/models")).data;
      const files = await Promise.all(
        (starter.files ?? []).map(async (file) => ({
          ...(await api.upload(new File([file.content], file.name), "assistants")),
          tool: file.tool,
        })),
      );
      const searched = files.filter((file) => file.tool === "file_search").map((file) => file.id);
      const run = files.filter((file) => file.tool === "code_interpreter").map((file) => file.id);
      body.tool_resources = {
        ...(searched.length ? { file_search: { vector_stores: [{ file_ids: searched }] } } : {}),
        ...(run.length ? { code_interpreter: { file_ids: run } } : {}),
      };
      const made = await api.post("/assistants", { model: model.id, ...body, metadata: { starter: starter.id } });
      // A run waits for the files of its thread only.
      await Promise.all((made.tool_resources?.file_search?.vector_store_ids ?? []).map(api.indexed));
      choose(made.id);
      reloadAssistants();
      setFirst(starter.first[language()]);
    });

  const shownLive = live.messages.filter((message) => message.role === "assistant");
  const kept = messages.filter((message) => !shownLive.some((other) => other.id === message.id));
  const lastUser = kept.findLastIndex((message) => message.role === "user");
  const cite = (message) => (annotation) => setSource({ annotation, message });
  return html`
    <${Threads} current=${threadId} threads=${threads} onDelete=${drop} isOpen=${isOpen} onClose=${() => setIsOpen(false)} />
    <section class="conversation" aria-label=${t("Conversation")}>
      <header class="row">
        <button type="button" class="quiet drawer" aria-expanded=${isOpen} aria-label=${t("Threads")} onClick=${() => setIsOpen(!isOpen)}>☰</button>
        <label class="row">
          <span class="muted">${t("Assistant")}</span>
          <select aria-label=${t("Assistant")} value=${assistant?.id ?? ""} onChange=${(e) => choose(e.target.value)}>
            ${(assistants ?? []).map((each) => html`<option key=${each.id} value=${each.id}>${each.name || each.id}</option>`)}
            ${assistants && !assistants.length && html`<option value="">${t("A new one")}</option>`}
          </select>
        </label>
        <a href=${assistant ? `#/assistants/${assistant.id}` : "#/assistants/new"}>${assistant ? t("Edit") : t("Create")}</a>
      </header>
      <div class="messages" onScroll=${scrolled} onLoadCapture=${toFoot} tabindex="0" role="log" aria-label=${t("Messages")}>
        ${!threadId && html`<${Starters} onPick=${pick} />`}
        ${messages.length >= SHOWN && html`<p class="muted">${t("Earlier messages are not shown.")}</p>`}
        ${kept.map((message, at) => {
          const record = runs[message.run_id];
          const isFirst = message.run_id && messages.find((each) => each.run_id === message.run_id)?.id === message.id;
          const isLast = at === kept.length - 1;
          return html`<div key=${message.id}>
            ${isFirst && record && html`<${Calls} steps=${record.steps} />`}
            <${Message}
              message=${message}
              onCite=${cite(message)}
              onEdit=${!isBusy && at === lastUser ? (text) => branch(at, text) : null}
              onRetry=${!isBusy && isLast ? () => retry(message) : null}
            />
            ${record && isLast && html`<${RunLine} run=${record.run} isUp=${true} />`}
          </div>`;
        })}
        ${live.run &&
        html`<div class="live" aria-live="polite" aria-busy=${isBusy}>
          <${Calls} steps=${live.steps} open />
          ${shownLive.map(
            (message) => html`<${Message} key=${message.id} message=${message} onCite=${cite(message)} />`,
          )}
          ${!shownLive.length && !ENDED.has(live.run.status) && live.run.status !== "requires_action" && html`<p class="thinking"><span class="dots" aria-hidden="true" />${t("Working …")}</p>`}
          ${live.run.status === "requires_action" && live.run.required_action && html`<${RequiredAction} key=${live.run.required_action.submit_tool_outputs.tool_calls[0].id} run=${live.run} />`}
          <${RunLine} run=${live.run} isUp=${isUp} />
        </div>`}
        ${!live.run && kept.length > 0 && runs[newest] && !kept[kept.length - 1].run_id && html`<${RunLine} run=${runs[newest].run} isUp=${true} />`}
        <div ref=${foot} />
      </div>
      <${Composer} isBusy=${isBusy} onSend=${send} onStop=${stop} first=${first} />
    </section>
    ${source && html`<${Source} ...${source} onClose=${() => setSource(null)} />`}
  `;
}
