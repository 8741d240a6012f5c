"""Which variables a template needs: found in its syntax, before anything is rendered.

The walk follows the order of execution and knows at each place which names are certainly there: set, a macro, a loop's, or
proven by ``is defined``. A variable is required where it is used without being among them; one that is only tested, or only
given to ``default``, is optional. Includes, layouts, blocks with ``super()`` and imports with context are followed.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches

from attrs import define, field, frozen
from jinja2 import TemplateNotFound, TemplateSyntaxError, nodes

from notifykit.rendering.environment import MarkupEnvironment

__all__ = ["Variables", "find_variables"]

_DEPTH = 50


@frozen
class Variables:
    """The names that a template takes from its variables."""

    required: frozenset[str]
    optional: frozenset[str]

    def without(self, optional: Iterable[str]) -> "Variables":
        """Return it with the names of *optional* no more required."""
        spared = self.required & frozenset(optional)
        return Variables(self.required - spared, self.optional | spared)


def find_variables(environment: MarkupEnvironment, name: str) -> Variables:
    """Return what the template of this full name needs, having compiled it and all that it refers to by a constant name.

    Raises: jinja2's TemplateSyntaxError and TemplateNotFound.
    """
    walk = _Walk(environment)
    walk.template(name, _Known(frozenset(environment.globals)))
    return Variables(frozenset(walk.required), frozenset(walk.mentioned - walk.required))


@define
class _Known:
    """The names that are certainly defined at one place; ``shared`` are those that blocks see too."""

    names: frozenset[str]
    shared: frozenset[str] | None = None

    def plus(self, names: Iterable[str]) -> "_Known":
        more = frozenset(names)
        return _Known(self.names | more, None if self.shared is None else self.shared | more)

    def inner(self, names: Iterable[str] = ()) -> "_Known":
        """Return what an inner scope knows, whose own names blocks do not see."""
        return _Known(self.names | frozenset(names), self.shared)

    def for_block(self, scoped: bool) -> "_Known":
        names = self.names if scoped or self.shared is None else self.shared
        return _Known(names | {"self", "super"}, self.shared)


@define
class _Walk:
    environment: MarkupEnvironment
    required: set[str] = field(factory=set)
    mentioned: set[str] = field(factory=set)
    _path: tuple[str, ...] = ()
    _blocks: dict[str, list[tuple[str, nodes.Block]]] = field(factory=dict)

    def template(self, name: str, known: _Known) -> None:
        """Walk a whole template, up to its layouts."""
        if name in self._path or len(self._path) > _DEPTH:
            return
        path, blocks = self._path, self._blocks
        self._path, self._blocks = (*path, name), {}
        try:
            known = _Known(known.names | {"self"}, known.names | {"self"})
            while name:
                source = self.environment.loader.get_source(self.environment, name)[0]  # type: ignore[union-attr]
                tree = self.environment.parse(source, name, name.rpartition("|")[2])
                self._check_filters(tree, name)
                self.environment.get_template(name)
                for block in tree.find_all(nodes.Block):
                    self._blocks.setdefault(block.name, []).append((name, block))
                name, known = self._level(tree, name, known)
        finally:
            self._path, self._blocks = path, blocks

    def _level(self, tree: nodes.Template, name: str, known: _Known) -> tuple[str, _Known]:
        """Walk one file; return the name of its layout, if it has one, and what is known there."""
        extends = next((each for each in tree.body if isinstance(each, nodes.Extends)), None)
        if extends is None:
            return "", self._body(tree.body, known)
        for each in tree.body:
            if isinstance(each, nodes.Extends):
                self._expression(each.template, known)
            elif not isinstance(each, nodes.Output | nodes.Block):
                known = self._statement(each, known)
        parents = list(self._constants(extends.template))
        if not parents or parents[0] == self._path[-1]:
            return "", known
        parent = self.environment.join_path(parents[0], name)
        try:
            self.environment.get_template(parent)
        except TemplateNotFound:
            raise self._absent(parents[0], extends) from None
        self._path = (*self._path, parent)
        return ("" if parent in self._path[:-1] else parent), known

    def _body(self, body: Iterable[nodes.Node], known: _Known) -> _Known:
        for each in body:
            known = self._statement(each, known)
        return known

    def _statement(self, node: nodes.Node, known: _Known) -> _Known:
        walk = getattr(self, f"_{type(node).__name__.lower()}", None)
        if walk is not None:
            after: _Known | None = walk(node, known)
            return known if after is None else after
        self._children(node, known)
        return known

    def _children(self, node: nodes.Node, known: _Known) -> None:
        for child in node.iter_child_nodes():
            self._statement(child, known)

    def _expression(self, node: nodes.Node | None, known: _Known) -> None:
        if node is not None:
            self._statement(node, known)

    # names

    def _name(self, node: nodes.Name, known: _Known) -> None:
        if node.ctx == "load" and node.name not in known.names:
            self.required.add(node.name)
            self.mentioned.add(node.name)

    def _nsref(self, node: nodes.NSRef, known: _Known) -> None:
        if node.name not in known.names:
            self.required.add(node.name)

    def _test(self, node: nodes.Test, known: _Known) -> None:
        if node.name in ("defined", "undefined") and isinstance(node.node, nodes.Name):
            self._mention(node.node, known)
        else:
            self._children(node, known)

    def _check_filters(self, tree: nodes.Template, name: str) -> None:
        """Find unknown filters before jinja2 does, whose words do not say what there is."""
        for node in tree.find_all(nodes.Filter):
            if node.name not in self.environment.filters:
                near = get_close_matches(node.name, self.environment.filters, 1, 0.7)
                reason = f"no filter of {self.environment.fragment.markup.value} is named {node.name!r}"
                raise _wrong(f"{reason}; did you mean {near[0]}?" if near else reason, node, name)

    def _filter(self, node: nodes.Filter, known: _Known) -> None:
        guarded = node.name in ("default", "d") and isinstance(node.node, nodes.Name)
        if guarded:
            self._mention(node.node, known)
        for child in node.iter_child_nodes():
            if not (guarded and child is node.node):
                self._statement(child, known)

    def _mention(self, node: nodes.Node | None, known: _Known) -> None:
        if isinstance(node, nodes.Name) and node.name not in known.names:
            self.mentioned.add(node.name)

    # conditions

    def _and(self, node: nodes.And, known: _Known) -> None:
        self._expression(node.left, known)
        self._expression(node.right, known.inner(_proven(node.left, True)))

    def _or(self, node: nodes.Or, known: _Known) -> None:
        self._expression(node.left, known)
        self._expression(node.right, known.inner(_proven(node.left, False)))

    def _condexpr(self, node: nodes.CondExpr, known: _Known) -> None:
        self._expression(node.test, known)
        self._expression(node.expr1, known.inner(_proven(node.test, True)))
        self._expression(node.expr2, known.inner(_proven(node.test, False)))

    def _if(self, node: nodes.If, known: _Known) -> _Known:
        ends = []
        for branch in (node, *node.elif_):
            self._expression(branch.test, known)
            ends.append(self._body(branch.body, known.plus(_proven(branch.test, True))))
            known = known.plus(_proven(branch.test, False))
        ends.append(self._body(node.else_, known))
        names = frozenset.intersection(*(end.names for end in ends))
        shared = None if known.shared is None else frozenset.intersection(*(end.shared or frozenset() for end in ends))
        return _Known(names, shared)

    # scopes

    def _for(self, node: nodes.For, known: _Known) -> None:
        self._expression(node.iter, known)
        inner = known.inner({*_stored(node.target), "loop"})
        self._expression(node.test, inner)
        self._body(node.body, inner.inner(_proven(node.test, True) if node.test else ()))
        self._body(node.else_, known)

    def _assign(self, node: nodes.Assign, known: _Known) -> _Known:
        self._expression(node.node, known)
        self._expression(node.target, known)
        return known.plus(_stored(node.target))

    def _assignblock(self, node: nodes.AssignBlock, known: _Known) -> _Known:
        self._expression(node.filter, known)
        self._body(node.body, known.inner())
        return known.plus(_stored(node.target))

    def _with(self, node: nodes.With, known: _Known) -> None:
        for value in node.values:
            self._expression(value, known)
        self._body(node.body, known.inner(name for target in node.targets for name in _stored(target)))

    def _scope(self, node: nodes.Scope, known: _Known) -> None:
        self._body(node.body, known.inner())

    def _filterblock(self, node: nodes.FilterBlock, known: _Known) -> None:
        self._expression(node.filter, known)
        self._body(node.body, known.inner())

    def _macro(self, node: nodes.Macro, known: _Known) -> _Known:
        known = known.plus([node.name])
        self._callable(node, known)
        return known

    def _callblock(self, node: nodes.CallBlock, known: _Known) -> None:
        self._expression(node.call, known)
        self._callable(node, known)

    def _callable(self, node: nodes.Macro | nodes.CallBlock, known: _Known) -> None:
        own = known.inner(each.name for each in node.args)
        for default in node.defaults:
            self._expression(default, own)
        self._body(node.body, own.inner(["caller", "varargs", "kwargs"]))

    def _block(self, node: nodes.Block, known: _Known) -> None:
        """Walk the block that is shown here, and further ones as far as ``super()`` calls them."""
        for name, block in self._blocks.get(node.name, [("", node)]):
            outer, self._path = self._path, (*self._path, name)
            self._body(block.body, known.for_block(node.scoped))
            self._path = outer
            if not any(isinstance(each, nodes.Name) and each.name == "super" for each in block.find_all(nodes.Name)):
                break

    # other files

    def _include(self, node: nodes.Include, known: _Known) -> None:
        self._expression(node.template, known)
        names = list(self._constants(node.template))
        for name in names:
            try:
                self._refer(name, known if node.with_context else None)
            except TemplateNotFound:
                if not node.ignore_missing and name == names[-1]:
                    raise self._absent(name, node) from None
            else:
                return

    def _import(self, node: nodes.Import, known: _Known) -> _Known:
        self._imported(node, known)
        return known.plus([node.target])

    def _fromimport(self, node: nodes.FromImport, known: _Known) -> _Known:
        self._imported(node, known)
        return known.plus(each if isinstance(each, str) else each[1] for each in node.names)

    def _imported(self, node: nodes.Import | nodes.FromImport, known: _Known) -> None:
        self._expression(node.template, known)
        for name in self._constants(node.template):
            try:
                self._refer(name, known if node.with_context else None)
            except TemplateNotFound:
                raise self._absent(name, node) from None

    def _absent(self, name: str, node: nodes.Node) -> TemplateSyntaxError:
        near = self.environment.near(name)
        if near == name:
            reason = f"it refers to {name!r}, its own name, which means the next file of that name, and that does not exist"
            return _wrong(reason, node, next(each for each in reversed(self._path) if each))
        file = next(each for each in reversed(self._path) if each)
        return _wrong(f"it refers to {name!r}, which does not exist{f'; did you mean {near!r}?' if near else ''}", node, file)

    def _refer(self, name: str, known: _Known | None) -> None:
        full = self.environment.join_path(name, self._path[-1])
        if known is not None:
            self.template(full, known)
        else:
            self.environment.get_template(full)

    @staticmethod
    def _constants(node: nodes.Expr) -> Iterator[str]:
        parts: Sequence[nodes.Node] = node.items if isinstance(node, nodes.List | nodes.Tuple) else [node]
        for each in parts:
            if isinstance(each, nodes.Const):
                yield from (each.value,) if isinstance(each.value, str) else each.value


def _wrong(reason: str, node: nodes.Node, file: str) -> TemplateSyntaxError:
    return TemplateSyntaxError(reason, node.lineno, filename=file.rpartition("|")[2])


def _stored(target: nodes.Node) -> list[str]:
    names = [target] if isinstance(target, nodes.Name) else target.find_all(nodes.Name)
    return [each.name for each in names if each.ctx in ("store", "param")]


_OPPOSITE: Mapping[str, str] = {"defined": "undefined", "undefined": "defined"}


def _proven(test: nodes.Node | None, holds: bool) -> frozenset[str]:
    """Return the names that are certainly defined when *test* turned out as *holds*."""
    if isinstance(test, nodes.Not):
        return _proven(test.node, not holds)
    if isinstance(test, nodes.And if holds else nodes.Or):
        return _proven(test.left, holds) | _proven(test.right, holds)
    if isinstance(test, nodes.Or if holds else nodes.And):
        return _proven(test.left, holds) & _proven(test.right, holds)
    if isinstance(test, nodes.Test) and isinstance(test.node, nodes.Name) and test.name == ("defined" if holds else "undefined"):
        return frozenset([test.node.name])
    return frozenset()
