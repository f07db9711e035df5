"""A campaign's run: its plan, folder, code, rounds, resources and books."""
