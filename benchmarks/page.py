"""What the page costs: its weight, the time to its first paint, and from Enter to the first word on the screen.

    python -m benchmarks.page [--rounds 10]

Needs Chromium. The floor of the last row is the same question over HTTP without a browser, in the same run: time from the
request until the first delta has come.
"""

import argparse
import gzip
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path

import httpx
from playwright.sync_api import expect, sync_playwright
from rich.console import Console
from rich.table import Table
from tests.conformance.serving import Served, serving

from assistants_api.web import STATIC

BETA = {"OpenAI-Beta": "assistants=v2"}
QUESTION = "What is a token?"


def weight() -> tuple[int, int]:
    """Bytes of everything that a visit of the chat loads: as they are, and gzipped."""
    files = [f for f in STATIC.rglob("*") if f.suffix in {".js", ".css", ".html", ".svg", ".json"}]
    files = [f for f in files if not f.name.startswith("snippet")]
    return sum(f.stat().st_size for f in files), sum(len(gzip.compress(f.read_bytes(), 9)) for f in files)


def over_http(served: Served) -> float:
    """Seconds from sending the thread and the run until the first delta is there."""
    with httpx.Client(base_url=served.base_url, headers=BETA, timeout=60) as http:
        assistant = http.post("/assistants", json={"model": "m"}).json()["id"]
        began = time.perf_counter()
        thread = http.post("/threads", json={"messages": [{"role": "user", "content": QUESTION}]}).json()[
            "id"
        ]
        body = {"assistant_id": assistant, "stream": True}
        with http.stream("POST", f"/threads/{thread}/runs", json=body) as response:
            for line in response.iter_lines():
                if line.startswith("event: thread.message.delta"):
                    return time.perf_counter() - began
    raise AssertionError("no delta came")


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        raise SystemExit("no Chromium on this machine")
    paints, words, floor = [], [], []
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(Path(folder)) as served,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        for _ in range(rounds):
            floor.append(over_http(served))
            context = browser.new_context()
            page = context.new_page()
            page.goto(served.root)
            expect(page.get_by_role("heading")).to_be_visible()
            timing = page.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
            paints.append(timing / 1000)
            page.evaluate(
                """() => {
                  addEventListener("keydown", (e) => e.key === "Enter" && (window.began = performance.now()), true);
                  new MutationObserver(() => {
                    const said = document.querySelector(".message.assistant .markdown")?.textContent;
                    if (said && !window.came) window.came = performance.now();
                  }).observe(document.body, { subtree: true, childList: true, characterData: true });
                }"""
            )
            page.get_by_label("Message", exact=True).fill(QUESTION)
            page.keyboard.press("Enter")
            expect(page.locator(".run-line .state").last).to_have_text("completed", timeout=60_000)
            words.append(page.evaluate("(window.came - window.began) / 1000"))
            context.close()
        browser.close()
    plain, packed = weight()
    table = Table("page", "median", "slowest", "floor, median", "ratio")
    table.add_row("weight, everything", f"{plain / 1024:.0f} kB", "", "", "")
    table.add_row("weight, gzipped", f"{packed / 1024:.0f} kB", "", "", "")
    table.add_row(
        "first paint, cold cache",
        f"{1000 * statistics.median(paints):.0f} ms",
        f"{1000 * max(paints):.0f} ms",
        "",
        "",
    )
    low, seen = statistics.median(floor), statistics.median(words)
    table.add_row(
        "Enter to first word, new thread",
        f"{1000 * seen:.0f} ms",
        f"{1000 * max(words):.0f} ms",
        f"{1000 * low:.0f} ms",
        f"{seen / low:.2f}",
    )
    Console().print(table)
    print(json.dumps({"gzipped": packed, "paint": paints, "words": words, "floor": floor}))


if __name__ == "__main__":
    main()
