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
_NOTES: Final = frozenset({"type", "title", "description", "$comment", "default", "examples"})


def reworded(schema: dict[str, Any], *, exact: bool) -> dict[str, Any]:
    """A schema whose every part the compiler may take.

    Args:
        schema: The schema, no deeper than Python can walk.
        exact: Whether its meaning stays whole; else patterns that can't be enforced are left out.
    """
    return _Rewording(schema, exact=exact).part(schema)


class _Rewording:
    def __init__(self, whole: Mapping[str, Any], *, exact: bool) -> None:
        self._whole = whole
        self._exact = exact

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
        elif names.keys() - _NOTES == {"pattern"} and not known:
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
