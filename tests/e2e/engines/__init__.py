# SPDX-License-Identifier: Apache-2.0
"""The real databases, unmodified from Debian, each on any directory it is given."""
from .clickhouse import ClickHouse
from .postgres import Postgres
from .redis import Redis
from .sqlite import Sqlite

ALL = [Postgres, Redis, Sqlite, ClickHouse]
