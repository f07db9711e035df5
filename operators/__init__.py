"""Airflow's side: operators, sensors and triggers, and what they do on clusters and in MLflow."""
