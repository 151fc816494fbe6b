// The code_interpreter flows of the Node SDK: `node code_flows.mjs BASE_URL`, run where the SDK is installed.
import assert from 'node:assert';
import { createRequire } from 'node:module';
import path from 'node:path';

const require = createRequire(path.join(process.cwd(), 'x.js'));
const { OpenAI, toFile } = require('openai');

const client = new OpenAI({ baseURL: process.argv[2], apiKey: 'any', maxRetries: 0 });
const { threads, assistants } = client.beta;
const isOld = (await import('node:fs')).readFileSync('node_modules/openai/package.json', 'utf8').includes('"4.');
const csv = await client.files.create({
  file: await toFile(Buffer.from('region,sum\nnorth,3\nsouth,5\n'), 'sales.csv'),
  purpose: 'assistants',
});
const assistant = await assistants.create({
  model: 'gpt-4o',
  tools: [{ type: 'code_interpreter' }],
  tool_resources: { code_interpreter: { file_ids: [csv.id] } },
});
const thread = await threads.create({ messages: [{ role: 'user', content: 'Draw a bar chart of the sales.' }] });
function clean(part) {
  for (const annotation of part.text?.annotations ?? []) delete annotation.index;
  return part;
}
const found = { input: '', logs: '', images: 0, shown: [] };
const stream = threads.runs.stream(thread.id, { assistant_id: assistant.id });
stream.on('toolCallDelta', (delta) => {
  found.input += delta.code_interpreter?.input ?? '';
  for (const output of delta.code_interpreter?.outputs ?? []) {
    if (output.type === 'logs') found.logs += output.logs;
    else found.images += 1;
  }
});
stream.on('imageFileDone', (image) => found.shown.push(image.file_id));
const run = await stream.finalRun();
const [message] = await stream.finalMessages();
const stored = (await threads.messages.list(thread.id)).data[0];
// The old SDK leaves the deltas' `index` in what it gathers.
assert.deepEqual(stored.content, message.content.map(({ index, ...part }) => clean(part)));
const [image, text] = stored.content;
const [link] = text.text.annotations;
assert.equal(text.text.value.slice(link.start_index, link.end_index), link.text);
const steps = isOld
  ? await threads.runs.steps.list(thread.id, run.id, { order: 'asc' })
  : await threads.runs.steps.list(run.id, { thread_id: thread.id, order: 'asc' });
const code = steps.data[0].step_details.tool_calls[0].code_interpreter;
assert.ok(code.input.startsWith(found.input) && found.input.startsWith('import pandas'));
found.input = code.input === found.input;
found.shown = found.shown.length === 1 && found.shown[0] === image.image_file.file_id;
const picture = Buffer.from(await (await client.files.content(image.image_file.file_id)).arrayBuffer());
found.png = picture.subarray(0, 4).toString('hex');
found.outputs = code.outputs.map((output) => output.type);
found.link = link.text;
found.linked = await (await client.files.content(link.file_path.file_id)).text();

const second = await threads.runs.createAndPoll(thread.id, {
  assistant_id: assistant.id,
  additional_messages: [{ role: 'user', content: 'What was the total again?' }],
});
assert.equal(second.status, 'completed');
found.second = (await threads.messages.list(thread.id)).data[0].content[0].text.value;
console.log(JSON.stringify(found));
