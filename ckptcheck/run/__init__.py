"""Runs: what one process does and records, and how processes are started.

From a verification to a step: `job_runs` says what is run for each job, `dispatch` whether here or on an executor's machines
(`dask`), `worker_pool` hands tasks to cores, `fork_server` forks a fresh process for each, `worker` carries one out, and
`execution` is the line of it. What a process records lies in a `folder`, and is read as a `run`.
"""
