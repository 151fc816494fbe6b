// The flows on files of the Node SDK: `node file_flows.mjs BASE_URL`, run where the SDK is installed.
import assert from 'node:assert';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.cwd(), 'x.js'));
const { OpenAI, toFile } = require('openai');

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'any', maxRetries: 0 });
const isOld = (await import('node:fs')).readFileSync('node_modules/openai/package.json', 'utf8').includes('"4.');
const stores = client.vectorStores;
const found = {};
const text = 'Staff get 25 days of holiday a year.\n\nThe office closes at 18:30.';

const file = await client.files.create({ file: await toFile(Buffer.from(text), 'handbook.md'), purpose: 'assistants' });
assert.equal(await (await client.files.content(file.id)).text(), text);

const store = await stores.create({ name: 'docs' });
const added = await stores.files.createAndPoll(store.id, { file_id: file.id });
found.added = added.status;
const files = await Promise.all([0, 1].map((n) => toFile(Buffer.from(`Note ${n} about zebras.`), `${n}.txt`)));
const batch = await stores.fileBatches.uploadAndPoll(store.id, { files });
found.batch = [batch.status, batch.file_counts.completed];
const hits = await stores.search(store.id, { query: 'zebras', max_num_results: 2 });
found.search = hits.data.length;

const assistant = await client.beta.assistants.create({
  model: 'gpt-4o',
  tools: [{ type: 'file_search' }],
  tool_resources: { file_search: { vector_store_ids: [store.id] } },
});
const thread = await client.beta.threads.create({ messages: [{ role: 'user', content: 'How much holiday do I get?' }] });
const stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
found.calls = [];
stream.on('toolCallDone', (call) => found.calls.push(call.type));
await stream.finalRun();
const [message] = await stream.finalMessages();
const part = message.content[0].text;
found.answer = part.value;
found.cited = part.annotations.map((each) => part.value.slice(each.start_index, each.end_index) === each.text);
found.file = part.annotations[0].file_citation.file_id === file.id;
const run = (await client.beta.threads.runs.list(thread.id)).data[0];
const steps = isOld
  ? await client.beta.threads.runs.steps.list(thread.id, run.id, { order: 'asc' })
  : await client.beta.threads.runs.steps.list(run.id, { thread_id: thread.id, order: 'asc' });
found.results = steps.data[0].step_details.tool_calls[0].file_search.results.length > 0;
console.log(JSON.stringify(found));
