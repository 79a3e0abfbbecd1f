"""Invalid arguments are refused by name; valid ones come back as plain Python values."""

import keras
import numpy as np
import pytest

from keras_attention.ops.require import (
    SEEDS,
    require_bool,
    require_choice,
    require_classes,
    require_data_format,
    require_int,
    require_ints,
    require_number,
    require_pair,
    require_rate,
    require_seed,
)

NAN, INF = float("nan"), float("inf")


def refuses(check, values, expected, *args, **options):
    for value in values:
        with pytest.raises(ValueError) as raised:
            check(value, "size", *args, **options)
        assert str(raised.value) == f"The argument `size` must be {expected}. Received: size={value!r}"


def lets_through(check, values, **options):
    """Each value comes back equal, and as a built-in type."""
    for value in values:
        result = check(value, "size", **options)
        assert result == value and type(result).__module__ == "builtins"


def test_ints():
    wrong = [-1, 2.0, 1.5, NAN, True, np.True_, "4", (4,), np.ones(1, int)]
    refuses(require_int, [0, None, *wrong], "a positive int")
    refuses(require_int, [0, *wrong], "`None` or a positive int", optional=True)
    refuses(require_int, wrong, "an int of at least 0", least=0)
    refuses(require_int, [4, *wrong], "a positive int, and odd", odd=True)
    lets_through(require_int, [3, np.int64(5), np.uint8(7)], odd=True)
    lets_through(require_int, [0, 4], least=0)
    assert require_int(None, "size", optional=True) is None


def test_tuples_of_ints():
    for value, expected in [(None, None), ((), None), ([], None), (3, (3,)), ([1, 2], (1, 2)), ((-1,), (-1,))]:
        assert require_ints(value, "axes") == expected
    assert [type(n) for n in require_ints([np.int64(2), 3], "axes")] == [int, int]
    wrong = [True, 1.5, "34", (1, True), (1, 2.0), {1, 2}]
    refuses(require_ints, wrong, "`None`, an int or a tuple of ints")
    refuses(require_ints, [0, (3, 0), -1, *wrong], "`None`, an int or a tuple of ints of at least 1", least=1)


def test_pairs():
    for value, expected in [(3, (3, 3)), ([1, 2], (1, 2)), (np.array([4, 5]).tolist(), (4, 5)), (np.int64(6), (6, 6))]:
        assert require_pair(value, "size") == expected
    assert require_pair((0, 1), "size", least=0) == (0, 1)
    wrong = [True, 1.5, "34", (1,), (1, 2, 3), (1, True), (1, 2.0), {1, 2}, None]
    refuses(require_pair, [0, (3, 0), *wrong], "two ints (rows, columns), each at least 1, or one for both")
    refuses(require_pair, [-1, *wrong], "two ints (rows, columns), each at least 0, or one for both", least=0)


def test_data_formats():
    assert require_data_format("channels_first") == "channels_first"
    assert require_data_format(None) == keras.config.image_data_format()
    with pytest.raises(
        ValueError, match="`data_format` must be one of .*'channels_first'.*Received: data_format='NHWC'"
    ):
        require_data_format("NHWC")


def test_bools():
    wrong = ["no", "False", "", 0, 1, 1.0, (), np.ones(1, bool)]
    refuses(require_bool, [None, *wrong], "`True` or `False`")
    refuses(require_bool, wrong, "`None`, `True` or `False`", optional=True)
    lets_through(require_bool, [True, False, np.True_, np.False_])
    assert require_bool(None, "size", optional=True) is None


def test_numbers():
    wrong = [NAN, INF, -INF, True, "0.1", 1j, np.ones(1)]
    refuses(require_number, [None, *wrong], "a finite number")
    refuses(require_number, wrong, "`None` or a finite number", optional=True)
    refuses(require_number, [-0.1, -1, *wrong], "a finite number of at least 0", least=0)
    refuses(require_number, [0, 0.0, -1, *wrong], "a finite number greater than 0", above=0)
    lets_through(require_number, [-2, 0.5, np.float32(0.5), np.int32(3)])
    lets_through(require_number, [0, 0.5], least=0)
    assert require_number(None, "size", optional=True) is None


def test_rates():
    refuses(require_rate, [-0.1, 1.0, 1, 1.5, NAN, True, "0.1", None], "a float in [0, 1)")
    lets_through(require_rate, [0, 0.0, 0.9, np.float32(0.5)])


def test_seeds():
    generator = keras.random.SeedGenerator(3)
    wrong = [1.5, 2.0, NAN, True, "3", -1, SEEDS]
    refuses(require_seed, [generator, *wrong], f"`None` or an int from 0 to {SEEDS - 1}")
    expected = (
        f"`None`, a `keras.random.SeedGenerator`, an integer tensor, a scalar or [B], or an int from 0 to {SEEDS - 1}"
    )
    refuses(require_seed, wrong, expected, generator=True)
    lets_through(require_seed, [0, np.int64(3), SEEDS - 1])
    assert require_seed(None) is None
    assert require_seed(generator, generator=True) is generator
    tensor = keras.ops.convert_to_tensor(3)
    assert require_seed(tensor, generator=True) is tensor
    rows = keras.ops.convert_to_tensor([3, 4])
    assert require_seed(rows, generator=True) is rows
    for wrong in ([[3]], 3.0):
        with pytest.raises(ValueError, match="an integer tensor, a scalar or"):
            require_seed(keras.ops.convert_to_tensor(wrong), "seed", generator=True)
    keras.random.SeedGenerator(SEEDS - 1)  # the largest that Keras takes


@pytest.mark.parametrize("choices", [("sum", "mean", None), {"sum": 1, "mean": 2, None: 3}])
def test_choices(choices):
    for value in ("sum", None):
        assert require_choice(value, "pool", choices) is value
    for value in ("max", True, np.array(["sum", "mean"]), keras.Input((3,))):
        with pytest.raises(ValueError, match=r"`pool` must be one of \('sum', 'mean', None\)\. Received: pool="):
            require_choice(value, "pool", choices)


def test_choices_distinguish_bools_from_ints():
    for value, choices in [(1, (True, False, "candidate")), (True, (1, -1)), (1.0, (1, -1)), (0, (True, False))]:
        with pytest.raises(ValueError, match="`pool` must be one of"):
            require_choice(value, "pool", choices)
    assert require_choice(np.True_, "pool", (True, "candidate")) is True
    assert type(require_choice(np.int64(18), "depth", (18, 34))) is int


def test_classes_out_of_range_are_refused():
    require_classes(np.array([0, 3]), 4)
    require_classes(np.array([], "int32"), 4)
    for label, found in (([0, 4], "0 to 4"), ([-1, 2], "-1 to 2")):
        with pytest.raises(ValueError, match=rf"`label` must be from 0 to 3 \(`num_classes=4`\). Received.* {found}"):
            require_classes(np.array(label), 4)
