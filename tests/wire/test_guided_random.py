"""Schemas and regular expressions made up from a seed: whatever the engine ends satisfies them by an independent reading, a validator
written here and Python's `re`. The seed is printed with what failed."""

import concurrent.futures
import json
import random
import re

from harness import Connection, WireTest, post_bytes
from harness.client import json_body

CASES = 150


def a_schema(rng, depth=0):
    kinds = ["string", "integer", "number", "boolean", "null", "enum", "pattern"] + ["object", "array", "any of", "ref"] * (depth < 3)
    kind = rng.choice(kinds)
    if kind == "string":
        least = rng.randrange(4)
        return {"type": "string", "minLength": least, "maxLength": least + rng.randrange(6)}
    if kind == "integer":
        bounds = sorted((rng.randrange(-10**rng.randrange(1, 7), 10**rng.randrange(1, 7)), rng.randrange(-50, 2000)))
        return {"type": "integer", "minimum": bounds[0], rng.choice(("maximum", "exclusiveMaximum")): bounds[1] + 1}
    if kind == "number":
        return {"type": "number", "minimum": rng.randrange(-30, 0), "maximum": rng.randrange(0, 120)}
    if kind in ("boolean", "null"):
        return {"type": kind}
    if kind == "enum":
        return {"enum": rng.sample(["a", "b\"c", "d\\", "ü", 1, -2.5, None, True, [1, {"x": []}], {}], rng.randrange(1, 5))}
    if kind == "pattern":
        return {"type": "string", "pattern": rng.choice(("^[a-f]{2,4}$", "x", "^q|z$", r"\d\.\d", '"', "^é+$"))}
    if kind == "object":
        names = rng.sample(["a", "ab", "b", "key one", "é", "q\"", "$"], rng.randrange(4))
        made = {"type": "object", "properties": {name: a_schema(rng, depth + 1) for name in names},
                "required": [name for name in names if rng.random() < .6]}
        if rng.random() < .3:
            made["additionalProperties"] = rng.choice((False, {"type": "integer"}))
        return made
    if kind == "array":
        least = rng.randrange(3)
        return {"type": "array", "items": a_schema(rng, depth + 1), "minItems": least, "maxItems": least + rng.randrange(3)}
    if kind == "ref":
        return {"$ref": "#/$defs/leaf"}
    return {"anyOf": [a_schema(rng, depth + 1) for _ in range(rng.randrange(1, 4))]}


LEAF = {"type": ["boolean", "null"]}


def same(a, b):
    return json.dumps(a, sort_keys=True) == json.dumps(b, sort_keys=True)


def is_a(kind, value):
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return {"object": isinstance(value, dict), "array": isinstance(value, list), "string": isinstance(value, str), "null": value is None,
            "boolean": isinstance(value, bool), "number": number, "integer": number and value == int(value)}[kind]


def holds(schema, value):
    """As the JSON Schema specification reads, for what a_schema() makes; `properties` alone allows no others, as the engine has it."""
    if "$ref" in schema:
        return holds(LEAF, value)
    if "anyOf" in schema:
        return any(holds(one, value) for one in schema["anyOf"])
    if "enum" in schema:
        return any(same(one, value) for one in schema["enum"])
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    if not any(is_a(kind, value) for kind in kinds):
        return False
    if isinstance(value, str):
        return schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9) and \
            re.search(schema.get("pattern", ""), value) is not None
    if isinstance(value, list):
        return schema["minItems"] <= len(value) <= schema["maxItems"] and all(holds(schema["items"], item) for item in value)
    if isinstance(value, dict):
        others = schema.get("additionalProperties", False)
        return set(schema["required"]) <= set(value) and all(
            holds(schema["properties"][name], item) if name in schema["properties"] else others is not False and holds(others, item)
            for name, item in value.items())
    if is_a("number", value) and "minimum" in schema:
        return schema["minimum"] <= value <= schema.get("maximum", 10**9) and value < schema.get("exclusiveMaximum", 10**9)
    return True


def a_regex(rng, depth=0):
    made = ""
    for _ in range(rng.randrange(1, 4)):
        atom = rng.choice(["a", "b", "\\.", " ", "é", "[a-e]", "[^a-y\\n]", "\\d", "\\w", "\\s", "."] + ["("] * (2 if depth < 3 else 0))
        if atom == "(":
            atom = rng.choice(("(", "(?:")) + "|".join(a_regex(rng, depth + 1) for _ in range(rng.randrange(1, 4))) + ")"
        made += atom + rng.choice(("", "", "", "?", "{1,3}", "{2}", "+?" if depth == 0 else "?"))
    return made


class RandomGuides(WireTest):
    def setUp(self):
        super().setUp()
        self.port = self.real_engine().port

    def ended(self, fields):
        body = json_body(model="demo", prompt="show", n=3, max_tokens=200, temperature=1.3, **fields)
        with Connection("127.0.0.1", self.port) as client:
            answer = client.ask(post_bytes("/v1/completions", body))
        self.assertEqual(answer.status, 200, (fields, answer))
        return [choice["text"] for choice in answer.json()["choices"] if choice["finish_reason"] == "stop"]

    def play(self, make, field, check):
        first = random.randrange(10**9)
        sources = [make(random.Random(first + i)) for i in range(CASES)]
        with concurrent.futures.ThreadPoolExecutor(6) as pool:
            answers = list(pool.map(lambda i: self.ended({field: sources[i], "seed": first + i}), range(CASES)))
        for i, texts in enumerate(answers):
            for text in texts:
                self.assertTrue(check(sources[i], text), f"seed {first + i}: {sources[i]!r} allowed {text!r}")
        ended = sum(map(len, answers))
        self.assertGreater(ended, CASES, f"seed {first}: only {ended} answers came to an end")

    def test_schemas(self):
        self.play(lambda rng: {**a_schema(rng), "$defs": {"leaf": LEAF}}, "guided_json",
                  lambda schema, text: holds(schema, json.loads(text)))

    def test_regular_expressions(self):
        self.play(a_regex, "guided_regex", lambda regex, text: re.fullmatch(regex, text, re.ASCII) is not None)
