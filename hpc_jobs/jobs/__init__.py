"""One module for each cluster job: arguments, the contract's models, a call of the library."""
