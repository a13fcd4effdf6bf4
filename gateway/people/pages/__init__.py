"""What people see in a browser: server-rendered, everything essential without a script."""
