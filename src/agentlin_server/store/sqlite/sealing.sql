-- name: unsealed
SELECT pk FROM task WHERE finished_at < :before AND sealed_at IS NULL ORDER BY finished_at LIMIT :limit

-- name: finished
SELECT pk FROM task WHERE finished_at < :before AND parent_pk IS NULL ORDER BY finished_at LIMIT :limit

-- name: journal_from
SELECT rev, kind, generation, first_seq, last_seq, codec, events, facts FROM journal
 WHERE task_pk = :pk AND rev > :after_rev ORDER BY rev

-- name: drop_merged
DELETE FROM journal WHERE task_pk = :pk AND rev >= :first_rev AND rev < :rev

-- name: pack_row
UPDATE journal SET first_seq = :first_seq, codec = :codec, events = :events, facts = :facts
 WHERE task_pk = :pk AND rev = :rev AND last_seq = :last_seq

-- name: mark_sealed
UPDATE task SET sealed_at = (julianday('now') - 2440587.5) * 86400.0 WHERE pk = :pk -- julianday of the Unix epoch
