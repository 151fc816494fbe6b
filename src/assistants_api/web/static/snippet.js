// Inside the frame of a person's snippet: no origin, no network. It hears one call, and says what the snippet returned.
addEventListener("message", async ({ data }) => {
  try {
    const call = new Function("args", "name", `"use strict"; return (async () => { ${data.source}\n })();`);
    const value = await call(JSON.parse(data.arguments || "{}"), data.name);
    parent.postMessage({ output: typeof value === "string" ? value : JSON.stringify(value ?? null) }, "*");
  } catch (error) {
    parent.postMessage({ problem: String(error) }, "*");
  }
});
parent.postMessage({ ready: true }, "*");
