create table proxy_upgrades (
  cluster text primary key,
  -- ProxyUpgradeRoll, serialized: the last one.
  roll ${bytes} not null,
  ended boolean not null
);
