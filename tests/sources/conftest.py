"""Services that run on this machine, for all tests of the room."""

from __future__ import annotations

import pytest

from tests.sources import dachs


@pytest.fixture(scope="session")
def _dachs() -> None:
    dachs.running()


@pytest.fixture
def tap(_dachs: None, monkeypatch: pytest.MonkeyPatch) -> str:
    """Address of a TAP service with known tables, which may be contacted."""
    monkeypatch.setenv("PZ_TSM_ALLOW_HOSTS", dachs.HOST)
    return dachs.URL
