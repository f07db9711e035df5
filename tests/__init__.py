"""unit/ mirrors the packages, contract/ has a suite per registry, integration/ joins real parts."""
