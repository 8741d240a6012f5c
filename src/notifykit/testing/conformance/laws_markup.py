"""Laws of a markup: the reader sees what the value was, and nothing else."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from unicodedata import normalize

from hypothesis import strategies as st

from notifykit.errors import RenderError
from notifykit.testing.conformance._channel_stand import for_all, raising_nothing
from notifykit.testing.conformance._law import markup_law
from notifykit.testing.conformance._markup_case import MarkupCase

__all__ = ["markup_texts"]


def markup_texts(signs: str) -> st.SearchStrategy[str]:
    """Texts full of a markup's *signs*; without controls and spaces at the ends, which markups treat each in its way."""
    plain = st.characters(exclude_categories=("Cs", "Cc", "Cn", "Co", "Cf", "Zl", "Zp", "Mn", "Me"), max_codepoint=0x1FFFF)
    chars = st.one_of(st.sampled_from(signs), st.sampled_from("ab1é日😀&amp;<b>"), plain)
    return st.text(chars, min_size=1, max_size=30).map(lambda text: " ".join(normalize("NFC", text).split())).filter(bool)


def _rendered(case: MarkupCase, source: str, value: Any) -> str:
    with raising_nothing(f"the value {value!r} is not rendered"):
        return case.renders(source, x=value)
    raise AssertionError  # pragma: no cover - for the type checker


async def _shown(case: MarkupCase, source: str, value: str, where: str) -> None:
    seen = case.reads(_rendered(case, source, value)).text
    assert seen == case.normal(value), f"{where}: the value {value!r} is seen as {seen!r}"


@markup_law
async def each_special_character_is_shown_as_itself(case: MarkupCase) -> None:
    """Every character with a meaning, alone, doubled, and beside each other one."""
    for one in case.signs:
        for other in ("", *case.signs):
            await _shown(case, case.constructs["output"], f"a{one}{other}b", "output")


@markup_law
async def a_value_is_escaped_once_by_every_construct(case: MarkupCase) -> None:
    """Macros, blocks, loops, concatenation: whatever a template does with a value, it is escaped once, neither never nor twice."""
    worst = f"a{case.signs}b &amp; <i>&lt;</i> \\n {{{{ x }}}} c"
    for name, source in case.constructs.items():
        await _shown(case, source, " ".join(worst.split()), name)


@markup_law
async def any_value_is_shown_as_itself(case: MarkupCase) -> None:
    """Any text, in any construct: the reader sees just that text."""
    constructs = sorted(case.constructs)

    async def check(drawn: tuple[str, str]) -> None:
        name, value = drawn
        await _shown(case, case.constructs[name], value, name)

    await for_all(st.tuples(st.sampled_from(constructs), markup_texts(case.signs)), check)


@markup_law
async def a_value_forges_no_structure(case: MarkupCase) -> None:
    """Inside and outside of formatting, what there is beside the text does not depend on the value."""
    sources = {"output": case.constructs["output"], **case.contexts}
    plain = {name: case.reads(case.renders(source, x="word")).structure for name, source in sources.items()}

    async def check(drawn: tuple[str, str]) -> None:
        name, value = drawn
        read = case.reads(_rendered(case, sources[name], value))
        assert read.structure == plain[name], f"in {name} the value {value!r} made {read.structure!r}, a word {plain[name]!r}"
        assert case.normal(value) in read.text, f"in {name} the value {value!r} is seen as {read.text!r}"

    for name in sources:
        for sign in case.signs:
            await check((name, f"a{sign}b{sign}c"))
    await for_all(st.tuples(st.sampled_from(sorted(sources)), markup_texts(case.signs)), check)


@markup_law
async def the_templates_own_markup_is_kept(case: MarkupCase) -> None:
    """What the template's author wrote is markup; it is values that are escaped."""
    plain = case.reads(case.renders(case.constructs["output"], x="word")).structure
    for name, source in case.contexts.items():
        assert case.reads(case.renders(source, x="word")).structure != plain, f"the formatting of {name} is gone"


@markup_law
async def numbers_and_other_values_are_shown_as_text(case: MarkupCase) -> None:
    """Numbers, Decimals and booleans are shown as Python writes them, escaped like any text."""
    values: Mapping[Any, str] = {7: "7", -1.5: "-1.5", Decimal("1.50"): "1.50", True: "True", 10**18: "1000000000000000000"}
    for value, shown in values.items():
        seen = case.reads(_rendered(case, case.constructs["output"], value)).text
        assert seen == case.normal(shown), f"{value!r} is seen as {seen!r}"


class _Claims(str):
    """A text that says of itself that it is safe, as markupsafe's Markup and Django's SafeString do."""

    __slots__ = ()

    def __html__(self) -> str:
        return str(self)


@markup_law
async def a_value_that_calls_itself_safe_is_not_believed_elsewhere(case: MarkupCase) -> None:
    """A value that is safe HTML is not safe in another markup: it is refused or escaped. In HTML it may be taken as it is."""
    value = f"a{case.signs}b"
    if case.markup.value == "html":
        return
    try:
        text = case.renders(case.constructs["output"], x=_Claims(value))
    except RenderError:
        return
    assert case.reads(text).text == case.normal(value)


@markup_law
async def odd_characters_do_no_harm(case: MarkupCase) -> None:
    """Controls, half surrogate pairs, line and direction marks: what is rendered is valid, or a RenderError says that it is not."""

    async def check(value: str) -> None:
        try:
            text = case.renders(case.constructs["output"], x=f"a{value}b")
        except RenderError:
            return
        with raising_nothing("half a surrogate pair breaks whatever sends it"):
            text.encode()
        case.reads(text)

    for char in map(chr, (*range(0x20), 0x7F, *range(0x80, 0xA0), 0xAD, 0x2028, 0x2029, 0x202E, 0x200B, 0xFEFF, 0xFFFE, 0xD800, 0xDFFF)):
        await check(char)
    await for_all(st.text(max_size=8), check)


@markup_law
async def an_undefined_variable_is_an_error(case: MarkupCase) -> None:
    """A variable that was not given makes a RenderError, and never an empty place in somebody's message."""
    try:
        text = case.renders(case.constructs["output"])
    except RenderError:
        return
    raise AssertionError(f"it was rendered all the same: {text!r}")


@markup_law
async def rendering_again_gives_the_same(case: MarkupCase) -> None:
    """Rendering keeps nothing: the same template and variables give the same text, whatever was rendered in between."""
    source = case.constructs["output"]
    first = case.renders(source, x=f"a{case.signs}b")
    assert case.renders(source, x="something else") != first, "the first rendering is kept"
    assert case.renders(source, x=f"a{case.signs}b") == first
