"""What both sides agree on: campaign, cluster, paths, records, reports; models, no work."""
