-- The fair queue, clocks that stand still, sealed journals.

-- A queued task's place in the fair queue; NULL while it may not run: its session is held, or an
-- earlier task of the session waits, or its cancel is wanted.
ALTER TABLE task ADD COLUMN turn INTEGER;
-- Which of the tasks with one turn got it first.
ALTER TABLE task ADD COLUMN turn_order INTEGER;
-- What is left of its own time while it rests; deadline_at is then the limit of that state.
ALTER TABLE task ADD COLUMN time_left_s REAL;
-- When its journal was compressed; NULL until then.
ALTER TABLE task ADD COLUMN sealed_at REAL;

DROP INDEX task_queued;
CREATE INDEX task_queued ON task (session_pk, session_pos) WHERE status = 'queued';
CREATE INDEX task_claimable ON task (priority DESC, turn, turn_order) WHERE turn IS NOT NULL;
CREATE INDEX task_turn_of_user ON task (tenant, user_id, priority, turn) WHERE turn IS NOT NULL;
CREATE INDEX task_suspect ON task (lease_owner) WHERE attempts > 2 AND lease_owner IS NOT NULL;
CREATE INDEX task_due ON task (deadline_at) WHERE deadline_at IS NOT NULL;
CREATE INDEX task_finished ON task (finished_at) WHERE finished_at IS NOT NULL AND parent_pk IS NULL;
CREATE INDEX task_unsealed ON task (finished_at) WHERE finished_at IS NOT NULL AND sealed_at IS NULL;
CREATE INDEX intent_pending ON intent (at)
    WHERE applied_rev IS NULL AND kind IN ('cancel', 'delete', 'resume');
CREATE INDEX outbox_by_task ON outbox (task_pk);

-- No worker lives while a database is migrated: what was claimed but not begun waits again.
UPDATE session SET busy_task_pk = NULL WHERE busy_task_pk IN (SELECT pk FROM task WHERE status = 'queued');
UPDATE task SET lease_owner = NULL WHERE status = 'queued';

-- The first waiting task of each session that is free gets its turn, as if promoted just now.
INSERT INTO outbox (tenant, topic, task_pk, due_at)
SELECT t.tenant, 'wake', t.pk, 0
  FROM task t JOIN session s ON s.pk = t.session_pk
 WHERE t.status = 'queued' AND NOT t.cancel_requested AND s.busy_task_pk IS NULL
   AND NOT EXISTS (SELECT 1 FROM task o WHERE o.session_pk = t.session_pk AND o.status = 'queued'
                      AND o.session_pos < t.session_pos)
 ORDER BY t.priority DESC, t.pk;
UPDATE task SET turn = fair.turn, turn_order = fair.id
  FROM (SELECT o.id, o.task_pk,
               row_number() OVER (PARTITION BY t.tenant, t.user_id, t.priority ORDER BY o.id) - 1 AS turn
          FROM outbox o JOIN task t ON t.pk = o.task_pk) AS fair
 WHERE task.pk = fair.task_pk;

-- Cancels of tasks that have ended are done; nobody noted that until now.
UPDATE intent SET applied_rev = (SELECT rev FROM task WHERE pk = intent.task_pk)
 WHERE task_pk IN (SELECT pk FROM task WHERE status IN ('completed', 'canceled', 'expired', 'failed'));
