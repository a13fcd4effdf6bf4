-- Pins: which form of each listed definition somebody vouched for, and which one its upstream lists now.
-- Upstreams are shared by all tenants, so the tenant is '' today; it is part of the key all the same.

CREATE TABLE pin (
    tenant TEXT NOT NULL,
    upstream TEXT NOT NULL,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('new', 'pinned', 'drifted', 'quarantined', 'unpinned')),
    version BIGINT NOT NULL,
    digest TEXT NOT NULL,
    definition TEXT NOT NULL,
    pinned_by TEXT NOT NULL,
    pinned_ms BIGINT NOT NULL,
    first_use INTEGER NOT NULL,
    reason TEXT NOT NULL,
    proof TEXT NOT NULL,
    listed_digest TEXT NOT NULL,
    listed_definition TEXT NOT NULL,
    findings TEXT NOT NULL,
    created_ms BIGINT NOT NULL,
    updated_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, upstream, kind, name)
);

-- What waits for a person.
CREATE INDEX pin_state ON pin (tenant, state, upstream, kind, name);
