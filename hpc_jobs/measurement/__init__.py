"""What was measured: its file, its CSV, its checks; and virtual experiments."""
