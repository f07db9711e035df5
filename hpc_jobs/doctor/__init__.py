"""What a node lacks to run the jobs; standard library and old Pythons only."""
