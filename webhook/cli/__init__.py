"""`python -m webhook jobs|replays|deliveries|targets|search`: what the API does, in a terminal, without broker and receiver.

What is queued here the sweeper knocks for. Exit codes: 0 done, 1 failed, 2 wrong use or configuration, 3 nothing matched.
"""

from __future__ import annotations

from webhook.cli.deliveries import deliveries_group
from webhook.cli.jobs import jobs_group, replays_group
from webhook.cli.overviews import audit_group, releases_group, repositories_group, rules_group, stats
from webhook.cli.search import find
from webhook.cli.targets import targets_group

GROUPS = (
    *(jobs_group, replays_group, deliveries_group, releases_group, repositories_group, targets_group),
    *(rules_group, audit_group, stats, find),
)
