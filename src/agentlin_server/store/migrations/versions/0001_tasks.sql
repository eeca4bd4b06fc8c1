-- The journal and the rows. Every key starts with the tenant; a task's own tables hang on
-- its row number, which is unique across tenants.
-- Columns that later features need are here from the start, so that no big table is rewritten.

CREATE TABLE session (
    pk           INTEGER PRIMARY KEY,
    tenant       TEXT    NOT NULL,
    id           TEXT    NOT NULL,
    user_id      TEXT    NOT NULL,
    busy_task_pk INTEGER,                       -- the one task that runs, or rests, in it
    next_pos     INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, id)
);

CREATE TABLE task (
    pk               INTEGER PRIMARY KEY AUTOINCREMENT,  -- never reused: a cursor may outlive a row
    tenant           TEXT    NOT NULL,
    id               TEXT    NOT NULL,
    user_id          TEXT    NOT NULL,
    client_id        TEXT,
    session_pk       INTEGER NOT NULL REFERENCES session (pk),
    session_pos      INTEGER NOT NULL,
    previous_task_id TEXT,                       -- an id, as said in task.created: it outlives its task
    parent_pk        INTEGER,
    root_pk          INTEGER,
    forked_from_pk   INTEGER,
    forked_at_rev    INTEGER,
    status           TEXT    NOT NULL,
    rev              INTEGER NOT NULL DEFAULT 0,  -- as of the last change of state; deltas touch the journal only
    next_seq         INTEGER NOT NULL DEFAULT 0,  -- likewise
    generation       INTEGER NOT NULL DEFAULT 0,
    lease_owner      TEXT,
    wake_at          REAL,
    not_before       REAL,
    deadline_at      REAL,
    expires_at       REAL,
    attempts         INTEGER NOT NULL DEFAULT 0,
    priority         INTEGER NOT NULL DEFAULT 0,
    spec_hash        TEXT    NOT NULL,
    body_hmac        TEXT    NOT NULL,
    idem_route       TEXT,                       -- its record in `idempotency`, if it has one
    idem_key         TEXT,
    metadata         TEXT,
    budget           TEXT,
    spent            TEXT,
    usage            TEXT,
    error            TEXT,
    trace_context    TEXT,
    cancel_requested INTEGER NOT NULL DEFAULT 0,
    pause_requested  INTEGER NOT NULL DEFAULT 0,
    created_at       REAL    NOT NULL,
    finished_at      REAL,
    UNIQUE (tenant, id)
);
CREATE INDEX task_by_session ON task (session_pk, session_pos);
CREATE INDEX task_by_user ON task (tenant, user_id, pk);
CREATE INDEX task_by_spec ON task (spec_hash);
CREATE INDEX task_by_parent ON task (parent_pk) WHERE parent_pk IS NOT NULL;
CREATE INDEX task_unfinished ON task (pk)
    WHERE status NOT IN ('completed', 'canceled', 'expired', 'failed');
CREATE INDEX task_queued ON task (priority DESC, pk) WHERE status = 'queued';

CREATE TABLE journal (
    task_pk    INTEGER NOT NULL,
    rev        INTEGER NOT NULL,
    kind       INTEGER NOT NULL,                -- 0 state, 1 deltas only
    generation INTEGER NOT NULL,
    first_seq  INTEGER NOT NULL,
    last_seq   INTEGER NOT NULL,
    at         REAL    NOT NULL,
    codec      INTEGER NOT NULL DEFAULT 0,      -- of events and facts: 0 plain, 1 zlib
    events     BLOB    NOT NULL,
    facts      BLOB,
    PRIMARY KEY (task_pk, rev)                  -- rows of all tasks are appended at one end of the table
);

CREATE TABLE item (
    task_pk        INTEGER NOT NULL,
    ord            INTEGER NOT NULL,
    id             TEXT    NOT NULL,
    step           INTEGER NOT NULL,
    attempt        INTEGER NOT NULL,
    supersedes     TEXT,
    type           TEXT    NOT NULL,
    call_id        TEXT,
    status         TEXT    NOT NULL,
    provider_state BLOB,
    done_rev       INTEGER NOT NULL,            -- the journal row that holds its body
    PRIMARY KEY (task_pk, ord)
) WITHOUT ROWID;

CREATE TABLE tool_call (
    task_pk    INTEGER NOT NULL,
    call_id    TEXT    NOT NULL,
    step       INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    effect     TEXT    NOT NULL CHECK (effect IN ('read', 'idempotent', 'unsafe')),
    state      TEXT    NOT NULL CHECK (state IN ('planned', 'started', 'done', 'interrupted', 'unknown')),
    idem_key   TEXT    NOT NULL,
    generation INTEGER NOT NULL,
    started_at REAL,
    ended_at   REAL,
    PRIMARY KEY (task_pk, call_id)
) WITHOUT ROWID;

CREATE TABLE intent (
    task_pk     INTEGER NOT NULL,
    n           INTEGER NOT NULL,
    kind        TEXT    NOT NULL CHECK (kind IN ('cancel', 'pause', 'resume', 'answer', 'delete', 'expire')),
    actor       TEXT    NOT NULL,
    body        TEXT,
    at          REAL    NOT NULL,
    applied_rev INTEGER,
    PRIMARY KEY (task_pk, n)
) WITHOUT ROWID;

CREATE TABLE input_request (
    task_pk        INTEGER NOT NULL,
    key            TEXT    NOT NULL,
    kind           TEXT    NOT NULL CHECK (kind IN ('tool', 'approval', 'question')),
    call_id        TEXT,
    state          TEXT    NOT NULL,
    deadline_at    REAL,
    default_answer TEXT,
    answer         TEXT,
    actor          TEXT,
    answered_at    REAL,
    PRIMARY KEY (task_pk, key)
) WITHOUT ROWID;

CREATE TABLE idempotency (
    tenant     TEXT NOT NULL,
    route      TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hmac  TEXT NOT NULL,
    task_pk    INTEGER,                         -- NULL: its task was deleted, the key stays taken
    expires_at REAL,
    PRIMARY KEY (tenant, route, key)
) WITHOUT ROWID;
CREATE INDEX idempotency_by_expiry ON idempotency (expires_at) WHERE expires_at IS NOT NULL;

CREATE TABLE message (
    tenant TEXT NOT NULL,
    hash   TEXT NOT NULL,
    body   BLOB NOT NULL,
    PRIMARY KEY (tenant, hash)
) WITHOUT ROWID;

CREATE TABLE blob (
    tenant     TEXT    NOT NULL,
    hash       TEXT    NOT NULL,
    media_type TEXT    NOT NULL,
    size       INTEGER NOT NULL,
    refs       INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, hash)
) WITHOUT ROWID;

CREATE TABLE secret (
    task_pk    INTEGER NOT NULL,
    name       TEXT    NOT NULL,
    ciphertext BLOB    NOT NULL,
    PRIMARY KEY (task_pk, name)
) WITHOUT ROWID;

CREATE TABLE outbox (
    id       INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   TEXT    NOT NULL,
    topic    TEXT    NOT NULL,
    task_pk  INTEGER,
    due_at   REAL    NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    body     TEXT
);
CREATE INDEX outbox_due ON outbox (due_at);

CREATE TABLE rollout (
    task_pk          INTEGER NOT NULL,
    n                INTEGER NOT NULL,
    parent_n         INTEGER,
    appended         TEXT    NOT NULL,          -- JSON list of references, see agent/context.py
    output           TEXT    NOT NULL,          -- JSON list of item ids
    purpose          TEXT    NOT NULL,
    step             INTEGER NOT NULL,
    attempt          INTEGER NOT NULL,
    model            TEXT    NOT NULL,
    sampling         TEXT    NOT NULL,
    tools            TEXT,
    prompt_token_ids BLOB,
    token_ids        BLOB,
    logprobs         BLOB,
    exact            INTEGER NOT NULL DEFAULT 0,
    finish_reason    TEXT,
    usage            TEXT,
    latency_ms       INTEGER,
    PRIMARY KEY (task_pk, n)
) WITHOUT ROWID;

CREATE TABLE worker (
    id          TEXT PRIMARY KEY,
    lease_until REAL NOT NULL
) WITHOUT ROWID;
