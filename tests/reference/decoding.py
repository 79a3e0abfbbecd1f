"""Decoders with plain lists of hypotheses, written from the papers.

A model is a table [nodes, V] of logits: node 0 is the empty prefix; after node n, the token v leads to n * V + v + 1.
"""

import numpy as np


def number_of_nodes(V, L):
    return sum(V**i for i in range(L))


def next_log_probs(table, prefix):
    node = 0
    for token in prefix:
        node = node * table.shape[1] + token + 1
    logits = table[node].astype("float64")
    return logits - np.log(np.exp(logits - logits.max()).sum()) - logits.max()


def penalty(length, alpha):
    return ((5 + length) / 6) ** alpha


def all_sequences(table, L, end, prefix=(), log_prob=0.0):
    """Yields every sequence that ends with `end` within L tokens, and its log-probability."""
    for token, lp in enumerate(next_log_probs(table, prefix)):
        sequence, total = (*prefix, token), log_prob + lp
        if token == end:
            yield sequence, total
        elif len(sequence) < L:
            yield from all_sequences(table, L, end, sequence, total)


def exhaustive(table, L, end, alpha):
    """The sequence with the highest penalized log-probability that ends within L tokens, and its score."""
    scored = [(log_prob / penalty(len(s), alpha), s) for s, log_prob in all_sequences(table, L, end)]
    score, sequence = max(scored)
    return sequence, score


def greedy(table, L, end):
    sequence = ()
    while len(sequence) < L and (not sequence or sequence[-1] != end):
        sequence = (*sequence, int(np.argmax(next_log_probs(table, sequence))))
    return sequence


def beam_search(table, L, end, K, alpha, stop_early=True):
    """tensor2tensor's beam search for one sentence: at most K pairs (sequence, score), best first."""
    alive, finished = [(0.0, ())], []
    for _ in range(L):
        grown = [(p + q, (*s, v)) for p, s in alive for v, q in enumerate(next_log_probs(table, s))]
        grown = sorted(grown, reverse=True)[: 2 * K]
        finished += [(p / penalty(len(s), alpha), s) for p, s in grown if s[-1] == end]
        finished = sorted(finished, reverse=True)[:K]
        alive = [(p, s) for p, s in grown if s[-1] != end][:K]
        reachable = alive[0][0] / penalty(L, alpha)
        certain = finished if stop_early else finished[K - 1 :]
        if certain and certain[0][0] > reachable:
            break
    found = finished or [(p / penalty(L, alpha), s) for p, s in alive]
    return [(s, score) for score, s in found]


def kept(probs, temperature=1.0, top_k=None, top_p=None):
    """The distribution [V] of sampling with temperature, then top-k, then top-p."""
    logits = np.log(probs) / temperature
    probs = np.exp(logits - logits.max())
    order = np.argsort(-probs)[:top_k]
    result, mass = np.zeros(len(probs)), 0.0
    for token in order:
        if top_p is None or mass < top_p:
            result[token] = probs[token]
        mass += probs[token] / probs[order].sum()
    return result / result.sum()
