"""From Airflow Connections to sessions of clusters and to MLflow, and the test of a Connection."""
