#!/usr/bin/env python3
"""Compares the hand-written gradients with finite differences, for the base and for an adapter."""

import sys

import numpy as np

import net


def worst(model, arrays, ids, weight, names):
    _, grads = model.loss_and_gradients(ids, weight)
    result = 0.0
    for name in names:
        where = np.unravel_index(np.abs(grads[name]).argmax(), grads[name].shape)
        old, step = arrays[name][where], 1e-2
        losses = []
        for sign in (1, -1):
            arrays[name][where] = old + sign * step
            losses.append(model.loss_and_gradients(ids, weight)[0])
        arrays[name][where] = old
        numeric = (losses[0] - losses[1]) / (2 * step)
        result = max(result, abs(numeric - grads[name][where]) / (abs(numeric) + 1e-3))
    return result


def main():
    rng = np.random.default_rng(5)
    shape = net.Shape(vocab=50, hidden=32, layers=2, heads=4, kv_heads=2, head_dim=8, inner=48)
    weights = {k: (v * 5 if v.ndim > 1 else v) for k, v in net.init_base(shape, rng).items()}
    ids, weight = rng.integers(0, 50, (3, 12)), rng.uniform(0.2, 1, (3, 12)).astype(np.float32)
    base = worst(net.Net(shape, weights), weights, ids, weight, weights)
    lora = net.init_adapter(shape, 4, rng)
    for name in lora:
        lora[name] = lora[name] + rng.normal(0, 0.1, lora[name].shape).astype(np.float32)
    adapter = worst(net.Net(shape, weights, lora, 2.0), lora, ids, weight, lora)
    print(f"largest relative difference: base {base:.4f}, adapter {adapter:.4f}")
    return 0 if base < 0.02 and adapter < 0.02 else 1


if __name__ == "__main__":
    sys.exit(main())
