import keras
import numpy as np
import pairs_data
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("the examples run on TensorFlow", allow_module_level=True)

import pairs_pictures


def test_frames_and_maps_of_each_clip_are_side_by_side_and_the_query_is_marked():
    clips, _, _, corners = pairs_data.clips(pairs_data.sampler("textures"), 2, np.random.default_rng(0))
    scores = np.zeros((2, pairs_data.FRAMES, 7, 7))
    scores[1, 2, 6, 0] = 1
    left, right = pairs_pictures.plot_maps(clips, scores, corners, ["different", "same"]).subfigs
    axes = np.concatenate([np.reshape(half.axes, (2, 4)) for half in (left, right)], axis=1)
    assert [row[0].get_ylabel() for row in axes] == ["different", "same"]
    for row, clip in zip(axes, clips):
        for f in range(pairs_data.FRAMES):
            for panel in (row[f], row[4 + f]):
                np.testing.assert_array_equal(panel.images[0].get_array(), clip[f, :28, :28, 0])
    assert [np.argwhere(panel.images[1].get_array()).tolist() for panel in axes[1, 4:]] == [[], [], [[6, 0]], []]
    for row, [(frame, top, left), _] in zip(axes, corners):
        marks = [[line.get_xydata().tolist() for line in panel.lines] for panel in row[4:]]
        assert marks == [[[[min(left + 6, 27), min(top + 6, 27)]]] if f == frame else [] for f in range(4)]
