"""Webhooks: what happens to held calls, told to other systems and to chats."""
