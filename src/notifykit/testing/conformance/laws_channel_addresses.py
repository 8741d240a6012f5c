"""Laws of a channel: what it says of itself, and what it takes for an address, an option and a URL."""

import json
import re
import traceback
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

from notifykit._attachments import Attachment
from notifykit._limits import parse_limits
from notifykit._messages import Address, Markup, Part
from notifykit.abc import Channel
from notifykit.errors import ConfigurationError, InvalidAddressError, MissingExtraError, NotifykitError
from notifykit.testing.conformance._channel_case import LONG, ChannelCase, Situation, message_to
from notifykit.testing.conformance._channel_stand import for_all, on_trial, raising_nothing
from notifykit.testing.conformance._law import channel_law

__all__ = ["json_values"]


def json_values() -> st.SearchStrategy[Any]:
    """Whatever JSON can say, and some that it cannot."""
    odd = st.one_of(st.binary(max_size=8), st.builds(object), st.just(float("nan")), st.just("\ud800"))
    plain = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=40), odd)
    return st.recursive(
        plain, lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=9), inner, max_size=3))
    )


def _shows(error: InvalidAddressError, raw: Any) -> bool:
    """Tell whether the text of *error*, or of what it was raised from, repeats *raw*; what is very short is not recognised."""
    text = raw if isinstance(raw, str) else str(raw) if isinstance(raw, int) else ""
    return len(text) >= 6 and text in "".join([str(error), repr(error), *traceback.format_exception(error)])


@channel_law()
async def a_channel_says_what_it_is(case: ChannelCase) -> None:
    """Its kind is a lower-case word, its parts are named Parts of a Markup, and its default limits can be read."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        assert re.fullmatch(r"[a-z][a-z0-9_]*", channel.kind), (
            f"kind is a lower-case word, which names template files, not {channel.kind!r}"
        )
        assert channel.parts, "a channel takes at least one part"
        for name, part in channel.parts.items():
            assert re.fullmatch(r"[a-z][a-z0-9_]*", name), f"a part's name is a lower-case word, not {name!r}"
            assert isinstance(part, Part)
            assert isinstance(part.markup, Markup)
        assert any(part.required for part in channel.parts.values()), "a template with no part at all would be sent"
        parse_limits(channel.default_limits)


@channel_law()
async def the_parts_of_a_message_are_the_channels(case: ChannelCase) -> None:
    """``parts_for`` a message, with files or without, gives parts that the channel declares, of the same markup, with no larger limits."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        address = channel.parse_address(case.good(provider)[0])
        files = (Attachment("invoice.pdf", b"%PDF"),) if channel.carries_attachments else ()
        for message in (message_to(address), message_to(address, attachments=files)):
            for name, part in channel.parts_for(message).items():
                declared = channel.parts.get(name)
                assert declared is not None, f"parts_for gives a part {name!r}, which the channel does not declare"
                assert part.markup is declared.markup, f"parts_for gives the part {name!r} another markup"
                within = not declared.limit or (part.limit and part.limit <= declared.limit)
                assert within, f"parts_for gives the part {name!r} a larger limit than the channel declares, or none"


@channel_law()
async def an_address_is_canonical(case: ChannelCase) -> None:
    """A good address becomes JSON values and a key; parsing the canonical form again, also after a queue, gives the same."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        for raw in case.good(provider):
            address = channel.parse_address(raw)
            assert isinstance(address, Address)
            assert isinstance(address.key, str)
            assert address.key
            queued = json.loads(json.dumps(address.value))
            assert queued == address.value, "an address is made of JSON values, or it does not survive the queue"
            assert channel.parse_address(queued) == address, "the canonical form is parsed to something else"


@channel_law()
async def different_addresses_have_different_keys(case: ChannelCase) -> None:
    """Limits and suppressions of one recipient are not another's."""
    async with case.make() as provider:
        keys = [provider.connect(LONG).parse_address(raw).key for raw in case.good(provider)]
        assert len(set(keys)) == len(keys)


@channel_law()
async def spellings_of_one_address_share_a_key(case: ChannelCase) -> None:
    """However an address is spelt, its limits and its suppression are one recipient's."""
    async with case.make() as provider:
        for group in case.spellings:
            keys = {provider.connect(LONG).parse_address(raw).key for raw in group}
            assert len(keys) == 1, f"{len(keys)} keys for spellings of one address"


@channel_law()
async def a_wrong_address_is_refused_and_not_shown(case: ChannelCase) -> None:
    """What is no address raises InvalidAddressError, which does not repeat it, neither itself nor in what it was raised from."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        near = [f"{each}{mark}" for each in case.good(provider) if isinstance(each, str) for mark in ("!", "\x00", "@@")]
        for raw in (*case.bad_addresses, *near):
            try:
                channel.parse_address(raw)
            except InvalidAddressError as error:
                assert not _shows(error, raw), "the error shows the address: raise it `from None`, and without the address in its text"
            except Exception as error:
                raise AssertionError(f"a wrong address raises InvalidAddressError, not {type(error).__name__}") from error
            else:
                assert raw in near, f"no InvalidAddressError was raised for {type(raw).__name__} {raw!r}"


@channel_law()
async def any_value_is_an_address_or_is_refused(case: ChannelCase) -> None:
    """Whatever an application takes for an address, it is parsed to a canonical one or refused by InvalidAddressError."""
    async with case.make() as provider:
        channel = provider.connect(LONG)

        async def check(raw: Any) -> None:
            try:
                address = channel.parse_address(raw)
            except InvalidAddressError as error:
                assert not _shows(error, raw), "the error shows the address"
                return
            except Exception as error:
                raise AssertionError(f"{raw!r} raises {type(error).__name__}, not InvalidAddressError") from error
            assert isinstance(address.key, str)
            with raising_nothing(f"{raw!r} is parsed to what no queue can carry"):
                again = json.loads(json.dumps(address.value))
            assert channel.parse_address(again) == address

        for odd in (None, True, -1, 1.5, float("nan"), "", "\ud800", b"", [], [[]], {}, {"": None}, object()):
            await check(odd)  # one of each kind, which a short search may miss
        near = st.sampled_from([each for each in case.good(provider) if isinstance(each, str)] or [""])
        spoilt = st.tuples(near, st.text(max_size=3), st.integers(0, 40)).map(
            lambda each: each[0][: each[2]] + each[1] + each[0][each[2] :]
        )
        await for_all(st.one_of(json_values(), spoilt), check)


@channel_law(needs="knows_options")
async def unknown_options_are_refused(case: ChannelCase) -> None:
    """An option that the channel does not know is a mistake of the caller, who is told; no options are always fine."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        assert dict(channel.parse_options({})) == {}
        try:
            channel.parse_options({"no_such_option": 1})
        except ConfigurationError as error:
            assert "no_such_option" in str(error), "the error does not name the option"
        else:
            raise AssertionError("an option that nobody knows was taken")


@channel_law(needs="knows_options")
async def options_are_canonical(case: ChannelCase) -> None:
    """Good options become JSON values; parsing the answer again, also after a queue, gives the same; what was given stays as it was."""
    async with case.make() as provider:
        channel = provider.connect(LONG)
        takes_some = type(channel).parse_options is not Channel.parse_options
        assert case.options or not takes_some, "the channel has options of its own: give the test class some that are good, as `options`"
        for given in case.options:
            lent = deepcopy(given)
            parsed = dict(channel.parse_options(lent))
            assert lent == given, "parsing options changed what the caller gave"
            with raising_nothing("options are made of JSON values, or they do not survive the queue"):
                queued = json.loads(json.dumps(parsed, allow_nan=False))
            assert queued == parsed, "options are made of JSON values, or they do not survive the queue"
            with raising_nothing("what options were parsed to cannot be parsed again, as on every attempt"):
                again = dict(channel.parse_options(queued))
            assert again == parsed, "the canonical form is parsed to something else"


@channel_law()
async def a_url_makes_a_channel_or_is_refused_without_being_shown(case: ChannelCase) -> None:
    """``from_url`` makes a channel of the same kind; a URL that is spoilt anywhere is taken or refused, and never shows a secret."""
    async with case.make() as provider:
        kind = type(provider.connect(LONG))
        if not case.url:
            try:
                kind.from_url("scheme://secret-in-a-url@host")
            except ConfigurationError as error:
                assert "secret-in-a-url" not in str(error)
                return
            raise AssertionError("the channel can be made from a URL: give the test class one, as `url`")
        assert isinstance(kind.from_url(case.url), kind)

        async def check(spoilt: str) -> None:
            try:
                made = kind.from_url(spoilt)
            except (ConfigurationError, MissingExtraError) as error:
                text = f"{error} {error!r}"
            except NotifykitError as error:
                raise AssertionError(f"a wrong URL raises ConfigurationError, not {type(error).__name__}") from error
            else:
                text = repr(made)
            for secret in case.secrets:
                assert secret not in text, f"a secret is shown: {text.replace(secret, '(the secret)')}"

        scheme = case.url.index("://") + 3
        places = st.integers(scheme, len(case.url))
        cut = places.map(lambda place: case.url[:place])
        filled = st.tuples(places, st.sampled_from("/#?@:%[] é\n\\&=")).map(
            lambda each: case.url[: each[0]] + each[1] + case.url[each[0] :]
        )
        more = st.sampled_from(("&no_such_parameter=1", "?no_such_parameter=1", "/x", "#x")).map(lambda tail: case.url + tail)
        await for_all(st.one_of(cut, filled, more), check)


@channel_law()
async def making_a_channel_talks_to_nobody(case: ChannelCase) -> None:
    """A constructor does no I/O: a notifier stands at module level, and may only enqueue."""
    async with case.make() as provider:
        provider.connect(LONG)
        assert not provider.connections()
        assert not provider.arrivals()


@channel_law(Situation.ACCEPTED)
async def a_repr_shows_no_secret(case: ChannelCase) -> None:
    """Neither ``repr`` nor ``str`` of a channel, before and after it has sent, shows a credential."""
    async with on_trial(case) as stand:
        for _ in range(2):
            for secret in case.secrets:
                assert secret not in f"{stand.channel!r} {stand.channel}", "a secret is shown"
            await stand.send()
