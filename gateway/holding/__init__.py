"""What the approval flow stands on: a held call as a filing, its words, its events, its end."""
