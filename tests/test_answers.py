"""The page of inputs and faults says what the tests hold."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.answers import PAGE
from tests.conftest import ROOT


@pytest.mark.slow
def test_page_is_what_the_tests_say():
    # In a process of its own: pytest inside pytest shares its plugins.
    code = "import sys; from tests.answers import page; sys.stdout.buffer.write(page().encode())"
    made = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)
    assert made.stdout.decode() == PAGE.read_text(encoding="utf-8"), "python -m tests.answers"
