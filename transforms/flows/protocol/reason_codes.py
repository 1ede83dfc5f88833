"""The reason codes of all outputs. Whatever is stopped or refused has one of them (R7)."""

from __future__ import annotations

ENTRY = {
    "flow_not_running": "the flow took no entries at that time",
    "outside_schedule": "before the start or after the end of the flow's schedule",
    "flow_paused": "the flow was paused at that time",
    "suppressed": "a command keeps the user out of this flow, or of all flows",
    "already_in_flow": "the user has a live session of this flow and key",
    "excluded": "the user is in as many flows of the group as it allows at once",
    "group_limit": "an entry limit of the group is reached",
    "launched": "the user has had this launch already",
    "reentry_off": "the flow takes each user once",
    "reentry_delay": "the delay since the last exit has not passed",
    "entry_limit": "an entry limit is reached",
    "too_many_sessions": "the user has the maximum number of live sessions",
    "too_many_entries": "the maximum number of entries of the flow is remembered",
    "not_member": "the user is not a member of the launched audience",
    "unknown_flow": "no flow with that id can be entered by this signal, or from that flow",
    "invalid_key": "the key expression has no value",
    "replaced_by_newer": "a newer event of the same trigger and key began the time without others anew",
    "too_many_pending": "the user has the maximum number of triggers that wait for more, or for a time",
}

ENDING = {
    "completed": "the session reached its end",
    "exit_rule": "an exit rule matched",
    "goal": "a goal was reached, and the flow ends sessions at a goal",
    "stopped": "the flow was stopped",
    "launch_over": "the controller stopped the flow 90 days after its launch",
    "idle": "the controller stopped the flow: no step was reached for 90 days",
    "unenrolled": "a step of another session left the flow",
    "schedule_ended": "the flow was stopped by its end date",
    "missing_date": "the date to wait for, or to send at, is missing or invalid",
    "past_date": "the date to wait for is past, and the step ends the session then",
    "too_far": "the date to wait for, or to send at, is more than 400 days away",
    "overdue": "its wait ended during a pause, and the resume skips what is overdue",
    "flow_changed": "the new version does not have its step, nor a successor of it",
    "call_failed": "code or a request failed, and the step has no branch for that",
    "too_many_steps": "more than 1,000 steps of a session on one signal, or 10,000 of all sessions",
    "merged": "the user has an older session of the same flow and key, from another user key",
    "erased": "the user was erased; also: the signal is from before that, or cannot start a user",
    "replaced": "an imported state replaced the user's",
    "cascade_too_deep": "signals raised by signals, more than 16 levels deep",
}

SENDING = {
    "no_consent": "unsubscribed on that channel or topic, or never opted in",
    "no_address": "no address on the channel, nor on the failover channels",
    "expired": "past its validity",
    "capped": "a frequency cap is reached",
    "missed": "it was due during a pause, and the resume skips what is overdue; or it is of an imported state and was due over 30 days ago",
    "killed": "the kill switch is on: nothing is sent",
    "holdout": "the session is in the holdout: nothing is sent",
    "too_many_planned": "the user has the maximum of planned messages, or of data in them",
    "failover": "it failed or was not delivered in time; another channel follows",
    "no_next_channel": "it failed, and no other channel can send it when the window opens",
    "session_ended": "the session was ended before the communication was due",
    "canceled_by_step": "a cancel step of the flow canceled it",
}

PAUSED = {
    "paused": "the flow is paused: the session waits",
    "held": "a command holds the session",
    "decided": "the wait has ended; the session goes on at the resume",
    "migrated": "the session was migrated to a new version, and waits there",
    "joined": "the session came from another key of the user, and waits",
    "resumed": "the session waits again after a pause or a hold",
    "not_sent": "the message that the session waited for is canceled",
    "moved": "the time that the session waits for has changed: a date, or the time of a message",
}
"""Reasons in the rows of paused, held, migrated and joined sessions, and of dates that change."""

REFUSED = {
    "too_old": "too old: it may be a duplicate that is no longer remembered",
    "future_time": "the event time is later than the ingestion time, which is used instead",
    "type_mismatch": "a condition compared values of different types",
    "unknown_communication": "no communication with that id is known",
    "no_claim": "no flow handled the message or the call from the user",
    "unknown_call": "no session waits for the answer to that call, or not any more",
    "goals_forgotten": "more than 200 ended sessions: the oldest no longer counts for goals",
    "computed_audience": "the audience is computed from its condition and cannot be changed",
    "value_too_large": "a value is too large for a profile, session or participant",
    "unknown_campaign": "no such campaign, or the flow has no campaign: there is no participant",
    "unknown_field": "the campaign does not declare this participant field",
    "wrong_type": "the value does not have the type that the campaign declares",
    "unknown_status": "the campaign does not declare this participant status",
    "too_many_participants": "the user takes part in the maximum number of campaigns",
    "loaded_order": "a command that is loaded as history is not executed",
    "identity_cycle": "both keys are the same user already",
    "too_many_held": "more than 100 signals wait for the state of another key",
    "too_many_merged": "the user had more than 200 other keys",
    "state_too_large": "the states of the two keys would be over 256 KB together: not merged",
    "user_exists": "the user exists; a state is imported for a new user, unless the command says replace",
    "invalid_state": "the state to import is not readable, or too large",
    "other_log": "the state to import has flows or steps that this space does not have",
    "unsupported": "this kind of signal is not handled by this version",
}

FAILED = {
    "unknown_space": "the message names a space that does not exist",
    "not_allowed": "the subscription is not allowed to deliver records of this kind",
    "unreadable_state": "the stored state cannot be read: it is damaged, or from a newer version",
    "failed": "a defect: the signal or timer could not be handled",
    "control_behind": "the control log was not complete, and too many signals of the user waited",
    "unfit_output": "an output does not fit its schema, or its topic refuses it",
}
"""Reasons of dead letters of a running job; the state of the user is unchanged."""

RECORDS = {
    "unreadable": "the file cannot be opened or is damaged from here on",
    "unknown_format": "the ending of the file is not a known format",
    "missing_column": "the file lacks a column that the mapping names",
    "wrong_columns": "the row does not have as many values as there are columns",
    "not_utf8": "the line is not UTF-8 text",
    "not_csv": "the row is not CSV: an open quote, or a field that is too long",
    "not_json": "the record is not JSON",
    "unknown_schema": "the message names a schema or an encoding that is not known",
    "missing": "a required field is missing",
    "invalid": "a field has the wrong type, or is too long",
    "out_of_range": "a time outside the years 1970 to 2200, or a number of more than 64 bits",
    "too_large": "the record, or its properties, are too large",
    "too_deep": "values are nested too deep",
}
"""Reasons why a record, or the rest of a file, cannot be converted to signals."""

REASONS = ENTRY | ENDING | SENDING | PAUSED | REFUSED | FAILED | RECORDS
