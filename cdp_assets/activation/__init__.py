"""Activation: what marketers plan and send.

Belongs here: marketing events today; campaigns, audiences and deliveries come with their own stage. Does not belong
here: how events become vectors (`embedding`).
"""
