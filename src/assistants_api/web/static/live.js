// What a run's events add up to. `changed(state, name, object)` gives the next state and touches nothing of the one before.

export const ENDED = new Set(["completed", "failed", "cancelled", "expired", "incomplete"]);
export const nothing = { run: null, steps: [], messages: [] };

const put = (list, item) => {
  const place = list.findIndex((each) => each.id === item.id);
  return place < 0 ? [...list, item] : list.map((each, n) => (n === place ? item : each));
};

function joinedParts(content, deltas) {
  const parts = [...content];
  for (const { index, ...delta } of deltas) {
    const before = parts[index];
    if (!before || delta.type !== "text") {
      parts[index] = delta.type === "text" ? { type: "text", text: { value: "", annotations: [], ...delta.text } } : delta;
      continue;
    }
    parts[index] = {
      type: "text",
      text: {
        value: before.text.value + (delta.text.value ?? ""),
        annotations: [...before.text.annotations, ...(delta.text.annotations ?? [])],
      },
    };
  }
  return parts;
}

function joinedCalls(calls, deltas) {
  const all = [...calls];
  for (const { index, ...delta } of deltas) {
    const before = all[index] ?? { id: delta.id, type: delta.type };
    const call = { ...before, ...(delta.id ? { id: delta.id } : {}) };
    if (delta.code_interpreter) {
      const old = before.code_interpreter ?? { input: "", outputs: [] };
      const outputs = [...old.outputs];
      for (const { index: place, ...output } of delta.code_interpreter.outputs ?? []) outputs[place] = output;
      call.code_interpreter = { input: old.input + (delta.code_interpreter.input ?? ""), outputs };
    }
    if (delta.function) {
      const old = before.function ?? { name: "", arguments: "", output: null };
      call.function = {
        name: old.name + (delta.function.name ?? ""),
        arguments: old.arguments + (delta.function.arguments ?? ""),
        output: delta.function.output ?? old.output,
      };
    }
    if (delta.file_search) call.file_search = { ...before.file_search, ...delta.file_search };
    all[index] = call;
  }
  return all;
}

export function changed(state, name, object) {
  if (name.startsWith("thread.run.step.")) {
    if (name !== "thread.run.step.delta") return { ...state, steps: put(state.steps, object) };
    const deltas = object.delta.step_details?.tool_calls;
    if (!deltas) return state;
    return {
      ...state,
      steps: state.steps.map((step) =>
        step.id === object.id
          ? { ...step, step_details: { ...step.step_details, tool_calls: joinedCalls(step.step_details.tool_calls ?? [], deltas) } }
          : step,
      ),
    };
  }
  if (name.startsWith("thread.run.")) return { ...state, run: object };
  if (name === "thread.message.delta")
    return {
      ...state,
      messages: state.messages.map((message) =>
        message.id === object.id ? { ...message, content: joinedParts(message.content, object.delta.content ?? []) } : message,
      ),
    };
  if (name.startsWith("thread.message.")) return { ...state, messages: put(state.messages, object) };
  return state;
}
