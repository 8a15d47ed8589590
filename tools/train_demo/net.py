"""A Llama-shaped transformer with hand-written gradients, in NumPy and float32, and AdamW.

Activations are rows: (batch * time, width). Every backward function takes the gradient of its output and returns the
gradient of its input; gradients of trained arrays go into a dict under the array's name. With an adapter the base is
frozen: gradients are made for the adapter's arrays alone.
"""

import dataclasses

import numpy as np


@dataclasses.dataclass(frozen=True)
class Shape:
    vocab: int
    hidden: int = 128
    layers: int = 4
    heads: int = 4
    kv_heads: int = 2
    head_dim: int = 32
    inner: int = 352
    eps: float = 1e-5
    theta: float = 10000.0
    context: int = 512

    def projections(self):
        """Name to (out, in) of the seven matrices of a layer."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {"q": (q, self.hidden), "k": (kv, self.hidden), "v": (kv, self.hidden), "o": (self.hidden, q),
                "gate": (self.inner, self.hidden), "up": (self.inner, self.hidden), "down": (self.hidden, self.inner)}


def init_base(shape, rng):
    weights = {"embed": rng.normal(0, 0.02, (shape.vocab, shape.hidden))}
    for layer in range(shape.layers):
        for name, size in shape.projections().items():
            scale = 0.02 / np.sqrt(2 * shape.layers) if name in ("o", "down") else 0.02
            weights[f"{layer}.{name}"] = rng.normal(0, scale, size)
        weights[f"{layer}.norm1"] = np.ones(shape.hidden)
        weights[f"{layer}.norm2"] = np.ones(shape.hidden)
    weights["norm"] = np.ones(shape.hidden)
    return {k: v.astype(np.float32) for k, v in weights.items()}


def init_adapter(shape, rank, rng):
    """LoRA pairs on all projections: A uniform, B zero, so that an untrained adapter changes nothing."""
    arrays = {}
    for layer in range(shape.layers):
        for name, (out, inp) in shape.projections().items():
            arrays[f"{layer}.{name}.A"] = (rng.uniform(-1, 1, (rank, inp)) / np.sqrt(inp)).astype(np.float32)
            arrays[f"{layer}.{name}.B"] = np.zeros((out, rank), np.float32)
    return arrays


class Net:
    def __init__(self, shape, weights, adapter=None, scale=1.0):
        self.shape, self.w, self.lora, self.scale = shape, weights, adapter, np.float32(scale)
        inv = shape.theta ** (-np.arange(0, shape.head_dim, 2) / shape.head_dim)
        angle = np.outer(np.arange(shape.context), inv)
        self._cos = np.concatenate([np.cos(angle)] * 2, 1).astype(np.float32)
        self._sin = np.concatenate([np.sin(angle)] * 2, 1).astype(np.float32)

    # ---- pieces

    def _linear(self, x, name, tape):
        y = x @ self.w[name].T
        if self.lora is not None:
            inner = x @ self.lora[name + ".A"].T
            tape[name + ".inner"] = inner
            y += self.scale * (inner @ self.lora[name + ".B"].T)
        tape[name + ".in"] = x
        return y

    def _linear_back(self, dy, name, tape, grads):
        x = tape[name + ".in"]
        dx = dy @ self.w[name]
        if self.lora is None:
            grads[name] = dy.T @ x
        else:
            back = self.scale * (dy @ self.lora[name + ".B"])
            grads[name + ".B"] = self.scale * (dy.T @ tape[name + ".inner"])
            grads[name + ".A"] = back.T @ x
            dx += back @ self.lora[name + ".A"]
        return dx

    def _norm(self, x, name, tape):
        inverse = 1 / np.sqrt((x * x).mean(-1, keepdims=True) + np.float32(self.shape.eps))
        tape[name] = (x, inverse)
        return x * inverse * self.w[name]

    def _norm_back(self, dy, name, tape, grads):
        x, inverse = tape[name]
        if self.lora is None:
            grads[name] = (dy * x * inverse).sum(0)
        g = dy * self.w[name]
        return inverse * (g - x * (inverse * inverse) * (g * x).mean(-1, keepdims=True))

    def _rope(self, x, sign=1):
        half = self.shape.head_dim // 2
        turned = np.concatenate([-x[..., half:], x[..., :half]], -1)
        t = x.shape[-2]
        return x * self._cos[:t] + np.float32(sign) * turned * self._sin[:t]

    # ---- whole network

    def forward(self, ids):
        """Logits (batch * time, vocab) and the tape for backward."""
        s, (batch, t) = self.shape, ids.shape
        tape = {"ids": ids}
        x = self.w["embed"][ids.reshape(-1)]
        mask = np.triu(np.full((t, t), -1e9, np.float32), 1)
        split = lambda a, heads: a.reshape(batch, t, heads, s.head_dim).transpose(0, 2, 1, 3)
        group = s.heads // s.kv_heads
        for layer in range(s.layers):
            p = f"{layer}."
            u = self._norm(x, p + "norm1", tape)
            q = self._rope(split(self._linear(u, p + "q", tape), s.heads))
            k = self._rope(split(self._linear(u, p + "k", tape), s.kv_heads))
            v = split(self._linear(u, p + "v", tape), s.kv_heads)
            k, v = np.repeat(k, group, 1), np.repeat(v, group, 1)
            score = q @ k.transpose(0, 1, 3, 2) * np.float32(s.head_dim ** -0.5) + mask
            score = np.exp(score - score.max(-1, keepdims=True))
            score /= score.sum(-1, keepdims=True)
            tape[p + "attention"] = (q, k, v, score)
            mixed = (score @ v).transpose(0, 2, 1, 3).reshape(batch * t, -1)
            x = x + self._linear(mixed, p + "o", tape)
            u = self._norm(x, p + "norm2", tape)
            gate, up = self._linear(u, p + "gate", tape), self._linear(u, p + "up", tape)
            sigmoid = 1 / (1 + np.exp(-gate))
            tape[p + "mlp"] = (gate, up, sigmoid)
            x = x + self._linear(gate * sigmoid * up, p + "down", tape)
        last = self._norm(x, "norm", tape)
        tape["last"] = last
        return last @ self.w["embed"].T, tape

    def loss_and_gradients(self, ids, weight):
        """Weighted mean cross-entropy of the next token, and the gradient of every trained array."""
        s, batch, t = self.shape, ids.shape[0], ids.shape[1] - 1
        logits, tape = self.forward(ids[:, :-1])
        target, w = ids[:, 1:].reshape(-1), weight[:, 1:].reshape(-1)
        row, total = np.arange(len(target)), weight[:, 1:].sum()
        logits -= logits.max(-1, keepdims=True)
        p = np.exp(logits)
        p /= p.sum(-1, keepdims=True)
        loss = float(-(np.log(p[row, target] + 1e-9) * w).sum() / total)
        p[row, target] -= 1
        d = p * (w / total)[:, None]
        grads = {}
        dx = self._norm_back(d @ self.w["embed"], "norm", tape, grads)
        split = lambda a: a.reshape(batch, t, s.heads, s.head_dim).transpose(0, 2, 1, 3)
        join = lambda a: a.transpose(0, 2, 1, 3).reshape(batch * t, -1)
        fold = lambda a: a.reshape(batch, s.kv_heads, s.heads // s.kv_heads, t, s.head_dim).sum(2)
        for layer in range(s.layers - 1, -1, -1):
            n = f"{layer}."
            gate, up, sigmoid = tape[n + "mlp"]
            da = self._linear_back(dx, n + "down", tape, grads)
            du = da * gate * sigmoid
            dg = da * up * sigmoid * (1 + gate * (1 - sigmoid))
            dy = self._linear_back(dg, n + "gate", tape, grads) + self._linear_back(du, n + "up", tape, grads)
            dx = dx + self._norm_back(dy, n + "norm2", tape, grads)
            do = split(self._linear_back(dx, n + "o", tape, grads))
            q, k, v, score = tape[n + "attention"]
            dv = score.transpose(0, 1, 3, 2) @ do
            dp = do @ v.transpose(0, 1, 3, 2)
            ds = score * (dp - (dp * score).sum(-1, keepdims=True)) * np.float32(s.head_dim ** -0.5)
            dq, dk = self._rope(ds @ k, -1), self._rope(fold(ds.transpose(0, 1, 3, 2) @ q), -1)
            dy = (self._linear_back(join(dq), n + "q", tape, grads) + self._linear_back(join(dk), n + "k", tape, grads)
                  + self._linear_back(join(fold(dv)), n + "v", tape, grads))
            dx = dx + self._norm_back(dy, n + "norm1", tape, grads)
        if self.lora is None:
            embed = d.T @ tape["last"]
            np.add.at(embed, tape["ids"].reshape(-1), dx)
            grads["embed"] = embed
        return loss, grads

    def greedy(self, ids, stop, most=60):
        """The continuation the model finds likeliest, up to `stop`."""
        ids, start = list(ids), len(ids)
        while len(ids) - start < most:
            logits, _ = self.forward(np.array([ids]))
            token = int(logits[-1].argmax())
            if token == stop:
                break
            ids.append(token)
        return ids[start:]


class AdamW:
    def __init__(self, arrays, decay):
        self._arrays, self._decay, self._step = arrays, np.float32(decay), 0
        self._first = {k: np.zeros_like(v) for k, v in arrays.items()}
        self._second = {k: np.zeros_like(v) for k, v in arrays.items()}

    def step(self, grads, rate):
        """One update; the gradient's norm is clipped to 1."""
        self._step += 1
        norm = np.sqrt(sum(float((g * g).sum()) for g in grads.values()))
        clip = np.float32(min(1.0, 1.0 / (norm + 1e-6)))
        for name, g in grads.items():
            g = g * clip
            m, v, w = self._first[name], self._second[name], self._arrays[name]
            m += np.float32(0.1) * (g - m)
            v += np.float32(0.02) * (g * g - v)
            up = (m / np.float32(1 - 0.9 ** self._step)) / (np.sqrt(v / np.float32(1 - 0.98 ** self._step)) + np.float32(1e-8))
            if w.ndim > 1:
                up += self._decay * w
            w -= np.float32(rate) * up
