"""What kind of value each variable is, as far as the templates' own syntax tells: by it, data to try them with is made."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from attrs import define, field
from jinja2 import Environment, TemplateSyntaxError, nodes

__all__ = ["Shape", "find_shapes"]

_MOMENTS = ("datetime", "date", "time")
_NUMBERS = ("number", "currency", "round", "float", "int", "abs", "filesizeformat")
_SAME = ("sort", "list", "reverse", "unique", "select", "reject", "selectattr", "rejectattr", "default", "d", "slice", "batch")
_OF_MAPPINGS = ("items", "keys", "values", "get")
_SAMPLE_MOMENT = datetime(2026, 3, 1, 14, 5, tzinfo=UTC)
_PARSER = Environment(autoescape=True)


@define
class Shape:
    """What is known of one value.

    Attributes:
        kind: ``moment``, ``number``, or nothing known.
        fields: what is asked of it by name; then it is a mapping.
        element: what it is a list of.
        choices: the constants that it is compared with.
        tested: whether a condition asks if it is there.
    """

    kind: str = ""
    fields: "dict[str, Shape]" = field(factory=dict)
    element: "Shape | None" = None
    choices: list[Any] = field(factory=list)
    tested: bool = False

    def sample(self, name: str) -> Any:
        """Make up a value of this shape for a variable of this name."""
        if self.fields:
            return {each: shape.sample(each) for each, shape in self.fields.items()}
        if self.element is not None:
            return [self.element.sample(name.removesuffix("s")) for _ in range(2)]
        if self.choices:
            return self.choices[0]
        return _by_name(name, self.kind)

    def walk(self, path: tuple[str, ...] = ()) -> "Iterator[tuple[tuple[str, ...], Shape]]":
        """Yield it and all below it, each with the way to it; ``[]`` stands for every element of a list."""
        yield path, self
        for name, shape in self.fields.items():
            yield from shape.walk((*path, name))
        if self.element is not None:
            yield from self.element.walk((*path, "[]"))


def _by_name(name: str, kind: str) -> Any:
    words = name.lower().split("_")
    if kind == "moment" or words[-1] in ("at", "date", "time", "when"):
        return _SAMPLE_MOMENT
    if words[-1] in ("url", "link", "href", "uri"):
        return f"https://example.com/{'-'.join(words)}"
    if words[-1] in ("icon", "image", "picture", "photo", "badge"):
        return f"https://example.com/{'-'.join(words)}.png"
    if words[-1] in ("email", "mail"):
        return "ada@example.com"
    if kind == "number" or words[-1] in ("count", "number", "quantity", "price", "amount", "total", "size"):
        return 12
    return " ".join(words).capitalize()


def find_shapes(texts: Iterable[str]) -> Mapping[str, Shape]:
    """Return the shape of every variable that the template *texts* use; a text that does not parse tells nothing."""
    shapes: dict[str, Shape] = {}
    for text in texts:
        try:
            tree = _PARSER.parse(text)
        except TemplateSyntaxError:
            continue
        _Walk(shapes).walk([tree], {})
    return shapes


@define
class _Walk:
    shapes: dict[str, Shape]

    def walk(self, children: Iterable[nodes.Node], bound: dict[str, Shape]) -> None:
        """Walk *children*; *bound* are the names that are not the application's variables, and what they stand for."""
        for node in children:
            self._node(node, bound)

    def _node(self, node: nodes.Node, bound: dict[str, Shape]) -> None:
        match node:
            case nodes.For():
                self._for(node, bound)
                return
            case nodes.Assign(target=nodes.Name(name=name)):
                self._node(node.node, bound)
                bound[name] = self._shape(node.node, bound) or Shape()
                return
            case nodes.Macro() | nodes.CallBlock():
                self.walk(node.iter_child_nodes(), {**bound, **{each.name: Shape() for each in node.args}})
                return
            case nodes.If() | nodes.CondExpr():
                self._tested(node.test, bound)
            case nodes.Compare():
                self._compared(node, bound)
            case nodes.Filter() if node.name in (*_MOMENTS, *_NUMBERS):
                self._is(node.node, "moment" if node.name in _MOMENTS else "number", bound)
            case nodes.Mul() | nodes.Sub() | nodes.Div() | nodes.FloorDiv():
                self._is(node.left, "number", bound)
                self._is(node.right, "number", bound)
            case nodes.Getattr() | nodes.Getitem() | nodes.Name():
                self._shape(node, bound)
        self.walk(node.iter_child_nodes(), bound)

    def _for(self, node: nodes.For, bound: dict[str, Shape]) -> None:
        self._node(node.iter, bound)
        around = self._shape(node.iter, bound)
        inner = {**bound, "loop": Shape(fields={})}
        if isinstance(node.target, nodes.Name):
            if around is not None and around.element is None and not around.fields:
                around.element = Shape()
            inner[node.target.name] = (around.element if around else None) or Shape()
        else:
            inner |= {each.name: Shape() for each in node.target.find_all(nodes.Name)}
        self.walk([*node.body, *([node.test] if node.test else [])], inner)
        self.walk(node.else_, bound)

    def _shape(self, node: nodes.Node | None, bound: dict[str, Shape]) -> Shape | None:
        """Return the shape of an expression that is a variable or a part of one."""
        match node:
            case nodes.Name(ctx="load", name=name):
                return bound[name] if name in bound else self.shapes.setdefault(name, Shape())
            case nodes.Getattr(attr=str(attr)) | nodes.Getitem(arg=nodes.Const(value=str(attr))):
                inner = self._shape(node.node, bound)
                if inner is None:
                    return None
                return inner.fields.setdefault("key" if attr in _OF_MAPPINGS else attr, Shape())
            case nodes.Getitem(arg=nodes.Const(value=int())) | nodes.Filter(name="first" | "last"):
                inner = self._shape(node.node, bound)
                if inner is not None and inner.element is None:
                    inner.element = Shape()
                return inner.element if inner else None
            case nodes.Filter(name=name) if name in _SAME:
                return self._shape(node.node, bound)
        return None

    def _is(self, node: nodes.Node | None, kind: str, bound: dict[str, Shape]) -> None:
        shape = self._shape(node, bound)
        if shape is not None:
            shape.kind = shape.kind or kind

    def _tested(self, test: nodes.Node, bound: dict[str, Shape]) -> None:
        match test:
            case nodes.Not():
                self._tested(test.node, bound)
            case nodes.And() | nodes.Or():
                self._tested(test.left, bound)
                self._tested(test.right, bound)
            case _:
                shape = self._shape(test, bound)
                if shape is not None:
                    shape.tested = True

    def _compared(self, node: nodes.Compare, bound: dict[str, Shape]) -> None:
        shape = self._shape(node.expr, bound)
        if shape is None:
            return
        for operand in node.ops:
            match operand:
                case nodes.Operand(op="eq" | "ne", expr=nodes.Const(value=value)):
                    shape.choices.append(value)
                case nodes.Operand(op=op, expr=nodes.List(items=items) | nodes.Tuple(items=items)) if op.endswith("in"):
                    shape.choices += [each.value for each in items if isinstance(each, nodes.Const)]
                case nodes.Operand(op="lt" | "lteq" | "gt" | "gteq", expr=nodes.Const(value=int() | float() as value)):
                    shape.kind = "number"
                    shape.choices += [value - 1, value, value + 1]
