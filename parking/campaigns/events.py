"""The names of the events of campaigns."""

from typing import Final

CAMPAIGN_MESSAGE: Final = "CampaignMessage"
"""A campaign's message for one driver; its subject is the campaign."""
