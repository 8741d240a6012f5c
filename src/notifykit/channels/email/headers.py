"""Header fields that go onto the wire as they were written here.

The standard library's refolding turns a long URL into an encoded word (which breaks List-Unsubscribe), loses or doubles
spaces between encoded words, and costs more than the rest of the message. These values fold themselves.
"""

import base64
import re
from collections.abc import Iterator

from notifykit.channels._mime import Field
from notifykit.channels.email.address import Mailbox, quote

__all__ = ["mailbox_field", "text_field"]

LINE = 76
"""Characters of a header line; RFC 2047 allows no more where an encoded word stands."""
_LONGEST_WORD = 900
_PLAIN = re.compile(r"[ -~]*")


def text_field(name: str, text: str) -> Field:
    """Return a field of free text, such as the subject: as it is if it is short ASCII, folded at spaces, or in encoded words."""
    if _PLAIN.fullmatch(text) and "=?" not in text and text == text.strip(" "):
        words = re.findall(r" *[^ ]+", text)
        if max(map(len, words), default=0) <= _LONGEST_WORD:
            return Field(name, "\r\n".join(_fill(words, len(name) + 2)))
    return Field(name, "\r\n ".join(_encoded_words(text, len(name) + 2)))


def mailbox_field(name: str, box: Mailbox) -> Field:
    """Return a field of one address with its display name. A local part outside ASCII stays as it is (RFC 6532)."""
    if not box.name:
        return Field(name, box.spec)
    quoted = quote(box.name)
    if _PLAIN.fullmatch(box.name) and "=?" not in box.name and len(quoted) <= LINE - len(name) - 2:
        return Field(name, f"{quoted}\r\n <{box.spec}>" if len(name) + len(quoted) + len(box.spec) + 5 > LINE else f"{quoted} <{box.spec}>")
    return Field(name, "\r\n ".join([*_encoded_words(box.name, len(name) + 2), f"<{box.spec}>"]))


def _fill(words: list[str], indent: int) -> Iterator[str]:
    """Yield lines of *words*, each of which bears the spaces before it, so that unfolding gives the same text."""
    line = ""
    room = LINE - indent
    for word in words:
        if line and len(line) + len(word) > room:
            yield line
            line, room = word, LINE
        else:
            line += word
    yield line


def _encoded_words(text: str, indent: int) -> Iterator[str]:
    """Yield RFC 2047 words in UTF-8 and base64, each of whole characters and at most 75 long."""
    frame = len("=?utf-8?b??=")
    room = (LINE - indent - frame) // 4 * 3
    chunk = b""
    for char in text:
        octets = char.encode(errors="replace")
        if len(chunk) + len(octets) > room:
            yield _word(chunk)
            chunk, room = b"", (LINE - 1 - frame) // 4 * 3
        chunk += octets
    yield _word(chunk)


def _word(octets: bytes) -> str:
    return f"=?utf-8?b?{base64.b64encode(octets).decode('ascii')}?="
