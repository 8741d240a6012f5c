-- The store of one bus. Times are bus time in milliseconds; lanes: 0 transactional, 1 campaign; states: 0 waiting, 1 claimed, 2 dead.
-- Every statement ends with a semicolon at the end of its line.

-- One row: the last place given out, the latest bus time told, and the time before which no lease is taken over.
CREATE TABLE meta (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  seq INTEGER NOT NULL,
  mark INTEGER NOT NULL,
  calm INTEGER NOT NULL
) STRICT;
INSERT INTO meta VALUES (1, 0, 0, 0);

-- One row for each lane of a channel: how many messages it holds, and every transition counted.
CREATE TABLE queue (
  id INTEGER PRIMARY KEY,
  channel TEXT NOT NULL,
  lane INTEGER NOT NULL,
  waiting INTEGER NOT NULL DEFAULT 0,
  claimed INTEGER NOT NULL DEFAULT 0,
  dead INTEGER NOT NULL DEFAULT 0,
  n_enqueued INTEGER NOT NULL DEFAULT 0,
  n_duplicates INTEGER NOT NULL DEFAULT 0,
  n_claimed INTEGER NOT NULL DEFAULT 0,
  n_acked INTEGER NOT NULL DEFAULT 0,
  n_retried INTEGER NOT NULL DEFAULT 0,
  n_released INTEGER NOT NULL DEFAULT 0,
  n_died INTEGER NOT NULL DEFAULT 0,
  n_replayed INTEGER NOT NULL DEFAULT 0,
  n_purged INTEGER NOT NULL DEFAULT 0,
  n_cancelled INTEGER NOT NULL DEFAULT 0,
  n_taken_over INTEGER NOT NULL DEFAULT 0,
  n_stale INTEGER NOT NULL DEFAULT 0,
  run INTEGER NOT NULL DEFAULT 0,
  UNIQUE (channel, lane)
) STRICT;

-- seq is the place in the order of arrival, given out by meta and never twice. A small body lies in the row itself, a large one
-- in a table of its own under the number that stands here, so that a claim does not rewrite it. nonce: random, of one claim call.
CREATE TABLE msg (
  seq INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  queue INTEGER NOT NULL,
  state INTEGER NOT NULL,
  due_at INTEGER NOT NULL,
  expires_at INTEGER,
  max_attempts INTEGER NOT NULL,
  key TEXT,
  grp TEXT,
  recipient TEXT NOT NULL,
  template TEXT NOT NULL,
  attempts INTEGER NOT NULL,
  deliveries INTEGER NOT NULL,
  takeovers INTEGER NOT NULL,
  replays INTEGER NOT NULL,
  nonce INTEGER NOT NULL,
  claimed_at INTEGER NOT NULL,
  lease_until INTEGER NOT NULL,
  body ANY NOT NULL,
  progress BLOB NOT NULL,
  reason TEXT,
  error TEXT,
  died_at INTEGER
) STRICT;
CREATE UNIQUE INDEX msg_id ON msg (id);
CREATE INDEX msg_waiting ON msg (queue, due_at) WHERE state = 0;
CREATE INDEX msg_claimed ON msg (queue, lease_until) WHERE state = 1;
CREATE INDEX msg_dead ON msg (state) WHERE state = 2;
CREATE INDEX msg_expiry ON msg (queue, expires_at) WHERE state = 0 AND expires_at IS NOT NULL;
CREATE INDEX msg_group ON msg (grp, due_at) WHERE state = 0 AND grp IS NOT NULL;

CREATE TABLE body (
  key INTEGER PRIMARY KEY,
  data BLOB NOT NULL
) STRICT;

-- How many messages of each group wait, are claimed and are dead; a group without any has no row.
CREATE TABLE tally (
  grp TEXT PRIMARY KEY,
  waiting INTEGER NOT NULL,
  claimed INTEGER NOT NULL,
  dead INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Idempotency keys: taken while live = 1, and until a time.
CREATE TABLE idem (
  key TEXT PRIMARY KEY,
  id TEXT NOT NULL,
  until INTEGER NOT NULL,
  live INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX idem_over ON idem (until) WHERE live = 0;

-- lane -1 is the whole channel.
CREATE TABLE hold (
  channel TEXT NOT NULL,
  lane INTEGER NOT NULL,
  reason TEXT NOT NULL,
  until INTEGER NOT NULL,
  PRIMARY KEY (channel, lane, reason)
) STRICT, WITHOUT ROWID;

-- The ledger: facts, and the hits of rate windows with the longest period that was asked of each key.
CREATE TABLE fact (
  key TEXT PRIMARY KEY,
  value BLOB NOT NULL,
  expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX fact_over ON fact (expires_at) WHERE expires_at IS NOT NULL;
CREATE TABLE rate (
  key TEXT PRIMARY KEY,
  period INTEGER NOT NULL,
  last INTEGER NOT NULL,
  idle_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX rate_idle ON rate (idle_at);
CREATE TABLE hit (
  key TEXT NOT NULL,
  number INTEGER NOT NULL,
  at INTEGER NOT NULL,
  PRIMARY KEY (key, number)
) STRICT, WITHOUT ROWID;
