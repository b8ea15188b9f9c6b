-- What hosts said with their heartbeats: HostReport, serialized.
create table host_reports (
  node text primary key references nodes (id),
  report ${bytes} not null
);

create table alerts (
  id ${identity},
  kind text not null,
  -- Id of the host; empty in a summary.
  subject text not null,
  name text not null,
  message text not null,
  raised_ms bigint not null,
  changed_ms bigint not null,
  times bigint not null,
  cleared_ms bigint not null,
  -- Empty when it cleared itself.
  cleared_by text not null,
  -- Id of the summary that stands for it; 0 when it stands for itself.
  summary bigint not null,
  -- Kind and subject while it is open, so that there is one.
  open_key text unique
);
create index alerts_by_summary on alerts (summary, cleared_ms);
create index alerts_by_kind on alerts (kind, cleared_ms, raised_ms);

create table alert_routes (
  name text primary key,
  target text not null,
  secret text not null,
  created_ms bigint not null,
  last_sent_ms bigint not null,
  last_error text not null
);

-- What is still to be told.
create table alert_messages (
  id ${identity},
  route text not null references alert_routes (name),
  alert bigint not null references alerts (id),
  what text not null,
  attempts bigint not null,
  created_ms bigint not null,
  due_ms bigint not null
);
