"""
The points on which the real service is unknown, undocumented or seen to vary.

Knows each point by name and its default. Every switch is a claim about Exchange that a client
may not rely on either way; tests run with both positions.
"""

from dataclasses import dataclass
from typing import Literal

__all__ = ["Switches"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Switches:
    """Positions of all switches. The defaults are the behaviour seen most often."""

    # A view's delta round
    deleted_occurrence_emits_master: bool = False  # else a deleted occurrence shows nothing at all
    exception_change_emits_master: bool = False
    series_change_resends_occurrences: bool = True
    removed_lists_occurrences: bool = False  # rows for each occurrence of a removed series
    empty_first_page: bool = False
    repeat_rows: bool = False  # the last row of a page is the first of the next one again
    default_page_size: int = 10
    keep_delta_states: int = 1000  # older delta tokens answer 410

    # Events
    deleted_items_answer: bool = False  # an immutable id still answers from Deleted Items
    scoped_path_is_strict: bool = False  # calendars/{c}/events/{e} is 404 when e lies elsewhere
    if_match_honoured: bool = True
    series_change_drops_exceptions: bool = True  # when the master's pattern or time changes
    duplicate_transaction_answer: Literal["original", "conflict"] = "original"
    supports_cancelled_occurrences: bool = True  # False: the two 2025 properties are ignored
    exceptions_with_original_start: bool = True
    original_zone_follows_change: bool = True  # originalStartTimeZone after PATCH of start
    spontaneous_change_key: bool = False  # the key moves by itself at the first read after create
    extended_ids_lowercased: bool = True  # the GUID of an extended property comes back lower case
    iana_zones_become_windows: bool = True  # in originalStartTimeZone and recurrenceTimeZone

    # Meetings, reminders, attachments
    permanent_delete_cancels: bool = True  # the organizer's attendees are told, as of a deletion
    reminder_action_changes_event: bool = False  # snooze, dismiss: new version and a delta row
    dismissing_turns_reminder_off: bool = False  # isReminderOn of a single event, as Outlook does
    attachment_change_emits_row: bool = True  # in delta rounds; the version moves either way

    # Scheduling and sharing
    tentative_chance_percent: float = 0.0  # of coming, for somebody who has something tentative
    default_candidates: int = 5  # of findMeetingTimes when no number was asked for
    schedules_at_once: int = 20  # of getSchedule, as documented; 100 were seen
    private_shared_event_answers: bool = True  # asked for by id; else only lists show its block

    # Limits
    longest_extended_chars: int = 1_000_000  # of an extended property's value; undocumented
    concurrent_per_mailbox: int = 4
    most_posted_bytes: int = 3_145_611  # of a file in one POST, as seen; documented: under 3 MB
    least_uploaded_bytes: int = 3_000_000  # of a file in an upload session; seen: 2,097,152
    most_uploaded_bytes: int = 150 * 2**20
    most_message_bytes: int = 150 * 2**20  # the mailbox's own policy, often 35 MB
