"""Binding: assignments and deletions, and what they do to the values that are assigned into."""

from __future__ import annotations

from nbdag.analysis import effects, purity
from nbdag.analysis.defuse import tree
from nbdag.analysis.defuse.definitions import Definitions
from nbdag.analysis.defuse.values import NOTHING, UNKNOWN, Value, join

_COLUMNS = frozenset(("pandas.Series", "polars.Series", "pandas.Index", "numpy.ndarray"))


class Assigning(Definitions):
    """Evaluates what binds and unbinds; a statement's method says whether control surely does not go on behind it."""

    def assign(self, target: tree.Expr, value: Value) -> None:
        kind = target.__class__
        if isinstance(target, tree.Name):
            self.bind(target.id, value, target.at)
        elif isinstance(target, tree.Collection):
            self._unpack(target, value)
        elif isinstance(target, tree.Starred):
            self.assign(target.value, Value("list").holding([value]))
        elif isinstance(target, tree.Attribute):
            self._store_attribute(target, value)
        elif isinstance(target, tree.Subscript):
            self._store_item(target, value)
        else:
            raise AssertionError(f"cannot assign to {kind.__name__}")

    def _unpack(self, target: tree.Collection, value: Value) -> None:
        elements = value.elements
        exact = (
            elements is not None
            and len(elements) == len(target.items)
            and not any(isinstance(item, tree.Starred) for item in target.items)
        )
        if exact and elements is not None:
            for item, element in zip(target.items, elements.values(), strict=True):
                self.assign(item, element)
            return
        if value.type in ("generator", "iterator"):
            element = self.iterate(value, self.position(target.items[0]) if target.items else self.statement_at)
        else:
            kind = None if value.type is None else purity.of_attribute(value.type, "[]")
            element = value.part(kind)
        for item in target.items:
            self.assign(item, element)

    def _store_attribute(self, target: tree.Attribute, value: Value) -> None:
        holder = self.silent(target.value)
        at = self.position(target)
        if holder.path and holder.type is None:
            if holder.path == "__main__":
                self.opaque()
            path = purity.canonical(f"{holder.path}.{target.name}")
            if self._store_path(path, at):
                return
        if self.special(holder, "__setattr__", [Value("str"), value]) is None and holder.klass is not None:
            found = holder.klass.find(target.name)
            if found is not None and target.name in found[0].properties and holder.made:
                for setter in found[1].functions[1:]:
                    self.follow_bound(setter, holder, [("", "", value)], holder)
            elif holder.made and not self.deferred:
                kept = Value(value.type, value.path, functions=value.functions, klass=value.klass, made=value.made)
                old = holder.klass.fields.get(target.name)
                holder.klass.fields[target.name] = kept if old is None else join(old, kept)
            elif not self.deferred:
                holder.klass.attributes[target.name] = value
        self.mutate(holder, at)
        self.put_into(holder, [value])

    def _store_item(self, target: tree.Subscript, value: Value) -> None:
        holder = self.silent(target.value)
        index = [self.silent(part) for part in target.index]
        at = self.position(target)
        if holder.path and holder.type is None and self._store_path(holder.path, at):
            return
        self.special(holder, "__setitem__", [*index, value])
        # df["a"] = x puts another column into the frame; the old column is as it was.
        column = holder.type in ("pandas.DataFrame", "polars.DataFrame") and [part.type for part in index] == ["str"]
        self.mutate(holder, at, spared=_COLUMNS if column else NOTHING)
        self.put_into(holder, [value])

    def _store_path(self, path: str, at: int) -> bool:
        rules = effects.of_store(path)
        self.path_effects(rules, path, at)
        return bool(rules)

    # ------------------------------------------------------------------------------------------ statements that bind

    def _assign(self, node: tree.Assign) -> bool:
        value = self._parallel(node) or self.expr(node.value)
        for target in node.targets:
            self.assign(target, value)
        first = node.targets[0]
        if len(node.targets) > 1 and isinstance(first, tree.Name) and not value.immutable and self.frame is None:
            # a = b = []: one object
            held = self.session.get(first.id)
            for target in node.targets[1:]:
                if isinstance(target, tree.Name) and held is not None and not self.deferred:
                    self.session.bind(target.id, held)
                    own = self.session.get(target.id) or held
                    self.session.bind(first.id, Value(held.type, shared=own.own, inner=held.inner, klass=held.klass,
                                                      functions=held.functions, made=held.made))  # fmt: skip
        return False

    def _parallel(self, node: tree.Assign) -> Value | None:
        """``a, b = x, y``: each target gets its own value."""
        source = node.value
        if len(node.targets) != 1 or not isinstance(source, tree.Collection) or source.type not in ("tuple", "list"):
            return None
        target = node.targets[0]
        if not isinstance(target, tree.Collection) or len(target.items) != len(source.items):
            return None
        if any(isinstance(item, tree.Starred) for item in (*target.items, *source.items)):
            return None
        values = [self.expr(item) for item in source.items]
        return Value("tuple", elements={f"\0{number}": value for number, value in enumerate(values)})

    def _augment(self, node: tree.Augment) -> bool:
        target = node.target
        if isinstance(target, tree.Name):
            old = self.read(target.id, target.at)
            value = self.expr(node.value)
            in_place = not old.immutable and not (value.type == "str" and node.operator == "AddAssign")
            if in_place and old.type not in ("tuple", "frozenset"):
                certain = old.type in ("list", "set", "dict", "numpy.ndarray", "torch.Tensor", "pandas.DataFrame")
                if self.special(old, "__iadd__", [value]) is None or not certain:
                    self.mutate(old, target.at, certain=certain)
                self.put_into(old, [value.part() if old.type == "list" else value])
            self.bind(target.id, old if not old.path else UNKNOWN, target.at)
            return False
        self.silent(target)
        value = self.expr(node.value)
        self.assign(target, value.part() if value.type in ("list", "dict") else Value())
        return False

    def _annotate(self, node: tree.Annotate) -> bool:
        if node.value is not None:
            value = self.expr(node.value)
            if not self.lazy_annotations and not self.in_function():
                self.silent(node.annotation)
            self.assign(node.target, value)
            return False
        if not self.lazy_annotations and not self.in_function():
            self.silent(node.annotation)
        if isinstance(node.target, (tree.Attribute, tree.Subscript)):
            self.silent(node.target.value)
        return False

    def _delete(self, node: tree.Delete) -> bool:
        for target in node.targets:
            if isinstance(target, tree.Name):
                value = self.read(target.id, target.at)
                self.doubt += 1
                self.special(value, "__del__", [])
                self.doubt -= 1
                self.delete(target.id, target.at)
            elif isinstance(target, tree.Collection):
                self._delete(tree.Delete(target.items))
            elif isinstance(target, (tree.Attribute, tree.Subscript)):
                holder = self.silent(target.value)
                if isinstance(target, tree.Subscript):
                    index = [self.silent(part) for part in target.index]
                    self.special(holder, "__delitem__", index)
                at = self.position(target)
                path = holder.path if isinstance(target, tree.Subscript) else f"{holder.path}.{target.name}"
                if not (holder.path and self._store_path(path, at)):
                    self.mutate(holder, at)
        return False

    def in_function(self) -> bool:
        return self.frame is not None and self.frame.kind == "function"
