"""Every reason code that an output may carry: one list, nothing stops without one of them (R7)."""

from __future__ import annotations

ENTRY = {
    "flow_not_running": "the flow took no entries at that instant",
    "outside_schedule": "before the start or after the end of the flow's schedule",
    "flow_paused": "the flow was paused at that instant (R26)",
    "suppressed": "a command keeps the user out of the flow, or of all (R19)",
    "already_in_flow": "a session of this flow, user and key is live (R20)",
    "excluded": "the user is in as many other flows of the group as it lets in at once (P15)",
    "group_limit": "an entry limit of the flow's group is reached (P15)",
    "launched": "this launch has come to the user already (R22)",
    "reentry_off": "the flow takes each user once",
    "reentry_delay": "the delay since the last exit has not passed (I14)",
    "entry_limit": "an entry limit is reached (I15)",
    "too_many_sessions": "the user has as many live sessions as the bound allows",
    "too_many_entries": "as many entries of the flow are remembered as the bound allows",
    "not_member": "the user is no member of the launched audience (R22)",
    "unknown_flow": "no flow of that id takes entries by this signal, or from that flow",
    "invalid_key": "the key expression has no value",
}

ENDING = {
    "completed": "the session came to its end",
    "exit_rule": "an exit rule matched (R23)",
    "goal": "a goal was reached and the flow exits on its goals",
    "stopped": "the flow was stopped",
    "launch_over": "the controller stopped the flow 90 days after its launch (R28)",
    "idle": "the controller stopped the flow: no step was reached for 90 days (R28)",
    "unenrolled": "a step of another session left the flow",
    "schedule_ended": "the flow's end date stopped it",
    "missing_date": "the date to wait for, or to send at, is missing or invalid",
    "past_date": "the date to wait for is past and the step says exit",
    "too_far": "the date to wait for, or to send at, is more than 400 days away",
    "overdue": "its wait ran out in a pause whose resume skips such sessions (R26)",
    "flow_changed": "its step is none of the new version, and has no successor (R27)",
    "call_failed": "code or a request failed; without a way for that the session ends (P24)",
    "too_many_steps": "more than 1,000 steps on one signal, or 10,000 of all sessions (R6)",
    "merged": "the user had an older session of the flow and key under another key (R8)",
    "erased": "the user was erased (R32); also of a signal from before, or that starts nobody",
    "replaced": "an imported state replaced the user's",
    "cascade_too_deep": "it raised signals that raised signals, more than 16 deep (R6)",
}

SENDING = {
    "no_consent": "unsubscribed on that channel or topic, or never opted in",
    "no_address": "no address on the channel, nor on those it fails over to",
    "expired": "past its validity",
    "capped": "a frequency cap is reached",
    "missed": "it was due in a pause whose resume skips what is overdue (R26)",
    "killed": "the kill switch is on: nothing leaves",
    "holdout": "the session is in the holdout: withheld",
    "too_many_planned": "the user has as many planned messages, or data in them, as may be",
    "failover": "it failed or was not delivered in time, and goes on by another channel (R15)",
    "no_next_channel": "it failed, and no other channel can take it when its window opens",
    "session_ended": "the session was ended before the communication was due",
    "canceled_by_step": "a cancel step of the flow took it back (C16)",
}

HALTING = {
    "paused": "the flow is paused: the session stands still (R26)",
    "held": "the session is held by a command (B8)",
    "decided": "what the session waits for has come; it goes on at the resume",
    "migrated": "the session was taken along to a new version, and waits there (R27)",
    "joined": "the session came from another key of the user, and waits on (R8)",
    "resumed": "the session goes on waiting after a pause or a hold",
}
"""What rows of sessions that stand still say."""

REFUSING = {
    "too_old": "so old that it may be a duplicate which nobody remembers (R5)",
    "future_time": "an own time later than the receipt, taken as the receipt (R9)",
    "type_mismatch": "a condition compared values of different types (R17)",
    "unknown_communication": "no communication of that id is known",
    "no_claim": "no flow took the message or the call of the user (R13)",
    "unknown_call": "no session waits for the answer of that call, or no more",
    "goals_forgotten": "the oldest of more than 200 ended sessions is no longer held against goals",
    "computed_audience": "the audience is computed here, others cannot change it",
    "value_too_large": "a value over the bound of a profile, session or participant",
    "unknown_campaign": "no such campaign, or the flow belongs to none: there is no participant",
    "unknown_field": "the campaign declares no such field of its participants",
    "wrong_type": "the value is not of the type that the campaign declares",
    "unknown_status": "the campaign has no such status of its participants",
    "too_many_participants": "the user takes part in as many campaigns as the bound allows",
    "loaded_order": "an order that is loaded as history is not carried out (R10)",
    "identity_cycle": "the key is this very user already, by way of the other one (R8)",
    "too_many_held": "more than 100 signals wait for the state of another key (R8)",
    "too_many_merged": "the user had more than 200 other keys (R8)",
    "user_exists": "a state is imported for a new user, unless the order says replace",
    "invalid_state": "the state to import is none, or too large",
    "other_log": "the state to import is of flows or steps that this space does not have",
    "unsupported": "this kind of signal is not handled by this version",
}

FAILING = {
    "unknown_space": "the message names a space that there is not",
    "unreadable_state": "what is kept of the user cannot be read: damaged, or of a newer version",
    "failed": "a defect: the signal or the alarm could not be handled",
    "unfit_output": "an output that does not fit its schema, or that its topic does not take",
}
"""What a running job could not handle; the user's state is left as it was."""

RECORDS = {
    "unreadable": "the file cannot be opened or is damaged from here on",
    "unknown_format": "the file's ending names no format that can be read",
    "missing_column": "the file lacks a column that the mapping names",
    "wrong_columns": "the row has more or fewer values than there are columns",
    "not_utf8": "the line is not UTF-8 text",
    "not_csv": "the row is not CSV: an open quote, or a field that is too long",
    "not_json": "the record is not JSON",
    "unknown_schema": "the message names a schema or an encoding that is not known",
    "missing": "a required field is missing",
    "invalid": "a field is not of its type, or too long",
    "out_of_range": "a time outside of the years 1970 to 2200, or a number beyond 64 bits",
    "too_large": "the record, or its properties, are over the bound",
    "too_deep": "values are nested deeper than the bound",
}
"""Why a record, or the rest of a file, is no signal."""

REASONS = ENTRY | ENDING | SENDING | HALTING | REFUSING | FAILING | RECORDS
