"""Recurrent networks with attention as loops: Bahdanau et al. (2015), appendix A; Luong et al. (2015), section 3.

One sentence at a time, in float64, without padding and masks.
"""

import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(e):
    e = np.exp(e - e.max())
    return e / e.sum()


def gated_unit(x, h, w):
    """A.1.1. `w`: W, Wz, Wr [D, n]; U, Uz, Ur [n, n]; b, bz, br [n]."""
    z = sigmoid(x @ w["Wz"] + h @ w["Uz"] + w["bz"])
    r = sigmoid(x @ w["Wr"] + h @ w["Ur"] + w["br"])
    candidate = np.tanh(x @ w["W"] + (r * h) @ w["U"] + w["b"])
    return (1 - z) * h + z * candidate


def lstm(x, h, c, w):
    """`w`: for each of the gates i, f, o and the candidate g, W_ [D, n] and U_ [n, n]."""
    i, f, o = (sigmoid(x @ w["W" + g] + h @ w["U" + g]) for g in "ifo")
    c = f * c + i * np.tanh(x @ w["Wg"] + h @ w["Ug"])
    return o * np.tanh(c), c


def additive(s, annotations, w):
    """Weights and context of A.1.2. `w`: Wa, Ua, va."""
    e = np.array([w["va"] @ np.tanh(s @ w["Wa"] + h @ w["Ua"]) for h in annotations])
    alpha = softmax(e)
    return alpha, sum(a * h for a, h in zip(alpha, annotations))


def annotations(x, forward, backward, n):
    """A.2.1: [forward; backward] for every word, and the backward state at the first word."""
    ahead, h = [], np.zeros(n)
    for word in x:
        h = gated_unit(word, h, forward)
        ahead.append(h)
    back, h = [], np.zeros(n)
    for word in x[::-1]:
        h = gated_unit(word, h, backward)
        back.insert(0, h)
    return [np.concatenate(pair) for pair in zip(ahead, back)], back[0]


def maxout(t, units):
    return np.array([max(t[2 * j], t[2 * j + 1]) for j in range(units)])


def rnn_search(source, target, w):
    """Logits and alignments of one sentence; `target` holds y_0 (not read), y_1, ...

    w: Ex, Ey, forward, backward, attention, Ws, bs, cell (of [Ey; c]), Uo, Vo, Co, bo, Wo, by.
    """
    n = w["Ws"].shape[1]
    h, first = annotations([w["Ex"][t] for t in source], w["forward"], w["backward"], n)
    s = np.tanh(first @ w["Ws"] + w["bs"])
    logits, alignments = [], []
    for i, y in enumerate(target):
        ey = np.zeros(w["Ey"].shape[1]) if i == 0 else w["Ey"][y]
        alpha, c = additive(s, h, w["attention"])
        t = maxout(s @ w["Uo"] + ey @ w["Vo"] + c @ w["Co"] + w["bo"], w["Wo"].shape[0])
        logits.append(t @ w["Wo"] + w["by"])
        alignments.append(alpha)
        s = gated_unit(np.concatenate([ey, c]), s, w["cell"])
    return np.array(logits), np.array(alignments)


def rnn_encdec(source, target, w):
    """As `rnn_search`, with c = tanh(V h) of the last forward state for every c_i, and s_0 = tanh(V' c)."""
    h = np.zeros(w["Ws"].shape[1])
    for t in source:
        h = gated_unit(w["Ex"][t], h, w["forward"])
    c = np.tanh(h @ w["V"] + w["bV"])
    s, logits = np.tanh(c @ w["Ws"] + w["bs"]), []
    for i, y in enumerate(target):
        ey = np.zeros(w["Ey"].shape[1]) if i == 0 else w["Ey"][y]
        t = maxout(s @ w["Uo"] + ey @ w["Vo"] + c @ w["Co"] + w["bo"], w["Wo"].shape[0])
        logits.append(t @ w["Wo"] + w["by"])
        s = gated_unit(np.concatenate([ey, c]), s, w["cell"])
    return np.array(logits)


def luong(source, target, w, align, feed):
    """Logits and alignments of Luong's network.

    w: Ex, Ey, encoder and decoder (a list of LSTMs each), Wc, Ws. `align(h, memory, t)` returns the weights.
    """
    n = w["Wc"].shape[1]
    states = [(np.zeros(n), np.zeros(n)) for _ in w["encoder"]]
    memory = []
    for token in source:
        x = w["Ex"][token]
        for k, layer in enumerate(w["encoder"]):
            states[k] = lstm(x, *states[k], layer)
            x = states[k][0]
        memory.append(x)
    fed, logits, alignments = np.zeros(n), [], []
    for t, y in enumerate(target):
        x = np.concatenate([w["Ey"][y], fed]) if feed else w["Ey"][y]
        for k, layer in enumerate(w["decoder"]):
            states[k] = lstm(x, *states[k], layer)
            x = states[k][0]
        a = align(x, memory, t)
        c = sum(weight * h for weight, h in zip(a, memory))
        fed = np.tanh(np.concatenate([x, c]) @ w["Wc"])
        logits.append(fed @ w["Ws"])
        alignments.append(a)
    return np.array(logits), np.array(alignments)
