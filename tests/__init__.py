"""The tests: `unit/` without vendor SDKs, `sdk/` emit and run, both in the folders of the package that they test."""

from pathlib import Path

ROOT = Path(__file__).parent
