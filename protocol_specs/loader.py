"""Reads every YAML document of the project: protocols, scenarios, rotas, directories.

Every error has file, line, column and a remedy; a document is reported with all of its errors at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import TypeAdapter, ValidationError

from protocol.check import check
from protocol.findings import Finding
from protocol.spec import ProtocolSpec
from protocol_specs.located import Located, SpecErrors
from protocol_specs.plain_words import plain_findings
from protocol_specs.yaml_text import LIMITS, Limits, Mark, parse

if TYPE_CHECKING:
    import pathlib
    from collections.abc import Iterable

    from protocol.findings import Path

T = TypeVar("T")
NOT_PROTOCOLS = ("directory", "rota")
"""Documents that lie beside the protocols."""


@dataclass(frozen=True)
class Document:
    """What was read, with the place of each part."""

    file: str
    data: Any
    root: Mark
    limits: Limits = LIMITS

    def place(self, path: Path, about_key: bool = False) -> tuple[int, int]:
        """Line and column, from 1, of a path, or of the nearest part above it that exists.

        A mapping or list stands at its key, a plain value at itself, unless the key is asked for.
        A last name that is not found is looked for further inside: terms of a condition are named so.
        """
        mark = self.root
        for depth, part in enumerate(path, 1):
            inner = mark.inner.get(part) or (_inside(mark, part) if depth == len(path) else None)
            if inner is None:
                about_key = False
                break
            mark = inner
        if about_key or mark.inner:
            return mark.key_line + 1, mark.key_column + 1
        return mark.line + 1, mark.column + 1

    def locate(self, findings: Iterable[Finding]) -> list[Located]:
        """Findings at their lines, in reading order, at most as many as the limits allow."""
        located = [Located(self.file, *self.place(each.path, each.about_key), each) for each in findings]
        located.sort(key=lambda each: (each.line, each.column))
        return located[: self.limits.findings]

    def validate(self, model: type[T]) -> T:
        """Build the model. Raises SpecErrors with all that does not fit."""
        adapter: TypeAdapter[T] = TypeAdapter(model)
        try:
            return adapter.validate_python(self.data)
        except ValidationError as error:
            raise SpecErrors(self.locate(plain_findings(error, self.data, model))) from None


def _inside(mark: Mark, name: str | int) -> Mark | None:
    """The first mark of this name below another."""
    for inner in mark.inner.values():
        found = inner.inner.get(name) or _inside(inner, name)
        if found is not None:
            return found
    return None


def read_yaml(text: str | bytes, file: str = "<text>", limits: Limits = LIMITS) -> Document:
    """Read one document. Raises SpecErrors for everything outside the small part of YAML that is allowed."""
    data, root = parse(text, file, limits)
    return Document(file, data, root, limits)


def read_file(path: pathlib.Path, limits: Limits = LIMITS) -> Document:
    """Read a file of one document. Raises SpecErrors, also when there is no such file."""
    return read_yaml(contents(path, limits), str(path), limits)


def contents(path: pathlib.Path, limits: Limits = LIMITS) -> bytes:
    """What stands in a file, and no more of it than shows that it is too large. Raises SpecErrors."""
    if not path.is_file():
        raise _unreadable(path, "there is no such file", "check the name and the folder")
    try:
        with path.open("rb") as stream:
            return stream.read(limits.size + 1)
    except OSError as error:
        raise _unreadable(path, f"the file can't be read: {error.strerror}", "check its permissions") from None


def load(path: pathlib.Path, model: type[T], limits: Limits = LIMITS) -> T:
    """Read a file into a model. Raises SpecErrors."""
    return read_file(path, limits).validate(model)


def load_protocol(path: pathlib.Path) -> ProtocolSpec:
    """Read and check a protocol. Raises SpecErrors with every error; warnings are left to `lint`."""
    document = read_file(path)
    spec = document.validate(ProtocolSpec)
    errors = [finding for finding in check(spec) if finding.severity == "error"]
    if errors:
        raise SpecErrors(document.locate(errors))
    return spec


def _unreadable(path: pathlib.Path, message: str, remedy: str) -> SpecErrors:
    return SpecErrors([Located(str(path), 1, 1, Finding((), message, remedy))])
