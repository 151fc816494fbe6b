"""What the scripted engine plays for the browser tests."""

from typing import Any

HOSTILE = (
    "<img src=x onerror=\"document.title='hacked'\">",
    "<script>document.title='hacked'</script>",
    "<svg onload=\"document.title='hacked'\"><animate onbegin=\"document.title='hacked'\" attributeName=x dur=1s>",
    "[click](javascript:document.title='hacked')",
    "<a href=\"javascript:document.title='hacked'\">x</a>",
    "<iframe srcdoc=\"<script>parent.document.title='hacked'</script>\"></iframe>",
    "<details open ontoggle=\"document.title='hacked'\">x</details>",
    "<form action=\"javascript:document.title='hacked'\"><button>x</button></form>",
    "<math><mtext><table><mglyph><style><img src=x onerror=\"document.title='hacked'\">",
    "![x](x\"onerror=\"document.title='hacked')",
    "\ue0000\ue001<b onmouseover=\"document.title='hacked'\">bold</b>",
    '<style>body{display:none}</style><base href="http://127.0.0.1:9/">',
)
TAGS = (
    "A List<String> in a <form>.\n\n<div>block</div>\n\n![A chart](https://example.com/chart.png) one<br>two"
)
FORMULAS = (
    "Inline \\( e^{i\\pi} \\{x\\} \\) and $a_1 \\{b\\} * c_2 *d$, for $5 or $6 *each*.",
    "\\[\n\\begin{pmatrix} a & b \\\\ c & <d>\n- e\n\\end{pmatrix}\n\\]",
    "$$\nx_1 * y_1 * z\n= 2\n$$",
)
SCRIPT: list[Any] = [
    {"when": "slowly", "steps": [step for n in range(300) for step in (f"word{n} ", {"pause": 0.02})]},
    {"when": "for ever", "steps": [*(f"word{n} " for n in range(10)), {"pause": 3600}]},
    {"when": "weather", "steps": [{"call": "get_weather", "arguments": {"city": "Oslo"}}]},
    {"when": "degrees", "steps": ["It is cold in Oslo."]},
    {"when": "nothing", "steps": [{"fail": "The model broke."}]},
    {"when": "attack", "steps": [{"text": "\n\n".join(HOSTILE)}]},
    {
        "when": "markdown",
        "steps": [
            {"text": "# Title\n\n- one\n- two\n\n```python\nprint(1)\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |"}
        ],
    },
    {"when": "tags", "steps": [{"text": TAGS}]},
    {"when": "formulas", "steps": [{"text": "\n\n".join(FORMULAS)}]},
    {
        "when": "wide table",
        "steps": [{"text": f"|{' a |' * 9}\n|{'---|' * 9}\n|{' Wednesday |' * 9}"}],
    },
    {"when": "to do", "steps": [{"text": "- [ ] open\n- [x] done\n- plain"}]},
    {"when": "arabic", "steps": [{"text": "مرحبا بالعالم (5)!\n\n- واحد\n\nIn English.\n\n```\ncode\n```"}]},
    {"when": "preamble", "steps": ["Let me see. ", {"call": "get_weather", "arguments": {"city": "Oslo"}}]},
    ["Hello, how can I help you today?"],
    *[["Hello, how can I help you today?"]] * 200,
]
