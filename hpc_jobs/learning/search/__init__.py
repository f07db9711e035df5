"""The hyper-parameter search: study, workers, finalists, and the final over seeds."""
