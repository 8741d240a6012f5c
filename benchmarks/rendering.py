"""What rendering costs beside plain jinja2, and escaping beside ``str.translate``: interleaved rounds, medians, ratios.

    python benchmarks/rendering.py [--rounds 101] [--json FILE]

The message is a small one of three parts (HTML, MarkdownV2, JSON) with a loop, a condition and a dozen values. Plain jinja2 renders
the same three files, with the same filters as functions that only write the delimiters: nothing is escaped, nothing is checked, no
variable is looked for. Counted is the thread's own time, so that a busy machine matters less. Nothing is asserted.
"""

import argparse
import html
import json
import platform
import statistics
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from time import thread_time_ns
from typing import Any

import jinja2

from notifykit import Markup, Part
from notifykit.rendering import JinjaRenderer
from notifykit.rendering.html import HtmlFragment
from notifykit.rendering.json import JsonFragment
from notifykit.rendering.markdown_v2 import SPECIAL, MarkdownV2Fragment

FILES = {
    "email.html": """<h1>{{ title }}</h1>
<p>Hello {{ name }}, your order {{ order|code }} is on its way{% if carrier %} with {{ carrier|bold }}{% endif %}.</p>
<ul>
{% for line in lines %}
<li>{{ line.count }} × {{ line.what }}: {{ line.price }}</li>
{% endfor %}
</ul>
<p>{{ "See where it is"|link(url) }}</p>
""",
    "telegram.text": """*{{ title }}*

Hello {{ name }}, your order {{ order|code }} is on its way{% if carrier %} with {{ carrier|bold }}{% endif %}\\.
{% for line in lines %}
{{ line.count }} × {{ line.what }}: {{ line.price }}
{% endfor %}
{{ "See where it is"|link(url) }}
""",
    "push.json": """{
  "web_push": 8030,
  "notification": {
    "title": "{{ title }}",
    "body": "Hello {{ name }}, your order {{ order }} is on its way{% if carrier %} with {{ carrier }}{% endif %}.",
    "navigate": "{{ url }}",
    "data": {"lines": [{% for line in lines %}"{{ line.count }} × {{ line.what }}"{% if not loop.last %}, {% endif %}{% endfor %}]}
  }
}
""",
}
PARTS = {"email": {"html": Part(Markup.HTML)}, "telegram": {"text": Part(Markup.MARKDOWN_V2)}, "push": {"json": Part(Markup.JSON)}}
VALUES: Mapping[str, Any] = {
    "title": "Your order is on its way",
    "name": "Ada Lovelace",
    "order": "A-1842",
    "carrier": "Royal Mail & Co.",
    "url": "https://shop.example/orders/A-1842?from=mail",
    "lines": [
        {"count": 1, "what": "analytical engine (used)", "price": "1,842.00 £"},
        {"count": 12, "what": "punched cards", "price": "0.12 £"},
        {"count": 3, "what": "oil", "price": "4.20 £"},
    ],
}
TEXTS = {
    "a name": "Ada Lovelace",
    "a sentence": "Insufficient margin (needs 48,187.88 USD, has 31,020.10 USD).",
    "2 kB of prose": "It was the best of times, it was the worst of times. " * 38,
    "2 kB of other letters": "Příliš žluťoučký kůň úpěl ďábelské ódy. " * 50,
}
TABLES = {
    "markdown_v2": (MarkdownV2Fragment, str.maketrans({char: f"\\{char}" for char in SPECIAL})),
    "html": (HtmlFragment, str.maketrans({char: html.escape(char) for char in "&<>'\""})),
    "json": (JsonFragment, str.maketrans({'"': '\\"', "\\": "\\\\", **{chr(code): f"\\u{code:04x}" for code in range(0x20)}})),
}


def plain_jinja() -> Callable[[], object]:
    """Return what renders the three files with nothing but jinja2."""
    environment = jinja2.Environment(loader=jinja2.DictLoader(FILES), autoescape=False, trim_blocks=True, lstrip_blocks=True)
    written: dict[str, dict[str, Callable[..., str]]] = {
        "email.html": {"bold": "<strong>{}</strong>".format, "code": "<code>{}</code>".format, "link": '<a href="{1}">{0}</a>'.format},
        "telegram.text": {"bold": "*{}*".format, "code": "`{}`".format, "link": "[{}]({})".format},
        "push.json": {},
    }
    templates = []
    for name, filters in written.items():
        own = environment.overlay()
        own.filters = {**environment.filters, **filters}
        templates.append(own.get_template(name))
    return lambda: [template.render(VALUES) for template in templates]


def ours() -> Callable[[], object]:
    """Return what renders the three files as a notification is rendered."""
    renderer = JinjaRenderer({f"order/{name}.j2": text for name, text in FILES.items()}, built_in=False)
    return lambda: [renderer.render("order", kind, parts, VALUES, locale="en", timezone="Europe/London") for kind, parts in PARTS.items()]


def nanoseconds(call: Callable[[], object], times: int) -> float:
    begun = thread_time_ns()
    for _ in range(times):
        call()
    return (thread_time_ns() - begun) / times


def medians(contenders: Mapping[str, Callable[[], object]], rounds: int, budget_ms: float) -> dict[str, float]:
    """Return the nanoseconds of one call of each contender, the median of rounds in which they take turns."""
    for call in contenders.values():
        call()  # compile, and fill what is cached
    times = {name: max(1, int(budget_ms * 1e6 / max(1.0, nanoseconds(call, 3)))) for name, call in contenders.items()}
    seen: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            seen[name].append(nanoseconds(call, times[name]))
    return {name: statistics.median(each) for name, each in seen.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=101)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    print(f"Python {platform.python_version()}, jinja2 {jinja2.__version__}; medians of {given.rounds} interleaved rounds\n")

    message = medians({"notifykit": ours(), "jinja2": plain_jinja()}, given.rounds, 5)
    ratio = message["notifykit"] / message["jinja2"]
    print(f"three small parts   notifykit {message['notifykit'] / 1e3:8.1f} µs   jinja2 {message['jinja2'] / 1e3:8.1f} µs   {ratio:.2f} ×")

    rows: list[dict[str, Any]] = [{"what": "message", **message, "ratio": ratio}]
    for markup, (fragment, table) in TABLES.items():
        for name, text in TEXTS.items():
            calls = {"escape": lambda f=fragment, t=text: f.output(t), "translate": lambda t=text, m=table: t.translate(m)}
            found = medians(calls, given.rounds, 2)
            ratio = found["escape"] / found["translate"]
            print(f"{markup:12} {name:22} escape {found['escape']:9.0f} ns   translate {found['translate']:9.0f} ns   {ratio:.2f} ×")
            rows.append({"what": f"{markup}, {name}", **found, "ratio": ratio})
    if given.json:
        given.json.write_text(json.dumps(rows, indent=2))


if __name__ == "__main__":
    sys.exit(main())
