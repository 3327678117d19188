"""What texts of SmolLM2 are held to in these tests."""

import re
from typing import Any

PERSON: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1, "maxLength": 20},
        "age": {"type": "integer", "minimum": 0, "maximum": 120},
        "tags": {"type": "array", "items": {"type": "string", "maxLength": 8}, "maxItems": 2},
    },
    "required": ["name", "age", "tags"],
    "additionalProperties": False,
}
SCHEMAS: dict[str, dict[str, Any]] = {
    "person": PERSON,
    "couple": {
        "type": "object",
        "properties": {"first": {"$ref": "#/$defs/one"}, "second": {"$ref": "#/$defs/one"}},
        "required": ["first", "second"],
        "additionalProperties": False,
        "$defs": {
            "one": {
                "type": "object",
                "properties": {
                    "married": {"type": "boolean"},
                    "size": {"type": "number", "minimum": 0, "maximum": 3},
                },
                "required": ["married", "size"],
                "additionalProperties": False,
            }
        },
    },
    "choice": {"enum": ["red", "dark green", "blue", None, 7]},
    "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}$"},
    "either": {
        "anyOf": [
            {"type": "array", "items": {"type": "boolean"}, "minItems": 1, "maxItems": 3},
            {
                "type": "object",
                "properties": {"é": {"const": "ü"}},
                "required": ["é"],
                "additionalProperties": False,
            },
        ]
    },
    "date": {"type": "string", "format": "date"},
}
REGEXES = [r"[0-9]{3}-[a-z]{4}", r"(yes|no), (sir|madam)!", r"[A-Z]\w{2,6}", r"🙂{1,3}|é+x"]
GRAMMARS = {
    'root ::= "yes" | "no"': re.compile(r"yes|no"),
    'root ::= word ("-" word){1,2}\nword ::= [a-z]{1,6}': re.compile(r"[a-z]{1,6}(-[a-z]{1,6}){1,2}"),
    'start: NAME "=" /[0-9]{1,4}/\nNAME: /[a-z]{1,5}/': re.compile(r"[a-z]{1,5}=[0-9]{1,4}"),
}


def json_schema(schema: dict[str, Any], *, strict: bool = True) -> dict[str, Any]:
    """OpenAI's ``response_format`` for a schema."""
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": strict}}
