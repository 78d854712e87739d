"""Marks for tests on one database. In a table of cases the SQL is the same, so the other database need not see them all."""

from __future__ import annotations

import pytest

ON_SQLITE = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

# For fixtures that generated requests share: `make test` runs them on SQLite, `make test-world` on PostgreSQL.
EACH_DATABASE = ["sqlite", pytest.param("postgresql", marks=pytest.mark.world)]
