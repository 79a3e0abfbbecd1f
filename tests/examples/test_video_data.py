import numpy as np
import video_data


def test_flipped_classes_swap_left_and_right():
    kinds = list(video_data.KINDS)
    for kind, (forwards, sideways, turn) in video_data.KINDS.items():
        mirrored = kinds[video_data.MIRRORED[kinds.index(kind)]]
        assert video_data.KINDS[mirrored] == (forwards, -sideways, -turn)


def test_a_clip_without_motion_is_left_out():
    along = np.array([[0, 0, 0], [0, 0, 0], [5, 0, 0], [9, 3, 0]], float)
    turning = np.array([[0, 0, 0], [0, 0, 0], [0, 0, 4], [0, 0, 8]], float)
    assert video_data.moved(along, turn=False) and not video_data.moved(along, turn=True)
    assert video_data.moved(turning, turn=True) and not video_data.moved(turning, turn=False)
    along[3] = along[2]
    assert not video_data.moved(along, turn=False), "a wall stops the last step"


def test_dark_and_still_clips_are_left_out():
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 255, (8, 6, 6, 3)).astype("uint8")
    assert video_data.seen(frames)
    assert not video_data.seen(frames // 20)
    frames[4] = frames[3]
    assert not video_data.seen(frames)
