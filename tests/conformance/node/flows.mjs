// The flows that code on the Node SDK uses: `node ../flows.mjs BASE_URL` inside a folder that has the SDK.
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';
import { strict as assert } from 'node:assert';

const require = createRequire(pathToFileURL(process.cwd() + '/index.js'));
const { OpenAI } = require('openai');
const { VERSION } = require('openai/version');
const isOld = VERSION.startsWith('4.');
const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'any', maxRetries: 0 });
const { assistants, threads } = client.beta;
const found = { version: VERSION };
const tool = {
  type: 'function',
  function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } },
};
const asking = (content) => ({ messages: [{ role: 'user', content }] });

const assistant = await assistants.create({ model: 'gpt-4o', tools: [tool], metadata: { a: 'b' } });
assert.equal((await assistants.retrieve(assistant.id)).id, assistant.id);
assert.equal((await assistants.update(assistant.id, { name: 'renamed' })).name, 'renamed');
const ids = [];
for await (const each of assistants.list({ limit: 2 })) ids.push(each.id);
assert.ok(ids.includes(assistant.id) && new Set(ids).size === ids.length);

let thread = await threads.create(asking('Hello'));
let run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
assert.equal(run.status, 'completed');
found.answer = (await threads.messages.list(thread.id)).data[0].content[0].text.value;

// Events and text of a streamed run.
await threads.messages.create(thread.id, { role: 'user', content: 'chinese' });
let text = '';
let stream = threads.runs.stream(thread.id, { assistant_id: assistant.id });
stream.on('textDelta', (delta) => (text += delta.value ?? ''));
run = await stream.finalRun();
const [message] = await stream.finalMessages();
assert.equal(message.content[0].text.value, text);
assert.equal((await stream.finalRunSteps())[0].status, 'completed');
found.streamed = text;

// Function tools, polled and streamed.
thread = await threads.create(asking('weather?'));
run = await threads.runs.createAndPoll(thread.id, { assistant_id: assistant.id });
assert.equal(run.status, 'requires_action');
const outputsOf = (run) =>
  run.required_action.submit_tool_outputs.tool_calls.map((call) => ({ tool_call_id: call.id, output: '3 degrees' }));
found.calls = run.required_action.submit_tool_outputs.tool_calls.map((c) => [c.function.name, JSON.parse(c.function.arguments)]);
run = isOld
  ? await threads.runs.submitToolOutputsAndPoll(thread.id, run.id, { tool_outputs: outputsOf(run) })
  : await threads.runs.submitToolOutputsAndPoll(run.id, { thread_id: thread.id, tool_outputs: outputsOf(run) });
assert.equal(run.status, 'completed');

stream = threads.createAndRunStream({ assistant_id: assistant.id, thread: asking('talk and call') });
const shown = [];
stream.on('toolCallDone', (call) => shown.push([call.function.name, call.function.arguments]));
run = await stream.finalRun();
assert.equal(run.status, 'requires_action');
assert.equal(shown.length, 1);
const next = isOld
  ? threads.runs.submitToolOutputsStream(run.thread_id, run.id, { tool_outputs: outputsOf(run) })
  : threads.runs.submitToolOutputsStream(run.id, { thread_id: run.thread_id, tool_outputs: outputsOf(run) });
run = await next.finalRun();
found.afterOutputs = (await next.finalMessages())[0].content[0].text.value;

// Cancel in the middle.
stream = threads.createAndRunStream({ assistant_id: assistant.id, thread: asking('slowly') });
let isAsked = false;
stream.on('textDelta', () => {
  if (isAsked) return;
  isAsked = true;
  const run = stream.currentRun();
  isOld ? threads.runs.cancel(run.thread_id, run.id) : threads.runs.cancel(run.id, { thread_id: run.thread_id });
});
run = await stream.finalRun();
found.cancelled = run.status;

run = await threads.createAndRunPoll({ assistant_id: assistant.id, thread: asking('break') });
found.failed = [run.status, run.last_error.message];
try {
  await threads.retrieve('thread_' + 'A'.repeat(24));
} catch (error) {
  found.notFound = [error.constructor.name, error.status];
}
console.log(JSON.stringify(found));
