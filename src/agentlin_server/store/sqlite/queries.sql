-- name: task_columns
SELECT t.pk, t.tenant, t.id, t.user_id, t.client_id, s.id AS session_id, t.session_pos,
       p.id AS parent_id, t.previous_task_id, t.status, t.generation, t.attempts,
       t.spec_hash, t.metadata, t.created_at, t.finished_at, t.body_hmac,
       t.cancel_requested, t.pause_requested, t.deadline_at, t.time_left_s
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
   SET rev = :rev, next_seq = :next_seq, attempts = coalesce(:attempts, attempts),
       usage = coalesce(:usage, usage), error = coalesce(:error, error)
 WHERE pk = :task_pk

-- name: before_change
SELECT session_pk, status, cancel_requested, pause_requested, turn,
       EXISTS (SELECT 1 FROM secret WHERE task_pk = task.pk) AS has_secrets
  FROM task WHERE pk = :task_pk

-- name: change_status
UPDATE task
   SET rev = :rev, next_seq = :next_seq, attempts = coalesce(:attempts, attempts),
       usage = coalesce(:usage, usage), error = coalesce(:error, error),
       status = :status, finished_at = :finished_at,
       lease_owner = CASE WHEN :status IN ('created', 'working') THEN lease_owner END,
       pause_requested = pause_requested AND NOT :is_final AND :status <> 'paused',
       deadline_at = CASE
           WHEN :is_final THEN NULL
           WHEN status IN ('paused', 'input-required')
               THEN CASE :status WHEN 'queued' THEN :at + time_left_s ELSE deadline_at END
           WHEN :status IN ('paused', 'input-required') THEN :at + :rest_max_s
           ELSE deadline_at END,
       time_left_s = CASE
           WHEN :is_final OR :status = 'queued' THEN NULL
           WHEN :status IN ('paused', 'input-required') AND status NOT IN ('paused', 'input-required')
               THEN max(0.0, deadline_at - :at)
           ELSE time_left_s END
 WHERE pk = :task_pk

-- name: take_turn
UPDATE task SET turn = NULL, turn_order = NULL WHERE pk = :pk

-- name: free_session
UPDATE session SET busy_task_pk = NULL WHERE pk = :session_pk AND busy_task_pk = :task_pk

-- name: wake_first
INSERT INTO outbox (tenant, topic, task_pk, due_at)
SELECT tenant, 'wake', pk, 0
  FROM (SELECT tenant, pk, turn, cancel_requested FROM task
         WHERE session_pk = :session_pk AND status = 'queued' ORDER BY session_pos LIMIT 1)
 WHERE turn IS NULL AND NOT cancel_requested
   AND EXISTS (SELECT 1 FROM session WHERE pk = :session_pk AND busy_task_pk IS NULL)

-- name: give_turn
UPDATE task
   SET turn_order = last_insert_rowid(),
       turn = coalesce(
           (SELECT o.turn + 1 FROM task o
             WHERE o.tenant = task.tenant AND o.user_id = task.user_id AND o.priority = task.priority
               AND o.turn IS NOT NULL ORDER BY o.turn DESC LIMIT 1),
           (SELECT o.turn FROM task o
             WHERE o.priority = task.priority AND o.turn IS NOT NULL ORDER BY o.turn LIMIT 1),
           0)
 WHERE pk = (SELECT task_pk FROM outbox WHERE id = last_insert_rowid())

-- name: stuck_sessions
SELECT t.session_pk
  FROM task t INDEXED BY task_queued JOIN session s ON s.pk = t.session_pk
 WHERE t.status = 'queued' AND t.turn IS NULL AND NOT t.cancel_requested
   AND NOT EXISTS (SELECT 1 FROM task o WHERE o.session_pk = t.session_pk AND o.status = 'queued'
                      AND o.session_pos < t.session_pos)
   AND NOT EXISTS (SELECT 1 FROM task b WHERE b.pk = s.busy_task_pk
                      AND (b.status IN ('created', 'working', 'input-required', 'paused')
                           OR (b.status = 'queued' AND b.lease_owner IS NOT NULL)))
 ORDER BY t.pk

-- name: empty_session
UPDATE session SET busy_task_pk = NULL WHERE pk = :session_pk

-- name: free_unheld_sessions
UPDATE session SET busy_task_pk = NULL
 WHERE busy_task_pk IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM task b WHERE b.pk = busy_task_pk
                      AND (b.status IN ('created', 'working', 'input-required', 'paused')
                           OR (b.status = 'queued' AND b.lease_owner IS NOT NULL)))

-- name: drop_leases_of_others
UPDATE task SET lease_owner = NULL
 WHERE status NOT IN ('completed', 'canceled', 'expired', 'failed')
   AND status NOT IN ('created', 'working') AND lease_owner <> :owner

-- name: orphans
SELECT pk FROM task
 WHERE status NOT IN ('completed', 'canceled', 'expired', 'failed')
   AND status IN ('created', 'working') AND lease_owner IS NOT :owner
 ORDER BY pk

-- name: due_wakes
SELECT id, task_pk, attempts FROM outbox
 WHERE due_at <= :at AND topic = 'wake' ORDER BY due_at, id LIMIT :limit

-- name: count_wake
UPDATE outbox SET attempts = :attempts, due_at = :due_at WHERE id = :id

-- name: settle_wake
DELETE FROM outbox WHERE id = :id

-- name: forget_wakes
DELETE FROM outbox WHERE task_pk = :pk AND topic = 'wake'

-- name: insert_tool_call
INSERT INTO tool_call (task_pk, call_id, step, name, effect, state, idem_key, generation, started_at, ended_at)
VALUES (:task_pk, :call_id, :step, :name, :effect, :state, :idem_key, :generation, :started_at, :ended_at)
    ON CONFLICT (task_pk, call_id) DO UPDATE
       SET step = excluded.step, state = excluded.state, generation = excluded.generation,
           started_at = coalesce(excluded.started_at, started_at), ended_at = excluded.ended_at

-- name: delete_secrets
DELETE FROM secret WHERE task_pk = :task_pk

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
       EXISTS (SELECT 1 FROM task WHERE session_pk = session.pk AND status = 'queued') AS has_waiting
  FROM session WHERE tenant = :tenant AND id = :id

-- name: unanswered
SELECT pk FROM task
 WHERE pk = :busy_task_pk AND status = 'input-required' AND NOT cancel_requested

-- name: interruptible
SELECT pk FROM task
 WHERE session_pk = :session_pk AND status = 'queued' AND NOT cancel_requested
 UNION
SELECT pk FROM task
 WHERE pk = :busy_task_pk AND status NOT IN ('completed', 'canceled', 'expired', 'failed')
   AND NOT cancel_requested

-- name: find_task
SELECT pk, body_hmac FROM task WHERE tenant = :tenant AND id = :id

-- name: last_of_session
SELECT t.id FROM task t
 WHERE t.session_pk = :session_pk
   AND (t.status = 'completed'
        OR (t.status IN ('created', 'queued', 'working', 'input-required', 'paused')
            AND NOT (t.cancel_requested AND t.status = 'queued'))
        OR EXISTS (SELECT 1 FROM item WHERE task_pk = t.pk AND status = 'completed'))
 ORDER BY t.session_pos DESC LIMIT 1

-- name: insert_task
INSERT INTO task (tenant, id, user_id, client_id, session_pk, session_pos, previous_task_id, status, rev, next_seq,
                  generation, lease_owner, attempts, deadline_at, spec_hash, body_hmac, idem_route, idem_key, metadata,
                  created_at)
VALUES (:tenant, :id, :user_id, :client_id, :session_pk, :session_pos, :previous_task_id, :status, 1, :next_seq,
        :generation, :lease_owner, :attempts, :deadline_at, :spec_hash, :body_hmac, :idem_route, :idem_key, :metadata,
        :created_at)

-- name: take_session_place
UPDATE session SET next_pos = next_pos + 1, busy_task_pk = coalesce(:busy_task_pk, busy_task_pk) WHERE pk = :pk

-- name: count_waiting
SELECT count(*) AS n FROM task WHERE status = 'queued'

-- name: claimable
SELECT pk, attempts FROM task WHERE turn IS NOT NULL ORDER BY priority DESC, turn, turn_order

-- name: claimed_suspect
SELECT 1 FROM task WHERE lease_owner = :owner AND attempts > 2 LIMIT 1

-- name: claim
UPDATE task
   SET generation = generation + 1, lease_owner = :owner, attempts = attempts + 1,
       turn = NULL, turn_order = NULL
 WHERE pk = :pk

-- name: take_over
UPDATE task
   SET generation = generation + 1,
       lease_owner = CASE WHEN status <> 'queued' OR lease_owner IS NOT NULL THEN :owner END
 WHERE pk = :pk

-- name: occupy_session
UPDATE session SET busy_task_pk = :pk
 WHERE pk = (SELECT session_pk FROM task WHERE pk = :pk AND turn IS NOT NULL) AND busy_task_pk IS NULL

-- name: journal_end
SELECT rev, last_seq FROM journal WHERE task_pk = :pk ORDER BY rev DESC LIMIT 1

-- name: insert_intent
INSERT INTO intent (task_pk, n, kind, actor, at)
SELECT :pk, (SELECT coalesce(max(n), 0) + 1 FROM intent WHERE task_pk = :pk), :kind, :actor, :at
 WHERE NOT EXISTS (SELECT 1 FROM intent WHERE task_pk = :pk AND kind = :kind AND applied_rev IS NULL)

-- name: settle_intents
UPDATE intent SET applied_rev = (SELECT rev FROM task WHERE pk = :pk)
 WHERE task_pk = :pk AND kind = :kind AND applied_rev IS NULL

-- name: settle_all_but_deletes
UPDATE intent SET applied_rev = (SELECT rev FROM task WHERE pk = :pk)
 WHERE task_pk = :pk AND kind <> 'delete' AND applied_rev IS NULL

-- name: want_end
UPDATE task SET cancel_requested = 1 WHERE pk = :pk

-- name: want_pause
UPDATE task SET pause_requested = :is_wanted WHERE pk = :pk

-- name: last_wish
SELECT kind FROM intent
 WHERE task_pk = :pk AND kind IN ('pause', 'resume') ORDER BY n DESC LIMIT 1

-- name: pending
SELECT task_pk, kind FROM intent INDEXED BY intent_pending
 WHERE applied_rev IS NULL AND kind IN ('cancel', 'delete', 'resume') ORDER BY at, task_pk, n

-- name: due
SELECT pk FROM task WHERE deadline_at <= :at ORDER BY deadline_at, pk LIMIT :limit

-- name: shift_deadlines
UPDATE task SET deadline_at = deadline_at + :by_s WHERE deadline_at IS NOT NULL

-- name: shift_wakes
UPDATE outbox SET due_at = due_at + :by_s WHERE due_at > 0

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

-- name: read
SELECT rev, generation, first_seq, last_seq, codec, events, facts FROM journal
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
