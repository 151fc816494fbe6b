"""Takes the pictures of docs/page/ from a running server: python scripts/screenshots.py http://127.0.0.1:8000"""

import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

TO = Path(__file__).parent.parent / "docs" / "page"


def ask(page: Page, starter: str) -> None:
    """Press a starter, send its question, and wait for the end."""
    page.get_by_role("link", name="New chat").click()
    field = page.get_by_label("Message", exact=True)
    page.get_by_role("button", name=re.compile(starter)).click()
    expect(field).not_to_have_value("")
    page.get_by_role("button", name="Send").click()
    expect(page.locator(".run-line .state").last).to_have_text(re.compile("completed|requires_action"))
    page.wait_for_timeout(700)  # what the run showed is read again from the server


def main(root: str) -> None:
    """Every view once, in light; the chat in dark, narrow and Chinese too."""
    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1200, "height": 800}, locale="en-GB")

        def take(name: str, of: Page = page) -> None:
            of.screenshot(path=TO / f"{name}.png")

        page.goto(root)
        expect(page.get_by_role("button", name=re.compile("Data analysis"))).to_be_visible()
        take("start")
        ask(page, "Shop")
        take("function")
        ask(page, "Data analysis")
        expect(page.locator(".message.assistant img")).to_be_visible()
        take("chart")
        ask(page, "Chat with your documents")
        page.get_by_role("button", name="Source 1").click()
        expect(page.get_by_role("dialog").locator("blockquote")).to_be_visible()
        take("citation")
        page.keyboard.press("Escape")
        thread = page.url
        page.get_by_role("link", name="Look inside").click()
        expect(page.get_by_role("heading", name="Model call 1")).to_be_visible()
        take("run")
        page.get_by_role("link", name="Assistants", exact=True).click()
        page.get_by_role("link", name="Shop").first.click()
        expect(page.get_by_label("Instructions")).to_be_visible()
        take("assistant")
        page.get_by_role("link", name="Files", exact=True).click()
        page.get_by_role("complementary").get_by_role("link").first.click()
        page.get_by_role("searchbox", name="Search this store").fill("close")
        page.get_by_role("button", name="Search", exact=True).click()
        expect(page.locator(".results li").first).to_be_visible()
        take("store")
        page.get_by_role("link", name="Server", exact=True).click()
        expect(page.get_by_role("heading", name="Model", exact=True)).to_be_visible()
        page.wait_for_timeout(12_000)  # so that the charts have something to draw
        take("server")
        for name, options in (
            ("dark", {"color_scheme": "dark", "viewport": {"width": 1200, "height": 800}}),
            ("narrow", {"viewport": {"width": 390, "height": 780}, "locale": "zh-CN"}),
        ):
            other = browser.new_page(**options)  # type: ignore[arg-type]
            other.goto(thread)
            expect(other.locator(".message.assistant")).to_be_visible()
            other.wait_for_timeout(700)
            take(name, other)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
