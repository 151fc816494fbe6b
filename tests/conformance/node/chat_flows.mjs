// Chat completions as code on the Node SDK uses them: `node chat_flows.mjs BASE_URL`, in a folder with the SDK.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(path.join(process.cwd(), "package.json")));
const { default: OpenAI, AzureOpenAI, NotFoundError } = await import(
  pathToFileURL(require.resolve("openai")).href
);
const { VERSION } = require("openai/version");

const baseURL = process.argv[2];
const client = new OpenAI({ baseURL, apiKey: "any", maxRetries: 0 });
const chat = client.chat.completions;
const helpers = chat.stream ? chat : client.beta.chat.completions;
const found = { version: VERSION };
const user = (content) => ({ role: "user", content });
const hello = { model: "gpt-4o", messages: [user("Hello")] };

const whole = await chat.create({ ...hello, seed: 1 });
found.answer = whole.choices[0].message.content;
let streamed = "";
let usage = null;
for await (const chunk of await chat.create({
  ...hello,
  stream: true,
  stream_options: { include_usage: true },
})) {
  streamed += chunk.choices[0]?.delta?.content ?? "";
  usage = chunk.usage ?? usage;
}
assert.deepEqual(usage, whole.usage);
found.streamed = streamed;

const helper = helpers.stream({ model: "gpt-4o", messages: [user("chinese")] });
let pieces = "";
helper.on("content", (delta) => (pieces += delta));
const final = await helper.finalChatCompletion();
assert.equal(pieces, final.choices[0].message.content);
found.helper = pieces;

const schema = { type: "object", properties: { city: { type: "string" } }, additionalProperties: true };
const parsed = await helpers.parse({
  model: "gpt-4o",
  messages: [user("as data")],
  response_format: { type: "json_schema", json_schema: { name: "weather", strict: true, schema } },
});
found.parsed = parsed.choices[0].message.parsed;

const cities = [];
const runner = helpers.runTools({
  model: "gpt-4o",
  messages: [user("weather?")],
  stream: true,
  tools: [
    {
      type: "function",
      function: {
        name: "get_weather",
        description: "The weather of a city",
        parse: JSON.parse,
        parameters: { type: "object", properties: { city: { type: "string" } } },
        function: ({ city }) => {
          cities.push(city);
          return "3 degrees";
        },
      },
    },
  ],
});
found.afterTools = await runner.finalContent();
found.cities = cities;

const stored = await chat.create({ ...hello, store: true, metadata: { flow: `node ${VERSION}` } });
const listed = [];
for await (const each of chat.list({ metadata: { flow: `node ${VERSION}` } })) listed.push(each.id);
assert.deepEqual(listed, [stored.id]);
assert.equal((await chat.update(stored.id, { metadata: { k: "v" } })).metadata.k, "v");
const messages = await chat.messages.list(stored.id);
assert.equal(messages.data[0].content, "Hello");
const gone = await (chat.delete ?? chat.del).call(chat, stored.id);
assert.equal(gone.deleted, true);
try {
  await chat.retrieve(stored.id);
} catch (error) {
  found.notFound = [error instanceof NotFoundError, error.status];
}
try {
  for await (const _ of await chat.create({ model: "m", messages: [user("break")], stream: true }));
} catch (error) {
  found.broken = error.message;
}

const aborted = new AbortController();
const slow = await chat.create(
  { model: "m", messages: [user("slowly")], stream: true },
  { signal: aborted.signal },
);
for await (const _ of slow) {
  aborted.abort();
  break;
}

const azure = new AzureOpenAI({
  endpoint: baseURL.replace(/\/v1$/, ""),
  apiKey: "any",
  apiVersion: "2024-06-01",
  deployment: "gpt-4o",
});
found.azure = (await azure.chat.completions.create(hello)).choices[0].message.content;

console.log(JSON.stringify(found));
