"""Output that must be JSON, a choice or a regular expression's: what the CPU engine writes is that, whatever the seed, the batch and
the room in the cache, and what cannot be asked for is refused by name."""

import concurrent.futures
import json
import re

from harness import Connection, WireTest, post_bytes
from harness.client import json_body

PERSON = {"type": "object",
          "properties": {"name": {"type": "string", "minLength": 1, "maxLength": 12},
                         "age": {"type": "integer", "minimum": 0, "maximum": 120},
                         "tags": {"type": "array", "items": {"enum": ["a", "b"]}, "minItems": 1, "maxItems": 3},
                         "friend": {"anyOf": [{"type": "null"}, {"$ref": "#"}]}},
          "required": ["name", "age"]}
CODE = r"[A-Z]{2,4}-\d{3}( [a-z]+)?"


class Guided(WireTest):
    def get(self, path):
        with Connection("127.0.0.1", self.port) as client:
            return client.ask(f"GET {path} HTTP/1.1\r\nHost: e\r\n\r\n".encode())

    def ask(self, path="/v1/completions", **fields):
        asked = {"model": "demo", "max_tokens": 200}
        asked.update({"messages": [{"role": "user", "content": "show"}]} if "chat" in path else {"prompt": "show"})
        with Connection("127.0.0.1", self.port) as client:
            return client.ask(post_bytes(path, json_body(**{**asked, **fields})))

    def texts(self, **fields):
        answer = self.ask(**fields)
        self.assertEqual(answer.status, 200, answer)
        return [choice["text"] for choice in answer.json()["choices"]]

    def person(self, text):
        person = json.loads(text)
        at = person
        while at is not None:
            self.assertLessEqual(set(at), {"name", "age", "tags", "friend"}, text)
            self.assertIsInstance(at["name"], str)
            self.assertTrue(1 <= len(at["name"]) <= 12, text)
            self.assertIn(at["age"], range(121))
            self.assertLessEqual(set(at.get("tags", [])), {"a", "b"})
            self.assertIn(len(at.get("tags", "x")), (1, 2, 3))
            at = at.get("friend")
        return person

    def test_each_form_of_asking(self):
        self.port = self.real_engine().port
        for fields in ({"response_format": {"type": "json_object"}}, {"guided_json": {"type": "object"}},
                       {"structured_outputs": {"json_object": True}}):
            for choice in self.texts(n=8, seed=3, max_tokens=400, **fields):
                if not choice.endswith("}"):
                    continue  # cut at max_tokens
                self.assertIsInstance(json.loads(choice), dict)
        for fields in ({"response_format": {"type": "json_schema", "json_schema": {"name": "p", "schema": PERSON}}},
                       {"guided_json": PERSON}, {"guided_json": json.dumps(PERSON)}, {"structured_outputs": {"json": PERSON}}):
            answer = self.ask(n=8, seed=5, max_tokens=480, **fields)
            self.assertEqual(answer.status, 200, answer)
            ended = [c for c in answer.json()["choices"] if c["finish_reason"] == "stop"]
            self.assertTrue(ended)
            for choice in ended:
                self.person(choice["text"])
        for fields in ({"guided_choice": ["left", "right", "ahead"]}, {"structured_outputs": {"choice": ["left", "right", "ahead"]}}):
            texts = self.texts(n=30, seed=1, temperature=1.5, **fields)
            self.assertLessEqual(set(texts), {"left", "right", "ahead"})
            self.assertGreater(len(set(texts)), 1, "the model chooses")
        for fields in ({"guided_regex": CODE}, {"structured_outputs": {"regex": CODE}}):
            for text in self.texts(n=8, **fields):
                self.assertRegex(text, f"^{CODE}$")
        compact = self.texts(temperature=0, structured_outputs={"json": {"type": "array", "items": {"const": 1}, "minItems": 3},
                                                                "disable_any_whitespace": True})
        self.assertTrue(compact[0].startswith("[1,1,1"), compact)

    def test_with_everything_else_that_can_be_asked_for(self):
        self.port = self.real_engine().port
        fields = {"guided_regex": CODE, "seed": 11}
        whole = self.texts(**fields)[0]
        # Chat, and a stream of it.
        said = self.ask("/v1/chat/completions", **fields).json()["choices"][0]
        self.assertRegex(said["message"]["content"], f"^{CODE}$")
        self.assertEqual(said["finish_reason"], "stop")
        streamed = self.ask("/v1/chat/completions", stream=True, **fields).body.decode()
        pieces = [json.loads(line[6:]) for line in streamed.splitlines() if line.startswith("data: {")]
        self.assertEqual("".join(p["choices"][0]["delta"].get("content", "") for p in pieces), said["message"]["content"])
        # Logprobs tell of tokens that were allowed; the others are as good as impossible.
        answer = self.ask(logprobs=5, guided_choice=["yes", "no"], temperature=0).json()["choices"][0]
        for chosen, top in zip(answer["logprobs"]["token_logprobs"], answer["logprobs"]["top_logprobs"]):
            self.assertGreater(chosen, -9999)
            self.assertAlmostEqual(max(top.values()), chosen, places=4)
        # Limits cut, stop strings stop, and no other field breaks the constraint.
        cut = self.ask(max_tokens=3, **fields).json()["choices"][0]
        self.assertEqual(cut["finish_reason"], "length")
        self.assertTrue(whole.startswith(cut["text"]), (whole, cut))
        self.assertEqual(self.texts(stop="-", **fields)[0], whole.split("-")[0])
        self.assertEqual(self.texts(guided_choice=["yes"], min_tokens=12, max_tokens=20), ["yes"])
        self.assertEqual(self.texts(guided_choice=["yes"], logit_bias={"65": -100, "89": -100}, repetition_penalty=1.9), ["yes"])
        # An adapter-free batch of constrained and free requests: each says what it says alone.
        requests = [dict(seed=i, max_tokens=40, **({"guided_json": PERSON} if i % 3 == 0 else {"guided_regex": CODE} if i % 3 == 1 else {}))
                    for i in range(24)]
        alone = [self.texts(**request) for request in requests]
        with concurrent.futures.ThreadPoolExecutor(12) as pool:
            self.assertEqual(list(pool.map(lambda request: self.texts(**request), requests)), alone)

    def test_words_that_may_not_be_said(self):
        self.port = self.real_engine().port
        free = self.texts(temperature=0, max_tokens=30)[0]
        word = next(word for word in free.split() if word.isalpha())
        self.assertNotIn(word, self.texts(temperature=0, max_tokens=30, bad_words=[word])[0].split())
        self.assertEqual(self.ask(bad_words=[""]).status, 400)

    def test_a_preempted_sequence_finds_its_place_again(self):
        self.port = self.real_engine("--num-gpu-blocks-override", "24", "--max-model-len", "256", "--no-enable-prefix-caching").port
        pattern = "([a-z]{3} ){40}end"
        alone = [self.texts(guided_regex=pattern, seed=40 + i)[0] for i in range(6)]
        self.assertEqual(self.texts(guided_regex=pattern, seed=40, n=6), alone)
        for text in alone:
            self.assertIsNotNone(re.match("^([a-z]{3} )+", text), text)
        preempted = re.search(r"^vllm:num_preemptions_total\{[^}]*\} (\S+)", self.get("/metrics").body.decode(), re.M)
        self.assertGreater(float(preempted.group(1)), 0)

    def test_what_cannot_be_followed_is_refused_by_name(self):
        self.port = self.real_engine().port
        for fields, words in (
                ({"guided_grammar": "root ::= x"}, "guided_grammar is not supported"),
                ({"structured_outputs": {"grammar": "root ::= x"}}, "structured_outputs.grammar is not supported"),
                ({"structured_outputs": {}}, "You must use one kind"),
                ({"guided_regex": "a", "guided_choice": ["a"]}, "only use one kind"),
                ({"response_format": {"type": "structural_tag"}}, "structural_tag"),
                ({"response_format": {"type": "json_schema"}}, "Field required"),
                ({"guided_json": {"properties": {"a": {"not": {}}}}}, "guided_json: properties.a.not is not supported"),
                ({"guided_json": "{"}, "is not JSON"),
                ({"guided_json": {"$ref": "#"}}, "no output can satisfy it"),
                ({"guided_regex": "(?=a)b"}, "look-around"),
                ({"guided_regex": "((a?){2000}){2000}"}, "too ambiguous"),
                ({"guided_json": {"type": "string", "maxLength": 10**12}}, "too large"),
                ({"guided_choice": []}, "at least one"),
                ({"guided_choice": "a"}, "valid list")):
            answer = self.ask(**fields)
            self.assertEqual(answer.status, 400, (fields, answer))
            self.assertIn(words, answer.json()["error"]["message"])
        self.assertEqual(self.texts(guided_choice=["fine"]), ["fine"])

    def test_simulated_answers_keep_to_it_too(self):
        self.port = self.real_engine("--simulate=instant", model="demo").port
        self.person(self.texts(guided_json=PERSON)[0])
        self.assertRegex(self.texts(guided_regex=CODE)[0], f"^{CODE}$")
        self.assertIn(self.texts(guided_choice=["left", "right"])[0], ("left", "right"))
        json.loads(self.texts(response_format={"type": "json_object"})[0])
