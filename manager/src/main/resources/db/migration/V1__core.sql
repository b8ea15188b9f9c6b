-- Times are milliseconds since 1970, 0 when it never happened. Texts are empty when there is nothing.

create table nodes (
  id text primary key,
  role text not null,
  name text not null,
  group_name text not null,
  region text not null,
  service_provider text not null,
  tags text not null,
  proxy_cluster text not null,
  token text not null,
  machine_id text not null,
  facts ${bytes} not null,
  enrolled_ms bigint not null,
  certificate_expires_ms bigint not null,
  revoked_ms bigint not null,
  revoke_reason text not null,
  quarantine text not null,
  presence text not null,
  last_seen_ms bigint not null,
  -- The manager that holds the newest session.
  manager text not null,
  generation bigint not null,
  confirmed_generation bigint not null,
  boot_id text not null,
  epoch bigint not null,
  last_accepted bigint not null,
  path ${bytes} not null,
  tls_protocol text not null,
  tls_cipher_suite text not null,
  -- Sequence of the newest directive in the node's queue.
  directive_sequence bigint not null
);
create index nodes_by_name on nodes (role, name, id);
create index nodes_by_machine on nodes (token, machine_id);
create index nodes_by_cluster on nodes (proxy_cluster);

create table certificates (
  serial text primary key,
  node text not null references nodes (id),
  der ${bytes} not null,
  issued_ms bigint not null,
  expires_ms bigint not null
);
create index certificates_by_node on certificates (node, issued_ms);

create table tokens (
  id text primary key,
  secret ${bytes} not null,
  role text not null,
  os text not null,
  name text not null,
  node_id text not null,
  group_name text not null,
  region text not null,
  service_provider text not null,
  tags text not null,
  proxy_cluster text not null,
  relay text not null,
  image_system boolean not null,
  created_ms bigint not null,
  created_by text not null,
  expires_ms bigint not null,
  max_uses bigint not null,
  uses bigint not null,
  revoked_ms bigint not null,
  last_used_ms bigint not null,
  refusals bigint not null,
  last_refusal text not null
);

create table actions (
  id text primary key,
  selector text not null,
  no_op boolean not null,
  run ${bytes} not null,
  created_by text not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  idempotency_key text unique
);

create index actions_by_time on actions (created_ms, id);

create table directives (
  id text primary key,
  target text not null references nodes (id),
  sequence bigint not null,
  kind bigint not null,
  content ${bytes} not null,
  created_ms bigint not null,
  expires_ms bigint not null,
  action text not null,
  state text not null,
  outcome bigint not null,
  detail text not null,
  finished_ms bigint not null,
  -- DirectiveResult, serialized, and the target's signature over it.
  result ${bytes},
  result_signature ${bytes},
  unique (target, sequence)
);
create index directives_by_action on directives (action);
create index directives_by_state on directives (state, expires_ms);

-- What has been stored already: a record that comes again is acknowledged and left out.
create table results (
  node text not null references nodes (id),
  epoch bigint not null,
  record_sequence bigint not null,
  directive text not null,
  received_ms bigint not null,
  primary key (node, epoch, record_sequence)
);

create table events (
  id ${identity},
  time_ms bigint not null,
  code text not null,
  subject text not null,
  detail text not null,
  reporter text not null,
  report_id text unique
);
create index events_by_code on events (code, id);

create table proxy_clusters (
  name text primary key,
  address text not null,
  description text not null,
  port bigint not null,
  http_port bigint not null,
  created_ms bigint not null
);

create table relays (
  id text primary key,
  name text not null unique,
  parent boolean not null,
  dial_address text not null,
  downstream_address text not null,
  session_port bigint not null,
  public_port bigint not null,
  created_ms bigint not null
);

create table relay_pairs (
  parent text not null references relays (id),
  child text not null references relays (id),
  pairing_key ${bytes} not null,
  primary key (parent, child)
);

create table fleet_values (
  name text primary key,
  value text not null
);
