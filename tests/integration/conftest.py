"""What integration tests speak with: a real target and the product's own HTTP client."""

from __future__ import annotations

from collections.abc import Iterator

import httpx2
import pytest

from shared.infra.http_client import make_client
from tests.target import Target


@pytest.fixture
def target() -> Iterator[Target]:
    made = Target()
    yield made
    made.close()


@pytest.fixture
def http() -> Iterator[httpx2.Client]:
    with make_client() as client:
        yield client
