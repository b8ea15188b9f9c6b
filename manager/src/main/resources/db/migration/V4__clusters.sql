-- Groups are made by hand, or by the first host or install command that names them.
create table host_groups (
  name text primary key,
  description text not null,
  created_ms bigint not null
);
insert into host_groups (name, description, created_ms)
  select group_name, '', min(enrolled_ms) from nodes where group_name <> '' group by group_name;

alter table nodes add column policy text not null default '';
-- Why the host may never come back by itself.
alter table nodes add column note text not null default '';

alter table tokens add column policy text not null default '';
-- CIDR blocks between commas; empty is any.
alter table tokens add column source_networks text not null default '';

-- What was ordered when it is no program.
alter table actions add column title text not null default '';
