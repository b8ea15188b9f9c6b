-- People, what they signed in with, and the install scripts made for them.

create table users (
  name text primary key,
  role text not null,
  password_hash text not null,
  -- Still the password of the first start.
  one_time boolean not null,
  failures bigint not null,
  locked_until_ms bigint not null,
  created_ms bigint not null
);

create table sign_ins (
  -- SHA-256 of the token, hexadecimal; the token itself is not kept.
  token_hash text primary key,
  user_name text not null references users (name),
  created_ms bigint not null,
  expires_ms bigint not null
);
create index sign_ins_by_expiry on sign_ins (expires_ms);

create table install_scripts (
  token text primary key references tokens (id),
  script text not null
);
