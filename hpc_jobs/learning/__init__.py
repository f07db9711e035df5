"""Networks: what they are, how they are fed, trained, searched for, judged, kept."""
