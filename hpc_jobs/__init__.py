"""What runs on the clusters, and what people run on their own machine; see ARCHITECTURE.md."""
