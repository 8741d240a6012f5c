"""One-click unsubscribe (RFC 8058): what its tokens withstand, and what an unsubscribe does."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifykit import EmailChannel, Filter, Lane, Notifier, Recipient, Status, UnsubscribeLinks
from notifykit._codec import decode
from notifykit._unsubscribe import UnsubscribeToken
from notifykit.buses.memory import MemoryBus
from notifykit.channels.email.mime import usable_link
from notifykit.errors import ConfigurationError, InvalidTokenError
from tests._channel import ScriptedChannel

NOW = datetime(2030, 1, 1, tzinfo=UTC)
KEY, OTHER = "k" * 32, "o" * 32
LINKS = UnsubscribeLinks("https://example.com/u/", KEY)
URL_SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
ADA = Recipient("user:1", {"sms": "+11"})


def token(links: UnsubscribeLinks = LINKS) -> str:
    return links.link("user:42", "email", "june", NOW).rpartition("/")[2]


def test_a_token_says_whom_it_is_for() -> None:
    assert LINKS.read(token(), NOW) == UnsubscribeToken("user:42", "email", "june")


@given(st.data())
def test_a_token_that_differs_in_anything_is_refused(data: st.DataObject) -> None:
    good = token()
    place = data.draw(st.integers(0, len(good) - 1))
    kind = data.draw(st.sampled_from(["change", "drop", "insert", "cut"]))
    char = data.draw(st.sampled_from(URL_SAFE + "=+/.! é\n"))
    bad = {
        "change": good[:place] + char + good[place + 1 :],
        "drop": good[:place] + good[place + 1 :],
        "insert": good[:place] + char + good[place:],
        "cut": good[:place],
    }[kind]
    if bad != good:
        with pytest.raises(InvalidTokenError):
            LINKS.read(bad, NOW)


@given(st.binary(max_size=80) | st.text(max_size=40))
def test_made_up_tokens_are_refused(raw: bytes | str) -> None:
    text = raw if isinstance(raw, str) else base64.urlsafe_b64encode(raw).decode().rstrip("=")
    with pytest.raises(InvalidTokenError, match="not one of ours"):
        LINKS.read(text, NOW)


def test_a_forger_cannot_move_a_signature_to_another_recipient() -> None:
    raw = base64.urlsafe_b64decode(token() + "==")
    assert b"user:42" in raw
    forged = base64.urlsafe_b64encode(raw.replace(b"user:42", b"user:43")).decode().rstrip("=")
    with pytest.raises(InvalidTokenError):
        LINKS.read(forged, NOW)


def test_a_token_of_another_key_is_refused_until_that_key_is_named_as_an_old_one() -> None:
    old = token(UnsubscribeLinks("https://example.com/u", OTHER))
    with pytest.raises(InvalidTokenError):
        LINKS.read(old, NOW)
    rotated = UnsubscribeLinks("https://example.com/u", KEY, old_keys=[OTHER])
    assert rotated.read(old, NOW) == rotated.read(token(), NOW)
    assert token(rotated) == token(), "new links are made with the new key alone"
    assert KEY not in repr(rotated)
    assert OTHER not in repr(rotated)


def test_a_token_expires() -> None:
    links = UnsubscribeLinks("https://example.com/u", KEY, valid_for=timedelta(days=30))
    made = token(links)
    links.read(made, NOW + timedelta(days=30, seconds=-1))
    with pytest.raises(InvalidTokenError, match="expired") as caught:
        links.read(made, NOW + timedelta(days=30))
    assert caught.value.expired


@pytest.mark.parametrize(
    ("url", "key", "old"),
    [
        ("http://example.com/u", KEY, ()),
        ("https://example.com/u?x=1", KEY, ()),
        ("https:///u", KEY, ()),
        ("https://[bad/u", KEY, ()),
        ("https://example.com:port/u", KEY, ()),
        ("https://exa mple.com/u", KEY, ()),
        ("https://-b\xfccher-.example/u", KEY, ()),
        ("https://example.com/a\nb", KEY, ()),
        ("https://example.com/\ud800", KEY, ()),
        ("https://shop:secret@example.com/u", KEY, ()),
        ("https://example.com/u?", KEY, ()),
        ("https://example.com/" + "p" * 231, KEY, ()),
        ("https://example.com/" + "\xfc" * 40, KEY, ()),
        (None, KEY, ()),
        ("https://example.com/u", "short", ()),
        ("https://example.com/u", KEY, ["short"]),
    ],
)
def test_links_that_rfc_8058_or_prudence_forbid_are_refused(url: str, key: str, old: Any) -> None:
    with pytest.raises(ConfigurationError):
        UnsubscribeLinks(url, key, old_keys=old)


@pytest.mark.parametrize(
    ("url", "canonical"),
    [
        ("https://b\xfccher.example/u", "https://xn--bcher-kva.example/u"),
        ("https://example.com/a b", "https://example.com/a%20b"),
        ("https://example.com/\xfc/%C3%BC", "https://example.com/%C3%BC/%C3%BC"),
        ("https://example.com/100%", "https://example.com/100%25"),
        ("https://example.com/<u>,<mailto:eve@example.com", "https://example.com/%3Cu%3E,%3Cmailto:eve@example.com"),
        ("HTTPS://Example.COM:8443/U", "https://example.com:8443/U"),
        ("http://[::1]:8000/u", "http://[::1]:8000/u"),
        ("https://example.com", "https://example.com"),
    ],
)
def test_a_url_is_encoded_so_that_it_may_stand_in_a_header(url: str, canonical: str) -> None:
    links = UnsubscribeLinks(url, KEY)
    assert links.url == canonical
    assert usable_link(links.link("user:42", "email", "june", NOW))


@given(st.text(max_size=60) | st.text("abAZ09/ %:@?#[]<>\\\xfc\xdf\u4e2d\n.-_").map("https://example.com/".__add__))
def test_whatever_url_is_accepted_stands_in_a_header(url: str) -> None:
    try:
        links = UnsubscribeLinks(url, KEY)
    except ConfigurationError:
        return
    assert usable_link(links.link("user:42", "email", "june", NOW))


def test_the_longest_url_has_room_for_the_longest_names() -> None:
    links = UnsubscribeLinks("https://example.com/" + "p" * 230, KEY)
    assert usable_link(links.link("u" * 200, "c" * 40, "g" * 200, NOW))


def test_a_link_that_is_too_long_for_a_header_is_refused_before_anything_is_enqueued() -> None:
    links = UnsubscribeLinks("https://example.com/" + "p" * 230, KEY)
    with pytest.raises(ConfigurationError, match="does not fit into a header: shorten the recipient's id"):
        links.link("\x01" * 200, "email", "g" * 200, NOW)


@pytest.mark.anyio
async def test_a_recipient_of_a_campaign_whose_link_would_be_too_long_is_refused() -> None:
    channel = ScriptedChannel()
    links = UnsubscribeLinks("https://example.com/" + "p" * 230, KEY)
    async with Notifier(MemoryBus(), channels={"sms": channel}, templates={"news/sms.text.j2": "News"}, unsubscribe=links) as notifier:
        progress = await notifier.campaign("june", "news", [ADA, Recipient("\x01" * 200, {"sms": "+12"})])
        assert (progress.enqueued, progress.refused) == (1, 1)
        assert "does not fit into a header" in str(progress.errors[0][1])
        assert (await notifier.campaign("june", "news", [ADA, Recipient("u" * 200, {"sms": "+12"})])).enqueued == 1


@pytest.mark.anyio
async def test_an_unsubscribed_recipient_gets_no_campaign_but_what_concerns_them_alone() -> None:
    channel = ScriptedChannel()
    async with Notifier(
        MemoryBus(), channels={"sms": channel}, templates={"news/sms.text.j2": "{{ unsubscribe_url|default('') }}"}, unsubscribe=LINKS
    ) as notifier:
        await notifier.campaign("june", "news", [ADA])
        await notifier.drain()
        (_, text), *_ = channel.sent
        read = await notifier.unsubscribe(text.rpartition("/")[2])
        assert (read.recipient_id, read.channel, read.group) == ("user:1", "sms", "june")
        await notifier.unsubscribe(text.rpartition("/")[2])
        assert (await notifier.campaign("july", "news", [ADA])).suppressed == 1
        (receipt,) = await notifier.enqueue(ADA, "news", lane=Lane.CAMPAIGN)
        assert (receipt.status, receipt.reason) == (Status.SUPPRESSED, "unsubscribed")
        (receipt,) = await notifier.enqueue(ADA, "news")
        assert receipt.status is Status.QUEUED
        await notifier.resubscribe_recipient("user:1", "sms")
        assert (await notifier.campaign("july", "news", [ADA])).enqueued == 1
        await notifier.unsubscribe_recipient("user:1", "sms")
        assert (await notifier.campaign("august", "news", [ADA])).suppressed == 1
        with pytest.raises(InvalidTokenError):
            await notifier.unsubscribe("made-up")


@pytest.mark.anyio
async def test_a_campaign_by_mail_needs_a_link_and_each_message_bears_its_own() -> None:
    options: dict[str, Any] = {
        "channels": {"email": EmailChannel("mail.example", sender="shop@example.com")},
        "templates": {"news/email.subject.j2": "News", "news/email.text.j2": "News"},
    }
    people = [Recipient(f"user:{n}", {"email": f"user{n}@example.com"}) for n in (1, 2)]
    async with Notifier(MemoryBus(), **options) as notifier:
        with pytest.raises(ConfigurationError, match="unsubscribe=UnsubscribeLinks"):
            await notifier.campaign("june", "news", people)
    async with Notifier(MemoryBus(), unsubscribe=LINKS, **options) as notifier:
        await notifier.campaign("june", "news", people)
        stored = (await notifier.bus.find(Filter(), bodies=True)).messages
    links = [decode(each.envelope.body).variables["unsubscribe_url"] for each in stored]
    now = datetime.now(UTC)
    assert [LINKS.read(each.rpartition("/")[2], now).recipient_id for each in links] == ["user:1", "user:2"]
