"""JSON Schemas of our models, each field of an element with the text that stands below it in the source.

Read when a schema is asked for: no command shall wait for that each time it begins.
"""

from __future__ import annotations

import ast
import inspect
from itertools import pairwise
from typing import TYPE_CHECKING, Any, cast

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import DEFAULT_REF_TEMPLATE, GenerateJsonSchema, JsonSchemaValue

from protocol.elements import Element

if TYPE_CHECKING:
    from pydantic_core.core_schema import ModelSchema


class _Described(GenerateJsonSchema):
    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        told, model = super().model_schema(schema), cast("type[BaseModel]", schema["cls"])
        for name, text in _texts_below(model).items() if issubclass(model, Element) else ():
            if name in model.model_fields:
                told["properties"][model.model_fields[name].alias or name].setdefault("description", text)
        return told


def described(adapter: TypeAdapter[Any], ref_template: str = DEFAULT_REF_TEMPLATE) -> dict[str, Any]:
    """The JSON Schema of what an adapter reads."""
    return adapter.json_schema(ref_template=ref_template, schema_generator=_Described)


def _texts_below(model: type) -> dict[str, str]:
    """Field → the text below it."""
    (written,) = ast.parse(inspect.getsource(model)).body
    assert isinstance(written, ast.ClassDef)
    return {
        field.target.id: inspect.cleandoc(text.value.value)
        for field, text in pairwise(written.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant) and isinstance(text.value.value, str)
    }
