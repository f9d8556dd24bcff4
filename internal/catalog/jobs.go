package catalog

import "tollgate/internal/jobs"

// Register lets the workers do the catalog's jobs.
func (s *Service) Register(w *jobs.Workers) { jobs.Handle(w, s.Read) }
