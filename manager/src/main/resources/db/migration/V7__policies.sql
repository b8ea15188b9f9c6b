-- Policies, and hosts that have settings of their own or were given another policy.
create table policy_levels (
  -- policy or host
  kind text not null,
  -- Of the policy, or id of the host.
  name text not null,
  parent text not null,
  description text not null,
  -- JSON: name and value; what is absent is inherited.
  settings text not null,
  version bigint not null,
  changed_ms bigint not null,
  author text not null,
  change text not null,
  primary key (kind, name)
);

-- Every version that there ever was, the present one too.
create table policy_versions (
  kind text not null,
  name text not null,
  version bigint not null,
  parent text not null,
  description text not null,
  settings text not null,
  changed_ms bigint not null,
  author text not null,
  change text not null,
  primary key (kind, name, version)
);

insert into policy_levels (kind, name, parent, description, settings, version, changed_ms, author,
  change) values ('policy', 'base', '', 'for every host', '{}', 1, 0, 'towline', 'created');
insert into policy_versions (kind, name, version, parent, description, settings, changed_ms,
  author, change) values ('policy', 'base', 1, '', 'for every host', '{}', 0, 'towline', 'created');

-- Fingerprint of the policy that a host says it has, and of the one on its way to it; hexadecimal,
-- 'none' for no policy, '' when nothing is on its way.
alter table nodes add column policy_fingerprint text not null default 'none';
alter table nodes add column policy_sent text not null default '';
alter table nodes add column policy_sent_ms bigint not null default 0;
