-- What agents came upon. A session is one principal in one signed workflow ('' where the token names none), and
-- is over at until_ms if it is not used before. It has a row while there is something to remember.

CREATE TABLE agent_session (
    tenant TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    workflow TEXT NOT NULL,
    labels TEXT NOT NULL,
    until_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject_type, subject_id, agent, workflow)
);

CREATE INDEX agent_session_until ON agent_session (until_ms);

-- What stands for a value of which the agent was given a placeholder. The value is sealed with a key that is not
-- here. kept_until_ms: 0, or until when a call that waits needs it even after its session.
CREATE TABLE agent_placeholder (
    tenant TEXT NOT NULL,
    subject_type TEXT NOT NULL,
    subject_id TEXT NOT NULL,
    agent TEXT NOT NULL,
    workflow TEXT NOT NULL,
    placeholder TEXT NOT NULL,
    lookup TEXT NOT NULL,
    sealed TEXT NOT NULL,
    kept_until_ms BIGINT NOT NULL,
    PRIMARY KEY (tenant, subject_type, subject_id, agent, workflow, placeholder)
);

-- The same value of a session has the same placeholder.
CREATE UNIQUE INDEX agent_placeholder_lookup
    ON agent_placeholder (tenant, subject_type, subject_id, agent, workflow, lookup);

CREATE INDEX agent_placeholder_kept ON agent_placeholder (kept_until_ms) WHERE kept_until_ms > 0;
