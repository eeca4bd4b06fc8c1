-- {sealed} is the condition for a sealed task.

-- name: tables
SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY name

-- name: statuses
SELECT status, count(*) AS n FROM task GROUP BY status ORDER BY status

-- name: page_bytes
SELECT m.tbl_name AS name, sum(d.pgsize) AS size_bytes
  FROM dbstat d JOIN sqlite_master m ON m.name = d.name
 WHERE d.aggregate = TRUE
 GROUP BY m.tbl_name

-- name: journals
SELECT {sealed} AS is_sealed, count(DISTINCT t.pk) AS tasks,
       coalesce(sum(j.last_seq - j.first_seq + 1) FILTER (WHERE j.kind = 1), 0) AS deltas,
       coalesce(sum(length(j.events)) FILTER (WHERE j.kind = 1), 0) AS delta_bytes,
       sum(length(j.events) + coalesce(length(j.facts), 0)) AS size_bytes
  FROM journal j JOIN task t ON t.pk = j.task_pk
 GROUP BY is_sealed

-- name: steps
SELECT {sealed} AS is_sealed, count(*) AS steps
  FROM (SELECT task_pk, step FROM item UNION SELECT task_pk, step FROM rollout) s
  JOIN task t ON t.pk = s.task_pk
 GROUP BY is_sealed

-- name: outlook
WITH RECURSIVE gone (pk) AS (
    SELECT pk FROM task WHERE finished_at < :before AND parent_pk IS NULL
     UNION SELECT task.pk FROM task JOIN gone ON task.parent_pk = gone.pk
)
SELECT (SELECT count(*) FROM gone) AS removed,
       (SELECT count(*) FROM task t
         WHERE finished_at IS NOT NULL AND NOT {sealed} AND pk NOT IN (SELECT pk FROM gone)) AS sealed
