"""Conformance suite of every public layer with keys: fully masked queries, causality, mask shapes, empty axes."""

import numpy as np
import pytest

from tests.layers.conformance import (
    CASES,
    FIRST,
    arrays,
    block,
    built,
    cases_with,
    check_that_all_train,
    close,
    each,
    keyed,
    numpy,
)
from tests.layers.paths import CHEAP, HOWS, WITH_GRADIENTS, passes
from tests.layers.visibility import (
    blind,
    everything,
    first,
    hide_all_but,
    hidings,
    order,
    pools,
    resized,
    scores_shape,
    takes,
)

# One layer for each operation that takes the mask as the caller gives it; the others call one of these. Each rank of a
# mask is a graph of its own, and graphs of unknown sizes are slow to build.
OF_AN_OPERATION = (
    "ScaledDotProductAttention",
    "MultiHeadAttention-axis-of-an-image",
    "BahdanauAttention",
    "BahdanauMonotonicAttention",
    "LuongAttention-general",
    "LuongAttention-concat-local-m",
)

KEYED = each(filter(keyed, CASES))
MASKED = each((case for case in CASES if takes(case, "attention_mask")), slow=block)


def each_way(cases, but=None):
    """Parametrizes a test over these cases on the cheapest path, and the first of each layer on all paths but one.

    Graphs of unknown sizes, which take masks as the layers inside them do, are slow for blocks.
    """
    ways = [how for how in HOWS if how == CHEAP or how != but]
    pairs = [(case, how) for case in cases for how in ways if how == CHEAP or case in FIRST]
    slow = [pytest.mark.slow if how == "dynamic" and block(case) else () for case, how in pairs]
    parameters = [pytest.param(*pair, id="{}-{}".format(*pair), marks=marks) for pair, marks in zip(pairs, slow)]
    return pytest.mark.parametrize(("case", "how"), parameters)


def full(case, how):
    """The layer with all its masks and biases, causal where it can be: one compilation for many tests."""
    return passes(case, how, tuple((case.causal or {}).items()))


def outcome(run, x, rest, cotangent):
    """The output and, except for graphs of unknown sizes, the gradients."""
    return run(x, rest, cotangent) if run.how in WITH_GRADIENTS else (run.forward(x, rest), [])


@each(filter(keyed, FIRST))
def test_compiled_forward_and_every_weight_trains(case):
    """With masks and a bias that hide nothing."""
    layer, cotangent = built(case), np.random.default_rng(8).standard_normal(case.output)
    output, _, gradients = full(case, HOWS[-1]).all(arrays(case), everything(case), cotangent)
    close(output, numpy(layer(*arrays(case), **everything(case), **{**case.call, **(case.causal or {})})))
    check_that_all_train(case, layer, gradients)


@each_way(filter(keyed, CASES))
def test_a_query_without_a_visible_key_gives_zeros_and_zero_gradients(case, how):
    """The expected output, of a zero context, is that of the layer with all values zero."""
    run = full(case, how)
    for name, rest, rows, values in hidings(case):
        cotangent = np.random.default_rng(3).standard_normal(case.output)
        cotangent *= np.expand_dims(rows, tuple(range(rows.ndim, cotangent.ndim)))
        built(case)
        output, gradients = outcome(run, arrays(case), rest, cotangent)
        _, x = blind(case, values)
        unseen, through = outcome(run, x, everything(case), cotangent)
        assert np.isfinite(output).all(), name
        np.testing.assert_allclose(output[rows], unseen[rows], atol=1e-5, err_msg=name)
        for i, (gradient, other) in enumerate(zip(gradients, through, strict=True)):
            # The zeros of `blind` are visible and have gradients; hidden values have none.
            other = other if values or (i == 0 and len(x) > 1) else 0
            np.testing.assert_allclose(gradient, np.broadcast_to(other, gradient.shape), atol=1e-5, err_msg=name)


@each_way(filter(keyed, CASES))
def test_a_sample_that_is_all_padding_is_finite_and_has_zero_gradients(case, how):
    rest = {name: x.copy() for name, x in everything(case).items()}
    for name in case.masks:
        rest[name][1] = False
    built(case)
    output, gradients = outcome(full(case, how), arrays(case), rest, np.ones(case.output))
    assert np.isfinite(output).all()
    for gradient in gradients:
        assert np.isfinite(gradient).all() and (gradient[1] == 0).all()
    assert not gradients or any(gradient[0].any() for gradient in gradients)


@KEYED
def test_scores_of_a_query_without_a_visible_key_are_zero(case):
    if not case.scores:
        pytest.skip("this layer returns no scores")
    run = passes(case, CHEAP, (("return_attention_scores", True), *(case.causal or {}).items()))
    plain = run.forward(arrays(case), everything(case))[1]
    for name, rest, rows, values in hidings(case):
        scores, before = run.forward(arrays(case), rest)[1], plain
        if isinstance(scores, dict):
            which = "memory" if values == case.memory_values else "self"
            scores, before = scores[which], before[which]
        at = rows if scores.ndim == rows.ndim + 1 else np.broadcast_to(np.expand_dims(rows, -2), scores.shape[:-1])
        assert (scores[at] == 0).all(), name
        assert (before[at].sum(-1) > 0).all()
        if name.startswith("attention") and not case.pairs:  # where no query depends on those before it
            close(scores[~at], before[~at])


@each_way(case for case in CASES if takes(case, "attention_bias"))
def test_a_bias_at_the_minimum_of_its_dtype_is_finite_and_keeps_hidden_keys_hidden(case, how):
    least = np.finfo("float32").min
    rest = everything(case)
    rest["attention_bias"][0, ..., 3, :] = least
    rest["attention_mask"][0, ..., 3, 1] = False
    built(case)
    output, gradients = outcome(full(case, how), arrays(case), rest, np.ones(case.output))
    assert np.isfinite(output).all() and all(np.isfinite(g).all() for g in gradients)
    if how != CHEAP:
        return
    run = passes(case, CHEAP, (("return_attention_scores", True), *(case.causal or {}).items()))
    again, scores = run.forward(arrays(case), rest)
    close(again, output)
    row = (scores["self"] if isinstance(scores, dict) else scores)[0, ..., 3, :]
    assert (row[..., 1] == 0).all() and (row[..., 4:] == 0).all()
    if case.sums_to_one:  # else all goes to the sink
        close(row.sum(-1), np.ones(row.shape[:-1]))
        assert (row[..., [0, 2]] > 0).all()


@each_way(case for case in CASES if case.causal is not None)
def test_later_positions_do_not_change_earlier_outputs(case, how):
    run = full(case, how)
    x, rest = arrays(case), everything(case)
    when = order(case, case.output)
    cut = when.max() // 2
    changed = arrays(case, seed=1)
    for i, (old, new) in enumerate(zip(x, changed, strict=True)):
        later = order(case, old.shape) > cut if case.all_in_order or i == 0 else np.zeros(old.shape[1:-1], bool)
        changed[i] = np.where(later[..., None], new, old)
    built(case)
    cotangent = np.random.default_rng(2).standard_normal(case.output) * (when <= cut)[..., None]
    output, gradients = outcome(run, x, rest, cotangent)
    other = outcome(run, changed, rest, cotangent)[0]
    np.testing.assert_allclose(other[:, when <= cut], output[:, when <= cut], atol=1e-6)
    assert (np.abs(other - output)[:, when == when.max()].max(-1) > 1e-4).all()
    for gradient, old in list(zip(gradients, x))[: None if case.all_in_order else 1]:
        when_read = order(case, old.shape)
        assert (gradient[:, when_read > cut] == 0).all() and gradient[:, when_read <= cut].any()


def legal_masks(case):
    """Random masks of the ranks that `attention_mask` may have, with every axis whole or broadcast."""
    scores = scores_shape(case)
    rng = np.random.default_rng(4)
    for rank in range(2, len(scores) + 1):
        shape = (*scores[: rank - 2], *scores[-2:])
        broadcast = ((), (rank - 1,), (rank - 2,), tuple(range(rank - 2)), tuple(range(rank)))
        # XLA compiles for each shape.
        for ones in broadcast[rank - 1 : rank] if CHEAP == "xla" else dict.fromkeys(broadcast):
            yield rng.random([1 if i in ones else n for i, n in enumerate(shape)]) < 0.6


def whole(mask, case):
    """The mask, broadcast to the shape of the scores."""
    mask = mask.reshape(*mask.shape[:-2], *[1] * (len(scores_shape(case)) - mask.ndim), *mask.shape[-2:])
    return np.broadcast_to(mask, scores_shape(case)).copy()


@MASKED
def test_masks_of_every_legal_shape(case):
    """The same as the broadcast mask; with unknown sizes, for masks [T, S], and of all axes for first cases."""
    rest, x = everything(case), arrays(case)
    ranks = {2} if str(case) in OF_AN_OPERATION else set()
    ranks |= {len(scores_shape(case))} if case in FIRST else set()
    built(case)
    eager, graph = full(case, CHEAP), full(case, "dynamic")
    plain, changed = eager.forward(x, rest), False
    for mask in legal_masks(case):
        expected = eager.forward(x, {**rest, "attention_mask": whole(mask, case)})
        close(eager.forward(x, {**rest, "attention_mask": mask}), expected)
        if "dynamic" in HOWS and mask.ndim in ranks:
            close(graph.forward(x, {**rest, "attention_mask": mask}), expected)
        changed = changed or not np.allclose(expected, plain)
    assert changed


@cases_with("masks")
def test_masks_of_wrong_shapes_are_refused_by_name(case):
    layer, x = built(case), arrays(case)
    wrong = {}
    for name, mask in everything(case).items():
        shape = mask.shape
        wrong[name] = [(*shape[:-1], shape[-1] + 1), (shape[0] + 1, *shape[1:]), (*shape, 1), shape[-1:]]
        if name.startswith("attention"):
            wrong[name] += [(*shape[:-2], shape[-2] + 1, shape[-1])]
    for name, shapes in wrong.items():
        for shape in shapes:
            given = np.ones(shape, "float32" if name == "attention_bias" else bool)
            with pytest.raises(ValueError, match=rf"`{name}`[^R]* must .*Received: .*{name}"):
                layer(*x, **{name: given}, **case.call)


@each_way((case for case in CASES if case.values is not None), but="xla")
def test_empty_axes(case, how):
    run = passes(case, how, tuple((case.causal or {}).items()))
    built(case)
    sizes = {"batch": {"batch": 0}, "queries": {"queries": 0}}
    if len(case.inputs) > 1:
        sizes |= {"keys": {"keys": 0}, "all": {"batch": 0, "queries": 0, "keys": 0}}
    for name, size in sizes.items():
        x, rest = resized(case, **size)
        try:
            output = run.forward(x, rest)
        except ValueError as error:
            assert "`pool` needs at least" in str(error), name
            continue
        shape = list(case.output)
        shape[0] = size.get("batch", shape[0])
        if not case.pooled:
            shape[max(case.dynamic)] = size.get("queries", shape[max(case.dynamic)])
        assert output.shape == tuple(shape), name
        if name == "keys":
            _, x = blind(case, case.memory_values or case.values)
            close(output, run.forward(x, everything(case)))


@each_way(filter(keyed, CASES), but="xla")
def test_one_token_equals_one_token_followed_by_padding(case, how):
    """Or two tokens, the fewest that can be pooled."""
    run, fewest = passes(case, how, tuple((case.causal or {}).items())), 2 if pools(case) else 1
    built(case)
    x, rest = resized(case, queries=fewest, keys=fewest)
    close(run.forward(x, rest), first(run.forward(arrays(case), hide_all_but(case, fewest)), case, fewest))
    if fewest == 2 and how == CHEAP:
        with pytest.raises(ValueError, match="`pool` needs at least|at least, to be pooled"):
            run.forward(*resized(case, queries=1, keys=1))
