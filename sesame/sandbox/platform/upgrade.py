"""Brings a file of an earlier stand-in to today's tables: an installation is played with for long.

Notices that were not delivered yet are given up: whoever waits for one asks for its order anyway.
"""

import sqlite3

# Version 0 was the acquirer's alone: its keys had a table, and rows no room for another wire.
_FROM_ACQUIRER = """
begin immediate;
create table secret (name text primary key, value blob not null);
insert into secret select 'platform_key_' || position, pem from platform_key;
drop table platform_key;
alter table agreement add column extra text not null default '{}';
alter table orders add column extra text not null default '{}';
drop table notice;
commit;
"""


def upgrade(connection: sqlite3.Connection) -> bool:
    """Upgrade a file of version 0; returns whether it was one that is known."""
    names = {row[0] for row in connection.execute("select name from sqlite_schema")}
    if not names >= {"platform_key", "agreement", "orders", "notice"}:
        return False
    connection.executescript(_FROM_ACQUIRER)
    return True
