"""What the DAG files share: stages, trigger forms, the models at their edges."""
