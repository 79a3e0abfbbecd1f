import image_transformer_pixels as example
from pixels_data import TASKS


def test_each_task_has_a_folder_of_its_own():
    folders = {name: example.parse(["--task", name]).output for name in TASKS}
    assert {name: folder.name for name, folder in folders.items()} == {"digits": "digits", "emoji": "emoji"}


def test_classes_have_names_of_their_own():
    assert {name: len(set(task.classes)) for name, task in TASKS.items()} == {"digits": 10, "emoji": 9}
