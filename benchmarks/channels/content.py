"""What everybody sends: a small notification with four values."""

__all__ = ["HTML", "MARKDOWN", "PUSH", "SUBJECT", "TEXT", "VALUES"]

VALUES = {"name": "Ada & Sons", "order": 81, "carrier": "DHL", "total": "49.90"}
SUBJECT = "Order {{ order }} is on its way"
TEXT = "Hello {{ name }},\n\nyour order {{ order }} over {{ total }} EUR went out with {{ carrier }}.\n"
HTML = (
    "<!doctype html><html><body><h1>Order {{ order }}</h1><p>Hello {{ name }},</p>"
    "<p>your order over <b>{{ total }} EUR</b> went out with {{ carrier }}.</p></body></html>"
)
MARKDOWN = "*Order {{ order }}*\nHello {{ name }}, your order over {{ total }} EUR went out with {{ carrier }}\\."
PUSH = '{"title": "Order {{ order }}", "body": "{{ name }}: over {{ total }} EUR, with {{ carrier }}", "url": "https://example.com/"}'
