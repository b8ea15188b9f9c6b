alter table relays add column updates_port bigint not null default 8080;

create table relay_settings (
  relay text not null references relays (id),
  key text not null,
  value text not null,
  primary key (relay, key)
);
