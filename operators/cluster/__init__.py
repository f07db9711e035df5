"""One cluster, without Airflow: sessions, schedulers, transports, workspaces, job ledgers."""
