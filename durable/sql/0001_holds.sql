-- Held calls, version 1. Portable: BIGINT, INTEGER, TEXT; times are milliseconds since the Unix epoch;
-- documents are JSON text. One statement ends with ";" at the end of a line.

CREATE TABLE hold (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('held', 'approved', 'executing', 'denied', 'expired', 'cancelled',
        'invalidated', 'succeeded', 'failed', 'outcome_unknown')),
    version BIGINT NOT NULL,
    round INTEGER NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    expires_ms BIGINT NOT NULL,
    approved_until_ms BIGINT NOT NULL,
    next_ms BIGINT,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    session TEXT NOT NULL,
    workflow TEXT NOT NULL,
    client TEXT NOT NULL,
    method TEXT NOT NULL,
    upstream TEXT NOT NULL,
    name TEXT NOT NULL,
    call_id TEXT NOT NULL,
    call_digest TEXT NOT NULL,
    attach_key TEXT,
    group_key TEXT NOT NULL,
    idempotency_key TEXT NOT NULL,
    arguments TEXT NOT NULL,
    original TEXT,
    view TEXT NOT NULL,
    definition_digest TEXT NOT NULL,
    revision TEXT NOT NULL,
    requirement TEXT NOT NULL,
    risk INTEGER NOT NULL,
    binding TEXT NOT NULL,
    idempotent INTEGER NOT NULL,
    send_key TEXT NOT NULL,
    fence BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    owner TEXT NOT NULL,
    lease_ms BIGINT NOT NULL,
    outcome TEXT,
    reason TEXT NOT NULL,
    reason_by TEXT NOT NULL,
    collected INTEGER NOT NULL,
    claimed_by TEXT NOT NULL,
    claimed_until_ms BIGINT NOT NULL,
    escalated INTEGER NOT NULL
);

-- An identical call finds its hold again by this; null once there is nothing left to find.
CREATE UNIQUE INDEX hold_attach ON hold (tenant, attach_key) WHERE attach_key IS NOT NULL;

-- Sweeper and executor: null when nothing will happen by itself.
CREATE INDEX hold_due ON hold (status, next_ms) WHERE next_ms IS NOT NULL;

-- The queue of a tenant, risk first.
CREATE INDEX hold_queue ON hold (tenant, status, risk DESC, expires_ms, id);

-- Groups.
CREATE INDEX hold_group ON hold (tenant, group_key, status);

-- Past decisions about one tool.
CREATE INDEX hold_target ON hold (tenant, upstream, name, status, updated_ms);

CREATE TABLE hold_vote (
    hold TEXT NOT NULL REFERENCES hold (id),
    round INTEGER NOT NULL,
    person TEXT NOT NULL,
    verdict TEXT NOT NULL CHECK (verdict IN ('approve', 'deny')),
    at_ms BIGINT NOT NULL,
    seen TEXT NOT NULL,
    binding TEXT NOT NULL,
    names TEXT NOT NULL,
    sole INTEGER NOT NULL,
    how TEXT NOT NULL,
    reason TEXT NOT NULL,
    proof TEXT NOT NULL,
    PRIMARY KEY (hold, round, person)
);

CREATE TABLE hold_event (
    hold TEXT NOT NULL REFERENCES hold (id),
    seq BIGINT NOT NULL,
    tenant TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    kind TEXT NOT NULL,
    actor TEXT NOT NULL,
    round INTEGER NOT NULL,
    fence BIGINT NOT NULL,
    details TEXT NOT NULL,
    PRIMARY KEY (hold, seq)
);

-- How many calls wait for a person: of one agent, and (principal '') of the tenant.
CREATE TABLE hold_waiting (
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    waiting BIGINT NOT NULL,
    PRIMARY KEY (tenant, principal)
);

-- What has to be told elsewhere: to the audit log, to each webhook. Deleted when it was.
CREATE TABLE hold_outbox (
    hold TEXT NOT NULL,
    seq BIGINT NOT NULL,
    channel TEXT NOT NULL,
    not_before_ms BIGINT NOT NULL,
    attempts INTEGER NOT NULL,
    PRIMARY KEY (channel, hold, seq)
);

CREATE INDEX hold_outbox_due ON hold_outbox (channel, not_before_ms);

-- Calls with an idempotency key of the caller's, held or not.
CREATE TABLE keyed_call (
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    target TEXT NOT NULL,
    key TEXT NOT NULL,
    call_digest TEXT NOT NULL,
    call_id TEXT NOT NULL,
    at_ms BIGINT NOT NULL,
    until_ms BIGINT NOT NULL,
    owner TEXT NOT NULL,
    outcome TEXT,
    PRIMARY KEY (tenant, principal, target, key)
);

CREATE INDEX keyed_call_until ON keyed_call (until_ms);
