"""Behind the operator that runs an array job: what a task wants, remembers, waits for, reports."""
