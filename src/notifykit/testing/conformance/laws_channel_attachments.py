"""Laws of a channel: the files that go with a message."""

from datetime import timedelta

from hypothesis import strategies as st

from notifykit._attached import carried, with_data
from notifykit._attachments import Attachment
from notifykit.errors import ConfigurationError, DeliveryError
from notifykit.testing.conformance._channel_case import ChannelCase, Situation
from notifykit.testing.conformance._channel_stand import ChannelStand, for_all, on_trial
from notifykit.testing.conformance._law import channel_law

__all__: list[str] = []

ACCEPTED = Situation.ACCEPTED
PDF = Attachment("invoice 81.pdf", b"%PDF-1.7\r\n\x00\xff\n%%EOF")
ODD = (
    Attachment("Účtenka – 日本語 👩.pdf", b"%PDF"),
    Attachment("R\u00e9sum\u00e9 und Re\u0301sume\u0301.txt", b"two forms of one letter"),
    Attachment('a "quoted" name.txt', b"quoted"),
    Attachment("a'b; c=d, e&f <g> (h) [i] {j} #k ~l `m` $n *o ?.txt", b"signs"),
    Attachment("100 % of %22this%22 %41 +.txt", b"percent"),
    Attachment("=?utf-8?q?r=C3=A9sum=C3=A9?=.txt", b"not a word of RFC 2047"),
    Attachment(".hidden", b"no name before the dot"),
    Attachment("README", b"no ending at all"),
    Attachment("x" * 196 + ".txt", b"the longest name"),
    Attachment("lines.txt", b"\r\nlone \r and \n, \r\n.\r\n..\r\nFrom here\r\n--\r\n\t \r\n\r\n"),
    Attachment("latin.csv", "Müller;5 €\n".encode("cp1252")),
    Attachment("data.bin", bytes(range(256)) * 2),
    Attachment("page.html", b"<p>shown by nobody</p>"),
    Attachment("picture.jpg", b"not a picture", media_type="application/octet-stream"),
    Attachment("report", b"{}", media_type="application/vnd.acme.report+json"),
)


def _files() -> st.SearchStrategy[tuple[str, bytes, str]]:
    """Names, bytes and types of attachments that can be made."""
    letters = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Cn", "Zl", "Zp"), exclude_characters="/\\")
    names = st.text(letters, min_size=1, max_size=20).map(str.strip).filter(lambda name: name.strip(" ."))
    types = st.sampled_from(("application/pdf", "text/plain", "text/html", "application/json", "image/svg+xml", "application/x-acme"))
    return st.tuples(
        names, st.one_of(st.binary(max_size=60), st.text(max_size=30).map(lambda text: text.encode("utf-8", "replace"))), types
    )


async def _brings(stand: ChannelStand, *given: Attachment, attempts: int = 1) -> bool:
    """Send a message with these files, and hold that they arrive on each attempt; return whether the channel takes them."""
    try:
        stand.channel.parse_options({}, given)
    except ConfigurationError:
        return False
    message = stand.message(attachments=given)
    for attempt in range(1, attempts + 1):
        before = len(stand.provider.arrivals())
        found = await stand.outcome(message=message)
        assert not isinstance(found, DeliveryError), (
            f"attachment {given[0].name!a}, which parse_options has taken, was not sent: {type(found).__name__}: {found}"
        )
        arrivals = stand.provider.arrivals()
        told = [each.files for each in arrivals[before:] or arrivals[-1:]]  # another attempt's may take its place
        assert None not in told, (
            "the test class does not say how to read the files that came in: say how, or take `keeps_files` out of the traits"
        )
        arrived = [each for files in told for each in files or ()]
        on = f"on attempt {attempt}"
        assert len(arrived) == len(given), f"{on} {len(arrived)} of {len(given)} attachments arrived: {given[0].name!a}"
        for each, file in zip(given, arrived, strict=True):
            assert file.name == each.name, f"{on} the attachment {each.name!a} arrived as {file.name!a}"
            assert file.data == each.data, f"{on} the {len(each.data or b''):,} bytes of {each.name!a} arrived as {len(file.data):,} others"
            kind = file.media_type.partition(";")[0].strip().lower()
            assert kind == each.media_type.lower(), f"{on} {each.name!a} of type {each.media_type} arrived as {kind}"
    return True


@channel_law(ACCEPTED, needs="keeps_files")
async def attachments_arrive_as_they_are(case: ChannelCase) -> None:
    """Of each attachment arrive the bytes, the name and the type, on every attempt; what cannot go, ``parse_options`` refuses.

    A channel that carries attachments takes a PDF at least. It is tried with names in any script and with any sign that a header or
    a form could trip over (one with a line break or a folder cannot be made), and with bytes that are no text.
    """
    async with on_trial(case) as stand:
        if not stand.channel.carries_attachments:
            return
        assert await _brings(stand, PDF, attempts=3), "a channel that carries attachments refuses a PDF"
        for each in ODD:
            await _brings(stand, each)

        async def check(drawn: tuple[str, bytes, str]) -> None:
            name, data, media_type = drawn
            await _brings(stand, Attachment(name, data, media_type=media_type))

        await for_all(_files(), check)


@channel_law(ACCEPTED, needs="keeps_files")
async def an_attachment_of_any_size_arrives_or_is_refused(case: ChannelCase) -> None:
    """One without a byte and one of a million: each arrives whole, or ``parse_options`` refuses it when the message is made."""
    async with on_trial(case) as stand:
        if not stand.channel.carries_attachments:
            return
        for data in (b"", b"x", bytes(range(256)) * 4096):
            await _brings(stand, Attachment("some.bin", data))


@channel_law(ACCEPTED, needs="keeps_files")
async def several_attachments_arrive_in_their_order(case: ChannelCase) -> None:
    """Three files go with one message, each with its own bytes, and none of them with the next message."""
    async with on_trial(case) as stand:
        if not stand.channel.carries_attachments:
            return
        several = tuple(Attachment(f"{letter}.txt", letter.encode() * 3) for letter in "cab")
        if await _brings(stand, *several, attempts=2):
            await stand.send()
            assert not stand.arrived().files, "the attachments of one message went with the next one"


@channel_law(ACCEPTED)
async def a_channel_that_carries_no_attachments_is_given_none(case: ChannelCase) -> None:
    """``carries_attachments`` says whether files go with the channel's messages; where they do not, the message goes without them."""
    async with on_trial(case) as stand:
        assert isinstance(stand.channel.carries_attachments, bool), "carries_attachments is True or False"
        if stand.channel.carries_attachments:
            return
        message = stand.message(attachments=(PDF,))
        assert carried(message, stand.channel) == ()
        given = await with_data(message, stand.channel, None, timedelta(seconds=1))
        assert given.attachments == ()
        await stand.send(message=given)
        assert not stand.arrived().files
