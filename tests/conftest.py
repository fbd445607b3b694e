"""Options and fixtures for every test."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("edgec", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("edgec")
"""Tests have no deadline, so that a busy machine fails none."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write golden files instead of comparing with them")


@pytest.fixture
def golden(request: pytest.FixtureRequest):
    """Compare text with `tests/golden/<name>`; a missing file fails, `--update-golden` writes it."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if request.config.getoption("--update-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{path} is missing; run pytest with --update-golden and read what it writes"
        assert text == path.read_text(encoding="utf-8")

    return compare
