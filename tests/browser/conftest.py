"""Chromium from the distribution, driven over the page of a server of the test's own; in CI it must be there."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.browser.script import SCRIPT
from tests.conformance.serving import Served, serving
from tests.sandbox.conftest import environment

AXE = Path(__file__).parent / "axe" / "node_modules" / "axe-core" / "axe.min.js"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
MINUTE = 60_000
expect.set_options(timeout=MINUTE)


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """A browser without a window, closed with this package: while it is open, an event loop runs in this thread."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        assert not os.environ.get("CI"), "in CI Chromium must be there"
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def scripted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server that plays a script."""
    with serving(tmp_path_factory.mktemp("scripted"), SCRIPT) as served:
        yield served


@pytest.fixture(scope="module")
def bundled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server on the bundled model, with a sandbox where one starts."""
    folder = tmp_path_factory.mktemp("bundled")
    with serving(folder, sandbox="auto", sandbox_warm="0", sandbox_env=str(environment())) as served:
        yield served


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Opens the page of a server, as a new visitor. What the page throws, or asks of another host, fails the test."""
    contexts = []
    wrong: list[str] = []

    def opened(served: Served, path: str = "#/chat", *, locale: str = "en-GB", **options: object) -> Page:
        context = browser.new_context(locale=locale, **options)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MINUTE)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("dialog", lambda dialog: dialog.accept())
        page.on(
            "request",
            lambda request: (
                None if request.url.startswith((served.root, "blob:", "data:")) else wrong.append(request.url)
            ),
        )
        page.goto(f"{served.root}/{path}")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not wrong
