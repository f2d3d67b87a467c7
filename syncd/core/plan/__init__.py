"""
From a decision to what is done about it: rights, mail policy, holds, and the exact writes.

Every plan is a value that can be printed before anything happens (`--dry-run`, `syncd problems`).
"""

from syncd.core.plan.guarding import DeletionCounts, hold_creations, hold_deletions
from syncd.core.plan.items import plan_item
from syncd.core.plan.mailing import mail_code
from syncd.core.plan.splitting import is_made, split_of, split_plans
from syncd.core.plan.values import (
    Desk,
    FileJob,
    ItemPlan,
    Write,
    exactly,
    fields_value,
    problem_id,
    refusal_digest,
    stat_of,
)

__all__ = [
    "DeletionCounts",
    "Desk",
    "FileJob",
    "ItemPlan",
    "Write",
    "exactly",
    "fields_value",
    "hold_creations",
    "hold_deletions",
    "is_made",
    "mail_code",
    "plan_item",
    "problem_id",
    "refusal_digest",
    "split_of",
    "split_plans",
    "stat_of",
]
