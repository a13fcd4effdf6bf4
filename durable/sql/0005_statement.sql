-- What the agent said with a held call: a document of its words, '{}' where it said nothing.

ALTER TABLE hold ADD COLUMN statement TEXT NOT NULL DEFAULT '{}';

-- When a person's word first decided it, 0 while nobody's has; of earlier holds their events know.

ALTER TABLE hold ADD COLUMN decided_ms BIGINT NOT NULL DEFAULT 0;

UPDATE hold SET decided_ms = COALESCE((SELECT MIN(hold_event.at_ms) FROM hold_event
    WHERE hold_event.hold = hold.id AND hold_event.kind IN ('approved', 'denied')), 0);

-- How reviewing goes, day by day: read from this index alone.
CREATE INDEX hold_created ON hold (tenant, created_ms, status, decided_ms);

-- Who said yes and no.
CREATE INDEX hold_event_said ON hold_event (tenant, at_ms, actor, kind)
    WHERE kind IN ('vote', 'approved', 'denied');
