-- Records that end: from then on a sweep may forget them.

ALTER TABLE records ADD COLUMN ends INTEGER;  -- milliseconds since 1970-01-01T00:00:00Z; NULL in a record that stays
CREATE INDEX records_due ON records (ends) WHERE ends IS NOT NULL;
