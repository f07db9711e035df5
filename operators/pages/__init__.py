"""The documents behind what people see: report, search page, log page, terminal table."""
