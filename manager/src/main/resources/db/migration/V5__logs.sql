-- What hosts reported. Bounded: the oldest go.
create table logs (
  id ${identity},
  node text not null,
  epoch bigint not null,
  sequence bigint not null,
  time_ms bigint not null,
  received_ms bigint not null,
  -- 0 to 3; -1 for a record of counters.
  level bigint not null,
  source text not null,
  message text not null,
  code text not null,
  -- LogRecord with nothing but counters, serialized; empty for a log record.
  counters ${bytes} not null
);
create index logs_by_node on logs (node, id);
create index logs_by_time on logs (received_ms);

-- Which records of an epoch have come: one that comes again is acknowledged and left out.
create table log_intervals (
  node text not null,
  epoch bigint not null,
  first bigint not null,
  last bigint not null,
  updated_ms bigint not null,
  primary key (node, epoch, first)
);
create index log_intervals_by_time on log_intervals (updated_ms);
