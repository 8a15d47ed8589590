"""Makes models, adapters and tokenizers with the reference libraries, and what those say about them.

    make_peers.py models FOLDER       transformers + peft: FOLDER/<family>/{config.json,...}, <family>-lora, answers.json
    make_peers.py tokenizers FOLDER COUNT   tokenizers: FOLDER/<kind>/tokenizer.json, strings.json with the ids of COUNT strings,
                                      and a model of one small layer so that an engine starts there
    make_peers.py recorded FOLDER     tokenizers: FOLDER/<kind>.json, small, for the unit test of engine/tokenizer

Runs under build/engine-venv. Everything is random from fixed seeds; nothing is fetched.
"""

import json
import pathlib
import random
import sys

DEMO = pathlib.Path(__file__).resolve().parents[2] / "examples/models/demo-llama"
SHAPE = dict(hidden_size=64, intermediate_size=112, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2,
             max_position_embeddings=256, vocab_size=512, rms_norm_eps=1e-5, initializer_range=0.2, tie_word_embeddings=False,
             bos_token_id=1, eos_token_id=2)
LLAMA3 = dict(rope_type="llama3", rope_theta=500000.0, factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
              original_max_position_embeddings=64)
YARN = dict(rope_type="yarn", rope_theta=10000.0, factor=4.0, original_max_position_embeddings=64)


def families(t):
    return {
        "llama": (t.LlamaForCausalLM, t.LlamaConfig(**SHAPE)),
        "llama3": (t.LlamaForCausalLM, t.LlamaConfig(**SHAPE, rope_parameters=LLAMA3)),
        "qwen2": (t.Qwen2ForCausalLM, t.Qwen2Config(**SHAPE)),
        "qwen2yarn": (t.Qwen2ForCausalLM, t.Qwen2Config(**SHAPE, rope_parameters=YARN)),
        "qwen3": (t.Qwen3ForCausalLM, t.Qwen3Config(**SHAPE, head_dim=24)),
        "mistral": (t.MistralForCausalLM, t.MistralConfig(**SHAPE, sliding_window=24)),
    }


def models(folder):
    import peft
    import torch
    import transformers

    torch.manual_seed(1)
    torch.set_num_threads(1)
    draw = random.Random(2)
    answers = {}
    for name, (kind, config) in families(transformers).items():
        config._attn_implementation = "eager"
        model = kind(config).eval()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.dim() == 1:
                    parameter.add_(0.2 * torch.randn_like(parameter))
        model.save_pretrained(folder / name)
        for file in ("tokenizer.json", "tokenizer_config.json"):
            (folder / name / file).write_bytes((DEMO / file).read_bytes())
        prompt = [draw.randrange(5, 500) for _ in range(40)]
        answers[name] = say(torch, model, prompt)
        lora = peft.LoraConfig(r=8, lora_alpha=12, target_modules="all-linear", init_lora_weights=False, task_type="CAUSAL_LM")
        adapted = peft.get_peft_model(model, lora).eval()
        with torch.no_grad():
            for key, parameter in adapted.named_parameters():
                if "lora_" in key:
                    parameter.copy_(0.1 * torch.randn_like(parameter))
        adapted.save_pretrained(folder / f"{name}-lora")
        answers[f"{name}-lora"] = say(torch, adapted, prompt)
    (folder / "answers.json").write_text(json.dumps(answers))


def say(torch, model, prompt, count=64):
    """Greedy tokens and the log-probability of each, by whole passes without a cache."""
    tokens, chosen = list(prompt), []
    with torch.no_grad():
        for _ in range(count):
            last = torch.log_softmax(model(torch.tensor([tokens]), use_cache=False).logits[0, -1].float(), -1)
            best = int(last.argmax())
            tokens.append(best)
            chosen.append(float(last[best]))
    return {"prompt": prompt, "tokens": tokens[len(prompt):], "logprobs": chosen}


LLAMA3_CUT = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
              r"\s+(?!\S)|\s+")
QWEN2_CUT = LLAMA3_CUT.replace(r"\p{N}{1,3}", r"\p{N}")
RANGES = [(32, 126)] * 6 + [(0xA0, 0x24F), (0x370, 0x3FF), (0x400, 0x4FF), (0x590, 0x5FF), (0x600, 0x6FF), (0x900, 0x97F),
          (0xE00, 0xE7F), (0x1100, 0x11FF), (0x3040, 0x30FF), (0x4E00, 0x9FFF), (0xAC00, 0xD7A3), (0x300, 0x36F),
          (0x2000, 0x206F), (0x1F300, 0x1FAFF), (0x1F1E6, 0x1F1FF), (0x20000, 0x2A6DF), (0x660, 0x669), (0x2150, 0x218F)]
WORDS = ["don't", "WE'LL", "I'm", "they'Ve", "12345", "3.14", "\n", "\n\n", "\r\n", "\t", "  ", "    ", " \n ", "naïve", "e\u0301",
         "日本語", "안녕", "Привет", "שלום", "مرحبا", "👩‍👩‍👧‍👦", "🇩🇪", "é", "ﬁ", "½", "x²", "<s>", "</s>", "SELECT", "**", "...", "\u00a0", "\u200d"]


def strings(count):
    draw = random.Random(3)
    made = [""]
    while len(made) < count:
        parts = []
        for _ in range(draw.randrange(1, 12)):
            if draw.random() < 0.4:
                parts.append(draw.choice(WORDS))
            else:
                low, high = draw.choice(RANGES)
                parts.append("".join(chr(draw.randint(low, high)) for _ in range(draw.randrange(1, 6))))
            if draw.random() < 0.5:
                parts.append(" " * draw.randrange(1, 3))
        made.append("".join(parts))
    return made


def train(merges):
    """One tokenizer of each kind, with about that many merges."""
    import tokenizers as t
    from tokenizers import decoders, models as m, normalizers, pre_tokenizers, trainers

    corpus = strings(3000)[1500:] + ["the quick brown fox jumps over the lazy dog in 1999 and 2024"] * 50

    def byte_level(cut, normalizer):
        made = t.Tokenizer(m.BPE())
        if normalizer:
            made.normalizer = normalizer
        made.pre_tokenizer = pre_tokenizers.Sequence([
            pre_tokenizers.Split(t.Regex(cut), "isolated"), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])
        made.decoder = decoders.ByteLevel()
        made.train_from_iterator(corpus, trainers.BpeTrainer(
            vocab_size=258 + merges, special_tokens=["<s>", "</s>"], initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False))
        return made

    def llama2():
        made = t.Tokenizer(m.BPE(byte_fallback=True, unk_token="<unk>", fuse_unk=True))
        made.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
        made.train_from_iterator(corpus, trainers.BpeTrainer(
            vocab_size=409 + merges, special_tokens=["<unk>", "<s>", "</s>"] + [f"<0x{b:02X}>" for b in range(256)],
            limit_alphabet=150, show_progress=False))
        made.decoder = decoders.Sequence([decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(),
                                          decoders.Strip(" ", 1, 0)])
        text = json.loads(made.to_str())
        text["added_tokens"] = [a for a in text["added_tokens"] if not a["content"].startswith("<0x")]
        return t.Tokenizer.from_str(json.dumps(text))

    return {"llama3": byte_level(LLAMA3_CUT, None), "qwen2": byte_level(QWEN2_CUT, normalizers.NFC()), "llama2": llama2()}


def tokenizers(folder, count):
    import transformers

    texts = strings(count)
    for name, made in train(1200).items():
        place = folder / name
        place.mkdir(parents=True)
        small = transformers.LlamaConfig(**{**SHAPE, "num_hidden_layers": 1, "vocab_size": 2048})
        transformers.LlamaForCausalLM(small).save_pretrained(place)
        made.save(str(place / "tokenizer.json"))
        (place / "tokenizer_config.json").write_text('{"bos_token": "<s>", "eos_token": "</s>"}')
        ids = [made.encode(s, add_special_tokens=False).ids for s in texts]
        (place / "strings.json").write_text(json.dumps({
            "strings": texts, "ids": ids,
            "decoded": [made.decode(i, skip_special_tokens=False) for i in ids]}))


def recorded(folder):
    texts = strings(400)
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in train(250).items():
        ids = [made.encode(s, add_special_tokens=False).ids for s in texts]
        (folder / f"{name}.json").write_text(json.dumps({"tokenizer": json.loads(made.to_str()), "strings": texts, "ids": ids}))


if __name__ == "__main__":
    target = pathlib.Path(sys.argv[2])
    if sys.argv[1] == "models":
        models(target)
    elif sys.argv[1] == "recorded":
        recorded(target)
    else:
        tokenizers(target, int(sys.argv[3]))
