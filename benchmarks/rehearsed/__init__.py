"""Rehearsals at scale: Airflow before a real Slurm, and what Airflow keeps of a campaign."""
