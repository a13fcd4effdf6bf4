-- The highest time that the store has given to a transaction. After a restart the store's clock starts no
-- lower: a wall clock that was set back in the meantime brings nothing back that had expired.

CREATE TABLE store_clock (
    now_ms BIGINT NOT NULL
);

INSERT INTO store_clock (now_ms) SELECT COALESCE(MAX(updated_ms), 0) FROM hold;
