"""Image Transformer against a NumPy reference: model, generation order, decoding steps, conditioning."""

import functools

import keras
import numpy as np
import pytest
from keras import ops

from keras_attention.models import image_transformer
from keras_attention.ops import pixel_log_prob
from tests.models.helpers import compiled, noisy, numpy
from tests.models.image_helpers import (
    SIZE,
    SIZES,
    VARIANTS,
    condition,
    image_of,
    in_order,
    inputs_of,
    small,
    weights_of,
)
from tests.reference import generation
from tests.reference import image_transformer as reference
from tests.variants import variants

each_variant = pytest.mark.parametrize("arguments", VARIANTS.values(), ids=VARIANTS)
each_order = pytest.mark.parametrize("arguments", list(VARIANTS.values())[:5], ids=list(VARIANTS)[:5])


@functools.cache
def same(**arguments):
    """Cached `small`, for tests that do not modify the model."""
    return small(**arguments)


@each_variant
def test_matches_the_numpy_reference(arguments):
    model = same(**arguments)
    inputs = inputs_of(model)
    ours, weights = in_order(model, model(inputs)), weights_of(model)
    for b in range(2):
        expected = reference.decode(
            image_of(inputs)[b],
            weights,
            model.query_block,
            model.memory_block,
            categorical=model.likelihood == "categorical",
            norm_first=model.norm_first,
            variant=model.variant,
            label=inputs["label"][b] if model.num_classes else None,
            source=inputs["source"][b] if model.num_encoder_layers else None,
        )
        np.testing.assert_allclose(ours[b], expected, atol=3e-4, rtol=1e-3)


@pytest.mark.parametrize("categorical", [True, False])
def test_output_shapes(categorical):
    """256 logits for each of three channels, or 100 parameters of ten mixtures per pixel."""
    sizes = {**SIZES, "num_layers": 1, "query_block": 4, "memory_block": 4}
    model = image_transformer(**sizes, likelihood="categorical" if categorical else "logistic_mixture")
    assert model.output_shape == (None, None, None, *((3, 256) if categorical else (100,)))
    assert tuple(model(inputs_of(model)).shape) == (2, 3, 4, *((3, 256) if categorical else (100,)))


def influence(model, inputs):
    """[L, L]: whether the value at position q changes the output at position p, by changing one value at a time."""
    image = image_of(inputs)[:1]
    sequence = numpy(model.to_sequence(image))
    length = sequence.shape[1]
    changed = np.repeat(sequence, length, axis=0)
    for q in range(length):
        changed[q, q] = (changed[q, q] + 101) % 256
    everything = np.concatenate([image, numpy(model.to_image(changed, image.shape[1:3]))])
    if isinstance(inputs, dict):
        others = {name: np.repeat(x[:1], length + 1, axis=0) for name, x in inputs.items()}
        everything = {**others, "image": everything}
    outputs = in_order(model, model(everything))
    return np.abs(outputs[1:] - outputs[0]).max(-1) > 1e-5


@each_order
def test_outputs_do_not_depend_on_their_own_or_later_positions(arguments):
    model = same(**arguments)
    # Several blocks in both directions, some incomplete. Small: each value needs one more image in the batch.
    seen = influence(model, inputs_of(model, size=SIZE if model.channels == 1 else (3, 2)))
    assert not np.tril(seen).any()
    assert seen.sum(0)[1:].min() > 0 or model.variant == "reference"
    assert seen.sum() > len(seen)


@pytest.mark.parametrize(
    ("layers", "query_block", "memory_block", "variant"),
    [(1, 5, 3, "paper"), (2, 5, 3, "paper"), (1, (2, 3), (1, 1), "paper"), (2, (2, 2), (1, 1), "reference")],
)
def test_receptive_field_is_the_power_of_the_shifted_mask(layers, query_block, memory_block, variant):
    size = (5, 6)
    arguments = {"channels": 1, "num_layers": layers, "query_block": query_block, "memory_block": memory_block}
    model = small(**arguments, variant=variant)
    seen = influence(model, inputs_of(model, batch=1, size=size))
    mask = reference.mask(size, query_block, memory_block)
    reach = np.linalg.matrix_power(mask.astype(int), layers) > 0
    expected = np.zeros_like(seen)
    blocks = [(r // 2, c // 2) for r, c in generation.positions(*size, (2, 2))]
    for q in range(len(seen) - 1):
        if variant == "paper" or blocks[q] == blocks[q + 1]:
            expected[q] = reach[:, q + 1]
    np.testing.assert_array_equal(seen, expected)


@pytest.mark.slow
@pytest.mark.parametrize("layers", [6, 7])
def test_last_of_64_positions_depends_on_the_first_from_seven_layers_on(layers):
    arguments = {"channels": 1, "num_layers": layers, "query_block": 8, "memory_block": 8, "position_encoding": None}
    model = small(**arguments, norm_first=True)
    image = inputs_of(model, batch=1, size=(8, 8))
    changed = image.copy()
    # The value at position 0 is the input of position 1.
    changed[0, 0, 0] = (changed[0, 0, 0] + 101) % 256
    before, after = in_order(model, model(np.concatenate([image, changed])))
    difference = np.abs(after - before).max(-1)
    assert (difference[-1] > 1e-6) == (layers == 7), difference


# Not "1d", which is "super-resolution" without its encoder, nor "2d", whose steps are those of the other 2D variants.
@pytest.mark.parametrize(
    "arguments",
    variants(dict(list(VARIANTS.items())[2:]), "2d-learned", "mixture-1d-classes", "mixture-super-resolution-pre-norm"),
)
def test_decoding_steps_match_the_whole_image(arguments):
    # Compiling is slow: XLA only for the step with most layers, two blocks only for one variant.
    most, two = VARIANTS["mixture-super-resolution-pre-norm"], VARIANTS["2d-learned"]
    model = small(**{**arguments, "num_layers": 2 if arguments == two else 1})
    inputs = inputs_of(model)
    full, sequence = in_order(model, model(inputs)), numpy(model.to_sequence(image_of(inputs)))
    cache, outputs = model.start(SIZE, **condition(inputs)), []
    assert {leaf.shape[0] for leaf in keras.tree.flatten(cache)} == {2}
    step = compiled(model.step, xla=arguments == most)
    for i in range(sequence.shape[1]):
        # The input at position 0 is ignored.
        last = sequence[:, i - 1] if i else np.full_like(sequence[:, 0], 77)
        output, cache = step(ops.convert_to_tensor(last), cache, ops.convert_to_tensor(i, "int32"))
        outputs.append(numpy(output))
    np.testing.assert_allclose(np.stack(outputs, 1), full, atol=1e-4, rtol=1e-4)


@each_order
def test_image_to_sequence_and_back(arguments):
    model = same(**arguments)
    image = image_of(inputs_of(model))
    sequence = numpy(model.to_sequence(image))
    block = arguments["query_block"] if isinstance(arguments["query_block"], tuple) else None
    values = model.likelihood == "categorical"  # a position is a value of one channel, not a pixel
    C = model.channels if values else 1
    for p, (row, column) in enumerate(generation.positions(SIZE[0], SIZE[1] * C, block)):
        expected = image[:, row, column // C]
        np.testing.assert_array_equal(sequence[:, p], expected[:, column % C] if values else expected)
    np.testing.assert_array_equal(numpy(model.to_image(sequence, SIZE)), image)


@pytest.mark.parametrize("likelihood", ["categorical", "logistic_mixture"])
def test_later_rows_do_not_change_the_likelihood_of_earlier_rows(likelihood):
    model = small(query_block=5, memory_block=7, likelihood=likelihood)
    image = inputs_of(model, size=(5, 4))
    other = image.copy()
    other[:, 3:] = 255 - other[:, 3:]
    above, other_above = (numpy(pixel_log_prob(x, model(x), likelihood))[:, :3] for x in (image, other))
    np.testing.assert_allclose(above, other_above, atol=1e-5)


def test_every_source_pixel_affects_every_position():
    model = same(**VARIANTS["super-resolution"])
    inputs = {name: np.repeat(x, 3, axis=0) for name, x in inputs_of(model, batch=1).items()}
    source = inputs["source"]
    for i, (row, column) in enumerate(((0, 0), (1, 4)), 1):  # the first and the last: the encoder is bidirectional
        source[i, row, column] = 255 - source[i, row, column]
    before, *changed = numpy(model(inputs))
    memory, *changed_memory = numpy(model.encode(source))
    for output, encoded in zip(changed, changed_memory, strict=True):
        assert (np.abs(output - before).max((-1, -2)) > 1e-5).all()
        assert (np.abs(encoded - memory).max(-1) > 1e-5).all()


def test_class_affects_every_position():
    model = same(**VARIANTS["mixture-1d-classes"])
    inputs = inputs_of(model)
    other = {**inputs, "label": (inputs["label"] + 1) % 4}
    assert (np.abs(numpy(model(other)) - numpy(model(inputs))).max(-1) > 1e-4).all()


@pytest.mark.parametrize("variant", ["paper", "reference"])
def test_learned_positions(variant):
    """One table for rows and one for columns of the grid, whose columns are values."""
    model = noisy(
        image_transformer(
            **SIZES, query_block=5, memory_block=7, position_encoding="learned", max_size=(4, 5), variant=variant
        )
    )
    layer = model.get_layer("decoder_position")
    assert (layer.max_rows, layer.max_columns) == (4, 15)
    plain = image_transformer(**SIZES, query_block=5, memory_block=7, position_encoding=None)
    assert model.count_params() == plain.count_params() + (4 + 15) * (6 if variant == "paper" else 12)
    inputs = inputs_of(model)
    before = numpy(model(inputs))
    rows = numpy(layer.rows).copy()
    rows[2] += 1.0
    layer.rows.assign(rows)
    changed = np.abs(numpy(model(inputs)) - before).max((-1, -2)) > 1e-4
    assert changed[:, 2].all() and not changed[:, :2].any()
    for size in ((5, 4), (4, 6)):
        with pytest.raises(ValueError, match="`max_size`"):
            model.start(size, 1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"likelihood": "dmol"}, "`likelihood`.*'dmol'"),
        ({"variant": "t2t"}, "`variant`.*'t2t'"),
        ({"position_encoding": "rotary"}, "`position_encoding`.*'rotary'"),
        ({"position_encoding": "learned"}, "needs `max_size`"),
        ({"position_encoding": "learned", "max_size": (4,)}, "`max_size` must be two ints.*(4,)"),
        ({"query_block": None, "memory_block": None}, "`query_block`.*None"),
        ({"channels": 0}, "`channels`.*channels=0"),
        ({"num_classes": 0}, "`num_classes`.*num_classes=0"),
        ({"num_encoder_layers": -1}, "`num_encoder_layers`.*=-1"),
        ({"query_block": (2, 2)}, "two ints or two pairs"),
        ({"model_dim": 10, "key_dim": None}, "divisible by `num_heads`"),
    ],
)
def test_bad_arguments_raise(arguments, message):
    with pytest.raises(ValueError, match=message):
        image_transformer(**{**SIZES, "query_block": 4, "memory_block": 4, **arguments})


def test_bad_arguments_of_start_raise():
    model = small(query_block=4, memory_block=4, num_layers=1)
    for given, message in (
        ({"size": (3, 0), "batch_size": 1}, "`size` must be"),
        ({"size": (3, 4)}, "`batch_size` must be given"),
        ({"size": (3, 4), "batch_size": 1, "label": [1]}, "`label` has no meaning"),
    ):
        with pytest.raises(ValueError, match=message):
            model.start(**given)
