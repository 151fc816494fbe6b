"""Asking on the page: streams, stops, reloads, branches, functions, files, and text that would like to be code."""

import json
import os
import re

import httpx
import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.script import FORMULAS, HOSTILE, SCRIPT
from tests.conformance.serving import serving

BETA = {"OpenAI-Beta": "assistants=v2"}


def ask(page: Page, text: str) -> None:
    page.get_by_label("Message", exact=True).fill(text)
    page.keyboard.press("Enter")


def assistant(served, **fields) -> str:
    body = {"model": "any", "name": "Tested", **fields}
    made = httpx.post(f"{served.base_url}/assistants", json=body, headers=BETA)
    assert made.status_code == 200, made.text
    return made.json()["id"]


def answers(page: Page):
    return page.locator(".message.assistant .markdown")


def done(page: Page) -> None:
    expect(page.locator(".run-line .state").last).to_have_text("completed")


def first(page: Page, held: list[Route]) -> Route:
    """The first request that is held: the browser tells of a request before it asks what becomes of it."""
    while not held:
        page.wait_for_timeout(10)
    return held[0]


@pytest.mark.model
@pytest.mark.parametrize(
    ("question", "word"), [("What is a token?", "language model"), ("什么是人工智能？", "计算机")]
)
def test_a_question_is_answered(bundled, visit, question, word):
    page = visit(bundled)

    ask(page, question)

    expect(answers(page)).to_contain_text(word)
    done(page)
    expect(
        page.get_by_role("complementary", name="Threads").get_by_role("link", name=question)
    ).to_be_visible()


@pytest.mark.model
def test_a_dropped_document_is_searched_and_its_source_opens(bundled, visit):
    page = visit(bundled)
    page.get_by_role("button", name=re.compile("Chat with your documents")).click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("When does the office close?")

    page.get_by_role("button", name="Send").click()
    done(page)
    page.get_by_role("button", name="Source 1").click()

    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("handbook.md")
    expect(dialog).to_contain_text("The office closes at 18:30.")
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)


def test_a_document_can_be_asked_once_it_is_indexed(scripted, visit):
    """A run waits for its thread's files only, never for its assistant's."""
    page = visit(scripted)
    counts = []

    def slowly(route: Route) -> None:
        store = route.fetch().json()
        if len(counts) < 2:
            store["file_counts"] |= {"in_progress": 1, "completed": 0}
        counts.append(store["file_counts"]["in_progress"])
        route.fulfill(json=store)

    page.route("**/v1/vector_stores/*", slowly)
    page.get_by_role("button", name=re.compile("Chat with your documents")).click()

    expect(page.get_by_label("Message", exact=True)).to_have_value("When does the office close?")
    assert counts[:2] == [1, 1]
    assert counts[-1] == 0


@pytest.mark.model
def test_a_chart_is_shown(bundled, visit):
    if bundled.ready()["sandbox"]["tier"] == "off":
        assert not os.environ.get("CI"), "in CI a sandbox must be there"
        pytest.skip("no sandbox on this machine")
    page = visit(bundled)
    page.get_by_role("button", name=re.compile("Data analysis")).click()
    expect(page.get_by_label("Message", exact=True)).to_have_value("Draw a bar chart of 3, 5, 8")

    page.get_by_role("button", name="Send").click()
    done(page)

    image = page.locator(".message.assistant img")
    expect(image).to_be_visible()
    assert image.evaluate("node => node.naturalWidth") > 100


def test_a_file_is_attached_by_the_picker(scripted, visit):
    page = visit(scripted)
    page.set_input_files(
        "input[type=file]", {"name": "<b>notes.md", "mimeType": "text/plain", "buffer": b"one"}
    )
    chosen = page.get_by_role("list", name="Attachments")
    expect(chosen).to_contain_text("<b>notes.md")
    expect(chosen.get_by_role("progressbar")).to_have_count(0)
    chosen.get_by_role("combobox").select_option("file_search")

    ask(page, "Hello")

    expect(page.locator(".message.user")).to_contain_text("1 files")
    done(page)


def test_an_attached_file_can_be_used_by_any_assistant(scripted, visit):
    bare = assistant(scripted, tools=[])
    page = visit(scripted)
    page.get_by_role("combobox", name="Assistant", exact=True).select_option(bare)
    page.set_input_files("input[type=file]", {"name": "a.md", "mimeType": "text/plain", "buffer": b"one"})
    expect(page.get_by_role("list", name="Attachments").get_by_role("progressbar")).to_have_count(0)
    ask(page, "Hello")
    done(page)
    ask(page, "And again")
    expect(answers(page)).to_have_count(2)
    done(page)

    thread = page.url.rpartition("/")[2]
    runs = httpx.get(f"{scripted.base_url}/threads/{thread}/runs", headers=BETA).json()["data"]
    assert [[tool["type"] for tool in run["tools"]] for run in runs] == [["file_search"]] * 2


def test_files_that_an_answer_links_to_ask_for_no_tool(scripted, visit):
    bare = assistant(scripted, tools=[])
    form = {"files": {"file": ("made.csv", b"a,b")}, "data": {"purpose": "assistants"}}
    file = httpx.post(f"{scripted.base_url}/files", **form).json()["id"]
    linked = [{"file_id": file, "tools": [{"type": "code_interpreter"}]}]
    said = [
        {"role": "user", "content": "Make a table"},
        {"role": "assistant", "content": "Here it is.", "attachments": linked},
    ]
    thread = httpx.post(f"{scripted.base_url}/threads", headers=BETA, json={"messages": said}).json()["id"]
    page = visit(scripted, f"#/chat/{thread}")
    page.get_by_role("combobox", name="Assistant", exact=True).select_option(bare)
    ask(page, "Hello")
    done(page)

    runs = httpx.get(f"{scripted.base_url}/threads/{thread}/runs", headers=BETA).json()["data"]
    assert [run["tools"] for run in runs] == [[]]


def test_stop_cancels_the_run(scripted, visit):
    page = visit(scripted)
    ask(page, "Talk for ever")
    expect(answers(page)).to_contain_text("word3")

    page.get_by_role("button", name="Stop").click()

    expect(page.locator(".run-line .state").last).to_have_text("cancelled")
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_a_reload_in_mid_answer_goes_on_with_it(scripted, visit):
    page = visit(scripted)
    ask(page, "Talk slowly please")
    expect(answers(page)).to_contain_text("word5")

    page.reload()

    expect(answers(page)).to_contain_text("word299")
    text = answers(page).inner_text()
    assert re.findall(r"word(\d+)", text) == [str(n) for n in range(300)]
    done(page)


@pytest.mark.parametrize(("end", "shown"), [("completed", "3 s"), ("expired", None)])
def test_a_run_tells_how_long_it_took_where_that_is_known(scripted, visit, end, shown):
    page = visit(scripted)
    ask(page, "Hello")
    done(page)

    def ended(route: Route) -> None:
        runs = route.fetch().json()
        run = runs["data"][0]
        run["status"] = end
        run["completed_at"] = run["created_at"] + 3 if end == "completed" else None
        route.fulfill(json=runs)

    page.route("**/runs?limit=20", ended)
    page.reload()

    line = page.locator(".run-line")
    expect(line.locator(".state")).to_have_text(end)
    times = [text for text in line.locator("span").all_inner_texts() if re.fullmatch(r"[\d.< ]+ m?s", text)]
    assert times == ([shown] if shown else [])


def test_an_answer_that_ends_while_its_thread_is_opened_is_shown(scripted, visit):
    page = visit(scripted)
    ask(page, "Talk slowly")
    expect(answers(page)).to_contain_text("word3")
    runs = f"{scripted.base_url}/threads/{page.url.rpartition('/')[2]}/runs?limit=20"

    def late(route: Route) -> None:
        while httpx.get(runs, headers=BETA).json()["data"][0]["status"] != "completed":
            page.evaluate("new Promise((resolve) => setTimeout(resolve, 50))")
        route.continue_()

    page.route("**/runs?limit=20", late)
    page.reload()

    expect(answers(page)).to_contain_text("word299")
    done(page)


def test_a_lost_line_is_taken_up_again(tmp_path, visit):
    held = [*(f"word{n} " for n in range(10)), {"pause": 3600}]
    with serving(tmp_path, [held]) as served:
        page = visit(served)
        ask(page, "Talk slowly again")
        expect(answers(page)).to_contain_text("word5")

        served.kill()
        expect(page.get_by_text("Line lost")).to_be_visible()
        (tmp_path / "script.json").write_text(json.dumps(SCRIPT))
        second = served.again()
        try:
            expect(answers(page)).to_contain_text("word299")
            assert re.findall(r"word(\d+)", answers(page).inner_text()) == [str(n) for n in range(300)]
            done(page)
        finally:
            second.stop()


def test_what_was_asked_in_another_window_is_shown_when_this_one_is_looked_at(scripted, visit):
    page = visit(scripted)
    ask(page, "Hello")
    done(page)
    other = page.context.new_page()
    other.goto(page.url)
    done(other)
    field = other.get_by_label("Message", exact=True)
    field.fill("A draft")

    ask(page, "Talk for ever")
    expect(answers(page).last).to_contain_text("word3")
    other.evaluate("dispatchEvent(new Event('focus'))")

    expect(other.get_by_role("button", name="Stop")).to_be_visible()
    expect(answers(other).last).to_contain_text("word9")
    page.get_by_role("button", name="Stop").click()
    expect(other.locator(".run-line .state").last).to_have_text("cancelled")
    expect(other.locator(".message")).to_have_count(4)
    expect(field).to_have_value("A draft")


def test_an_edited_question_makes_a_branch_and_retry_answers_again(scripted, visit):
    page = visit(scripted)
    ask(page, "Hello")
    done(page)
    first = page.url

    page.locator(".message.user").hover()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Edit").fill("Hello, branch")
    page.get_by_role("button", name="Ask in a new branch").click()

    expect(page.locator(".message.user")).to_have_text(re.compile("Hello, branch"))
    done(page)
    assert page.url != first
    page.locator(".message.assistant").hover()
    page.get_by_role("button", name="Retry").click()
    done(page)
    expect(answers(page)).to_have_count(1)


def test_a_question_is_edited_though_a_file_of_its_thread_is_gone(scripted, visit):
    page = visit(scripted)
    page.set_input_files("input[type=file]", {"name": "notes.md", "mimeType": "text/plain", "buffer": b"one"})
    expect(page.get_by_role("list", name="Attachments").get_by_role("progressbar")).to_have_count(0)
    with page.expect_response("**/v1/threads/runs") as sent:
        ask(page, "Hello")
    done(page)
    [attached] = sent.value.request.post_data_json["thread"]["messages"][0]["attachments"]
    first = page.url
    gone = httpx.delete(f"{scripted.base_url}/files/{attached['file_id']}", headers=BETA)
    assert gone.status_code == 200, gone.text

    page.locator(".message.user").hover()
    page.get_by_role("button", name="Edit").click()
    page.get_by_label("Edit").fill("Hello, branch")
    page.get_by_role("button", name="Ask in a new branch").click()

    expect(page.locator(".message.user .markdown")).to_have_text("Hello, branch")
    done(page)
    assert page.url != first


def test_retry_takes_away_all_that_the_run_had_said(scripted, visit):
    function = {"name": "get_weather", "parameters": {"type": "object"}}
    made = assistant(scripted, tools=[{"type": "function", "function": function}])
    page = visit(scripted)
    page.get_by_role("combobox", name="Assistant", exact=True).select_option(made)
    form = page.get_by_role("form", name="Function outputs")
    said = [re.compile("Let me see."), re.compile("It is cold in Oslo.")]
    ask(page, "With a preamble, please")
    form.get_by_label("Output", exact=True).fill("3 degrees")
    form.get_by_role("button", name="Submit outputs").click()
    done(page)
    expect(answers(page)).to_have_text(said)

    page.get_by_role("button", name="Retry").click()
    form.get_by_label("Output", exact=True).fill("3 degrees")
    form.get_by_role("button", name="Submit outputs").click()
    done(page)

    expect(answers(page)).to_have_text(said)


def test_a_question_without_an_answer_is_tried_again(scripted, visit):
    page = visit(scripted)
    ask(page, "Say nothing")
    expect(page.locator(".run-line .state")).to_have_text("failed")
    expect(page.locator(".message")).to_have_count(1)

    with page.expect_response(re.compile(r"/runs$")) as sent:
        page.get_by_role("button", name="Retry").click()

    assert sent.value.request.method == "POST"
    expect(page.get_by_role("link", name="Look inside")).to_have_attribute(
        "href", re.compile(sent.value.json()["id"])
    )
    expect(page.locator(".run-line .state")).to_have_text("failed")
    expect(page.locator(".message.user")).to_have_count(1)


def test_of_two_runs_of_one_second_the_later_is_shown(scripted, visit):
    page = visit(scripted)

    def in_one_second(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json={**answer.json(), "created_at": 1})

    page.route(re.compile(r"/runs/run_\w+$"), in_one_second)
    ask(page, "Say nothing")
    expect(page.locator(".run-line .state")).to_have_text("failed")

    with page.expect_response(re.compile(r"/runs$")) as sent:
        page.get_by_role("button", name="Retry").click()

    later = re.compile(sent.value.json()["id"])
    inside = page.get_by_role("link", name="Look inside")
    expect(page.get_by_role("button", name="Retry")).to_be_enabled()
    expect(inside).to_have_attribute("href", later)
    page.reload()
    expect(inside).to_have_attribute("href", later)


def test_an_answer_stays_until_a_run_in_its_place_is_accepted(scripted, visit):
    page = visit(scripted)
    ask(page, "Hello")
    done(page)
    question, thread = page.locator(".message.user"), page.url.rpartition("/")[2]
    refuse_runs(page)

    page.get_by_role("button", name="Retry").click()

    expect(page.get_by_role("alert")).to_contain_text("Too much is waiting.")
    expect(page.get_by_role("button", name="Retry")).to_be_enabled()
    kept = httpx.get(f"{scripted.base_url}/threads/{thread}/messages", headers=BETA).json()["data"]
    assert [message["role"] for message in kept] == ["assistant", "user"]
    page.reload()
    expect(answers(page)).to_have_count(1)
    expect(question).to_have_count(1)


def test_retry_leaves_an_answer_that_others_have_followed_elsewhere(scripted, visit):
    page = visit(scripted)
    ask(page, "Hello")
    done(page)
    thread = page.url.rpartition("/")[2]
    path = f"{scripted.base_url}/threads/{thread}/messages"
    more = httpx.post(path, json={"role": "user", "content": "And then?"}, headers=BETA)
    assert more.status_code == 200, more.text

    page.get_by_role("button", name="Retry").click()

    expect(page.get_by_role("alert")).to_contain_text("newest messages")
    kept = httpx.get(path, headers=BETA).json()["data"]
    assert [message["role"] for message in kept] == ["user", "assistant", "user"]


READ_AGAIN = re.compile(r"/runs/run_\w+$")  # among what the page asks for once a run is over


def heard_and_not_read_again(page: Page) -> Route:
    """A thread with two answers; the run of the second is heard to its end, and held when it is read again.

    The first one of a thread may be over before the page finds it.
    """
    ask(page, "Hello")
    done(page)
    page.reload()
    done(page)
    held: list[Route] = []
    page.route(READ_AGAIN, lambda route: held.append(route))
    ask(page, "Hello again")
    reading = first(page, held)
    done(page)
    return reading


def test_an_answer_is_tried_again_though_it_was_not_read_again(scripted, visit):
    page = visit(scripted)
    heard_and_not_read_again(page)

    with page.expect_response(re.compile(r"/threads/\w+/runs(\?|$)")) as sent:
        page.get_by_role("button", name="Retry").click()

    assert "instead_of" in sent.value.url
    expect(page.locator(".run-line a")).to_have_attribute("href", re.compile(sent.value.json()["id"]))
    done(page)
    expect(answers(page)).to_have_count(2)


def test_a_question_asked_at_once_takes_nothing_off_the_page(scripted, visit):
    page = visit(scripted)
    reading = heard_and_not_read_again(page)
    asked: list[Route] = []
    page.route(re.compile(r"/threads/\w+/runs$"), lambda route: asked.append(route))
    ask(page, "Talk for ever")
    asking = first(page, asked)

    with page.expect_response(READ_AGAIN):
        reading.continue_()
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")

    said = [re.compile(words) for words in ("Hello", "can I help", "Hello again", "can I help", "for ever")]
    expect(page.locator(".message")).to_have_text(said)
    asking.continue_()
    expect(answers(page).last).to_contain_text("word3")
    expect(page.locator(".message")).to_have_text([*said, re.compile("word3")])
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".run-line .state").last).to_have_text("cancelled")


HELD_FRAMES = """
window.held = new Map();
window.requestAnimationFrame = (callback) => (held.set(held.size + 1, callback), held.size);
window.cancelAnimationFrame = (frame) => held.delete(frame);
window.release = () => [...held.values()].forEach((callback) => callback(performance.now()));
"""


def test_a_frame_that_comes_late_takes_nothing_back(scripted, visit):
    """As in a tab in the background, which is drawn when somebody looks at it again."""
    page = visit(scripted)
    page.evaluate(HELD_FRAMES)
    ask(page, "Hello")
    retry = page.get_by_role("button", name="Retry")
    expect(retry).to_have_count(1)

    page.evaluate("release()")
    page.evaluate("new Promise((resolve) => setTimeout(resolve))")

    expect(retry).to_have_count(1)
    expect(answers(page)).to_have_count(1)


def test_a_person_answers_a_function(scripted, visit):
    function = {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    made = assistant(scripted, tools=[{"type": "function", "function": function}])
    page = visit(scripted)
    page.get_by_role("combobox", name="Assistant", exact=True).select_option(made)

    ask(page, "What is the weather?")

    form = page.get_by_role("form", name="Function outputs")
    expect(form).to_contain_text("Oslo")
    form.get_by_text("Let JavaScript answer").click()
    form.get_by_label("JavaScript", exact=True).fill("return `3 degrees in ${args.city}`")
    form.get_by_role("button", name="Run").click()
    expect(form.get_by_label("Output", exact=True)).to_have_value("3 degrees in Oslo")
    form.get_by_role("button", name="Submit outputs").click()
    expect(answers(page)).to_contain_text("It is cold in Oslo.")
    done(page)


def test_a_snippet_reaches_neither_the_page_nor_the_network(scripted, visit):
    function = {
        "name": "get_weather",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    }
    made = assistant(scripted, tools=[{"type": "function", "function": function}])
    page = visit(scripted)
    page.get_by_role("combobox", name="Assistant", exact=True).select_option(made)
    ask(page, "What is the weather?")
    form = page.get_by_role("form", name="Function outputs")
    form.get_by_text("Let JavaScript answer").click()

    form.get_by_label("JavaScript", exact=True).fill(
        "const out = [];"
        "try { parent.document.title } catch (e) { out.push('page') }"
        "try { localStorage.length } catch (e) { out.push('storage') }"
        "try { await fetch('/v1/models') } catch (e) { out.push('network') }"
        "return out.join()"
    )
    form.get_by_role("button", name="Run").click()

    expect(form.get_by_label("Output", exact=True)).to_have_value("page,storage,network")


# What is said on a button for a second stays there.
STAYING = "window.setTimeout = ((real) => (work, ms) => (ms > 1000 ? 0 : real(work, ms)))(setTimeout)"


def test_markdown_is_shown_and_code_can_be_copied(scripted, visit):
    page = visit(scripted, permissions=["clipboard-read", "clipboard-write"])
    page.evaluate(STAYING)
    ask(page, "Show markdown")
    done(page)

    expect(answers(page).get_by_role("heading", name="Title")).to_be_visible()
    expect(answers(page).get_by_role("cell", name="2")).to_be_visible()
    answers(page).get_by_role("button", name="Copy").click()
    expect(answers(page).get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("navigator.clipboard.readText()") == "print(1)\n"


def test_text_never_becomes_code(scripted, visit):
    title = "".join(HOSTILE)[:200]
    assistant(scripted, name=title)
    page = visit(scripted)
    expect(page.locator("option", has_text="onerror").first).to_be_attached()
    page.set_input_files(
        "input[type=file]",
        {"name": "<img src=x onerror=alert(1)>.md", "mimeType": "text/plain", "buffer": b"x"},
    )
    expect(page.get_by_role("list", name="Attachments").get_by_role("progressbar")).to_have_count(0)

    ask(page, "attack " + "\n".join(HOSTILE))
    done(page)
    page.get_by_role("link", name="Look inside").last.click()
    page.get_by_role("button", name="Show every event").click()
    expect(page.locator(".events li").last).to_be_visible()
    page.go_back()
    done(page)

    for place in page.locator(".markdown a").all():
        assert not (place.get_attribute("href") or "").startswith("javascript")
    found = page.evaluate(
        "[...document.querySelectorAll('#app *')].filter(n =>"
        " ['SCRIPT', 'IFRAME', 'STYLE', 'BASE'].includes(n.tagName)"
        " || [...n.attributes].some(a => a.name.startsWith('on'))).length"
    )
    assert found == 0
    assert "hacked" not in page.title()


def test_what_looks_like_html_is_shown_as_it_was_written(scripted, visit):
    page = visit(scripted)
    ask(page, "Which tags: <input> or Map<K, V>?")
    done(page)

    expect(page.locator(".message.user .markdown")).to_have_text(re.compile("<input> or Map<K, V>"))
    assert answers(page).inner_text().split("\n\n") == [
        "A List<String> in a <form>.",
        "<div>block</div>",
        "A chart one\ntwo",
    ]
    expect(answers(page).get_by_role("link", name="A chart")).to_have_attribute(
        "href", "https://example.com/chart.png"
    )


def test_formulas_are_shown_as_they_were_written(scripted, visit):
    page = visit(scripted)
    ask(page, "Show formulas")
    done(page)

    assert answers(page).inner_text().split("\n\n") == [FORMULAS[0].replace("*each*", "each"), *FORMULAS[1:]]
    expect(answers(page).locator("em")).to_have_text(["each"])


def test_what_is_done_is_told_from_what_is_to_do(scripted, visit):
    page = visit(scripted)
    ask(page, "What is there to do?")
    done(page)

    expect(answers(page).get_by_role("listitem")).to_have_text(["☐ open", "☑ done", "plain"])


def test_text_runs_in_the_direction_of_its_script(scripted, visit):
    page = visit(scripted)
    ask(page, "Some arabic: مرحبا")
    done(page)

    blocks = (
        answers(page).locator("> *").evaluate_all("all => all.map(each => getComputedStyle(each).direction)")
    )
    assert blocks == ["rtl", "rtl", "ltr", "ltr"]
    field = page.get_by_label("Message", exact=True)
    field.fill("שלום")
    assert field.evaluate("node => getComputedStyle(node).direction") == "rtl"


def test_names_of_made_files_are_shown_and_each_link_leads_to_its_own_file(scripted, visit):
    paths = ["sandbox:/mnt/data/a.csv", "sandbox:/mnt/data/a.csv.zip", "sandbox:/mnt/data/b 1.png"]
    text = f"[one]({paths[0]}) [two]({paths[1]}) {paths[0]} `{paths[2]}` 😀"
    annotations = [
        {
            "type": "file_path",
            "text": path,
            "start_index": 0,
            "end_index": 0,
            "file_path": {"file_id": f"file-{n}"},
        }
        for n, path in enumerate(paths)
    ]

    def shown(route: Route) -> None:
        body = route.fetch().json()
        for message in body["data"]:
            if message["role"] == "assistant":
                message["content"] = [{"type": "text", "text": {"value": text, "annotations": annotations}}]
        route.fulfill(json=body)

    page = visit(scripted)
    page.route("**/messages?*", shown)
    ask(page, "Hello")
    done(page)

    links = answers(page).get_by_role("link")
    expect(links).to_have_text(["one", "two", "a.csv", "b 1.png"])
    assert [link.get_attribute("href") for link in links.all()] == [
        "#file-0",
        "#file-1",
        "#file-0",
        "#file-2",
    ]
    expect(answers(page)).to_have_text("one two a.csv b 1.png 😀")


def test_a_marker_in_a_links_title_opens_no_tag(scripted, visit):
    page = visit(scripted)
    ask(page, "Hello")
    done(page)
    cited = {"type": "file_citation", "text": "【0:0†source】", "file_citation": {"file_id": "file-1"}}

    def with_a_source(route: Route) -> None:
        kept = route.fetch().json()
        for message in kept["data"]:
            if message["role"] == "assistant":
                words = (
                    '[link](https://example.com "【0:0†source】 &lt;b>bold&lt;/b>") It is so【0:0†source】.'
                )
                message["content"][0]["text"] = {"value": words, "annotations": [cited]}
        route.fulfill(json=kept)

    page.route("**/messages?**", with_a_source)
    page.reload()

    expect(answers(page).get_by_role("button", name="Source 1")).to_have_count(1)
    assert answers(page).inner_text() == "link It is so1."


def test_a_key_is_asked_for_and_kept(tmp_path, visit):
    with serving(tmp_path, [["Hello there."]] * 9, api_keys="sk-browser") as served:
        page = visit(served)
        field = page.get_by_role("dialog").get_by_label("API key", exact=False)
        field.first.fill("sk-browser")
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("dialog")).to_have_count(0)

        ask(page, "Hello")
        expect(answers(page)).to_contain_text("Hello there.")
        page.reload()
        expect(answers(page)).to_contain_text("Hello there.")


def test_threads_are_found_and_deleted(scripted, visit):
    page = visit(scripted)
    ask(page, "A question about zebras")
    done(page)
    side = page.get_by_role("complementary", name="Threads")

    side.get_by_role("searchbox").fill("zebras")
    expect(side.get_by_role("listitem")).to_have_count(1)
    side.get_by_role("listitem").hover()
    side.get_by_role("button", name=re.compile("Delete")).click()

    expect(side.get_by_text("Nothing here yet.")).to_be_visible()


def test_a_title_is_not_cut_within_a_character(scripted, visit):
    page = visit(scripted)

    ask(page, "x" * 59 + "😀 and more")

    done(page)
    expect(page.get_by_role("link", name="x" * 59 + "😀", exact=True)).to_be_visible()


def refuse_runs(page: Page) -> None:
    problem = {
        "error": {"message": "Too much is waiting.", "type": "rate_limit", "param": None, "code": None}
    }

    def refused(route: Route) -> None:
        route.fulfill(status=429, json=problem) if route.request.method == "POST" else route.fallback()

    page.route(re.compile(r"/runs(\?|$)"), refused)


def test_a_question_that_is_refused_can_be_sent_again(scripted, visit):
    page = visit(scripted)
    field = page.get_by_label("Message", exact=True)
    refuse_runs(page)
    ask(page, "What a long question")
    expect(page.get_by_role("alert")).to_contain_text("Too much is waiting.")
    expect(field).to_have_value("What a long question")
    page.unroute_all()
    field.press("Enter")
    done(page)

    refuse_runs(page)
    ask(page, "And another")
    expect(page.get_by_role("alert").locator("p")).to_have_count(2)
    expect(field).to_have_value("And another")
    expect(page.locator(".message.user")).to_have_count(1)
    page.unroute_all()
    field.press("Enter")
    expect(answers(page)).to_have_count(2)
    done(page)

    page.reload()
    expect(page.locator(".message.user")).to_have_text(
        [re.compile("What a long question"), re.compile("And another")]
    )


def test_what_was_written_and_attached_is_there_after_a_look_at_another_view(scripted, visit):
    page = visit(scripted)
    chosen = page.get_by_role("list", name="Attachments")
    field = page.get_by_label("Message", exact=True)
    page.set_input_files("input[type=file]", {"name": "notes.md", "mimeType": "text/plain", "buffer": b"one"})
    expect(chosen.get_by_role("progressbar")).to_have_count(0)
    field.fill("A long question")

    page.get_by_role("link", name="Server").click()
    expect(page.get_by_role("heading", name="Server")).to_be_visible()
    page.go_back()

    expect(field).to_have_value("A long question")
    expect(chosen).to_contain_text("notes.md")
    field.press("Enter")
    done(page)
    page.get_by_role("link", name="Look inside").click()
    expect(page.get_by_role("heading", name="Run", exact=True)).to_be_visible()
    page.go_back()
    expect(field).to_have_value("")
    expect(chosen).to_have_count(0)


def test_an_answer_is_shown_in_its_own_thread(scripted, visit):
    page = visit(scripted)
    ask(page, "Hello")
    done(page)
    other = page.url
    page.get_by_role("link", name="New chat").click()
    ask(page, "Hello to you too")
    done(page)
    held: list[Route] = []
    page.route(
        "**/runs", lambda route: held.append(route) if route.request.method == "POST" else route.fallback()
    )
    ask(page, "Talk slowly")
    expect(page.locator(".message.user")).to_have_count(2)
    asking = first(page, held)

    page.goto(other)
    expect(page.locator(".message.user")).to_have_count(1)
    with page.expect_response("**/v1/threads?**"):  # asked for when the run is there
        asking.continue_()
    page.evaluate("new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")

    assert page.url == other
    assert page.locator(".live").count() == 0
    expect(page.locator(".message.user")).to_have_count(1)


def test_a_question_waits_until_the_assistants_are_known(scripted, visit):
    assistant(scripted, name="There already")
    page = visit(scripted)
    held: list[Route] = []
    page.route("**/v1/assistants?**", lambda route: held.append(route))
    with page.expect_request("**/v1/assistants?**"):
        page.reload()
    made: list[str] = []
    page.on("request", lambda request: made.append(request.url) if request.method == "POST" else None)

    with page.expect_request("**/v1/assistants?**"):
        ask(page, "Hello")
    assert not made
    while len(held) < 2:  # the browser tells of a request first, and then that it is held
        page.wait_for_timeout(10)
    for route in held:
        route.continue_()

    done(page)
    assert [url.rpartition("/v1/")[2] for url in made] == ["threads/runs"]


def test_of_many_messages_the_newest_are_shown(scripted, visit):
    page = visit(scripted)
    messages = [{"role": "user", "content": f"message {n}"} for n in range(510)]
    made = httpx.post(f"{scripted.base_url}/threads", json={"messages": messages}, headers=BETA)
    assert made.status_code == 200, made.text
    page.goto(f"{scripted.root}/#/chat/{made.json()['id']}")
    expect(page.locator(".message").last).to_contain_text("message 509")

    ask(page, "Hello")

    expect(answers(page)).to_contain_text("how can I help")
    done(page)
    expect(page.get_by_text("Earlier messages are not shown.")).to_be_attached()


def test_text_is_copied_where_the_browser_has_no_clipboard_for_pages(scripted, visit):
    """As on a server that is reached by its name in the house, over plain HTTP."""
    page = visit(scripted, permissions=["clipboard-read", "clipboard-write"])
    ask(page, "Show markdown")
    done(page)
    page.evaluate(STAYING)
    page.evaluate("window.real = navigator.clipboard")
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")

    answers(page).get_by_role("button", name="Copy").click()

    expect(answers(page).get_by_role("button", name="Copied")).to_be_focused()
    assert page.evaluate("real.readText()") == "print(1)\n"


@pytest.mark.parametrize("address", ["#/chat/%", "#/toString"])
def test_an_address_that_means_nothing_opens_the_chat(scripted, visit, address):
    page = visit(scripted, address)

    expect(page.get_by_label("Message", exact=True)).to_be_visible()


def test_a_thread_that_is_deleted_elsewhere_is_left(scripted, visit):
    page = visit(scripted)
    ask(page, "Talk for ever")
    expect(answers(page)).to_contain_text("word3")

    thread = page.url.rpartition("/")[2]
    assert httpx.delete(f"{scripted.base_url}/threads/{thread}", headers=BETA).status_code == 200

    expect(page.get_by_role("alert")).to_contain_text("No thread found")
    expect(page.get_by_role("heading", name="What shall we try?")).to_be_visible()
    expect(page.get_by_role("button", name="Send")).to_be_visible()


def test_an_image_whose_file_is_gone_says_so(scripted, visit):
    page = visit(scripted)
    form = {"files": {"file": ("chart.png", b"\x89PNG\r\n")}, "data": {"purpose": "vision"}}
    file = httpx.post(f"{scripted.base_url}/files", **form).json()["id"]
    image = {"type": "image_file", "image_file": {"file_id": file}}
    asked = {"messages": [{"role": "user", "content": [image]}]}
    thread = httpx.post(f"{scripted.base_url}/threads", json=asked, headers=BETA).json()["id"]
    assert httpx.delete(f"{scripted.base_url}/files/{file}").status_code == 200

    page.goto(f"{scripted.root}/#/chat/{thread}")

    expect(page.locator(".message.user")).to_contain_text("This image was deleted.")
    expect(page.get_by_text("Loading …")).to_have_count(0)


@pytest.mark.parametrize("sign", ["isComposing: true", "keyCode: 229"])
def test_keys_of_a_word_that_is_being_put_together_neither_send_nor_stop(scripted, visit, sign):
    """As with input methods for Chinese; Safari tells by the key's code only."""
    page = visit(scripted)
    field = page.get_by_label("Message", exact=True)
    press = (
        f"(node, key) => node.dispatchEvent(new KeyboardEvent('keydown', {{ key, bubbles: true, {sign} }}))"
    )
    ask(page, "Talk slowly")
    expect(answers(page)).to_contain_text("word3")
    field.fill("ni hao")

    field.evaluate(press, "Escape")

    expect(answers(page)).to_contain_text("word299")
    done(page)
    field.evaluate(press, "Enter")
    expect(field).to_have_value("ni hao")
    expect(page.locator(".message.user")).to_have_count(1)


def test_a_thread_is_opened_once_the_server_is_back(scripted, visit):
    page = visit(scripted)
    ask(page, "Hello")
    done(page)
    thread = page.url
    page.get_by_role("link", name="New chat").click()
    page.route("**/v1/threads/*/runs?limit=20", lambda route: route.abort())
    page.goto(thread)
    expect(page.get_by_role("alert")).to_be_visible()

    page.unroute_all()

    done(page)
    expect(answers(page)).to_have_count(1)


def test_a_question_whose_answer_was_lost_on_the_way_is_not_asked_twice(scripted, visit):
    page = visit(scripted)
    lost: list[str] = []

    def cut(route: Route) -> None:
        if route.request.method != "POST" or len(lost) == 2:
            return route.fallback()
        lost.append(route.fetch().text())
        return route.abort()

    page.route(re.compile(r"/threads/(\w+/)?runs$"), cut)
    field = page.get_by_label("Message", exact=True)
    for count, question in enumerate(("Hello", "Hello again"), 1):
        ask(page, question)
        expect(page.get_by_role("alert").locator("p")).to_have_count(count)
        expect(field).to_have_value(question)
        page.unroute_all()
        field.press("Enter")
        expect(answers(page)).to_have_count(count)
        done(page)
        page.route(re.compile(r"/threads/(\w+/)?runs$"), cut)

    assert len(lost) == 2
    thread = page.url.rpartition("/")[2]
    runs = httpx.get(f"{scripted.base_url}/threads/{thread}/runs", headers=BETA).json()["data"]
    assert [run["id"] for run in runs[::-1]] == [json.loads(each)["id"] for each in lost]
