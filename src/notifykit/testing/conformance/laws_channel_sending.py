"""Laws of a channel: what goes out when the provider takes it."""

import json
from functools import partial

import anyio
from attrs import evolve
from hypothesis import strategies as st

from notifykit._messages import Content, Markup
from notifykit.errors import DeliveryError
from notifykit.testing.conformance._channel_case import ChannelCase, Situation
from notifykit.testing.conformance._channel_stand import for_all, on_trial, together
from notifykit.testing.conformance._law import channel_law

__all__ = ["texts"]

ACCEPTED = Situation.ACCEPTED
SAYINGS = (
    "Zażółć gęślą jaźń",
    "日本語のお知らせ",
    "شحن طلبك",
    "👩‍👩‍👧 family",
    "1.5 % of _a_ *b* [c](d) <e> & \"f\" 'g' \\ {h} `i`",
    "two\nlines",
)


def texts() -> st.SearchStrategy[str]:
    """Texts that a template may have been rendered to: no control characters but line breaks, no half surrogate pairs."""
    return st.text(st.characters(exclude_categories=("Cs", "Cc", "Cn", "Zl", "Zp")), min_size=1, max_size=60).filter(
        lambda text: text == text.strip() != ""
    )


@channel_law(ACCEPTED)
async def an_accepted_message_arrives_once(case: ChannelCase) -> None:
    """A send that succeeds has brought one message to the provider."""
    async with on_trial(case) as stand:
        await stand.send()
        assert len(stand.provider.arrivals()) == 1
        await stand.send()
        assert len(stand.provider.arrivals()) == 2


@channel_law(ACCEPTED)
async def a_provider_id_is_text_or_nothing(case: ChannelCase) -> None:
    """A send returns the provider's id as text, or None; never an empty one, a number, or an answer's whole body."""
    async with on_trial(case) as stand:
        found = await stand.send()
        assert found is None or (type(found) is str and 0 < len(found) <= 512), f"{found!r} is no id"


@channel_law(ACCEPTED, needs="keeps_text")
async def what_arrives_is_what_was_sent(case: ChannelCase) -> None:
    """Every part comes in as it was rendered, in whatever script, with every sign that a format could trip over."""
    async with on_trial(case) as stand:

        async def check(text: str) -> None:
            content = stand.content(text)
            await stand.send(content=content)
            parts = stand.arrived().parts
            assert parts is not None, (
                "the test class does not say how to read what came in: say how, or take `keeps_text` out of the traits"
            )
            for name, arrived in parts.items():
                assert arrived == content[name], f"part {name} was changed on its way"

        for text in SAYINGS:
            await check(text)
        await for_all(texts(), check)


@channel_law(ACCEPTED)
async def any_text_is_sent_or_refused(case: ChannelCase) -> None:
    """Control characters, half surrogate pairs, noncharacters: the text goes or is refused by a DeliveryError; others still go."""
    async with on_trial(case) as stand:

        async def check(text: str) -> None:
            content = stand.content()
            content = evolve(content, parts=dict.fromkeys(content.parts, text))
            await stand.outcome(content=content)

        odd = st.text(st.sampled_from("a\0\r\n\x1b\x85\u2028\ud800\udfff\ufffe\U0010ffff\"'<>&{}\\é"), max_size=20)
        await for_all(st.one_of(odd, st.text(max_size=40)), check)
        await stand.send()


@channel_law(ACCEPTED)
async def the_longest_text_goes(case: ChannelCase) -> None:
    """A text of the length that a part declares as its limit is sent, and so is a long one where there is no limit."""
    async with on_trial(case) as stand:
        limits = [part.limit for part in stand.channel.parts.values() if part.limit]
        length = min(limits, default=100_000)
        await stand.send("x" * (length if not any(part.markup is Markup.JSON for part in stand.channel.parts.values()) else length // 2))
        assert len(stand.provider.arrivals()) == 1


@channel_law(ACCEPTED)
async def parts_that_are_not_required_may_be_absent(case: ChannelCase) -> None:
    """A template may leave out every part that the channel does not require."""
    async with on_trial(case) as stand:
        whole = stand.content()
        for name, part in stand.channel.parts.items():
            if not part.required:
                others = {each: text for each, text in whole.parts.items() if each != name}
                if others.keys() != whole.parts.keys() and others:
                    await stand.send(content=Content(others))


@channel_law(ACCEPTED)
async def a_message_with_options_goes(case: ChannelCase) -> None:
    """Options that were good when the message was made are good when it is sent, each time that it is."""
    async with on_trial(case) as stand:
        for number, given in enumerate(case.options, 1):
            queued = json.loads(json.dumps(dict(stand.channel.parse_options(given))))
            message = stand.message(options={"on trial": queued})
            for _ in range(2):
                error = await stand.outcome(message=message)
                assert not isinstance(error, DeliveryError), f"a message with options was not sent: {type(error).__name__}: {error}"
            assert len(stand.provider.arrivals()) == 2 * number


@channel_law(ACCEPTED)
async def options_go_with_their_own_message_only(case: ChannelCase) -> None:
    """What one message was told to do is not done to the next; seen where the same message goes out as the same bytes each time."""
    async with on_trial(case) as stand:
        plain = stand.message()
        for _ in range(2):
            await stand.send(message=plain)
        first, second = (each.raw for each in stand.provider.arrivals()[-2:]) if len(stand.provider.arrivals()) > 1 else ("", " ")
        if first != second:
            return
        for given in case.options:
            queued = json.loads(json.dumps(dict(stand.channel.parse_options(given))))
            await stand.send(message=stand.message(options={"on trial": queued}))
            await stand.send(message=plain)
            assert stand.arrived().raw == first, "the options of one message went with the next one"


@channel_law(ACCEPTED, needs="names_messages")
async def every_attempt_bears_the_same_key(case: ChannelCase) -> None:
    """The provider can tell a second attempt, which bears the same key, from a second message, which bears another."""
    async with on_trial(case) as stand:
        message, other = stand.message(), stand.message(1)
        for each in (message, message, other):
            await stand.send(message=each)
        keys = [each.key for each in stand.provider.arrivals()]
        assert None not in keys, "no key arrived: send the message's id, or take `names_messages` out of the traits"
        assert keys[0] == keys[1] != keys[2]


@channel_law(ACCEPTED, needs="names_messages")
async def the_pieces_of_a_long_message_bear_keys_of_their_own(case: ChannelCase) -> None:
    """What is too long is sent in pieces; a provider that took the second for a repetition of the first would drop it."""
    async with on_trial(case) as stand:
        message = stand.message()
        if all(part.markup is Markup.JSON for part in stand.channel.parts.values()):
            return  # JSON is never cut to pieces
        for number in (1, 2, 3, 2):
            await stand.send(message=message, content=stand.content(number=number))
        keys = [each.key for each in stand.provider.arrivals()]
        assert len(set(keys)) == 3, "put the content's number into the key"
        assert keys[1] == keys[3]


@channel_law(ACCEPTED)
async def concurrent_sends_do_not_get_in_each_others_way(case: ChannelCase) -> None:
    """Twenty sends at the same time bring twenty messages, each whole."""
    async with on_trial(case) as stand:
        said = [f"text number {number:02}" for number in range(20)]
        outcomes: list[DeliveryError | str | None] = []

        async def send(number: int) -> None:
            outcomes.append(await stand.outcome(said[number], to=number))

        await together(*(partial(send, number) for number in range(20)))
        assert [each for each in outcomes if isinstance(each, DeliveryError)] == []
        arrivals = stand.provider.arrivals()
        assert len(arrivals) == 20
        parts = [set(each.parts.values()) for each in arrivals if each.parts is not None]
        wanted = [set(stand.content(text).parts.values()) for text in said]
        if stand.case.traits.keeps_text and parts:
            assert all(any(found <= each for each in wanted) for found in parts), "messages got mixed up"
            assert len({frozenset(each) for each in parts}) == 20, "a message came twice, another not at all"


@channel_law(ACCEPTED)
async def trying_the_channel_out_sends_nothing(case: ChannelCase) -> None:
    """``check`` finds nothing wrong with what is right, and nobody gets a message."""
    async with on_trial(case) as stand:
        with anyio.fail_after(10):
            await stand.channel.check()
        assert not stand.provider.arrivals(), "check() has sent a message"
