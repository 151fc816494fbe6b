// The README's lines for Node: npm install openai && node examples/quickstart.mjs
import OpenAI from 'openai';

const baseURL = process.env.BASE_URL ?? 'http://127.0.0.1:8000/v1';
const client = new OpenAI({ baseURL, apiKey: 'any' });
const assistant = await client.beta.assistants.create({ model: 'gpt-4o', instructions: 'You are a helpful assistant.' });
const thread = await client.beta.threads.create({ messages: [{ role: 'user', content: 'What is a token?' }] });
const stream = client.beta.threads.runs.stream(thread.id, { assistant_id: assistant.id });
stream.on('textDelta', (delta) => process.stdout.write(delta.value ?? ''));
await stream.finalRun();
console.log();
