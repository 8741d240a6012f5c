"""The page of the laws is made from the laws, and the pages for authors show what is proved from outside."""

import re
from pathlib import Path

import pytest
from laws_page import PAGE, page

from notifykit.testing.conformance import BUS_LAWS, CHANNEL_LAWS, HTTP_LAWS, LEDGER_LAWS, MARKUP_LAWS, RENDERER_LAWS


@pytest.mark.skipif(not PAGE.parent.is_dir(), reason="the documentation is not beside the tests")
def test_the_page_says_what_the_laws_say():
    assert PAGE.read_text() == page(), "write it anew: python tests/kit/laws_page.py"


def test_every_law_stands_on_the_page_once():
    plain = (BUS_LAWS, CHANNEL_LAWS, HTTP_LAWS, RENDERER_LAWS, MARKUP_LAWS)
    for laws, prefix in ((LEDGER_LAWS, "ledger_"), *((each, "") for each in plain)):
        for name in laws:
            assert page().count(f"\n`{prefix}{name}`\n") == 1, name


ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(not PAGE.parent.is_dir(), reason="the documentation is not beside the tests")
@pytest.mark.parametrize(
    ("page", "block", "path"),
    [
        ("add-a-channel", "acme_sms.py", "acme-sms/src/acme_sms/__init__.py"),
        ("add-a-channel", "tests/test_acme_sms.py", "acme-sms/tests/test_acme_sms.py"),
        ("write-a-bus", "tests/test_acme_filebus.py", "acme-filebus/tests/test_acme_filebus.py"),
    ],
)
def test_a_page_shows_the_package_that_is_proved_from_outside(page, block, path):
    text = (ROOT / "docs" / "how-to" / f"{page}.md").read_text()
    found = re.search(f"<!-- file: {re.escape(block)} -->\n```python\n(.*?)```", text, re.DOTALL)
    assert found is not None
    assert found[1] == (ROOT / "tests" / "plugin" / path).read_text()
