// Package jobs is the one mechanism for background work: rows in Postgres,
// enqueued in the transaction that calls for them, worked until they succeed.
package jobs

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"

	"tollgate/internal/postgres"
)

// Queue enqueues jobs.
type Queue struct {
	pool   *pgxpool.Pool
	client *river.Client[pgx.Tx]
}

// NewQueue makes a queue that enqueues; Work makes one process work it off.
func NewQueue(pool *pgxpool.Pool) (*Queue, error) {
	client, err := river.NewClient(riverpgxv5.New(pool), &river.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		return nil, fmt.Errorf("job queue: %w", err)
	}
	return &Queue{pool: pool, client: client}, nil
}

// Add enqueues a job in the open transaction: it exists when that commits.
func (q *Queue) Add(ctx context.Context, tx *postgres.Tx, args river.JobArgs) error {
	if _, err := q.client.InsertTx(ctx, tx.PGX, args, nil); err != nil {
		return fmt.Errorf("enqueue %s: %w", args.Kind(), err)
	}
	return nil
}

// Workers says who does which kind of job.
type Workers struct {
	river    *river.Workers
	periodic []*river.PeriodicJob
}

// NewWorkers makes an empty list.
func NewWorkers() *Workers { return &Workers{river: river.NewWorkers()} }

// Handle lets do work the jobs of one kind. A job that fails is tried again
// with growing pauses; do must be safe to repeat.
func Handle[T river.JobArgs](w *Workers, do func(context.Context, T) error) {
	river.AddWorker(w.river, river.WorkFunc(func(ctx context.Context, job *river.Job[T]) error {
		return do(postgres.AsStaff(ctx), job.Args)
	}))
}

// Later is returned by a job that cannot be done yet, without having failed: it
// is tried again after a pause.
func Later(pause time.Duration) error { return river.JobSnooze(pause) }

// Every enqueues a job at an interval, once among all processes.
func Every(w *Workers, interval time.Duration, make func() river.JobArgs) {
	w.periodic = append(w.periodic, river.NewPeriodicJob(river.PeriodicInterval(interval), func() (river.JobArgs, *river.InsertOpts) {
		return make(), &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: interval}}
	}, &river.PeriodicJobOpts{RunOnStart: true}))
}

// Work works jobs off until ctx ends, then lets those under way finish.
func (q *Queue) Work(ctx context.Context, w *Workers, logger *slog.Logger) error {
	client, err := river.NewClient(riverpgxv5.New(q.pool), &river.Config{
		Queues:            map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 4}},
		Workers:           w.river,
		PeriodicJobs:      w.periodic,
		Logger:            slog.New(levelHandler{logger.Handler()}),
		FetchPollInterval: time.Second,
		JobTimeout:        5 * time.Minute,
		MaxAttempts:       50,
	})
	if err != nil {
		return fmt.Errorf("job workers: %w", err)
	}
	if err := client.Start(context.WithoutCancel(ctx)); err != nil {
		return fmt.Errorf("start job workers: %w", err)
	}
	<-ctx.Done()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 15*time.Second)
	defer cancel()
	if err := client.Stop(limit); err != nil {
		return client.StopAndCancel(context.WithoutCancel(ctx))
	}
	return nil
}

// levelHandler passes warnings and errors on: the queue is chatty below.
type levelHandler struct{ slog.Handler }

// Enabled implements slog.Handler.
func (h levelHandler) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn
}

// Count is how many jobs of a kind are in each state.
type Count struct {
	Kind                     string
	Waiting, Running, Failed int
	LastAt                   *time.Time
	LastError                string
}

// Counts lists the kinds of jobs with what became of them.
func Counts(ctx context.Context, tx *postgres.Tx) (out []Count, err error) {
	rows, err := tx.PGX.Query(ctx, `
		SELECT kind, count(*) FILTER (WHERE state IN ('available', 'scheduled', 'retryable', 'pending')), count(*) FILTER (WHERE state = 'running'),
			count(*) FILTER (WHERE state = 'retryable' OR state = 'discarded'), max(coalesce(finalized_at, attempted_at)),
			coalesce((array_agg(errors[array_upper(errors, 1)]->>'error' ORDER BY id DESC) FILTER (WHERE errors IS NOT NULL AND state IN ('retryable', 'discarded')))[1], '')
		FROM river_job GROUP BY kind ORDER BY kind`)
	if err != nil {
		return nil, fmt.Errorf("count jobs: %w", err)
	}
	return pgx.CollectRows(rows, pgx.RowToStructByPos[Count])
}
