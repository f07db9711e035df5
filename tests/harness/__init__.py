"""What tests share: waiting, login nodes, transports, a control host, reports."""
