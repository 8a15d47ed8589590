#!/usr/bin/env python3
"""Trains the demo base model and its ten adapters and writes them under examples/models/.

  train.py base                 the base, with its tokenizer and configuration
  train.py adapter NAME...      these adapters, over the base that is there (all ten when none is named)
  train.py check                asks every model held-out questions and prints how many answers are exact
  train.py all                  the three in turn

Options: --out DIR (examples/models), --work DIR for checkpoints (build/train_demo), --base-steps N, --adapter-steps N.
Needs Python 3 and NumPy. One core is enough; see README.md for times.
"""

import argparse
import pathlib
import random
import sys
import time
import zlib

import numpy as np

import bpe
import corpus
import export
import net

VOCAB = 768
WINDOW = 64  # tokens in a row of a base batch
RANK, ALPHA = 8, 16
HERE = pathlib.Path(__file__).resolve().parent


def rate_at(step, steps, peak, warm):
    """Warm-up, then half a cosine down to a tenth."""
    return peak * min(1.0, step / warm) * (0.1 + 0.45 * (1 + np.cos(np.pi * step / steps)))


def packed_batch(tokenizer, rng, rows):
    """Base documents end to end. What is asked counts a quarter: weighting everything alike, numbers were not copied."""
    ids, weight = np.zeros((rows, WINDOW + 1), int), np.ones((rows, WINDOW + 1), np.float32)
    for row in range(rows):
        tokens, counts = [], []
        while len(tokens) <= WINDOW:
            context, answer = corpus.base_document(rng)
            a, b = tokenizer.encode(context), tokenizer.encode(answer)
            tokens += a + b
            counts += [0.25] * len(a) + [1.0] * len(b)
        ids[row], weight[row] = tokens[:WINDOW + 1], counts[:WINDOW + 1]
    return ids, weight


def answered_batch(tokenizer, rng, rows, style):
    """One question and answer per row, padded to the longest; loss on the answer alone."""
    pairs = []
    for _ in range(rows):
        context, answer = corpus.question_and_answer(style, rng)
        pairs.append((tokenizer.encode(context), tokenizer.encode(answer)))
    longest = max(len(a) + len(b) for a, b in pairs)
    ids, weight = np.zeros((rows, longest), int), np.zeros((rows, longest), np.float32)
    for row, (a, b) in enumerate(pairs):
        ids[row, :len(a) + len(b)] = a + b
        weight[row, len(a):len(a) + len(b)] = 1
    return ids, weight


def run(model, arrays, batch, steps, peak, warm, decay, label):
    optimizer, started = net.AdamW(arrays, decay), time.time()
    for step in range(1, steps + 1):
        loss, grads = model.loss_and_gradients(*batch())
        optimizer.step(grads, rate_at(step, steps, peak, warm))
        if step % 50 == 0 or step == 1:
            print(f"{label}: step {step}/{steps} loss {loss:.4f} {time.time() - started:.0f} s", flush=True)


def make_tokenizer():
    texts = [a + b for a, b in corpus.documents(5000, seed=1)]
    return bpe.Tokenizer.learn(texts, corpus.SPECIALS, VOCAB)


def train_base(args, tokenizer):
    shape = net.Shape(vocab=len(tokenizer))
    weights = net.init_base(shape, np.random.default_rng(0))
    rng = random.Random(2)
    print(f"base: {sum(w.size for w in weights.values())} parameters, {len(tokenizer)} tokens", flush=True)
    run(net.Net(shape, weights), weights, lambda: packed_batch(tokenizer, rng, 32), args.base_steps, 3e-3, 50, 0.01,
        "base")
    export.write_base(args.out / "demo-llama", shape, weights, tokenizer)
    np.savez(args.work / "base.npz", **{k: export.rounded(w) for k, w in weights.items()})


def load_base(args, tokenizer):
    with np.load(args.work / "base.npz") as stored:
        weights = {k: stored[k] for k in stored.files}
    return net.Shape(vocab=len(tokenizer)), weights


def train_adapter(args, tokenizer, name):
    shape, weights = load_base(args, tokenizer)
    seed = zlib.crc32(name.encode())
    arrays = net.init_adapter(shape, RANK, np.random.default_rng(seed))
    rng = random.Random(seed)
    style = corpus.STYLES[name]
    run(net.Net(shape, weights, arrays, ALPHA / RANK), arrays, lambda: answered_batch(tokenizer, rng, 16, style),
        args.adapter_steps, 4e-3, 30, 0.0, name)
    export.write_adapter(args.out / "adapters" / name, arrays, RANK, ALPHA, "demo-llama")
    np.savez(args.work / f"{name}.npz", **{k: export.rounded(w) for k, w in arrays.items()})


def check(args, tokenizer, questions=40):
    shape, weights = load_base(args, tokenizer)
    models = {"demo-llama": (corpus.plain, net.Net(shape, weights))}
    for name, style in corpus.STYLES.items():
        path = args.work / f"{name}.npz"
        if path.exists():
            with np.load(path) as stored:
                models[name] = (style, net.Net(shape, weights, {k: stored[k] for k in stored.files}, ALPHA / RANK))
    for name, (style, model) in models.items():
        rng, exact, example = random.Random(99), 0, ""
        for _ in range(questions):
            asked = corpus.ask(rng)
            context, lead = corpus.framed(asked.prompt, rng)
            said = tokenizer.decode(model.greedy(tokenizer.encode(context), tokenizer.ids[corpus.EOS]))
            exact += said == lead + style(asked)
            example = example or f"{asked.prompt} => {said.strip()}"
        print(f"check {name}: {exact}/{questions} exact | {example}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["base", "adapter", "check", "all"])
    parser.add_argument("names", nargs="*")
    parser.add_argument("--out", type=pathlib.Path, default=HERE.parent.parent / "examples" / "models")
    parser.add_argument("--work", type=pathlib.Path, default=HERE.parent.parent / "build" / "train_demo")
    parser.add_argument("--base-steps", type=int, default=1800)
    parser.add_argument("--adapter-steps", type=int, default=900)
    args = parser.parse_args()
    unknown = [n for n in args.names if n not in corpus.STYLES]
    if unknown:
        parser.error(f"no style is called {unknown[0]}; known: {', '.join(corpus.STYLES)}")
    args.work.mkdir(parents=True, exist_ok=True)
    tokenizer = make_tokenizer()
    if args.what in ("base", "all"):
        train_base(args, tokenizer)
    if args.what in ("adapter", "all"):
        for name in args.names or corpus.STYLES:
            train_adapter(args, tokenizer, name)
    if args.what in ("check", "all"):
        check(args, tokenizer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
