"""The page at `/`, its files under `/static`, and the plain page at `/assist`."""

from html import escape
from string import Template
from typing import Any

from fastapi import APIRouter, FastAPI
from fastapi.responses import FileResponse, HTMLResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from assistants_api.web import STATIC

router = APIRouter(include_in_schema=False)

# Nothing from elsewhere, nothing inline: text that came from a model or a file can bring no code to life.
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self';"
    " frame-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# The frame that runs a person's own snippet: code, but no origin, no network, no storage.
_SNIPPET_POLICY = (
    "sandbox allow-scripts; default-src 'none'; script-src 'self' 'unsafe-eval'; base-uri 'none';"
    " form-action 'none'; frame-ancestors 'self'"
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cache-control": "no-cache",  # asked again each time, answered by 304
}
_PLAIN = Template("""\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Ask · assistants-api</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/style.css">
</head>
<body class="plain">
<main>
<h1>Ask</h1>
$said
<form method="post" action="/assist">
<label class="field"><span class="label">Question</span>
<textarea name="question" rows="4" required autofocus>$question</textarea></label>
$thread<button type="submit" class="primary">Ask</button>
</form>
<p class="muted">This page works without JavaScript. <a href="/">The whole page</a> shows more.</p>
</main>
</body>
</html>
""")


class _Files(StaticFiles):
    """The shipped files, with the page's headers."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        """A file; 404 for what is not there."""
        response = await super().get_response(path, scope)
        response.headers.update(_HEADERS)
        if path == "snippet.html":
            response.headers["content-security-policy"] = _SNIPPET_POLICY
        return response


def install(app: FastAPI) -> None:
    """Serve the page."""
    app.include_router(router)
    app.mount("/static", _Files(directory=STATIC), name="static")


@router.get("/")
async def page() -> Response:
    """The page."""
    return FileResponse(STATIC / "index.html", headers=_HEADERS)


@router.get("/assist")
async def plain_page() -> Response:
    """One field, without JavaScript."""
    return plain()


def plain(
    *,
    question: str = "",
    answer: str | None = None,
    problem: str | None = None,
    thread_id: str | None = None,
    status: int = 200,
) -> HTMLResponse:
    """The plain page: the answer to `question`, or what went wrong with it, and the form for the next one."""
    said = ""
    if answer is not None:
        said = f'<p class="muted">{escape(question)}</p>\n'
        said += f'<div class="answer" role="status">{escape(answer)}</div>'
    elif problem is not None:
        said = f'<p class="bad" role="alert">{escape(problem)}</p>'
    thread = f'<input type="hidden" name="thread_id" value="{escape(thread_id)}">\n' if thread_id else ""
    filled: dict[str, Any] = {
        "said": said,
        "question": "" if answer is not None else escape(question),
        "thread": thread,
    }
    return HTMLResponse(_PLAIN.substitute(filled), status, _HEADERS)
