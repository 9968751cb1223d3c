"""How long a connection to a PostgreSQL server waits for a network that has gone silent.

Belongs here: what warehouse and shop share. Time limits of statements are theirs.
"""

from __future__ import annotations

from typing import Any

PATIENCE: dict[str, Any] = {
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
"""libpq's options: a peer that is gone is noticed after a minute, whether we wait for it (seconds) or it owes us an
acknowledgement (milliseconds). Without them a run, its locks and its connections wait as long as the kernel, hours."""
