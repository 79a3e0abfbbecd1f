import digits_data
import image_transformer_pixels as example
import numpy as np
import pixels_data
from pixels_data import TASKS


def test_each_task_has_a_folder_of_its_own():
    folders = {name: example.parse(["--task", name]).output for name in TASKS}
    assert {name: folder.name for name, folder in folders.items()} == {name: name for name in TASKS}


def test_classes_have_names_of_their_own():
    assert {name: len(set(task.classes)) for name, task in TASKS.items()} == {"digits": 10, "twins": 10, "emoji": 9}


def test_the_lower_twin_is_the_upper_one_of_half_the_size(monkeypatch):
    digits = np.random.default_rng(0).integers(0, 256, (3, 28, 28, 1)).astype("uint8")
    monkeypatch.setattr(digits_data, "load", lambda folder: [(digits, np.arange(3)), (digits[:2], np.arange(2))])
    (images, labels), (test, _) = pixels_data.twins()
    assert images.shape == (3, 28, 14, 1) and images.dtype == "uint8" and test.shape == (2, 28, 14, 1)
    for b, y, x in np.ndindex(3, 14, 14):
        mean = digits[b, 2 * y : 2 * y + 2, 2 * x : 2 * x + 2].mean()
        assert abs(images[b, y, x, 0] - mean) <= 0.5 and images[b, y + 14, x] == images[b, y, x]
    assert labels.tolist() == [0, 1, 2]
