"""The ledger's tables: deliveries, their payloads, jobs, attempts. SQLAlchemy Core; job rows change in `job_transitions.py`."""

from __future__ import annotations

from pathlib import Path

import sqlalchemy as sa

from shared.infra.database import PackedJson, UtcDateTime
from shared.infra.schema import Schema
from shared.ledger.metadata import BigId as _BigId
from shared.ledger.metadata import Json as _Json
from shared.ledger.metadata import metadata as metadata
from shared.ledger.metadata import partial_index
from shared.ledger.reporting_tables import audit as audit  # so that whoever migrates knows those tables too

SCHEMA = Schema(Path(__file__).parent / "migrations", "alembic_version", remedy="python -m webhook db upgrade")

# Characters of a ref that an index holds: PostgreSQL refuses a row whose entry is longer than 2,700 bytes.
INDEXED_REF = 200
_REF = f"substr(ref, 1, {INDEXED_REF})"
_LOOSE = "delivery_seq IS NULL"  # jobs of reconcile and backfill, and those whose delivery has expired


deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("seq", _BigId, primary_key=True),
    sa.Column("delivery_id", sa.String(200), nullable=False),
    sa.Column("provider", sa.String(40), nullable=False),
    # Equal to delivery_id; null for a refused delivery, which never counts for deduplication.
    sa.Column("dedupe_key", sa.String(200)),
    sa.Column("event", sa.String(100), nullable=False),
    sa.Column("repository", sa.String(512)),
    sa.Column("ref", sa.String(1024)),
    sa.Column("status", sa.String(10), nullable=False),  # accepted, ignored, refused
    sa.Column("reason", sa.String(40)),
    sa.Column("detail", sa.Text),
    sa.Column("why", _Json),  # the rules tried, in order: [{"rule", "matched", "compared", "outcome"}]
    sa.Column("jobs", _Json, nullable=False),  # job ids, also of jobs that an earlier delivery made
    sa.Column("created_at", UtcDateTime, nullable=False),
    # A push is written to the commit log later, by whoever needs the log first: true while that is still to be done.
    sa.Column("to_log", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("repository_id", sa.BigInteger),  # the provider's; null where it did not say one, and in older rows
    # SHA-256 of a signed body that no other event has (GitHub's): the same one again is a redelivery. Null in older rows.
    sa.Column("body_digest", sa.LargeBinary(32)),
    sa.UniqueConstraint("provider", "dedupe_key"),
    partial_index("ix_deliveries_body_digest", "body_digest", where="body_digest IS NOT NULL", unique=True),
    partial_index("ix_deliveries_refused", "seq", where="status = 'refused'"),
    # On PostgreSQL these and what `queries/search.py` walks are in the order of bytes, in which those that begin alike stand
    # together: with text_pattern_ops, which an index over an expression cannot say here.
    sa.Index("ix_deliveries_delivery_id", "delivery_id", postgresql_ops={"delivery_id": "text_pattern_ops"}),
    sa.Index("ix_deliveries_ref", sa.text(_REF), "seq"),
    sa.Index("ix_deliveries_status", "status", "seq"),
    sa.Index("ix_deliveries_repository", "repository", "seq"),
    sa.Index("ix_deliveries_created_at", "created_at"),
    sa.Index("ix_deliveries_provider", "provider", "seq"),
    partial_index("ix_deliveries_to_log", "provider", "repository", where="to_log"),
)

# Apart from deliveries, so that lists never read bodies and retention can drop them alone.
payloads = sa.Table(
    "payloads",
    metadata,
    sa.Column(
        "delivery_seq", _BigId, sa.ForeignKey("deliveries.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False
    ),
    sa.Column("headers", _Json, nullable=False),  # {name: value}, secrets masked
    sa.Column("body", sa.LargeBinary, nullable=False),  # as received
)

_DUE = "status IN ('queued', 'retrying')"

jobs = sa.Table(
    "jobs",
    metadata,
    sa.Column("id", sa.String(32), primary_key=True),  # UUIDv7, so ids sort by time
    # Digest of target, provider, repository (its number, else its name), ref and commit: one job each, however many deliveries
    # announce it.
    sa.Column("key", sa.String(64), nullable=False, unique=True),
    sa.Column("delivery_seq", _BigId, sa.ForeignKey("deliveries.seq", ondelete="SET NULL"), index=True),
    sa.Column("delivery_id", sa.String(200)),
    sa.Column("provider", sa.String(40), nullable=False),
    sa.Column("repository", sa.String(512), nullable=False),
    sa.Column("ref", sa.String(1024), nullable=False),
    sa.Column("sha", sa.String(64), nullable=False),
    sa.Column("target", sa.String(64), nullable=False),
    sa.Column("version", sa.String(200), nullable=False),
    # {"rule", "projects", "set_commits", "finalize", "environment"}: what the rule asked for
    sa.Column("spec", _Json, nullable=False),
    sa.Column("status", sa.String(10), nullable=False),
    sa.Column("trigger", sa.String(10), nullable=False),  # of the next attempt
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("attempts_allowed", sa.Integer, nullable=False),  # grows by a fresh budget with each replay
    sa.Column("next_attempt_at", UtcDateTime, nullable=False),
    sa.Column("knock_at", UtcDateTime),  # when the sweeper knocks for it next; never before next_attempt_at
    sa.Column("lease_until", UtcDateTime),
    sa.Column("reason", sa.String(40)),
    sa.Column("error", sa.Text),
    sa.Column("outcome", sa.String(10)),  # created, existed
    sa.Column("release_url", sa.Text),
    sa.Column("range", _Json),  # contract section 4
    # {"code", "detail", "until"}: what a job that spends no attempt waits for (a paused target, a forge's rate limit)
    sa.Column("waiting", _Json),
    sa.Column("warnings", _Json),  # [{"code", "detail"}]: how the release differs from what was asked; null: in nothing
    sa.Column(
        "deploy", _Json
    ),  # {"finished_at", "state": "sending"|"sent"|"refused", "refused_at"}: a deploy is never sent twice
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Column("updated_at", UtcDateTime, nullable=False),
    # When what it announces happened, where that is neither when its delivery came nor when it was made: a tag found later.
    # The date of its release and deploys.
    sa.Column("event_at", UtcDateTime),
    sa.Column("deploy_at", UtcDateTime),  # when its ref came back to this commit: one more deploy is due
    sa.Column("replay_seq", sa.BigInteger),  # in the audit log: the last bulk replay or recollect that took it
    sa.Column("repository_id", sa.BigInteger),  # as its delivery's
    # While its list is collected again (shared/ledger/recollects.py): what it goes back to if that fails; else null.
    sa.Column("before_status", sa.String(10)),
    sa.Column("before_next_at", UtcDateTime),
    sa.Column("before_waiting", _Json),
    sa.Column("before_updated_at", UtcDateTime),
    # The sweeper walks targets and repositories in here, and takes the oldest of each.
    partial_index("ix_jobs_due", "target", "repository", "knock_at", "id", where=_DUE),
    sa.Index("ix_jobs_status", "status", "id"),
    sa.Index("ix_jobs_repository", "repository", "id"),
    sa.Index("ix_jobs_target", "target", "id"),
    partial_index("ix_jobs_reason", "reason", "id", where="reason IS NOT NULL"),
    partial_index("ix_jobs_warnings", "id", where="warnings IS NOT NULL"),
    sa.Index("ix_jobs_version", "version", "id", postgresql_ops={"version": "text_pattern_ops"}),
    sa.Index("ix_jobs_loose_ref", sa.text(_REF), "id", sqlite_where=sa.text(_LOOSE), postgresql_where=sa.text(_LOOSE)),
    partial_index("ix_jobs_loose_sha", "delivery_seq", "sha", where=_LOOSE),
    partial_index("ix_jobs_replay_seq", "replay_seq", "status", where="replay_seq IS NOT NULL"),
    partial_index("ix_jobs_leased", "lease_until", where="status = 'running'"),
    # Jobs of one release run one after another.
    partial_index("ix_jobs_running_version", "target", "version", where="status = 'running'", unique=True),
)

attempts = sa.Table(
    "attempts",
    metadata,
    sa.Column("job_id", sa.String(32), sa.ForeignKey("jobs.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("trigger", sa.String(10), nullable=False),
    sa.Column("started_at", UtcDateTime, nullable=False),
    sa.Column("finished_at", UtcDateTime),
    sa.Column("outcome", sa.String(10)),
    sa.Column("http_status", sa.Integer),
    sa.Column("error", sa.Text),
    # {"exchanges", "left_out"}; written with the end of the attempt, so that it costs no statement of its own.
    sa.Column("exchanges", PackedJson),
    sa.Index("ix_attempts_finished_at", "finished_at"),
)

# The commit log: what every authentic push said, also one that no rule wants. Outlives deliveries and payloads.
pushes = sa.Table(
    "pushes",
    metadata,
    sa.Column("seq", _BigId, primary_key=True, autoincrement=False),  # of the delivery: the order of arrival
    sa.Column("repository_key", sa.String(553), nullable=False),  # of known_repositories
    sa.Column("ref", sa.String(1024), nullable=False),
    sa.Column("before", sa.String(64), nullable=False),
    sa.Column("sha", sa.String(64)),  # the commit that the ref then pointed at; null when deleted
    sa.Column("commit_ids", _Json, nullable=False),  # as listed, oldest first
    sa.Column("total", sa.Integer),  # how many there were, when the provider said so
    sa.Column("is_forced", sa.Boolean),  # null: the provider does not say
    sa.Column("at", UtcDateTime, nullable=False),
    sa.Column("pushed_at", UtcDateTime),  # when the provider says that it happened; null where it does not, and in older rows
    sa.Index("ix_pushes_sha", "repository_key", "sha"),
    sa.Index("ix_pushes_head", "sha"),
    sa.Index("ix_pushes_at", "at"),
)

# One row a commit and repository, from payloads and from the forge's API.
commits = sa.Table(
    "commits",
    metadata,
    sa.Column("repository_key", sa.String(553), primary_key=True),
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("author_name", sa.Text),
    sa.Column("author_email", sa.Text),
    sa.Column("timestamp", UtcDateTime),
    sa.Column("files", _Json),  # [[path, "A"|"M"|"D"], ...]; null: not known
    sa.Column("seen_at", UtcDateTime, nullable=False),
    sa.Index("ix_commits_seen_at", "seen_at"),
)

# Which commits each repository put into a release: a POST replaces the whole list, so every POST sends the union.
contributions = sa.Table(
    "contributions",
    metadata,
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("version", sa.String(200), primary_key=True),
    sa.Column("repository_key", sa.String(553), primary_key=True),
    sa.Column("commits", PackedJson, nullable=False),  # one row for all of them, which may be 10,000
    sa.Column("ref", sa.String(1024)),  # the tag that the release was made of; null for branches
    # Whose the repository was when it made or joined the release (shared/domain/source_versions.py), and whether its rule lets
    # others join; null in older rows.
    sa.Column("source", sa.Text),
    sa.Column("is_shared", sa.Boolean),
    sa.Column("at", UtcDateTime, nullable=False),
)

# Which repositories each target has had commits of: it knows them since.
target_repositories = sa.Table(
    "target_repositories",
    metadata,
    sa.Column("target", sa.String(64), primary_key=True),
    sa.Column("repository", sa.String(512), primary_key=True),  # full name: two providers' of one name are one at the target
    sa.Column("at", UtcDateTime, nullable=False),
)

# A forge's rate limit or refusal, shared by every job of its token.
holds = sa.Table(
    "holds",
    metadata,
    sa.Column("scope", sa.String(300), primary_key=True),
    sa.Column("until", UtcDateTime, nullable=False),
    sa.Column("detail", sa.Text, nullable=False),
    # Of a refusal: the repository to ask about whether it has ended ("provider:name"), and when it began.
    sa.Column("repository_key", sa.String(553)),
    sa.Column("since", UtcDateTime),
)

# How each target fares; a target without a row is fine.
target_states = sa.Table(
    "target_states",
    metadata,
    sa.Column("name", sa.String(64), primary_key=True),
    sa.Column("state", sa.String(10), nullable=False),  # ok, paused, probing
    sa.Column("reason", sa.String(40)),
    sa.Column("detail", sa.Text),
    sa.Column("failures", sa.Integer, nullable=False),  # passing ones in a row
    sa.Column("paused_until", UtcDateTime),  # null while paused: until a person resumes it
    sa.Column("probe_job", sa.String(32)),
    sa.Column("failed", _Json),  # versions of the releases that failed in a row
    sa.Column("is_careful", sa.Boolean),  # one job at a time
    sa.Column("keeps_commits", sa.Boolean),  # whether it kept those that it was sent; null: not known
    sa.Column("keeps_commits_at", UtcDateTime),  # when that was last seen
    sa.Column("updated_at", UtcDateTime, nullable=False),
    # The moment (epoch seconds) up to which the pace is spoken for: all workers draw their turns from here.
    sa.Column("next_send", sa.Float),
)

# The answers of requests that carried an Idempotency-Key: the same key gets the same answer and acts once.
kept_answers = sa.Table(
    "kept_answers",
    metadata,
    sa.Column("scope", sa.String(300), primary_key=True),  # method and path
    sa.Column("key", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),  # of the request's body
    sa.Column("body", _Json),
    sa.Column("created_at", UtcDateTime, nullable=False),
    sa.Index("ix_kept_answers_created_at", "created_at"),
)
