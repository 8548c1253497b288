"""ONNX Runtime's wheels report to their vendor unless told otherwise before they load."""

import os
import subprocess
import sys


def test_loading_a_model_leaves_nothing_in_the_home_directory(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "CI" and not name.startswith("ORT_")}
    environment |= {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    subprocess.run(
        [sys.executable, "-c", "from sealift.model.runtime.onnx import onnxruntime; onnxruntime.SessionOptions()"],
        check=True,
        env=environment,
        cwd=tmp_path,
    )
    assert list(tmp_path.iterdir()) == []
