create table sending_policies (
  cluster text primary key,
  -- ConfigureSending, serialized.
  policy ${bytes} not null,
  -- Bit per second; 0 when nobody declared it.
  link_capacity bigint not null
);
