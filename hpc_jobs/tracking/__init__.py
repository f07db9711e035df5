"""The spool: what a job writes down for MLflow."""
