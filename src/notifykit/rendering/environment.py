"""A sandboxed jinja2 environment per markup, whose templates escape by that markup in every construct.

The compiled template takes ``Markup``, ``escape``, ``markup_join``, ``Macro`` and ``TemplateReference`` from its environment
in place of jinja2's, which know HTML only; constants are escaped by the same rule when the template is compiled.
"""

from collections.abc import Callable, Mapping
from string import Formatter
from types import BuiltinMethodType, MethodType
from typing import Any, NoReturn, cast

from jinja2 import StrictUndefined, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, Context, Macro, TemplateReference, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import missing

from notifykit.rendering.catalogue import Loader
from notifykit.rendering.filters import filters_for
from notifykit.rendering.fragments import Fragment
from notifykit.rendering.language import Language

__all__ = ["MarkupEnvironment"]

_UNSAFE_TESTS = ("callable", "escaped", "filter", "test")
_GLOBALS = ("cycler", "dict", "joiner", "namespace", "range")


class _FragmentCodeGenerator(CodeGenerator):
    def writeline(self, x: str, node: nodes.Node | None = None, extra: int = 0) -> None:
        super().writeline(x, node, extra)
        if x.startswith("from jinja2.runtime import "):
            super().writeline("Markup, escape, markup_join, Macro, TemplateReference = environment.runtime")

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        const = node.as_const(frame.eval_ctx)
        if isinstance(node, nodes.TemplateData):
            return str(const)
        return str(cast("MarkupEnvironment", self.environment).fragment.output(const))

    def visit_EvalContextModifier(self, node: nodes.EvalContextModifier, frame: Frame) -> NoReturn:  # noqa: N802
        self.fail("escaping cannot be turned off: use a filter such as bold or link", node.lineno)

    def visit_ScopedEvalContextModifier(self, node: nodes.ScopedEvalContextModifier, frame: Frame) -> NoReturn:  # noqa: N802
        self.fail("escaping cannot be turned off: use a filter such as bold or link", node.lineno)


class _FragmentMacro(Macro):
    def _invoke(self, arguments: list[Any], autoescape: bool) -> str:
        return cast("MarkupEnvironment", self._environment).fragment(self._func(*arguments))


class _FragmentBlock(BlockReference):
    @property
    def super(self) -> Any:
        return _as_fragment_block(super().super)

    def __call__(self) -> str:
        return cast("MarkupEnvironment", self._context.environment).fragment("".join(self._stack[self._depth](self._context)))


def _as_fragment_block(found: Any) -> Any:
    if isinstance(found, BlockReference):
        return _FragmentBlock(found.name, found._context, found._stack, found._depth)
    return found


class _FragmentContext(Context):
    def super(self, name: str, current: Callable[[Context], Any]) -> Any:
        return _as_fragment_block(super().super(name, current))


class _FragmentTemplateReference(TemplateReference):
    def __getitem__(self, name: str) -> Any:
        return _as_fragment_block(super().__getitem__(name))


class _Undefined(StrictUndefined):
    """Says what is undefined without showing a value: an element's name may be one."""

    __slots__ = ()

    @property
    def _undefined_message(self) -> str:
        if self._undefined_hint:
            return self._undefined_hint
        if isinstance(self._undefined_name, str) and self._undefined_obj is missing:
            return f"{self._undefined_name!r} is not defined"
        return f"a {type(self._undefined_obj).__name__} has no such attribute or element"


class MarkupEnvironment(ImmutableSandboxedEnvironment):
    """Where the templates of one markup are compiled."""

    code_generator_class: type[CodeGenerator] = _FragmentCodeGenerator
    context_class: type[Context] = _FragmentContext

    def __init__(self, language: Language, loader: Loader, filters: Mapping[str, Callable[..., Any]]) -> None:
        super().__init__(
            loader=loader,
            undefined=_Undefined,
            autoescape=True,
            trim_blocks=True,
            lstrip_blocks=True,
            cache_size=-1,
            auto_reload=False,
        )
        self._files = loader
        self.language = language
        self.fragment: type[Fragment] = language.fragment
        self.runtime: tuple[Any, ...] = (
            self.fragment,
            self.fragment.output,
            self.fragment.concat,
            _FragmentMacro,
            _FragmentTemplateReference,
        )
        self.filters: dict[str, Any] = {**filters_for(self.fragment), **filters, **language.filters}
        self.tests: dict[str, Any] = {name: test for name, test in self.tests.items() if name not in _UNSAFE_TESTS}
        self.globals: dict[str, Any] = {name: self.globals[name] for name in _GLOBALS}

    def join_path(self, template: str, parent: str) -> str:
        """Return the full name of what *parent* calls *template*; see :class:`~notifykit.rendering.catalogue.Loader`."""
        return self._files.join(template, parent)

    def unsafe_undefined(self, obj: Any, attribute: str) -> Undefined:
        """Refuse access to Python internals, without showing what was asked for."""
        return self.undefined("access to Python internals is refused", obj=obj, name=attribute, exc=SecurityError)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """Return ``format``, ``join`` or ``replace`` of a text in a form that escapes when a fragment takes part."""
        if not isinstance(value, MethodType | BuiltinMethodType) or value.__name__ not in ("format", "format_map", "join", "replace"):
            return None
        text: Any = value.__self__
        if not isinstance(text, str):
            return None
        if value.__name__ in ("format", "format_map"):
            return self._formatter(text, value.__name__ == "format_map")
        return None if isinstance(text, Fragment) else self._mixed(text, value)

    def _mixed(self, text: str, method: Callable[..., str]) -> Callable[..., str]:
        def call(*args: Any) -> str:
            given = (list(args[0]),) if method.__name__ == "join" else args
            values = given[0] if method.__name__ == "join" else given
            owner = self.fragment.escape(text) if any(isinstance(each, Fragment) for each in values) else text
            return cast("str", getattr(owner, method.__name__)(*given))

        return call

    def _formatter(self, text: str, from_map: bool) -> Callable[..., str]:
        def call(*args: Any, **kwargs: Any) -> str:
            places, names = ((), args[0]) if from_map else (args, kwargs)
            if isinstance(text, Fragment) or any(isinstance(each, Fragment) for each in (*places, *names.values())):
                return self._format_fragment(text, places, names)
            return SandboxedFormatter(self).vformat(text, places, names)

        return call

    def _format_fragment(self, text: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Format as ``str.format`` does, each value escaped after it was formatted; *text* too unless it is a fragment."""
        formatter = SandboxedFormatter(self)
        literal = str if isinstance(text, Fragment) else self.fragment.escape_text
        pieces: list[str] = []
        place = 0
        for before, name, width, conversion in Formatter().parse(str(text)):
            pieces.append(literal(before))
            if name is None:
                continue
            numbered = name[:1] in ("", ".", "[")
            value = formatter.get_field(f"{place}{name}" if numbered else name, args, kwargs)[0]
            place += numbered
            if conversion:
                value = formatter.convert_field(value, cast("Any", conversion))
            spec = formatter.vformat(width or "", args, kwargs)
            pieces.append(self.fragment.escape_text(format(value, spec)) if spec else self.fragment.output(value))
        return self.fragment("".join(pieces))
