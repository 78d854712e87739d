"""Tables for operators: the audit log, bulk acts, the tallies behind charts and metrics, what is known of repositories.

And the comparisons with forges, which the sweeper makes for them.
"""

from __future__ import annotations

import sqlalchemy as sa

from shared.infra.database import PackedJson, UtcDateTime
from shared.ledger.metadata import BigId, Json, metadata, partial_index

# Append-only: who did what through which door.
audit = sa.Table(
    "audit",
    metadata,
    sa.Column("seq", BigId, primary_key=True),
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("door", sa.String(10), nullable=False),  # dashboard, api, cli
    sa.Column("role", sa.String(10), nullable=False),  # operator, viewer, or - for nobody
    sa.Column("address", sa.String(64)),  # the peer's; null for the command line
    sa.Column("action", sa.String(40), nullable=False),
    sa.Column("subject", sa.String(512)),  # the id or name that was acted upon
    sa.Column("detail", Json),
)

# Wrong operators' tokens by sender, in the minute that began with the first of them; the sender `*` counts all.
wrong_tokens = sa.Table(
    "wrong_tokens",
    metadata,
    sa.Column("sender", sa.String(64), primary_key=True),
    sa.Column("since", UtcDateTime, nullable=False),
    sa.Column("number", sa.Integer, nullable=False),
    sa.Index("ix_wrong_tokens_since", "since"),
)

_RUNNING = "state = 'running'"

# One row for each act upon many jobs (shared/ledger/bulk_acts.py); its audit line has the same number.
bulk_acts = sa.Table(
    "bulk_acts",
    metadata,
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("verb", sa.String(10), nullable=False),  # replay, recollect, cancel
    sa.Column("wanted", Json, nullable=False),  # the filter's words; for a cancel {"replay": seq, "verb": of the act}
    sa.Column("state", sa.String(10), nullable=False),  # running, done, cancelled
    sa.Column("matched", sa.Integer, nullable=False),  # jobs, when it began
    sa.Column("handled", sa.Integer, nullable=False),  # jobs that it has moved
    sa.Column("after_id", sa.String(32), nullable=False),  # jobs up to this id are handled
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("lease_until", UtcDateTime, nullable=False),  # from then on the sweeper finishes it
    partial_index("ix_bulk_acts_lease_until", "lease_until", where=_RUNNING),
)

# What happened in each hour, folded from deliveries and attempts by the sweeper (shared/ledger/rollups.py); the hour 1970-01-01
# holds the sum of all time. A histogram is one row a bucket: its place in the list of bounds.
tallies = sa.Table(
    "tallies",
    metadata,
    sa.Column("hour", UtcDateTime, primary_key=True),
    sa.Column("series", sa.String(40), primary_key=True),
    sa.Column("label", sa.String(200), primary_key=True),
    sa.Column("bucket", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("seconds", sa.Float, nullable=False),
)

# How far the fold has come: nothing up to this moment is counted again.
tally_marks = sa.Table(
    "tally_marks",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("until", UtcDateTime, nullable=False),
)

# One row for each repository that ever pushed. Its log and its contributions refer to `key`, whatever it is called now.
known_repositories = sa.Table(
    "known_repositories",
    metadata,
    sa.Column("key", sa.String(553), primary_key=True),  # provider:the first full name, see `shared/domain/identity.py`
    sa.Column("provider", sa.String(40), nullable=False),
    sa.Column("repository", sa.String(512), nullable=False),  # its newest name, as webhooks spell it
    sa.Column("repository_id", sa.BigInteger),  # the provider's; null: no push has said it yet
    sa.Column("named_at", UtcDateTime),  # when the push came that said the name; null: before there were numbers
    sa.Column("former_names", Json),  # [[name, until], ...], oldest first
    sa.Column("pushes", Json, nullable=False),  # when the last ones came, as epoch seconds, oldest first
    sa.Column("last_push_at", UtcDateTime),
    sa.Column("last_release_at", UtcDateTime),
    sa.Column("last_version", sa.String(200)),
    sa.Column("silent_at", UtcDateTime),  # from when on its silence is unusual; null: too few pushes to tell
    sa.Index("ix_known_repositories_silent_at", "silent_at"),
    sa.Index("ix_known_repositories_repository_id", "repository_id"),
    sa.Index("ix_known_repositories_name", sa.text("lower(repository)")),
    partial_index("ix_known_repositories_renamed", "key", where="former_names IS NOT NULL"),
    sa.Index("ix_known_repositories_beginning", sa.text("lower(repository)")),  # by bytes, see `queries/search.py`
)

_TO_DO = "state IN ('wanted', 'running')"

# One row a repository: the last comparison of its forge's tags with our releases, or the one that is wanted.
comparisons = sa.Table(
    "comparisons",
    metadata,
    sa.Column("key", sa.String(553), primary_key=True),  # provider:full name
    sa.Column("state", sa.String(10), nullable=False),  # wanted, running, done, failed
    sa.Column("trigger", sa.String(10), nullable=False),  # of the jobs it makes: reconcile, backfill
    sa.Column("most_tags", sa.Integer),  # the newest so many; null: all
    sa.Column("creates", sa.Boolean, nullable=False),  # whether it queues what is missing
    sa.Column("is_by_timer", sa.Boolean, nullable=False),
    sa.Column("run", sa.Integer, nullable=False),  # grows with each claim; guards against one that outlived its lease
    sa.Column("tries", sa.Integer, nullable=False),  # that ended in a passing fault
    sa.Column("next_at", UtcDateTime, nullable=False),  # wanted: not before; running: the end of its lease
    sa.Column("wanted_at", UtcDateTime, nullable=False),
    sa.Column("ended_at", UtcDateTime),
    sa.Column("compared_at", UtcDateTime),  # when the forge was last read
    sa.Column("tags", sa.Integer),  # how many the forge has
    sa.Column("missing", sa.Integer),  # releases
    sa.Column("to_create", sa.Integer),  # of the missing: those that this comparison is to queue
    sa.Column("handled", sa.Integer),  # of those to be created
    sa.Column("queued", sa.Integer),  # of the handled: a job waits now that did not before
    sa.Column("entries", PackedJson),  # of the newest tags, see `shared/ledger/reconcile_runs.py`
    sa.Column("error", sa.Text),  # why it waits, or failed
    sa.Column("with_deploys", sa.Boolean),  # whether the releases it makes record deploys
    partial_index("ix_comparisons_next_at", "next_at", where=_TO_DO),
)

# One row for each process that runs (shared/ledger/processes.py): which rules file it has in force, and what is wrong with the
# newer one that it refuses.
processes = sa.Table(
    "processes",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),
    sa.Column("kind", sa.String(10), nullable=False),  # web, worker, sweeper
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Column("digest", sa.String(64)),  # SHA-256 of the file in force; null: no file
    sa.Column("errors", Json, nullable=False),  # of the file that is refused, [] while none is
)
