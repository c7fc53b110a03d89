"""Checks records against results/schema.json: the part of JSON Schema that this file uses, and an error for any other keyword.

Written here because the report's packages hold no validator; schemas are compiled to closures, 0.1 ms a record.
"""
from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

VERSION = 1
PATH = Path(__file__).resolve().parents[2] / "results" / "schema.json"

Check = Callable[[Any, str], "str | None"]
_ANNOTATIONS = {"$schema", "$defs", "title", "description", "then", "else", "properties"}
_TYPES: dict[str, Callable[[Any], bool]] = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
}


def _at(where: str, what: str) -> str:
    return f"{where}: {what}" if where else what


def _compile_object(schema: dict, root: dict) -> list[Check]:
    checks: list[Check] = []
    properties = {name: _compile(sub, root) for name, sub in schema.get("properties", {}).items()}
    if "required" in schema:
        required = list(schema["required"])
        checks.append(lambda v, w: next((_at(w, f"field '{n}' is missing") for n in required if n not in v), None)
                      if isinstance(v, dict) else None)
    extra = schema.get("additionalProperties", True)
    extra_check = _compile(extra, root) if isinstance(extra, dict) else None

    def each(value: Any, where: str) -> str | None:
        if not isinstance(value, dict):
            return None
        for name, item in value.items():
            check = properties.get(name, extra_check)
            if check is None:
                if extra is False:
                    return _at(where, f"field '{name}' is not in the schema")
                continue
            found = check(item, f"{where}.{name}" if where else name)
            if found:
                return found
        return None

    if properties or "additionalProperties" in schema:
        checks.append(each)
    return checks


def _compile_keyword(key: str, arg: Any, schema: dict, root: dict) -> Check:
    if key == "type":
        names = arg if isinstance(arg, list) else [arg]
        return lambda v, w: None if any(_TYPES[n](v) for n in names) else _at(w, f"is not of type {' or '.join(names)}")
    if key == "const":
        return lambda v, w: None if v == arg and type(v) is type(arg) else _at(w, f"is {v!r}, not {arg!r}")
    if key == "enum":
        return lambda v, w: None if v in arg else _at(w, f"is {v!r}, not one of {', '.join(map(str, arg))}")
    if key == "minimum":
        return lambda v, w: _at(w, f"is {v}, below {arg}") if _TYPES["number"](v) and v < arg else None
    if key == "exclusiveMinimum":
        return lambda v, w: _at(w, f"is {v}, not above {arg}") if _TYPES["number"](v) and v <= arg else None
    if key == "minLength":
        return lambda v, w: _at(w, "is empty") if isinstance(v, str) and len(v) < arg else None
    if key == "items":
        item = _compile(arg, root)
        return lambda v, w: next((e for i, x in enumerate(v) if (e := item(x, f"{w}[{i}]"))), None) if isinstance(v, list) else None
    if key == "allOf":
        parts = [_compile(sub, root) for sub in arg]
        return lambda v, w: next((e for part in parts if (e := part(v, w))), None)
    if key == "if":
        test = _compile(arg, root)
        then, other = _compile(schema.get("then", True), root), _compile(schema.get("else", True), root)
        return lambda v, w: then(v, w) if test(v, w) is None else other(v, w)
    if key == "$ref":
        return _compile(root["$defs"][arg.removeprefix("#/$defs/")], root)
    raise ValueError(f"schema keyword {key!r} is not supported")


def _compile(schema: Any, root: dict) -> Check:
    if schema is True:
        return lambda v, w: None
    if schema is False:
        return lambda v, w: _at(w, "must be absent here")
    checks = [_compile_keyword(key, arg, schema, root) for key, arg in schema.items()
              if key not in _ANNOTATIONS and key not in ("required", "additionalProperties")]
    checks += _compile_object(schema, root)
    return lambda v, w: next((e for check in checks if (e := check(v, w))), None)


@lru_cache(maxsize=None)
def _validator() -> Check:
    root = json.loads(PATH.read_text())
    return _compile(root, root)


def violation(record: Any) -> str | None:
    """What is wrong with a record, in a few words; None if nothing is. The version is looked at first."""
    if not isinstance(record, dict):
        return "is not a JSON object"
    if record.get("schema") != VERSION:
        return f"has schema {record.get('schema')!r}; this analysis reads schema {VERSION}"
    return _validator()(record, "")


def descriptions(name: str) -> dict[str, str]:
    """Field -> description of one of the schema's definitions ("counters", "explain")."""
    return {k: v.get("description", "") for k, v in json.loads(PATH.read_text())["$defs"][name]["properties"].items()}
