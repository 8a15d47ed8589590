"""The engine and bad input: files that are no model are refused by name at the start, requests get vLLM's status and words,
an adapter that cannot be used costs only who asks for it, and the process lives on."""

import json
import pathlib
import shutil
import struct
import subprocess

from harness import Connection, WireTest, post_bytes, settings
from harness.client import json_body

DEMO = settings.DEMO_MODEL
SQL = settings.ROOT / "examples/models/adapters/sql-lora"


def split_safetensors(data):
    size = struct.unpack("<Q", data[:8])[0]
    return json.loads(data[8:8 + size]), data[8 + size:]


def join_safetensors(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


class EngineMistakes(WireTest):
    def copy(self, source, name):
        folder = pathlib.Path(self.folder) / name
        shutil.copytree(source, folder)
        return folder

    def edit_json(self, path, **fields):
        content = json.loads(path.read_text())
        content.update(fields)
        path.write_text(json.dumps({key: value for key, value in content.items() if value != "-"}))

    def edit_tensors(self, path, change):
        header, data = split_safetensors(path.read_bytes())
        path.write_bytes(join_safetensors(*change(header, data)))

    def refused(self, folder, *words, flags=()):
        """The engine does not start, and says why in one line."""
        done = subprocess.run([settings.BINARY, "engine", "--model", folder, "--port", "0", *flags], capture_output=True,
                              timeout=60)
        error = done.stderr.decode()  # which is UTF-8 whatever the files hold
        self.assertEqual(done.returncode, 2, error[-500:])
        self.assertEqual(len(error.strip().splitlines()), 1, error[-500:])
        for word in words:
            self.assertIn(word, error)

    def serve(self, *flags, **options):
        self.process = self.real_engine(*flags, **options)
        return self.process.port

    def ask(self, port, path, body):
        with Connection("127.0.0.1", port) as client:
            return client.ask(post_bytes(path, body))

    def lives(self, port):
        self.assertTrue(self.process.alive(), self.process.log())
        answer = self.ask(port, "/v1/completions", json_body(model="demo", prompt="show", max_tokens=2, temperature=0))
        self.assertEqual(answer.status, 200, answer)

    # Models

    def test_safetensors_that_are_cut_overlap_or_lie(self):
        def overlapping(header, data):
            names = [name for name in header if name != "__metadata__"]
            first, second = sorted(names, key=lambda name: header[name]["data_offsets"])[:2]
            begin, end = header[second]["data_offsets"]
            header[second]["data_offsets"] = [begin - 2, end - 2]
            return header, data

        def huge(header, data):
            header["model.norm.weight"]["shape"] = [2**62, 8]
            return header, data

        folder = self.copy(DEMO, "cut")
        weights = folder / "model.safetensors"
        whole = weights.read_bytes()
        weights.write_bytes(whole[:-1000])
        self.refused(folder, "model.safetensors", "cut or half downloaded")
        weights.write_bytes(whole[:5])
        self.refused(folder, "model.safetensors", "too short")
        weights.write_bytes(struct.pack("<Q", 2**63) + whole[8:])
        self.refused(folder, "model.safetensors", "header")
        weights.write_bytes(whole[:8] + b"\xff\xfe{" + whole[11:])
        self.refused(folder, "model.safetensors")
        weights.write_bytes(b"")
        self.refused(folder, "model.safetensors")
        for change in (overlapping, huge):
            weights.write_bytes(whole)
            self.edit_tensors(weights, change)
            self.refused(folder, "model.safetensors")
        weights.unlink()
        self.refused(folder, str(folder))

    def test_shapes_that_do_not_fit_the_configuration(self):
        folder = self.copy(DEMO, "shapes")
        self.edit_json(folder / "config.json", intermediate_size=353)
        self.refused(folder, "mlp")

        def renamed(header, data):
            header["model.norm.weigth"] = header.pop("model.norm.weight")
            return header, data

        folder = self.copy(DEMO, "names")
        self.edit_tensors(folder / "model.safetensors", renamed)
        self.refused(folder, "model.norm.weight")

    def test_configurations_that_cannot_be(self):
        for name, fields, words in (
            ("architecture", {"architectures": ["MambaForCausalLM"], "model_type": "mamba"}, ("config.json", "names MambaForCausalLM")),
            ("heads", {"num_key_value_heads": 3}, ("config.json", "num_key_value_heads")),
            ("zero", {"hidden_size": 0}, ("config.json", "hidden_size")),
            ("negative", {"num_hidden_layers": -4}, ("config.json", "num_hidden_layers")),
            ("vast", {"vocab_size": 2**60}, ("vocab_size",)),
            ("rope", {"rope_scaling": {"rope_type": "spiral", "factor": 2}}, ("config.json", "spiral")),
            ("act", {"hidden_act": "gelu"}, ("config.json", "gelu")),
        ):
            with self.subTest(name):
                folder = self.copy(DEMO, name)
                self.edit_json(folder / "config.json", **fields)
                self.refused(folder, *words)
        folder = self.copy(DEMO, "json")
        (folder / "config.json").write_bytes(b'{"architectures": ["\xff')
        self.refused(folder, "config.json")
        (folder / "config.json").write_bytes(b"[" * 100_000)
        self.refused(folder, "config.json")
        (folder / "config.json").unlink()
        self.refused(folder, "config.json")
        self.refused(pathlib.Path(self.folder) / "nowhere", "nowhere")

    def test_tokenizers_and_templates_that_cannot_be(self):
        folder = self.copy(DEMO, "tokenizer")
        (folder / "tokenizer.json").write_text('{"model": {"type": "Unigram", "vocab": []}}')
        self.refused(folder, "tokenizer.json")
        (folder / "tokenizer.json").write_text('{"model": ')
        self.refused(folder, "tokenizer.json")
        (folder / "tokenizer.json").unlink()
        self.refused(folder, "tokenizer.json")
        folder = self.copy(DEMO, "template")
        self.edit_json(folder / "tokenizer_config.json", chat_template="{% for m in messages %}")
        self.refused(folder, "template")
        self.refused(DEMO, "--chat-template", flags=("--chat-template", "/no/such/file"))

    # Requests

    def test_requests_get_vllms_status_and_the_process_lives_on(self):
        port = self.serve()
        cases = (
            # body, status, type, words
            ({"prompt": "word " * 600}, 400, "BadRequestError", "maximum context length"),
            ({"prompt": "x", "max_tokens": 600}, 400, "BadRequestError", "maximum context length"),
            ({"prompt": "", "add_special_tokens": False}, 400, "BadRequestError", "empty"),
            ({"prompt": []}, 400, None, ""),
            ({"prompt": [1, -1]}, 400, None, ""),
            ({"prompt": [99999]}, 400, None, ""),
            ({"prompt": {"a": 1}}, 400, None, ""),
            ({}, 400, "Bad Request", "prompt"),
            ({"prompt": "x", "n": 10**9}, 400, "BadRequestError", "n must be"),
            ({"prompt": "x", "n": 10**30}, 400, None, ""),
            ({"prompt": "x", "n": 0}, 400, "BadRequestError", "n must be at least 1"),
            ({"prompt": "x", "n": -3}, 400, "BadRequestError", "n must be at least 1"),
            ({"prompt": "x", "n": 2, "temperature": 0}, 400, "BadRequestError", "greedy"),
            ({"prompt": "x", "temperature": -0.5}, 400, "BadRequestError", "temperature must be non-negative"),
            ({"prompt": "x", "temperature": "hot"}, 400, "Bad Request", "temperature"),
            ({"prompt": "x", "temperature": 1e400}, 400, None, ""),
            ({"prompt": "x", "top_p": 0}, 400, "BadRequestError", "top_p must be in (0, 1]"),
            ({"prompt": "x", "top_p": 1.5}, 400, "BadRequestError", "top_p must be in (0, 1]"),
            ({"prompt": "x", "top_k": -2}, 400, "BadRequestError", "top_k"),
            ({"prompt": "x", "min_p": 2}, 400, "BadRequestError", "min_p must be in [0, 1]"),
            ({"prompt": "x", "presence_penalty": 3}, 400, "BadRequestError", "presence_penalty must be in [-2, 2]"),
            ({"prompt": "x", "frequency_penalty": -3}, 400, "BadRequestError", "frequency_penalty must be in [-2, 2]"),
            ({"prompt": "x", "repetition_penalty": 0}, 400, "BadRequestError", "repetition_penalty must be greater than zero"),
            ({"prompt": "x", "max_tokens": 0}, 400, "BadRequestError", "max_tokens must be at least 1"),
            ({"prompt": "x", "max_tokens": -1}, 400, "BadRequestError", "max_tokens must be at least 1"),
            ({"prompt": "x", "min_tokens": 5, "max_tokens": 4}, 400, "BadRequestError", "min_tokens must be less than or equal"),
            ({"prompt": "x", "logprobs": 10**6}, 400, "BadRequestError", "max allowed: 20"),
            ({"prompt": "x", "logprobs": -2}, 400, "BadRequestError", "logprobs"),
            ({"prompt": "x", "logit_bias": {"99999": 1}}, 400, "BadRequestError", "out-of-vocab"),
            ({"prompt": "x", "logit_bias": {"x": 1}}, 400, "BadRequestError", "logit_bias"),
            ({"prompt": "x", "allowed_token_ids": []}, 400, "BadRequestError", "allowed_token_ids"),
            ({"prompt": "x", "stop": [""]}, 400, "BadRequestError", "stop cannot contain an empty string"),
            ({"prompt": "x", "stream_options": {"include_usage": True}}, 400, "BadRequestError", "stream=True"),
            ({"prompt": "x", "prompt_logprobs": 1, "stream": True}, 400, "BadRequestError", "prompt_logprobs"),
            ({"prompt": "x", "suffix": "y"}, 400, "BadRequestError", "suffix"),
            ({"prompt": "x", "use_beam_search": True}, 400, "BadRequestError", "use_beam_search"),
            ({"prompt": "x", "model": "sql-lora-17"}, 404, "NotFoundError", "The model `sql-lora-17` does not exist."),
            ({"prompt": "x", "model": "a" * 100_000}, 404, "NotFoundError", "does not exist"),
        )
        for body, status, kind, words in cases:
            with self.subTest(body=str(body)[:80]):
                answer = self.ask(port, "/v1/completions", json.dumps({"model": "demo", **body}))
                self.assert_openai_error(answer, status, status)
                self.assertLess(len(answer.body), 4096)
                if kind:
                    self.assertEqual(answer.json()["error"]["type"], kind)
                self.assertIn(words, answer.json()["error"]["message"])
        self.lives(port)

    def test_bodies_that_are_no_requests(self):
        port = self.serve()
        for body in (b"", b"{", b"[]", b"null", b'"text"', b'{"model": "demo", "prompt": "\xff\xfe"}', b"\x00", b"[" * 100_000,
                     b'{"prompt": "\\ud800"}', b'{"a":' * 5000 + b"1" + b"}" * 5000, b'{"prompt": 1e999}'):
            for path in ("/v1/completions", "/v1/chat/completions", "/tokenize", "/detokenize"):
                with self.subTest(body=body[:30], path=path):
                    answer = self.ask(port, path, body)
                    self.assert_openai_error(answer, 400, 400)
                    self.assertLess(len(answer.body), 4096)
                    answer.body.decode()
        self.lives(port)

    def test_conversations_that_no_template_takes(self):
        port = self.serve()
        cases = (
            ({"messages": [{"role": "oracle", "content": "x"}]}, "role oracle is unknown"),  # the template raises
            ({"messages": []}, "empty"),
            ({"messages": "hello"}, "list"),
            ({"messages": [{"content": "x"}]}, "Field required"),
            ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]}, "text only"),
            ({"messages": [{"role": "user", "content": "x"}], "chat_template": "{{ raise_exception('not today') }}"}, "not today"),
            ({"messages": [{"role": "user", "content": "x"}], "chat_template": "{% if %}"}, "template"),
            ({"messages": [{"role": "user", "content": "x"}],
              "chat_template": "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"}, ""),
            ({"messages": [{"role": "user", "content": "x"}],
              "chat_template": "{% set ns = namespace(t='x') %}{% for a in range(64) %}{% set ns.t = ns.t + ns.t %}{% endfor %}"}, ""),
            ({"messages": [{"role": "user", "content": "x" * 3000}]}, "maximum context length"),
            ({"messages": [{"role": "user", "content": "x"}], "tools": []}, "tools"),
            ({"messages": [{"role": "user", "content": "x"}], "top_logprobs": 3}, "logprobs"),
            ({"messages": [{"role": "user", "content": "x"}], "add_generation_prompt": True, "continue_final_message": True},
             "Cannot set both"),
        )
        for body, words in cases:
            with self.subTest(body=str(body)[:100]):
                answer = self.ask(port, "/v1/chat/completions", json.dumps({"model": "demo", **body}))
                self.assert_openai_error(answer, 400, 400)
                self.assertIn(words, answer.json()["error"]["message"])
        self.lives(port)

    # Adapters

    def bad_adapters(self):
        """Folders with what is wrong in the words that must name it."""
        rank = self.copy(SQL, "rank")
        self.edit_json(rank / "adapter_config.json", r=64)
        dora = self.copy(SQL, "dora")
        self.edit_json(dora / "adapter_config.json", use_dora=True)
        saved = self.copy(SQL, "saved")
        self.edit_json(saved / "adapter_config.json", modules_to_save=["lm_head"])
        bias = self.copy(SQL, "bias")
        self.edit_json(bias / "adapter_config.json", bias="all")
        kind = self.copy(SQL, "kind")
        self.edit_json(kind / "adapter_config.json", peft_type="IA3")
        cut = self.copy(SQL, "cut-adapter")
        weights = next(cut.glob("*.safetensors"))
        weights.write_bytes(weights.read_bytes()[:-100])
        shape = self.copy(SQL, "shape")

        def turned(header, data):
            name = next(name for name in header if "q_proj.lora_A" in name)
            header[name]["shape"].reverse()
            return header, data

        self.edit_tensors(next(shape.glob("*.safetensors")), turned)
        text = self.copy(SQL, "text")
        (text / "adapter_config.json").write_bytes(b'{"r": 8')
        return ((rank, "rank"), (dora, "DoRA"), (saved, "modules_to_save"), (bias, "bias"), (kind, "IA3"), (cut, "safetensors"),
                (shape, "q_proj"), (text, "adapter_config.json"))

    def test_an_adapter_that_cannot_be_loaded_is_an_error_of_its_own(self):
        port = self.serve("--enable-lora", "--max-loras", "2", "--max-lora-rank", "16", "--lora-modules", f"good={SQL}",
                          env={"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"})
        for folder, words in self.bad_adapters():
            with self.subTest(folder.name):
                answer = self.ask(port, "/v1/load_lora_adapter", json_body(lora_name=folder.name, lora_path=str(folder)))
                self.assert_openai_error(answer, 500, 500)
                self.assertIn(words, answer.json()["error"]["message"])
                # It is not there afterwards, and the good one is.
                gone = self.ask(port, "/v1/completions", json_body(model=folder.name, prompt="x", max_tokens=1))
                self.assert_openai_error(gone, 404, 404)
        cases = (({"lora_name": "n", "lora_path": "/no/such/folder"}, 404), ({"lora_name": "n"}, 400), ({"lora_path": "/x"}, 400),
                 ({"lora_name": "good", "lora_path": str(SQL)}, 400))
        for body, status in cases:
            self.assert_openai_error(self.ask(port, "/v1/load_lora_adapter", json.dumps(body)), status, status)
        self.assert_openai_error(self.ask(port, "/v1/unload_lora_adapter", json_body(lora_name="nobody")), 404, 404)
        answer = self.ask(port, "/v1/completions", json_body(model="good", prompt="x", max_tokens=2))
        self.assertEqual(answer.status, 200, answer)
        self.lives(port)

    def test_a_bad_adapter_of_the_command_line_costs_only_who_asks_for_it(self):
        (rank, _), *_ = self.bad_adapters()
        port = self.serve("--enable-lora", "--max-loras", "2", "--max-lora-rank", "16", "--lora-modules", f"good={SQL}",
                          f"bad={rank}", "gone=/no/such/folder")
        for name in ("bad", "gone"):
            answer = self.ask(port, "/v1/completions", json_body(model=name, prompt="x", max_tokens=1))
            self.assertIn(answer.status, (400, 404, 500), answer)
            self.assert_openai_error(answer, answer.status, answer.status)
        answer = self.ask(port, "/v1/completions", json_body(model="good", prompt="x", max_tokens=2))
        self.assertEqual(answer.status, 200, answer)
        self.lives(port)
