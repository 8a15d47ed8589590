"""Byte-level byte-pair encoding: learns merges from text, encodes, and writes a Hugging Face tokenizer.json."""

import collections
import json
import re

# The split rule that tokenizer.json names, and what it amounts to on the corpus: Python's re has no \p{L}, and the corpus
# has only ASCII letters and digits, so a plain class says the same here.
SPLIT_RULE = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|"
              r"\s+(?!\S)|\s+")
SPLIT = re.compile(r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\nA-Za-z0-9]?[A-Za-z]+|[0-9]|"
                   r" ?[^\sA-Za-z0-9]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")


def byte_names():
    """The printable stand-in of each byte, as GPT-2 chose them: visible Latin-1 stays, the rest moves to 256 and up."""
    visible = list(range(33, 127)) + list(range(161, 173)) + list(range(174, 256))
    hidden = [b for b in range(256) if b not in visible]
    return {**{b: chr(b) for b in visible}, **{b: chr(256 + i) for i, b in enumerate(hidden)}}


class Tokenizer:
    def __init__(self, specials, merges):
        """Ids: specials, then the 256 bytes in order, then one per merge in order of rank."""
        self.specials = specials
        self.merges = merges
        self.ids = {}
        for token in [*specials, *(bytes([b]) for b in range(256)), *(a + b for a, b in merges)]:
            self.ids.setdefault(token, len(self.ids))
        self._rank = {pair: i for i, pair in enumerate(merges)}
        self._cache = {}
        self._cut = re.compile("(" + "|".join(map(re.escape, specials)) + ")")
        self._bytes = {i: t.encode() if isinstance(t, str) else t for t, i in self.ids.items()}

    def __len__(self):
        return len(self.ids)

    @classmethod
    def learn(cls, texts, specials, size):
        """Merges the commonest pair until the vocabulary has `size` entries; ties go to the larger pair."""
        cut = re.compile("|".join(map(re.escape, specials)))
        words = collections.Counter(w for t in texts for part in cut.split(t) for w in SPLIT.findall(part))
        spelled = {w: [bytes([b]) for b in w.encode()] for w in words}
        merges, made = [], set()
        while 256 + len(specials) + len(made) < size:
            pairs = collections.Counter()
            for word, count in words.items():
                for pair in zip(spelled[word], spelled[word][1:]):
                    pairs[pair] += count
            if not pairs:
                break
            best = max(pairs, key=lambda p: (pairs[p], p))
            merges.append(best)
            made.add(best[0] + best[1])
            for word in words:
                spelled[word] = _merge(spelled[word], best)
        return cls(specials, merges)

    def encode(self, text):
        ids = []
        for part in self._cut.split(text):
            if part in self.specials:
                ids.append(self.ids[part])
            else:
                for word in SPLIT.findall(part):
                    ids += self._encode_word(word)
        return ids

    def decode(self, ids):
        return b"".join(self._bytes[i] for i in ids).decode("utf-8", "replace")

    def _encode_word(self, word):
        if word not in self._cache:
            parts = [bytes([b]) for b in word.encode()]
            while len(parts) > 1:
                known = [p for p in zip(parts, parts[1:]) if p in self._rank]
                if not known:
                    break
                parts = _merge(parts, min(known, key=self._rank.get))
            self._cache[word] = [self.ids[p] for p in parts]
        return self._cache[word]

    def to_json(self, bos):
        """tokenizer.json in the form the Hugging Face tokenizers library reads (version 1.0)."""
        names = byte_names()
        show = lambda raw: "".join(names[b] for b in raw)
        vocab = {t if isinstance(t, str) else show(t): i for t, i in self.ids.items()}
        added = [{"id": self.ids[s], "content": s, "single_word": False, "lstrip": False, "rstrip": False,
                  "normalized": False, "special": True} for s in self.specials]
        template = lambda *names_: [{"SpecialToken": {"id": n, "type_id": 0}} if n == bos
                                    else {"Sequence": {"id": n, "type_id": i}} for i, n in names_]
        byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": False}
        return json.dumps({
            "version": "1.0", "truncation": None, "padding": None, "added_tokens": added, "normalizer": None,
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
                {"type": "Split", "pattern": {"Regex": SPLIT_RULE}, "behavior": "Isolated", "invert": False},
                byte_level]},
            "post_processor": {"type": "TemplateProcessing", "single": template((0, bos), (0, "A")),
                               "pair": template((0, bos), (0, "A"), (0, bos), (1, "B")),
                               "special_tokens": {bos: {"id": bos, "ids": [self.ids[bos]], "tokens": [bos]}}},
            "decoder": {**byte_level},
            "model": {"type": "BPE", "dropout": None, "unk_token": None, "continuing_subword_prefix": None,
                      "end_of_word_suffix": None, "fuse_unk": False, "byte_fallback": False, "ignore_merges": False,
                      "vocab": vocab, "merges": [[show(a), show(b)] for a, b in self.merges]},
        }, ensure_ascii=False, indent=1)


def _merge(parts, pair):
    out, i = [], 0
    while i < len(parts):
        if i + 1 < len(parts) and parts[i] == pair[0] and parts[i + 1] == pair[1]:
            out.append(parts[i] + parts[i + 1])
            i += 2
        else:
            out.append(parts[i])
            i += 1
    return out
