"""A sandboxed jinja2 environment per markup, whose templates escape by that markup in every construct.

The compiled template takes ``Markup``, ``escape``, ``markup_join``, ``Macro`` and ``TemplateReference`` from its environment
in place of jinja2's, which know HTML only; constants are escaped by the same rule when the template is compiled.
"""

from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from types import BuiltinMethodType, MethodType
from typing import Any, NoReturn, cast

from jinja2 import StrictUndefined, Template, nodes
from jinja2.compiler import CodeGenerator, Frame
from jinja2.exceptions import SecurityError
from jinja2.runtime import BlockReference, Context, LoopContext, Macro, TemplateReference, Undefined
from jinja2.sandbox import ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import missing

from notifykit.rendering.catalogue import Loader
from notifykit.rendering.filters import filters_for
from notifykit.rendering.fragments import Fragment
from notifykit.rendering.growth import check_call, check_join, check_spec, counted, grown, operate, spend
from notifykit.rendering.language import Language

__all__ = ["MarkupEnvironment", "new_context"]

_UNSAFE_TESTS = ("callable", "escaped", "filter", "test")
_OF_MAPPINGS = frozenset(dir(dict))
_GLOBALS = ("cycler", "dict", "joiner", "namespace", "range")


class _FragmentCodeGenerator(CodeGenerator):
    def writeline(self, x: str, node: nodes.Node | None = None, extra: int = 0) -> None:
        super().writeline(x, node, extra)
        if x.startswith("from jinja2.runtime import "):
            super().writeline("Markup, escape, markup_join, Macro, TemplateReference, LoopContext = environment.runtime")

    def visit_For(self, node: nodes.For, frame: Frame) -> None:  # noqa: N802
        node.iter = nodes.Call(nodes.EnvironmentAttribute("counted"), [node.iter], [], None, None, lineno=node.lineno)
        super().visit_For(node, frame)

    def _output_child_to_const(self, node: nodes.Expr, frame: Frame, finalize: Any) -> str:
        const = node.as_const(frame.eval_ctx)
        if isinstance(node, nodes.TemplateData):
            return str(const)
        return str(cast("MarkupEnvironment", self.environment).fragment.output(const))

    def visit_Call(self, node: nodes.Call, frame: Frame, forward_caller: bool = False) -> None:  # noqa: N802
        if isinstance(node.node, nodes.EnvironmentAttribute):
            self.write(f"environment.{node.node.name}(")
            self.visit(node.args[0], frame)
            self.write(")")
        else:
            super().visit_Call(node, frame, forward_caller=forward_caller)

    def visit_EvalContextModifier(self, node: nodes.EvalContextModifier, frame: Frame) -> NoReturn:  # noqa: N802
        self.fail("escaping cannot be turned off: use a filter such as bold or link", node.lineno)

    def visit_ScopedEvalContextModifier(self, node: nodes.ScopedEvalContextModifier, frame: Frame) -> NoReturn:  # noqa: N802
        self.fail("escaping cannot be turned off: use a filter such as bold or link", node.lineno)


class _FragmentMacro(Macro):
    def _invoke(self, arguments: list[Any], autoescape: bool) -> str:
        spend(1)
        return cast("MarkupEnvironment", self._environment).fragment(grown(self._func(*arguments)))


class _CountingLoop(LoopContext):
    def __call__(self, iterable: Iterable[Any]) -> str:
        return super().__call__(counted(iterable))


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


def new_context(template: Template, values: Mapping[str, Any]) -> Context:
    """Return what a template is rendered in; ``template.new_context`` does the same, more slowly."""
    environment = cast("MarkupEnvironment", template.environment)
    return environment.context_class(environment, {**environment.globals, **values}, template.name, template.blocks)


class _Formatter(SandboxedFormatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        check_spec(format_spec)
        return str(super().format_field(value, format_spec))


class MarkupEnvironment(ImmutableSandboxedEnvironment):
    """Where the templates of one markup are compiled."""

    code_generator_class: type[CodeGenerator] = _FragmentCodeGenerator
    intercepted_binops: frozenset[str] = frozenset(["+", "*", "**", "%"])
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
        self.counted = counted
        self.runtime: tuple[Any, ...] = (
            self._made,
            self.fragment.writer(),
            self._concat,
            _FragmentMacro,
            _FragmentTemplateReference,
            _CountingLoop,
        )
        self.filters: dict[str, Any] = {**filters_for(self.fragment), **language.filters, **filters}
        self.tests: dict[str, Any] = {name: test for name, test in self.tests.items() if name not in _UNSAFE_TESTS}
        self.globals: dict[str, Any] = {name: self.globals[name] for name in _GLOBALS}

    def join_path(self, template: str, parent: str) -> str:
        """Return the full name of what *parent* calls *template*; see :class:`~notifykit.rendering.catalogue.Loader`."""
        return self._files.join(template, parent)

    def _made(self, text: str) -> Fragment:
        return self.fragment(grown(text))

    def _concat(self, values: Iterable[Any]) -> str:
        return grown(self.fragment.concat(values))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Return what an operator says, unless that is too great."""
        return operate(operator, self.binop_table[operator], left, right)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805, PYI063  # as jinja2 has them
        """Call *__obj* from a template."""
        check_call(__obj, args)
        return super().call(__context, __obj, *args, **kwargs)

    def getattr(self, obj: Any, attribute: str) -> Any:
        """Return an attribute, or else an element, of *obj*; a mapping's own methods go before its elements."""
        if type(obj) is dict and attribute not in _OF_MAPPINGS:
            try:
                return obj[attribute]
            except KeyError:
                return self.undefined(obj=obj, name=attribute)
        return super().getattr(obj, attribute)

    def near(self, name: str) -> str:
        """Return the path of a template file that is nearly *name*, or nothing."""
        return self._files.near(name)

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
            if method.__name__ == "join":
                check_join(text, values)
            else:
                check_call(method, args)
            owner = self.fragment.escape(text) if any(isinstance(each, Fragment) for each in values) else text
            return cast("str", getattr(owner, method.__name__)(*given))

        return call

    def _formatter(self, text: str, from_map: bool) -> Callable[..., str]:
        def call(*args: Any, **kwargs: Any) -> str:
            places, names = ((), args[0]) if from_map else (args, kwargs)
            if isinstance(text, Fragment) or any(isinstance(each, Fragment) for each in (*places, *names.values())):
                return self._format_fragment(text, places, names)
            return _Formatter(self).vformat(text, places, names)

        return call

    def _format_fragment(self, text: str, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
        """Format as ``str.format`` does, each value escaped after it was formatted; *text* too unless it is a fragment."""
        formatter = _Formatter(self)
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
            pieces.append(self.fragment.escape_text(formatter.format_field(value, spec)) if spec else self.fragment.output(value))
        return self.fragment("".join(pieces))
