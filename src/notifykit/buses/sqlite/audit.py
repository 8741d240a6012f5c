"""Looking for what must never be in a store."""

# ruff: noqa: S608 - SQL is put together from constants and question marks alone

from notifykit.buses.sqlite.step import CLAIMED, DEAD, WAITING, Step

__all__ = ["audit"]

_RULES = {
    "a message is in no known state": f"SELECT id FROM msg WHERE state NOT IN ({WAITING}, {CLAIMED}, {DEAD})",
    "a place is beyond the last one given out": "SELECT seq FROM msg WHERE seq > (SELECT seq FROM meta)",
    "a message is of no queue": "SELECT id FROM msg WHERE queue NOT IN (SELECT id FROM queue)",
    "a message has no body": "SELECT id FROM msg WHERE typeof(body) = 'integer' AND body NOT IN (SELECT key FROM body)",
    "a message has a body of another type": "SELECT id FROM msg WHERE typeof(body) NOT IN ('integer', 'blob')",
    "two messages have one body": "SELECT body FROM msg WHERE typeof(body) = 'integer' GROUP BY body HAVING count(*) > 1",
    "a body has no message": "SELECT key FROM body WHERE key NOT IN (SELECT body FROM msg WHERE typeof(body) = 'integer')",
    "attempts are out of bounds": "SELECT id FROM msg WHERE attempts < 0 OR attempts > max_attempts",
    "a claimed message has no claim": f"SELECT id FROM msg WHERE state = {CLAIMED} AND (attempts = 0 OR deliveries = 0)",
    "a dead message has no reason, or another has one": f"SELECT id FROM msg WHERE (state = {DEAD}) = (reason IS NULL OR died_at IS NULL)",
    "a living message does not have its key": f"""
        SELECT msg.id FROM msg LEFT JOIN idem ON idem.key = msg.key AND idem.id = msg.id AND live = 1
        WHERE msg.key IS NOT NULL AND state <> {DEAD} AND idem.key IS NULL""",
    "a key is held by a message that does not live": f"""
        SELECT idem.key FROM idem LEFT JOIN msg ON msg.id = idem.id AND msg.key = idem.key AND state <> {DEAD}
        WHERE live = 1 AND msg.id IS NULL""",
    "a lane's depth is not what lies in it": f"""
        SELECT channel, lane FROM queue WHERE waiting <> (SELECT count(*) FROM msg WHERE queue = queue.id AND state = {WAITING})
        OR claimed <> (SELECT count(*) FROM msg WHERE queue = queue.id AND state = {CLAIMED})
        OR dead <> (SELECT count(*) FROM msg WHERE queue = queue.id AND state = {DEAD})""",
    "a lane's counters do not add up": """
        SELECT channel, lane FROM queue WHERE n_enqueued <> n_acked + n_purged + n_cancelled + waiting + claimed + dead""",
    "a group's depth is not what lies in it": f"""
        SELECT grp FROM tally WHERE waiting + claimed + dead = 0
        OR waiting <> (SELECT count(*) FROM msg WHERE msg.grp = tally.grp AND state = {WAITING})
        OR claimed <> (SELECT count(*) FROM msg WHERE msg.grp = tally.grp AND state = {CLAIMED})
        OR dead <> (SELECT count(*) FROM msg WHERE msg.grp = tally.grp AND state = {DEAD})""",
    "a group is not counted": "SELECT DISTINCT grp FROM msg WHERE grp IS NOT NULL AND grp NOT IN (SELECT grp FROM tally)",
    "a window's hits are not of a known key": "SELECT DISTINCT key FROM hit WHERE key NOT IN (SELECT key FROM rate)",
}


def audit(step: Step) -> list[str]:
    """Return every rule that is broken, with the first rows that break it; and what SQLite itself finds."""
    broken = []
    for rule, sql in _RULES.items():
        rows = step.fetch(f"SELECT * FROM ({sql}) LIMIT 5")
        if rows:
            broken.append(f"{rule}: {rows}")
    broken += [f"SQLite: {row[0]}" for row in step.fetch("PRAGMA integrity_check") if row[0] != "ok"]
    return broken
