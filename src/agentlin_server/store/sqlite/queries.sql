-- name: task_columns
SELECT t.pk, t.tenant, t.id, t.user_id, t.client_id, s.id AS session_id, t.session_pos,
       p.id AS parent_id, t.previous_task_id, t.status, t.generation, t.attempts,
       t.spec_hash, t.metadata, t.created_at, t.finished_at, t.body_hmac,
       t.cancel_requested
  FROM task t
  JOIN session s ON s.pk = t.session_pk
  LEFT JOIN task p ON p.pk = t.parent_pk

-- name: append_deltas
INSERT INTO journal (task_pk, rev, kind, generation, first_seq, last_seq, at, codec, events)
SELECT pk, ?2, 1, ?3, ?4, ?5, ?6, 0, ?7
  FROM task
 WHERE pk = ?1 AND generation = ?3
   AND EXISTS (SELECT 1 FROM journal WHERE task_pk = ?1 AND rev = ?2 - 1)
    ON CONFLICT (task_pk, rev) DO NOTHING

-- name: append_state
INSERT INTO journal (task_pk, rev, kind, generation, first_seq, last_seq, at, codec, events, facts)
SELECT pk, :rev, 0, :generation, :first_seq, :last_seq, :at, :codec, :events, :facts
  FROM task
 WHERE pk = :task_pk AND generation = :generation
   AND (:rev = 1 OR EXISTS (SELECT 1 FROM journal WHERE task_pk = :task_pk AND rev = :rev - 1))
    ON CONFLICT (task_pk, rev) DO NOTHING

-- name: update_task
UPDATE task
   SET rev = :rev, next_seq = :next_seq, status = coalesce(:status, status),
       usage = coalesce(:usage, usage), error = coalesce(:error, error),
       finished_at = :finished_at,
       lease_owner = CASE WHEN :is_final THEN NULL ELSE lease_owner END
 WHERE pk = :task_pk

-- name: free_session
UPDATE session SET busy_task_pk = NULL
 WHERE pk = (SELECT session_pk FROM task WHERE pk = :task_pk) AND busy_task_pk = :task_pk

-- name: insert_item
INSERT INTO item (task_pk, ord, id, step, attempt, supersedes, type, call_id, status, provider_state, done_rev)
VALUES (:task_pk, :ord, :id, :step, :attempt, :supersedes, :type, :call_id, :status, :provider_state, :done_rev)
    ON CONFLICT (task_pk, ord) DO UPDATE SET status = excluded.status, done_rev = excluded.done_rev

-- name: insert_rollout
INSERT INTO rollout (task_pk, n, parent_n, appended, output, purpose, step, attempt, model, sampling,
                     tools, logprobs, finish_reason, usage, latency_ms)
VALUES (:task_pk, :n, :parent_n, :appended, :output, :purpose, :step, :attempt, :model, :sampling,
        :tools, :logprobs, :finish_reason, :usage, :latency_ms)

-- name: insert_message
INSERT INTO message (tenant, hash, body) VALUES (:tenant, :hash, :body)
    ON CONFLICT (tenant, hash) DO NOTHING

-- name: find_reservation
SELECT body_hmac, task_pk FROM idempotency
 WHERE tenant = :tenant AND route = :route AND key = :key
   AND (expires_at IS NULL OR expires_at > :at)

-- name: insert_reservation
INSERT INTO idempotency (tenant, route, key, body_hmac, task_pk, expires_at)
VALUES (:tenant, :route, :key, :body_hmac, :task_pk, :expires_at)
    ON CONFLICT (tenant, route, key) DO UPDATE
       SET body_hmac = excluded.body_hmac, task_pk = excluded.task_pk, expires_at = excluded.expires_at

-- name: ensure_session
INSERT INTO session (tenant, id, user_id) VALUES (:tenant, :id, :user_id)
    ON CONFLICT (tenant, id) DO NOTHING

-- name: find_session
SELECT pk, user_id, busy_task_pk, next_pos,
       EXISTS (SELECT 1 FROM task WHERE session_pk = session.pk AND status IN ('created', 'queued')) AS has_waiting
  FROM session WHERE tenant = :tenant AND id = :id

-- name: find_task
SELECT pk, body_hmac FROM task WHERE tenant = :tenant AND id = :id

-- name: last_of_session
SELECT t.id FROM task t
 WHERE t.session_pk = :session_pk
   AND (t.status IN ('created', 'queued', 'working', 'input-required', 'paused', 'completed')
        OR EXISTS (SELECT 1 FROM item WHERE task_pk = t.pk AND status = 'completed'))
 ORDER BY t.session_pos DESC LIMIT 1

-- name: insert_task
INSERT INTO task (tenant, id, user_id, client_id, session_pk, session_pos, previous_task_id, status, rev, next_seq,
                  generation, lease_owner, attempts, spec_hash, body_hmac, idem_route, idem_key, metadata, created_at)
VALUES (:tenant, :id, :user_id, :client_id, :session_pk, :session_pos, :previous_task_id, :status, 1, :next_seq,
        :generation, :lease_owner, :attempts, :spec_hash, :body_hmac, :idem_route, :idem_key, :metadata, :created_at)

-- name: take_session_place
UPDATE session SET next_pos = next_pos + 1, busy_task_pk = coalesce(:busy_task_pk, busy_task_pk) WHERE pk = :pk

-- name: claimable
SELECT t.pk FROM task t JOIN session s ON s.pk = t.session_pk
 WHERE t.status = 'queued' AND NOT t.cancel_requested
   AND (s.busy_task_pk IS NULL OR (s.busy_task_pk = t.pk AND t.lease_owner IS NOT :owner)) -- its owner died
   AND NOT EXISTS (SELECT 1 FROM task o WHERE o.session_pk = t.session_pk AND o.status = 'queued'
                      AND o.session_pos < t.session_pos)
 ORDER BY t.priority DESC, t.pk LIMIT :limit

-- name: claim
UPDATE task SET generation = generation + 1, lease_owner = :owner, attempts = attempts + 1
 WHERE pk = :pk AND status NOT IN ('completed', 'canceled', 'expired', 'failed')

-- name: occupy_session
UPDATE session SET busy_task_pk = :pk
 WHERE pk = (SELECT session_pk FROM task WHERE pk = :pk AND NOT cancel_requested)
   AND (busy_task_pk IS NULL
        OR busy_task_pk = (SELECT pk FROM task WHERE pk = :pk AND lease_owner IS NOT :owner)) -- its owner died

-- name: journal_end
SELECT rev, last_seq FROM journal WHERE task_pk = :pk ORDER BY rev DESC LIMIT 1

-- name: request_cancel
UPDATE task SET cancel_requested = 1 WHERE pk = :pk

-- name: insert_intent
INSERT INTO intent (task_pk, n, kind, actor, at)
SELECT :pk, coalesce(max(n), 0) + 1, :kind, :actor, :at FROM intent WHERE task_pk = :pk

-- name: family
WITH RECURSIVE family (pk) AS (
    SELECT :pk UNION SELECT task.pk FROM task JOIN family ON task.parent_pk = family.pk
)
SELECT pk FROM family

-- name: reserve_deleted_key
UPDATE idempotency SET task_pk = NULL, expires_at = coalesce(expires_at, :until)
 WHERE (tenant, route, key) = (SELECT tenant, idem_route, idem_key FROM task WHERE pk = :pk) AND task_pk = :pk

-- name: delete_orphaned_spec
DELETE FROM message
 WHERE tenant = :tenant AND hash = :hash
   AND NOT EXISTS (SELECT 1 FROM task WHERE spec_hash = :hash AND tenant = :tenant)

-- name: delete_idle_session
DELETE FROM session
 WHERE pk = :session_pk AND NOT EXISTS (SELECT 1 FROM task WHERE session_pk = :session_pk)

-- name: purge_reservations
DELETE FROM idempotency WHERE expires_at <= :at

-- name: unfinished
SELECT pk FROM task WHERE status NOT IN ('completed', 'canceled', 'expired', 'failed') ORDER BY pk

-- name: read
SELECT rev, generation, first_seq, last_seq, codec, events, facts, length(events) AS size FROM journal
 WHERE task_pk = :pk AND rev > :after_rev AND last_seq > :after_seq
 ORDER BY rev

-- name: read_states
SELECT rev, generation, first_seq, last_seq, codec, events, facts FROM journal
 WHERE task_pk = :pk AND kind = 0 AND first_seq <= :up_to_seq ORDER BY rev

-- name: read_deltas
SELECT rev, generation, first_seq, last_seq, codec, events, facts FROM journal
 WHERE task_pk = :pk AND kind = 1 AND first_seq > :after_seq AND first_seq <= :up_to_seq ORDER BY rev

-- name: read_rollouts
SELECT * FROM rollout WHERE task_pk = :pk ORDER BY n
