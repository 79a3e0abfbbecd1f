import keras
import pytest

from keras_attention.layers import MultiHeadAttention
from keras_attention.layers.bases import extension_point
from keras_attention.layers.bases.flash_attention import block_size
from tests.layers.helpers import random

CASES = [(None, None, None), (None, True, 256), (None, False, 0), (True, False, 256), (False, True, 0)]


@pytest.mark.parametrize("argument, everywhere, expected", CASES)
def test_the_argument_overrides_the_global_setting(monkeypatch, argument, everywhere, expected):
    monkeypatch.setattr(keras.config, "is_flash_attention_enabled", lambda: everywhere)
    assert block_size(argument) == expected


@pytest.mark.parametrize("argument, everywhere, expected", CASES)
def test_multi_head_attention_uses_the_setting(monkeypatch, argument, everywhere, expected):
    seen, attend = [], extension_point.attend_axes
    monkeypatch.setattr(keras.config, "is_flash_attention_enabled", lambda: everywhere)
    monkeypatch.setattr(extension_point, "attend_axes", lambda *a, **k: seen.append(k["block_size"]) or attend(*a, **k))
    MultiHeadAttention(3, 4, flash_attention=argument)(random(2, 5, 7))
    assert set(seen) == {expected}
