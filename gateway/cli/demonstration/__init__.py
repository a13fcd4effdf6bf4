"""The demo: a stage (processes and folders), an agent, and the story that is told."""
