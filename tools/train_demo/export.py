"""Writes the trained arrays as the files a Hugging Face folder and a PEFT adapter folder hold."""

import json
import pathlib
import struct

import numpy as np

import corpus

HF_NAMES = {"q": "self_attn.q_proj", "k": "self_attn.k_proj", "v": "self_attn.v_proj", "o": "self_attn.o_proj",
            "gate": "mlp.gate_proj", "up": "mlp.up_proj", "down": "mlp.down_proj",
            "norm1": "input_layernorm", "norm2": "post_attention_layernorm"}

CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message['role'] == 'system' %}{{ '<|system|>' + message['content'] }}"
    "{% elif message['role'] == 'user' %}{{ '<|user|>' + message['content'] }}"
    "{% elif message['role'] == 'assistant' %}{{ '<|assistant|>' + message['content'] + eos_token }}"
    "{% else %}{{ raise_exception('role ' + message['role'] + ' is unknown; use system, user or assistant') }}"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>' }}{% endif %}")


def to_bf16(array):
    """The upper half of each float32, rounded to nearest even, as uint16."""
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def rounded(array):
    """`array` as it will be read back."""
    return (to_bf16(array).astype(np.uint32) << 16).view(np.float32)


def write_safetensors(path, arrays):
    header, blobs, at = {"__metadata__": {"format": "pt"}}, [], 0
    for name in sorted(arrays):
        blob = to_bf16(arrays[name]).tobytes()
        header[name] = {"dtype": "BF16", "shape": list(arrays[name].shape), "data_offsets": [at, at + len(blob)]}
        blobs.append(blob)
        at += len(blob)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + b"".join(blobs))


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def write_base(folder, shape, weights, tokenizer):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    named = {"model.embed_tokens.weight": weights["embed"], "model.norm.weight": weights["norm"]}
    for key, array in weights.items():
        layer, _, part = key.partition(".")
        if part:
            named[f"model.layers.{layer}.{HF_NAMES[part]}.weight"] = array
    write_safetensors(folder / "model.safetensors", named)
    bos, eos, pad = (tokenizer.ids[t] for t in (corpus.BOS, corpus.EOS, corpus.PAD))
    write_json(folder / "config.json", {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_act": "silu",
        "hidden_size": shape.hidden, "intermediate_size": shape.inner, "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads, "num_key_value_heads": shape.kv_heads, "head_dim": shape.head_dim,
        "vocab_size": shape.vocab, "max_position_embeddings": shape.context, "rms_norm_eps": shape.eps,
        "rope_theta": shape.theta, "rope_scaling": None, "tie_word_embeddings": True, "attention_bias": False,
        "mlp_bias": False, "torch_dtype": "bfloat16", "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad})
    write_json(folder / "generation_config.json", {
        "bos_token_id": bos, "eos_token_id": eos, "pad_token_id": pad, "temperature": 0.7, "top_p": 0.95})
    write_json(folder / "tokenizer_config.json", {
        "tokenizer_class": "PreTrainedTokenizerFast", "add_bos_token": True, "add_eos_token": False,
        "bos_token": corpus.BOS, "eos_token": corpus.EOS, "pad_token": corpus.PAD, "model_max_length": shape.context,
        "clean_up_tokenization_spaces": False, "chat_template": CHAT_TEMPLATE})
    (folder / "tokenizer.json").write_text(tokenizer.to_json(corpus.BOS) + "\n", encoding="utf-8")


def write_adapter(folder, arrays, rank, alpha, base):
    folder = pathlib.Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    named = {}
    for key, array in arrays.items():
        layer, part, side = key.split(".")
        named[f"base_model.model.model.layers.{layer}.{HF_NAMES[part]}.lora_{side}.weight"] = array
    write_safetensors(folder / "adapter_model.safetensors", named)
    write_json(folder / "adapter_config.json", {
        "peft_type": "LORA", "task_type": "CAUSAL_LM", "base_model_name_or_path": base, "r": rank,
        "lora_alpha": alpha, "lora_dropout": 0.0, "bias": "none", "fan_in_fan_out": False, "use_rslora": False,
        "use_dora": False, "modules_to_save": None, "rank_pattern": {}, "alpha_pattern": {}, "inference_mode": True,
        "target_modules": [HF_NAMES[p].split(".")[1] for p in ("q", "k", "v", "o", "gate", "up", "down")]})
