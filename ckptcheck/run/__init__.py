"""Runs: what one process does and records, and how processes start.

From a verification to a step: `job_runs` decides what runs for each job; `dispatch` runs it here or
on an executor (`dask`); `worker_pool` hands tasks to cores; `fork_server` forks a fresh process for
each; `worker` carries out one task; `execution` is its line. A process records into a `folder`,
which is read as a `run`.
"""
