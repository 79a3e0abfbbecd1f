"""The comparison of runtimes: children that die or hang, the table, short reasons."""

import json
import sys

import numpy as np
import pytest
import runtime_files
import runtimes

# Prints an answer for each name; dies at "fatal" after its first one, and hangs at "slow".
CHILD = """
import json, sys, time
for name in sys.argv[sys.argv.index("--only") + 1:]:
    for runtime in ("SavedModel", "ONNX"):
        if name == "fatal" and runtime == "ONNX":
            sys.exit(1)
        if name == "slow":
            time.sleep(60)
        print("what a library prints")
        print(json.dumps([name, runtime, {"difference": 0.5}]), flush=True)
"""


def test_children_that_die_or_hang_are_replaced():
    missing = [(name, runtime) for name in ("good", "fatal", "slow", "last") for runtime in ("SavedModel", "ONNX")]
    found = {}
    for name, runtime, result in runtimes.measured(missing, "float32", 0.5, (sys.executable, "-c", CHILD)):
        found[name, runtime] = result
    assert list(found) == missing
    assert found["fatal", "ONNX"] == {"reason": "the process died"}
    assert found["slow", "ONNX"] == found["slow", "SavedModel"] == {"reason": "longer than 0.5 s"}
    others = {key: result for key, result in found.items() if key[0] != "slow" and key != ("fatal", "ONNX")}
    assert all(result == {"difference": 0.5} for result in others.values())


def test_table():
    results = {"difference": 2.4e-7}, {"reason": runtimes.NOTHING}, {"reason": "why"}, {"difference": 0.84}
    records = {
        ("Layer", dtype, runtime): {"results": result}
        for runtime in runtimes.RUNTIMES
        for dtype, result in zip(runtimes.DTYPES, results, strict=True)
    }
    head, _, row, _, note = runtimes.table(records).splitlines()
    assert head == "|  | SavedModel | ONNX | LiteRT | OpenVINO |"
    assert row == "| Layer | " + " | ".join(["2e-7, –, (1), **8e-1**"] * 4) + " |"
    assert note == "- (1): why"


@pytest.mark.parametrize(
    "message, short",
    [
        ("<unknown>:0: error: 'tf.MaxPool3D' op is neither a custom op nor a flex op", "LiteRT has no MaxPool3D"),
        ("FrontEnd API failed: Encountered unknown element type bf16", "OpenVINO reads no constants in bf16"),
        ("anything else " * 30, "anything else anything else"),
    ],
)
def test_reasons_are_short(message, short):
    assert runtimes.reason(message).startswith(short) and len(runtimes.reason(message)) <= 120


def test_difference_is_relative_to_the_largest_value():
    expected = {"a": np.array([[1.0, -4.0]], "float16"), "semantics": np.zeros((2, 3))}
    got = {"a": np.array([[1.0, -3.0]], "float32"), "semantics_output": np.zeros((2, 3))}
    assert runtime_files.difference(expected, got) == 0.25
    for wrong in ({**got, "a": got["a"].T}, {"a": got["a"]}, {**got, "a": got["a"] * np.nan}):
        with pytest.raises(ValueError, match="output"):
            runtime_files.difference(expected, wrong)


def test_a_result_depends_on_versions_and_code():
    key = runtimes.key_of("Layer", "float32", "ONNX")
    assert key["labels"] == ["Layer", "float32", "ONNX"] and set(key["versions"]) == set(runtimes.PACKAGES)
    assert key == json.loads(json.dumps(key)) and len(key["code"]) == 16


def test_page(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("Before.\n\n<!-- table: runtimes -->\n<!-- end of table: runtimes -->\n\nAfter.\n")
    record = {"key": runtimes.key_of("Layer", "float32", "ONNX"), "date": "2026-11-27", "results": {"difference": 0}}
    places = [("Layer", dtype, runtime) for dtype in runtimes.DTYPES for runtime in runtimes.RUNTIMES]
    runtimes.write_page(page, dict.fromkeys(places, record))
    text = page.read_text()
    assert "2026-11-27" in text and f"tensorflow {record['key']['versions']['tensorflow']}" in text
    assert "| Layer | 0, 0, 0, 0 |" in text and text.startswith("Before.") and text.endswith("After.\n")
