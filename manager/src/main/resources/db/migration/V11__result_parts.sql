-- Large results that proxies kept in parts, until all parts of one are there.
create table result_parts (
  node text not null,
  epoch bigint not null,
  sequence bigint not null,
  number bigint not null,
  content ${bytes} not null,
  received_ms bigint not null,
  primary key (node, epoch, sequence, number)
);
