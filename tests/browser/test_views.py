"""The other views, the plain page, languages, and what axe finds in all of them."""

import json
import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Route, expect

from assistants_api.web import STATIC
from tests.browser.conftest import AXE
from tests.browser.test_chat import BETA, READ_AGAIN, answers, ask, assistant, done, first


def test_a_run_can_be_looked_through(scripted, visit):
    page = visit(scripted, permissions=["clipboard-read", "clipboard-write"])
    ask(page, "Hello")
    done(page)

    page.get_by_role("link", name="Look inside").click()

    stages = page.get_by_role("list", name="Stages").get_by_role("listitem")
    expect(stages).to_have_text(
        [re.compile(s) for s in ("Request", "Input", "inference", "Output", "Response sent")]
    )
    expect(page.get_by_role("heading", name="Model call 1")).to_be_visible()
    page.get_by_role("button", name="Python").click()
    expect(page.locator("figure.code", has_text="from openai import OpenAI")).to_be_visible()
    page.get_by_role("button", name="Show every event").click()
    expect(page.locator(".events")).to_contain_text("thread.run.completed")


def test_a_run_tells_what_it_was_not_shown(scripted, visit):
    def cut(route: Route) -> None:
        trace = route.fetch().json()
        trace["turns"][0] |= {"left_out_messages": ["msg_1"], "left_out_steps": ["step_1", "step_2"]}
        route.fulfill(json=trace)

    page = visit(scripted)
    page.route("**/trace", cut)
    ask(page, "Hello")
    done(page)

    page.get_by_role("link", name="Look inside").click()

    expect(page.locator(".warning")).to_have_text(
        ["Truncation left out 1 messages: msg_1", "Truncation left out 2 steps of calls: step_1, step_2"]
    )


def test_a_run_is_looked_at_again_once_the_server_is_back(scripted, visit):
    page = visit(scripted)
    ask(page, "Talk for ever")
    expect(answers(page)).to_contain_text("word3")
    page.get_by_role("link", name="Look inside").click()
    expect(page.locator("header .state")).to_have_text("in_progress")

    page.route("**/trace", lambda route: route.abort())
    expect(page.get_by_role("alert").first).to_contain_text("fetch")
    thread, run = page.url.split("/")[-2:]
    ended = httpx.post(f"{scripted.base_url}/threads/{thread}/runs/{run}/cancel", headers=BETA)
    assert ended.status_code == 200, ended.text
    page.unroute("**/trace")

    expect(page.locator("header .state")).to_have_text("cancelled")


def test_a_run_that_ends_while_it_is_read_is_shown_to_its_end(scripted, visit):
    page = visit(scripted)
    ask(page, "Talk for ever")
    expect(answers(page)).to_contain_text("word9")
    thread = page.url.rpartition("/")[2]
    runs = f"{scripted.base_url}/threads/{thread}/runs"
    run = httpx.get(runs, headers=BETA).json()["data"][0]["id"]
    held: list[Route] = []
    page.route(READ_AGAIN, lambda route: held.append(route))
    page.goto(f"{scripted.root}/#/run/{thread}/{run}")
    reading = first(page, held)
    page.evaluate("fetch('/health/live').then((answer) => answer.text())")  # after what was asked at once

    assert httpx.post(f"{runs}/{run}/cancel", headers=BETA).status_code == 200
    ended = httpx.get(f"{runs}/{run}?wait=30", headers=BETA, timeout=60).json()
    reading.continue_()

    assert ended["status"] == "cancelled"
    expect(page.locator("header .state")).to_have_text("cancelled")
    expect(page.get_by_role("list", name="Stages").get_by_role("listitem").last).not_to_contain_text("–")


def test_an_assistant_is_made_changed_and_deleted(scripted, visit):
    page = visit(scripted, "#/assistants/new")
    page.get_by_label("Name", exact=False).first.fill("Librarian")
    page.get_by_label("Instructions").fill("You find books.")
    page.get_by_role("button", name="Add a function").click()
    editor = page.get_by_label("Function 1")
    editor.fill('{"name": }')
    expect(page.get_by_role("alert").filter(has_text="JSON")).to_be_visible()
    expect(page.get_by_role("button", name="Save")).to_be_disabled()
    editor.fill('{"name": "find book"}')
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert").filter(has_text="name").first).to_be_visible()
    editor.fill('{"name": "find_book"}')
    page.get_by_role("button", name="Save").click()

    expect(page).to_have_url(re.compile("assistants/asst_"))
    made = httpx.get(f"{scripted.base_url}/assistants/{page.url.rpartition('/')[2]}", headers=BETA).json()
    assert made["instructions"] == "You find books."
    assert made["tools"][0]["function"]["name"] == "find_book"
    page.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("link", name="Librarian")).to_have_count(0)


def test_a_store_takes_files_and_is_searched(scripted, visit):
    page = visit(scripted, "#/stores")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/v1/files/" in request.url else None)
    page.get_by_role("button", name="New store").click()
    expect(page).to_have_url(re.compile("stores/vs_"))

    page.set_input_files(
        "input[type=file]", {"name": "zoo.md", "mimeType": "text/plain", "buffer": b"The zebra is striped."}
    )
    row = page.get_by_role("row", name=re.compile("zoo.md"))
    expect(row).to_contain_text("completed")
    # A browser says nothing of the same file chosen again.
    expect(page.locator("input[type=file]")).to_have_value("")
    page.get_by_role("searchbox", name="Search this store").fill("zebra")
    page.get_by_role("button", name="Search", exact=True).click()
    expect(page.locator(".results")).to_contain_text("The zebra is striped.")
    row.get_by_role("button", name="None").click()
    page.get_by_role("dialog").get_by_label("Attributes").last.fill('{"kind": "animal"}')
    page.get_by_role("dialog").get_by_role("button", name="Save").click()
    expect(row.get_by_role("button", name="1")).to_be_visible()
    row.get_by_role("button", name="Remove zoo.md").click()
    expect(page.get_by_text("Nothing here yet.")).to_be_visible()
    # A store is looked at again and again, and may have thousands of files: their names do not change.
    assert len(asked) == 1


def test_a_store_is_looked_at_again_once_the_server_is_back(scripted, visit):
    page = visit(scripted, "#/stores")
    page.get_by_role("button", name="New store").click()
    expect(page).to_have_url(re.compile("stores/vs_"))
    away = []

    def reading(route: Route) -> None:
        kept = route.fetch().json()
        if len(away) == 1:
            away.append(True)
            route.abort()
            return
        if kept["data"] and not away:
            away.append(True)
            kept["data"][0]["status"] = "in_progress"
        route.fulfill(json=kept)

    page.route("**/vector_stores/*/files?**", reading)
    page.set_input_files("input[type=file]", {"name": "a.md", "mimeType": "text/plain", "buffer": b"One."})

    expect(page.get_by_role("row", name=re.compile("a.md"))).to_contain_text("completed")
    assert len(away) == 2


@pytest.mark.parametrize("view", ["#/chat", "#/assistants"])
def test_a_view_that_was_opened_without_the_server_is_there_once_it_is_back(scripted, visit, view):
    assistant(scripted, name="Behind the line")
    page = visit(scripted, "#/server")
    page.route("**/v1/assistants?**", lambda route: route.abort())
    with page.expect_event("requestfailed"):
        page.goto(f"{scripted.root}/{view}")

    page.unroute_all()

    expect(page.get_by_text("Behind the line").first).to_be_attached()


def test_an_address_is_gone_to_that_comes_before_the_first_frame(scripted, visit):
    page = visit(scripted)
    page.add_init_script(
        "window.requestAnimationFrame = () => 0;"
        "addEventListener('DOMContentLoaded', () => (location.hash = '#/server'));"
    )

    page.reload()

    expect(page.get_by_role("heading", name="Server")).to_be_visible()


WRITE_AT_ONCE = """([address, place]) => new Promise((written) => {
    const observer = new MutationObserver(() => {
        const field = document.querySelector(place);
        if (!field) return;
        observer.disconnect();
        field.value = "Written";
        field.dispatchEvent(new Event("input", { bubbles: true }));
        requestAnimationFrame(() => setTimeout(written));
    });
    observer.observe(document.body, { childList: true, subtree: true });
    location.hash = address;
})"""


@pytest.mark.parametrize(
    ("view", "place"),
    [("assistants", ".editor input[name=name]"), ("stores", ".page form:not([role]) input")],
)
def test_what_is_written_into_a_form_before_the_next_frame_stays(scripted, visit, view, place):
    store = httpx.post(f"{scripted.base_url}/vector_stores", json={"name": "Made"}, headers=BETA).json()["id"]
    made = {"assistants": assistant(scripted, name="Made"), "stores": store}
    page = visit(scripted, "#/server")
    expect(page.get_by_role("heading", name="Server")).to_be_visible()

    page.evaluate(WRITE_AT_ONCE, [f"#/{view}/{made[view]}", place])

    expect(page.locator(place).first).to_have_value("Written")


def test_the_server_shows_how_it_does(scripted, visit):
    page = visit(scripted, "#/server")

    expect(page.get_by_role("heading", name="Server")).to_be_visible()
    expect(page.get_by_text("scripted").first).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Runs in progress"))).to_be_visible()
    expect(page.get_by_role("img", name=re.compile("Time to first token"))).to_be_visible()


def test_the_page_speaks_chinese(scripted, visit):
    page = visit(scripted, locale="zh-CN")

    expect(page.get_by_role("link", name="新对话")).to_be_visible()
    page.get_by_role("button", name="English").click()
    expect(page.get_by_role("link", name="New chat")).to_be_visible()


def test_every_text_has_its_chinese():
    table = (STATIC / "texts.js").read_text(encoding="utf-8")
    known = {a or b for a, b in re.findall(r'^  (?:"((?:[^"\\]|\\.)*)"|(\w+)):', table, re.MULTILINE)}
    files = [STATIC / "app.js", STATIC / "ui.js", *(STATIC / "views").glob("*.js")]
    used = {text for file in files for text in re.findall(r'\bt\(\s*"((?:[^"\\]|\\.)*)"', file.read_text())}

    assert len(used) > 100
    assert used <= known


def test_starters_are_assistants_that_the_server_takes(scripted):
    starters = json.loads((STATIC / "starters.json").read_text(encoding="utf-8"))

    for starter in starters:
        assert assistant(scripted, **starter["assistant"])
        assert starter["title"].keys() == starter["about"].keys() == starter["first"].keys() == {"en", "zh"}


def test_the_plain_page_answers_without_javascript(scripted, visit):
    page = visit(scripted, "assist", java_script_enabled=False)
    page.get_by_label("Question").fill("attack")
    page.get_by_role("button", name="Ask").click()

    expect(page.get_by_role("status")).to_contain_text("onerror")
    assert "hacked" not in page.title()
    page.get_by_label("Question").fill("Hello")
    page.get_by_role("button", name="Ask").click()
    expect(page.get_by_role("status")).to_contain_text("how can I help")


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_axe_finds_nothing_serious(scripted, visit, colours):
    if not AXE.exists():
        pytest.skip("axe-core is not installed: npm was not there")
    assistant(scripted, name="Looked at")
    httpx.post(f"{scripted.base_url}/vector_stores", json={"name": "Looked at"}, headers=BETA)
    page = visit(scripted, color_scheme=colours)
    ask(page, "Show markdown")
    done(page)
    expect(answers(page)).to_be_visible()
    views = {
        page.url.removeprefix(f"{scripted.root}/"): "Title",
        page.get_by_role("link", name="Look inside").get_attribute("href"): "Model call 1",
        "#/chat": "What shall we try?",
        "#/assistants/new": "Assistants",
        "#/stores": "Files",
        "#/server": "Server",
        "assist": "Ask",
    }
    serious = []
    for view, heading in views.items():
        page.goto(f"{scripted.root}/{view}")
        expect(page.get_by_role("heading", name=heading, exact=True)).to_be_visible()
        # The page's own policy lets no other script in: axe comes in by the debugger.
        page.context.new_cdp_session(page).send(
            "Runtime.evaluate", {"expression": Path(AXE).read_text(encoding="utf-8")}
        )
        found = page.evaluate("axe.run(document, { resultTypes: ['violations'] })")
        serious += [
            (view, each["id"], each["nodes"][0]["html"][:200])
            for each in found["violations"]
            if each["impact"] in ("serious", "critical")
        ]
    assert serious == []


def test_a_narrow_screen_has_a_drawer(scripted, visit):
    page = visit(scripted, viewport={"width": 380, "height": 700})
    side = page.get_by_role("complementary", name="Threads")
    expect(side).to_be_hidden()

    page.get_by_role("button", name="Threads").click()

    expect(side).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 380


def test_the_drawer_of_a_narrow_screen_is_closed_without_leaving_the_thread(scripted, visit):
    page = visit(scripted, viewport={"width": 380, "height": 700})
    ask(page, "Hello")
    done(page)
    thread = page.url
    side = page.get_by_role("complementary", name="Threads")
    opens = page.get_by_role("button", name="Threads")

    opens.click()
    page.mouse.click(370, 400)
    expect(side).to_be_hidden()
    opens.click()
    expect(side).to_be_visible()
    page.keyboard.press("Escape")

    expect(side).to_be_hidden()
    assert page.url == thread


def test_the_drawer_hears_a_key_before_the_next_frame(scripted, visit):
    page = visit(scripted, viewport={"width": 380, "height": 700})
    page.evaluate("window.requestAnimationFrame = () => 0")

    page.evaluate(
        """async () => {
            document.querySelector(".drawer").click();
            await new Promise((resolve) => setTimeout(resolve));
            dispatchEvent(new KeyboardEvent("keydown", { key: "Escape" }));
        }"""
    )

    expect(page.get_by_role("complementary", name="Threads")).to_be_hidden()


@pytest.mark.parametrize("width", [320, 360])
def test_a_long_name_of_an_assistant_pushes_nothing_off_a_narrow_screen(scripted, visit, width):
    made = assistant(scripted, name="An assistant with a name that is long " * 3)
    page = visit(scripted, viewport={"width": width, "height": 640})
    page.get_by_role("combobox", name="Assistant", exact=True).select_option(made)

    edges = page.locator(".conversation button, .conversation a, .conversation select").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect()).map(({ left, right }) => [left, right])"
    )

    assert all(left >= 0 and right <= width for left, right in edges)


def test_a_narrow_screen_shows_whole_words_of_a_table_and_a_whole_question(scripted, visit):
    page = visit(scripted, viewport={"width": 375, "height": 667})
    field = page.get_by_label("Message", exact=True)
    whole = "node => node.scrollHeight <= node.clientHeight"
    assert field.evaluate(whole)
    field.fill("Show a wide table, and do so in a question that takes more than one line on a telephone.")
    assert field.evaluate(whole)

    field.press("Enter")

    word = page.get_by_role("cell", name="Wednesday").first
    expect(word).to_be_visible()
    assert word.evaluate("node => node.clientHeight < 50")
    frame = page.locator(".message.assistant .wide")
    assert frame.evaluate("node => node.scrollWidth > node.clientWidth")
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert field.evaluate("node => node.clientHeight < 50")
