"""JSON schemas said so that the compiler understands them: with the same meaning, or less where that may be.

What pydantic, zod and their like emit has words that llguidance does not know although it can enforce what
they mean.
"""

import re
from collections.abc import Mapping
from typing import Any, Final

OF_MANY: Final = ("properties", "patternProperties", "$defs", "definitions", "dependentSchemas")
OF_LISTS: Final = ("anyOf", "allOf", "oneOf", "prefixItems", "items")
OF_ONE: Final = ("items", "additionalProperties", "contains", "not", "if", "then", "else", "propertyNames")
"""Where schemas stand inside a schema: as values of an object, in a list, alone."""
_STANDARD_FORMATS: Final = frozenset(
    {
        *("date-time", "date", "time", "duration", "email", "idn-email", "hostname", "idn-hostname"),
        *("ipv4", "ipv6", "uri", "uri-reference", "iri", "iri-reference", "uuid", "uri-template"),
        *("json-pointer", "relative-json-pointer", "regex"),
    }
)
"""Those of JSON Schema 2020-12, section 7.3. Any other is a note of the schema's author."""
_LOOKS_AROUND: Final = re.compile(r"\(\?<?[=!]|\\[1-9]|\\k<")
"""Look-around and back references in a regular expression: no automaton has them."""
_JOINED: Final = frozenset(
    {"anyOf", "oneOf", "$ref", "additionalProperties", "patternProperties", "minProperties"}
)
"""What may add properties to those beside it, or ask for more of them."""
_ALL_JOINED: Final = ("allOf", "not", "if", "dependentSchemas", "unevaluatedProperties")
_NOTES: Final = frozenset({"type", "title", "description", "$comment", "default", "examples"})


def reworded(schema: dict[str, Any], *, exact: bool) -> dict[str, Any]:
    """A schema whose every part the compiler may take.

    Objects get no properties but those that are named, unless the schema asks for others: what is written so
    matches it, and weak models invent properties without end.

    Args:
        schema: The schema, no deeper than Python can walk.
        exact: Whether its meaning stays whole; else patterns that can't be enforced are left out.
    """
    return _Rewording(schema, exact=exact).part(schema)


class _Rewording:
    def __init__(self, whole: Mapping[str, Any], *, exact: bool) -> None:
        self._whole = whole
        self._exact = exact
        self._closes = _stands_alone(whole)

    def part(self, schema: dict[str, Any]) -> dict[str, Any]:
        """A part of the schema, and all parts in it."""
        found = {key: self._value(key, value) for key, value in schema.items()}
        form, pattern = found.get("format"), found.get("pattern")
        if isinstance(form, str) and form not in _STANDARD_FORMATS:
            del found["format"]
        if not self._exact and isinstance(pattern, str) and _LOOKS_AROUND.search(pattern):
            del found["pattern"]
        if isinstance(found.get("propertyNames"), dict):
            self._say_names(found)
        if self._closes and _names_all(found):
            found["additionalProperties"] = False
        return found

    def _value(self, key: str, value: Any) -> Any:
        if key in OF_MANY and isinstance(value, dict):
            return {name: self._schema(child) for name, child in value.items()}
        if key in OF_LISTS and isinstance(value, list):
            return [self._schema(child) for child in value]
        return self._schema(value) if key in OF_ONE else value

    def _schema(self, value: Any) -> Any:
        return self.part(value) if isinstance(value, dict) else value

    def _say_names(self, found: dict[str, Any]) -> None:
        """Say which names there may be without ``propertyNames``, where that can be."""
        names = self._resolved(found["propertyNames"])
        known = found.get("properties", {})
        if not names.keys() - _NOTES:
            if names.get("type", "string") == "string":
                del found["propertyNames"]
            return
        listed = [names["const"]] if "const" in names else names.get("enum")
        if "patternProperties" in found or not isinstance(known, dict):
            return
        rest = found.get("additionalProperties", True)
        if names.keys() - _NOTES <= {"enum", "const"} and isinstance(listed, list):
            texts = [name for name in listed if isinstance(name, str)]
            if not known.keys() <= set(texts):
                return
            found["properties"] = {**dict.fromkeys(texts, rest), **known}
        elif names.keys() - _NOTES == {"pattern"} and isinstance(names["pattern"], str) and not known:
            found["patternProperties"] = {names["pattern"]: rest}
        else:
            return
        found["additionalProperties"] = False
        del found["propertyNames"]

    def _resolved(self, names: dict[str, Any]) -> dict[str, Any]:
        """What a reference into the shared definitions means, as pydantic makes them for enums."""
        reference = names.get("$ref")
        if not isinstance(reference, str) or not reference.startswith(("#/$defs/", "#/definitions/")):
            return names
        place, _, name = reference.removeprefix("#/").partition("/")
        shared = self._whole.get(place)
        found = shared.get(name) if isinstance(shared, dict) else None
        return found if isinstance(found, dict) else names


def _stands_alone(schema: Any) -> bool:
    """Whether no object of a schema is described by several parts of it together."""
    if isinstance(schema, list):
        return all(_stands_alone(each) for each in schema)
    if not isinstance(schema, dict):
        return True
    if any(key in schema for key in _ALL_JOINED):
        return False
    if "properties" in schema and schema.keys() & {"anyOf", "oneOf", "$ref"}:
        return False
    return all(_stands_alone(each) for each in schema.values())


def _names_all(schema: dict[str, Any]) -> bool:
    """Whether an object's schema names some properties, and all that it asks for."""
    properties, required = schema.get("properties"), schema.get("required", [])
    if not properties or not isinstance(properties, dict) or not isinstance(required, list):
        return False
    return not schema.keys() & _JOINED and all(
        name in properties for name in required if isinstance(name, str)
    )
