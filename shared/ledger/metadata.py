"""What the ledger's table modules share: one MetaData, and column types that fit SQLite and PostgreSQL."""

from __future__ import annotations

import sqlalchemy as sa

# Named constraints, so that a later migration can alter them on SQLite as well.
metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "ix": "ix_%(table_name)s_%(column_0_name)s",
    }
)

Json = sa.JSON(none_as_null=True)
BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")  # SQLite's rowid must be INTEGER


def partial_index(name: str, *columns: str, where: str, unique: bool = False) -> sa.Index:
    return sa.Index(name, *columns, unique=unique, sqlite_where=sa.text(where), postgresql_where=sa.text(where))
