"""Commands for people, behind one front door: `yieldloop TOOL ...` (__main__.py lists them)."""
