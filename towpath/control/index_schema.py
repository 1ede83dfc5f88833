"""The tables of the controller's index in SQLite, and how an output changes them.

Every change is guarded by what the outputs say themselves (a sequence, an instant, a key), so an
output that arrives again, or late, changes nothing (R31).
"""

from __future__ import annotations

from typing import Final

FORMAT: Final = "1"

SCHEMA: Final = """
create table if not exists meta (name text primary key, value text not null) without rowid;
create table if not exists users (
  n integer primary key autoincrement, user text not null unique
);
create table if not exists sessions (
  n integer primary key autoincrement, session text not null unique, user text not null,
  flow text not null, version integer not null, step text not null, sequence integer not null,
  entered integer not null, at integer not null, ended integer
);
create index if not exists live on sessions (flow, version, step) where ended is null;
create index if not exists live_in_order on sessions (flow, n) where ended is null;
create index if not exists ended on sessions (ended) where ended is not null;
create index if not exists of_user on sessions (user);
create table if not exists steps (
  flow text, version integer, step text, reached integer not null,
  primary key (flow, version, step)
) without rowid;
create table if not exists flows (flow text primary key, seen integer not null) without rowid;
create table if not exists members (
  audience text, user text, inside integer not null, at integer not null,
  primary key (audience, user)
) without rowid;
create index if not exists member_of on members (user);
create table if not exists arms (
  flow text, version integer, step text, branch text, user text, at integer not null,
  primary key (flow, version, step, branch, user)
) without rowid;
create index if not exists arms_of on arms (user);
create table if not exists results (
  flow text, version integer, step text, branch text, metric text, user text, at integer not null,
  primary key (flow, version, step, metric, branch, user)
) without rowid;
create index if not exists results_of on results (user);
create table if not exists erased (
  mark blob primary key, at integer not null, until integer not null
) without rowid;
create table if not exists files (path text primary key, hash text not null) without rowid;
create table if not exists wakes (
  at integer, flow text, audience text, cursor integer not null default 0,
  primary key (at, flow, audience)
) without rowid;
"""

ADD_USER: Final = "insert into users (user) values (?) on conflict do nothing"

MOVE_SESSION: Final = """
insert into sessions (session, user, flow, version, step, sequence, entered, at, ended)
values (?, ?, ?, ?, ?, ?, ?, ?, ?)
on conflict (session) do update set
  entered = min(entered, excluded.entered),
  user = iif(excluded.sequence > sequence, excluded.user, user),
  version = iif(excluded.sequence > sequence, excluded.version, version),
  step = iif(excluded.sequence > sequence, excluded.step, step),
  at = iif(excluded.sequence > sequence, excluded.at, at),
  ended = iif(excluded.sequence > sequence, excluded.ended, ended),
  sequence = max(excluded.sequence, sequence)
"""

REACH_STEP: Final = """
insert into steps (flow, version, step, reached) values (?, ?, ?, ?)
on conflict do update set reached = max(reached, excluded.reached)
"""

SEE_FLOW: Final = """
insert into flows (flow, seen) values (?, ?)
on conflict do update set seen = max(seen, excluded.seen)
"""

MOVE_MEMBER: Final = """
insert into members (audience, user, inside, at) values (?, ?, ?, ?)
on conflict do update set inside = excluded.inside, at = excluded.at where excluded.at >= at
"""

JOIN_ARM: Final = """
insert into arms (flow, version, step, branch, user, at) values (?, ?, ?, ?, ?, ?)
on conflict do update set at = min(at, excluded.at)
"""

ADD_RESULT: Final = """
insert into results (flow, version, step, branch, metric, user, at)
values (?, ?, ?, ?, ?, ?, ?)
on conflict do update set at = min(at, excluded.at)
"""

ERASE: Final = (
    "delete from sessions where user = ? and at <= ?",
    "delete from members where user = ? and at <= ?",
    "delete from arms where user = ? and at <= ?",
    "delete from results where user = ? and at <= ?",
)
"""What an erasure removes of a user: all rows up to its instant."""

FORGET_USER: Final = """
delete from users where user = ?1
and not exists (select 1 from sessions where user = ?1)
and not exists (select 1 from members where user = ?1)
"""

MARK_ERASED: Final = """
insert into erased (mark, at, until) values (?, ?, ?)
on conflict do update set at = max(at, excluded.at), until = max(until, excluded.until)
"""

COUNT_SESSIONS: Final = """
select version, step, count(*) from sessions where flow = ? and ended is null
group by version, step order by version, step
"""

COUNT_ARMS: Final = """
select branch, count(*) from arms where flow = ? and version = ? and step = ? group by branch
"""

COUNT_RESULTS: Final = """
select r.branch, count(*) from results r
join arms a on (a.flow, a.version, a.step, a.branch, a.user)
  = (r.flow, r.version, r.step, r.branch, r.user)
where r.flow = ? and r.version = ? and r.step = ? and r.metric = ? group by r.branch
"""

WAKE_SESSIONS: Final = """
select n, user from sessions
where flow = ? and n > ? and entered <= ? and ended is null order by n limit ?
"""
WAKE_USERS: Final = "select n, user from users where n > ? order by n limit ?"
WAKE_MEMBERS: Final = """
select u.n, u.user from users u join members m on m.user = u.user and m.audience = ? and m.inside
where u.n > ? order by u.n limit ?
"""
