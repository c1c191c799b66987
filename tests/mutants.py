"""Small wrongs for a Python module: each mutant differs from the original in one place of its syntax tree.

Texts for people, annotations and docstrings are left alone: a test of their wording proves nothing.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

COMPARE: dict[type[ast.cmpop], list[type[ast.cmpop]]] = {
    ast.Lt: [ast.LtE, ast.GtE],
    ast.LtE: [ast.Lt, ast.Gt],
    ast.Gt: [ast.GtE, ast.LtE],
    ast.GtE: [ast.Gt, ast.Lt],
    ast.Eq: [ast.NotEq],
    ast.NotEq: [ast.Eq],
    ast.Is: [ast.IsNot],
    ast.IsNot: [ast.Is],
    ast.In: [ast.NotIn],
    ast.NotIn: [ast.In],
}
ARITHMETIC: dict[type[ast.operator], type[ast.operator]] = {ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Add}
TWINS = {"min": "max", "max": "min", "any": "all", "all": "any"}
WORD = re.compile(r"^[a-z][a-z_.]*$")
"""A text that the program reads: a key, a kind, a code. Anything else is for people."""


@dataclass(frozen=True)
class Mutant:
    """One wrong: where it is and what it does. `place` is the top-level statement or `Class.method` that has it."""

    module: str
    place: str
    line: int
    what: str
    number: int


class Mutator(ast.NodeTransformer):
    """Walks a module in a fixed order; makes the wrong of one number, or none and lists them all."""

    def __init__(self, module: str, wanted: int | None = None) -> None:
        self.module, self.wanted = module, wanted
        self.found: list[Mutant] = []
        self._place = ""
        self._inside = 0

    def _wrong(self, node: ast.AST, what: str) -> bool:
        """Count a possible wrong; whether it is the one to make."""
        number = len(self.found)
        self.found.append(Mutant(self.module, self._place, getattr(node, "lineno", 0), what, number))
        return number == self.wanted

    # Where we are

    def visit_Module(self, node: ast.Module) -> ast.AST:
        for number, statement in enumerate(node.body):
            if isinstance(statement, ast.FunctionDef):
                self._place = statement.name
                node.body[number] = self.visit(statement)
            elif isinstance(statement, ast.ClassDef):
                self._methods(statement)
            elif isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                self._place = f"#{number}"
                statement.value = self.visit(statement.value)
        return node

    def _methods(self, owner: ast.ClassDef) -> None:
        for number, part in enumerate(owner.body):
            # What pydantic asks for while the class is made can't be swapped afterwards.
            if isinstance(part, ast.FunctionDef) and not part.name.startswith("__get_pydantic"):
                self._place = f"{owner.name}.{part.name}"
                owner.body[number] = self.visit(part)

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        self._inside += 1
        node.body = list(self._statements(node.body))
        self._inside -= 1
        return node

    def _statements(self, body: list[ast.stmt]) -> Iterator[ast.stmt]:
        for statement in body:
            docstring = isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
            if docstring:
                yield statement
            elif self._removable(statement) and self._wrong(statement, f"removed `{_text(statement)}`"):
                yield ast.copy_location(ast.Pass(), statement)
            else:
                yield self.visit(statement)

    def _removable(self, statement: ast.stmt) -> bool:
        return isinstance(statement, ast.Expr | ast.AugAssign | ast.Raise | ast.Continue | ast.Break | ast.Delete) or (
            isinstance(statement, ast.Assign) and not isinstance(statement.targets[0], ast.Name | ast.Tuple)
        )

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        if node.value is not None:
            node.value = self.visit(node.value)
        return node

    def visit_JoinedStr(self, node: ast.JoinedStr) -> ast.AST:
        return node

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        is_type = isinstance(node.value, ast.Name) and node.value.id in ("Literal", "Annotated")
        return node if is_type else self.generic_visit(node)

    # What goes wrong

    def visit_Return(self, node: ast.Return) -> ast.AST:
        if node.value is None or (isinstance(node.value, ast.Constant) and node.value.value is None):
            return node
        if self._wrong(node, f"returns None instead of `{_text(node.value)}`"):
            node.value = ast.copy_location(ast.Constant(None), node.value)
            return node
        node.value = self.visit(node.value)
        return node

    def visit_If(self, node: ast.If) -> ast.AST:
        for value in (True, False):
            if self._wrong(node, f"`if {_text(node.test)}` always {value}"):
                node.test = ast.copy_location(ast.Constant(value), node.test)
                return node
        node.test = self.visit(node.test)
        node.body = list(self._statements(node.body))
        node.orelse = list(self._statements(node.orelse))
        return node

    def visit_For(self, node: ast.For) -> ast.AST:
        if self._wrong(node, f"loop over `{_text(node.iter)}` left out"):
            node.iter = ast.copy_location(ast.Tuple([], ast.Load()), node.iter)
            return node
        node.iter = self.visit(node.iter)
        node.body = list(self._statements(node.body))
        return node

    def visit_While(self, node: ast.While) -> ast.AST:
        if self._wrong(node, f"`while {_text(node.test)}` left out"):
            node.test = ast.copy_location(ast.Constant(False), node.test)
            return node
        node.test = self.visit(node.test)
        node.body = list(self._statements(node.body))
        return node

    def visit_match_case(self, node: ast.match_case) -> ast.AST:
        node.body = list(self._statements(node.body))
        return node

    def visit_IfExp(self, node: ast.IfExp) -> ast.AST:
        if self._wrong(node, f"branches of `{_text(node)}` swapped"):
            node.body, node.orelse = node.orelse, node.body
            return node
        return self.generic_visit(node)

    def visit_Compare(self, node: ast.Compare) -> ast.AST:
        for place, operator in enumerate(node.ops):
            for other in COMPARE[type(operator)]:
                if self._wrong(node, f"{other.__name__} in `{_text(node)}`"):
                    node.ops[place] = other()
                    return node
        return self.generic_visit(node)

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.AST:
        if self._wrong(node, f"and/or swapped in `{_text(node)}`"):
            node.op = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            return node
        for place, value in enumerate(node.values):
            if self._wrong(value, f"`{_text(value)}` left out of `{_text(node)}`"):
                del node.values[place]
                return node if len(node.values) > 1 else node.values[0]
        return self.generic_visit(node)

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.AST:
        if isinstance(node.op, ast.Not) and self._wrong(node, f"not left out of `{_text(node)}`"):
            return node.operand
        if isinstance(node.op, ast.USub) and self._wrong(node, f"minus left out of `{_text(node)}`"):
            return node.operand
        return self.generic_visit(node)

    def visit_BinOp(self, node: ast.BinOp) -> ast.AST:
        other = ARITHMETIC.get(type(node.op))
        if other is not None and self._wrong(node, f"{other.__name__} in `{_text(node)}`"):
            node.op = other()
            return node
        return self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> ast.AST:
        for place, condition in enumerate(node.ifs):
            if self._wrong(condition, f"`if {_text(condition)}` left out"):
                del node.ifs[place]
                return node
        return self.generic_visit(node)

    def visit_Call(self, node: ast.Call) -> ast.AST:
        if isinstance(node.func, ast.Name) and node.func.id in TWINS:
            twin = TWINS[node.func.id]
            if self._wrong(node, f"{twin} in `{_text(node)}`"):
                node.func.id = twin
                return node
        # What a refusal and an error say is for people.
        for_people = isinstance(node.func, ast.Name) and (node.func.id == "Refused" or node.func.id.endswith("Error"))
        node.args = [self.visit(one) for one in (node.args[:1] if for_people else node.args)] + (
            node.args[1:] if for_people else []
        )
        for keyword in node.keywords:
            keyword.value = self.visit(keyword.value)
        return node

    def visit_Constant(self, node: ast.Constant) -> ast.AST:
        wrong: Any = _other(node.value)
        if wrong is not None and self._wrong(node, f"{wrong!r} instead of {node.value!r}"):
            return ast.copy_location(ast.Constant(wrong), node)
        return node


def _other(value: object) -> object:
    if isinstance(value, bool):
        return not value
    if isinstance(value, int):
        return value + 1
    if isinstance(value, str) and WORD.match(value):
        return f"not_{value}"
    return None


def _text(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:67]}..."


def mutants_of(module: str, source: str) -> list[Mutant]:
    """Every mutant of a module."""
    walk = Mutator(module)
    walk.visit(ast.parse(source))
    return walk.found


def make(mutant: Mutant, source: str) -> ast.Module:
    """The syntax tree of the module with this one wrong."""
    tree = ast.parse(source)
    changed = Mutator(mutant.module, mutant.number).visit(tree)
    return ast.fix_missing_locations(changed)
